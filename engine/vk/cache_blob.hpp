#pragma once
// The pipeline cache as a file: Vulkan's bytes behind a header that tells whose they are and whether they are whole.
// (Vulkan's own header has no size and no hash, and some drivers crash on a damaged cache.)

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

std::vector<std::byte> wrap_cache(const CacheOwner& owner, std::span<const std::byte> payload);

// The payload, pointing into `blob`. Error: not a cache of Fovea's, truncated, damaged, or another driver's.
Result<std::span<const std::byte>> unwrap_cache(const CacheOwner& owner, std::span<const std::byte> blob);

}  // namespace fovea::vk
