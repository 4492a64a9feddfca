#pragma once
// A Vulkan driver that computes nothing, for faults that no driver can be asked for: what it is, and how far its queue gets,
// a test says. Every submission that runs is done at once; a wait that would never end ends the program.

#include <fovea/vulkan.hpp>

#include <cstddef>
#include <cstdint>
#include <vector>

namespace fovea::test {

struct FakeVulkan {
  bool timeline = true;       // timeline semaphores and host query reset
  bool mapped = true;         // device memory is the host's, as on a CPU
  // Subgroups: the sizes it has, of which it reports 32, and whether a pipeline may ask for one. A shader's invocations may share.
  std::uint32_t min_subgroup = 0, max_subgroup = 0;
  bool subgroup_size_control = false;
  VkShaderStageFlags stages_that_ask = VK_SHADER_STAGE_COMPUTE_BIT;
  std::vector<std::uint32_t> subgroups_asked{};  // by each pipeline made, 0: any size
  bool full_subgroups = true;                    // whether all of those that asked for a size asked for full ones, too
  // Of all command buffers, in order: that one begins, its dispatches, and its barriers.
  enum class Command { begin, dispatch, barrier_for_compute, other_barrier };  // the first barrier: from compute's writes to its reads and writes
  std::vector<Command> commands{};
  std::size_t submitted = 0;  // submissions so far
  std::size_t runs = SIZE_MAX;  // of which so many ever finish; raise it with release()
};

// Starts afresh. One at a time; the calls of one thread.
PFN_vkGetInstanceProcAddr set_fake_vulkan(const FakeVulkan& what);
FakeVulkan& fake_vulkan();
// All that was submitted finishes, and all that will be.
void release();
// The instance and device of a host. `features` is filled, and outlives the description.
HostDevice fake_host(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkPhysicalDeviceTimelineSemaphoreFeatures& features);

}  // namespace fovea::test
