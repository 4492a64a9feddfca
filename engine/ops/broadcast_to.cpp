// Repeating axes of extent 1.

#include "ops/compose.hpp"
#include "ops/strided_copy.hpp"
#include "ops/vjp.hpp"

namespace fovea {
namespace ops {
namespace {

struct BroadcastToAttrs {
  std::vector<std::int64_t> shape{};
};
template <class F>
void describe(const BroadcastToAttrs& attrs, F&& field) {
  field("shape", attrs.shape);
}

void infer(InferContext& context) {
  const Shape to{std::span<const std::int64_t>(context.attrs.as<BroadcastToAttrs>().shape)};
  if (!ir::broadcasts_to(context.shape(0), to))
    return context.fail("x ", to_string(context.shape(0)), " does not broadcast to ", to_string(to));
  context.out = {{to, context.dtype(0)}};
}

Region region_of(const NodeView& node) {
  return {0, ir::broadcast_strides(node.in(0).shape, node.out(0).shape)};
}

using Read = StridedRead<region_of>;

bool vjp(Vjp& vjp) {
  vjp.give(0, vjp.d());
  return true;
}

}  // namespace

extern constexpr OpDef broadcast_to_op{
    .name = "broadcast_to", .infer = infer, .decompose = Read::decompose, .kernels = Read::kernels,
    .vjp = vjp};

}  // namespace ops

Tensor broadcast_to(Tensor x, const Shape& shape, CallSite site) {
  if (x && !shape.valid())
    return ops::refuse(x, site, "broadcast_to: the shape ", to_string(shape), " has a negative extent or more than ", max_rank, " axes");
  const auto extents = shape.extents();
  return ops::append_one(ops::broadcast_to_op, {x},
                         ir::Attrs::of(ops::BroadcastToAttrs{{extents.begin(), extents.end()}}), site);
}

}  // namespace fovea
