#pragma once
// Which of a device's matrices a kernel takes, and whether its workgroups have room.

#include "base/device_caps.hpp"

#include <algorithm>

namespace fovea::ops {

// What a kernel unrolls of whole matrices, in columns or steps of k: lavapipe 26 compiles 32 for a second and more.
inline std::uint32_t matrix_side(const DeviceCaps& caps) { return caps.type == DeviceType::cpu ? 16 : 32; }

// How a kernel's sums become its next operands: through shared memory, or by conversion.
enum class Exchange { shared, registers };

// Sums that are converted are an operand as they stand.
inline bool can_exchange(const MatrixShape& shape, const DeviceCaps& caps, Exchange exchange) {
  return exchange == Exchange::shared || (caps.cooperative_matrix2 && shape.N == shape.K);
}

// Gives a kernel's constants the device's subgroup, and the matrices of most rows of which whole ones fill `side` columns and
// steps, whose rows have lanes of their own, and that exchange so; false, and MATRIX_M 0: there are none.
template <class Spec>
bool take_matrices(Spec& spec, const DeviceCaps& caps, std::uint32_t side, Exchange exchange = Exchange::shared) {
  const auto divides = [&](std::uint32_t n) { return n >= 4 && side % n == 0; };
  MatrixShape best;
  if (caps.cooperative_matrix && caps.subgroup_size > 0)
    for (const MatrixShape& shape : caps.matrix_shapes)
      if (shape.M > best.M && caps.subgroup_size % shape.M == 0 && divides(shape.N) && divides(shape.K) && can_exchange(shape, caps, exchange)) best = shape;
  spec.SUBGROUP = caps.subgroup_size;
  spec.MATRIX_M = best.M, spec.MATRIX_N = best.N, spec.MATRIX_K = best.K;
  return best.M > 0;
}

// Whether the device runs workgroups of so many lanes and so much shared memory.
inline bool group_fits(const DeviceCaps& caps, std::uint32_t lanes, std::uint64_t shared_bytes) {
  return lanes <= std::min(caps.max_invocations, caps.max_group_size[0]) && shared_bytes <= caps.max_shared_bytes;
}

}  // namespace fovea::ops
