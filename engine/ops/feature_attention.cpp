// Attention with weights a feature, and its gradient; the weights are stored by the unfused form alone.

#include "base/enum_name.hpp"
#include "ops/additive.hpp"
#include "ops/compose.hpp"
#include "ops/strided.hpp"
#include "ops/term.hpp"
#include "ops/vjp.hpp"
#include "shaders/feature_attention.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace fovea {

const char* to_string(KeySide side) {
  static constexpr const char* names[] = {"both", "before", "after"};
  return enum_name(names, side);
}

namespace ops {
namespace {

// Operands q, k, x, mask. With stats a second result for the gradient, f32 [...,Lq,2A]: of every query the log-sum-exp of
// its scores and the result before it was rounded.
struct FeatureAttentionAttrs {
  Unary activation = Unary::tanh;
  float scale = 1;
  KeySide side = KeySide::both;
  bool stats = false;
};
template <class F>
void describe(const FeatureAttentionAttrs& attrs, F&& field) {
  field("activation", attrs.activation);
  field("scale", attrs.scale);
  field("side", attrs.side);
  field("stats", attrs.stats);
}

// feature_attention_backward: operands q, k, x, mask, stats and the gradient of the result; results are the gradients of q,
// and of k and x, where they are wanted.
struct FeatureAttentionBackwardAttrs {
  FeatureAttentionAttrs forward{};
  bool d_q = true, d_kx = true;
};
template <class F>
void describe(const FeatureAttentionBackwardAttrs& attrs, F&& field) {
  describe(attrs.forward, field);
  field("d_q", attrs.d_q);
  field("d_kx", attrs.d_kx);
}

Shape pairs_of(const Shape& q, const Shape& k) { return behind_leading_axes(q, {q.at(-2), k.at(-2)}); }
Shape stats_of(const Shape& q) { return behind_leading_axes(q, {q.at(-2), 2 * q.at(-1)}); }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<FeatureAttentionAttrs>();
  if (!additive_operands_are_right(context, "x", attrs.activation)) return;
  const Shape &q = context.shape(0), &k = context.shape(1);
  if (context.shape(2) != k) return context.fail("x has shape ", to_string(context.shape(2)), " and k ", to_string(k));
  if (!is_enumerator(attrs.side)) return context.fail(no_enumerator("side", attrs.side));
  if (!(attrs.scale > 0 && std::isfinite(attrs.scale)))
    return context.fail("scale is ", attrs.scale, ", not a positive finite number");
  if (context.has(3)) {
    const std::string fault = ir::mask_fault(context.shape(3), context.dtype(3), "[...,Lq,Lk] =", pairs_of(q, k));
    if (!fault.empty()) return context.fail(fault);
  }
  context.out = {{q, context.dtype(0)}};
  if (attrs.stats) context.out.push_back({stats_of(q), DType::f32});
}

void infer_backward(InferContext& context) {
  const auto& attrs = context.attrs.as<FeatureAttentionBackwardAttrs>();
  if (attrs.d_q) context.out.push_back({context.shape(0), context.dtype(0)});
  if (attrs.d_kx) context.out.insert(context.out.end(), 2, {context.shape(1), context.dtype(1)});
}

// ---- Kernels ------------------------------------------------------------------------------------------------------

constexpr std::int64_t most_length = std::int64_t{1} << 29;  // a row number and a band's offset in 32 bits

bool supports_length(const NodeView& node, const DeviceCaps& caps, std::int64_t iterations) {
  const AdditiveShape shape(node);
  return std::max(shape.Lq, shape.Lk) <= most_length && loops_fit(caps, nested_loops({iterations}));
}

// One launch whose lanes own rows of queries or of keys.
Launch launch_of(const NodeView& node, const DeviceCaps& caps, const char* stem, const FeatureAttentionAttrs& attrs,
                 std::uint32_t side) {
  const AdditiveShape shape(node);
  const std::int64_t owned = side == FEATURE_ATTENTION_KEYS ? shape.Lk : shape.Lq;
  shader::FeatureAttentionSpec spec;
  spec.WG = caps.type == DeviceType::cpu ? 16 : 64;
  spec.A = u32(shape.A);
  spec.ROWS = even_block(owned, caps.costly_unrolling ? 2 : 4);
  spec.ACTIVATION = additive_activation(attrs.activation);
  spec.STATS = attrs.stats;
  spec.SIDE = side;
  const std::int64_t beyond = shape.Lq + shape.Lk;
  shader::FeatureAttentionParams params{};
  const std::uint64_t groups = static_cast<std::uint64_t>(shape.B) * ceil_div(static_cast<std::uint64_t>(shape.A), spec.WG) *
                               ceil_div(static_cast<std::uint64_t>(owned), spec.ROWS);
  params.groups = u32(static_cast<std::int64_t>(groups));
  params.queries = u32(shape.Lq);
  params.keys = u32(shape.Lk);
  params.scale = attrs.scale;
  params.band_low = static_cast<std::int32_t>(attrs.side == KeySide::after ? 1 : -beyond);
  params.band_high = static_cast<std::int32_t>(attrs.side == KeySide::before ? -1 : beyond);
  if (node.has(3)) {
    const Shape &q = node.in(0).shape, pairs = pairs_of(q, node.in(1).shape);
    const ir::Strides strides[] = {ir::broadcast_strides(node.in(3).shape, pairs)};
    const auto last = static_cast<std::size_t>(pairs.rank() - 1);
    const StridedWalk walk = collapse(behind_leading_axes(q, {}), strides);
    spec.MASK = 1;
    spec.AXES = u32(static_cast<std::int64_t>(walk.extents.size()));
    params.mask_i = u32(strides[0][last - 1]), params.mask_j = u32(strides[0][last]);
    for (std::size_t i = 0; i < walk.extents.size(); ++i)
      params.extents[i] = u32(walk.extents[i]), params.mask_strides[i] = u32(walk.strides[0][i]);
  }
  Launch launch;
  launch.shader = shader_for(stem, node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), in(2), node.has(3) ? in(3) : unused()};
  launch.groups = flat_groups(groups, 1, caps);
  return launch;
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  return supports_length(node, caps, AdditiveShape(node).Lk / shader::FeatureAttentionSpec{}.KEYS + 1);
}
void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<FeatureAttentionAttrs>();
  Launch& launch = plan.launches.emplace_back(launch_of(node, caps, "feature_attention", attrs, FEATURE_ATTENTION_QUERIES));
  launch.operands.insert(launch.operands.end(), {out(0), attrs.stats ? out(1) : unused(Access::write)});
}

bool supports_backward(const NodeView& node, const DeviceCaps& caps) {
  const AdditiveShape shape(node);
  return supports_length(node, caps, std::max(shape.Lq, shape.Lk));
}
void plan_backward(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<FeatureAttentionBackwardAttrs>();
  const auto launch = [&](std::uint32_t side, LaunchOperand d_a, LaunchOperand d_x) {
    Launch& one = plan.launches.emplace_back(launch_of(node, caps, "feature_attention_backward", attrs.forward, side));
    one.operands.insert(one.operands.end(), {in(4), in(5), d_a, d_x});
  };
  std::uint32_t next = 0;
  if (attrs.d_q) launch(FEATURE_ATTENTION_QUERIES, out(next++), unused(Access::write));
  if (attrs.d_kx) launch(FEATURE_ATTENTION_KEYS, out(next), out(next + 1));
}

constexpr Kernel kernels[] = {{"feature_attention", supports, plan}};
constexpr Kernel backward_kernels[] = {{"feature_attention_backward", supports_backward, plan_backward}};

// ---- The same with scores and weights stored ----------------------------------------------------------------------

// What queries see, [B or 1, Lq, Lk, 1]; absent: everything.
Tensor seen_of(Builder& builder, const NodeView& node, const AdditiveShape& shape, KeySide side, Tensor mask) {
  const CallSite site = builder.site;
  Tensor seen;
  if (side != KeySide::both) {
    const Tensor query = iota_i32(builder.graph, {1, shape.Lq, 1, 1}), key = iota_i32(builder.graph, {1, 1, shape.Lk, 1});
    seen = binary(side == KeySide::before ? Binary::less : Binary::greater, key, query, site);
  }
  if (mask) {
    const Tensor spread = broadcast_to(mask, pairs_of(node.in(0).shape, node.in(1).shape), site);
    const Tensor given = reshape(spread, {shape.B, shape.Lq, shape.Lk, 1}, site);
    seen = seen ? binary(Binary::logical_and, seen, given, site) : given;
  }
  return seen;
}

// The scores [B,Lq,Lk,A] and what they are made of, in f32.
struct Scores {
  Term z, t, masked;  // (q + k)/c where seen, act(z), c·t or -inf
  Tensor seen;
};
// 0 where a query does not see a key, whatever stands there.
Term where_seen(const Scores& scores, Term x) { return scores.seen ? choose({scores.seen, x.site}, x, 0) : x; }

Scores scores_of(Builder& builder, const NodeView& node, const FeatureAttentionAttrs& attrs, std::span<const Tensor> in) {
  const AdditiveShape shape(node);
  const double c = static_cast<double>(attrs.scale);
  Scores scores;
  scores.seen = seen_of(builder, node, shape, attrs.side, in.size() > 3 ? in[3] : Tensor());
  scores.z = where_seen(scores, Term{sums_of_pairs(shape, in[0], in[1], builder.site), builder.site} * (1 / c));
  scores.t = of(attrs.activation, scores.z);
  scores.masked = scores.t * c;
  if (scores.seen) scores.masked = choose({scores.seen, builder.site}, scores.masked, -std::numeric_limits<double>::infinity());
  return scores;
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const AdditiveShape shape(node);
  const auto& attrs = node.attrs<FeatureAttentionAttrs>();
  const CallSite site = builder.site;
  const Scores scores = scores_of(builder, node, attrs, in);
  const Term w{softmax(scores.masked.tensor, {.axis = 2, .zero_empty_rows = true}, site), site};
  const Term x = shaped(ops::in(DType::f32, {in[2], site}), {shape.B, 1, shape.Lk, shape.A});
  const Term y = of(Reduce::sum, where_seen(scores, w * x), {2});
  const Shape& q = node.in(0).shape;
  out[0] = ops::in(node.out(0).dtype, shaped(y, q)).tensor;
  if (attrs.stats) {
    const Term lse = of(Reduce::logsumexp, scores.masked, {2});
    out[1] = concat({shaped(lse, q).tensor, shaped(y, q).tensor}, -1, site);
  }
  return true;
}

bool decompose_backward(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const AdditiveShape shape(node);
  const auto& attrs = node.attrs<FeatureAttentionBackwardAttrs>();
  const CallSite site = builder.site;
  const Scores scores = scores_of(builder, node, attrs.forward, in.first(4));
  const Term w{softmax(scores.masked.tensor, {.axis = 2, .zero_empty_rows = true}, site), site};
  const auto of_queries = [&](Tensor t) { return shaped(ops::in(DType::f32, {t, site}), {shape.B, shape.Lq, 1, shape.A}); };
  const Term x = shaped(ops::in(DType::f32, {in[2], site}), {shape.B, 1, shape.Lk, shape.A});
  const Term y = of_queries(slice(in[4], {.axis = -1, .start = shape.A}, site)), parts = w * of_queries(in[5]);
  const Term d_score = where_seen(scores, parts * (x - y));
  const Term d_z{unary_vjp(attrs.forward.activation, d_score.tensor, scores.z.tensor, scores.t.tensor, site), site};
  std::size_t next = 0;
  const auto give = [&](Term terms, std::int64_t axis) {
    const ir::Type& type = node.out(next);
    out[next++] = ops::in(type.dtype, shaped(of(Reduce::sum, terms, {axis}), type.shape)).tensor;
  };
  if (attrs.d_q) give(d_z, 2);
  if (attrs.d_kx) give(d_z, 1), give(where_seen(scores, parts), 1);
  return true;
}

// ---- Gradient -----------------------------------------------------------------------------------------------------

bool vjp(Vjp& vjp) {
  FeatureAttentionAttrs attrs = vjp.attrs<FeatureAttentionAttrs>();
  const bool had_stats = std::exchange(attrs.stats, true);
  if (had_stats && vjp.d(1)) return false;  // a gradient of the gradient
  const ir::Type type{stats_of(vjp.in_shape(0)), DType::f32};
  const Tensor stats = had_stats ? vjp.out(1) : vjp.add_result(ir::Attrs::of(attrs), type);
  const FeatureAttentionBackwardAttrs backward{attrs, vjp.wants(0), vjp.wants(1) || vjp.wants(2)};
  const Tensor in[] = {vjp.in(0), vjp.in(1), vjp.in(2), vjp.in(3), stats, vjp.d()};
  const std::vector<Tensor> d = append(feature_attention_backward_op, in, ir::Attrs::of(backward), vjp.site);
  if (backward.d_q) vjp.give(0, d[0]);
  if (backward.d_kx) vjp.give(1, d[backward.d_q]), vjp.give(2, d[backward.d_q + 1u]);
  return true;
}

// Activation, exponential and four sums and products for every pair and feature; the gradient makes as many again, and
// three more, for each side.
double flops(const NodeView& node) { return 6 * AdditiveShape(node).terms(); }
double flops_backward(const NodeView& node) {
  const auto& attrs = node.attrs<FeatureAttentionBackwardAttrs>();
  return 9 * AdditiveShape(node).terms() * ((attrs.d_q ? 1 : 0) + (attrs.d_kx ? 1 : 0));
}

}  // namespace

extern constexpr OpDef feature_attention_op{.name = "feature_attention",
                                            .infer = infer,
                                            .required_inputs = 3,
                                            .operands = {"q", "k", "x"},
                                            .decompose = decompose,
                                            .kernels = kernels,
                                            .vjp = vjp,
                                            .flops = flops};
extern constexpr OpDef feature_attention_backward_op{.name = "feature_attention_backward",
                                                     .infer = infer_backward,
                                                     .required_inputs = 3,
                                                     .decompose = decompose_backward,
                                                     .kernels = backward_kernels,
                                                     .flops = flops_backward};

}  // namespace ops

Tensor feature_attention(Tensor q, Tensor k, Tensor x, const FeatureAttentionDesc& desc, CallSite site) {
  const ops::FeatureAttentionAttrs attrs{desc.activation, desc.scale, desc.side, false};
  return ops::append_one(ops::feature_attention_op, {q, k, x, desc.mask}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
