#pragma once
// Deformable im2col and the three parts of its gradient. All operands are f32.

#include "ops/op_def.hpp"
#include "shaders/deform.h"

namespace fovea::ops {

struct DeformAttrs {
  std::array<std::int64_t, 2> kernel{1, 1}, size{0, 0};  // taps; H and W of x
  std::array<std::int64_t, 2> stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};
  std::int64_t channels = 0;  // of x
  std::int64_t offset_groups = 1;
};
template <class F>
void describe(const DeformAttrs& attrs, F&& field) {
  field("kernel", attrs.kernel);
  field("size", attrs.size);
  field("stride", attrs.stride);
  field("dilation", attrs.dilation);
  field("padding", attrs.padding);
  field("channels", attrs.channels);
  field("offset_groups", attrs.offset_groups);
}

// x [N,C,H,W], offset [N,2·G·taps,Ho,Wo], mask [N,G·taps,Ho,Wo] or absent -> [N, C·taps, Ho·Wo].
Tensor deform_unfold(Tensor x, Tensor offset, Tensor mask, const DeformAttrs& attrs, CallSite site);
bool deform_unfold_vjp(Vjp& vjp);

// Everything but n and block. `offset` is its shape.
shader::DeformParams deform_params(const DeformAttrs& attrs, const Shape& offset);

}  // namespace fovea::ops
