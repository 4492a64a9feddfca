// im2col: the windows of a picture as columns. Each window is a strided read of the padded picture.

#include "ops/strided_copy.hpp"

namespace fovea {
namespace ops {
namespace {

struct UnfoldAttrs {
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};
};
template <class F>
void describe(const UnfoldAttrs& attrs, F&& field) {
  field("kernel", attrs.kernel);
  field("stride", attrs.stride);
  field("dilation", attrs.dilation);
  field("padding", attrs.padding);
}

// Windows along y (0) or x (1) of an image; not positive when none fits.
std::int64_t windows(const UnfoldAttrs& attrs, const Shape& x, std::size_t k) {
  const std::int64_t padded = x[2 + static_cast<int>(k)] + attrs.padding[k] + attrs.padding[k + 2];
  const std::int64_t reach = attrs.dilation[k] * (attrs.kernel[k] - 1) + 1;
  return padded < reach ? 0 : (padded - reach) / attrs.stride[k] + 1;
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<UnfoldAttrs>();
  const Shape& x = context.shape(0);
  if (x.rank() != 4) return context.fail("x ", to_string(x), " has ", x.rank(), " axes, not 4");
  const auto in_range = [&](const auto& values, const char* name, std::int64_t least) {
    for (std::int64_t value : values)
      if (value < least || value > INT32_MAX) context.fail(name, ' ', value, " is not in [", least, ", 2^31)");
  };
  in_range(attrs.kernel, "kernel", 1);
  in_range(attrs.stride, "stride", 1);
  in_range(attrs.dilation, "dilation", 1);
  in_range(attrs.padding, "padding", 0);
  if (!context.error.empty()) return;
  for (std::size_t k = 0; k < 2; ++k)
    if (windows(attrs, x, k) == 0)
      return context.fail("no window fits: axis ", 2 + k, " of x has ", x[2 + static_cast<int>(k)], " elements and ",
                          attrs.padding[k] + attrs.padding[k + 2], " of padding, a window reaches over ",
                          attrs.dilation[k] * (attrs.kernel[k] - 1) + 1);
  const std::int64_t taps = attrs.kernel[0] * attrs.kernel[1];
  context.out = {{Shape{x[0], x[1] * taps, windows(attrs, x, 0) * windows(attrs, x, 1)}, context.dtype(0)}};
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<UnfoldAttrs>();
  const auto& [x, dtype] = node.in(0);
  const Shape index{x[0], x[1], attrs.kernel[0], attrs.kernel[1], windows(attrs, x, 0), windows(attrs, x, 1)};
  const ir::Strides s = ir::strides_of(x);
  const Region region{
      0, {s[0], s[1], attrs.dilation[0] * s[2], attrs.dilation[1], attrs.stride[0] * s[2], attrs.stride[1]}};
  plan.launches.push_back(strided_copy(index, dtype, {in(0), region}, {out(0), dense_region(index)}, caps));
}

bool unpadded(const NodeView& node, const DeviceCaps&) {
  return node.attrs<UnfoldAttrs>().padding == UnfoldAttrs{}.padding;
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<UnfoldAttrs>();
  const auto [top, left, bottom, right] = attrs.padding;
  if (top + left + bottom + right == 0) return false;
  const Tensor padded = pad(in[0], {.amounts = {{top, bottom}, {left, right}}}, builder.site);
  out[0] = unfold(padded, {attrs.kernel, attrs.stride, attrs.dilation, {}}, builder.site);
  return true;
}

constexpr Kernel kernels[] = {{"strided_copy", unpadded, plan}};

}  // namespace

extern constexpr OpDef unfold_op{.name = "unfold", .infer = infer, .decompose = decompose, .kernels = kernels};

}  // namespace ops

Tensor unfold(Tensor x, const UnfoldDesc& desc, CallSite site) {
  const ops::UnfoldAttrs attrs{desc.kernel, desc.stride, desc.dilation, desc.padding};
  return ops::append_one(ops::unfold_op, {x}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
