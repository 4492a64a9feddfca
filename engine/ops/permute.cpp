// Reordering axes.

#include "ops/compose.hpp"
#include "ops/strided_copy.hpp"
#include "ops/vjp.hpp"

#include <numeric>

namespace fovea {
namespace ops {
namespace {

struct PermuteAttrs {
  std::vector<int> order{};  // axis i of the result is axis order[i] of x
};
template <class F>
void describe(const PermuteAttrs& attrs, F&& field) {
  field("order", attrs.order);
}

void infer(InferContext& context) {
  const auto& order = context.attrs.as<PermuteAttrs>().order;
  const Shape& x = context.shape(0);
  if (order.size() != static_cast<std::size_t>(x.rank()))
    return context.fail(order.size(), " axes in the order, and x ", to_string(x), " has ", x.rank());
  Shape y = x;
  std::array<bool, max_rank> taken{};
  for (int i = 0; i < x.rank(); ++i) {
    const int asked = order[static_cast<std::size_t>(i)];
    const auto axis = ir::normalize_axis(asked, x.rank());
    if (!axis) return context.fail("axis ", asked, " is out of range for x ", to_string(x));
    if (std::exchange(taken[static_cast<std::size_t>(*axis)], true))
      return context.fail("axis ", asked, " stands twice in the order");
    y[i] = x[*axis];
  }
  context.out = {{y, context.dtype(0)}};
}

Region region_of(const NodeView& node) {
  const Shape& x = node.in(0).shape;
  const auto& order = node.attrs<PermuteAttrs>().order;
  const ir::Strides strides = ir::strides_of(x);
  Region region;
  for (std::size_t i = 0; i < order.size(); ++i)
    region.strides[i] = strides[static_cast<std::size_t>(*ir::normalize_axis(order[i], x.rank()))];
  return region;
}

using Read = StridedRead<region_of>;

bool vjp(Vjp& vjp) {
  const auto& order = vjp.attrs<PermuteAttrs>().order;
  std::vector<int> inverse(order.size());
  for (std::size_t i = 0; i < order.size(); ++i)
    inverse[static_cast<std::size_t>(*ir::normalize_axis(order[i], vjp.in_shape(0).rank()))] = static_cast<int>(i);
  vjp.give(0, permute(vjp.d(), inverse, vjp.site));
  return true;
}

}  // namespace

extern constexpr OpDef permute_op{
    .name = "permute", .infer = infer, .decompose = Read::decompose, .kernels = Read::kernels,
    .vjp = vjp};

}  // namespace ops

Tensor permute(Tensor x, std::span<const int> order, CallSite site) {
  return ops::append_one(ops::permute_op, {x}, ir::Attrs::of(ops::PermuteAttrs{{order.begin(), order.end()}}), site);
}
Tensor permute(Tensor x, std::initializer_list<int> order, CallSite site) {
  return permute(x, std::span(order.begin(), order.size()), site);
}

Tensor transpose(Tensor x, int axis_a, int axis_b, CallSite site) {
  if (!x) return x;
  const int rank = x.shape().rank();
  const auto a = ir::normalize_axis(axis_a, rank), b = ir::normalize_axis(axis_b, rank);
  if (!a || !b) return ops::refuse(x, site, "transpose: axis ", a ? axis_b : axis_a, " is out of range for x ", to_string(x.shape()));
  std::vector<int> order(static_cast<std::size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  std::swap(order[static_cast<std::size_t>(*a)], order[static_cast<std::size_t>(*b)]);
  return permute(x, order, site);
}

}  // namespace fovea
