#pragma once
// A storage buffer with memory of its own.

#include "vk/handle.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fovea::vk {

enum class MemoryKind : std::uint8_t {
  device,   // in device memory, never mapped
  host,     // mapped, coherent, cached where there is such memory
  nearest,  // in device memory, and mapped where that memory is cached by the host as well (CPU, integrated GPU)
};

class Buffer {
 public:
  // Usage: storage, transfer source and destination, and device address where DeviceCaps::buffer_address. size is at least 1, and
  // is rounded up to 4.
  // Errors: out_of_memory with name and size; a size that the device cannot allocate at all.
  static Result<Buffer> create(const Device& device, std::uint64_t size, MemoryKind kind, std::string_view name);

  Buffer() = default;
  explicit operator bool() const { return static_cast<bool>(buffer_); }
  VkBuffer get() const { return buffer_.get(); }
  std::uint64_t size() const { return size_; }  // as asked for
  std::byte* data() const { return data_; }     // null when not mapped

 private:
  DeviceMemory memory_;  // freed after the buffer
  RawBuffer buffer_;
  std::uint64_t size_ = 0;
  std::byte* data_ = nullptr;
};

}  // namespace fovea::vk
