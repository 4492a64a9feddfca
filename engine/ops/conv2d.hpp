#pragma once
// What conv2d, its gradient and the convolutions made of it share.

#include "ops/op_def.hpp"

#include <algorithm>

namespace fovea::ops {

struct Conv2dAttrs {
  std::array<std::int64_t, 2> stride{1, 1};
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};
  std::array<std::int64_t, 2> dilation{1, 1};
  std::int64_t groups = 1;
  Activation activation = Activation::none;
};
template <class F>
void describe(const Conv2dAttrs& attrs, F&& field) {
  field("stride", attrs.stride);
  field("padding", attrs.padding);
  field("dilation", attrs.dilation);
  field("groups", attrs.groups);
  field("activation", attrs.activation);
}

// The groups of a weight [O,C/groups,kh,kw] divide its channels and x's; the error is told where not.
template <class Attrs>
bool conv2d_groups_are_right(InferContext& context, const Shape& x, const Shape& weight, const Attrs& attrs) {
  if (x[1] % attrs.groups != 0) return context.fail("groups ", attrs.groups, " does not divide x's ", x[1], " channels"), false;
  if (weight[0] % attrs.groups != 0)
    return context.fail("groups ", attrs.groups, " does not divide weight's ", weight[0], " output channels"), false;
  return true;
}
// [N,O,Ho,Wo] of x [N,C,H,W] and that weight; where no window fits, the error is told.
template <class Attrs>
Shape conv2d_result(InferContext& context, const Shape& x, const Shape& weight, const Attrs& attrs) {
  Shape y{x[0], weight[0], 0, 0};
  for (int i = 0; i < 2 && context.error.empty(); ++i) {
    const auto a = static_cast<std::size_t>(i);
    const std::int64_t kernel = weight[2 + i], padded = x[2 + i] + attrs.padding[a] + attrs.padding[a + 2];
    const std::int64_t reach = attrs.dilation[a] * (kernel - 1) + 1;
    if (kernel < 1)
      context.fail("weight ", to_string(weight), " has an empty window");
    else if (reach > padded)
      context.fail("the window reaches over ", reach, " of axis ", i ? "x" : "y", " and the padded input has ", padded);
    else
      y[2 + i] = (padded - reach) / attrs.stride[a] + 1;
  }
  return y;
}

bool conv2d_vjp(Vjp& vjp);
// The gradient of conv2d with respect to its weight, of that shape: the products of d [N,O,Ho,Wo] with the columns of
// x [N,C,H,W]. The activation of `attrs` plays no part.
Tensor conv2d_weight_gradient(Tensor x, Tensor d, const Shape& weight, const Conv2dAttrs& attrs, CallSite site);
// A product a group, [1,G,O,CKK] · [N,G,CKK,L]: columns [N,C·kh·kw,Ho·Wo] -> [N,O,Ho,Wo].
Tensor conv2d_product(Tensor weight, Tensor columns, Tensor bias, std::int64_t groups, Activation activation, const Shape& y, CallSite site);

// Columns are made for parts of the images at a time where all of them would take more than this.
inline constexpr std::int64_t most_column_bytes = 64 << 20;
// How many of `count` things of that many bytes fit; at least one.
inline std::int64_t fitting(std::int64_t count, std::int64_t bytes) {
  return std::clamp<std::int64_t>(most_column_bytes / std::max<std::int64_t>(bytes, 1), 1, std::max<std::int64_t>(count, 1));
}
// Parts one after the other, so that the columns of one alone are in memory.
class InTurn {
 public:
  explicit InTurn(ir::Graph& graph) : graph_(graph), first_(graph.nodes.size()) {}
  // What was appended since the last part makes `part`.
  void done(Tensor part) {
    for (; first_ < graph_.nodes.size(); ++first_) graph_.nodes[first_].after = last_;
    last_ = part.id();
  }

 private:
  ir::Graph& graph_;
  std::size_t first_;
  ir::ValueId last_ = ir::none;
};
// The part [start, stop) of an axis.
inline Tensor part_of(Tensor x, int axis, std::int64_t start, std::int64_t stop, CallSite site) {
  return start == 0 && stop == x.dim(axis) ? x : slice(x, {.axis = axis, .start = start, .stop = stop}, site);
}

}  // namespace fovea::ops
