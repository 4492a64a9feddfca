// The gradient of conv2d: with respect to x a transposed convolution, with respect to the weight a product.

#include "ops/conv2d.hpp"
#include "ops/vjp.hpp"

namespace fovea::ops {

Tensor conv2d_weight_gradient(Tensor x, Tensor d, const Shape& weight, const Conv2dAttrs& attrs, CallSite site) {
  const std::int64_t N = d.dim(0), pixels = d.dim(2) * d.dim(3), taps = weight[1] * weight[2] * weight[3];
  const UnfoldDesc windows{{weight[2], weight[3]}, attrs.stride, attrs.dilation, attrs.padding};
  const bool is_product = weight[2] * weight[3] == 1 && pixels == x.dim(2) * x.dim(3) && attrs.padding == UnfoldDesc{}.padding;
  const Tensor columns = reshape(is_product ? x : unfold(x, windows, site), {N, attrs.groups, taps, pixels}, site);
  const Tensor rows = reshape(d, {N, attrs.groups, weight[0] / attrs.groups, pixels}, site);
  const Tensor each = matmul(rows, columns, {.transpose_b = true}, site);  // a product an image
  return reshape(N == 1 ? each : reduce(Reduce::sum, each, {.axes = {0}}, site), weight.extents(), site);
}

bool conv2d_vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<Conv2dAttrs>();
  const CallSite site = vjp.site;
  const Shape &x = vjp.in_shape(0), &weight = vjp.in_shape(1);
  const auto before_activation = [&] {
    return conv2d(vjp.in(0), vjp.in(1), {attrs.stride, attrs.padding, attrs.dilation, attrs.groups, vjp.in(2), Activation::none}, site);
  };
  const Tensor d = activation_vjp(attrs.activation, vjp.d(), vjp.out(), before_activation, site);
  if (vjp.wants(2)) vjp.give(2, reduce(Reduce::sum, d, {.axes = {0, 2, 3}}, site));
  if (d.shape().elements() == 0 || x.elements() == 0 || weight.elements() == 0) return true;

  if (vjp.wants(0)) {
    ConvTransposeDesc desc{.groups = attrs.groups};
    for (std::size_t k = 0; k < 2; ++k) {
      const int axis = static_cast<int>(k) + 2;
      const std::int64_t reach = attrs.dilation[k] * (weight[axis] - 1) + 1, before = attrs.padding[k], after = attrs.padding[k + 2];
      desc.stride.push_back(attrs.stride[k]);
      desc.dilation.push_back(attrs.dilation[k]);
      desc.padding_begin.push_back(before);
      desc.padding_end.push_back(after);
      desc.output_padding.push_back((x[axis] + before + after - reach) % attrs.stride[k]);  // what no window reached
    }
    vjp.give(0, conv_transpose(d, vjp.in(1), desc, site));
  }
  if (vjp.wants(1)) vjp.give(1, conv2d_weight_gradient(vjp.in(0), d, weight, attrs, site));
  return true;
}

}  // namespace fovea::ops
