#pragma once
// The optional features Fovea can use, and the pNext chains they travel in. One table (features.cpp) says which member
// of which struct each one is; asking a device, reading a host's chain and patching it all follow from that table.

#include "vk/newer_headers.hpp"

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fovea::vk {

struct Features {
  bool storage16 = false, storage8 = false, float16 = false, int64 = false;
  bool buffer_address = false, timeline_semaphore = false, memory_model = false;
  bool subgroup_size_control = false, full_subgroups = false;
  bool cooperative_matrix = false, matrix_reductions = false, matrix_conversions = false, matrix_functions = false;
  bool host_query_reset = false;
};

// Extension names of a device or instance, as a host lists them or the device reports them.
class Extensions {
 public:
  Extensions() = default;
  explicit Extensions(std::span<const char* const> names) : names_(names.begin(), names.end()) {}
  explicit Extensions(std::span<const VkExtensionProperties> properties);
  bool has(std::string_view name) const;

 private:
  std::vector<std::string_view> names_;  // of memory that outlives this object
};

// One struct of each kind that Vulkan 1.1 with extensions knows; `linked` ones form a chain behind `core`.
class FeatureStructs {
 public:
  // Links the structs that a device of this version with these extensions accepts.
  FeatureStructs(std::uint32_t api_version, const Extensions& available);
  FeatureStructs(const FeatureStructs&) = delete;
  FeatureStructs& operator=(const FeatureStructs&) = delete;

  VkPhysicalDeviceFeatures2* head() { return &core_; }
  const VkPhysicalDeviceFeatures2* head() const { return &core_; }
  void set(const Features& features);
  // Sets `features` in the structs of a host's chain; those it has no struct for are linked to its end.
  // Without a VkPhysicalDeviceFeatures2 in the chain int64 is left alone: the host may use pEnabledFeatures.
  void merge_into(void* chain, const Features& features);

 private:
  VkPhysicalDeviceFeatures2 core_{};
  VkPhysicalDevice16BitStorageFeatures storage16_{};
  VkPhysicalDevice8BitStorageFeatures storage8_{};
  VkPhysicalDeviceShaderFloat16Int8Features float16_{};
  VkPhysicalDeviceBufferDeviceAddressFeatures buffer_address_{};
  VkPhysicalDeviceTimelineSemaphoreFeatures timeline_{};
  VkPhysicalDeviceVulkanMemoryModelFeatures memory_model_{};
  VkPhysicalDeviceSubgroupSizeControlFeatures subgroup_size_{};
  VkPhysicalDeviceHostQueryResetFeatures host_query_reset_{};
  CooperativeMatrixFeatures cooperative_matrix_{};
  CooperativeMatrix2Features cooperative_matrix2_{};
  std::vector<VkBaseOutStructure*> own_;  // every struct this device accepts, core_ first
};

// What the chain sets: VkPhysicalDeviceFeatures2, Vulkan11/12/13Features and the individual structs. Null: nothing.
Features read_features(const void* chain);
// Without those that a device of this version has through an extension that is not enabled.
Features keep_enabled(Features features, std::uint32_t api_version, const Extensions& enabled);

// Device extensions Fovea can use on a device of this version, of those available, with static lifetime.
std::vector<const char*> wanted_extensions(std::uint32_t api_version, const Extensions& available);

}  // namespace fovea::vk
