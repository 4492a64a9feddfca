// Two-dimensional convolution (cross-correlation) with groups, bias and activation.

#include "ops/op_def.hpp"
#include "shaders/conv2d.h"

#include <fovea/ops.hpp>

namespace fovea {
namespace ops {
namespace {

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

bool attributes_are_right(InferContext& context, const Conv2dAttrs& attrs) {
  // Beyond 2^30 no picture reaches, and index arithmetic in 32 bits would not either.
  const auto outside = [](std::int64_t value, std::int64_t least) { return value < least || value > (1 << 30); };
  for (std::size_t i = 0; i < 2; ++i) {
    const char* axis = i ? "x" : "y";
    if (outside(attrs.stride[i], 1)) return context.fail("stride ", attrs.stride[i], " of axis ", axis, " is not in 1..2^30"), false;
    if (outside(attrs.dilation[i], 1))
      return context.fail("dilation ", attrs.dilation[i], " of axis ", axis, " is not in 1..2^30"), false;
  }
  for (std::int64_t amount : attrs.padding)
    if (outside(amount, 0)) return context.fail("padding ", amount, " is not in 0..2^30"), false;
  if (attrs.groups < 1) return context.fail("groups ", attrs.groups, " is less than 1"), false;
  return true;
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<Conv2dAttrs>();
  const Shape &x = context.shape(0), &weight = context.shape(1);
  if (context.dtype(0) != DType::f32 && context.dtype(0) != DType::f16)
    return context.fail("x is ", to_string(context.dtype(0)), ", not f32 or f16");
  for (std::size_t i = 1; i < 3; ++i)
    if (context.has(i) && context.dtype(i) != context.dtype(0))
      return context.fail(i == 1 ? "weight" : "bias", " is ", to_string(context.dtype(i)), " and x is ", to_string(context.dtype(0)));
  if (x.rank() != 4) return context.fail("x ", to_string(x), " is not [N,C,H,W]");
  if (weight.rank() != 4) return context.fail("weight ", to_string(weight), " is not [O,C/groups,kh,kw]");
  if (!attributes_are_right(context, attrs)) return;
  if (x[1] % attrs.groups != 0) return context.fail("groups ", attrs.groups, " does not divide x's ", x[1], " channels");
  if (weight[0] % attrs.groups != 0)
    return context.fail("groups ", attrs.groups, " does not divide weight's ", weight[0], " output channels");
  if (weight[1] != x[1] / attrs.groups)
    return context.fail("weight takes ", weight[1], " channels a group and x has ", x[1], " / ", attrs.groups, " = ", x[1] / attrs.groups);
  if (context.has(2) && context.shape(2) != Shape{weight[0]})
    return context.fail("bias ", to_string(context.shape(2)), " is not [", weight[0], "]");
  Shape y{x[0], weight[0], 0, 0};
  for (int i = 0; i < 2; ++i) {
    const auto a = static_cast<std::size_t>(i);
    const std::int64_t kernel = weight[2 + i], padded = x[2 + i] + attrs.padding[a] + attrs.padding[a + 2];
    if (kernel < 1) return context.fail("weight ", to_string(weight), " has an empty window");
    const std::int64_t reach = attrs.dilation[a] * (kernel - 1) + 1;
    if (reach > padded)
      return context.fail("the window reaches over ", reach, " of axis ", i ? "x" : "y", " and the padded input has ", padded);
    y[2 + i] = (padded - reach) / attrs.stride[a] + 1;
  }
  context.out = {{y, context.dtype(0)}};
}

shader::Conv2dParams params_of(const NodeView& node, std::uint32_t group_size) {
  const auto& attrs = node.attrs<Conv2dAttrs>();
  const Shape &x = node.in(0).shape, &weight = node.in(1).shape, &y = node.out(0).shape;
  shader::Conv2dParams p{};
  p.images = u32(x[0]);
  p.groups = u32(attrs.groups);
  p.C = u32(weight[1]);
  p.O = u32(weight[0] / attrs.groups);
  p.H = u32(x[2]), p.W = u32(x[3]), p.KH = u32(weight[2]), p.KW = u32(weight[3]), p.HO = u32(y[2]), p.WO = u32(y[3]);
  p.stride_y = u32(attrs.stride[0]), p.stride_x = u32(attrs.stride[1]);
  p.top = u32(attrs.padding[0]), p.left = u32(attrs.padding[1]);
  p.dilation_y = u32(attrs.dilation[0]), p.dilation_x = u32(attrs.dilation[1]);
  p.channel_tiles = u32(static_cast<std::int64_t>(ceil_div(p.O, CONV2D_CHANNELS)));
  p.pixel_tiles = u32(static_cast<std::int64_t>(ceil_div(std::uint64_t{p.HO} * p.WO, std::uint64_t{group_size} * CONV2D_PIXELS)));
  return p;
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  const Shape& weight = node.in(1).shape;
  // Three nested loops; each costs one more than it has iterations.
  return caps.max_loop_iterations == 0 || (weight[1] + 3) * weight[2] * weight[3] + 2 < caps.max_loop_iterations;
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  shader::Conv2dSpec spec;
  spec.BIAS = node.has(2);
  spec.ACTIVATION = static_cast<std::uint32_t>(node.attrs<Conv2dAttrs>().activation);
  const shader::Conv2dParams p = params_of(node, spec.WG);
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("conv2d_direct", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(p);
  launch.operands = {in(0), in(1), node.has(2) ? in(2) : unused(), out(0)};
  const bool empty = node.out(0).shape.elements() == 0;
  launch.groups = flat_groups(empty ? 0 : std::uint64_t{p.images} * p.groups * p.channel_tiles * p.pixel_tiles, 1, caps);
}

constexpr Kernel kernels[] = {{"conv2d_direct", supports, plan}};

// Columns, then one product a group: [1,G,O,CKK] · [N,G,CKK,L].
bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<Conv2dAttrs>();
  const Shape &weight = node.in(1).shape, &y = node.out(0).shape;
  const CallSite site = builder.site;
  if (y.elements() == 0 || weight[1] == 0) return false;
  const std::int64_t taps = weight[1] * weight[2] * weight[3], channels = weight[0] / attrs.groups;
  // In f32 whatever the storage, rounded once at the end, as the kernel does.
  const auto wide = [&](Tensor x) { return cast(x, DType::f32, site); };
  const Tensor columns = unfold(in[0], {{weight[2], weight[3]}, attrs.stride, attrs.dilation, attrs.padding}, site);
  const Tensor right = reshape(wide(columns), {y[0], attrs.groups, taps, y[2] * y[3]}, site);
  const Tensor left = reshape(wide(in[1]), {1, attrs.groups, channels, taps}, site);
  Tensor result = matmul(left, right, {}, site);
  if (in.size() > 2 && in[2])
    result = binary(Binary::add, result, reshape(wide(in[2]), {1, attrs.groups, channels, 1}, site), site);
  const Unary activations[] = {Unary::relu, Unary::sigmoid, Unary::tanh, Unary::gelu, Unary::gelu_tanh, Unary::silu};
  if (attrs.activation != Activation::none)
    result = unary(activations[static_cast<std::size_t>(attrs.activation) - 1], result, site);
  out[0] = cast(reshape(result, y.extents(), site), node.out(0).dtype, site);
  return true;
}

// A multiplication and an addition a tap.
double flops(const NodeView& node) {
  const Shape& weight = node.in(1).shape;
  return 2 * static_cast<double>(node.out(0).shape.elements()) * static_cast<double>(weight[1] * weight[2] * weight[3]);
}

}  // namespace

extern constexpr OpDef conv2d_op{.name = "conv2d", .infer = infer, .required_inputs = 2, .decompose = decompose,
                                 .kernels = kernels, .flops = flops};

}  // namespace ops

Tensor conv2d(Tensor x, Tensor weight, const Conv2dDesc& desc, CallSite site) {
  const ops::Conv2dAttrs attrs{desc.stride, desc.padding, desc.dilation, desc.groups, desc.activation};
  return ops::append_one(ops::conv2d_op, {x, weight, desc.bias}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
