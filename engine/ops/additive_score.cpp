// Σ v·act(q + k) for every pair of query and key, and its gradient; the sums of pairs are stored by the unfused form alone.

#include "ops/additive.hpp"
#include "ops/vjp.hpp"
#include "shaders/additive_score.h"

#include <algorithm>

namespace fovea {
namespace ops {
namespace {

struct AdditiveScoreAttrs {
  Unary activation = Unary::tanh;
};
template <class F>
void describe(const AdditiveScoreAttrs& attrs, F&& field) {
  field("activation", attrs.activation);
}

// additive_score_backward: operands q, k, v and the gradient of the scores; results are the gradients of q and of k, and
// that of v apart for every query [...,Lq,A] in f32, where they are wanted.
struct AdditiveScoreBackwardAttrs {
  Unary activation = Unary::tanh;
  bool d_q = true, d_k = true, d_v = true;
};
template <class F>
void describe(const AdditiveScoreBackwardAttrs& attrs, F&& field) {
  field("activation", attrs.activation);
  field("d_q", attrs.d_q);
  field("d_k", attrs.d_k);
  field("d_v", attrs.d_v);
}

void infer(InferContext& context) {
  if (!additive_operands_are_right(context, "v", context.attrs.as<AdditiveScoreAttrs>().activation)) return;
  const Shape &q = context.shape(0), &v = context.shape(2);
  if (v.rank() < 1 || v.rank() > 2 || (v.rank() == 2 && q.rank() < 3))
    return context.fail("v has shape ", to_string(v), ", not [A]", q.rank() < 3 ? "" : " or [H,A]");
  if (v.at(-1) != q.at(-1)) return context.fail("v has ", v.at(-1), " features and q has ", q.at(-1), " (axis ", q.rank() - 1, ')');
  if (v.rank() == 2 && v[0] != q.at(-3))
    return context.fail("v has ", v[0], " heads (axis 0) and q has ", q.at(-3), " (axis ", q.rank() - 3, ')');
  context.out = {{behind_leading_axes(q, {q.at(-2), context.shape(1).at(-2)}), context.dtype(0)}};
}

void infer_backward(InferContext& context) {
  const auto& attrs = context.attrs.as<AdditiveScoreBackwardAttrs>();
  if (attrs.d_q) context.out.push_back({context.shape(0), context.dtype(0)});
  if (attrs.d_k) context.out.push_back({context.shape(1), context.dtype(1)});
  if (attrs.d_v) context.out.push_back({context.shape(0), DType::f32});
}

std::int64_t heads_of(const NodeView& node) { return node.in(2).shape.rank() == 2 ? node.in(2).shape[0] : 1; }

// ---- Kernels ------------------------------------------------------------------------------------------------------

bool is_cpu(const DeviceCaps& caps) { return caps.type == DeviceType::cpu; }

constexpr std::int64_t rows_a_lane = 4;  // 8 gain nothing and compile half as long again

// Parts of the other side that groups take each: one, or several whose sums are added up afterwards.
struct Parts {
  std::int64_t count = 1, length = 0;
};

// Scores of one side's rows with the other's; `groups` workgroups for each part.
void fill(Launch& launch, const NodeView& node, const DeviceCaps& caps, const char* stem, const shader::AdditiveScoreSpec& spec,
          bool owns_queries, std::uint64_t groups, const Parts& parts) {
  const AdditiveShape shape(node);
  const std::int64_t owned = owns_queries ? shape.Lq : shape.Lk, others = owns_queries ? shape.Lk : shape.Lq;
  const std::int64_t step = owns_queries ? shape.Lk : 1, other_step = owns_queries ? 1 : shape.Lk;
  groups *= static_cast<std::uint64_t>(parts.count);
  launch.shader = shader_for(stem, node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(shader::AdditiveScoreParams{u32(static_cast<std::int64_t>(groups)), u32(owned), u32(others), u32(step),
                                              u32(other_step), u32(heads_of(node)), u32(parts.count), u32(parts.length),
                                              u32(shape.B * owned)});
  launch.operands = {in(owns_queries ? 0 : 1), in(owns_queries ? 1 : 0), in(2)};
  launch.groups = flat_groups(groups, 1, caps);
}
std::uint64_t blocks(std::int64_t rows, std::uint32_t of) { return ceil_div(static_cast<std::uint64_t>(rows), of); }

// More where loads are dear, as far as compiling allows: lavapipe 22 takes half the time with 16 pairs a lane, while 26
// gains nothing.
std::uint32_t owned_rows_a_lane(const DeviceCaps& caps, std::int64_t owned, const shader::AdditiveScoreSpec& spec) {
  if (!caps.costly_loads) return 1;
  const std::uint64_t most = (caps.costly_unrolling ? 4 : 16) / spec.ROWS;
  return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(blocks(owned, spec.WG), 1, most));
}

bool supports(const NodeView& node, const DeviceCaps& caps) { return loops_fit(caps, nested_loops({AdditiveShape(node).A / 4 + 1})); }

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const AdditiveShape shape(node);
  const std::int64_t longer = std::max(shape.Lq, shape.Lk), shorter = std::min(shape.Lq, shape.Lk);
  shader::AdditiveScoreSpec spec;
  spec.WG = is_cpu(caps) ? 16 : 64;
  spec.A = u32(shape.A);
  spec.ROWS = even_block(shorter, rows_a_lane);
  spec.OWN = owned_rows_a_lane(caps, longer, spec);
  spec.ACTIVATION = additive_activation(node.attrs<AdditiveScoreAttrs>().activation);
  const std::uint64_t groups = static_cast<std::uint64_t>(shape.B) * blocks(longer, spec.WG * spec.OWN) * blocks(shorter, spec.ROWS);
  Launch& launch = plan.launches.emplace_back();
  fill(launch, node, caps, "additive_score", spec, shape.Lq > shape.Lk, groups, {1, shorter});
  launch.operands.push_back(out(0));
}

// One side of the gradient: the rows summed for, and those summed over.
struct Side {
  bool owns_queries;
  std::int64_t owned, others;
  shader::AdditiveScoreSpec spec;
  std::uint64_t groups;  // without parts
};
Side side_of(const NodeView& node, const DeviceCaps& caps, bool owns_queries) {
  const AdditiveShape shape(node);
  const auto& attrs = node.attrs<AdditiveScoreBackwardAttrs>();
  Side side{owns_queries, owns_queries ? shape.Lq : shape.Lk, owns_queries ? shape.Lk : shape.Lq, {}, 0};
  side.spec.WG = is_cpu(caps) ? 16 : 64;
  side.spec.A = u32(shape.A);
  side.spec.ROWS = even_block(side.owned, rows_a_lane);
  side.spec.ACTIVATION = additive_activation(attrs.activation);
  side.spec.D_ROWS = owns_queries ? attrs.d_q : attrs.d_k;
  side.spec.D_V = owns_queries && attrs.d_v;
  side.groups = static_cast<std::uint64_t>(shape.B) * blocks((shape.A + 3) / 4, side.spec.WG) * blocks(side.owned, side.spec.ROWS);
  return side;
}
bool is_wanted(const Side& side) { return side.spec.D_ROWS || side.spec.D_V; }

// While groups are too few to fill the device and parts stay long, or where a loop's limit wants it.
Parts parts_of(const Side& side, const DeviceCaps& caps) {
  const auto wanted = static_cast<std::int64_t>(ceil_div(is_cpu(caps) ? 16 : 512, std::max<std::uint64_t>(1, side.groups)));
  const std::int64_t least = caps.max_loop_iterations ? side.others / (caps.max_loop_iterations / 2) + 1 : 1;
  const std::int64_t count = std::max({std::int64_t{2}, least, std::min(wanted, side.others / 64)});
  const std::int64_t length = std::max<std::int64_t>((side.others + count - 1) / count, 1);
  return {std::max<std::int64_t>((side.others + length - 1) / length, 1), length};
}
bool gains_by_parts(const Side& side, const DeviceCaps& caps) {
  if (!is_wanted(side) || side.groups == 0) return false;
  return !loops_fit(caps, nested_loops({side.others})) || (side.others >= (is_cpu(caps) ? 16384 : 256) && side.groups < (is_cpu(caps) ? 4 : 128));
}
std::uint64_t bytes_of_parts(const NodeView& node, const Side& side, const Parts& parts) {
  const AdditiveShape shape(node);
  return 8 * static_cast<std::uint64_t>(parts.count * shape.B * side.owned * shape.A);
}

void add_side(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, Side side, const Parts& parts, LaunchOperand d_rows,
              LaunchOperand d_v) {
  side.spec.PARTIAL = parts.count > 1;
  Launch& walk = plan.launches.emplace_back();
  fill(walk, node, caps, "additive_score_backward", side.spec, side.owns_queries, side.groups, parts);
  if (parts.count == 1) {
    walk.operands.insert(walk.operands.end(), {in(3), d_rows, d_v});
    return;
  }
  const auto scratch = static_cast<std::uint32_t>(plan.scratch_bytes.size());
  plan.scratch_bytes.push_back(bytes_of_parts(node, side, parts));
  walk.operands.insert(walk.operands.end(), {in(3), unused(Access::write), scratch_write(scratch)});
  const std::vector<std::byte> push = walk.push;
  Launch& sum = plan.launches.emplace_back();
  sum.shader = shader_for("additive_score_sum", node.in(0).dtype);
  side.spec.WG = 64;
  sum.set_constants(side.spec);
  sum.push = push;
  sum.operands = {scratch_read(scratch), in(2), d_rows, d_v};
  sum.groups = flat_groups(static_cast<std::uint64_t>(AdditiveShape(node).B * side.owned) * side.spec.A, side.spec.WG, caps);
}

// in_parts: sides that gain by it are split, or all where none does.
void plan_sides(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, bool in_parts) {
  const auto& attrs = node.attrs<AdditiveScoreBackwardAttrs>();
  const Side queries = side_of(node, caps, true), keys = side_of(node, caps, false);
  const bool any = !gains_by_parts(queries, caps) && !gains_by_parts(keys, caps);
  const auto parts = [&](const Side& side) {
    return in_parts && (any || gains_by_parts(side, caps)) ? parts_of(side, caps) : Parts{1, side.others};
  };
  std::uint32_t next = 0;
  const LaunchOperand none = unused(Access::write);
  const LaunchOperand d_q = attrs.d_q ? out(next++) : none, d_k = attrs.d_k ? out(next++) : none, d_v = attrs.d_v ? out(next) : none;
  if (is_wanted(queries)) add_side(node, caps, plan, queries, parts(queries), d_q, d_v);
  if (is_wanted(keys)) add_side(node, caps, plan, keys, parts(keys), d_k, none);
}

bool supports_backward(const NodeView& node, const DeviceCaps& caps) {
  const AdditiveShape shape(node);
  return loops_fit(caps, nested_loops({std::max(shape.Lq, shape.Lk)}));
}
void plan_backward(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) { plan_sides(node, caps, plan, false); }

bool supports_split(const NodeView& node, const DeviceCaps& caps) {
  for (const bool owns_queries : {true, false}) {
    const Side side = side_of(node, caps, owns_queries);
    if (is_wanted(side) && (side.groups == 0 || bytes_of_parts(node, side, parts_of(side, caps)) > caps.max_storage_range)) return false;
  }
  return true;
}
bool prefers_split(const NodeView& node, const DeviceCaps& caps) {
  return gains_by_parts(side_of(node, caps, true), caps) || gains_by_parts(side_of(node, caps, false), caps);
}
void plan_split(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) { plan_sides(node, caps, plan, true); }

constexpr Kernel kernels[] = {{"additive_score", supports, plan}};
constexpr Kernel backward_kernels[] = {
    {"additive_score_backward_split", supports_split, plan_split, prefers_split},
    {"additive_score_backward", supports_backward, plan_backward},
};

// ---- The same with the sums of pairs stored -----------------------------------------------------------------------

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const AdditiveShape shape(node);
  const CallSite site = builder.site;
  const std::int64_t heads = heads_of(node), outer = heads == 0 ? 0 : shape.B / heads;
  const Tensor y = unary(node.attrs<AdditiveScoreAttrs>().activation, sums_of_pairs(shape, in[0], in[1], site), site);
  const Tensor columns = reshape(cast(in[2], DType::f32, site), {heads, shape.A, 1}, site);
  const Tensor e = matmul(reshape(y, {outer, heads, shape.Lq * shape.Lk, shape.A}, site), columns, {}, site);
  out[0] = cast(reshape(e, node.out(0).shape.extents(), site), node.out(0).dtype, site);
  return true;
}

bool decompose_backward(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const AdditiveShape shape(node);
  const auto& attrs = node.attrs<AdditiveScoreBackwardAttrs>();
  const CallSite site = builder.site;
  const std::int64_t heads = heads_of(node), outer = heads == 0 ? 0 : shape.B / heads;
  const auto times = [&](Tensor a, Tensor b) { return binary(Binary::mul, a, b, site); };
  const Tensor x = sums_of_pairs(shape, in[0], in[1], site), y = unary(attrs.activation, x, site);
  const Tensor d_e = reshape(cast(in[3], DType::f32, site), {shape.B, shape.Lq, shape.Lk, 1}, site);
  const Tensor v_of_heads = reshape(cast(in[2], DType::f32, site), {1, heads, shape.A}, site);
  const Tensor v = reshape(broadcast_to(v_of_heads, {outer, heads, shape.A}, site), {shape.B, 1, 1, shape.A}, site);
  const Tensor d_x = unary_vjp(attrs.activation, times(d_e, v), x, y, site);
  std::size_t next = 0;
  const auto give = [&](Tensor terms, std::int64_t axis) {
    const ir::Type& type = node.out(next);
    const Tensor sum = reduce(Reduce::sum, terms, {.axes = {axis}}, site);
    out[next++] = cast(reshape(sum, type.shape.extents(), site), type.dtype, site);
  };
  if (attrs.d_q) give(d_x, 2);
  if (attrs.d_k) give(d_x, 1);
  if (attrs.d_v) give(times(d_e, y), 2);
  return true;
}

// ---- Gradient -----------------------------------------------------------------------------------------------------

bool vjp(Vjp& vjp) {
  const AdditiveScoreBackwardAttrs attrs{vjp.attrs<AdditiveScoreAttrs>().activation, vjp.wants(0), vjp.wants(1), vjp.wants(2)};
  const Tensor in[] = {vjp.in(0), vjp.in(1), vjp.in(2), vjp.d()};
  const std::vector<Tensor> d = append(additive_score_backward_op, in, ir::Attrs::of(attrs), vjp.site);
  std::size_t next = 0;
  if (attrs.d_q) vjp.give(0, d[next++]);
  if (attrs.d_k) vjp.give(1, d[next++]);
  if (attrs.d_v) vjp.give(2, reduce(Reduce::sum, d[next], {.axes = {-2}}, vjp.site));
  return true;
}

// Two sums, a product and the activation for every pair and feature; the gradient makes these again for each side.
double flops(const NodeView& node) { return 4 * AdditiveShape(node).terms(); }
double flops_backward(const NodeView& node) {
  const auto& attrs = node.attrs<AdditiveScoreBackwardAttrs>();
  return 8 * AdditiveShape(node).terms() * ((attrs.d_q || attrs.d_v ? 1 : 0) + (attrs.d_k ? 1 : 0));
}

}  // namespace

extern constexpr OpDef additive_score_op{.name = "additive_score",
                                         .infer = infer,
                                         .required_inputs = 3,
                                         .operands = {"q", "k", "v"},
                                         .decompose = decompose,
                                         .kernels = kernels,
                                         .vjp = vjp,
                                         .flops = flops};
extern constexpr OpDef additive_score_backward_op{.name = "additive_score_backward",
                                                  .infer = infer_backward,
                                                  .required_inputs = all_inputs,
                                                  .decompose = decompose_backward,
                                                  .kernels = backward_kernels,
                                                  .flops = flops_backward};

}  // namespace ops

Tensor additive_score(Tensor q, Tensor k, Tensor v, const AdditiveScoreDesc& desc, CallSite site) {
  return ops::append_one(ops::additive_score_op, {q, k, v}, ir::Attrs::of(ops::AdditiveScoreAttrs{desc.activation}), site);
}

}  // namespace fovea
