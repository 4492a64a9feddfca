#include "ops/additive.hpp"

#include "shaders/lib/additive.h"

#include <algorithm>

namespace fovea::ops {

AdditiveShape::AdditiveShape(const NodeView& node)
    : B(1), Lq(node.in(0).shape.at(-2)), Lk(node.in(1).shape.at(-2)), A(node.in(0).shape.at(-1)) {
  for (int axis = 0; axis < node.in(0).shape.rank() - 2; ++axis) B *= node.in(0).shape[axis];
}

bool additive_operands_are_right(InferContext& context, const char* name, Unary activation) {
  const Shape &q = context.shape(0), &k = context.shape(1);
  const char* const names[] = {"q", "k", name};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!ir::is_float(context.dtype(i)))
      context.fail(names[i], " is ", to_string(context.dtype(i)), ", not ", ir::float_types);
    else if (context.dtype(i) != context.dtype(0))
      context.fail(names[i], " is ", to_string(context.dtype(i)), " and q is ", to_string(context.dtype(0)));
  }
  if (q.rank() < 2) context.fail("q has shape ", to_string(q), ", not [...,Lq,A]");
  if (k.rank() != q.rank()) context.fail("k has shape ", to_string(k), " of ", k.rank(), " axes and q ", to_string(q), " of ", q.rank());
  if (!context.error.empty()) return false;
  for (int axis = 0; axis < q.rank(); ++axis)
    if (axis != q.rank() - 2 && k[axis] != q[axis])
      context.fail("k has ", k[axis], axis == q.rank() - 1 ? " features" : " elements", " (axis ", axis, ") and q has ", q[axis]);
  if (activation != Unary::tanh && activation != Unary::relu && activation != Unary::elu)
    context.fail("the activation is ", to_string(activation), ", not tanh, relu or elu");
  return context.error.empty();
}

Shape behind_leading_axes(const Shape& q, std::initializer_list<std::int64_t> axes) {
  std::vector<std::int64_t> extents(q.extents().begin(), q.extents().end() - 2);
  extents.insert(extents.end(), axes);
  return Shape(std::span<const std::int64_t>(extents));
}

std::uint32_t additive_activation(Unary activation) {
  return activation == Unary::tanh ? ADDITIVE_TANH : activation == Unary::relu ? ADDITIVE_RELU : ADDITIVE_ELU;
}

std::uint32_t even_block(std::int64_t rows, std::int64_t most) {
  const std::int64_t blocks = std::max<std::int64_t>((rows + most - 1) / most, 1);
  return u32(std::max<std::int64_t>((rows + blocks - 1) / blocks, 1));
}

Tensor sums_of_pairs(const AdditiveShape& shape, Tensor q, Tensor k, CallSite site) {
  const Tensor rows = reshape(cast(q, DType::f32, site), {shape.B, shape.Lq, 1, shape.A}, site);
  const Tensor columns = reshape(cast(k, DType::f32, site), {shape.B, 1, shape.Lk, shape.A}, site);
  return binary(Binary::add, rows, columns, site);
}

}  // namespace fovea::ops
