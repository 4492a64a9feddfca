#include "ops/strided.hpp"

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

}  // namespace fovea::ops
