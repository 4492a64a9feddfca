#pragma once
// Which physical device a Context of Fovea's own takes.

#include "vk/caps.hpp"
#include <fovea/context.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::vk {

struct Candidate {
  VkPhysicalDevice handle = VK_NULL_HANDLE;
  std::uint32_t queue_family = 0;
  DeviceCaps caps;  // with everything available enabled
};

struct Candidates {
  std::vector<Candidate> usable;     // best first; the same device and driver once
  std::vector<std::string> refused;  // "name: why"
};
Result<Candidates> find_candidates(const Instance& instance);

DeviceInfo device_info(const DeviceCaps& caps);

// discrete, integrated, virtual, other, CPU; among those of a kind the one with more of the optional features first;
// equals keep their order.
void rank(std::vector<Candidate>& candidates);

// Index of the device that `wanted` means: an index (one or two digits), or part of the device's or driver's name in
// any case; empty: 0. Error: none such (the message lists those found), or an empty list.
Result<std::size_t> choose(std::span<const DeviceInfo> devices, std::string_view wanted);

}  // namespace fovea::vk
