#pragma once
// A device that has every feature, with the limits of common ones.

#include "base/device_caps.hpp"

namespace fovea::test {

inline void give_everything(DeviceCaps& caps) {
  caps.api_version = 1u << 22 | 3u << 12;  // Vulkan 1.3
  caps.max_invocations = 1024, caps.max_group_size = {1024, 1024, 64}, caps.max_shared_bytes = 1u << 16;
  caps.storage_alignment = 16, caps.max_push_bytes = 256;
  caps.storage16 = caps.storage8 = caps.float16 = caps.int64 = caps.buffer_address = caps.cooperative_matrix = true;
  caps.matrix_shapes = {{16, 16, 16}};
  caps.cooperative_matrix2 = true;
  caps.subgroup_operations = ~0u;
}

}  // namespace fovea::test
