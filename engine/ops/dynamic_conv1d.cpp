// Banded sums along a sequence with weights a head, and a position where they are dynamic.

#include "shaders/dynamic_conv1d.h"

#include "ops/compose.hpp"
#include "ops/vjp.hpp"

#include <algorithm>

namespace fovea {
namespace ops {
namespace {

struct DynamicConvAttrs {
  std::int64_t offset = 0;
  bool transposed = false;  // the adjoint: what reads position s at tap j writes there
};
template <class F>
void describe(const DynamicConvAttrs& attrs, F&& field) {
  field("offset", attrs.offset);
  field("transposed", attrs.transposed);
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<DynamicConvAttrs>();
  const Shape &x = context.shape(0), &weight = context.shape(1);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  if (context.dtype(1) != context.dtype(0))
    return context.fail("weight is ", to_string(context.dtype(1)), " and x is ", to_string(context.dtype(0)));
  if (x.rank() != 3) return context.fail("x ", to_string(x), " is not [B,T,C]");
  if (weight.rank() < 2 || weight.rank() > 4) return context.fail("weight ", to_string(weight), " is not [H,k], [T,H,k] or [B,T,H,k]");
  const std::int64_t H = weight.at(-2), k = weight.at(-1);
  if (k < 1) return context.fail("weight ", to_string(weight), " has no taps");
  if (H < 1 || x[2] % H != 0) return context.fail("weight has ", H, " heads, which does not divide x's ", x[2], " channels");
  for (int axis = 0; axis < weight.rank() - 2; ++axis) {
    const std::int64_t extent = weight[axis], expected = x[axis + 4 - weight.rank()];
    if (extent != 1 && extent != expected)
      return context.fail("axis ", axis, " of weight ", to_string(weight), " is ", extent, " and x ", to_string(x), " has ", expected);
  }
  if (attrs.offset < 0 || attrs.offset >= k) return context.fail("offset ", attrs.offset, " is not in [0, ", k, "), the taps");
  context.out = {{x, context.dtype(0)}};
}

// Of the axes before [H,k] those that broadcast have stride 0.
std::int64_t stride_of(const Shape& weight, int axis_from_end) {
  if (weight.rank() < axis_from_end || weight.at(-axis_from_end) == 1) return 0;
  std::int64_t stride = 1;
  for (int k = 1; k < axis_from_end; ++k) stride *= weight.at(-k);
  return stride;
}

constexpr std::int64_t rows = 4;  // neighbouring positions of an invocation
std::uint32_t channels_a_load(std::int64_t channels) { return channels % 4 == 0 ? 4 : 1; }
std::int64_t blocks_of(std::int64_t T, std::int64_t span) { return (T + span - 1) / span; }

bool supports(const NodeView& node, const DeviceCaps& caps) { return loops_fit(caps, nested_loops({node.in(1).shape.at(-1) + rows})); }

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<DynamicConvAttrs>();
  const Shape &x = node.in(0).shape, &weight = node.in(1).shape;
  const std::int64_t k = weight.at(-1), channels = x[2] / weight.at(-2);
  shader::DynamicConvSpec spec;
  spec.K = u32(k);
  spec.ROWS = u32(rows);
  spec.VEC = channels_a_load(channels);
  spec.TRANSPOSED = attrs.transposed;
  shader::DynamicConvParams params{};
  params.T = u32(x[1]), params.C = u32(x[2]), params.channels = u32(channels);
  params.offset = u32(attrs.transposed ? k - 1 - attrs.offset : attrs.offset);
  params.blocks = u32(blocks_of(x[1], rows));
  params.weight_b = u32(stride_of(weight, 4)), params.weight_t = u32(stride_of(weight, 3));
  params.n = u32(x[0] * blocks_of(x[1], rows) * (x[2] / spec.VEC));
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("dynamic_conv1d", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

// x [B,T,C] as columns [B,k,T,H,C/H], in f32.
Tensor columns(Tensor x, std::int64_t H, std::int64_t k, std::int64_t offset, CallSite site) {
  const std::int64_t B = x.dim(0), T = x.dim(1), C = x.dim(2);
  const Tensor wide = reshape(cast(x, DType::f32, site), {B, 1, T, C}, site);
  return reshape(unfold(wide, {.kernel = {k, 1}, .padding = {offset, 0, k - 1 - offset, 0}}, site), {B, k, T, H, C / H}, site);
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<DynamicConvAttrs>();
  const CallSite site = builder.site;
  const Shape &x = node.in(0).shape, &w = node.in(1).shape;
  if (attrs.transposed || x.elements() == 0) return false;
  const std::int64_t H = w.at(-2), k = w.at(-1), b = w.rank() == 4 ? w[0] : 1, t = w.rank() > 2 ? w.at(-3) : 1;
  const Tensor taps = permute(reshape(cast(in[1], DType::f32, site), {b, t, H, k}, site), {0, 3, 1, 2}, site);
  const Tensor products = binary(Binary::mul, columns(in[0], H, k, attrs.offset, site), reshape(taps, {b, k, t, H, 1}, site), site);
  out[0] = cast(reshape(reduce(Reduce::sum, products, {.axes = {1}}, site), x.extents(), site), node.out(0).dtype, site);
  return true;
}

double flops(const NodeView& node) {
  return 2 * static_cast<double>(node.in(0).shape.elements()) * static_cast<double>(node.in(1).shape.at(-1));
}

constexpr Kernel kernels[] = {{"dynamic_conv1d", supports, plan}};

Tensor append_conv(Tensor x, Tensor weight, const DynamicConvAttrs& attrs, CallSite site) {
  return append_one(dynamic_conv1d_op, {x, weight}, ir::Attrs::of(attrs), site);
}

// ---- The weights' gradient: x, dy -> f32 [B or 1, T or blocks of it, H, k] ------------------------------------------------

struct WeightsAttrs {
  std::int64_t heads = 1, taps = 1, offset = 0;
  bool samples = true;     // each has weights of its own; else their gradients are summed
  std::int64_t span = 1;   // positions whose gradients are summed
};
template <class F>
void describe(const WeightsAttrs& attrs, F&& field) {
  field("heads", attrs.heads);
  field("taps", attrs.taps);
  field("offset", attrs.offset);
  field("samples", attrs.samples);
  field("span", attrs.span);
}

void infer_weights(InferContext& context) {
  const auto& attrs = context.attrs.as<WeightsAttrs>();
  const Shape& x = context.shape(0);
  context.out = {{Shape{attrs.samples ? x[0] : 1, blocks_of(x[1], attrs.span), attrs.heads, attrs.taps}, DType::f32}};
}

// Iterations of one invocation.
std::uint64_t work_of(const WeightsAttrs& attrs, const Shape& x) {
  const std::int64_t channels = x[2] / attrs.heads;
  return nested_loops({attrs.samples ? 1 : x[0], blocks_of(attrs.span, rows), channels / channels_a_load(channels)});
}
bool supports_weights(const NodeView& node, const DeviceCaps& caps) {
  return loops_fit(caps, work_of(node.attrs<WeightsAttrs>(), node.in(0).shape));
}

void plan_weights(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<WeightsAttrs>();
  const Shape& x = node.in(0).shape;
  const std::int64_t channels = x[2] / attrs.heads;
  shader::DynamicConvWeightsSpec spec;
  spec.K = u32(attrs.taps);
  spec.ROWS = u32(rows);
  spec.VEC = channels_a_load(channels);
  spec.SUM = attrs.span > 1;
  shader::DynamicConvWeightsParams params{};
  params.T = u32(x[1]), params.C = u32(x[2]), params.H = u32(attrs.heads), params.channels = u32(channels);
  params.offset = u32(attrs.offset);
  params.span = u32(spec.SUM ? attrs.span : rows);
  params.blocks = u32(blocks_of(x[1], params.span));
  params.samples = attrs.samples ? 1 : u32(x[0]);
  params.n = u32((attrs.samples ? x[0] : 1) * params.blocks * attrs.heads * blocks_of(attrs.taps, spec.TAPS));
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("dynamic_conv1d_weights", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

bool decompose_weights(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<WeightsAttrs>();
  const CallSite site = builder.site;
  const Shape& x = node.in(0).shape;
  const std::int64_t B = x[0], T = x[1], H = attrs.heads, k = attrs.taps, blocks = blocks_of(T, attrs.span);
  if (x.elements() == 0) return false;
  const Tensor d = reshape(cast(in[1], DType::f32, site), {B, 1, T, H, x[2] / H}, site);
  const Tensor products = binary(Binary::mul, columns(in[0], H, k, attrs.offset, site), d, site);
  Tensor sums = permute(reduce(Reduce::sum, products, {.axes = {4}}, site), {0, 2, 3, 1}, site);  // [B,T,H,k]
  if (!attrs.samples) sums = reduce(Reduce::sum, sums, {.axes = {0}, .keep_dims = true}, site);
  if (attrs.span > 1) {
    const PadDesc whole{.amounts = {{0, blocks * attrs.span - T}, {0, 0}, {0, 0}}};
    sums = reduce(Reduce::sum, reshape(pad(sums, whole, site), {sums.dim(0), blocks, attrs.span, H, k}, site), {.axes = {2}}, site);
  }
  out[0] = sums;
  return true;
}

double flops_weights(const NodeView& node) {
  return 2 * static_cast<double>(node.in(0).shape.elements()) * static_cast<double>(node.attrs<WeightsAttrs>().taps);
}

constexpr Kernel weights_kernels[] = {{"dynamic_conv1d_weights", supports_weights, plan_weights}};

// With weights a position, the samples that share them are summed within an invocation: the gradient never has more
// elements than the weights. With weights a head, spans of positions leave little to sum.
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<DynamicConvAttrs>();
  const Shape &x = vjp.in_shape(0), &weight = vjp.in_shape(1);
  if (x.elements() == 0) return true;
  if (vjp.wants(0)) vjp.give(0, append_conv(vjp.d(), vjp.in(1), {attrs.offset, !attrs.transposed}, vjp.site));
  if (!vjp.wants(1)) return true;
  WeightsAttrs with{.heads = weight.at(-2), .taps = weight.at(-1), .offset = attrs.offset};
  const bool each_position = stride_of(weight, 3) != 0;
  with.samples = stride_of(weight, 4) != 0 || !each_position;
  if (!each_position) with.span = std::min<std::int64_t>(64, x[1]);
  const Tensor at = vjp.in(0), d = vjp.d();
  const std::array operands{attrs.transposed ? d : at, attrs.transposed ? at : d};
  vjp.give(1, append(dynamic_conv1d_weights_op, operands, ir::Attrs::of(with), vjp.site)[0]);
  return true;
}

}  // namespace

extern constexpr OpDef dynamic_conv1d_op{.name = "dynamic_conv1d", .infer = infer, .required_inputs = all_inputs,
                                         .operands = {"x", "weight"}, .decompose = decompose, .kernels = kernels, .vjp = vjp,
                                         .flops = flops};
extern constexpr OpDef dynamic_conv1d_weights_op{.name = "dynamic_conv1d_weights", .infer = infer_weights, .required_inputs = all_inputs,
                                                 .decompose = decompose_weights, .kernels = weights_kernels, .flops = flops_weights};

}  // namespace ops

Tensor dynamic_conv1d(Tensor x, Tensor weight, const DynamicConvDesc& desc, CallSite site) {
  const std::int64_t k = weight && weight.shape().rank() > 0 ? weight.dim(-1) : 1;
  return ops::append_conv(x, weight, {.offset = desc.offset.value_or(k / 2)}, site);
}

Tensor dynamic_conv1d_mask(Tensor like, std::int64_t T, std::int64_t k, const DynamicConvDesc& desc, CallSite site) {
  if (ops::nothing_to_do("dynamic_conv1d_mask", {like}, site)) return ops::poisoned(like);
  const auto refuse = [&](const auto&... why) { return ops::refuse(like, site, "dynamic_conv1d_mask: ", why...); };
  const std::int64_t offset = desc.offset.value_or(k / 2);
  if (T < 0 || k < 1) return refuse(T, " positions and ", k, " taps");
  if (offset < 0 || offset >= k) return refuse("offset ", offset, " is not in [0, ", k, "), the taps");
  if (T > INT32_MAX / k) return refuse(T, " positions of ", k, " taps are more than 2^31 - 1 elements");
  std::vector<std::int32_t> inside;
  for (std::int64_t t = 0; t < T; ++t)
    for (std::int64_t j = 0; j < k; ++j) inside.push_back(t + j - offset >= 0 && t + j - offset < T);
  return ops::constant(*like.graph(), {Shape{T, 1, k}, DType::boolean}, std::as_bytes(std::span(inside)), site);
}

}  // namespace fovea
