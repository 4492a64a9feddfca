#pragma once
// A vkGetInstanceProcAddr between Fovea and Vulkan: it notes every function that Fovea calls, makes the one that a test
// points at fail, and counts what was made and not destroyed. One trap at a time; the calls of one thread.

#include <fovea/vulkan.hpp>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::test {

struct Trap {
  static constexpr std::size_t never = SIZE_MAX;
  std::vector<std::string_view> calls;     // in order: "vkCmdDispatch"
  std::vector<std::string_view> failable;  // those that return a VkResult, debug names apart
  bool (*may_fail)(std::string_view name) = nullptr;  // which of them count; null: all
  // The number of the failable call to fail. What it should have given back is rubbish then, as Vulkan allows. A wait has
  // not waited. VK_ERROR_DEVICE_LOST stays: all that was submitted ends, and every later submission, wait and query fails.
  std::size_t fail_at = never;
  VkResult error = VK_ERROR_OUT_OF_DEVICE_MEMORY;
  std::size_t lookups = 0;         // functions asked for so far
  std::size_t missing_at = never;  // the number of the one that is not there
  std::string failed;              // the function that was made to fail or was missing
  bool lost = false;

  std::map<std::string_view, std::set<std::uint64_t>> live{};  // handles by kind: "Buffer", "Memory"
  std::vector<std::string> misuse{};                           // "vkDestroyBuffer of what is none"
  std::string leaks() const;                                   // "2 Buffer, 1 Memory"; empty: none
};

// Starts afresh, and returns the function to give to Fovea. `real` is the driver's own.
PFN_vkGetInstanceProcAddr set_trap(PFN_vkGetInstanceProcAddr real);
Trap& trap();

}  // namespace fovea::test
