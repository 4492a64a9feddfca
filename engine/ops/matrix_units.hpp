#pragma once
// Which of a device's matrices a kernel takes.

#include "base/device_caps.hpp"

namespace fovea::ops {

// The shape of most rows of which whole matrices fill `side` columns and steps, and whose rows have a lane each; M is 0 where
// there is none.
inline MatrixShape matrix_shape(const DeviceCaps& caps, std::uint32_t side) {
  const auto divides = [&](std::uint32_t n) { return n >= 4 && side % n == 0; };
  MatrixShape best;
  if (!caps.cooperative_matrix || caps.subgroup_size == 0) return best;
  for (const MatrixShape& shape : caps.matrix_shapes)
    if (shape.M > best.M && caps.subgroup_size % shape.M == 0 && divides(shape.N) && divides(shape.K)) best = shape;
  return best;
}

}  // namespace fovea::ops
