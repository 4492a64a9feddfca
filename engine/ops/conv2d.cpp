// Two-dimensional convolution (cross-correlation) with groups, bias and activation.

#include "base/enum_name.hpp"
#include "ops/conv2d.hpp"
#include "shaders/conv2d.h"

#include <fovea/ops.hpp>

#include <algorithm>

namespace fovea {
namespace ops {
namespace {

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
  if (!is_enumerator(attrs.activation)) return context.fail(no_enumerator("the activation", attrs.activation)), false;
  return true;
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<Conv2dAttrs>();
  const Shape &x = context.shape(0), &weight = context.shape(1);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  for (std::size_t i = 1; i < 3; ++i)
    if (context.has(i) && context.dtype(i) != context.dtype(0))
      return context.fail(i == 1 ? "weight" : "bias", " is ", to_string(context.dtype(i)), " and x is ", to_string(context.dtype(0)));
  if (x.rank() != 4) return context.fail("x ", to_string(x), " is not [N,C,H,W]");
  if (weight.rank() != 4) return context.fail("weight ", to_string(weight), " is not [O,C/groups,kh,kw]");
  if (!attributes_are_right(context, attrs) || !conv2d_groups_are_right(context, x, weight, attrs)) return;
  if (weight[1] != x[1] / attrs.groups)
    return context.fail("weight takes ", weight[1], " channels a group and x has ", x[1], " / ", attrs.groups, " = ", x[1] / attrs.groups);
  if (context.has(2) && context.shape(2) != Shape{weight[0]})
    return context.fail("bias ", to_string(context.shape(2)), " is not [", weight[0], "]");
  const Shape y = conv2d_result(context, x, weight, attrs);
  if (!context.error.empty()) return;
  context.out = {{y, context.dtype(0)}};
}

// Pixels and channels an invocation makes, at most, and whether a sum takes in all taps of a turn at once. The head of
// conv2d_direct.comp has the measurements.
struct Tile {
  std::uint64_t pixels, channels;
  bool taps_together;
};
Tile tile_of(const DeviceCaps& caps, std::uint64_t WO) {
  if (caps.type != DeviceType::cpu || caps.costly_unrolling) return {4, 8, false};
  return WO > 8 ? Tile{16, 8, true} : Tile{8, 16, true};
}

// How the work is cut: pixels and channels an invocation, taps a turn.
shader::Conv2dSpec spec_of(const NodeView& node, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<Conv2dAttrs>();
  const Shape &weight = node.in(1).shape, &y = node.out(0).shape;
  const auto O = static_cast<std::uint64_t>(weight[0] / attrs.groups), WO = static_cast<std::uint64_t>(y[3]);
  const auto KW = static_cast<std::uint32_t>(weight[3]);
  const Tile tile = tile_of(caps, WO);
  constexpr std::uint32_t most_taps = 7;  // unrolled: 7 · 8 · 16 products are about what drivers compile in good time
  // The fewest pieces, as even as they get.
  const auto piece = [](std::uint64_t n, std::uint64_t most) { return n == 0 ? 1 : ceil_div(n, ceil_div(n, most)); };
  shader::Conv2dSpec spec;
  spec.WG = caps.type == DeviceType::cpu ? std::clamp(caps.subgroup_size, 8u, caps.max_invocations) : 64;
  spec.BIAS = node.has(2);
  spec.ACTIVATION = static_cast<std::uint32_t>(attrs.activation);
  spec.PX = static_cast<std::uint32_t>(piece(WO, tile.pixels));
  spec.TO = O <= 1 ? 1 : static_cast<std::uint32_t>(ceil_div(piece(O, tile.channels), 4) * 4);
  spec.KU = KW <= most_taps ? KW : 1;
  spec.TAPS = tile.taps_together ? spec.KU : 1;
  spec.STRIDE_X = u32(attrs.stride[1]), spec.DILATION_X = u32(attrs.dilation[1]);
  const std::int64_t columns = (spec.PX - 1) * attrs.stride[1] + (spec.KU - 1) * attrs.dilation[1] + 1;
  spec.SHARED_COLUMNS = columns < std::int64_t{spec.PX} * spec.KU;
  spec.STORE_VEC = spec.PX % 4 == 0 && WO % 4 == 0;
  return spec;
}

// One product of weights and pixels: no window, every pixel once.
bool is_product(const NodeView& node) {
  const auto& attrs = node.attrs<Conv2dAttrs>();
  const Shape& weight = node.in(1).shape;
  return weight[1] > 0 && weight[2] == 1 && weight[3] == 1 && attrs.stride == std::array<std::int64_t, 2>{1, 1} &&
         attrs.padding == std::array<std::int64_t, 4>{} && node.out(0).shape.elements() > 0;
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  if (is_product(node)) return false;  // matmul is made for it
  const Shape& weight = node.in(1).shape;
  const std::int64_t turns = weight[2] * weight[3] / spec_of(node, caps).KU;
  return loops_fit(caps, nested_loops({weight[2], turns / std::max<std::int64_t>(weight[2], 1), weight[1]}));
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<Conv2dAttrs>();
  const Shape &x = node.in(0).shape, &weight = node.in(1).shape, &y = node.out(0).shape;
  const shader::Conv2dSpec spec = spec_of(node, caps);
  shader::Conv2dParams p{};
  p.groups = u32(attrs.groups);
  p.C = u32(weight[1]), p.O = u32(weight[0] / attrs.groups);
  p.H = u32(x[2]), p.W = u32(x[3]), p.KH = u32(weight[2]), p.KW = u32(weight[3]), p.HO = u32(y[2]), p.WO = u32(y[3]);
  p.stride_y = u32(attrs.stride[0]), p.dilation_y = u32(attrs.dilation[0]);
  p.top = u32(attrs.padding[0]), p.left = u32(attrs.padding[1]);
  p.lanes = u32(x[0] * y[2]) * static_cast<std::uint32_t>(ceil_div(p.WO, spec.PX));
  p.channel_tiles = static_cast<std::uint32_t>(ceil_div(p.O, spec.TO));
  const bool empty = y.elements() == 0, packed = spec.TO > 1 && !empty && p.C > 0;

  if (packed) {
    shader::Conv2dPackSpec pack_spec;
    shader::Conv2dPackParams pack{p.groups * p.channel_tiles * p.KH * p.KW * p.C * spec.TO, p.C, p.O, p.KH * p.KW, spec.TO};
    Launch& launch = plan.launches.emplace_back();
    launch.shader = shader_for("conv2d_pack", node.in(0).dtype);
    launch.set_constants(pack_spec);
    launch.set_push(pack);
    launch.operands = {in(1), scratch_write(0)};
    launch.groups = flat_groups(pack.n, pack_spec.WG, caps);
    plan.scratch_bytes = {(std::uint64_t{pack.n} * size_of(node.in(0).dtype) + 3) / 4 * 4};
  }
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("conv2d_direct", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(p);
  launch.operands = {in(0), packed ? scratch_read(0) : in(1), node.has(2) ? in(2) : unused(), out(0)};
  launch.groups = flat_groups(empty ? 0 : ceil_div(p.lanes, spec.WG) * p.channel_tiles * p.groups, 1, caps);
}

constexpr Kernel kernels[] = {{"conv2d_direct", supports, plan}};

// Products with the pixels themselves, or with columns where there is a window.
bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<Conv2dAttrs>();
  const Shape &weight = node.in(1).shape, &y = node.out(0).shape;
  const CallSite site = builder.site;
  if (y.elements() == 0 || weight[1] == 0) return false;
  const Tensor columns =
      is_product(node) ? in[0] : unfold(in[0], {{weight[2], weight[3]}, attrs.stride, attrs.dilation, attrs.padding}, site);
  out[0] = conv2d_product(in[1], columns, node.has(2) ? in[2] : Tensor(), attrs.groups, attrs.activation, y, site);
  return true;
}

// The epilogue adds a bias a channel, then the activation.
bool absorb(const NodeView& node, const Follower& follower, std::vector<Tensor>& in, ir::Attrs& attrs) {
  Conv2dAttrs changed = node.attrs<Conv2dAttrs>();
  if (changed.activation != Activation::none) return false;
  if (follower.added) {
    const Shape& added = follower.added.shape();
    const std::int64_t channels = node.out(0).shape[1];
    if (node.has(2) || added.rank() < 3 || added.at(-3) != channels || added.elements() != channels) return false;
    in.resize(3);
    in[2] = reshape(follower.added, {channels}, node.node.site);
  }
  changed.activation = follower.activation;
  attrs = ir::Attrs::of(changed);
  return true;
}

// A multiplication and an addition a tap.
double flops(const NodeView& node) {
  const Shape& weight = node.in(1).shape;
  return 2 * static_cast<double>(node.out(0).shape.elements()) * static_cast<double>(weight[1] * weight[2] * weight[3]);
}

}  // namespace

extern constexpr OpDef conv2d_op{.name = "conv2d", .infer = infer, .required_inputs = 2,
                                 .operands = {"x", "weight"}, .decompose = decompose,
                                 .kernels = kernels, .vjp = conv2d_vjp, .absorb = absorb, .flops = flops};

Tensor conv2d_product(Tensor weight, Tensor columns, Tensor bias, std::int64_t groups, Activation activation, const Shape& y, CallSite site) {
  const std::int64_t channels = weight.dim(0) / groups, taps = weight.dim(1) * weight.dim(2) * weight.dim(3);
  const Tensor left = reshape(weight, {1, groups, channels, taps}, site);
  const Tensor right = reshape(columns, {y[0], groups, taps, y[2] * y[3]}, site);
  MatmulDesc desc{.activation = activation};
  if (bias) desc.bias = reshape(bias, {1, groups, channels, 1}, site);
  return reshape(matmul(left, right, desc, site), y.extents(), site);
}

}  // namespace ops

Tensor conv2d(Tensor x, Tensor weight, const Conv2dDesc& desc, CallSite site) {
  const ops::Conv2dAttrs attrs{desc.stride, desc.padding, desc.dilation, desc.groups, desc.activation};
  return ops::append_one(ops::conv2d_op, {x, weight, desc.bias}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
