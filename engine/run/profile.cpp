#include "run/profile.hpp"

#include "vk/transfer.hpp"

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
  profile.readable_ = std::make_unique<std::atomic<bool>>(device.queue != VK_NULL_HANDLE);
  // A query may be read once it has been reset. Without a queue that is after the host has run what was recorded.
  if (!device.queue) return profile;
  Result<vk::OneTimeCommands> commands = vk::OneTimeCommands::begin(device, "fovea reset timestamps");
  if (!commands) return commands.error();
  device.fn.CmdResetQueryPool(commands->get(), profile.pool_.get(), 0, profile.count_);
  if (Result<void> done = commands->finish(); !done) return done.error();
  return profile;
}

void Profile::begin(VkCommandBuffer commands) const {
  if (!pool_) return;
  readable_->store(true);
  device_->fn.CmdResetQueryPool(commands, pool_.get(), 0, count_);
  device_->fn.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool_.get(), 0);
}

void Profile::end(VkCommandBuffer commands, std::size_t dispatch) const {
  if (!pool_) return;
  device_->fn.CmdWriteTimestamp(commands, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT, pool_.get(),
                                static_cast<std::uint32_t>(dispatch + 1));
}

std::vector<Interval> Profile::read() const {
  if (!pool_ || !readable_->load()) return {};
  std::vector<std::uint64_t> stamps(count_);
  const VkResult result =
      device_->fn.GetQueryPoolResults(device_->handle, pool_.get(), 0, count_, count_ * sizeof(std::uint64_t),
                                      stamps.data(), sizeof(std::uint64_t), VK_QUERY_RESULT_64_BIT);
  if (result != VK_SUCCESS) return {};
  const auto since_first = [&](std::uint64_t stamp) {
    const std::uint64_t ticks = (stamp - stamps[0]) & device_->timestamp_mask;  // right across a wrap
    return static_cast<double>(ticks) * device_->caps.timestamp_period_ns * 1e-6;
  };
  std::vector<Interval> intervals;
  for (std::size_t i = 1; i < stamps.size(); ++i)
    intervals.push_back({since_first(stamps[i - 1]), since_first(stamps[i])});
  return intervals;
}

}  // namespace fovea::run
