// softmax and log_softmax along one axis, with an optional boolean mask.

#include "ops/op_def.hpp"
#include "shaders/softmax.h"

#include <fovea/ops.hpp>

namespace fovea {
namespace ops {
namespace {

struct SoftmaxAttrs {
  std::int64_t axis = -1;
  bool log = false;
  bool zero_empty_rows = false;
};
template <class F>
void describe(const SoftmaxAttrs& attrs, F&& field) {
  field("axis", attrs.axis);
  field("log", attrs.log);
  field("zero_empty_rows", attrs.zero_empty_rows);
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<SoftmaxAttrs>();
  if (attrs.log) context.op = "log_softmax";
  const Shape& x = context.shape(0);
  if (context.dtype(0) != DType::f32 && context.dtype(0) != DType::f16)
    return context.fail("x is ", to_string(context.dtype(0)), ", not f32 or f16");
  if (!ir::normalize_axis(attrs.axis, x.rank()))
    return context.fail("axis ", attrs.axis, " is out of range for x ", to_string(x));
  if (context.has(1)) {
    if (context.dtype(1) != DType::boolean) return context.fail("the mask is ", to_string(context.dtype(1)), ", not boolean");
    if (!ir::broadcasts_to(context.shape(1), x))
      return context.fail("mask ", to_string(context.shape(1)), " does not broadcast to x ", to_string(x));
  }
  context.out = {{x, context.dtype(0)}};
}

shader::SoftmaxParams params_of(const NodeView& node) {
  const Shape& x = node.in(0).shape;
  const int axis = *ir::normalize_axis(node.attrs<SoftmaxAttrs>().axis, x.rank());
  std::int64_t outer = 1, inner = 1;
  for (int i = 0; i < axis; ++i) outer *= x[i];
  for (int i = axis + 1; i < x.rank(); ++i) inner *= x[i];
  return {u32(outer * inner), u32(x[axis]), u32(inner)};
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, bool lane_a_row) {
  const auto& attrs = node.attrs<SoftmaxAttrs>();
  const shader::SoftmaxParams params = params_of(node);
  shader::SoftmaxSpec spec;
  spec.WG = std::min(128u, caps.max_invocations);
  spec.LANES = lane_a_row ? 1 : spec.WG;
  spec.MASK = node.has(1);
  spec.LOG = attrs.log;
  spec.ZERO_EMPTY = attrs.zero_empty_rows;
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("softmax", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), node.has(1) ? in(1) : unused(), out(0)};
  const bool empty = params.n == 0;
  launch.groups = flat_groups(empty ? 0 : params.rows, lane_a_row ? spec.WG : 1, caps);
}

// The mask is indexed as x is; another shape is expanded first, by decomposition.
bool dense_mask(const NodeView& node) { return !node.has(1) || node.in(1).shape == node.in(0).shape; }
// Three loops over a row; the driver may cut what one invocation runs.
bool loops_fit(const DeviceCaps& caps, std::uint64_t iterations) {
  return caps.max_loop_iterations == 0 || 3 * iterations + 64 < caps.max_loop_iterations;
}

bool supports_lane(const NodeView& node, const DeviceCaps& caps) {
  const auto params = params_of(node);
  // On a GPU a lane a row is only right where neighbouring lanes read neighbouring elements, or rows are short.
  const bool fast = caps.type == DeviceType::cpu || params.inner > 1 || params.n <= 64;
  return dense_mask(node) && fast && loops_fit(caps, params.n);
}
bool supports_group(const NodeView& node, const DeviceCaps& caps) {
  return dense_mask(node) && loops_fit(caps, params_of(node).n / 128 + 1);
}

constexpr Kernel kernels[] = {
    {"softmax_lane", supports_lane, [](const NodeView& node, const DeviceCaps& caps, KernelPlan& out) { plan(node, caps, out, true); }},
    {"softmax_group", supports_group, [](const NodeView& node, const DeviceCaps& caps, KernelPlan& out) { plan(node, caps, out, false); }},
};

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  if (dense_mask(node)) return false;
  const auto& attrs = node.attrs<SoftmaxAttrs>();
  const Tensor mask = broadcast_to(in[1], node.in(0).shape, builder.site);
  out[0] = softmax(in[0], {.axis = attrs.axis, .mask = mask, .zero_empty_rows = attrs.zero_empty_rows}, builder.site);
  return true;
}

// Subtraction, exponential, sum and product an element.
double flops(const NodeView& node) { return 4 * static_cast<double>(node.in(0).shape.elements()); }

}  // namespace

extern constexpr OpDef softmax_op{
    .name = "softmax", .infer = infer, .decompose = decompose, .kernels = kernels, .flops = flops};

}  // namespace ops

Tensor softmax(Tensor x, const SoftmaxDesc& desc, CallSite site) {
  const ops::SoftmaxAttrs attrs{desc.axis, false, desc.zero_empty_rows};
  return ops::append_one(ops::softmax_op, {x, desc.mask}, ir::Attrs::of(attrs), site);
}
Tensor log_softmax(Tensor x, std::int64_t axis, CallSite site) {
  return ops::append_one(ops::softmax_op, {x}, ir::Attrs::of(ops::SoftmaxAttrs{axis, true, false}), site);
}

}  // namespace fovea
