#include "vk/features.hpp"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace fovea::vk {
namespace {

// A VkBool32 at `offset` of the struct `type` is this feature.
struct Row {
  bool Features::*feature;
  VkStructureType type;
  std::size_t offset;
};

#define FOVEA_ROW(feature, tag, type, member)                                                      \
  Row {                                                                                            \
    &Features::feature, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_##tag##_FEATURES, offsetof(type, member) \
  }

constexpr Row rows[] = {
    {&Features::int64, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2,
     offsetof(VkPhysicalDeviceFeatures2, features) + offsetof(VkPhysicalDeviceFeatures, shaderInt64)},
    FOVEA_ROW(storage16, 16BIT_STORAGE, VkPhysicalDevice16BitStorageFeatures, storageBuffer16BitAccess),
    FOVEA_ROW(storage16, VULKAN_1_1, VkPhysicalDeviceVulkan11Features, storageBuffer16BitAccess),
    FOVEA_ROW(storage8, 8BIT_STORAGE, VkPhysicalDevice8BitStorageFeatures, storageBuffer8BitAccess),
    FOVEA_ROW(storage8, VULKAN_1_2, VkPhysicalDeviceVulkan12Features, storageBuffer8BitAccess),
    FOVEA_ROW(float16, SHADER_FLOAT16_INT8, VkPhysicalDeviceShaderFloat16Int8Features, shaderFloat16),
    FOVEA_ROW(float16, VULKAN_1_2, VkPhysicalDeviceVulkan12Features, shaderFloat16),
    FOVEA_ROW(buffer_address, BUFFER_DEVICE_ADDRESS, VkPhysicalDeviceBufferDeviceAddressFeatures, bufferDeviceAddress),
    FOVEA_ROW(buffer_address, VULKAN_1_2, VkPhysicalDeviceVulkan12Features, bufferDeviceAddress),
    FOVEA_ROW(timeline_semaphore, TIMELINE_SEMAPHORE, VkPhysicalDeviceTimelineSemaphoreFeatures, timelineSemaphore),
    FOVEA_ROW(timeline_semaphore, VULKAN_1_2, VkPhysicalDeviceVulkan12Features, timelineSemaphore),
    FOVEA_ROW(memory_model, VULKAN_MEMORY_MODEL, VkPhysicalDeviceVulkanMemoryModelFeatures, vulkanMemoryModel),
    FOVEA_ROW(memory_model, VULKAN_1_2, VkPhysicalDeviceVulkan12Features, vulkanMemoryModel),
    FOVEA_ROW(subgroup_size_control, SUBGROUP_SIZE_CONTROL, VkPhysicalDeviceSubgroupSizeControlFeatures,
              subgroupSizeControl),
    FOVEA_ROW(subgroup_size_control, VULKAN_1_3, VkPhysicalDeviceVulkan13Features, subgroupSizeControl),
    FOVEA_ROW(full_subgroups, SUBGROUP_SIZE_CONTROL, VkPhysicalDeviceSubgroupSizeControlFeatures, computeFullSubgroups),
    FOVEA_ROW(full_subgroups, VULKAN_1_3, VkPhysicalDeviceVulkan13Features, computeFullSubgroups),
    FOVEA_ROW(host_query_reset, HOST_QUERY_RESET, VkPhysicalDeviceHostQueryResetFeatures, hostQueryReset),
    FOVEA_ROW(host_query_reset, VULKAN_1_2, VkPhysicalDeviceVulkan12Features, hostQueryReset),
    {&Features::cooperative_matrix, cooperative_matrix_features_type,
     offsetof(CooperativeMatrixFeatures, cooperativeMatrix)},
    {&Features::matrix_reductions, cooperative_matrix2_features_type,
     offsetof(CooperativeMatrix2Features, cooperativeMatrixReductions)},
    {&Features::matrix_conversions, cooperative_matrix2_features_type,
     offsetof(CooperativeMatrix2Features, cooperativeMatrixConversions)},
    {&Features::matrix_functions, cooperative_matrix2_features_type,
     offsetof(CooperativeMatrix2Features, cooperativeMatrixPerElementOperations)},
};
#undef FOVEA_ROW

// From which version on, or else with which extension, a device accepts an individual struct.
struct Origin {
  VkStructureType type;
  std::uint32_t core_version;
  const char* extension;
};
constexpr std::uint32_t never = UINT32_MAX;
constexpr Origin origins[] = {
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2, VK_API_VERSION_1_1, nullptr},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES, VK_API_VERSION_1_1, nullptr},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES, VK_API_VERSION_1_2, "VK_KHR_8bit_storage"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES, VK_API_VERSION_1_2, "VK_KHR_shader_float16_int8"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES, VK_API_VERSION_1_2,
     "VK_KHR_buffer_device_address"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES, VK_API_VERSION_1_2, "VK_KHR_timeline_semaphore"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES, VK_API_VERSION_1_2, "VK_KHR_vulkan_memory_model"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES, VK_API_VERSION_1_3,
     "VK_EXT_subgroup_size_control"},
    {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_QUERY_RESET_FEATURES, VK_API_VERSION_1_2, "VK_EXT_host_query_reset"},
    {cooperative_matrix_features_type, never, cooperative_matrix_extension},
    {cooperative_matrix2_features_type, never, cooperative_matrix2_extension},
};

bool is_accepted(const Origin& origin, std::uint32_t api_version, const Extensions& extensions) {
  return api_version >= origin.core_version || (origin.extension && extensions.has(origin.extension));
}

// SPIR-V has no cooperative matrices without the Vulkan memory model, and without those nothing to be done with them.
void keep_usable_matrices(Features& features) {
  features.cooperative_matrix = features.cooperative_matrix && features.memory_model;
  for (bool Features::*more : {&Features::matrix_reductions, &Features::matrix_conversions, &Features::matrix_functions})
    features.*more = features.*more && features.cooperative_matrix;
}

// Extensions without a feature struct. A device that lists VK_KHR_portability_subset wants it enabled.
constexpr const char* plain_extensions[] = {VK_EXT_MEMORY_BUDGET_EXTENSION_NAME, "VK_KHR_portability_subset"};

bool read_bit(const VkBaseInStructure* from, std::size_t offset) {
  VkBool32 bit;
  std::memcpy(&bit, reinterpret_cast<const std::byte*>(from) + offset, sizeof(bit));
  return bit == VK_TRUE;
}

void raise_bit(VkBaseOutStructure* to, std::size_t offset) {
  const VkBool32 bit = VK_TRUE;
  std::memcpy(reinterpret_cast<std::byte*>(to) + offset, &bit, sizeof(bit));
}

// Sets what `features` has among the members of this one struct; those are then cleared in `left`.
void raise_bits(VkBaseOutStructure* to, const Features& features, Features& left) {
  for (const Row& row : rows) {
    if (row.type != to->sType || !(features.*row.feature)) continue;
    raise_bit(to, row.offset);
    left.*row.feature = false;
  }
}

bool holds_any(VkStructureType type, const Features& features) {
  return std::any_of(std::begin(rows), std::end(rows),
                     [&](const Row& row) { return row.type == type && features.*row.feature; });
}

}  // namespace

Extensions::Extensions(std::span<const VkExtensionProperties> properties) {
  for (const VkExtensionProperties& property : properties) names_.emplace_back(property.extensionName);
}

bool Extensions::has(std::string_view name) const {
  return std::find(names_.begin(), names_.end(), name) != names_.end();
}

FeatureStructs::FeatureStructs(std::uint32_t api_version, const Extensions& available) {
  const auto accept = [&](auto& member, VkStructureType type) {
    member.sType = type;
    for (const Origin& origin : origins)
      if (origin.type == type && is_accepted(origin, api_version, available))
        own_.push_back(reinterpret_cast<VkBaseOutStructure*>(&member));
  };
  accept(core_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2);
  accept(storage16_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES);
  accept(storage8_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_8BIT_STORAGE_FEATURES);
  accept(float16_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SHADER_FLOAT16_INT8_FEATURES);
  accept(buffer_address_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_BUFFER_DEVICE_ADDRESS_FEATURES);
  accept(timeline_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES);
  accept(memory_model_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES);
  accept(subgroup_size_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES);
  accept(host_query_reset_, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_QUERY_RESET_FEATURES);
  accept(cooperative_matrix_, cooperative_matrix_features_type);
  accept(cooperative_matrix2_, cooperative_matrix2_features_type);
  for (std::size_t i = 1; i < own_.size(); ++i) own_[i - 1]->pNext = own_[i];
}

void FeatureStructs::set(const Features& features) {
  Features left;
  for (VkBaseOutStructure* own : own_) raise_bits(own, features, left);
}

void FeatureStructs::merge_into(void* chain, const Features& features) {
  Features left = features;
  VkBaseOutStructure* last = nullptr;
  for (auto* at = static_cast<VkBaseOutStructure*>(chain); at; at = at->pNext) {
    raise_bits(at, features, left);
    last = at;
  }
  left.int64 = false;
  for (VkBaseOutStructure* own : own_) {
    own->pNext = nullptr;
    if (!last || !holds_any(own->sType, left)) continue;
    raise_bits(own, left, left);
    last->pNext = own;
    last = own;
  }
}

Features read_features(const void* chain) {
  Features features;
  for (auto* at = static_cast<const VkBaseInStructure*>(chain); at; at = at->pNext)
    for (const Row& row : rows)
      if (row.type == at->sType && read_bit(at, row.offset)) features.*row.feature = true;
  keep_usable_matrices(features);
  return features;
}

Features keep_enabled(Features features, std::uint32_t api_version, const Extensions& enabled) {
  for (const Origin& origin : origins)
    for (const Row& row : rows)
      if (row.type == origin.type && !is_accepted(origin, api_version, enabled)) features.*row.feature = false;
  keep_usable_matrices(features);
  return features;
}

std::vector<const char*> wanted_extensions(std::uint32_t api_version, const Extensions& available) {
  std::vector<const char*> wanted;
  for (const Origin& origin : origins)
    if (api_version < origin.core_version && origin.extension && available.has(origin.extension))
      wanted.push_back(origin.extension);
  for (const char* name : plain_extensions)
    if (available.has(name)) wanted.push_back(name);
  return wanted;
}

}  // namespace fovea::vk
