// Regions of a picture as bins of fixed number, and the way back to the picture.

#include "ops/vjp.hpp"
#include "shaders/roi_align.h"

#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>

namespace fovea {

template <class F>
static void describe(const RoiAlignDesc& desc, F&& field) {
  field("bins", desc.bins);
  field("scale", desc.scale);
  field("samples", desc.samples);
  field("aligned", desc.aligned);
  field("maximum", desc.maximum);
}

namespace ops {
namespace {

struct RoiAlignAttrs {
  RoiAlignDesc desc{};
  bool winners = false;                 // maximum: a second result, which sample and tap it was
  std::array<std::int64_t, 4> shape{};  // of roi_to_texels: x's
};
template <class F>
void describe(const RoiAlignAttrs& attrs, F&& field) {
  fovea::describe(attrs.desc, field);
  field("winners", attrs.winners);
  field("shape", attrs.shape);
}

// Operands: x, rois, batch.
void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<RoiAlignAttrs>();
  const Shape &x = context.shape(0), &rois = context.shape(1), &batch = context.shape(2);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  if (x.rank() != 4) return context.fail("x ", to_string(x), " is not [N,C,H,W]");
  if (context.dtype(1) != DType::f32 || rois.rank() != 2 || rois[1] != 4)
    return context.fail("the regions are ", to_string(context.dtype(1)), to_string(rois), ", not f32[R,4]");
  if (context.dtype(2) != DType::i32 || batch != Shape{rois[0]})
    return context.fail("the batch indices are ", to_string(context.dtype(2)), to_string(batch), ", not i32[", rois[0], ']');
  for (std::int64_t bins : attrs.desc.bins)
    if (bins < 1 || bins > 1 << 14) return context.fail("bins ", bins, " is not in 1..2^14");
  if (attrs.desc.samples < 0 || attrs.desc.samples > ROI_MOST_SAMPLES)
    return context.fail("samples ", attrs.desc.samples, " is not in 0..", ROI_MOST_SAMPLES);
  if (!(attrs.desc.scale > 0 && std::isfinite(attrs.desc.scale)))
    return context.fail("scale ", attrs.desc.scale, " is not a positive finite number");
  for (int axis : {0, 2, 3})
    if (x[axis] == 0) return context.fail("axis ", axis, " of x ", to_string(x), " is empty");
  const Shape y{rois[0], x[1], attrs.desc.bins[0], attrs.desc.bins[1]};
  context.out = {{y, context.dtype(0)}};
  if (attrs.winners) context.out.push_back({y, DType::i32});
}

// Operands: dy, rois, batch, winners. Appended with shapes that roi_align has checked.
void infer_texels(InferContext& context) {
  const auto& shape = context.attrs.as<RoiAlignAttrs>().shape;
  context.out = {{Shape{std::span<const std::int64_t>(shape)}, context.dtype(0)}};
}

void fill(Launch& launch, const NodeView& node, const Shape& x, std::int64_t n, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<RoiAlignAttrs>();
  const auto& desc = attrs.desc;
  shader::RoiAlignSpec spec;
  spec.MAXIMUM = desc.maximum;
  spec.WINNERS = attrs.winners;
  spec.ALIGNED = desc.aligned;
  shader::RoiAlignParams params{};
  params.n = u32(n);
  params.images = u32(x[0]);
  params.channels = u32(x[1]);
  params.rois = u32(node.in(1).shape[0]);
  params.size[0] = u32(x[3]), params.size[1] = u32(x[2]);
  params.bins[0] = u32(desc.bins[1]), params.bins[1] = u32(desc.bins[0]);
  params.samples = u32(desc.samples);
  params.scale = desc.scale;
  launch.set_constants(spec);
  launch.set_push(params);
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("roi_align", node.in(0).dtype);
  fill(launch, node, node.in(0).shape, node.out(0).shape.elements(), caps);
  const bool winners = node.attrs<RoiAlignAttrs>().winners;
  launch.operands = {in(0), in(1), in(2), out(0), winners ? out(1) : unused(Access::write)};
}

// A texel's samples of a bin: all of them where their number is given, otherwise those within a texel, half a texel apart.
bool supports_texels(const NodeView& node, const DeviceCaps& caps) {
  const auto& desc = node.attrs<RoiAlignAttrs>().desc;
  const std::int64_t rois = node.in(1).shape[0], rows = desc.bins[0], columns = desc.bins[1];
  const std::int64_t samples = desc.samples > 0 ? desc.samples : 10;
  // A row's samples are summed before its columns' are.
  const auto of_rows = static_cast<std::uint64_t>(rois * (rows * (samples + 1) + 1));
  return loops_fit(caps, nested_loops({rois, rows, columns, samples}) + of_rows);
}

void plan_texels(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("roi_to_texels", node.in(0).dtype);
  const Shape& x = node.out(0).shape;
  fill(launch, node, x, x.elements(), caps);
  launch.operands = {in(0), in(1), in(2), node.has(3) ? in(3) : unused(), out(0)};
}

constexpr Kernel kernels[] = {{"roi_align", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};
constexpr Kernel texel_kernels[] = {{"roi_to_texels", supports_texels, plan_texels}};

// Half of the regions after the other, for a device that ends loops early.
bool decompose_texels(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const std::int64_t rois = in[1].shape()[0];
  if (rois < 2) return false;
  const auto part = [&](std::int64_t start, std::int64_t stop) {
    std::vector<Tensor> operands;
    for (const Tensor& operand : in)
      operands.push_back(operand ? slice(operand, {.axis = 0, .start = start, .stop = stop}, builder.site) : operand);
    operands[0] = cast(operands[0], DType::f32, builder.site);
    return append(*node.node.op, operands, node.node.attrs, builder.site)[0];
  };
  const Tensor sum = binary(Binary::add, part(0, rois / 2), part(rois / 2, rois), builder.site);
  out[0] = cast(sum, in[0].dtype(), builder.site);
  return true;
}

// The regions are constants, as torchvision has them.
bool vjp(Vjp& vjp) {
  auto attrs = vjp.attrs<RoiAlignAttrs>();
  if (!vjp.wants(0)) return true;
  const Shape& x = vjp.in_shape(0);
  if (vjp.d().shape().elements() == 0) return true;
  Tensor winners;
  if (attrs.desc.maximum) {
    const bool known = attrs.winners;
    attrs.winners = true;
    winners = known ? vjp.out(1) : vjp.add_result(ir::Attrs::of(attrs), {vjp.d().shape(), DType::i32});
  }
  attrs.winners = false;
  attrs.shape = {x[0], x[1], x[2], x[3]};
  vjp.give(0, append_one(roi_to_texels_op, {vjp.d(), vjp.in(1), vjp.in(2), winners}, ir::Attrs::of(attrs), vjp.site));
  return true;
}

// Averages are linear, and the adjoint of their adjoint is they. Of a maximum it would read what the winners name, which no
// kernel does.
bool vjp_texels(Vjp& vjp) {
  const RoiAlignDesc& desc = vjp.attrs<RoiAlignAttrs>().desc;
  if (desc.maximum) return false;
  if (vjp.wants(0) && vjp.d().shape().elements() > 0) vjp.give(0, roi_align(vjp.d(), vjp.in(1), vjp.in(2), desc, vjp.site));
  return true;
}

}  // namespace

extern constexpr OpDef roi_align_op{
    .name = "roi_align", .infer = infer, .required_inputs = all_inputs, .operands = {"x", "rois", "batch"},
    .kernels = kernels, .vjp = vjp};
extern constexpr OpDef roi_to_texels_op{.name = "roi_to_texels", .infer = infer_texels, .required_inputs = 3,
                                        .decompose = decompose_texels, .kernels = texel_kernels, .vjp = vjp_texels};

}  // namespace ops

Tensor roi_align(Tensor x, Tensor rois, Tensor batch, const RoiAlignDesc& desc, CallSite site) {
  return ops::append_one(ops::roi_align_op, {x, rois, batch}, ir::Attrs::of(ops::RoiAlignAttrs{desc, false, {}}), site);
}

}  // namespace fovea
