// Deformable im2col: the taps of every window, each moved by an offset of its own.

#include "ops/deform.hpp"

#include <algorithm>

namespace fovea::ops {

shader::DeformParams deform_params(const DeformAttrs& attrs, const Shape& offset) {
  shader::DeformParams p{};
  p.G = u32(attrs.offset_groups), p.C = u32(attrs.channels / attrs.offset_groups);
  p.H = u32(attrs.size[0]), p.W = u32(attrs.size[1]);
  p.KH = u32(attrs.kernel[0]), p.KW = u32(attrs.kernel[1]);
  p.HO = u32(offset[2]), p.WO = u32(offset[3]);
  p.stride_y = u32(attrs.stride[0]), p.stride_x = u32(attrs.stride[1]);
  p.dilation_y = u32(attrs.dilation[0]), p.dilation_x = u32(attrs.dilation[1]);
  p.top = u32(attrs.padding[0]), p.left = u32(attrs.padding[1]);
  return p;
}

namespace {

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<DeformAttrs>();
  const Shape& offset = context.shape(1);
  const std::int64_t rows = Shape{attrs.channels, attrs.kernel[0], attrs.kernel[1]}.elements();
  context.out = {{Shape{offset[0], rows, offset[2] * offset[3]}, DType::f32}};
}

// Channels that an invocation samples: many, for finding the place to cost little; fewer where there are not samples
// enough to fill the device.
std::int64_t block_of(std::int64_t samples, std::int64_t channels, const DeviceCaps& caps) {
  const std::int64_t wanted = caps.type == DeviceType::cpu ? 1024 : 65536;  // invocations
  const std::int64_t blocks = wanted / std::max<std::int64_t>(samples, 1);
  return std::clamp<std::int64_t>(channels / std::max<std::int64_t>(blocks, 1), 1, 64);
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<DeformAttrs>();
  const Shape& offset = node.in(1).shape;
  shader::DeformSpec spec;
  spec.MASK = node.has(2);
  shader::DeformParams p = deform_params(attrs, offset);
  const std::int64_t samples = offset.elements() / 2;
  p.block = u32(block_of(samples, p.C, caps));
  p.n = u32(samples) * static_cast<std::uint32_t>(ceil_div(p.C, p.block));
  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader("deform_unfold");
  launch.set_constants(spec);
  launch.set_push(p);
  launch.operands = {in(0), in(1), node.has(2) ? in(2) : unused(), out(0)};
  launch.groups = flat_groups(p.n, spec.WG, caps);
}

// Four multiply-adds an element, and the mask.
double flops(const NodeView& node) { return 9 * static_cast<double>(node.out(0).shape.elements()); }

constexpr Kernel kernels[] = {{"deform_unfold", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

}  // namespace

extern constexpr OpDef deform_unfold_op{
    .name = "deform_unfold", .infer = infer, .required_inputs = 2, .kernels = kernels, .vjp = deform_unfold_vjp, .flops = flops};

Tensor deform_unfold(Tensor x, Tensor offset, Tensor mask, const DeformAttrs& attrs, CallSite site) {
  return append_one(deform_unfold_op, {x, offset, mask}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea::ops
