#pragma once
// Attention by a sum of query and key: additive scores, and attention with weights a feature. Part of <fovea/ops.hpp>.
//
// q [..., Lq, A] and k [..., Lk, A] are projections of queries and keys (`linear`), with the same leading axes: batch, heads,
// or none. A bias of the sum belongs into either of them. What location-aware attention adds for a key, U·f_j (Chorowski et
// al. 2015, eq. 9), differs from step to step: with the one query of a step it is added to k. Many queries of the same
// keys, beams say, are rows of q.

#include <fovea/ops.hpp>

namespace fovea {

struct AdditiveScoreDesc {
  Unary activation = Unary::tanh;  // or relu, elu
};
// e[..., i, j] = Σ_a v[a]·act(q[..., i, a] + k[..., j, a]) -> [..., Lq, Lk]. The sums q + k are never stored, by the gradient
// neither. v [A], or [H, A] with a vector for each index of axis -3 of q. Masks: softmax(e, {.mask = ...}).
// (Bahdanau et al. 2015, A.1.2; with relu: Xu et al. 2015, as implemented)
// Errors: extents that do not fit (the axis is named), another activation.
Tensor additive_score(Tensor q, Tensor k, Tensor v, const AdditiveScoreDesc& desc = {}, CallSite site = CallSite::here());

// Keys that query i sees.
enum class KeySide : std::uint8_t {
  both,    // all
  before,  // j < i (DiSAN's forward mask)
  after,   // j > i (its backward mask)
};
const char* to_string(KeySide side);

struct FeatureAttentionDesc {
  Unary activation = Unary::tanh;  // or relu, elu
  float scale = 1;                 // c > 0; DiSAN: 5
  KeySide side = KeySide::both;
  Tensor mask{};                   // boolean, true = attend; broadcasts to [..., Lq, Lk]
};
// y[..., i, a] = Σ_j w_ij[a]·x[..., j, a] -> [..., Lq, A], where w[a] is the softmax over the keys j of
// c·act((q[..., i, a] + k[..., j, a])/c): every feature has weights of its own, and neither scores nor weights, of
// Lq·Lk·A elements, are stored, by the gradient neither. x [..., Lk, A]. (Shen et al. 2018, DiSAN, eq. 8, 13 and 17)
// A query that may see no key gives zeros. A key that is not seen contributes nothing, whatever k and x hold.
// Errors: extents that do not fit (the axis is named), a mask that does not broadcast, another activation, a scale that is
// not positive and finite.
Tensor feature_attention(Tensor q, Tensor k, Tensor x, const FeatureAttentionDesc& desc = {}, CallSite site = CallSite::here());

}  // namespace fovea
