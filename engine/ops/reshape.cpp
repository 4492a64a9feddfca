// The same bytes under another shape: a view, never a launch.

#include "ops/vjp.hpp"

#include <fovea/ops.hpp>

namespace fovea {
namespace ops {
namespace {

struct ReshapeAttrs {
  std::vector<std::int64_t> shape{};  // one extent may be -1
};
template <class F>
void describe(const ReshapeAttrs& attrs, F&& field) {
  field("shape", attrs.shape);
}

void infer(InferContext& context) {
  auto extents = context.attrs.as<ReshapeAttrs>().shape;
  const std::int64_t have = context.shape(0).elements();
  std::int64_t unknown = -1;
  if (extents.size() > std::size_t{max_rank}) return context.fail("more than ", max_rank, " axes");
  for (std::size_t i = 0; i < extents.size(); ++i) {
    if (extents[i] == -1 && unknown < 0)
      unknown = static_cast<std::int64_t>(i);
    else if (extents[i] < 0)
      return context.fail("extent ", extents[i], " of axis ", i, " (one extent may be -1, the others are >= 0)");
  }
  if (unknown >= 0) {
    extents[static_cast<std::size_t>(unknown)] = 1;
    const std::int64_t known = Shape{std::span<const std::int64_t>(extents)}.elements();
    if (known == 0 || have % known != 0)
      return context.fail("axis ", unknown, " cannot be inferred: ", to_string(context.shape(0)), " has ", have,
                          " elements and the other extents make ", known);
    extents[static_cast<std::size_t>(unknown)] = have / known;
  }
  const Shape shape{std::span<const std::int64_t>(extents)};
  if (shape.elements() != have && ir::shape_fault(shape).empty())
    return context.fail(to_string(context.shape(0)), " has ", have, " elements and ", to_string(shape), " has ", shape.elements());
  context.out = {{shape, context.dtype(0)}};
}

bool vjp(Vjp& vjp) {
  vjp.give(0, reshape(vjp.d(), vjp.in_shape(0).extents(), vjp.site));
  return true;
}

}  // namespace

extern constexpr OpDef reshape_op{.name = "reshape", .infer = infer, .vjp = vjp, .is_view = true};

}  // namespace ops

Tensor reshape(Tensor x, std::span<const std::int64_t> shape, CallSite site) {
  return ops::append_one(ops::reshape_op, {x}, ir::Attrs::of(ops::ReshapeAttrs{{shape.begin(), shape.end()}}), site);
}
Tensor reshape(Tensor x, std::initializer_list<std::int64_t> shape, CallSite site) {
  return reshape(x, std::span(shape.begin(), shape.size()), site);
}

}  // namespace fovea
