#pragma once
// Reductions over what a mask leaves of a tensor.

#include <fovea/ops.hpp>

namespace fovea::ops {

// reduce() with the mask of its Desc, which is present.
Tensor masked_reduce(Reduce op, Tensor x, const ReduceDesc& desc, CallSite site);

}  // namespace fovea::ops
