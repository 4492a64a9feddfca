// Transposed convolution. With stride 1 it is a convolution with the kernel turned around; otherwise every element of x
// gives a column of taps, and the columns are summed where they stand.

#include "ops/conv.hpp"
#include "ops/conv2d.hpp"

#include <algorithm>

namespace fovea {
namespace ops {
namespace {

// Rows behind the result that no window of the adjoint reaches: output_padding past the stride.
std::int64_t beyond(const ConvGeometry& g, std::size_t k) { return std::max<std::int64_t>(g.extra[k] - (g.stride[k] - 1), 0); }

void infer(InferContext& context) {
  const auto& g = context.attrs.as<ConvGeometry>();
  const Shape &x = context.shape(0), &weight = context.shape(1);
  if (!conv_operands_are_right(context, g, "[C,O/groups,...]")) return;
  const std::int64_t taken = weight_axis(x, weight, 0), channels = weight_axis(x, weight, 1) * g.groups;
  if (taken != x[1]) return context.fail("weight takes ", taken, " channels and x has ", x[1]);
  if (x[1] % g.groups != 0) return context.fail("groups ", g.groups, " does not divide x's ", x[1], " channels");
  if (!conv_bias_is_right(context, channels)) return;
  Shape y = x;
  y[1] = channels;
  for (int axis = 2; axis < x.rank(); ++axis) {
    const auto k = static_cast<std::size_t>(axis - 2);
    if (x[axis] == 0) return context.fail("axis ", axis, " of x ", to_string(x), " is empty");
    if (g.extra[k] > 0 && g.extra[k] >= std::max(g.stride[k], g.dilation[k]))
      return context.fail("output_padding ", g.extra[k], " of axis ", axis, " is neither below the stride ", g.stride[k],
                          " nor below the dilation ", g.dilation[k]);
    const std::int64_t full = (x[axis] - 1) * g.stride[k] + g.reach(k, weight_axis(x, weight, axis));
    y[axis] = full - g.begin[k] - g.end[k] + g.extra[k];
    if (y[axis] - beyond(g, k) < 1)
      return context.fail("the padding takes ", g.begin[k] + g.end[k], " of the ", full, " elements of axis ", axis, ": none is left");
  }
  context.out = {{y, context.dtype(0)}};
}

Tensor pad_behind(Tensor x, std::int64_t rows, std::int64_t columns, CallSite site) {
  return rows == 0 && columns == 0 ? x : pad(x, {.amounts = {{0, rows}, {0, columns}}}, site);
}

// Whether a convolution gives it: no stride, and no padding that would crop x.
bool is_convolution(const ConvGeometry& g, const Shape& weight) {
  for (std::size_t k = 0; k < 2; ++k) {
    const std::int64_t most = g.reach(k, weight[static_cast<int>(k) + 2]) - 1;
    if (g.stride[k] != 1 || g.begin[k] > most || g.end[k] > most) return false;
  }
  return true;
}

Tensor turned_around(Tensor x, Tensor weight, Tensor bias, const ConvGeometry& g, CallSite site) {
  const std::int64_t G = g.groups, C = weight.dim(0) / G, O = weight.dim(1), kh = weight.dim(2), kw = weight.dim(3);
  Tensor w = reshape(permute(reshape(weight, {G, C, O, kh * kw}, site), {0, 2, 1, 3}, site), {G * O, C, kh * kw}, site);
  if (kh * kw > 1) w = slice(w, {.axis = 2, .start = -1, .step = -1}, site);  // both axes turn as one
  Conv2dDesc desc{.dilation = {g.dilation[0], g.dilation[1]}, .groups = G, .bias = bias};
  for (std::size_t k = 0; k < 2; ++k) {
    const std::int64_t most = g.reach(k, weight.dim(static_cast<int>(k) + 2)) - 1;
    desc.padding[k] = most - g.begin[k];
    desc.padding[k + 2] = most - g.end[k] + g.extra[k];
  }
  return conv2d(x, reshape(w, {G * O, C, kh, kw}, site), desc, site);
}

// One [n,G,o,H,W] of so many images and channels.
Tensor folded(Tensor x, Tensor weight, const ConvGeometry& g, const Shape& y, CallSite site) {
  const std::int64_t G = g.groups, N = x.dim(0), C = x.dim(1) / G, O = weight.dim(1), pixels = x.dim(2) * x.dim(3);
  const std::int64_t taps = O * weight.dim(2) * weight.dim(3), rows = beyond(g, 0), cols = beyond(g, 1);
  const Tensor columns = matmul(reshape(weight, {1, G, C, taps}, site), reshape(x, {N, G, C, pixels}, site), {.transpose_a = true}, site);
  const Tensor sum = fold(reshape(columns, {N, G * taps, pixels}, site),
                          {{y[2] - rows, y[3] - cols}, {weight.dim(2), weight.dim(3)}, {g.stride[0], g.stride[1]},
                           {g.dilation[0], g.dilation[1]}, {g.begin[0], g.begin[1], g.end[0], g.end[1]}}, site);
  return reshape(pad_behind(sum, rows, cols, site), {N, G, O, y[2], y[3]}, site);
}

// The sums are made of many products: in f32, and rounded once.
Tensor by_columns(Tensor x, Tensor weight, Tensor bias, const ConvGeometry& g, const Shape& y, CallSite site) {
  const auto wide = [&](Tensor one) { return cast(one, DType::f32, site); };
  const Tensor from = wide(x), taps = wide(weight);
  const std::int64_t N = x.dim(0), O = weight.dim(1), channel = g.groups * weight.dim(2) * weight.dim(3) * x.dim(2) * x.dim(3) * 4;
  const std::int64_t images = fitting(N, channel * O), channels = images > 1 ? O : fitting(O, channel);
  std::vector<Tensor> of_images;
  InTurn turn(*x.graph());
  for (std::int64_t n = 0; n < N; n += images) {
    std::vector<Tensor> of_channels;
    for (std::int64_t o = 0; o < O; o += channels) {
      of_channels.push_back(folded(part_of(from, 0, n, std::min(n + images, N), site), part_of(taps, 1, o, std::min(o + channels, O), site), g, y, site));
      turn.done(of_channels.back());
    }
    of_images.push_back(of_channels.size() == 1 ? of_channels[0] : concat(of_channels, 2, site));
  }
  Tensor sum = reshape(of_images.size() == 1 ? of_images[0] : concat(of_images, 0, site), y.extents(), site);
  if (bias) sum = binary(Binary::add, sum, reshape(wide(bias), {1, y[1], 1, 1}, site), site);
  return cast(sum, x.dtype(), site);
}

// Three axes: pictures give the taps of the outermost axis as channels, which are then summed along it.
Tensor by_pictures(Tensor x, Tensor weight, Tensor bias, const ConvGeometry& g, const Shape& y, CallSite site) {
  const std::int64_t N = x.dim(0), C = x.dim(1), D = x.dim(2), taps = weight.dim(2), pixels = y[3] * y[4];
  const auto wide = [&](Tensor one) { return cast(one, DType::f32, site); };
  const auto inner = [](const std::vector<std::int64_t>& list) { return std::vector<std::int64_t>{list[1], list[2]}; };
  const Tensor slices = permute(reshape(wide(x), {N, C, D, x.dim(3) * x.dim(4)}, site), {0, 2, 1, 3}, site);
  const Tensor pictures = conv_transpose(
      reshape(slices, {N * D, C, x.dim(3), x.dim(4)}, site),
      reshape(wide(weight), {C, weight.dim(1) * taps, weight.dim(3), weight.dim(4)}, site),
      {inner(g.stride), inner(g.begin), inner(g.end), inner(g.extra), inner(g.dilation), g.groups, {}}, site);
  const Tensor columns = permute(reshape(pictures, {N, D, y[1] * taps, pixels}, site), {0, 2, 1, 3}, site);
  Tensor sum = fold(reshape(columns, {N, y[1] * taps, D * pixels}, site),
                    {{y[2] - beyond(g, 0), pixels}, {taps, 1}, {g.stride[0], 1}, {g.dilation[0], 1}, {g.begin[0], 0, g.end[0], 0}}, site);
  sum = pad_behind(sum, beyond(g, 0), 0, site);
  if (bias) sum = binary(Binary::add, sum, reshape(wide(bias), {1, y[1], 1, 1}, site), site);
  return cast(reshape(sum, y.extents(), site), x.dtype(), site);
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& g = node.attrs<ConvGeometry>();
  const CallSite site = builder.site;
  const Shape& y = node.out(0).shape;
  const Tensor x = in[0], weight = in[1], bias = in.size() > 2 ? in[2] : Tensor();
  const ConvCall call = [&](Tensor a, Tensor w, Tensor b, const ConvGeometry& with) {
    return conv_transpose(a, w, conv_transpose_desc(with, b), site);
  };
  if (y.elements() == 0 || x.shape().elements() == 0 || weight.shape().elements() == 0)
    out[0] = bias_alone(builder.graph, bias, node.out(0), site);
  else if (per_sample(x.shape(), weight.shape()))
    out[0] = conv_by_groups(x, weight, bias, g, y, site, call);
  else if (y.rank() == 3)
    out[0] = conv_as_picture(x, weight, bias, g, y, site, call);
  else if (y.rank() == 5)
    out[0] = by_pictures(x, weight, bias, g, y, site);
  else
    out[0] = is_convolution(g, weight.shape()) ? turned_around(x, weight, bias, g, site) : by_columns(x, weight, bias, g, y, site);
  return true;
}

// Of pictures with one weight for all: a convolution of d, and a product. The others are made of that one.
bool vjp(Vjp& vjp) {
  const auto& g = vjp.attrs<ConvGeometry>();
  const Shape &x = vjp.in_shape(0), &weight = vjp.in_shape(1);
  const CallSite site = vjp.site;
  if (x.rank() != 4 || weight.rank() != 4 || x.elements() == 0 || weight.elements() == 0) return false;
  if (vjp.wants(2)) vjp.give(2, reduce(Reduce::sum, vjp.d(), {.axes = {0, 2, 3}}, site));
  const Tensor d = pad_behind(vjp.d(), -beyond(g, 0), -beyond(g, 1), site);  // the bias alone reaches those rows
  const Conv2dAttrs attrs{{g.stride[0], g.stride[1]}, {g.begin[0], g.begin[1], g.end[0], g.end[1]}, {g.dilation[0], g.dilation[1]}, g.groups,
                          Activation::none};
  if (vjp.wants(0)) vjp.give(0, conv2d(d, vjp.in(1), {attrs.stride, attrs.padding, attrs.dilation, attrs.groups, {}, Activation::none}, site));
  if (vjp.wants(1)) vjp.give(1, conv2d_weight_gradient(d, vjp.in(0), weight, attrs, site));
  return true;
}

}  // namespace

extern constexpr OpDef conv_transpose_op{
    .name = "conv_transpose", .infer = infer, .required_inputs = 2, .operands = {"x", "weight"}, .decompose = decompose, .vjp = vjp};

}  // namespace ops

Tensor conv_transpose(Tensor x, Tensor weight, const ConvTransposeDesc& desc, CallSite site) {
  ops::ConvGeometry geometry = ops::conv_geometry(x, desc.stride, desc.padding_begin, desc.padding_end, desc.dilation, desc.groups);
  if (!desc.output_padding.empty()) geometry.extra = desc.output_padding;
  return ops::append_one(ops::conv_transpose_op, {x, weight, desc.bias}, ir::Attrs::of(geometry), site);
}

}  // namespace fovea
