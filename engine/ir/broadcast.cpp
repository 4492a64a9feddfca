#include "ir/broadcast.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <utility>

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

std::array<bool, max_rank> named_axes(std::span<const std::int64_t> axes, const Shape& x, std::string& fault) {
  std::array<bool, max_rank> named{};
  for (std::int64_t axis : axes) {
    const auto found = normalize_axis(axis, x.rank());
    if (!found) return fault = cat("axis ", axis, " is out of range for x ", to_string(x)), named;
    if (std::exchange(named[static_cast<std::size_t>(*found)], true)) return fault = cat("axis ", axis, " is named twice"), named;
  }
  return named;
}

std::string mask_fault(const Shape& mask, DType dtype, std::string_view name, const Shape& x) {
  if (dtype != DType::boolean) return cat("the mask is ", to_string(dtype), ", not boolean");
  if (!broadcasts_to(mask, x)) return cat("mask ", to_string(mask), " does not broadcast to ", name, ' ', to_string(x));
  return {};
}

}  // namespace fovea::ir
