// Convolution over one, two or three axes, with any padding, and with weights a sample: rewritten until conv2d has it.

#include "base/enum_name.hpp"
#include "ops/conv.hpp"
#include "ops/pad.hpp"

namespace fovea {
namespace ops {
namespace {

struct ConvAttrs {
  ConvGeometry geometry{};
  PadMode padding_mode = PadMode::constant;
};
template <class F>
void describe(const ConvAttrs& attrs, F&& field) {
  describe(attrs.geometry, field);
  field("padding_mode", attrs.padding_mode);
}

void infer(InferContext& context) {
  const auto& [g, padding_mode] = context.attrs.as<ConvAttrs>();
  const Shape &x = context.shape(0), &weight = context.shape(1);
  if (!conv_operands_are_right(context, g, "[O,C/groups,...]")) return;
  if (!is_enumerator(padding_mode)) return context.fail(no_enumerator("padding_mode", padding_mode));
  const std::int64_t channels = weight_axis(x, weight, 0), taken = weight_axis(x, weight, 1);
  if (x[1] % g.groups != 0) return context.fail("groups ", g.groups, " does not divide x's ", x[1], " channels");
  if (channels % g.groups != 0) return context.fail("groups ", g.groups, " does not divide weight's ", channels, " output channels");
  if (taken != x[1] / g.groups)
    return context.fail("weight takes ", taken, " channels a group and x has ", x[1], " / ", g.groups, " = ", x[1] / g.groups);
  if (!conv_bias_is_right(context, channels)) return;
  Shape y = x;
  y[1] = channels;
  for (int axis = 2; axis < x.rank(); ++axis) {
    const auto k = static_cast<std::size_t>(axis - 2);
    const std::int64_t reach = g.reach(k, weight_axis(x, weight, axis)), padded = x[axis] + g.begin[k] + g.end[k];
    if (!padding_has_source(context, padding_mode, axis, x[axis], g.begin[k], g.end[k])) return;
    if (reach > padded)
      return context.fail("the window reaches over ", reach, " of axis ", axis, " and the padded input has ", padded);
    y[axis] = (padded - reach) / g.stride[k] + 1;
  }
  context.out = {{y, context.dtype(0)}};
}

Tensor padded(Tensor x, const ConvGeometry& g, PadMode mode, CallSite site) {
  PadDesc desc{.mode = mode};
  for (std::size_t k = 0; k < g.begin.size(); ++k) desc.amounts.push_back({g.begin[k], g.end[k]});
  return pad(x, desc, site);
}

// The taps of the outermost axis as channels of the pictures that remain.
Tensor by_pictures(Tensor x, Tensor weight, Tensor bias, const ConvGeometry& g, const Shape& y, CallSite site) {
  const std::int64_t N = x.dim(0), C = x.dim(1), H = x.dim(3), W = x.dim(4), taps = weight.dim(2);
  const Tensor columns = unfold(reshape(x, {N, C, x.dim(2), H * W}, site),
                                {{taps, 1}, {g.stride[0], 1}, {g.dilation[0], 1}, {g.begin[0], 0, g.end[0], 0}}, site);
  const Tensor by_depth = permute(reshape(columns, {N, C * taps, y[2], H * W}, site), {0, 2, 1, 3}, site);
  const Tensor pictures = conv2d(reshape(by_depth, {N * y[2], C * taps, H, W}, site),
                                 reshape(weight, {weight.dim(0), weight.dim(1) * taps, weight.dim(3), weight.dim(4)}, site),
                                 {{g.stride[1], g.stride[2]}, {g.begin[1], g.begin[2], g.end[1], g.end[2]},
                                  {g.dilation[1], g.dilation[2]}, g.groups, bias, Activation::none}, site);
  const Tensor apart = permute(reshape(pictures, {N, y[2], y[1], y[3] * y[4]}, site), {0, 2, 1, 3}, site);
  return reshape(apart, y.extents(), site);
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& [g, mode] = node.attrs<ConvAttrs>();
  const CallSite site = builder.site;
  const Shape& y = node.out(0).shape;
  const Tensor x = in[0], weight = in[1], bias = in.size() > 2 ? in[2] : Tensor();
  const ConvCall call = [&](Tensor a, Tensor w, Tensor b, const ConvGeometry& with) { return conv(a, w, conv_desc(with, b), site); };
  if (y.elements() == 0 || x.shape().elements() == 0 || weight.shape().elements() == 0) {
    out[0] = bias_alone(builder.graph, bias, node.out(0), site);
  } else if (mode != PadMode::constant) {
    ConvGeometry unpadded = g;
    unpadded.begin = unpadded.end = std::vector<std::int64_t>(g.begin.size(), 0);
    out[0] = call(padded(x, g, mode, site), weight, bias, unpadded);
  } else if (per_sample(x.shape(), weight.shape())) {
    out[0] = conv_by_groups(x, weight, bias, g, y, site, call);
  } else if (y.rank() == 3) {
    out[0] = conv_as_picture(x, weight, bias, g, y, site, call);
  } else if (y.rank() == 5) {
    out[0] = by_pictures(x, weight, bias, g, y, site);
  } else {
    out[0] = conv2d(x, weight, {{g.stride[0], g.stride[1]}, {g.begin[0], g.begin[1], g.end[0], g.end[1]},
                                {g.dilation[0], g.dilation[1]}, g.groups, bias, Activation::none}, site);
  }
  return true;
}

}  // namespace

extern constexpr OpDef conv_op{.name = "conv", .infer = infer, .required_inputs = 2, .operands = {"x", "weight"}, .decompose = decompose};

}  // namespace ops

Tensor conv(Tensor x, Tensor weight, const ConvDesc& desc, CallSite site) {
  const ops::ConvAttrs attrs{ops::conv_geometry(x, desc.stride, desc.padding_begin, desc.padding_end, desc.dilation, desc.groups),
                             desc.padding_mode};
  return ops::append_one(ops::conv_op, {x, weight, desc.bias}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
