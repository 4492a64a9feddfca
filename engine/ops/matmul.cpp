// matmul and linear: shapes, and the problem that the kernels of matmul_kernels.cpp solve.

#include "ops/matmul.hpp"

#include "base/enum_name.hpp"
#include "ops/compose.hpp"
#include "ops/matmul_kernels.hpp"
#include "ops/strided.hpp"

#include <algorithm>
#include <cmath>

namespace fovea {
namespace ops {
namespace {

// An operand's last two axes after transposition; a rank-1 operand is a row (a) or a column (b).
struct Matrix {
  std::int64_t rows, columns;
};
Matrix matrix_of(const Shape& shape, bool transposed, bool is_a) {
  if (shape.rank() == 1) return is_a ? Matrix{1, shape[0]} : Matrix{shape[0], 1};
  const std::int64_t outer = shape.at(-2), inner = shape.at(-1);
  return transposed ? Matrix{inner, outer} : Matrix{outer, inner};
}
Shape batch_of(const Shape& shape) { return Shape(shape.extents().first(static_cast<std::size_t>(std::max(0, shape.rank() - 2)))); }

bool check_operands(InferContext& context, const MatmulAttrs& attrs) {
  const char* names[] = {"a", "b", "the bias"};
  for (std::size_t i = 0; i < 3; ++i) {
    if (!context.has(i)) continue;
    if (!ir::is_float(context.dtype(i)))
      return context.fail(names[i], " is ", to_string(context.dtype(i)), ", not ", ir::float_types), false;
    if (context.dtype(i) != context.dtype(0))
      return context.fail("a is ", to_string(context.dtype(0)), " and ", names[i], " is ", to_string(context.dtype(i)),
                          "; cast one of them"), false;
  }
  for (std::size_t i = 0; i < 2; ++i) {
    if (context.shape(i).rank() == 0) return context.fail(names[i], " has rank 0"), false;
    if (context.shape(i).rank() == 1 && (i == 0 ? attrs.transpose_a : attrs.transpose_b))
      return context.fail("transpose_", names[i], " needs a matrix, and ", names[i], " is ", to_string(context.shape(i))), false;
  }
  return true;
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<MatmulAttrs>();
  if (!check_operands(context, attrs)) return;
  if (!is_enumerator(attrs.activation)) return context.fail(no_enumerator("the activation", attrs.activation));
  for (const auto& [name, factor] : {std::pair{"alpha", attrs.alpha}, {"beta", attrs.beta}})
    if (!std::isfinite(factor)) return context.fail(name, " is ", factor, ", not a finite number");
  const Shape &a = context.shape(0), &b = context.shape(1);
  const Matrix left = matrix_of(a, attrs.transpose_a, true), right = matrix_of(b, attrs.transpose_b, false);
  const int a_axis = a.rank() - (attrs.transpose_a ? 2 : 1);
  const int b_axis = b.rank() - (attrs.transpose_b || b.rank() == 1 ? 1 : 2);
  if (left.columns != right.rows)
    return context.fail("K differs: a ", to_string(a), " has ", left.columns, " on axis ", a_axis, ", b ", to_string(b), " has ",
                        right.rows, " on axis ", b_axis);
  const auto batch = ir::broadcast(batch_of(a), batch_of(b));
  if (!batch) return context.fail("the leading axes of a ", to_string(a), " and b ", to_string(b), " do not broadcast");
  std::vector<std::int64_t> extents(batch->extents().begin(), batch->extents().end());
  if (a.rank() > 1) extents.push_back(left.rows);
  if (b.rank() > 1) extents.push_back(right.columns);
  const Shape out{std::span<const std::int64_t>(extents)};
  if (context.has(2) && !ir::broadcasts_to(context.shape(2), out))
    return context.fail("bias ", to_string(context.shape(2)), " does not broadcast to the result ", to_string(out));
  context.out = {{out, context.dtype(0)}};
}

// The epilogue adds a bias of any shape, then the activation.
bool absorb(const NodeView& node, const Follower& follower, std::vector<Tensor>& in, ir::Attrs& attrs) {
  MatmulAttrs changed = node.attrs<MatmulAttrs>();
  if (changed.activation != Activation::none || (follower.added && node.has(2))) return false;
  if (follower.added) in.resize(3), in[2] = follower.added, changed.beta = 1;
  changed.activation = follower.activation;
  attrs = ir::Attrs::of(changed);
  return true;
}

double flops(const NodeView& node) {
  const MatmulProblem problem = matmul_problem(node);
  return 2 * static_cast<double>(node.out(0).shape.elements()) * static_cast<double>(problem.K);
}

}  // namespace

MatmulProblem matmul_problem(const NodeView& node) {
  const auto& attrs = node.attrs<MatmulAttrs>();
  const Shape &a = node.in(0).shape, &b = node.in(1).shape, &out = node.out(0).shape;
  const Matrix left = matrix_of(a, attrs.transpose_a, true), right = matrix_of(b, attrs.transpose_b, false);
  MatmulProblem problem;
  problem.M = left.rows, problem.N = right.columns, problem.K = left.columns;
  problem.a_transposed = attrs.transpose_a && problem.M != 1;
  problem.b_transposed = attrs.transpose_b || problem.N == 1;

  // The rows of a walk like one more batch axis: where b stands still, batches merge into them.
  const Shape batch = *ir::broadcast(batch_of(a), batch_of(b));
  const auto axes = static_cast<std::size_t>(batch.rank());
  std::vector<std::int64_t> extents(batch.extents().begin(), batch.extents().end());
  extents.push_back(problem.M);
  std::array<ir::Strides, 3> strides{ir::broadcast_strides(batch_of(a), batch), ir::broadcast_strides(batch_of(b), batch), {}};
  for (std::size_t axis = 0; axis < axes; ++axis) strides[0][axis] *= problem.M * problem.K, strides[1][axis] *= problem.K * problem.N;
  strides[0][axes] = problem.a_transposed ? 1 : problem.K;
  strides[1][axes] = 0;
  if (node.has(2)) {
    const ir::Strides bias = ir::broadcast_strides(node.in(2).shape, out);
    std::copy_n(bias.begin(), axes, strides[2].begin());
    if (a.rank() > 1) strides[2][axes] = bias[axes];
    if (b.rank() > 1 && problem.N > 1) problem.bias_n = bias[static_cast<std::size_t>(out.rank() - 1)];
  }
  StridedWalk walk = collapse(Shape{std::span<const std::int64_t>(extents)}, strides);
  if (walk.strides[1].back() == 0) {
    problem.M = walk.extents.back();
    problem.bias_m = walk.strides[2].back();
    walk.extents.pop_back();
    for (auto& of_operand : walk.strides) of_operand.pop_back();
  }  // otherwise M is 1 and the innermost axis is a batch's
  problem.extents = walk.extents;
  std::move(walk.strides.begin(), walk.strides.end(), problem.strides.begin());
  for (std::int64_t extent : problem.extents) problem.batches *= extent;
  return problem;
}

namespace {

constexpr Kernel kernels[] = {
    {"matmul_split", supports_matmul_split, plan_matmul_split, prefers_matmul_split},
    {"matmul_row_address", supports_matmul_row_address, plan_matmul_row_address, prefers_matmul_row_address},
    {"matmul_row", supports_matmul_row, plan_matmul_row, prefers_matmul_row},
    {"matmul_matrix", supports_matmul_matrix, plan_matmul_matrix, prefers_matmul_matrix},
    {"matmul_tile", supports_matmul_tile, plan_matmul_tile, prefers_matmul_tile},
};

}  // namespace

extern constexpr OpDef matmul_op{
    .name = "matmul", .infer = infer, .required_inputs = 2, .operands = {"a", "b"}, .kernels = kernels,
    .vjp = matmul_vjp, .absorb = absorb, .flops = flops};

}  // namespace ops

Tensor matmul(Tensor a, Tensor b, const MatmulDesc& desc, CallSite site) {
  const ops::MatmulAttrs attrs{desc.transpose_a, desc.transpose_b, desc.activation, desc.alpha, desc.beta};
  return ops::append_one(ops::matmul_op, {a, b, desc.bias}, ir::Attrs::of(attrs), site);
}

Tensor linear(Tensor x, Tensor weight, Tensor bias, Activation activation, CallSite site) {
  const auto refuse = [&](const auto&... why) { return ops::refuse(x, site, "linear: ", why...); };
  if (x && !weight) return refuse("the weight is ", ir::absent);
  if (ops::nothing_to_do("linear", {x, weight, bias ? bias : x}, site)) return ops::poisoned(x);
  if (!ops::are_real("linear", {{"x", x}, {"the weight", weight}, {"the bias", bias ? bias : x}}, site)) return ops::poisoned(x);
  if (!is_enumerator(activation)) return refuse(no_enumerator("the activation", activation));
  if (x.shape().rank() == 0) return refuse("x has rank 0");
  if (weight.shape().rank() != 2) return refuse("the weight is ", to_string(weight.shape()), ", not [N,K]");
  if (x.dim(-1) != weight.dim(1))
    return refuse("x ", to_string(x.shape()), " has ", x.dim(-1), " on its last axis, the weight ", to_string(weight.shape()),
                  " has K = ", weight.dim(1));
  if (bias && (bias.shape().rank() != 1 || bias.dim(0) != weight.dim(0)))
    return refuse("the bias is ", to_string(bias.shape()), ", not [", weight.dim(0), ']');
  return matmul(x, weight, {.transpose_b = true, .bias = bias, .activation = activation}, site);
}

}  // namespace fovea
