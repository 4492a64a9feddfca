#pragma once
// Rows normalised and scaled, and the gradients of that: what layer_norm, rms_norm, group_norm, instance_norm and standardize are.

#include "ops/op_def.hpp"
#include "ops/term.hpp"
#include "shaders/normalize_rows.h"

#include <cstdint>
#include <optional>
#include <vector>

namespace fovea::ops {

// Operands: x, as `rows` rows of equally many elements that stand side by side, whatever its shape; then, all optional, weight and
// bias [count], and a residual of x's shape and type, which is added to x first. Element e of x has weight e/run % count.
// Weight and bias are of x's type or f32, and both of one; a row has whole runs, and count is a multiple of its weights.
// Results: of x's type and shape; the sum of x and residual, if asked for; the inverse deviation and the mean, f32 [rows].
struct NormalizeRowsAttrs {
  std::int64_t rows = 1, run = 1;
  bool centred = true;         // false: divided by the root of the mean square, and there is no mean
  float eps = 1e-5f;
  Activation activation = Activation::none;
  bool sum = false;
  std::int64_t statistics = 0;  // 1: the inverse deviation; 2: the mean as well
};
template <class F>
void describe(const NormalizeRowsAttrs& attrs, F&& field) {
  field("rows", attrs.rows);
  field("run", attrs.run);
  field("centred", attrs.centred);
  field("eps", attrs.eps);
  field("activation", attrs.activation);
  field("sum", attrs.sum);
  field("statistics", attrs.statistics);
}
enum NormalizeRowsOperand : std::uint8_t { normalize_x, normalize_weight, normalize_bias, normalize_residual };

// The gradients, of attributes of the forward node. normalize_rows_backward: operands d, weight, x, inverse deviation, mean, what is
// added to the gradient of x; result that gradient. normalize_rows_weights: operands d, x, inverse deviation, mean; results
// the gradients of weight and of bias, f32 [count].
struct NormalizeRowsWeightsAttrs {
  NormalizeRowsAttrs forward{};
  std::int64_t count = 1;
  bool weight = true, bias = true;  // which are made
};
template <class F>
void describe(const NormalizeRowsWeightsAttrs& attrs, F&& field) {
  field("forward", ir::Attrs::of(attrs.forward).text());
  field("count", attrs.count);
  field("weight", attrs.weight);
  field("bias", attrs.bias);
}

// Two passes: the mean, then the squares of what is left of it.
struct Centred {
  Term deviation, mean, inverse;
};
inline Centred centre(Term x, const std::vector<std::int64_t>& axes, double eps) {
  const Term mean = of(Reduce::mean, x, axes), deviation = x - mean;
  const Term variance = of(Reduce::mean, of(Unary::square, deviation), axes);
  return {deviation, mean, of(Unary::rsqrt, variance + eps)};
}

// ---- Sharing rows -------------------------------------------------------------------------------------------------

// What weights of `count` a run at a time are to rows of this width.
struct RowWeights {
  std::int64_t of_row = 1, period = 1;
};
std::optional<RowWeights> row_weights(std::int64_t width, std::int64_t run, std::int64_t count);
std::int64_t width_of(const NormalizeRowsAttrs& attrs, const Shape& x);
// x, its `count` weights (0: none) and its statistics with four axes, so that weights broadcast to rows; rows are the inner two.
struct RowShapes {
  Shape rows, weights, statistics;
};
RowShapes row_shapes(const NormalizeRowsAttrs& attrs, const Shape& x, std::int64_t count);

// Who shares a row.
enum class RowSharing : std::uint8_t { lane, subgroups, group };

// How a launch gives rows to lanes: the first constants of NORMALIZE_SPEC.
struct RowLayout {
  RowSharing sharing = RowSharing::lane;
  std::uint32_t WG = 128, LANES = 128, SUBGROUPS = 1, VEC = 0, HELD = 0;

  std::uint32_t rows_of_group() const { return WG / LANES; }
  template <class Spec>
  void set(Spec& spec) const {
    spec.WG = WG, spec.LANES = LANES, spec.SUBGROUPS = SUBGROUPS, spec.VEC = VEC, spec.HELD = HELD;
  }
  // The variant of a shader for where its lanes meet.
  const ShaderInfo* shader(const char* stem, DType dtype) const {
    return shader_for(cat(stem, sharing == RowSharing::subgroups ? ".subgroup" : ".memory"), dtype);
  }
};
// `held` is how many vec4 of registers it takes to hold four elements.
RowLayout row_layout(std::int64_t width, std::int64_t run, std::int64_t held, const DeviceCaps& caps, RowSharing sharing);
// Whether it is right for this device and so many rows, in loops that it does not cut.
bool fits_rows(const RowLayout& layout, std::int64_t rows, std::int64_t width, const DeviceCaps& caps);
// The kernels of a CPU.
bool prefers_subgroups(std::int64_t width, const DeviceCaps& caps);
bool lane_first(const NodeView& node, const DeviceCaps& caps);

shader::NormalizeRowsParams normalize_params(const NormalizeRowsAttrs& attrs, std::int64_t width, std::int64_t count);
std::uint32_t type_of_weights(const NodeView& node, std::size_t operand);

}  // namespace fovea::ops
