// Attention with dropout against its definition, with Philox in 64-bit arithmetic: by every kernel, forward and gradient.

#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/philox.hpp"

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr std::int64_t stream = 5;

// One head size throughout: each is pipelines of its own, and the draw does not depend on it.
struct Sizes {
  std::int64_t B = 2, H = 2, Hk = 2, Lq = 5, Lk = 7, D = 8, Dv = 6;
};

// in: q, k, v, the state and, if there is one, a boolean mask. Gives out and the lse of all weights.
template <class T>
std::vector<Array<T>> naive(const std::vector<Array<T>>& in, const AttentionDesc& desc) {
  const Array<T>&q = in[0], &k = in[1], &v = in[2];
  const std::int64_t H = q.dim(1), Lq = q.dim(2), Lk = k.dim(2), D = q.dim(3), Dv = v.dim(3);
  Array<T> out(Shape{q.dim(0), H, Lq, Dv}), lse(Shape{q.dim(0), H, Lq});
  for (std::int64_t row = 0; row < lse.size(); ++row) {
    const auto at = unflatten(row, lse.shape);
    const std::int64_t b = at[0], h = at[1], i = at[2], hk = h / (H / k.dim(1));
    std::vector<T> weights;
    T sum = 0;
    for (std::int64_t j = 0; j < Lk; ++j) {
      T s = 0;
      for (std::int64_t d = 0; d < D; ++d) s += q.at({b, h, i, d}) * k.at({b, hk, j, d});
      const bool visible = !(desc.causal && j > i) && (in.size() < 5 || in[4][broadcast_offset({b, h, i, j}, in[4].shape)] != 0);
      weights.push_back(visible ? std::exp(s / std::sqrt(static_cast<T>(D))) : T(0));
      sum += weights.back();
    }
    lse[row] = std::log(sum);
    const auto keep = static_cast<T>(1 - desc.dropout);
    for (std::int64_t j = 0; j < Lk && sum > 0; ++j) {
      const bool kept = uniform_of(word(in[3], stream, row * ((Lk + 3) / 4 * 4) + j)) < static_cast<double>(1 - desc.dropout);
      for (std::int64_t d = 0; d < Dv && kept; ++d)
        out.at({b, h, i, d}) += weights[static_cast<std::size_t>(j)] / sum / keep * v.at({b, hk, j, d});
    }
  }
  return {out, lse};
}

void check_dropout(const Sizes& s, AttentionDesc desc, const Shape* mask = nullptr) {
  INFO("B,H,Hk,Lq,Lk,D,Dv = ", s.B, ' ', s.H, ' ', s.Hk, ' ', s.Lq, ' ', s.Lk, ' ', s.D, ' ', s.Dv, ", dropout ", desc.dropout);
  std::vector<Operand> in{random({s.B, s.H, s.Lq, s.D}, -1, 1, 1), random({s.B, s.Hk, s.Lk, s.D}, -1, 1, 2),
                          random({s.B, s.Hk, s.Lk, s.Dv}, -1, 1, 3),
                          values({6}, {12345, -77, 4'000'000'000.0 - 4'294'967'296.0, 9, 2, -1}, DType::i32)};
  if (mask) in.push_back(random_boolean(*mask, 0.7, 4));
  const auto build = [&](Graph&, const std::vector<Tensor>& t) {
    AttentionDesc with = desc;
    with.dropout_state = t[3], with.dropout_stream = stream, with.return_lse = true;
    if (mask) with.mask = t[4];
    const AttentionResult result = attention_full(t[0], t[1], t[2], with);
    return std::vector{result.out, result.lse};
  };
  const auto reference = [&](const auto& arrays) { return naive(arrays, desc); };
  check("attention", in, build, reference, {.extra_ulps = 64});  // as attention without dropout
  check_gradient(in, build, reference, {.ulps = 256, .least_scale = 0.05, .kernels_of = "attention_backward"});
}

}  // namespace

TEST_CASE("attention drops the weights that Philox says, and its gradient drops the same") {
  for (const float dropout : {0.1f, 0.5f, 0.9f}) check_dropout({}, {.dropout = dropout});
  check_dropout({.B = 1, .Lq = 37, .Lk = 41}, {.dropout = 0.25f});
  check_dropout({.B = 1, .H = 1, .Hk = 1, .Lq = 3, .Lk = 70}, {.dropout = 0.25f});
}

TEST_CASE("dropout beside grouped heads, a causal band and a mask") {
  check_dropout({.H = 6, .Hk = 2, .Lq = 5, .Lk = 9}, {.dropout = 0.3f});
  check_dropout({.B = 1, .Lq = 19, .Lk = 23}, {.causal = true, .dropout = 0.3f});
  const Shape rows{2, 1, 5, 7};
  check_dropout({}, {.dropout = 0.3f}, &rows);
}

TEST_CASE("dropout of 0 is none, whatever the state") {
  Graph graph;
  const Tensor q = graph.input("q", {1, 1, 2, 4}), state = graph.input("state", {6}, DType::i32);
  attention(q, q, q, {.dropout = 0, .dropout_state = state});
  CHECK_FALSE(graph.error());
}

}  // namespace fovea::test
