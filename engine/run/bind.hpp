#pragma once
// Matching the buffers a caller names with the externals of a Program. Pure: no Vulkan call.

#include "compile/program.hpp"
#include <fovea/result.hpp>

#include <vulkan/vulkan_core.h>

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fovea::run {

// A caller's buffer for one port.
struct NamedRange {
  std::string_view name;
  VkBuffer buffer = VK_NULL_HANDLE;
  std::uint64_t offset = 0, size = UINT64_MAX;  // size: from offset on; UINT64_MAX: as much as the port needs
  std::uint64_t buffer_size = UINT64_MAX;       // the buffer is not larger
  // Bytes behind the port's that its last binding spans too: where tests put sentinels, which a driver that checks bounds
  // would keep from what runs past the end.
  std::uint64_t margin = 0;
};

// One range an external, in the Program's order.
// Errors: a port missing, bound twice or unknown, a null buffer, a range too small or past the end of its buffer, an
// offset that is not aligned, an output that shares bytes with another port.
Result<std::vector<NamedRange>> match(const compile::Program& program, std::span<const NamedRange> given,
                                      std::uint64_t alignment);

}  // namespace fovea::run
