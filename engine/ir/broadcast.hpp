#pragma once
// NumPy's broadcasting rules, and strides over broadcast operands.

#include <fovea/tensor.hpp>

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace fovea::ir {

// The common shape, aligned at the innermost axis; nothing when an axis differs and neither extent is 1.
std::optional<Shape> broadcast(const Shape& a, const Shape& b);
bool broadcasts_to(const Shape& from, const Shape& to);

using Strides = std::array<std::int64_t, max_rank>;

// Row-major element strides.
Strides strides_of(const Shape& shape);
// Strides to read `from` as if it had shape `to`: 0 along broadcast axes. Precondition: broadcasts_to(from, to).
Strides broadcast_strides(const Shape& from, const Shape& to);

// A negative axis counted from the end; nothing when out of range.
std::optional<int> normalize_axis(std::int64_t axis, int rank);
// Which axes of x are named. `fault`: that one is out of range or named twice; empty where none is.
std::array<bool, max_rank> named_axes(std::span<const std::int64_t> axes, const Shape& x, std::string& fault);

// What is wrong with a boolean mask that should broadcast to `x`, which errors call `name`; empty where nothing is.
std::string mask_fault(const Shape& mask, DType dtype, std::string_view name, const Shape& x);

}  // namespace fovea::ir
