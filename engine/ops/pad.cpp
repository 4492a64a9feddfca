// Padding and cropping: constant, reflect, replicate, circular. Crops come first, then what is left is padded.

#include "shaders/pad.h"

#include "base/enum_name.hpp"
#include "base/half.hpp"
#include "ops/pad.hpp"
#include "ops/strided.hpp"
#include "ops/vjp.hpp"
#include <fovea/ops.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>
#include <numeric>

namespace fovea {

const char* to_string(PadMode mode) {
  static constexpr const char* names[] = {"constant", "reflect", "replicate", "circular"};
  static_assert(std::size(names) == static_cast<std::size_t>(PadMode::circular) + 1);
  static_assert(static_cast<int>(PadMode::circular) == PAD_CIRCULAR &&
                static_cast<int>(PadMode::reflect) == PAD_REFLECT);
  return enum_name(names, mode);
}

namespace ops {

bool padding_has_source(InferContext& context, PadMode mode, int axis, std::int64_t kept, std::int64_t before, std::int64_t after) {
  const std::int64_t most = std::max(before, after);
  if (mode == PadMode::constant || most <= 0) return true;
  if (mode == PadMode::reflect && most >= kept)
    return context.fail("reflects ", most, " elements at axis ", axis, ", which has ", kept, ": at most ",
                        std::max<std::int64_t>(kept - 1, 0)), false;
  if (kept == 0) return context.fail("axis ", axis, " is empty: nothing to repeat"), false;
  return true;
}

namespace {

struct PadAttrs {
  std::vector<std::array<std::int64_t, 2>> amounts{};  // the last pair is the innermost axis
  PadMode mode = PadMode::constant;
  float value = 0;
};
template <class F>
void describe(const PadAttrs& attrs, F&& field) {
  field("amounts", attrs.amounts);
  field("mode", attrs.mode);
  field("value", attrs.value);
}

// What happens to one axis: `crop` elements are dropped in front, `kept` stay, `before` and `after` are added around.
struct AxisPad {
  std::int64_t crop = 0, kept = 0, before = 0, after = 0;
  std::int64_t extent() const { return before + kept + after; }
};

AxisPad axis_pad(const PadAttrs& attrs, const Shape& x, int axis) {
  const std::int64_t untouched = x.rank() - static_cast<std::int64_t>(attrs.amounts.size());
  if (axis < untouched) return {.kept = x[axis]};
  const auto [before, after] = attrs.amounts[static_cast<std::size_t>(axis - untouched)];
  const std::int64_t crop = std::max<std::int64_t>(-before, 0), crop_after = std::max<std::int64_t>(-after, 0);
  return {crop, x[axis] - crop - crop_after, std::max<std::int64_t>(before, 0), std::max<std::int64_t>(after, 0)};
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<PadAttrs>();
  const Shape& x = context.shape(0);
  if (!is_enumerator(attrs.mode)) return context.fail(no_enumerator("mode", attrs.mode));
  if (attrs.amounts.size() > static_cast<std::size_t>(x.rank()))
    return context.fail("amounts for ", attrs.amounts.size(), " axes, and x ", to_string(x), " has ", x.rank());
  for (const auto& pair : attrs.amounts)
    for (std::int64_t amount : pair)
      if (amount > INT32_MAX || amount < -INT32_MAX) return context.fail("amount ", amount, " is out of range");
  Shape y = x;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const AxisPad pad = axis_pad(attrs, x, axis);
    if (pad.kept < 0)
      return context.fail("crops ", x[axis] - pad.kept, " elements of axis ", axis, ", which has ", x[axis]);
    if (!padding_has_source(context, attrs.mode, axis, pad.kept, pad.before, pad.after)) return;
    y[axis] = pad.extent();
  }
  context.out = {{y, context.dtype(0)}};
}

// One axis of the launch.
struct WalkAxis {
  AxisPad pad;
  std::int64_t stride;  // of x
  bool padded() const { return pad.before > 0 || pad.after > 0; }
};

// Neighbours without padding become one axis where x is contiguous over both.
std::vector<WalkAxis> axes_of(const PadAttrs& attrs, const Shape& x) {
  const ir::Strides strides = ir::strides_of(x);
  std::vector<WalkAxis> axes;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const WalkAxis next{axis_pad(attrs, x, axis), strides[static_cast<std::size_t>(axis)]};
    if (!axes.empty() && !axes.back().padded() && !next.padded() && axes.back().stride == next.stride * next.pad.kept) {
      axes.back().pad.kept *= next.pad.kept;
      axes.back().stride = next.stride;
    } else {
      axes.push_back(next);
    }
  }
  if (axes.empty()) axes.push_back({{.kept = 1}, 1});  // a scalar
  return axes;
}

std::int64_t first_offset(const PadAttrs& attrs, const Shape& x) {
  const ir::Strides strides = ir::strides_of(x);
  std::int64_t offset = 0;
  for (int axis = 0; axis < x.rank(); ++axis)
    offset += axis_pad(attrs, x, axis).crop * strides[static_cast<std::size_t>(axis)];
  return offset;
}

std::uint32_t bits_of(float value, DType dtype) {
  switch (dtype) {
    case DType::f16: return half_from_float(value);
    case DType::bf16: return bfloat_from_float(value);
    case DType::i32:  // as cast does: saturating, NaN gives 0
      if (std::isnan(value)) return 0;
      return static_cast<std::uint32_t>(static_cast<std::int32_t>(std::clamp<double>(value, INT32_MIN, INT32_MAX)));
    case DType::boolean: return value != 0 ? 1 : 0;
    case DType::f32: break;
  }
  return std::bit_cast<std::uint32_t>(value);
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<PadAttrs>();
  const auto& [x, dtype] = node.in(0);
  const auto axes = axes_of(attrs, x);
  shader::PadSpec spec;
  spec.RANK = static_cast<shader::uint>(axes.size());
  spec.MODE = static_cast<shader::uint>(attrs.mode);
  spec.PADDED = 0;
  spec.FILL = bits_of(attrs.value, dtype);
  shader::PadParams params{u32(node.out(0).shape.elements()), u32(first_offset(attrs, x)), {}};
  PushWords words(params.words);
  spec.DIVISOR_WORDS = words.divisor_words(axes.size() - 1, 3 * axes.size() - 1);
  for (std::size_t k = 1; k < axes.size(); ++k) words.put_divisor(axes[k].pad.extent(), spec.DIVISOR_WORDS);
  for (const WalkAxis& axis : axes) words.put(axis.pad.kept);
  for (const WalkAxis& axis : axes) words.put(axis.pad.before);
  for (std::size_t k = 0; k + 1 < axes.size(); ++k) words.put(axes[k].stride);
  for (std::size_t k = 0; k < axes.size(); ++k)
    if (axes[k].padded()) spec.PADDED |= 1u << k;

  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader(size_of(dtype) == 2 ? "pad.half" : "pad.word");
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

// The part of d along `axis` from `start`, `count` long; reversed on request.
Tensor part(Tensor d, int axis, std::int64_t start, std::int64_t count, bool reversed, CallSite site) {
  const Tensor taken = slice(d, {.axis = axis, .start = start, .stop = start + count}, site);
  return reversed ? slice(taken, {.axis = axis, .start = -1, .step = -1}, site) : taken;
}

// Zeros around x along one axis (negative amounts crop).
Tensor zeros_around(Tensor x, int axis, std::int64_t before, std::int64_t after, CallSite site) {
  if (before == 0 && after == 0) return x;
  PadDesc desc;
  desc.amounts.resize(static_cast<std::size_t>(x.shape().rank() - axis));
  desc.amounts[0] = {before, after};
  return pad(x, desc, site);
}

// What the padding of one axis repeats, added where it was read. `d` has the padded extent, the result the kept one.
Tensor fold_axis(Tensor d, int axis, const AxisPad& pad, PadMode mode, CallSite site) {
  const std::int64_t kept = pad.kept;
  Tensor sum = part(d, axis, pad.before, kept, false, site);
  const auto add = [&](Tensor piece, std::int64_t at) {
    sum = binary(Binary::add, sum, zeros_around(piece, axis, at, kept - at - piece.shape()[axis], site), site);
  };
  if (mode == PadMode::reflect) {
    if (pad.before > 0) add(part(d, axis, 0, pad.before, true, site), 1);
    if (pad.after > 0) add(part(d, axis, pad.before + kept, pad.after, true, site), kept - 1 - pad.after);
  } else if (mode == PadMode::replicate) {
    const ReduceDesc along{.axes = {axis}, .keep_dims = true};
    if (pad.before > 0) add(reduce(Reduce::sum, part(d, axis, 0, pad.before, false, site), along, site), 0);
    if (pad.after > 0) add(reduce(Reduce::sum, part(d, axis, pad.before + kept, pad.after, false, site), along, site), kept - 1);
  } else if (mode == PadMode::circular) {
    // Whole turns, one under the other.
    const std::int64_t before = (kept - pad.before % kept) % kept, after = (kept - (before + pad.extent()) % kept) % kept;
    const Tensor whole = zeros_around(d, axis, before, after, site);
    const auto extents = whole.shape().extents();
    const auto product = [](std::span<const std::int64_t> of) { return std::accumulate(of.begin(), of.end(), std::int64_t{1}, std::multiplies<>()); };
    const auto at = static_cast<std::size_t>(axis);
    const Tensor turns = reshape(whole, {product(extents.first(at)), extents[at] / kept, kept, product(extents.subspan(at + 1))}, site);
    std::vector<std::int64_t> folded(extents.begin(), extents.end());
    folded[at] = kept;
    return reshape(reduce(Reduce::sum, turns, {.axes = {1}}, site), folded, site);
  }
  return sum;
}

bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<PadAttrs>();
  const Shape& x = vjp.in_shape(0);
  Tensor d = vjp.d();
  if (x.elements() == 0 || d.shape().elements() == 0) return true;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const AxisPad pad = axis_pad(attrs, x, axis);
    if (pad.before > 0 || pad.after > 0) d = fold_axis(d, axis, pad, attrs.mode, vjp.site);
    d = zeros_around(d, axis, pad.crop, x[axis] - pad.crop - pad.kept, vjp.site);
  }
  vjp.give(0, d);
  return true;
}

constexpr Kernel kernels[] = {{"pad", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

}  // namespace

extern constexpr OpDef pad_op{.name = "pad", .infer = infer, .kernels = kernels, .vjp = vjp};

}  // namespace ops

Tensor pad(Tensor x, const PadDesc& desc, CallSite site) {
  return ops::append_one(ops::pad_op, {x}, ir::Attrs::of(ops::PadAttrs{desc.amounts, desc.mode, desc.value}), site);
}

}  // namespace fovea
