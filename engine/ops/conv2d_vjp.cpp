// The gradient of conv2d: with respect to x a transposed convolution, with respect to the weight a product.

#include "ops/conv2d.hpp"
#include "ops/vjp.hpp"

namespace fovea::ops {

namespace {

bool has_columns(Tensor x, Tensor d, const Shape& weight, const Conv2dAttrs& attrs) {
  return weight[2] * weight[3] != 1 || d.dim(2) * d.dim(3) != x.dim(2) * x.dim(3) || attrs.padding != Conv2dAttrs{}.padding;
}

// All images at once.
Tensor products(Tensor x, Tensor d, const Shape& weight, const Conv2dAttrs& attrs, CallSite site) {
  const std::int64_t N = d.dim(0), pixels = d.dim(2) * d.dim(3), taps = weight[1] * weight[2] * weight[3];
  const UnfoldDesc windows{{weight[2], weight[3]}, attrs.stride, attrs.dilation, attrs.padding};
  const Tensor columns = has_columns(x, d, weight, attrs) ? unfold(x, windows, site) : x;
  const Tensor left = reshape(d, {N, attrs.groups, weight[0] / attrs.groups, pixels}, site);
  const Tensor each = matmul(left, reshape(columns, {N, attrs.groups, taps, pixels}, site), {.transpose_b = true}, site);
  return reshape(N == 1 ? each : reduce(Reduce::sum, each, {.axes = {0}}, site), weight.extents(), site);
}

}  // namespace

Tensor conv2d_weight_gradient(Tensor x, Tensor d, const Shape& weight, const Conv2dAttrs& attrs, CallSite site) {
  const std::int64_t N = d.dim(0), Ho = d.dim(2), reach = attrs.dilation[0] * (weight[2] - 1) + 1;
  const std::int64_t row = attrs.groups * weight[1] * weight[2] * weight[3] * d.dim(3) * static_cast<std::int64_t>(size_of(x.dtype()));
  const std::int64_t images = fitting(N, row * Ho), rows = images > 1 ? Ho : fitting(Ho, row);
  if ((images == N && rows == Ho) || !has_columns(x, d, weight, attrs)) return products(x, d, weight, attrs, site);
  Tensor sum;
  InTurn turn(*x.graph());
  for (std::int64_t n = 0; n < N; n += images)
    for (std::int64_t i = 0; i < Ho; i += rows) {
      const std::int64_t last_image = std::min(n + images, N), last_row = std::min(i + rows, Ho);
      const std::int64_t top = i * attrs.stride[0] - attrs.padding[0], bottom = (last_row - 1) * attrs.stride[0] + reach - attrs.padding[0];
      if (top >= x.dim(2) || bottom <= 0) continue;  // windows in the padding alone
      Conv2dAttrs within = attrs;
      within.padding[0] = within.padding[2] = 0;
      const Tensor seen = pad(part_of(x, 0, n, last_image, site), {.amounts = {{-top, bottom - x.dim(2)}, {0, 0}}}, site);
      const Tensor one = products(seen, part_of(part_of(d, 0, n, last_image, site), 2, i, last_row, site), weight, within, site);
      sum = sum ? binary(Binary::add, sum, one, site) : one;
      turn.done(sum);
    }
  return sum;
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
