// im2col: the windows of a picture as columns. Each window is a strided read of the padded picture.

#include "ops/strided_copy.hpp"
#include "ops/vjp.hpp"
#include "ops/windows.hpp"

namespace fovea {
namespace ops {
namespace {

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<UnfoldDesc>();
  const Shape& x = context.shape(0);
  if (x.rank() != 4) return context.fail("x ", to_string(x), " has ", x.rank(), " axes, not 4");
  if (!windows_are_right(context, attrs, x[2], x[3], "x")) return;
  const std::int64_t rows = Shape{x[1], attrs.kernel[0], attrs.kernel[1]}.elements();
  const std::int64_t columns = Shape{windows(attrs, x[2], 0), windows(attrs, x[3], 1)}.elements();
  context.out = {{Shape{x[0], rows, columns}, context.dtype(0)}};
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<UnfoldDesc>();
  const auto& [x, dtype] = node.in(0);
  const Shape index{x[0], x[1], attrs.kernel[0], attrs.kernel[1], windows(attrs, x[2], 0), windows(attrs, x[3], 1)};
  const ir::Strides s = ir::strides_of(x);
  const Region region{
      0, {s[0], s[1], attrs.dilation[0] * s[2], attrs.dilation[1], attrs.stride[0] * s[2], attrs.stride[1]}};
  plan.launches.push_back(strided_copy(index, dtype, {in(0), region}, {out(0), dense_region(index)}, caps));
}

bool unpadded(const NodeView& node, const DeviceCaps&) {
  return node.attrs<UnfoldDesc>().padding == UnfoldDesc{}.padding;
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<UnfoldDesc>();
  const auto [top, left, bottom, right] = attrs.padding;
  if (top + left + bottom + right == 0) return false;
  const Tensor padded = pad(in[0], {.amounts = {{top, bottom}, {left, right}}}, builder.site);
  out[0] = unfold(padded, {attrs.kernel, attrs.stride, attrs.dilation, {}}, builder.site);
  return true;
}

// What a pixel gave to its windows comes back as their sum.
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<UnfoldDesc>();
  const Shape& x = vjp.in_shape(0);
  if (x.elements() == 0) return true;
  vjp.give(0, fold(vjp.d(), {{x[2], x[3]}, attrs.kernel, attrs.stride, attrs.dilation, attrs.padding}, vjp.site));
  return true;
}

constexpr Kernel kernels[] = {{"strided_copy", unpadded, plan}};

}  // namespace

extern constexpr OpDef unfold_op{.name = "unfold", .infer = infer, .decompose = decompose, .kernels = kernels, .vjp = vjp};

}  // namespace ops

Tensor unfold(Tensor x, const UnfoldDesc& desc, CallSite site) {
  return ops::append_one(ops::unfold_op, {x}, ir::Attrs::of(desc), site);
}

}  // namespace fovea
