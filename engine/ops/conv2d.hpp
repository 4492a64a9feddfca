#pragma once
// What conv2d, its gradient and the convolutions made of it share.

#include "ops/op_def.hpp"

namespace fovea::ops {

struct Conv2dAttrs {
  std::array<std::int64_t, 2> stride{1, 1};
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};
  std::array<std::int64_t, 2> dilation{1, 1};
  std::int64_t groups = 1;
  Activation activation = Activation::none;
};
template <class F>
void describe(const Conv2dAttrs& attrs, F&& field) {
  field("stride", attrs.stride);
  field("padding", attrs.padding);
  field("dilation", attrs.dilation);
  field("groups", attrs.groups);
  field("activation", attrs.activation);
}

bool conv2d_vjp(Vjp& vjp);
// The gradient of conv2d with respect to its weight, of that shape: the products of d [N,O,Ho,Wo] with the columns of
// x [N,C,H,W]. The activation of `attrs` plays no part.
Tensor conv2d_weight_gradient(Tensor x, Tensor d, const Shape& weight, const Conv2dAttrs& attrs, CallSite site);

}  // namespace fovea::ops
