#pragma once
// The kernels of matmul.

#include "ops/matmul.hpp"

namespace fovea::ops {

// For CPU drivers.
bool supports_matmul_row(const NodeView& node, const DeviceCaps& caps);
bool prefers_matmul_row(const NodeView& node, const DeviceCaps& caps);
void plan_matmul_row(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan);
// The same, of operands by their addresses.
bool supports_matmul_row_address(const NodeView& node, const DeviceCaps& caps);
bool prefers_matmul_row_address(const NodeView& node, const DeviceCaps& caps);
void plan_matmul_row_address(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan);
// For GPUs.
bool supports_matmul_tile(const NodeView& node, const DeviceCaps& caps);
bool prefers_matmul_tile(const NodeView& node, const DeviceCaps& caps);
void plan_matmul_tile(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan);
// For GPUs with matrix units: f16.
bool supports_matmul_matrix(const NodeView& node, const DeviceCaps& caps);
bool prefers_matmul_matrix(const NodeView& node, const DeviceCaps& caps);
void plan_matmul_matrix(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan);
// Sums over parts of K by one of these, then their sums: where K is long and the results too few to fill the device, or
// where one invocation may not loop over all of K.
bool supports_matmul_split(const NodeView& node, const DeviceCaps& caps);
bool prefers_matmul_split(const NodeView& node, const DeviceCaps& caps);
void plan_matmul_split(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan);

}  // namespace fovea::ops
