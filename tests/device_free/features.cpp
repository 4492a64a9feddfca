#include "vk/features.hpp"

#include <doctest/doctest.h>

using namespace fovea::vk;

namespace {

Features everything() {
  Features all;
  all.storage16 = all.storage8 = all.float16 = all.int64 = all.buffer_address = all.timeline_semaphore = true;
  all.memory_model = all.subgroup_size_control = all.full_subgroups = all.cooperative_matrix = true;
  all.matrix_reductions = all.matrix_conversions = all.matrix_functions = all.host_query_reset = true;
  return all;
}

int length(const void* chain) {
  int count = 0;
  for (auto* at = static_cast<const VkBaseInStructure*>(chain); at; at = at->pNext) ++count;
  return count;
}

}  // namespace

TEST_CASE("nothing is enabled that the host's chain does not say") {
  const Features none = read_features(nullptr);
  CHECK_FALSE(none.storage16);
  CHECK_FALSE(none.timeline_semaphore);
  CHECK_FALSE(none.int64);
}

TEST_CASE("features are read from the structs of Vulkan 1.1 to 1.3 and from the individual ones alike") {
  VkPhysicalDeviceVulkan13Features v13{};
  v13.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_3_FEATURES;
  v13.subgroupSizeControl = VK_TRUE;
  VkPhysicalDeviceVulkan12Features v12{};
  v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  v12.pNext = &v13;
  v12.timelineSemaphore = VK_TRUE;
  v12.shaderFloat16 = VK_TRUE;
  VkPhysicalDevice16BitStorageFeatures storage{};
  storage.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_16BIT_STORAGE_FEATURES;
  storage.pNext = &v12;
  storage.storageBuffer16BitAccess = VK_TRUE;
  VkPhysicalDeviceFeatures2 core{};
  core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  core.pNext = &storage;
  core.features.shaderInt64 = VK_TRUE;
  const Features features = read_features(&core);
  CHECK(features.subgroup_size_control);
  CHECK_FALSE(features.full_subgroups);
  CHECK(features.timeline_semaphore);
  CHECK(features.float16);
  CHECK_FALSE(features.storage8);
  CHECK(features.storage16);
  CHECK(features.int64);
}

TEST_CASE("a feature of an extension counts only where the extension is enabled, or the version has it") {
  const auto kept = [](std::uint32_t version, std::vector<const char*> names) {
    return keep_enabled(everything(), version, Extensions(names));
  };
  const Features plain = kept(VK_API_VERSION_1_1, {});
  CHECK(plain.storage16);  // of Vulkan 1.1 itself
  CHECK(plain.int64);
  CHECK_FALSE(plain.timeline_semaphore);
  CHECK_FALSE(plain.float16);
  CHECK_FALSE(plain.cooperative_matrix);
  CHECK(kept(VK_API_VERSION_1_1, {"VK_KHR_timeline_semaphore"}).timeline_semaphore);
  const Features newer = kept(VK_API_VERSION_1_3, {});
  CHECK(newer.timeline_semaphore);
  CHECK(newer.subgroup_size_control);
  CHECK_FALSE(newer.cooperative_matrix);
  CHECK(kept(VK_API_VERSION_1_3, {cooperative_matrix_extension}).cooperative_matrix);
  CHECK_FALSE(kept(VK_API_VERSION_1_1, {cooperative_matrix_extension}).cooperative_matrix);  // no memory model
  CHECK_FALSE(kept(VK_API_VERSION_1_3, {cooperative_matrix_extension}).matrix_reductions);
  CHECK_FALSE(kept(VK_API_VERSION_1_3, {cooperative_matrix2_extension}).matrix_functions);  // without matrices
  CHECK(kept(VK_API_VERSION_1_3, {cooperative_matrix_extension, cooperative_matrix2_extension}).matrix_conversions);
}

TEST_CASE("cooperative matrices count only together with the memory model") {
  CooperativeMatrixFeatures matrix{cooperative_matrix_features_type, nullptr, VK_TRUE, VK_FALSE};
  CHECK_FALSE(read_features(&matrix).cooperative_matrix);
  VkPhysicalDeviceVulkanMemoryModelFeatures model{};
  model.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_MEMORY_MODEL_FEATURES;
  model.vulkanMemoryModel = VK_TRUE;
  matrix.pNext = &model;
  CHECK(read_features(&matrix).cooperative_matrix);
}

TEST_CASE("a Vulkan 1.1 device without extensions gets the structs of 1.1 alone") {
  FeatureStructs plain(VK_API_VERSION_1_1, {});
  CHECK(length(plain.head()) == 2);  // core, 16-bit storage
  plain.set(everything());
  const Features set = read_features(plain.head());
  CHECK(set.int64);
  CHECK(set.storage16);
  CHECK_FALSE(set.timeline_semaphore);
  const char* const names[] = {"VK_KHR_timeline_semaphore"};
  FeatureStructs extended(VK_API_VERSION_1_1, Extensions(names));
  extended.set(everything());
  CHECK(length(extended.head()) == 3);
  CHECK(read_features(extended.head()).timeline_semaphore);
}

TEST_CASE("merging sets bits in the host's structs and links only the structs it lacks") {
  VkPhysicalDeviceVulkan12Features v12{};
  v12.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
  v12.samplerFilterMinmax = VK_TRUE;  // the host's own wish stays
  VkPhysicalDeviceFeatures2 core{};
  core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
  core.pNext = &v12;
  FeatureStructs structs(VK_API_VERSION_1_3, {});
  structs.merge_into(&core, everything());
  CHECK(v12.timelineSemaphore == VK_TRUE);
  CHECK(v12.samplerFilterMinmax == VK_TRUE);
  CHECK(core.features.shaderInt64 == VK_TRUE);
  CHECK(length(&core) == 4);  // + 16-bit storage and subgroup size, which 1.2's struct does not hold
  const Features merged = read_features(&core);
  CHECK(merged.storage16);
  CHECK(merged.storage8);
  CHECK(merged.subgroup_size_control);
  CHECK_FALSE(merged.cooperative_matrix);  // that struct needs its extension
}

TEST_CASE("without a VkPhysicalDeviceFeatures2 the core features stay the host's") {
  VkPhysicalDeviceVulkan11Features v11{};
  v11.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
  FeatureStructs structs(VK_API_VERSION_1_1, {});
  structs.merge_into(&v11, everything());
  CHECK(length(&v11) == 1);
  CHECK(v11.storageBuffer16BitAccess == VK_TRUE);
}

TEST_CASE("extensions are wanted only where the version has not taken them in") {
  const char* const names[] = {"VK_KHR_timeline_semaphore", "VK_EXT_memory_budget", "VK_KHR_swapchain",
                               "VK_EXT_subgroup_size_control"};
  CHECK(wanted_extensions(VK_API_VERSION_1_1, Extensions(names)).size() == 3);
  CHECK(wanted_extensions(VK_API_VERSION_1_2, Extensions(names)).size() == 2);
  CHECK(wanted_extensions(VK_API_VERSION_1_3, Extensions(names)).size() == 1);
}
