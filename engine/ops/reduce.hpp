#pragma once
// What reductions of all of a tensor and of what a mask leaves have alike.

#include "ops/op_def.hpp"

#include <fovea/ops.hpp>

#include <array>
#include <span>
#include <string>

namespace fovea::ops {

inline bool finds_position(Reduce op) { return op == Reduce::argmax || op == Reduce::argmin; }

// Which axes are reduced, all where none is named; `fault` as of ir::named_axes.
std::array<bool, max_rank> reduced_axes(std::span<const std::int64_t> axes, const Shape& x, std::string& fault);

// d, with extents of 1 along the axes of `along`, which are counted from 0, at the place of each row's first extreme; zeros
// elsewhere.
Tensor at_first(Tensor x, Tensor d, Reduce op, const ReduceDesc& along, CallSite site);

// reduce() with the mask of its Desc, which is present.
Tensor masked_reduce(Reduce op, Tensor x, const ReduceDesc& desc, CallSite site);

}  // namespace fovea::ops
