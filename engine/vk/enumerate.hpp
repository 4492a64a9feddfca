#pragma once
// Vulkan's functions that are called twice: for how much there is, and for what.

#include "vk/dispatch.hpp"

#include <cstdint>
#include <vector>

namespace fovea::vk {

// Fills `list` by call(&count, nullptr) and call(&count, data), again where it grew between the two. Empty after a failure,
// which is returned.
template <class Count = std::uint32_t, class T, class Call>
VkResult enumerate(std::vector<T>& list, const Call& call) {
  Count count = 0;
  VkResult result = VK_INCOMPLETE;
  while (result == VK_INCOMPLETE) {
    result = call(&count, static_cast<T*>(nullptr));
    if (result != VK_SUCCESS) break;
    list.resize(count);
    result = call(&count, list.data());
  }
  list.resize(result == VK_SUCCESS ? count : 0);
  return result;
}

}  // namespace fovea::vk
