#pragma once
// What additive_score and feature_attention have alike: q and k, and the activation of their sums.

#include "ops/op_def.hpp"

#include <fovea/ops.hpp>

namespace fovea::ops {

// q [..., Lq, A] and k [..., Lk, A], leading axes as one.
struct AdditiveShape {
  std::int64_t B, Lq, Lk, A;

  explicit AdditiveShape(const NodeView& node);
  // Every pair of query and key, every feature.
  double terms() const {
    return static_cast<double>(B * A) * static_cast<double>(Lq) * static_cast<double>(Lk);
  }
};

// Fails where q, k and the third operand, `name`, are not floats of one type, where q and k do not fit together, and for
// activations that the kernels lack.
bool additive_operands_are_right(InferContext& context, const char* name, Unary activation);
// The leading axes of q, with others behind them.
Shape behind_leading_axes(const Shape& q, std::initializer_list<std::int64_t> axes);

std::uint32_t additive_activation(Unary activation);  // as lib/additive.h numbers them

// Rows in blocks of at most `most`, as even as may be.
std::uint32_t even_block(std::int64_t rows, std::int64_t most);

// q_i + k_j, in f32: [B,Lq,Lk,A].
Tensor sums_of_pairs(const AdditiveShape& shape, Tensor q, Tensor k, CallSite site);

}  // namespace fovea::ops
