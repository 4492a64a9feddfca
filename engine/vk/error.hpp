#pragma once
// VkResult as fovea::Error.

#include "base/text.hpp"
#include <fovea/result.hpp>

#include <vulkan/vulkan_core.h>

#include <string>

namespace fovea::vk {

// "VK_ERROR_DEVICE_LOST"; "VkResult -42" for one this build does not know.
std::string to_string(VkResult result);

// The function that makes objects of this type: "vkCreateFence".
const char* creator_of(VkObjectType type);

// "vkCreateBuffer arena: VK_ERROR_OUT_OF_DEVICE_MEMORY", with the ErrorCode that fits. Precondition: not VK_SUCCESS.
template <class... Values>
Error error(VkResult result, const Values&... what) {
  const ErrorCode code = result == VK_ERROR_DEVICE_LOST ? ErrorCode::device_lost
                         : result == VK_ERROR_OUT_OF_DEVICE_MEMORY || result == VK_ERROR_OUT_OF_HOST_MEMORY ||
                                 result == VK_ERROR_OUT_OF_POOL_MEMORY || result == VK_ERROR_TOO_MANY_OBJECTS
                             ? ErrorCode::out_of_memory
                             : ErrorCode::device;
  return {code, cat(what..., ": ", to_string(result))};
}

}  // namespace fovea::vk
