// Activations with an attribute or an axis, composed of elementwise operators and reductions.

#include "ops/compose.hpp"
#include "ops/term.hpp"

#include <cmath>

namespace fovea {
namespace ops {
namespace {

// The axis, counted from 0, of a float operand; nothing where the graph was told why not.
std::optional<int> axis_of(const char* op, Tensor x, std::int64_t axis, CallSite site) {
  if (nothing_to_do(op, {x}, site) || !are_real(op, {{"x", x}}, site)) return std::nullopt;
  const auto at = ir::normalize_axis(axis, x.shape().rank());
  if (!at) refuse(x, site, op, ": axis ", axis, " is out of range for x ", to_string(x.shape()));
  return at;
}

}  // namespace
}  // namespace ops

Tensor clamp(Tensor x, float low, float high, CallSite site) {
  if (ops::nothing_to_do("clamp", {x}, site) || !ops::are_real("clamp", {{"x", x}}, site)) return ops::poisoned(x);
  if (!(low <= high)) return ops::refuse(x, site, "clamp: low ", low, " is not at or below high ", high);
  return of(Binary::min, of(Binary::max, ops::Term{x, site}, low), high).tensor;
}

Tensor elu(Tensor x, float alpha, CallSite site) {
  if (ops::nothing_to_do("elu", {x}, site) || !ops::are_real("elu", {{"x", x}}, site)) return ops::poisoned(x);
  if (!std::isfinite(alpha)) return ops::refuse(x, site, "elu: alpha is ", alpha, ", not a finite number");
  const ops::Term term{x, site};
  return choose(of(Binary::greater, term, 0), term, of(Unary::elu, term) * alpha).tensor;
}

Tensor glu(Tensor x, std::int64_t axis, CallSite site) {
  const auto at = ops::axis_of("glu", x, axis, site);
  if (!at) return ops::poisoned(x);
  const std::int64_t extent = x.dim(*at);
  if (extent % 2 != 0) return ops::refuse(x, site, "glu: axis ", axis, " of x ", to_string(x.shape()), " is odd, and has no halves");
  const auto half = [&](std::int64_t n) {
    return ops::Term{slice(x, {.axis = *at, .start = n * (extent / 2), .stop = (n + 1) * (extent / 2)}, site), site};
  };
  return (half(0) * of(Unary::sigmoid, half(1))).tensor;
}

Tensor maxout(Tensor x, std::int64_t pieces, std::int64_t axis, CallSite site) {
  const auto at = ops::axis_of("maxout", x, axis, site);
  if (!at) return ops::poisoned(x);
  if (pieces < 1 || x.dim(*at) % pieces != 0)
    return ops::refuse(x, site, "maxout: ", pieces, " pieces do not divide axis ", axis, " of x ", to_string(x.shape()));
  if (x.shape().rank() == max_rank) return ops::refuse(x, site, "maxout: x ", to_string(x.shape()), " has ", max_rank, " axes; one less leaves room for the pieces");
  std::vector<std::int64_t> apart(x.shape().extents().begin(), x.shape().extents().end());
  apart[static_cast<std::size_t>(*at)] /= pieces;
  apart.insert(apart.begin() + *at + 1, pieces);
  return reduce(Reduce::max, reshape(x, apart, site), {.axes = {*at + 1}}, site);
}

}  // namespace fovea
