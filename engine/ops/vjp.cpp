// What gradients of many operators share: sums over broadcast axes, derivatives of the elementwise functions.

#include "ops/vjp.hpp"

#include "ops/compose.hpp"
#include "ops/term.hpp"

#include <cmath>
#include <numbers>

namespace fovea::ops {

Tensor sum_to(Tensor x, const Shape& shape, CallSite site) {
  if (x.shape() == shape) return x;
  const int extra = x.shape().rank() - shape.rank();
  ReduceDesc desc{.keep_dims = true};
  for (int axis = 0; axis < x.shape().rank(); ++axis)
    if (axis < extra || (shape[axis - extra] == 1 && x.shape()[axis] != 1)) desc.axes.push_back(axis);
  const Tensor sum = desc.axes.empty() ? x : reduce(Reduce::sum, x, desc, site);
  return reshape(sum, shape.extents(), site);
}

Tensor filled(ir::Graph& graph, const ir::Type& type, float value, CallSite site) {
  const Tensor one = constant(graph, Shape{}, std::span(&value, 1));
  return broadcast_to(cast(one, type.dtype, site), type.shape, site);
}

namespace {

// a where `x op bound`, otherwise 0.
Term where(Binary op, Term x, float bound, Term a) {
  return choose(of(op, x, bound), a, 0);
}

// Φ(x) + x·φ(x)
Term gelu_derivative(Term x) {
  const Term cdf = of(Unary::erf, x * (1 / std::numbers::sqrt2)) * 0.5 + 0.5;
  const Term density = of(Unary::exp, of(Unary::square, x) * -0.5) * (0.5 * std::numbers::inv_sqrtpi * std::numbers::sqrt2);
  return cdf + x * density;
}

// y = x(1 + t)/2 with t = tanh(u), u = k(x + 0.044715 x³)
Term gelu_tanh_derivative(Term x) {
  const double k = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;
  const Term squared = of(Unary::square, x);
  const Term t = of(Unary::tanh, x * (squared * 0.044715 + 1.0) * k);
  const Term slope = (squared * (3 * 0.044715) + 1.0) * k;
  return (t + 1.0) * 0.5 + x * (of(Unary::square, t) * -1 + 1.0) * slope * 0.5;
}

Term silu_derivative(Term x) {
  const Term s = of(Unary::sigmoid, x);
  return s * (x * (s * -1 + 1.0) + 1.0);
}

Term mish_derivative(Term x) {
  const Term t = of(Unary::tanh, of(Unary::softplus, x));
  return t + x * of(Unary::sigmoid, x) * (of(Unary::square, t) * -1 + 1.0);
}

Term unary_vjp(Unary op, Term d, Term x, Term y) {
  switch (op) {
    case Unary::neg: return of(Unary::neg, d);
    case Unary::abs: return d * of(Unary::sign, x);
    case Unary::exp: return d * y;
    case Unary::log: return d / x;
    case Unary::sqrt: return d / y * 0.5;
    case Unary::rsqrt: return d * y * of(Unary::square, y) * -0.5;
    case Unary::reciprocal: return d * of(Unary::square, y) * -1;
    case Unary::square: return d * x * 2;
    case Unary::sin: return d * of(Unary::cos, x);
    case Unary::cos: return d * of(Unary::sin, x) * -1;
    case Unary::tanh: return d * (of(Unary::square, y) * -1 + 1.0);
    case Unary::sigmoid: return d * y * (y * -1 + 1.0);
    case Unary::relu: return where(Binary::greater, x, 0, d);
    case Unary::gelu: return d * gelu_derivative(x);
    case Unary::gelu_tanh: return d * gelu_tanh_derivative(x);
    case Unary::silu: return d * silu_derivative(x);
    case Unary::softplus: return d * of(Unary::sigmoid, x);
    case Unary::elu: return d * of(Unary::exp, {binary(Binary::min, x.tensor, scalar(x.tensor, 0, x.site), x.site), x.site});
    case Unary::mish: return d * mish_derivative(x);
    case Unary::hardswish: {
      const Term inside = where(Binary::greater, x, -3, d * (x * (1.0 / 3) + 0.5));
      const Tensor linear = binary(Binary::greater_equal, x.tensor, scalar(x.tensor, 3, x.site), x.site);
      return {select(linear, d.tensor, inside.tensor, x.site), x.site};
    }
    case Unary::hardsigmoid: return where(Binary::less, of(Unary::abs, x), 3, d * (1.0 / 6));
    case Unary::erf: return d * of(Unary::exp, of(Unary::square, x) * -1) * (2 * std::numbers::inv_sqrtpi);
    case Unary::exp2: return d * y * std::numbers::ln2;
    case Unary::log2: return d / x * std::numbers::log2e;
    case Unary::sign:
    case Unary::floor:
    case Unary::ceil:
    case Unary::round:
    case Unary::logical_not: break;  // constant almost everywhere
  }
  return {};
}

}  // namespace

Tensor unary_vjp(Unary op, Tensor d, Tensor x, Tensor y, CallSite site) {
  return unary_vjp(op, Term{d, site}, Term{x, site}, Term{y, site}).tensor;
}

Tensor activation_vjp(Activation activation, Tensor d, Tensor y, const std::function<Tensor()>& z, CallSite site) {
  const auto through = [&](Unary op, bool needs_z) {
    // relu's test is the same of y as of z.
    return unary_vjp(op, d, needs_z ? z() : y, y, site);
  };
  switch (activation) {
    case Activation::none: return d;
    case Activation::relu: return through(Unary::relu, false);
    case Activation::sigmoid: return through(Unary::sigmoid, false);
    case Activation::tanh: return through(Unary::tanh, false);
    case Activation::gelu: return through(Unary::gelu, true);
    case Activation::gelu_tanh: return through(Unary::gelu_tanh, true);
    case Activation::silu: return through(Unary::silu, true);
  }
  return d;
}

}  // namespace fovea::ops
