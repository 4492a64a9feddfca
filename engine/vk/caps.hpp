#pragma once
// DeviceCaps of a physical device, given what is (or would be) enabled on it.

#include "base/device_caps.hpp"
#include "vk/features.hpp"
#include "vk/instance.hpp"

#include <cstdint>
#include <optional>
#include <vector>

namespace fovea::vk {

// What a device was made with.
struct Enabled {
  std::uint32_t api_version = VK_API_VERSION_1_1;  // the lesser of the instance's and the device's
  Features features;
  bool memory_budget = false;  // VK_EXT_memory_budget
};

// The version that may be used: the lesser of VkApplicationInfo::apiVersion and the device's.
std::uint32_t usable_version(const Instance& instance, VkPhysicalDevice physical_device);
Result<std::vector<VkExtensionProperties>> device_extensions(const Instance& instance, VkPhysicalDevice physical_device);
// Everything Fovea can use of this device. Precondition: usable_version() >= 1.1.
Enabled everything_available(const Instance& instance, VkPhysicalDevice physical_device, const Extensions& available);

// Quirks applied. `available`: the device's extensions. Precondition: enabled.api_version >= 1.1, queue_family exists.
Result<DeviceCaps> query_caps(const Instance& instance, VkPhysicalDevice physical_device, std::uint32_t queue_family,
                              const Enabled& enabled, const Extensions& available);

// The family Fovea prefers: compute and graphics together (its work then needs no ownership transfer), else compute.
std::optional<std::uint32_t> choose_queue_family(const Instance& instance, VkPhysicalDevice physical_device);
// Errors: the family does not exist, or has no compute.
Result<void> check_queue_family(const Instance& instance, VkPhysicalDevice physical_device, std::uint32_t queue_family);
// The bits of a timestamp that count on this family's queues; 0: it has none.
std::uint64_t timestamp_mask(const Instance& instance, VkPhysicalDevice physical_device, std::uint32_t queue_family);

// One capability a line, for people.
std::string to_text(const DeviceCaps& caps);

}  // namespace fovea::vk
