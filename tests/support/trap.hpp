#pragma once
// A vkGetInstanceProcAddr between Fovea and the host's Vulkan: it notes every device function that Fovea calls, and
// makes the one that a test points at fail. One trap at a time; the calls of one thread.

#include <fovea/vulkan.hpp>

#include <string_view>
#include <vector>

namespace fovea::test {

struct Trap {
  std::vector<std::string_view> calls;  // device functions, in order: "vkCmdDispatch"
  int failable = 0;                     // calls so far that return a VkResult, debug names apart
  int fail_at = -1;                     // the number of the one to fail; -1: none
  VkResult error = VK_ERROR_OUT_OF_DEVICE_MEMORY;
  std::string_view failed;  // the function that was made to fail
};

// Starts afresh, and returns the function to adopt with. `real` is the host's own.
PFN_vkGetInstanceProcAddr set_trap(PFN_vkGetInstanceProcAddr real);
Trap& trap();

}  // namespace fovea::test
