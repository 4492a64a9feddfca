#include "vk/error.hpp"

namespace fovea::vk {

std::string to_string(VkResult result) {
#define FOVEA_VK_RESULT(name) \
  case name:                  \
    return #name;
  switch (result) {
    FOVEA_VK_RESULT(VK_SUCCESS)
    FOVEA_VK_RESULT(VK_NOT_READY)
    FOVEA_VK_RESULT(VK_TIMEOUT)
    FOVEA_VK_RESULT(VK_INCOMPLETE)
    FOVEA_VK_RESULT(VK_ERROR_OUT_OF_HOST_MEMORY)
    FOVEA_VK_RESULT(VK_ERROR_OUT_OF_DEVICE_MEMORY)
    FOVEA_VK_RESULT(VK_ERROR_INITIALIZATION_FAILED)
    FOVEA_VK_RESULT(VK_ERROR_DEVICE_LOST)
    FOVEA_VK_RESULT(VK_ERROR_MEMORY_MAP_FAILED)
    FOVEA_VK_RESULT(VK_ERROR_LAYER_NOT_PRESENT)
    FOVEA_VK_RESULT(VK_ERROR_EXTENSION_NOT_PRESENT)
    FOVEA_VK_RESULT(VK_ERROR_FEATURE_NOT_PRESENT)
    FOVEA_VK_RESULT(VK_ERROR_INCOMPATIBLE_DRIVER)
    FOVEA_VK_RESULT(VK_ERROR_TOO_MANY_OBJECTS)
    FOVEA_VK_RESULT(VK_ERROR_FRAGMENTED_POOL)
    FOVEA_VK_RESULT(VK_ERROR_OUT_OF_POOL_MEMORY)
    FOVEA_VK_RESULT(VK_ERROR_FRAGMENTATION)
    FOVEA_VK_RESULT(VK_ERROR_INVALID_SHADER_NV)
    FOVEA_VK_RESULT(VK_ERROR_UNKNOWN)
    default:
      return cat("VkResult ", static_cast<int>(result));
  }
#undef FOVEA_VK_RESULT
}

const char* creator_of(VkObjectType type) {
  switch (type) {
    case VK_OBJECT_TYPE_FENCE: return "vkCreateFence";
    case VK_OBJECT_TYPE_SEMAPHORE: return "vkCreateSemaphore";
    case VK_OBJECT_TYPE_QUERY_POOL: return "vkCreateQueryPool";
    case VK_OBJECT_TYPE_SHADER_MODULE: return "vkCreateShaderModule";
    case VK_OBJECT_TYPE_PIPELINE_CACHE: return "vkCreatePipelineCache";
    case VK_OBJECT_TYPE_PIPELINE_LAYOUT: return "vkCreatePipelineLayout";
    case VK_OBJECT_TYPE_DESCRIPTOR_SET_LAYOUT: return "vkCreateDescriptorSetLayout";
    case VK_OBJECT_TYPE_DESCRIPTOR_POOL: return "vkCreateDescriptorPool";
    case VK_OBJECT_TYPE_COMMAND_POOL: return "vkCreateCommandPool";
    default: return "vkCreate";
  }
}

}  // namespace fovea::vk
