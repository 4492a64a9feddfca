#pragma once
// A Vulkan instance: one of Fovea's own, with validation on request, or the host's.

#include "vk/dispatch.hpp"
#include "vk/loader.hpp"
#include <fovea/context.hpp>

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

namespace fovea::vk {

class Extensions;

// Not movable: the validation messenger points at its log.
class Instance {
 public:
  struct Options {
    bool validation = false;
    LogFunction log;
    PFN_vkGetInstanceProcAddr get_instance_proc_addr = nullptr;  // null: of the system's loader
  };
  // Opens the system's loader. Errors: no loader, Vulkan 1.0 only, vkCreateInstance.
  static Result<std::unique_ptr<Instance>> create(Options options);
  // Error: a Vulkan 1.1 function is missing.
  static Result<std::unique_ptr<Instance>> adopt(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance,
                                                 std::uint32_t api_version, const Extensions& enabled, LogFunction log);
  ~Instance();
  Instance(const Instance&) = delete;
  Instance& operator=(const Instance&) = delete;

  const InstanceTable& fn() const { return fn_; }
  VkInstance handle() const { return handle_; }
  PFN_vkGetInstanceProcAddr get_instance_proc_addr() const { return get_instance_proc_addr_; }
  std::uint32_t api_version() const { return api_version_; }  // VkApplicationInfo::apiVersion
  bool debug_utils() const { return debug_utils_; }           // VK_EXT_debug_utils is enabled
  const LogFunction& log() const { return log_; }

 private:
  Instance() = default;
  Result<void> make(const Options& options);

  Loader loader_;  // open for an instance of our own
  PFN_vkGetInstanceProcAddr get_instance_proc_addr_ = nullptr;
  InstanceTable fn_;
  VkInstance handle_ = VK_NULL_HANDLE;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  std::uint32_t api_version_ = VK_API_VERSION_1_1;
  bool debug_utils_ = false;
  bool owned_ = false;
  LogFunction log_;
};

// Instance extensions Fovea can use, of those available without layers, with static lifetime.
Result<std::vector<const char*>> wanted_instance_extensions(const GlobalTable& global);

}  // namespace fovea::vk
