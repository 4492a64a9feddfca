#pragma once
// The system's Vulkan loader, opened at run time: the engine links none. Only a Context of Fovea's own needs it; a host
// that is adopted brings its vkGetInstanceProcAddr.

#include <fovea/result.hpp>

#include <vulkan/vulkan_core.h>

namespace fovea::vk {

class Loader {
 public:
  // Error: the library is not there, or is not a Vulkan loader.
  static Result<Loader> open();

  Loader() = default;
  ~Loader();
  Loader(Loader&& other) noexcept;
  Loader& operator=(Loader&& other) noexcept;

  PFN_vkGetInstanceProcAddr get_instance_proc_addr() const { return get_instance_proc_addr_; }

 private:
  void* library_ = nullptr;
  PFN_vkGetInstanceProcAddr get_instance_proc_addr_ = nullptr;
};

}  // namespace fovea::vk
