#include "ir/broadcast.hpp"

#include <algorithm>

namespace fovea::ir {

std::optional<Shape> broadcast(const Shape& a, const Shape& b) {
  const int rank = std::max(a.rank(), b.rank());
  std::array<std::int64_t, max_rank> extents{};
  for (int i = 1; i <= rank; ++i) {  // from the innermost axis
    const std::int64_t x = i <= a.rank() ? a[a.rank() - i] : 1, y = i <= b.rank() ? b[b.rank() - i] : 1;
    if (x != y && x != 1 && y != 1) return std::nullopt;
    extents[static_cast<std::size_t>(rank - i)] = x == 1 ? y : x;
  }
  return Shape(std::span(extents).first(static_cast<std::size_t>(rank)));
}

bool broadcasts_to(const Shape& from, const Shape& to) {
  const auto common = broadcast(from, to);
  return common && *common == to;
}

Strides strides_of(const Shape& shape) {
  Strides strides{};
  std::int64_t stride = 1;
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    strides[static_cast<std::size_t>(axis)] = stride;
    stride *= shape[axis];
  }
  return strides;
}

Strides broadcast_strides(const Shape& from, const Shape& to) {
  const Strides own = strides_of(from);
  Strides strides{};
  for (int i = 1; i <= from.rank(); ++i)
    if (from[from.rank() - i] != 1)
      strides[static_cast<std::size_t>(to.rank() - i)] = own[static_cast<std::size_t>(from.rank() - i)];
  return strides;
}

std::optional<int> normalize_axis(std::int64_t axis, int rank) {
  if (axis < -rank || axis >= rank) return std::nullopt;
  return static_cast<int>(axis < 0 ? axis + rank : axis);
}

}  // namespace fovea::ir
