#include "run/profile.hpp"

#include "vk/error.hpp"

namespace fovea::run {

Result<Profile> Profile::create(const vk::Device& device, std::size_t dispatches) {
  Profile profile;
  if (device.caps.timestamp_period_ns == 0) {
    log_message(device.log(), LogLevel::warning, "timestamps were asked for, but this queue has none");
    return profile;
  }
  profile.device_ = &device;
  profile.count_ = static_cast<std::uint32_t>(dispatches + 1);
  VkQueryPoolCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO;
  info.queryType = VK_QUERY_TYPE_TIMESTAMP;
  info.queryCount = profile.count_;
  Result<vk::QueryPool> pool =
      vk::make<vk::QueryPool>(device, &vk::DeviceTable::CreateQueryPool, info, "fovea timestamps");
  if (!pool) return pool.error();
  profile.pool_ = std::move(*pool);
  profile.last_ = std::make_unique<Last>();
  if (device.host_query_reset) device.fn.ResetQueryPool(device.handle, profile.pool_.get(), 0, profile.count_);
  return profile;
}

void Profile::begin(VkCommandBuffer commands) const {
  if (!pool_) return;
  device_->fn.CmdResetQueryPool(commands, pool_.get(), 0, count_);
  device_->fn.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool_.get(), 0);
}

void Profile::end(VkCommandBuffer commands, std::size_t dispatch) const {
  if (!pool_) return;
  device_->fn.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool_.get(),
                                static_cast<std::uint32_t>(dispatch + 1));
}

Result<void> Profile::update() const {
  if (!pool_) return {};
  std::vector<std::uint64_t> stamps(count_);
  const VkResult result =
      device_->fn.GetQueryPoolResults(device_->handle, pool_.get(), 0, count_, count_ * sizeof(std::uint64_t),
                                      stamps.data(), sizeof(std::uint64_t), VK_QUERY_RESULT_64_BIT);
  if (result == VK_NOT_READY) return {};  // the next run has begun
  if (result != VK_SUCCESS) return device_->error(result, "vkGetQueryPoolResults");
  const auto since_first = [&](std::uint64_t stamp) {
    const std::uint64_t ticks = (stamp - stamps[0]) & device_->timestamp_mask;  // right across a wrap
    return static_cast<double>(ticks) * device_->caps.timestamp_period_ns * 1e-6;
  };
  const std::lock_guard lock(last_->mutex);
  last_->intervals.clear();
  for (std::size_t i = 1; i < stamps.size(); ++i)
    last_->intervals.push_back({since_first(stamps[i - 1]), since_first(stamps[i])});
  return {};
}

std::vector<Interval> Profile::intervals() const {
  if (!pool_) return {};
  const std::lock_guard lock(last_->mutex);
  return last_->intervals;
}

}  // namespace fovea::run
