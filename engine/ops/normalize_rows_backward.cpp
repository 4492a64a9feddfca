// Gradients of normalised rows: with respect to x, and to the weight and bias.

#include "ops/normalize_rows.hpp"

#include "shaders/normalize_rows_backward.h"
#include "shaders/normalize_rows_weights.h"

#include <algorithm>

namespace fovea::ops {
namespace {

// Operands.
enum : std::uint8_t { of_d, of_weight, of_x, of_inverse, of_mean, of_added };  // of normalize_rows_backward
enum : std::uint8_t { weights_d, weights_x, weights_inverse, weights_mean };  // of normalize_rows_weights

void infer_backward(InferContext& context) { context.out = {{context.shape(of_x), context.dtype(of_x)}}; }
void infer_weights(InferContext& context) {
  const auto& attrs = context.attrs.as<NormalizeRowsWeightsAttrs>();
  context.out.assign(std::size_t{attrs.weight} + std::size_t{attrs.bias}, {Shape{attrs.count}, DType::f32});
}

// ---- Of x ---------------------------------------------------------------------------------------------------------

RowLayout layout_of(const NodeView& node, const DeviceCaps& caps, RowSharing sharing) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  return row_layout(width_of(attrs, node.in(of_x).shape), attrs.run, 2, caps, sharing);  // the gradient and what was normalised
}

template <RowSharing sharing>
bool supports(const NodeView& node, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  if (sharing == RowSharing::subgroups && caps.subgroup_size < 2) return false;
  return fits_rows(layout_of(node, caps, sharing), attrs.rows, width_of(attrs, node.in(of_x).shape), caps);
}

template <RowSharing sharing>
void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  const RowLayout layout = layout_of(node, caps, sharing);
  const std::int64_t width = width_of(attrs, node.in(of_x).shape);
  shader::NormalizeRowsBackwardSpec spec;
  layout.set(spec);
  spec.CENTRED = attrs.centred;
  spec.WEIGHT = type_of_weights(node, of_weight);
  spec.RUNS = attrs.run > 1;
  spec.ADDED = node.has(of_added);
  Launch& launch = plan.launches.emplace_back();
  launch.shader = layout.shader("normalize_rows_backward", node.in(of_x).dtype);
  launch.set_constants(spec);
  launch.set_push(normalize_params(attrs, width, node.has(of_weight) ? node.in(of_weight).shape[0] : width / attrs.run));
  for (std::uint32_t i = 0; i <= of_added; ++i) launch.operands.push_back(node.has(i) ? in(i) : unused());
  launch.operands.push_back(out(0));
  launch.groups = flat_groups(width == 0 ? 0 : static_cast<std::uint64_t>(attrs.rows), layout.rows_of_group(), caps);
}

bool subgroups_first(const NodeView& node, const DeviceCaps& caps) {
  return prefers_subgroups(width_of(node.attrs<NormalizeRowsAttrs>(), node.in(of_x).shape), caps);
}

constexpr Kernel kernels[] = {
    {"normalize_rows_backward_subgroups", supports<RowSharing::subgroups>, plan<RowSharing::subgroups>, subgroups_first},
    {"normalize_rows_backward_lane", supports<RowSharing::lane>, plan<RowSharing::lane>, lane_first},
    {"normalize_rows_backward_group", supports<RowSharing::group>, plan<RowSharing::group>},
};

// What was normalised.
Term normal_of(const RowShapes& as, Term x, Tensor inverse, Tensor mean) {
  Term normal = shaped(in(DType::f32, x), as.rows);
  if (mean) normal = normal - shaped({mean, x.site}, as.statistics);
  return normal * shaped({inverse, x.site}, as.statistics);
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  const auto& [shape, dtype] = node.out(0);
  const CallSite site = builder.site;
  const auto real = [&](std::size_t i) { return ops::in(DType::f32, Term{in[i], site}); };
  const RowShapes as = row_shapes(attrs, shape, node.has(of_weight) ? node.in(of_weight).shape[0] : 0);
  Term g = shaped(real(of_d), as.rows);
  if (node.has(of_weight)) g = g * shaped(real(of_weight), as.weights);
  const Term normal = normal_of(as, {in[of_x], site}, in[of_inverse], attrs.centred ? in[of_mean] : Tensor());
  Term d = g - normal * of(Reduce::mean, g * normal, {2, 3});
  if (attrs.centred) d = d - of(Reduce::mean, g, {2, 3});
  Term dx = shaped(d * shaped({in[of_inverse], site}, as.statistics), shape);
  if (node.has(of_added)) dx = dx + real(of_added);
  out[0] = ops::in(dtype, dx).tensor;
  return true;
}

// What comes by another way, a residual connection's.
bool absorb(const NodeView& node, const Follower& follower, std::vector<Tensor>& in, ir::Attrs&) {
  if (!follower.added || node.has(of_added) || follower.added.shape() != node.out(0).shape) return false;
  in[of_added] = follower.added;
  return true;
}

// ---- Of weight and bias -------------------------------------------------------------------------------------------

// x as [outer, count, run].
struct Runs {
  std::int64_t outer, count, run;
};
Runs runs_of(const NodeView& node) {
  const auto& attrs = node.attrs<NormalizeRowsWeightsAttrs>();
  const std::int64_t of_one = attrs.count * attrs.forward.run;
  return {of_one == 0 ? 0 : node.in(weights_x).shape.elements() / of_one, attrs.count, attrs.forward.run};
}

shader::NormalizeRowsWeightsSpec weights_spec(const NodeView& node, const DeviceCaps& caps, RowSharing sharing) {
  const auto& attrs = node.attrs<NormalizeRowsWeightsAttrs>();
  const Runs runs = runs_of(node);
  const bool cpu = caps.type == DeviceType::cpu;
  shader::NormalizeRowsWeightsSpec spec;
  spec.WG = sharing == RowSharing::subgroups ? caps.subgroup_size : cpu && sharing == RowSharing::lane ? 32 : 128;
  spec.LANES = sharing == RowSharing::lane ? 1 : spec.WG;
  const std::int64_t weights_of_row = width_of(attrs.forward, node.in(weights_x).shape) / runs.run;
  spec.VEC = runs.run > 1 ? runs.run % 4 == 0 : weights_of_row > 0 && weights_of_row % 4 == 0;
  spec.CENTRED = attrs.forward.centred;
  spec.RUNS = runs.run > 1;
  spec.WEIGHT = attrs.weight;
  spec.BIAS = attrs.bias;
  return spec;
}

// Chunks of the outer index: enough to occupy the device, each long enough to pay.
std::int64_t chunks_of(const Runs& runs, const shader::NormalizeRowsWeightsSpec& spec, const DeviceCaps& caps) {
  const bool cpu = caps.type == DeviceType::cpu;
  const std::int64_t own = spec.RUNS == 0 && spec.VEC != 0 ? 4 : 1;
  const std::int64_t invocations = std::max<std::int64_t>(runs.count / own * spec.LANES, 1), wanted = cpu ? 1 << 10 : 1 << 16;
  const std::int64_t least = std::max<std::int64_t>(16 * std::int64_t{spec.LANES} / runs.run, 1);  // outer indices of a chunk
  return std::clamp<std::int64_t>(wanted / invocations, 1, std::max<std::int64_t>(runs.outer / least, 1));
}
std::int64_t chunk_of(const Runs& runs, const shader::NormalizeRowsWeightsSpec& spec, const DeviceCaps& caps) {
  const std::int64_t chunks = chunks_of(runs, spec, caps);
  return std::max<std::int64_t>((runs.outer + chunks - 1) / chunks, 1);
}

template <RowSharing sharing>
bool supports_weights(const NodeView& node, const DeviceCaps& caps) {
  if (sharing == RowSharing::subgroups && caps.subgroup_size < 2) return false;
  const Runs runs = runs_of(node);
  if (sharing != RowSharing::lane && runs.run == 1) return false;  // neighbours have other weights
  if (sharing == RowSharing::lane && caps.type != DeviceType::cpu && runs.run > 4) return false;
  const auto spec = weights_spec(node, caps, sharing);
  const std::int64_t of_lane = runs.run / ((spec.VEC != 0 ? 4 : 1) * std::int64_t{spec.LANES}) + 1;
  return loops_fit(caps, nested_loops({chunk_of(runs, spec, caps), of_lane}));
}

template <RowSharing sharing>
void plan_weights(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<NormalizeRowsWeightsAttrs>();
  const Runs runs = runs_of(node);
  shader::NormalizeRowsWeightsSpec spec = weights_spec(node, caps, sharing);
  const std::int64_t chunk = chunk_of(runs, spec, caps), width = width_of(attrs.forward, node.in(weights_x).shape);
  shader::NormalizeRowsWeightsParams params{};
  params.outer = u32(runs.outer), params.count = u32(runs.count), params.width = u32(runs.run);
  params.weights = u32(std::max<std::int64_t>(width / runs.run, 1));
  params.chunk = u32(chunk);
  params.chunks = u32(std::max<std::int64_t>((runs.outer + chunk - 1) / chunk, 1));
  const bool whole = params.chunks == 1;
  if (!whole) plan.scratch_bytes = {std::uint64_t{2} * params.count * params.chunks * 4};
  const auto launch = [&](std::uint32_t stage, const ShaderInfo* shader, std::uint64_t items) {
    spec.STAGE = stage;
    Launch& one = plan.launches.emplace_back();
    one.shader = shader;
    one.set_constants(spec);
    one.set_push(params);
    const bool combines = stage == NORMALIZE_WEIGHTS_COMBINE;
    for (std::uint32_t i = 0; i < 4; ++i) one.operands.push_back(!combines && node.has(i) ? in(i) : unused());
    one.operands.push_back(combines ? scratch_read(0) : unused());
    const bool partial = stage == NORMALIZE_WEIGHTS_PARTIAL;
    one.operands.push_back(partial ? scratch_write(0) : attrs.weight ? out(0) : unused(Access::write));
    one.operands.push_back(!partial && attrs.bias ? out(attrs.weight) : unused(Access::write));
    one.groups = flat_groups(items, spec.LANES == 1 ? spec.WG : 1, caps);
  };
  const DType dtype = node.in(weights_x).dtype;
  const char* stem = sharing == RowSharing::subgroups ? "normalize_rows_weights.subgroup" : "normalize_rows_weights.memory";
  const std::uint64_t owners = params.count / (spec.RUNS == 0 && spec.VEC != 0 ? 4u : 1u);
  launch(whole ? NORMALIZE_WEIGHTS_WHOLE : NORMALIZE_WEIGHTS_PARTIAL, shader_for(stem, dtype), owners * params.chunks);
  if (whole) return;
  if (caps.type != DeviceType::cpu) spec.LANES = spec.WG = sharing == RowSharing::subgroups ? spec.WG : 64;
  launch(NORMALIZE_WEIGHTS_COMBINE, shader_for(stem, dtype), params.count);
}

bool gpu_first(const NodeView&, const DeviceCaps& caps) { return caps.type != DeviceType::cpu; }

constexpr Kernel weights_kernels[] = {
    {"normalize_rows_weights_subgroup", supports_weights<RowSharing::subgroups>, plan_weights<RowSharing::subgroups>},
    {"normalize_rows_weights_group", supports_weights<RowSharing::group>, plan_weights<RowSharing::group>, gpu_first},
    {"normalize_rows_weights_lane", supports_weights<RowSharing::lane>, plan_weights<RowSharing::lane>},
};

bool decompose_weights(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<NormalizeRowsWeightsAttrs>();
  const CallSite site = builder.site;
  const RowShapes as = row_shapes(attrs.forward, node.in(weights_x).shape, attrs.count);
  const Term d = shaped(ops::in(DType::f32, Term{in[weights_d], site}), as.rows);
  const auto give = [&](Term terms, Tensor& to) { to = shaped(of(Reduce::sum, terms, {0, 3}), {attrs.count}).tensor; };
  if (attrs.bias) give(d, out[attrs.weight]);
  if (!attrs.weight) return true;
  const Tensor mean = attrs.forward.centred ? in[weights_mean] : Tensor();
  give(d * normal_of(as, {in[weights_x], site}, in[weights_inverse], mean), out[0]);
  return true;
}

// Of an element: product, difference, product, two sums, and a difference, product, difference and product to finish.
double flops(const NodeView& node) { return 9 * static_cast<double>(node.in(of_x).shape.elements()); }
double flops_weights(const NodeView& node) { return 5 * static_cast<double>(node.in(weights_x).shape.elements()); }

}  // namespace

extern constexpr OpDef normalize_rows_backward_op{
    .name = "normalize_rows_backward", .infer = infer_backward, .required_inputs = 1, .decompose = decompose, .kernels = kernels,
    .absorb = absorb, .flops = flops};
extern constexpr OpDef normalize_rows_weights_op{
    .name = "normalize_rows_weights", .infer = infer_weights, .required_inputs = 1, .decompose = decompose_weights,
    .kernels = weights_kernels, .flops = flops_weights};

}  // namespace fovea::ops
