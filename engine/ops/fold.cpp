// col2im: windows summed into a picture.

#include "shaders/fold.h"

#include "ops/vjp.hpp"
#include "ops/windows.hpp"

namespace fovea {
namespace ops {
namespace {

struct FoldAttrs {
  std::array<std::int64_t, 2> size{1, 1};
  UnfoldDesc of{};  // the windows
};
template <class F>
void describe(const FoldAttrs& attrs, F&& field) {
  field("size", attrs.size);
  fovea::describe(attrs.of, field);
}

void infer(InferContext& context) {
  const auto& [size, of] = context.attrs.as<FoldAttrs>();
  const Shape& x = context.shape(0);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  if (x.rank() != 3) return context.fail("x ", to_string(x), " has ", x.rank(), " axes, not 3");
  for (std::int64_t extent : size)
    if (extent < 0 || extent > INT32_MAX) return context.fail("size ", extent, " is not in [0, 2^31)");
  if (!windows_are_right(context, of, size[0], size[1], "the result")) return;
  const Shape grid{windows(of, size[0], 0), windows(of, size[1], 1)};
  const std::int64_t taps = of.kernel[0] * of.kernel[1];
  if (x[1] % taps != 0) return context.fail("axis 1 of x has ", x[1], " elements, not a multiple of the kernel's ", taps, " taps");
  if (x[2] != grid.elements())
    return context.fail("axis 2 of x has ", x[2], " windows, and a picture of ", size[0], " x ", size[1], " has ", grid[0], " x ", grid[1]);
  context.out = {{Shape{x[0], x[1] / taps, size[0], size[1]}, context.dtype(0)}};
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  const auto& kernel = node.attrs<FoldAttrs>().of.kernel;
  return loops_fit(caps, nested_loops({kernel[0], kernel[1]}));
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& [size, of] = node.attrs<FoldAttrs>();
  shader::FoldSpec spec;
  spec.STRIDE_Y = u32(of.stride[0]), spec.STRIDE_X = u32(of.stride[1]);
  spec.DILATION_Y = u32(of.dilation[0]), spec.DILATION_X = u32(of.dilation[1]);
  spec.KH = u32(of.kernel[0]), spec.KW = u32(of.kernel[1]);
  const shader::FoldParams params{u32(node.out(0).shape.elements()), u32(size[0]), u32(size[1]), u32(windows(of, size[0], 0)),
                                  u32(windows(of, size[1], 1)), u32(of.padding[0]), u32(of.padding[1])};
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("fold", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

// A window takes as many as it gave.
bool vjp(Vjp& vjp) {
  const auto& of = vjp.attrs<FoldAttrs>().of;
  if (vjp.d().shape().elements() != 0) vjp.give(0, unfold(vjp.d(), of, vjp.site));
  return true;
}

double flops(const NodeView& node) { return static_cast<double>(node.in(0).shape.elements()); }

constexpr Kernel kernels[] = {{"fold", supports, plan}};

}  // namespace

extern constexpr OpDef fold_op{.name = "fold", .infer = infer, .kernels = kernels, .vjp = vjp, .flops = flops};

}  // namespace ops

Tensor fold(Tensor x, const FoldDesc& desc, CallSite site) {
  const ops::FoldAttrs attrs{desc.size, {desc.kernel, desc.stride, desc.dilation, desc.padding}};
  return ops::append_one(ops::fold_op, {x}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
