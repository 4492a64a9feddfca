#pragma once
// recurrent_scan, one direction of one recurrent layer over a sequence, and its gradient.
//
// The scan's operands are the inputs' part of the gates [T,B,G·H] in order of time, the hidden weight [G·H,H] and bias
// [G·H] or none, the first states h and, of lstm, c [B,H], and the lengths i32 [B] or none; its results the output
// [T,B,H] and the last states, and with `tape` the tape (shaders/recurrent.h).
// The gradient's operands are the tape, the hidden weight, the gradients of the output and of the last states h and c, each
// or none, and the lengths; its results the gradients of the hidden parts of the gates [T,B,G·H], of h, and of lstm that
// of c, of gru those of the inputs' parts. (The two parts of the other cells' gates have the same gradient.)

#include "ops/op_def.hpp"
#include "shaders/recurrent.h"

#include <fovea/recurrent.hpp>

namespace fovea::ops {

struct RecurrentAttrs {
  Cell cell = Cell::rnn_tanh;
  GruUpdate update = GruUpdate::z_keeps;
  bool reverse = false;  // from the last step to the first
  bool tape = false;     // of the scan: one more result
};
template <class F>
void describe(const RecurrentAttrs& attrs, F&& field) {
  field("cell", attrs.cell);
  field("update", attrs.update);
  field("reverse", attrs.reverse);
  field("tape", attrs.tape);
}

// Operands, and results of which some are not there for every cell.
enum RecurrentIn : std::uint32_t { scan_gates, scan_weight, scan_bias, scan_h, scan_c, scan_lengths };
enum RecurrentBackwardIn : std::uint32_t { back_tape, back_weight, back_d_out, back_d_h, back_d_c, back_lengths };

struct RecurrentSizes {
  std::int64_t T, B, H;
  std::int64_t gates, first_gates, tape_parts;  // of the cell, in units of H
  // Of either operator's node: both have [T,B,...] first, and the weight second.
  explicit RecurrentSizes(const NodeView& node);
};
inline std::int64_t gates_of(Cell cell) { return RECURRENT_GATES(static_cast<int>(cell)); }
// The step of time that is i-th in order.
inline std::int64_t time_of(std::int64_t i, const RecurrentSizes& sizes, bool reverse) { return reverse ? sizes.T - 1 - i : i; }

extern const Kernel recurrent_scan_kernels[1], recurrent_scan_backward_kernels[1];

// The steps as operators of their own.
bool decompose_recurrent_scan(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out);
bool decompose_recurrent_scan_backward(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out);

struct ScanOperands {
  Tensor gates, weight, bias, h, c, lengths;
};
// out, last h, and of lstm the last c.
std::vector<Tensor> recurrent_scan(const ScanOperands& operands, const RecurrentAttrs& attrs, CallSite site);

}  // namespace fovea::ops
