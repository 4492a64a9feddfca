#pragma once
// A logical device and one queue of it: made by Fovea, or the host's. Everything else in vk holds a Device&.

#include "base/device_caps.hpp"
#include "base/log.hpp"
#include "vk/caps.hpp"
#include "vk/error.hpp"
#include "vk/instance.hpp"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

namespace fovea::vk {

struct Candidate;

// Not movable. Thread-safe: every public member is read-only after creation, and the queue is used through submit() alone.
class Device {
 public:
  struct Options {
    bool pipeline_statistics = false;  // enable VK_KHR_pipeline_executable_properties where the device has it
  };
  // A device of Fovea's own on this candidate, with everything enabled that Fovea can use.
  static Result<std::unique_ptr<Device>> create(std::unique_ptr<Instance> instance, const Candidate& candidate,
                                                const Options& options);

  struct Host {
    VkPhysicalDevice physical_device = VK_NULL_HANDLE;
    VkDevice device = VK_NULL_HANDLE;
    VkQueue queue = VK_NULL_HANDLE;  // null: the host only records
    std::uint32_t queue_family = 0;
    Enabled enabled;  // addresses of buffers only where all buffers that may be bound have them
    const VkAllocationCallbacks* allocator = nullptr;
  };
  // Errors: Vulkan below 1.1, a queue family that does not exist or has no compute.
  static Result<std::unique_ptr<Device>> adopt(std::unique_ptr<Instance> instance, const Host& host);

  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  DeviceTable fn;
  VkDevice handle = VK_NULL_HANDLE;
  VkPhysicalDevice physical_device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  std::uint32_t queue_family = 0;
  std::uint64_t timestamp_mask = 0;  // the bits of a timestamp that count; 0: none
  bool host_query_reset = false;     // enabled, and fn.ResetQueryPool is there
  bool pipeline_statistics = false;  // asked for and enabled: pipelines are made so that they can be asked
  const VkAllocationCallbacks* allocator = nullptr;
  VkPhysicalDeviceMemoryProperties memory{};
  std::array<std::uint8_t, VK_UUID_SIZE> pipeline_cache_uuid{};
  DeviceCaps caps;

  const Instance& instance() const { return *instance_; }
  const LogFunction& log() const { return instance_->log(); }

  // Names an object for validation messages and captures; nothing without VK_EXT_debug_utils.
  template <class T>
  void name(VkObjectType type, T object, std::string_view text) const {
    name_raw(type, (std::uint64_t)object, text);  // a pointer or a 64-bit integer, by platform
  }

  // vk::error of one of this device's functions; keeps a loss in mind.
  template <class... Values>
  Error error(VkResult result, const Values&... what) const {
    Error made = vk::error(result, what...);
    if (made.code == ErrorCode::device_lost) keep_loss(made);
    return made;
  }
  bool lost() const;
  // Error, in the name of the public call: the device is lost, and which function said so first.
  Result<void> check_not_lost(std::string_view call) const;
  // The same, and: the host that was adopted gave no queue.
  Result<void> check_queue(std::string_view call) const;
  // Both need a queue; waiting is for everything submitted so far, by the host too.
  Result<void> submit(const VkSubmitInfo& info, VkFence fence) const;
  Result<void> wait_idle() const;

 private:
  Device() = default;
  Result<void> load(const Features& enabled);
  void name_raw(VkObjectType type, std::uint64_t object, std::string_view text) const;
  void keep_loss(const Error& error) const;

  std::unique_ptr<Instance> instance_;
  mutable std::mutex queue_mutex_, loss_mutex_;
  mutable std::string loss_;  // "vkQueueSubmit: VK_ERROR_DEVICE_LOST"; empty: not lost
  bool owned_ = false;
};

}  // namespace fovea::vk
