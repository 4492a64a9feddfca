// Normalisations: rows that stand side by side are an operator's, others are composed of reductions and elementwise operators.

#include "nn/call.hpp"
#include "ops/normalize_rows.hpp"

#include <fovea/autodiff.hpp>
#include <fovea/normalization.hpp>

#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <string>

namespace fovea {
namespace nn {
namespace {

using ops::centre;
using ops::Centred;
using ops::NormalizeRowsAttrs;

Tensor affine(const Call& call, Term y, Tensor weight, Tensor bias, DType dtype) {
  if (weight) y = y * call.real(weight);
  if (bias) y = y + call.real(bias);
  return in(dtype, y).tensor;
}

// [C] as [1,C,1,...], to broadcast over the channels of x; absent stays absent.
Tensor per_channel(Tensor values, Tensor x, CallSite site) {
  if (!values) return values;
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.shape().rank()), 1);
  shape[1] = x.dim(1);
  return reshape(values, shape, site);
}

bool has_channels(const Call& call, Tensor x) {
  return call.is_float("x", x) &&
         (x.shape().rank() >= 2 || call.refuse("x ", to_string(x.shape()), " has no channel axis"));
}

bool check_axes(const Call& call, Tensor x, const std::vector<std::int64_t>& axes) {
  if (!call.is_float("x", x)) return false;
  if (axes.empty()) return call.refuse("no axis is given");  // a reduction would take it for all of them
  std::string fault;
  ir::named_axes(axes, x.shape(), fault);
  return fault.empty() || call.refuse(fault);
}

// The innermost axes that layer_norm and rms_norm take together; empty when refused.
std::vector<std::int64_t> innermost(const Call& call, Tensor x, const LayerNormDesc& desc) {
  if (!call.is_float("x", x)) return {};
  const int rank = x.shape().rank();
  if (desc.axes < 1 || desc.axes > rank) {
    call.refuse(desc.axes, " innermost axes of x ", to_string(x.shape()));
    return {};
  }
  if (!call.is_not_negative("eps", desc.eps) || !call.may_broadcast("weight", desc.weight, x.shape()) || !call.may_broadcast("bias", desc.bias, x.shape())) return {};
  std::vector<std::int64_t> axes(static_cast<std::size_t>(desc.axes));
  std::iota(axes.begin(), axes.end(), rank - desc.axes);
  return axes;
}

// How many elements of x, one after the other, share a value of what broadcasts to it, before the next value comes: where values
// are of neighbouring axes alone. Nothing: they are not.
std::optional<std::int64_t> run_of(const Shape& values, const Shape& x) {
  std::int64_t run = 1;
  bool inside = false, outside = false;
  for (int back = 1; back <= x.rank(); ++back) {
    const std::int64_t extent = x.at(-back), own = back <= values.rank() ? values.at(-back) : 1;
    if (extent == 1) continue;
    if (own != 1 && outside) return std::nullopt;
    outside = outside || (own == 1 && inside);
    inside = inside || own != 1;
    if (!inside) run *= extent;
  }
  return run;
}

// The operands and attributes of normalize_rows for x as so many rows; nothing where the weights are not its.
std::optional<std::vector<Tensor>> by_rows(const Call& call, Tensor x, Tensor weight, Tensor bias, NormalizeRowsAttrs attrs) {
  const std::int64_t width = attrs.rows == 0 ? 0 : x.shape().elements() / attrs.rows;
  const bool narrow = (!weight || weight.dtype() == x.dtype()) && (!bias || bias.dtype() == x.dtype());
  for (Tensor* values : {&weight, &bias}) {
    if (!*values) continue;
    const std::int64_t count = values->shape().elements();
    const auto run = count == 1 ? width : run_of(values->shape(), x.shape());  // one value is every row's
    const bool unlike = weight && values == &bias && (run != attrs.run || count != weight.shape().elements());
    if (!run || unlike || width == 0 || !ops::row_weights(width, *run, count)) return std::nullopt;
    attrs.run = *run;
    *values = reshape(narrow ? *values : call.real(*values).tensor, {count}, call.site);
  }
  return ops::append(ops::normalize_rows_op, std::vector{x, weight, bias, Tensor()}, ir::Attrs::of(attrs), call.site);
}

Tensor grouped(const Call& call, Tensor x, std::int64_t groups, const GroupNormDesc& desc) {
  const Shape channels{x.dim(1)};
  if (!call.is_not_negative("eps", desc.eps) || !call.may_have_shape("weight", desc.weight, channels) ||
      !call.may_have_shape("bias", desc.bias, channels))
    return call.nothing();
  if (x.shape().elements() == 0) return x;
  const NormalizeRowsAttrs attrs{.rows = x.dim(0) * groups, .eps = desc.eps};
  return (*by_rows(call, x, per_channel(desc.weight, x, call.site), per_channel(desc.bias, x, call.site), attrs))[0];
}

NormalizeRowsAttrs rows_of(Tensor x, const LayerNormDesc& desc, bool centred) {
  std::int64_t rows = 1;
  for (int axis = 0; axis < x.shape().rank() - desc.axes; ++axis) rows *= x.dim(axis);
  return {.rows = rows, .centred = centred, .eps = desc.eps};
}

// Of sums of |x|^p no less than what a float can hold, below which there is no gradient.
Term lp_norm(Term x, double p, double eps, const std::vector<std::int64_t>& axes) {
  const Term magnitude = of(Unary::abs, x);
  if (std::isinf(p)) return of(Reduce::max, magnitude, axes);
  const double least = std::max(std::pow(eps, p), double{std::numeric_limits<float>::min()});
  const Term sum = of(Reduce::sum, power(magnitude, p), axes), below = of(Binary::less, sum, least);
  const Term floor{scalar(sum.tensor, static_cast<float>(least), sum.site), sum.site};
  return of(Binary::pow, choose(below, floor, sum), 1 / p);
}

}  // namespace
}  // namespace nn

using nn::Call;
using nn::Term;

Standardized standardize(Tensor x, const std::vector<std::int64_t>& axes, float eps, CallSite site) {
  const Call call("standardize", {x}, site);
  if (!nn::check_axes(call, x, axes) || !call.is_not_negative("eps", eps)) return {call.nothing(), call.nothing(), call.nothing()};
  const Shape& shape = x.shape();
  Shape kept = shape;
  for (std::int64_t axis : axes) kept[*ir::normalize_axis(axis, shape.rank())] = 1;
  // The innermost axes are rows, whatever axes of one element stand among them.
  bool innermost = true, inside = false;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (shape[axis] == 1) continue;
    innermost = innermost && (kept[axis] == 1 || !inside);
    inside = inside || kept[axis] == 1;
  }
  if (innermost) {
    const nn::NormalizeRowsAttrs attrs{.rows = kept.elements(), .eps = eps, .statistics = 2};
    const auto made = *nn::by_rows(call, x, {}, {}, attrs);
    const auto of_rows = [&](Tensor statistic) { return shaped(Term{statistic, site}, kept).tensor; };
    return {made[0], of_rows(made[2]), of_rows(made[1])};
  }
  const nn::Centred at = nn::centre(call.real(x), axes, eps);
  return {in(x.dtype(), at.deviation * at.inverse).tensor, at.mean.tensor, at.inverse.tensor};
}

Tensor layer_norm(Tensor x, const LayerNormDesc& desc, CallSite site) {
  const Call call("layer_norm", {x, desc.weight, desc.bias}, site);
  const std::vector<std::int64_t> axes = nn::innermost(call, x, desc);
  if (axes.empty()) return call.nothing();
  if (const auto made = nn::by_rows(call, x, desc.weight, desc.bias, nn::rows_of(x, desc, true))) return (*made)[0];
  const nn::Centred at = nn::centre(call.real(x), axes, desc.eps);
  return nn::affine(call, at.deviation * at.inverse, desc.weight, desc.bias, x.dtype());
}

Tensor rms_norm(Tensor x, const LayerNormDesc& desc, CallSite site) {
  const Call call("rms_norm", {x, desc.weight, desc.bias}, site);
  const std::vector<std::int64_t> axes = nn::innermost(call, x, desc);
  if (axes.empty()) return call.nothing();
  if (const auto made = nn::by_rows(call, x, desc.weight, desc.bias, nn::rows_of(x, desc, false))) return (*made)[0];
  const Term value = call.real(x), mean_square = of(Reduce::mean, of(Unary::square, value), axes);
  return nn::affine(call, value * of(Unary::rsqrt, mean_square + desc.eps), desc.weight, desc.bias, x.dtype());
}

Tensor group_norm(Tensor x, const GroupNormDesc& desc, CallSite site) {
  const Call call("group_norm", {x, desc.weight, desc.bias}, site);
  if (!nn::has_channels(call, x)) return call.nothing();
  if (desc.groups < 1 || x.dim(1) % desc.groups != 0) {
    call.refuse(desc.groups, " groups do not divide the ", x.dim(1), " channels of x ", to_string(x.shape()));
    return call.nothing();
  }
  return nn::grouped(call, x, desc.groups, desc);
}

Tensor instance_norm(Tensor x, const GroupNormDesc& desc, CallSite site) {
  const Call call("instance_norm", {x, desc.weight, desc.bias}, site);
  return nn::has_channels(call, x) ? nn::grouped(call, x, x.dim(1), desc) : call.nothing();
}

namespace nn {
namespace {

bool check_batch_norm(const Call& call, Tensor x, Tensor mean, Tensor variance, const BatchNormDesc& desc) {
  if (!has_channels(call, x)) return false;
  const Shape channels{x.dim(1)};
  return call.is_not_negative("eps", desc.eps) && call.is_share("momentum", desc.momentum) && call.has_shape("mean", mean, channels) && call.has_shape("variance", variance, channels) &&
         call.may_have_shape("weight", desc.weight, channels) && call.may_have_shape("bias", desc.bias, channels);
}

Tensor scaled_channels(const Call& call, Term y, Tensor x, const BatchNormDesc& desc) {
  return affine(call, y, per_channel(desc.weight, x, call.site), per_channel(desc.bias, x, call.site), x.dtype());
}

}  // namespace
}  // namespace nn

Tensor batch_norm(Tensor x, Tensor mean, Tensor variance, const BatchNormDesc& desc, CallSite site) {
  const Call call("batch_norm", {x, mean, variance, desc.weight, desc.bias}, site);
  if (!nn::check_batch_norm(call, x, mean, variance, desc)) return call.nothing();
  const Term inverse = of(Unary::rsqrt, call.real(nn::per_channel(variance, x, site)) + desc.eps);
  return nn::scaled_channels(call, (call.real(x) - call.real(nn::per_channel(mean, x, site))) * inverse, x, desc);
}

BatchNormResult batch_norm_train(Tensor x, Tensor running_mean, Tensor running_variance, const BatchNormDesc& desc,
                                 CallSite site) {
  const Call call("batch_norm_train", {x, running_mean, running_variance, desc.weight, desc.bias}, site);
  const BatchNormResult refused{call.nothing(), call.nothing(), call.nothing()};
  if (!nn::check_batch_norm(call, x, running_mean, running_variance, desc)) return refused;
  const std::int64_t channels = x.dim(1), count = channels == 0 ? 0 : x.shape().elements() / channels;
  if (desc.unbiased && count < 2) {
    call.refuse("x ", to_string(x.shape()), " has ", count, " values a channel; an unbiased variance takes 2");
    return refused;
  }
  std::vector<std::int64_t> axes{0};
  for (int axis = 2; axis < x.shape().rank(); ++axis) axes.push_back(axis);
  const Term value = call.real(x), mean = of(Reduce::mean, value, axes), deviation = value - mean;
  const Term variance = of(Reduce::mean, of(Unary::square, deviation), axes);
  const auto n = static_cast<double>(count);
  const auto run = [&](Tensor old, Term batch, double factor) {
    const Term now{stop_gradient(shaped(batch, {channels}).tensor, site), site};
    return in(old.dtype(), call.real(old) * (1 - double{desc.momentum}) + now * (factor * double{desc.momentum})).tensor;
  };
  return {nn::scaled_channels(call, deviation * of(Unary::rsqrt, variance + desc.eps), x, desc),
          run(running_mean, mean, 1), run(running_variance, variance, desc.unbiased ? n / (n - 1) : 1)};
}

Tensor normalize(Tensor x, const NormalizeDesc& desc, CallSite site) {
  const Call call("normalize", {x}, site);
  if (!nn::check_axes(call, x, desc.axes) || !call.is_not_negative("eps", desc.eps)) return call.nothing();
  if (!(desc.p > 0)) {
    call.refuse("the norm's p is ", desc.p, ", not above 0");
    return call.nothing();
  }
  const Term value = call.real(x);
  const Term norm = desc.p == 1   ? of(Reduce::l1, value, desc.axes)
                    : desc.p == 2 ? of(Reduce::l2, value, desc.axes)
                                  : nn::lp_norm(value, desc.p, desc.eps, desc.axes);
  return in(x.dtype(), value / of(Binary::max, norm, desc.eps)).tensor;
}

}  // namespace fovea
