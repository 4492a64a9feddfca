// A range of one axis, with a step; a negative step walks backwards. All ranges of an axis: split.

#include "ops/compose.hpp"
#include "ops/strided_copy.hpp"
#include "ops/vjp.hpp"

#include <algorithm>

namespace fovea {
namespace ops {
namespace {

struct SliceAttrs {
  std::int64_t axis = 0, start = 0, stop = std::numeric_limits<std::int64_t>::max(), step = 1;
};
template <class F>
void describe(const SliceAttrs& attrs, F&& field) {
  field("axis", attrs.axis);
  field("start", attrs.start);
  field("stop", attrs.stop);
  field("step", attrs.step);
}

struct Range {
  std::int64_t first, count;
};

// As Python's slice.indices: bounds count from the end when negative and are then clamped to the positions that a walk
// in that direction can begin or end at.
Range range_of(const SliceAttrs& attrs, std::int64_t extent) {
  const std::int64_t low = attrs.step > 0 ? 0 : -1, high = attrs.step > 0 ? extent : extent - 1;
  const auto position = [&](std::int64_t bound) { return std::clamp(bound < 0 ? bound + extent : bound, low, high); };
  const std::int64_t first = position(attrs.start);
  // The default, "to the end", is position -1 of a backward walk, which no bound can say.
  const bool open = attrs.stop == std::numeric_limits<std::int64_t>::max();
  const std::int64_t stop = open && attrs.step < 0 ? -1 : position(attrs.stop);
  const std::int64_t span = attrs.step > 0 ? stop - first : first - stop;
  if (span <= 0) return {first, 0};
  // In unsigned arithmetic: a step may be INT64_MIN.
  const auto step = static_cast<std::uint64_t>(attrs.step);
  return {first,
          static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(span), attrs.step > 0 ? step : 0 - step))};
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<SliceAttrs>();
  Shape y = context.shape(0);
  const auto axis = ir::normalize_axis(attrs.axis, y.rank());
  if (!axis) return context.fail("axis ", attrs.axis, " is out of range for x ", to_string(y));
  if (attrs.step == 0) return context.fail("step is 0");
  y[*axis] = range_of(attrs, y[*axis]).count;
  context.out = {{y, context.dtype(0)}};
}

Region region_of(const NodeView& node) {
  const auto& attrs = node.attrs<SliceAttrs>();
  const Shape& x = node.in(0).shape;
  const int axis = *ir::normalize_axis(attrs.axis, x.rank());
  const Range range = range_of(attrs, x[axis]);
  Region region = dense_region(x);
  std::int64_t& stride = region.strides[static_cast<std::size_t>(axis)];
  region.offset = range.first * stride;
  if (range.count > 1) stride *= attrs.step;  // else it may overflow, and nobody takes it
  return region;
}

using Read = StridedRead<region_of>;

// Zeros between and around what was taken: the elements of d become rows of |step|, then one axis again.
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<SliceAttrs>();
  const CallSite site = vjp.site;
  const Shape& x = vjp.in_shape(0);
  const int axis = *ir::normalize_axis(attrs.axis, x.rank());
  const auto [first, count] = range_of(attrs, x[axis]);
  if (count == 0 || x.elements() == 0) return true;
  const std::int64_t step = count > 1 ? attrs.step : 1, stride = std::abs(step), lowest = step > 0 ? first : first + (count - 1) * step;
  Tensor d = vjp.d();
  if (step < 0) d = slice(d, {.axis = axis, .start = -1, .step = -1}, site);
  const auto pad_at = [&](int at, std::int64_t before, std::int64_t after) {
    PadDesc desc;
    desc.amounts.resize(static_cast<std::size_t>(d.shape().rank() - at));
    desc.amounts[0] = {before, after};
    d = pad(d, desc, site);
  };
  if (stride > 1) {
    // Outer axes as one, so that the split axis never makes a ninth.
    std::int64_t outer = 1, inner = 1;
    for (int k = 0; k < x.rank(); ++k) (k < axis ? outer : inner) *= k == axis ? 1 : x[k];
    d = reshape(d, {outer, count, 1, inner}, site);
    pad_at(2, 0, stride - 1);
    d = reshape(d, {outer, count * stride, inner}, site);
    pad_at(1, lowest, x[axis] - lowest - count * stride);
    d = reshape(d, x.extents(), site);
  } else {
    pad_at(axis, lowest, x[axis] - lowest - count);
  }
  vjp.give(0, d);
  return true;
}

}  // namespace

extern constexpr OpDef slice_op{
    .name = "slice", .infer = infer, .decompose = Read::decompose, .kernels = Read::kernels,
    .vjp = vjp};

}  // namespace ops

Tensor slice(Tensor x, const SliceDesc& desc, CallSite site) {
  return ops::append_one(ops::slice_op, {x},
                         ir::Attrs::of(ops::SliceAttrs{desc.axis, desc.start, desc.stop, desc.step}), site);
}

std::vector<Tensor> split(Tensor x, std::span<const std::int64_t> sizes, std::int64_t axis, CallSite site) {
  const auto none = [&](Tensor piece) { return std::vector<Tensor>(sizes.size(), piece); };
  if (ops::nothing_to_do("split", {x}, site)) return none(ops::poisoned(x));
  const auto refuse = [&](const auto&... why) { return none(ops::refuse(x, site, "split: ", why...)); };
  const auto along = ir::normalize_axis(axis, x.shape().rank());
  if (!along) return refuse("axis ", axis, " is out of range for x ", to_string(x.shape()));
  const std::int64_t extent = x.dim(*along);
  std::int64_t left = extent;
  for (std::int64_t size : sizes) {
    if (size < 0) return refuse("size ", size, " is negative");
    if (size > left) left = -1;
    if (left < 0) break;
    left -= size;
  }
  if (left != 0) return refuse("the sizes do not sum to the ", extent, " of axis ", axis, " of x ", to_string(x.shape()));
  std::vector<Tensor> pieces;
  std::int64_t start = 0;
  for (std::int64_t size : sizes) {
    pieces.push_back(slice(x, {.axis = *along, .start = start, .stop = start + size}, site));
    start += size;
  }
  return pieces;
}
std::vector<Tensor> split(Tensor x, std::initializer_list<std::int64_t> sizes, std::int64_t axis, CallSite site) {
  return split(x, std::span(sizes.begin(), sizes.size()), axis, site);
}

std::vector<Tensor> split(Tensor x, std::int64_t pieces, std::int64_t axis, CallSite site) {
  constexpr std::int64_t most = 1 << 16;
  const auto count = static_cast<std::size_t>(std::clamp<std::int64_t>(pieces, 0, most));
  if (ops::nothing_to_do("split", {x}, site)) return std::vector<Tensor>(count, ops::poisoned(x));
  const auto refuse = [&](const auto&... why) { return std::vector<Tensor>(count, ops::refuse(x, site, "split: ", why...)); };
  const auto along = ir::normalize_axis(axis, x.shape().rank());
  if (!along) return refuse("axis ", axis, " is out of range for x ", to_string(x.shape()));
  if (pieces < 1 || pieces > most) return refuse(pieces, " pieces, not 1 to 2^16");
  if (x.dim(*along) % pieces != 0) return refuse(pieces, " pieces do not divide axis ", axis, " of x ", to_string(x.shape()));
  return split(x, std::vector<std::int64_t>(count, x.dim(*along) / pieces), axis, site);
}

}  // namespace fovea
