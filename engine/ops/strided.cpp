#include "ops/strided.hpp"

#include <algorithm>
#include <bit>

namespace fovea::ops {

StridedWalk collapse(const Shape& shape, std::span<const ir::Strides> operands) {
  StridedWalk walk;
  walk.strides.resize(operands.size());
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    if (shape[axis] == 1) continue;
    bool merges = !walk.extents.empty();
    for (std::size_t k = 0; merges && k < operands.size(); ++k)
      merges = walk.strides[k].back() == operands[k][a] * shape[axis];
    if (!merges) walk.extents.push_back(1);
    walk.extents.back() *= shape[axis];
    for (std::size_t k = 0; k < operands.size(); ++k) {
      if (!merges) walk.strides[k].emplace_back();
      walk.strides[k].back() = operands[k][a];
    }
  }
  if (walk.extents.empty()) {  // a scalar
    walk.extents.push_back(1);
    for (auto& strides : walk.strides) strides.push_back(0);
  }
  return walk;
}

Divisor divisor(std::int64_t value) {
  const auto d = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 1));  // an empty walk divides nothing
  const auto shift = static_cast<std::uint32_t>(std::bit_width(d - 1));         // 2^shift >= d
  const std::uint64_t multiplier = (((std::uint64_t{1} << shift) - d) << 32) / d + 1;
  return {static_cast<std::uint32_t>(d), static_cast<std::uint32_t>(multiplier), shift};
}

void PushWords::put_divisor(std::int64_t value, std::uint32_t divisor_words) {
  const Divisor d = divisor(value);
  put(d.value);
  if (divisor_words == 1) return;
  put(d.multiplier);
  put(d.shift);
}

}  // namespace fovea::ops
