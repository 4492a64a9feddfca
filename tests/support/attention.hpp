#pragma once
// Attention by its definition, row by row.

#include "tests/support/array.hpp"

#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

namespace fovea::test {

// in: q, k, v and, if there is one, the mask. kept(row, j): what dropout leaves of weight j of a row, 1 where there is none.
// ranges: the operand, or null. Gives out, lse, weights.
template <class T, class Kept>
std::vector<Array<T>> naive_attention(const std::vector<Array<T>>& in, const AttentionDesc& desc, bool boolean_mask, const Kept& kept,
                                      const Array<T>* ranges = nullptr) {
  const Array<T>&q = in[0], &k = in[1], &v = in[2];
  const std::int64_t H = q.dim(1), Lq = q.dim(2), Lk = k.dim(2), D = q.dim(3), Dv = v.dim(3);
  const Shape scores{q.dim(0), H, Lq, Lk};
  Array<T> out(Shape{q.dim(0), H, Lq, Dv}), lse(Shape{q.dim(0), H, Lq}), weights(scores);
  const T scale = desc.scale ? static_cast<T>(*desc.scale) : T(1) / std::sqrt(static_cast<T>(D));
  for (std::int64_t row = 0; row < lse.size(); ++row) {
    const auto at = unflatten(row, lse.shape);
    const std::int64_t b = at[0], h = at[1], i = at[2], hk = h / (H / k.dim(1));
    const std::int64_t position = desc.align == CausalAlign::bottom_right ? i + Lk - Lq : i;
    std::vector<T> score(static_cast<std::size_t>(Lk));
    constexpr T infinity = std::numeric_limits<T>::infinity();
    T most = -infinity;
    for (std::int64_t j = 0; j < Lk; ++j) {
      T s = 0;
      for (std::int64_t d = 0; d < D; ++d) s += q.at({b, h, i, d}) * k.at({b, hk, j, d});
      s *= scale;
      if (desc.softcap > 0) s = static_cast<T>(desc.softcap) * std::tanh(s / static_cast<T>(desc.softcap));
      bool allowed = !(desc.causal && j > position);
      allowed = allowed && !(desc.window_left >= 0 && position - j > desc.window_left);
      allowed = allowed && !(desc.window_right >= 0 && j - position > desc.window_right);
      if (ranges) {
        const auto end = [&](std::int64_t n) { return (*ranges)[broadcast_offset({b, h, i, n}, ranges->shape)]; };
        allowed = allowed && end(0) <= static_cast<T>(j) && static_cast<T>(j) < end(1);
      }
      if (in.size() > 3) {
        const T mask = in[3][broadcast_offset({b, h, i, j}, in[3].shape)];
        if (boolean_mask) allowed = allowed && mask != T(0);
        else s += mask;
      }
      if (!allowed) s = -infinity;
      score[static_cast<std::size_t>(j)] = s;
      most = s < infinity ? std::max(most, s) : std::numeric_limits<T>::quiet_NaN();  // which max keeps
    }
    T sum = 0;
    for (T s : score) sum += s == -infinity ? T(0) : std::exp(s - most);
    lse[row] = most == -infinity ? most : most + std::log(sum);
    for (std::int64_t j = 0; j < Lk; ++j) {
      const T s = score[static_cast<std::size_t>(j)];
      if (s == -infinity && !std::isnan(most)) continue;  // contributes nothing, whatever v holds
      const T weight = std::exp(s - most) / sum;
      weights.at({b, h, i, j}) = weight;
      const auto share = static_cast<T>(kept(row, j));
      for (std::int64_t d = 0; d < Dv && share != 0; ++d) out.at({b, h, i, d}) += share * weight * v.at({b, hk, j, d});
    }
  }
  return {out, lse, weights};
}

template <class T>
std::vector<Array<T>> naive_attention(const std::vector<Array<T>>& in, const AttentionDesc& desc, bool boolean_mask) {
  return naive_attention(in, desc, boolean_mask, [](std::int64_t, std::int64_t) { return 1; });
}

}  // namespace fovea::test
