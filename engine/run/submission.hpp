#pragma once
// Running recorded commands on the device's own queue, and waiting for them.

#include "vk/transfer.hpp"
#include <fovea/vulkan.hpp>  // TimelinePoint

#include <cstdint>
#include <span>
#include <vector>

namespace fovea::run {

class Executor;
struct BoundSets;

// A command buffer that holds one whole run, to be submitted any number of times, also while it is pending.
// What it writes is visible to the host once it has been waited for.
Result<vk::CommandPair> record_for_replay(const Executor& executor, const BoundSets& sets);
// The same in as many command buffers as there are dispatches.
Result<std::vector<vk::CommandPair>> record_steps(const Executor& executor, const BoundSets& sets);

// The submissions of one plan, in order. One thread at a time.
class Submissions {
 public:
  static Result<Submissions> create(const vk::Device& device);

  // Errors: a null semaphore; timeline points on a device without timelineSemaphore; device_lost.
  Result<void> submit(VkCommandBuffer commands, std::span<const TimelinePoint> wait,
                      std::span<const TimelinePoint> signal);
  // Waits for everything submitted. Errors: device_lost; timeout when the time has passed.
  Result<void> wait(std::uint64_t timeout_ns);
  // Before what was submitted is freed: it has ended, or the device is lost.
  void finish();
  // Whether a submission has finished, as far as can be told without waiting.
  bool any_finished();

 private:
  Result<vk::Fence> take_fence();
  VkResult wait_for_value(std::uint64_t value, std::uint64_t timeout_ns) const;

  const vk::Device* device_ = nullptr;
  vk::Semaphore timeline_;  // where the device has them; counts submissions
  std::uint64_t submitted_ = 0;
  bool any_finished_ = false;
  std::vector<vk::Fence> pending_, free_;  // where it has not
};

}  // namespace fovea::run
