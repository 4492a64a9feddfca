#pragma once
// The two halves of the sampler's gradient, operators of their own.

#include "ops/op_def.hpp"

namespace fovea::ops {

// Spreads dy [N,C,...] over pictures of extents `size` (the spatial ones): the adjoint of grid_sample in x.
Tensor grid_to_texels(Tensor dy, Tensor grid, const GridSampleDesc& desc, std::span<const std::int64_t> size, CallSite site);
// How sum(dy · grid_sample(x, grid)) changes with the grid: f32, of the grid's shape.
Tensor grid_to_points(Tensor x, Tensor grid, Tensor dy, const GridSampleDesc& desc, CallSite site);

}  // namespace fovea::ops
