#pragma once
// Copies between host memory and buffers, waited for. Ordered after everything submitted to the device's queue so far.

#include "vk/buffer.hpp"

#include <span>

namespace fovea::vk {

// Precondition: offset + bytes.size() <= buffer.size(). Any thread. Error: the host that was adopted gave no queue.
Result<void> upload(const Device& device, const Buffer& buffer, std::uint64_t offset, std::span<const std::byte> bytes);
Result<void> download(const Device& device, const Buffer& buffer, std::uint64_t offset, std::span<std::byte> bytes);
// The first bytes of a buffer that nothing has used yet: where it is mapped, the queue is left alone.
Result<void> upload_first(const Device& device, const Buffer& buffer, std::span<const std::byte> bytes);

// A pool with one primary command buffer.
struct CommandPair {
  CommandPool pool;
  VkCommandBuffer commands = VK_NULL_HANDLE;
};
Result<CommandPair> make_commands(const Device& device, std::string_view name);

// One memory barrier between everything before and after it, of these stages and accesses.
struct BarrierSide {
  VkPipelineStageFlags stages;
  VkAccessFlags access;
};
void barrier(const Device& device, VkCommandBuffer commands, BarrierSide before, BarrierSide after);

}  // namespace fovea::vk
