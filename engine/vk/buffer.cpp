#include "vk/buffer.hpp"

#include <array>
#include <bit>
#include <limits>
#include <optional>

namespace fovea::vk {
namespace {

constexpr VkMemoryPropertyFlags mappable = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT;
constexpr VkMemoryPropertyFlags cached = mappable | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
constexpr VkMemoryPropertyFlags local = VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT;

// What to ask of the memory type, best first.
std::array<VkMemoryPropertyFlags, 3> wishes(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::device:
      return {local, 0, 0};
    case MemoryKind::host:
      return {cached, mappable, mappable};
    case MemoryKind::nearest:
      return {local | cached, local, 0};
  }
  return {};
}

std::optional<std::uint32_t> find_type(const Device& device, std::uint32_t allowed, MemoryKind kind) {
  for (VkMemoryPropertyFlags wish : wishes(kind))
    for (std::uint32_t i = 0; i < device.memory.memoryTypeCount; ++i)
      if ((allowed >> i & 1) != 0 && (device.memory.memoryTypes[i].propertyFlags & wish) == wish) return i;
  return std::nullopt;
}

}  // namespace

Result<Buffer> Buffer::create(const Device& device, std::uint64_t size, MemoryKind kind, std::string_view name) {
  const auto too_much = [&](std::string_view why) {
    return Error{ErrorCode::out_of_memory, cat(name, ": ", size, " bytes: ", why)};
  };
  // Some drivers crash on what is past their limits instead of refusing it.
  if (size > device.caps.max_allocation || size > std::numeric_limits<std::size_t>::max())
    return too_much(cat("this device allocates at most ", device.caps.max_allocation, " at once"));
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = (size + 3) / 4 * 4 + (size == 0 ? 4 : 0);
  info.usage = VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT | VK_BUFFER_USAGE_TRANSFER_DST_BIT;
  if (device.caps.buffer_address) info.usage |= VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT;
  info.sharingMode = VK_SHARING_MODE_EXCLUSIVE;
  Buffer out;
  out.size_ = size;
  VkBuffer buffer = VK_NULL_HANDLE;
  if (VkResult result = device.fn.CreateBuffer(device.handle, &info, device.allocator, &buffer); result != VK_SUCCESS)
    return device.error(result, "vkCreateBuffer ", name, ", ", size, " bytes");
  out.buffer_ = RawBuffer(device, buffer, name);

  VkMemoryRequirements needs;
  device.fn.GetBufferMemoryRequirements(device.handle, buffer, &needs);
  const std::optional<std::uint32_t> type = find_type(device, needs.memoryTypeBits, kind);
  if (!type) return too_much("no memory of the kind");
  const VkMemoryType& memory_type = device.memory.memoryTypes[*type];
  if (needs.size > device.memory.memoryHeaps[memory_type.heapIndex].size)
    return too_much(cat("the heap has ", device.memory.memoryHeaps[memory_type.heapIndex].size));
  VkMemoryAllocateFlagsInfo flags{};
  flags.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_FLAGS_INFO;
  flags.flags = VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT;
  VkMemoryAllocateInfo allocate{};
  allocate.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  allocate.pNext = device.caps.buffer_address ? &flags : nullptr;
  allocate.allocationSize = needs.size;
  allocate.memoryTypeIndex = *type;
  VkDeviceMemory memory = VK_NULL_HANDLE;
  if (VkResult result = device.fn.AllocateMemory(device.handle, &allocate, device.allocator, &memory);
      result != VK_SUCCESS)
    return device.error(result, "vkAllocateMemory ", name, ", ", size, " bytes");
  out.memory_ = DeviceMemory(device, memory, name);
  if (VkResult result = device.fn.BindBufferMemory(device.handle, buffer, memory, 0); result != VK_SUCCESS)
    return device.error(result, "vkBindBufferMemory ", name);
  if (kind == MemoryKind::device || (memory_type.propertyFlags & mappable) != mappable) return out;
  if (kind == MemoryKind::nearest && (memory_type.propertyFlags & cached) != cached) return out;
  void* data = nullptr;
  if (VkResult result = device.fn.MapMemory(device.handle, memory, 0, VK_WHOLE_SIZE, 0, &data); result != VK_SUCCESS)
    return device.error(result, "vkMapMemory ", name);
  out.data_ = static_cast<std::byte*>(data);
  return out;
}

}  // namespace fovea::vk
