#pragma once
// The attention operator: its attributes, its kernels, and its unfused form. Operands q, k, v, mask; results out, then
// lse and weights where they are asked for.

#include "ops/op_def.hpp"

#include <fovea/ops.hpp>

namespace fovea::ops {

struct AttentionAttrs {
  bool causal = false;
  CausalAlign align = CausalAlign::top_left;
  std::int64_t window_left = -1, window_right = -1;
  float scale = 0;
  float softcap = 0;
  bool lse = false, weights = false;
};
template <class F>
void describe(const AttentionAttrs& attrs, F&& field) {
  field("causal", attrs.causal);
  field("align", attrs.align);
  field("window_left", attrs.window_left);
  field("window_right", attrs.window_right);
  field("scale", attrs.scale);
  field("softcap", attrs.softcap);
  field("lse", attrs.lse);
  field("weights", attrs.weights);
}

// The letters of ops.hpp.
struct AttentionShape {
  std::int64_t B, H, Hk, Lq, Lk, D, Dv;

  explicit AttentionShape(const NodeView& node);
  // Query heads that read one key head. Their rows lie one after another in q.
  std::int64_t heads_a_key_head() const { return Hk == 0 ? 0 : H / Hk; }
};

// Query i sees keys i + low <= j <= i + high: what causal and the window leave. An open side lies beyond every key.
struct AttentionBand {
  std::int64_t low, high;
  bool open;  // every query sees every key
};
AttentionBand band_of(const AttentionAttrs& attrs, const AttentionShape& shape);

extern const Kernel attention_kernels[2];

// softmax(scale q kᵀ + mask) v with the scores stored.
bool decompose_attention(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out);

}  // namespace fovea::ops
