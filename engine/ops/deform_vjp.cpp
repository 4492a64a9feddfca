// The gradient of deformable im2col. Offsets and mask take sums over channels. Texels gather: samples are sorted by the
// cell they fall into, so that each texel finds its own, in one order, whatever the device.

#include "ops/deform.hpp"
#include "ops/vjp.hpp"

#include <algorithm>

namespace fovea::ops {
namespace {

constexpr char no_second[] = "it is a gradient itself, and has no second one";

Shape samples_of(const DeformAttrs& attrs, const Shape& offset) {
  return {offset[0] * attrs.offset_groups, attrs.kernel[0] * attrs.kernel[1] * offset[2] * offset[3]};
}

void plan_launch(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, const char* shader, const Shape& offset, std::int64_t n,
                 bool mask, std::vector<LaunchOperand> operands, std::uint32_t list = 0) {
  shader::DeformSpec spec;
  spec.MASK = mask;
  shader::DeformParams p = deform_params(node.attrs<DeformAttrs>(), offset);
  p.n = u32(n), p.list = list;
  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader(shader);
  launch.set_constants(spec);
  launch.set_push(p);
  launch.operands = std::move(operands);
  launch.groups = flat_groups(p.n, spec.WG, caps);
}

bool any(const NodeView&, const DeviceCaps&) { return true; }

// ---- Cells: offset -> i32 [N·G, taps·windows] -----------------------------------------------------------------------

void infer_cells(InferContext& context) {
  context.out = {{samples_of(context.attrs.as<DeformAttrs>(), context.shape(0)), DType::i32}};
}
void plan_cells(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  plan_launch(node, caps, plan, "deform_cells", node.in(0).shape, node.out(0).shape.elements(), false, {in(0), out(0)});
}
constexpr Kernel cells_kernels[] = {{"deform_cells", any, plan_cells}};

// ---- Slopes: d, x, offset, mask -> d_offset, d_mask (also without a mask: of one of ones) ----------------------------

void infer_slopes(InferContext& context) {
  const Shape& offset = context.shape(2);
  context.out = {{offset, DType::f32}, {Shape{offset[0], offset[1] / 2, offset[2], offset[3]}, DType::f32}};
}
bool takes_channels(const NodeView& node, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<DeformAttrs>();
  return loops_fit(caps, nested_loops({attrs.channels / attrs.offset_groups}));
}
void plan_slopes(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  plan_launch(node, caps, plan, "deform_slopes", node.in(2).shape, node.out(1).shape.elements(), node.has(3),
              {in(0), in(1), in(2), node.has(3) ? in(3) : unused(), out(0), out(1)});
}
constexpr Kernel slopes_kernels[] = {{"deform_slopes", takes_channels, plan_slopes}};

// ---- Texels: d, offset, sorted cells, order, mask -> d_x -------------------------------------------------------------

void infer_texels(InferContext& context) {
  const auto& attrs = context.attrs.as<DeformAttrs>();
  context.out = {{Shape{context.shape(1)[0], attrs.channels, attrs.size[0], attrs.size[1]}, DType::f32}};
}
// At worst all samples are in one cell, whose four texels walk them; where these are lanes of one vector, it does so in turn.
bool takes_samples(const NodeView& node, const DeviceCaps& caps) {
  return loops_fit(caps, nested_loops({4, node.in(2).shape[1] + 40}));
}
void plan_texels(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<DeformAttrs>();
  const std::int64_t blocks = (attrs.channels / attrs.offset_groups + DEFORM_CHANNELS - 1) / DEFORM_CHANNELS;
  const std::int64_t n = node.in(1).shape[0] * attrs.offset_groups * blocks * attrs.size[0] * attrs.size[1];
  plan_launch(node, caps, plan, "deform_texels", node.in(1).shape, n, node.has(4),
              {in(0), in(1), node.has(4) ? in(4) : unused(), in(2), in(3), out(0)}, u32(node.in(2).shape[1]));
}

// Pieces of the sorted list one after another: for drivers that cut loops.
bool decompose_texels(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  constexpr std::int64_t piece = (1 << 14) - 64;
  const std::int64_t count = in[2].dim(1);
  if (count <= piece) return false;
  const CallSite site = builder.site;
  const auto attrs = ir::Attrs::of(node.attrs<DeformAttrs>());
  for (std::int64_t first = 0; first < count; first += piece) {
    const auto part = [&](Tensor list) { return slice(list, {.axis = 1, .start = first, .stop = std::min(first + piece, count)}, site); };
    const Tensor d_x = append_one(deform_texels_op, {in[0], in[1], part(in[2]), part(in[3]), in[4]}, attrs, site);
    out[0] = first == 0 ? d_x : binary(Binary::add, out[0], d_x, site);
  }
  return true;
}
constexpr Kernel texels_kernels[] = {{"deform_texels", takes_samples, plan_texels}};

// The sum of g·d_x is that of d·(columns sampled of g).
bool texels_vjp(Vjp& vjp) {
  const auto attrs = ir::Attrs::of(vjp.attrs<DeformAttrs>());
  const Tensor d = vjp.in(0), offset = vjp.in(1), mask = vjp.in(4), g = vjp.d();
  if (vjp.wants(0)) vjp.give(0, append_one(deform_unfold_op, {g, offset, mask}, attrs, vjp.site));
  if (vjp.wants(1) || vjp.wants(4)) {
    const Tensor operands[] = {d, g, offset, mask};
    const std::vector<Tensor> slopes = append(deform_slopes_op, operands, attrs, vjp.site);
    if (vjp.wants(1)) vjp.give(1, slopes[0]);
    if (vjp.wants(4)) vjp.give(4, slopes[1]);
  }
  return true;
}

}  // namespace

extern constexpr OpDef deform_cells_op{
    .name = "deform_cells", .infer = infer_cells, .kernels = cells_kernels, .no_gradient = "its results are numbers of cells"};
extern constexpr OpDef deform_slopes_op{
    .name = "deform_slopes", .infer = infer_slopes, .required_inputs = 3, .kernels = slopes_kernels, .no_gradient = no_second};
extern constexpr OpDef deform_texels_op{
    .name = "deform_texels", .infer = infer_texels, .required_inputs = 4, .decompose = decompose_texels, .kernels = texels_kernels,
    .vjp = texels_vjp};

bool deform_unfold_vjp(Vjp& vjp) {
  const auto attrs = ir::Attrs::of(vjp.attrs<DeformAttrs>());
  const Tensor d = vjp.d(), offset = vjp.in(1), mask = vjp.in(2);
  if (d.shape().elements() == 0) return true;
  if (vjp.wants(0)) {
    const Sorted cells = sort(append_one(deform_cells_op, {offset}, attrs, vjp.site), {.axis = 1}, vjp.site);
    vjp.give(0, append_one(deform_texels_op, {d, offset, cells.values, cells.indices, mask}, attrs, vjp.site));
  }
  if (vjp.wants(1) || vjp.wants(2)) {
    const Tensor operands[] = {d, vjp.in(0), offset, mask};
    const std::vector<Tensor> slopes = append(deform_slopes_op, operands, attrs, vjp.site);
    if (vjp.wants(1)) vjp.give(1, slopes[0]);
    if (vjp.wants(2)) vjp.give(2, slopes[1]);
  }
  return true;
}

}  // namespace fovea::ops
