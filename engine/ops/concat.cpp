// Tensors side by side along one axis: a launch a part, each writing its own region. The launches could run together,
// but synchronization validation, which sees whole bindings, would report them to every host that has it on.

#include "ops/strided_copy.hpp"
#include "ops/vjp.hpp"

namespace fovea {
namespace ops {
namespace {

struct ConcatAttrs {
  std::int64_t axis = 0;
};
template <class F>
void describe(const ConcatAttrs& attrs, F&& field) {
  field("axis", attrs.axis);
}

void infer(InferContext& context) {
  const std::int64_t asked = context.attrs.as<ConcatAttrs>().axis;
  Shape y = context.shape(0);
  const auto axis = ir::normalize_axis(asked, y.rank());
  if (!axis) return context.fail("axis ", asked, " is out of range for part 0 ", to_string(y));
  for (std::size_t i = 1; i < context.in.size(); ++i) {
    const Shape& part = context.shape(i);
    if (context.dtype(i) != context.dtype(0))
      return context.fail("part ", i, " is ", to_string(context.dtype(i)), " and part 0 is ",
                          to_string(context.dtype(0)));
    if (part.rank() != y.rank())
      return context.fail("part ", i, ' ', to_string(part), " has ", part.rank(), " axes and part 0 has ", y.rank());
    for (int k = 0; k < y.rank(); ++k)
      if (k != *axis && part[k] != y[k])
        return context.fail("part ", i, " has extent ", part[k], " at axis ", k, " and part 0 has ", y[k]);
    y[*axis] += part[*axis];
    if (y[*axis] > ir::max_elements) return context.fail("the extents of the parts along axis ", *axis, " sum to more than 2^60");
  }
  context.out = {{y, context.dtype(0)}};
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& [y, dtype] = node.out(0);
  const int axis = *ir::normalize_axis(node.attrs<ConcatAttrs>().axis, y.rank());
  Region region = dense_region(y);
  for (std::uint32_t i = 0; i < node.inputs(); ++i) {
    const Shape& part = node.in(i).shape;
    plan.launches.push_back(strided_copy(part, dtype, {in(i), dense_region(part)}, {out(0), region}, caps));
    region.offset += part[axis] * region.strides[static_cast<std::size_t>(axis)];
  }
}

bool vjp(Vjp& vjp) {
  const std::int64_t axis = vjp.attrs<ConcatAttrs>().axis;
  std::int64_t from = 0;
  for (std::size_t i = 0; i < vjp.inputs(); ++i) {
    const std::int64_t to = from + vjp.in_shape(i).at(static_cast<int>(axis));
    if (vjp.wants(i)) vjp.give(i, slice(vjp.d(), {.axis = axis, .start = from, .stop = to}, vjp.site));
    from = to;
  }
  return true;
}

constexpr Kernel kernels[] = {{"strided_copy", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

}  // namespace

extern constexpr OpDef concat_op{.name = "concat", .infer = infer, .required_inputs = all_inputs, .kernels = kernels, .vjp = vjp};

}  // namespace ops

Tensor concat(std::span<const Tensor> parts, std::int64_t axis, CallSite site) {
  if (parts.empty()) return {};
  return ops::append(ops::concat_op, parts, ir::Attrs::of(ops::ConcatAttrs{axis}), site)[0];
}
Tensor concat(std::initializer_list<Tensor> parts, std::int64_t axis, CallSite site) {
  return concat(std::span(parts.begin(), parts.size()), axis, site);
}

}  // namespace fovea
