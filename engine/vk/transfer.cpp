#include "vk/transfer.hpp"

#include <algorithm>
#include <cstring>

namespace fovea::vk {
namespace {

constexpr std::uint64_t staging_limit = 32ull << 20;  // larger copies go through staging piece by piece

constexpr BarrierSide everything{VK_PIPELINE_STAGE_ALL_COMMANDS_BIT,
                                 VK_ACCESS_MEMORY_READ_BIT | VK_ACCESS_MEMORY_WRITE_BIT};
constexpr BarrierSide copy{VK_PIPELINE_STAGE_TRANSFER_BIT, VK_ACCESS_TRANSFER_READ_BIT | VK_ACCESS_TRANSFER_WRITE_BIT};
constexpr BarrierSide host_read{VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT};

// Calls piece(position, size) for the pieces of `total` that fit the staging buffer.
template <class Piece>
Result<void> in_pieces(std::uint64_t total, Piece piece) {
  for (std::uint64_t position = 0; position < total; position += staging_limit)
    if (Result<void> done = piece(position, std::min(staging_limit, total - position)); !done) return done;
  return {};
}

}  // namespace

void barrier(const Device& device, VkCommandBuffer commands, BarrierSide before, BarrierSide after) {
  VkMemoryBarrier info{};
  info.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
  info.srcAccessMask = before.access;
  info.dstAccessMask = after.access;
  device.fn.CmdPipelineBarrier(commands, before.stages, after.stages, 0, 1, &info, 0, nullptr, 0, nullptr);
}

Result<CommandPair> make_commands(const Device& device, std::string_view name) {
  VkCommandPoolCreateInfo pool_info{};
  pool_info.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool_info.queueFamilyIndex = device.queue_family;
  Result<CommandPool> pool = make<CommandPool>(device, &DeviceTable::CreateCommandPool, pool_info, name);
  if (!pool) return pool.error();
  VkCommandBufferAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = pool->get();
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  if (VkResult result = device.fn.AllocateCommandBuffers(device.handle, &info, &commands); result != VK_SUCCESS)
    return device.error(result, "vkAllocateCommandBuffers ", name);
  device.name(VK_OBJECT_TYPE_COMMAND_BUFFER, commands, name);
  return CommandPair{std::move(*pool), commands};
}

namespace {

Result<void> submit_and_wait(const Device& device, VkCommandBuffer commands) {
  VkFenceCreateInfo fence_info{};
  fence_info.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO;
  Result<Fence> fence = make<Fence>(device, &DeviceTable::CreateFence, fence_info, "fovea copy");
  if (!fence) return fence.error();
  VkSubmitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = 1;
  info.pCommandBuffers = &commands;
  if (Result<void> submitted = device.submit(info, fence->get()); !submitted) return submitted;
  const VkResult result = device.fn.WaitForFences(device.handle, 1, fence->address(), VK_TRUE, UINT64_MAX);
  if (result == VK_SUCCESS) return {};
  // Fence, commands and staging go with this call: they must not be in use, and on a lost device they are not.
  Error failed = device.error(result, "vkWaitForFences fovea copy");
  if (!device.lost()) (void)device.wait_idle();
  return failed;
}

Result<void> copy_now(const Device& device, VkBuffer from, VkBuffer to, const VkBufferCopy& region) {
  const Result<CommandPair> pair = make_commands(device, "fovea copy");
  if (!pair) return pair.error();
  VkCommandBufferBeginInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  info.flags = VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT;
  if (VkResult result = device.fn.BeginCommandBuffer(pair->commands, &info); result != VK_SUCCESS)
    return device.error(result, "vkBeginCommandBuffer fovea copy");
  barrier(device, pair->commands, everything, copy);
  device.fn.CmdCopyBuffer(pair->commands, from, to, 1, &region);
  barrier(device, pair->commands, copy, everything);
  barrier(device, pair->commands, copy, host_read);
  if (VkResult result = device.fn.EndCommandBuffer(pair->commands); result != VK_SUCCESS)
    return device.error(result, "vkEndCommandBuffer fovea copy");
  return submit_and_wait(device, pair->commands);
}

}  // namespace

Result<void> upload(const Device& device, const Buffer& buffer, std::uint64_t offset,
                    std::span<const std::byte> bytes) {
  if (bytes.empty()) return {};
  if (Result<void> checked = device.check_queue("upload"); !checked) return checked;
  if (buffer.data()) {
    if (Result<void> idle = device.wait_idle(); !idle) return idle;
    std::memcpy(buffer.data() + offset, bytes.data(), bytes.size());
    return {};
  }
  Result<Buffer> staging =
      Buffer::create(device, std::min<std::uint64_t>(bytes.size(), staging_limit), MemoryKind::host, "fovea upload");
  if (!staging) return staging.error();
  return in_pieces(bytes.size(), [&](std::uint64_t position, std::uint64_t size) {
    std::memcpy(staging->data(), bytes.data() + position, static_cast<std::size_t>(size));
    return copy_now(device, staging->get(), buffer.get(), {0, offset + position, size});
  });
}

Result<void> upload_first(const Device& device, const Buffer& buffer, std::span<const std::byte> bytes) {
  if (!buffer.data()) return upload(device, buffer, 0, bytes);
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return {};
}

Result<void> download(const Device& device, const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes) {
  if (bytes.empty()) return {};
  if (Result<void> checked = device.check_queue("download"); !checked) return checked;
  if (buffer.data()) {
    if (Result<void> idle = device.wait_idle(); !idle) return idle;
    std::memcpy(bytes.data(), buffer.data() + offset, bytes.size());
    return {};
  }
  Result<Buffer> staging =
      Buffer::create(device, std::min<std::uint64_t>(bytes.size(), staging_limit), MemoryKind::host, "fovea download");
  if (!staging) return staging.error();
  return in_pieces(bytes.size(), [&](std::uint64_t position, std::uint64_t size) -> Result<void> {
    if (Result<void> copied = copy_now(device, buffer.get(), staging->get(), {offset + position, 0, size}); !copied)
      return copied;
    std::memcpy(bytes.data() + position, staging->data(), static_cast<std::size_t>(size));
    return {};
  });
}

}  // namespace fovea::vk
