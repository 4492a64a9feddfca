// The way back through pooling windows: each element of x gathers from the windows that hold it.

#include "ops/compose.hpp"
#include "ops/pool.hpp"
#include "ops/separable.hpp"
#include "ops/term.hpp"
#include "ops/vjp.hpp"

#include <algorithm>

namespace fovea::ops {
namespace {

// Row o of an axis: the taps of window o that stand inside the input. averaged: of weight 1 / what the window counts.
AxisMap window_map(const PoolAttrs& attrs, std::size_t axis, std::int64_t size, std::int64_t windows, bool averaged) {
  AxisMap map{.columns = size};
  for (std::int64_t o = 0; o < windows; ++o) {
    std::int64_t start = 0, step = 1, taps = 0, padded = size;
    if (attrs.adaptive.empty()) {
      start = o * attrs.stride[axis] - attrs.begin[axis];
      step = attrs.dilation[axis], taps = attrs.kernel[axis];
      padded += attrs.end[axis];
    } else {
      start = o * size / windows;
      taps = ((o + 1) * size + windows - 1) / windows - start;
    }
    std::int64_t inside = 0, counted = 0;
    for (std::int64_t t = 0; t < taps; ++t) {
      const std::int64_t at = start + t * step;
      inside += at >= 0 && at < size;
      counted += at < padded;
    }
    double weight = 1;
    if (averaged) weight = attrs.divisor != 0 ? axis == 0 ? 1 / static_cast<double>(attrs.divisor) : 1
                           : 1 / static_cast<double>(attrs.count_include_pad ? counted : inside);
    for (std::int64_t t = 0; t < taps; ++t)
      if (const std::int64_t at = start + t * step; at >= 0 && at < size) map.add(at, weight);
    map.end_row();
  }
  return map;
}

// From windows [N,C,...] back to the elements that they hold.
std::vector<AxisMap> ways_back(const PoolAttrs& attrs, const Shape& x, const Shape& windows, bool averaged) {
  std::vector<AxisMap> maps;
  for (int axis = 2; axis < x.rank(); ++axis)
    maps.push_back(transposed(window_map(attrs, static_cast<std::size_t>(axis - 2), x[axis], windows[axis], averaged)));
  return maps;
}

// y = (sum |x|^p)^(1/p): dx = sign(x)·|x|^(p-1) · sum over its windows of dy·y^(1-p); at the origin 0.
Tensor lp_vjp(Vjp& vjp, const PoolAttrs& attrs, std::vector<AxisMap> back) {
  const CallSite site = vjp.site;
  const auto full = [&](Tensor t) { return in(DType::f32, {t, site}); };
  const Term x = full(vjp.in(0));
  Term share = full(vjp.d()), slope = x;  // of p = 2, which has a slope of its own at 0
  if (attrs.p != 1) share = share * power(full(vjp.out()), 1 - double{attrs.p});
  if (attrs.p != 2) slope = of(Unary::sign, x);
  if (attrs.p != 1 && attrs.p != 2) slope = slope * power(of(Unary::abs, x), double{attrs.p} - 1);
  return (slope * Term{separable(share.tensor, std::move(back), site), site}).tensor;
}

}  // namespace

bool pool_vjp(Vjp& vjp) {
  auto attrs = vjp.attrs<PoolAttrs>();
  const Shape x = vjp.in_shape(0), windows = vjp.d().shape();
  if (x.elements() == 0 || windows.elements() == 0) return true;
  std::vector<AxisMap> back = ways_back(attrs, x, windows, attrs.kind == Pool::average);
  if (attrs.kind == Pool::lp) {
    vjp.give(0, lp_vjp(vjp, attrs, std::move(back)));
  } else if (attrs.kind == Pool::average) {
    vjp.give(0, separable(vjp.d(), std::move(back), vjp.site));
  } else {  // all of it to the first maximum
    const bool known = attrs.indices;
    attrs.indices = true;
    const Tensor indices = known ? vjp.out(1) : vjp.add_result(ir::Attrs::of(attrs), {windows, DType::i32});
    vjp.give(0, separable(vjp.d(), std::move(back), vjp.site, Choice::points_here, indices));
  }
  return true;
}

}  // namespace fovea::ops

namespace fovea {

Tensor max_unpool(Tensor x, Tensor indices, const PoolDesc& window, std::span<const std::int64_t> output, CallSite site) {
  if (ops::nothing_to_do("max_unpool", {x, indices}, site)) return ops::poisoned(x);
  const auto refuse = [&](const auto&... why) { return ops::refuse(x, site, "max_unpool: ", why...); };
  const std::size_t axes = window.kernel.size();
  const Shape pooled = x.shape();
  if (axes < 1 || axes > 3) return refuse("windows over ", axes, " axes; 1, 2 or 3 are possible");
  if (pooled.rank() != static_cast<int>(axes) + 2)
    return refuse("x ", to_string(pooled), " is not [N,C] and ", axes, " spatial axes");
  if (output.size() != axes) return refuse("the output has ", output.size(), " extents and the window ", axes);
  if (!ir::is_float(x.dtype())) return refuse("x is ", to_string(x.dtype()), ", not ", ir::float_types);
  if (indices.dtype() != DType::i32 || indices.shape() != pooled)
    return refuse("the indices are ", to_string(indices.dtype()), to_string(indices.shape()), ", not i32", to_string(pooled));
  const ops::PoolAttrs attrs = ops::pool_attrs(Pool::max, window, true);
  if (attrs.stride.size() != axes || attrs.begin.size() != axes || attrs.end.size() != axes ||
      attrs.dilation.size() != axes)
    return refuse("stride, padding and dilation do not have the kernel's ", axes, " entries");
  Shape shape = pooled;
  for (std::size_t i = 0; i < axes; ++i) {
    if (output[i] < 1 || output[i] > (1 << 30)) return refuse("output extent ", output[i], " of axis ", i + 2, " is not in 1..2^30");
    const auto outside = [](std::int64_t value, std::int64_t least) { return value < least || value > (1 << 30); };
    if (outside(attrs.kernel[i], 1) || outside(attrs.stride[i], 1) || outside(attrs.begin[i], 0) || outside(attrs.end[i], 0) ||
        outside(attrs.dilation[i], 1))
      return refuse("kernel ", attrs.kernel[i], ", stride ", attrs.stride[i], ", padding ", attrs.begin[i], " and ", attrs.end[i],
                    " and dilation ", attrs.dilation[i], " of axis ", i + 2, " are no window");
    const std::int64_t count = ops::windows(attrs, i, output[i]), given = pooled[static_cast<int>(i) + 2];
    if (count != given)
      return refuse("output extent ", output[i], " of axis ", i + 2, " has ", count, " windows and x ", to_string(pooled), " has ", given);
    shape[static_cast<int>(i) + 2] = output[i];
  }
  return ops::separable(x, ops::ways_back(attrs, shape, pooled, false), site, ops::Choice::points_here, indices);
}

Tensor max_unpool(Tensor x, Tensor indices, const PoolDesc& window, std::initializer_list<std::int64_t> output, CallSite site) {
  return max_unpool(x, indices, window, std::span(output.begin(), output.size()), site);
}

}  // namespace fovea
