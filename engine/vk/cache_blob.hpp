#pragma once
// The pipeline cache as a file: Vulkan's bytes behind a header that tells whose they are and whether they are whole.
// (Vulkan's own header has no size and no hash, and some drivers crash on a damaged cache.) What was measured of kernels may
// follow, behind a header of its own.

#include "base/device_caps.hpp"
#include <fovea/result.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea::vk {

// Which driver and device a cache belongs to.
struct CacheOwner {
  std::array<std::uint8_t, 16> driver_uuid{}, cache_uuid{};
  std::uint32_t vendor_id = 0, device_id = 0, driver_version = 0;
};
CacheOwner cache_owner(const DeviceCaps& caps, const std::array<std::uint8_t, 16>& pipeline_cache_uuid);

enum class CachePart : std::uint32_t { pipelines = 0x50415646, tuning = 0x54415646 };  // "FVAP", "FVAT"

std::vector<std::byte> wrap_cache(const CacheOwner& owner, std::span<const std::byte> payload,
                                  CachePart part = CachePart::pipelines);

// The payload, pointing into `blob`, which is that part and nothing else. Error: not a cache of Fovea's, truncated, damaged, or
// another driver's.
Result<std::span<const std::byte>> unwrap_cache(const CacheOwner& owner, std::span<const std::byte> blob,
                                                CachePart part = CachePart::pipelines);

// Where the pipelines end in a blob and what was measured begins; the blob's size where nothing can be told apart.
std::size_t end_of_pipelines(std::span<const std::byte> blob);

}  // namespace fovea::vk
