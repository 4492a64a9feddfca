#pragma once
// Arithmetic on tensors at one call site, so that what operators and layers are composed of reads as its formula.

#include <fovea/ops.hpp>

#include <utility>
#include <vector>

namespace fovea::ops {

struct Term {
  Tensor tensor;
  CallSite site;
};
inline Term operator+(Term a, Term b) { return {binary(Binary::add, a.tensor, b.tensor, a.site), a.site}; }
inline Term operator-(Term a, Term b) { return {binary(Binary::sub, a.tensor, b.tensor, a.site), a.site}; }
inline Term operator*(Term a, Term b) { return {binary(Binary::mul, a.tensor, b.tensor, a.site), a.site}; }
inline Term operator/(Term a, Term b) { return {binary(Binary::div, a.tensor, b.tensor, a.site), a.site}; }
inline Term operator+(Term a, double b) { return {fovea::Operand(a.tensor, a.site) + static_cast<float>(b), a.site}; }
inline Term operator*(Term a, double b) { return {fovea::Operand(a.tensor, a.site) * static_cast<float>(b), a.site}; }
inline Term operator-(Term a) { return {unary(Unary::neg, a.tensor, a.site), a.site}; }
inline Term operator-(double a, Term b) { return b * -1 + a; }

inline Term of(Unary op, Term x) { return {unary(op, x.tensor, x.site), x.site}; }
inline Term of(Binary op, Term x, Term y) { return {binary(op, x.tensor, y.tensor, x.site), x.site}; }
inline Term of(Binary op, Term x, double y) {
  return {binary(op, x.tensor, scalar(x.tensor, static_cast<float>(y), x.site), x.site), x.site};
}
// condition ? a : b
inline Term choose(Term condition, Term a, Term b) { return {select(condition.tensor, a.tensor, b.tensor, a.site), a.site}; }
inline Term choose(Term condition, Term a, double b) {
  return choose(condition, a, Term{scalar(a.tensor, static_cast<float>(b), a.site), a.site});
}
// f(x); where x is 0, 0 without a gradient of any order. f is never taken there: 0 times an infinite slope is NaN.
template <class F>
Term unless_zero(Term x, F&& f) {
  const Term some = of(Binary::not_equal, x, 0);
  return choose(some, f(choose(some, x, 1)), 0);
}
// Over these axes (none: all), which stay as extents of 1.
inline Term of(Reduce op, Term x, std::vector<std::int64_t> axes) {
  return {reduce(op, x.tensor, {.axes = std::move(axes), .keep_dims = true}, x.site), x.site};
}
// x^exponent for x >= 0; at 0 it is 0, whatever the exponent, without a gradient.
inline Term power(Term x, double exponent) {
  return unless_zero(x, [&](Term base) { return of(Binary::pow, base, exponent); });
}
inline Term shaped(Term x, const Shape& shape) { return {reshape(x.tensor, shape.extents(), x.site), x.site}; }
inline Term in(DType dtype, Term x) { return {cast(x.tensor, dtype, x.site), x.site}; }

}  // namespace fovea::ops
