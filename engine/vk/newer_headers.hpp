#pragma once
// Structs that vulkan_core.h 1.3.239 (Debian 12) does not have yet, as the Vulkan registry gives them.

#include <vulkan/vulkan_core.h>

#include <cstdint>

namespace fovea::vk {

// VK_KHR_cooperative_matrix, since 1.3.255
inline constexpr const char* cooperative_matrix_extension = "VK_KHR_cooperative_matrix";
inline constexpr auto cooperative_matrix_features_type = static_cast<VkStructureType>(1000506000);
struct CooperativeMatrixFeatures {
  VkStructureType sType;
  void* pNext;
  VkBool32 cooperativeMatrix;
  VkBool32 cooperativeMatrixRobustBufferAccess;
};

struct CooperativeMatrixProperties {
  VkStructureType sType;
  void* pNext;
  std::uint32_t MSize, NSize, KSize;
  std::int32_t AType, BType, CType, ResultType;
  VkBool32 saturatingAccumulation;
  std::int32_t scope;
};
inline constexpr auto cooperative_matrix_properties_type = static_cast<VkStructureType>(1000506001);
inline constexpr std::int32_t component_float16 = 0, component_float32 = 1, scope_subgroup = 3;
using PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR = VkResult(VKAPI_PTR*)(VkPhysicalDevice physical_device,
                                                                                   std::uint32_t* count,
                                                                                   CooperativeMatrixProperties* properties);

// VK_NV_cooperative_matrix2, since 1.3.300
inline constexpr const char* cooperative_matrix2_extension = "VK_NV_cooperative_matrix2";
inline constexpr auto cooperative_matrix2_features_type = static_cast<VkStructureType>(1000593000);
struct CooperativeMatrix2Features {
  VkStructureType sType;
  void* pNext;
  VkBool32 cooperativeMatrixWorkgroupScope;
  VkBool32 cooperativeMatrixFlexibleDimensions;
  VkBool32 cooperativeMatrixReductions;
  VkBool32 cooperativeMatrixConversions;
  VkBool32 cooperativeMatrixPerElementOperations;
  VkBool32 cooperativeMatrixTensorAddressing;
  VkBool32 cooperativeMatrixBlockLoads;
};

// VK_EXT_layer_settings, since 1.3.272
inline constexpr const char* layer_settings_extension = "VK_EXT_layer_settings";
inline constexpr std::uint32_t layer_settings_version = VK_MAKE_API_VERSION(0, 1, 3, 272);
inline constexpr auto layer_settings_type = static_cast<VkStructureType>(1000496000);
struct LayerSetting {
  const char* pLayerName;
  const char* pSettingName;
  int type;  // 0: VkBool32
  std::uint32_t valueCount;
  const void* pValues;
};
struct LayerSettingsCreateInfo {
  VkStructureType sType;
  const void* pNext;
  std::uint32_t settingCount;
  const LayerSetting* pSettings;
};

}  // namespace fovea::vk
