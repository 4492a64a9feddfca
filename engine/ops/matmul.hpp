#pragma once
// The matmul operator's attributes, for the passes that fold into it, and the problem its kernels solve.

#include "ops/op_def.hpp"
#include "shaders/matmul.h"

#include <fovea/ops.hpp>

#include <vector>

namespace fovea::ops {

struct MatmulAttrs {
  bool transpose_a = false, transpose_b = false;
  Activation activation = Activation::none;
  float alpha = 1, beta = 1;
};
template <class F>
void describe(const MatmulAttrs& attrs, F&& field) {
  field("transpose_a", attrs.transpose_a);
  field("transpose_b", attrs.transpose_b);
  field("activation", attrs.activation);
  field("alpha", attrs.alpha);
  field("beta", attrs.beta);
}

// A node as kernels take it: batches of [M,K]·[K,N], with as few batches as possible.
struct MatmulProblem {
  std::int64_t M = 1, N = 1, K = 1;
  // Layouts; a single row or column is described as K-contiguous, whatever the caller's transposition.
  bool a_transposed = false, b_transposed = false;
  std::vector<std::int64_t> extents;                    // of the batch axes, outermost first
  std::array<std::vector<std::int64_t>, 3> strides;     // of a, b and the bias along them
  std::int64_t bias_m = 0, bias_n = 0;                  // steps of the bias along m and n
  std::int64_t batches = 1;
};
MatmulProblem matmul_problem(const NodeView& node);

bool matmul_vjp(Vjp& vjp);

}  // namespace fovea::ops
