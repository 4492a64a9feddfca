#pragma once
// Launches of the one kernel that copies: a region of one buffer into a region of another, bit for bit, any type.

#include "ops/op_def.hpp"
#include <fovea/ops.hpp>

namespace fovea::ops {

// Where the elements of an index space stand in a buffer: the first one, and the step along each axis.
struct Region {
  std::int64_t offset = 0;
  ir::Strides strides{};
};
// A whole dense tensor.
Region dense_region(const Shape& shape);

struct CopySide {
  LaunchOperand operand;
  Region region;
};
Launch strided_copy(const Shape& shape, DType dtype, const CopySide& from, const CopySide& to, const DeviceCaps& caps);

// The kernels of an operator whose output element at an index is the input's element there in a region: nothing but
// that region differs from one such operator to the next. Where it is the whole input in order, it is a reshape.
template <Region (*region_of)(const NodeView&)>
struct StridedRead {
  static bool is_view(const NodeView& node) {
    const Shape &x = node.in(0).shape, &y = node.out(0).shape;
    const Region region = region_of(node), dense = dense_region(y);
    bool in_order = region.offset == 0 && x.elements() == y.elements();
    for (int axis = 0; axis < y.rank(); ++axis) {
      const auto a = static_cast<std::size_t>(axis);
      in_order = in_order && (y[axis] <= 1 || region.strides[a] == dense.strides[a]);
    }
    return in_order;
  }
  static bool supports(const NodeView& node, const DeviceCaps&) { return !is_view(node); }
  static void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
    const auto& [y, dtype] = node.out(0);
    plan.launches.push_back(strided_copy(y, dtype, {in(0), region_of(node)}, {out(0), dense_region(y)}, caps));
  }
  static bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
    if (!is_view(node)) return false;
    out[0] = reshape(in[0], node.out(0).shape.extents(), builder.site);
    return true;
  }
  static constexpr Kernel kernels[] = {{"strided_copy", supports, plan}};
};

}  // namespace fovea::ops
