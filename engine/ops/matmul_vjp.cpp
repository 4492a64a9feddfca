// The gradient of matmul: two products more.

#include "ops/matmul.hpp"
#include "ops/vjp.hpp"

namespace fovea::ops {

namespace {

// An operand as a matrix: rank-1 ones get the axis that matmul gives them.
Tensor as_matrix(Tensor x, bool is_a, CallSite site) {
  if (x.shape().rank() != 1) return x;
  return is_a ? reshape(x, {1, x.dim(0)}, site) : reshape(x, {x.dim(0), 1}, site);
}

// Leading axes folded into the rows: a weight's gradient is then one long product, not a product a batch and a sum.
Tensor flat(Tensor x, CallSite site) { return reshape(x, {x.shape().elements() / std::max<std::int64_t>(x.dim(-1), 1), x.dim(-1)}, site); }

}  // namespace

bool matmul_vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<MatmulAttrs>();
  const CallSite site = vjp.site;
  const Tensor a_given = vjp.in(0), b_given = vjp.in(1), bias = vjp.in(2);
  const auto before_activation = [&] {
    return matmul(a_given, b_given, {attrs.transpose_a, attrs.transpose_b, bias, Activation::none, attrs.alpha, attrs.beta}, site);
  };
  Tensor d = activation_vjp(attrs.activation, vjp.d(), vjp.out(), before_activation, site);
  if (vjp.wants(2)) vjp.give(2, attrs.beta == 1 ? d : binary(Binary::mul, d, scalar(d, attrs.beta, site), site));
  if (d.shape().elements() == 0 || a_given.shape().elements() == 0) return true;  // empty, or zero: K is 0

  const Tensor a = as_matrix(a_given, true, site), b = as_matrix(b_given, false, site);
  // d with the axes that rank-1 operands dropped.
  std::vector<std::int64_t> extents(d.shape().extents().begin(), d.shape().extents().end());
  if (a_given.shape().rank() == 1) extents.insert(extents.end() - (b_given.shape().rank() == 1 ? 0 : 1), 1);
  if (b_given.shape().rank() == 1) extents.push_back(1);
  d = reshape(d, extents, site);

  const auto give = [&](std::size_t i, Tensor gradient) {
    const bool vector = vjp.in_shape(i).rank() == 1;
    vjp.give(i, vector ? reshape(sum_to(gradient, (i == 0 ? a : b).shape(), site), vjp.in_shape(i).extents(), site) : gradient);
  };
  if (vjp.wants(0)) {
    // A = d·Bᵀ, or its transpose B·dᵀ.
    if (attrs.transpose_a)
      give(0, matmul(b, d, {.transpose_a = attrs.transpose_b, .transpose_b = true, .alpha = attrs.alpha}, site));
    else
      give(0, matmul(d, b, {.transpose_b = !attrs.transpose_b, .alpha = attrs.alpha}, site));
  }
  if (vjp.wants(1)) {
    const bool one_long_product = b.shape().rank() == 2 && a.shape().rank() > 2 && !attrs.transpose_a;
    const Tensor left = one_long_product ? flat(a, site) : a, right = one_long_product ? flat(d, site) : d;
    if (attrs.transpose_b)
      give(1, matmul(right, left, {.transpose_a = true, .transpose_b = attrs.transpose_a, .alpha = attrs.alpha}, site));
    else
      give(1, matmul(left, right, {.transpose_a = !attrs.transpose_a, .alpha = attrs.alpha}, site));
  }
  return true;
}

}  // namespace fovea::ops
