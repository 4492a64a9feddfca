#pragma once
// What pad asks of x where padding repeats it: of every operator that pads.

#include "ops/op_def.hpp"

namespace fovea::ops {

// Whether `mode` finds enough in an axis of `kept` elements for `before` and `after`; the context has the error.
bool padding_has_source(InferContext& context, PadMode mode, int axis, std::int64_t kept, std::int64_t before, std::int64_t after);

}  // namespace fovea::ops
