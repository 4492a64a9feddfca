#include "run/submission.hpp"

#include "run/executor.hpp"

namespace fovea::run {
namespace {

template <class Record>
Result<vk::CommandPair> record_pair(const vk::Device& device, const Record& record) {
  Result<vk::CommandPair> pair = vk::make_commands(device, "fovea plan");
  if (!pair) return pair;
  VkCommandBufferBeginInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  info.flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT;
  if (VkResult result = device.fn.BeginCommandBuffer(pair->commands, &info); result != VK_SUCCESS)
    return device.error(result, "vkBeginCommandBuffer");
  record(pair->commands);
  vk::barrier(device, pair->commands, {VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_ACCESS_SHADER_WRITE_BIT},
              {VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT});
  if (VkResult result = device.fn.EndCommandBuffer(pair->commands); result != VK_SUCCESS)
    return device.error(result, "vkEndCommandBuffer");
  return pair;
}

}  // namespace

Result<vk::CommandPair> record_for_replay(const Executor& executor, const BoundSets& sets) {
  return record_pair(executor.device(), [&](VkCommandBuffer commands) { executor.record(commands, sets); });
}

Result<std::vector<vk::CommandPair>> record_steps(const Executor& executor, const BoundSets& sets) {
  std::vector<vk::CommandPair> steps;
  for (std::size_t i = 0; i < executor.program().dispatches.size(); ++i) {
    Result<vk::CommandPair> pair =
        record_pair(executor.device(), [&](VkCommandBuffer commands) { executor.record_step(commands, sets, i); });
    if (!pair) return pair.error();
    steps.push_back(std::move(*pair));
  }
  return steps;
}

Result<Submissions> Submissions::create(const vk::Device& device) {
  Submissions submissions;
  submissions.device_ = &device;
  if (!device.caps.timeline_semaphore) return submissions;
  VkSemaphoreTypeCreateInfo type{};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  info.pNext = &type;
  Result<vk::Semaphore> timeline =
      vk::make<vk::Semaphore>(device, &vk::DeviceTable::CreateSemaphore, info, "fovea submissions");
  if (!timeline) return timeline.error();
  submissions.timeline_ = std::move(*timeline);
  return submissions;
}

Result<vk::Fence> Submissions::take_fence() {
  // What has finished meanwhile is used again.
  while (!pending_.empty()) {
    const VkResult result = device_->fn.WaitForFences(device_->handle, 1, pending_.front().address(), VK_TRUE, 0);
    if (result == VK_TIMEOUT) break;
    if (result != VK_SUCCESS) return device_->error(result, "vkWaitForFences");
    any_finished_ = true;
    free_.push_back(std::move(pending_.front()));
    pending_.erase(pending_.begin());
  }
  if (free_.empty()) {
    VkFenceCreateInfo info{};
    info.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
    return vk::make<vk::Fence>(*device_, &vk::DeviceTable::CreateFence, info, "fovea submission");
  }
  vk::Fence fence = std::move(free_.back());
  free_.pop_back();
  if (VkResult result = device_->fn.ResetFences(device_->handle, 1, fence.address()); result != VK_SUCCESS)
    return device_->error(result, "vkResetFences");
  return fence;
}

namespace {

Result<void> check_points(const char* which, std::span<const TimelinePoint> points) {
  for (std::size_t i = 0; i < points.size(); ++i)
    if (!points[i].semaphore)
      return Error{ErrorCode::invalid_argument, cat("submit: ", which, '[', i, "] has a null semaphore")};
  return {};
}

}  // namespace

Result<void> Submissions::submit(VkCommandBuffer commands, std::span<const TimelinePoint> wait,
                                 std::span<const TimelinePoint> signal) {
  if (!timeline_ && !(wait.empty() && signal.empty()))
    return Error{ErrorCode::unsupported,
                 "submit: timeline points need the timelineSemaphore feature, which is not enabled"};
  if (Result<void> checked = check_points("wait", wait); !checked) return checked;
  if (Result<void> checked = check_points("signal", signal); !checked) return checked;
  std::vector<VkSemaphore> wait_semaphores, signal_semaphores;
  std::vector<std::uint64_t> wait_values, signal_values;
  for (const TimelinePoint& point : wait)
    wait_semaphores.push_back(point.semaphore), wait_values.push_back(point.value);
  for (const TimelinePoint& point : signal)
    signal_semaphores.push_back(point.semaphore), signal_values.push_back(point.value);
  if (timeline_) signal_semaphores.push_back(timeline_.get()), signal_values.push_back(submitted_ + 1);
  const std::vector<VkPipelineStageFlags> stages(wait.size(), VK_PIPELINE_STAGE_ALL_COMMANDS_BIT);

  VkTimelineSemaphoreSubmitInfo values{};
  values.sType = VK_STRUCTURE_TYPE_TIMELINE_SEMAPHORE_SUBMIT_INFO;
  values.waitSemaphoreValueCount = static_cast<std::uint32_t>(wait_values.size());
  values.pWaitSemaphoreValues = wait_values.data();
  values.signalSemaphoreValueCount = static_cast<std::uint32_t>(signal_values.size());
  values.pSignalSemaphoreValues = signal_values.data();
  VkSubmitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.pNext = timeline_ ? &values : nullptr;
  info.waitSemaphoreCount = static_cast<std::uint32_t>(wait_semaphores.size());
  info.pWaitSemaphores = wait_semaphores.data();
  info.pWaitDstStageMask = stages.data();
  info.commandBufferCount = 1;
  info.pCommandBuffers = &commands;
  info.signalSemaphoreCount = static_cast<std::uint32_t>(signal_semaphores.size());
  info.pSignalSemaphores = signal_semaphores.data();
  if (timeline_) {
    if (Result<void> done = device_->submit(info, VK_NULL_HANDLE); !done) return done;
  } else {
    Result<vk::Fence> fence = take_fence();
    if (!fence) return fence.error();
    if (Result<void> done = device_->submit(info, fence->get()); !done) return done;
    pending_.push_back(std::move(*fence));
  }
  ++submitted_;
  return {};
}

VkResult Submissions::wait_for_value(std::uint64_t value, std::uint64_t timeout_ns) const {
  VkSemaphoreWaitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_WAIT_INFO;
  info.semaphoreCount = 1;
  info.pSemaphores = timeline_.address();
  info.pValues = &value;
  return device_->fn.WaitSemaphores(device_->handle, &info, timeout_ns);
}

Result<void> Submissions::wait(std::uint64_t timeout_ns) {
  if (submitted_ == 0) return {};
  VkResult result = VK_SUCCESS;
  if (timeline_) {
    result = wait_for_value(submitted_, timeout_ns);
  } else if (!pending_.empty()) {
    std::vector<VkFence> fences;
    for (const vk::Fence& fence : pending_) fences.push_back(fence.get());
    result = device_->fn.WaitForFences(device_->handle, static_cast<std::uint32_t>(fences.size()), fences.data(),
                                       VK_TRUE, timeout_ns);
  }
  if (result == VK_TIMEOUT) return Error{ErrorCode::timeout, cat("wait: not finished after ", timeout_ns, " ns")};
  if (result != VK_SUCCESS) return device_->error(result, timeline_ ? "vkWaitSemaphores" : "vkWaitForFences");
  any_finished_ = true;
  for (vk::Fence& fence : pending_) free_.push_back(std::move(fence));
  pending_.clear();
  return {};
}

void Submissions::finish() {
  // Memory that a wait lacks says nothing of the work: it is asked again.
  for (int tries = 0; tries < 3 && !device_->lost(); ++tries) {
    const Result<void> done = wait(UINT64_MAX);
    if (done) return;
    log_message(device_->log(), LogLevel::warning, "waiting before objects are destroyed: ", done.error().message);
  }
}

bool Submissions::any_finished() {
  if (any_finished_ || submitted_ == 0) return any_finished_;
  const VkResult result =
      timeline_ ? wait_for_value(1, 0)
                : device_->fn.WaitForFences(device_->handle, 1, pending_.front().address(), VK_TRUE, 0);
  return any_finished_ = result == VK_SUCCESS;
}

}  // namespace fovea::run
