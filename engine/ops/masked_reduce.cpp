// Reductions over what a mask leaves of a tensor.

#include "ops/reduce.hpp"

#include "ops/compose.hpp"
#include "ops/term.hpp"

#include <fovea/autodiff.hpp>

#include <cmath>
#include <limits>

namespace fovea::ops {
namespace {

// What changes nothing in the result.
float neutral(Reduce op) {
  switch (op) {
    case Reduce::prod: return 1;
    case Reduce::max:
    case Reduce::argmax:
    case Reduce::logsumexp: return -std::numeric_limits<float>::infinity();
    case Reduce::min:
    case Reduce::argmin: return std::numeric_limits<float>::infinity();
    default: return 0;
  }
}

// Reductions along the axes of `desc`, which stay as extents of 1.
struct Along {
  ReduceDesc desc;

  explicit Along(const ReduceDesc& from) : desc(from) { desc.mask = {}, desc.keep_dims = true; }
  Term operator()(Reduce op, Term x) const { return {reduce(op, x.tensor, desc, x.site), x.site}; }
};

// The first extreme of those that take part, or the first NaN of them; where none does `n`, the number of a row's elements.
Term position(Reduce op, Term x, Term part, std::int64_t n, const Along& along) {
  const Term extreme = along(op == Reduce::argmax ? Reduce::max : Reduce::min, x);
  const Term hit = of(Binary::logical_or, of(Binary::equal, x, extreme), of(Binary::not_equal, x, x));
  const Term found = in(DType::f32, of(Binary::logical_and, part, hit));
  const Term first = along(Reduce::argmax, found), none = of(Binary::equal, along(Reduce::max, found), 0);
  return choose(none, Term{constant_i32(*x.tensor.graph(), n), x.site}, first);
}

// The largest or smallest of those that take part, which alone takes the gradient: what stands in for the others may equal it.
Term extreme(Reduce op, Term x, Term taken, Term part, std::vector<std::int64_t> axes, const Along& along) {
  const Term y = along(op, taken);
  const auto rule = [=](Tensor d) {
    if (x.tensor.shape().elements() == 0) return std::vector{Tensor()};
    const Term arrives{d, x.site}, equal = of(Binary::equal, x, y);
    Term goes = arrives;
    if (along.desc.ties == Ties::share) {
      const Term found = in(DType::f32, of(Binary::logical_and, part, equal));
      goes = arrives * found / along(Reduce::sum, found);
    } else if (x.tensor.shape() != y.tensor.shape()) {
      const Term found = in(DType::f32, of(Binary::logical_and, part, of(Binary::logical_or, equal, of(Binary::not_equal, x, x))));
      goes = {at_first(found.tensor, d, Reduce::max, {.axes = axes, .keep_dims = true}, x.site), x.site};
    }
    return std::vector{choose(part, goes, 0).tensor};
  };
  return {custom_gradient(y.tensor, {x.tensor}, rule, x.site), x.site};
}

}  // namespace

Tensor masked_reduce(Reduce op, Tensor x, const ReduceDesc& desc, CallSite site) {
  if (nothing_to_do("reduce", {x, desc.mask}, site) || !are_real("reduce", {{"x", x}}, site)) return poisoned(x);
  std::string fault = ir::mask_fault(desc.mask.shape(), desc.mask.dtype(), "x", x.shape());
  const auto reduced = reduced_axes(desc.axes, x.shape(), fault);
  if (!fault.empty()) return refuse(x, site, "reduce ", to_string(op), ": ", fault);
  if (!std::isfinite(desc.correction))
    return refuse(x, site, "reduce ", to_string(op), ": correction is ", desc.correction, ", not a finite number");
  std::vector<std::int64_t> axes, kept;  // the reduced ones, and the shape without them
  std::int64_t n = 1;                    // elements of those
  for (int axis = 0; axis < x.shape().rank(); ++axis) {
    if (reduced[static_cast<std::size_t>(axis)])
      n *= x.shape()[axis], axes.push_back(axis);
    else
      kept.push_back(x.shape()[axis]);
  }
  const Along along(desc);
  const Term part{broadcast_to(desc.mask, x.shape(), site), site}, whole = in(DType::f32, {x, site});
  const Term taken = choose(part, whole, neutral(op));
  Term y = taken;
  if (op == Reduce::mean || op == Reduce::variance) {
    const Term count = along(Reduce::sum, in(DType::f32, part)), mean = along(Reduce::sum, taken) / count;
    y = mean;
    if (op == Reduce::variance) {
      const Term squares = of(Unary::square, choose(part, whole - mean, 0));
      y = along(Reduce::sum, squares) / of(Binary::max, count + -desc.correction, 0);
    }
  } else if (op == Reduce::max || op == Reduce::min) {
    y = extreme(op, whole, taken, part, axes, along);
  } else {
    y = finds_position(op) ? position(op, taken, part, n, along) : along(op, taken);
  }
  if (!finds_position(op)) y = in(x.dtype(), y);
  if (desc.keep_dims || x.graph()->error) return y.tensor;
  return reshape(y.tensor, kept, site);
}

}  // namespace fovea::ops
