// Attention with dropout against its definition, with Philox in 64-bit arithmetic: by every kernel, forward and gradient.

#include "tests/support/attention.hpp"
#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/philox.hpp"

#include <optional>

namespace fovea::test {
namespace {

constexpr std::int64_t stream = 5;

// One head size throughout: each is pipelines of its own, and the draw does not depend on it.
struct Sizes {
  std::int64_t B = 2, H = 2, Hk = 2, Lq = 5, Lk = 7, D = 8, Dv = 6;
};

// in: q, k, v, the state and, if there is one, a mask. Gives out and the lse of all weights.
template <class T>
std::vector<Array<T>> reference(const std::vector<Array<T>>& in, const AttentionDesc& desc, bool boolean_mask) {
  std::vector<Array<T>> operands{in[0], in[1], in[2]};
  if (in.size() > 4) operands.push_back(in[4]);
  const std::int64_t drawn = (in[1].dim(2) + 3) / 4 * 4;  // of a row: its keys, by fours
  const double keep = static_cast<double>(1 - desc.dropout);
  auto all = naive_attention(operands, desc, boolean_mask, [&](std::int64_t row, std::int64_t j) {
    return uniform_of(word(in[3], stream, row * drawn + j)) < keep ? 1 / keep : 0;
  });
  all.pop_back();
  return all;
}

struct Beside {
  std::optional<Operand> mask{};
  bool f16_gradient = false;
};

void check_dropout(const Sizes& s, AttentionDesc desc, const Beside& beside = {}) {
  INFO("B,H,Hk,Lq,Lk,D,Dv = ", s.B, ' ', s.H, ' ', s.Hk, ' ', s.Lq, ' ', s.Lk, ' ', s.D, ' ', s.Dv, ", dropout ", desc.dropout);
  std::vector<Operand> in{random({s.B, s.H, s.Lq, s.D}, -1, 1, 1), random({s.B, s.Hk, s.Lk, s.D}, -1, 1, 2),
                          random({s.B, s.Hk, s.Lk, s.Dv}, -1, 1, 3),
                          values({6}, {12345, -77, 4'000'000'000.0 - 4'294'967'296.0, 9, 2, -1}, DType::i32)};
  if (beside.mask) in.push_back(*beside.mask);
  const auto build = [&](Graph&, const std::vector<Tensor>& t) {
    AttentionDesc with = desc;
    with.dropout_state = t[3], with.dropout_stream = stream, with.return_lse = true;
    if (beside.mask) with.mask = t[4];
    const AttentionResult result = attention_full(t[0], t[1], t[2], with);
    return std::vector{result.out, result.lse};
  };
  const auto expected = [&](const auto& arrays) { return reference(arrays, desc, beside.mask && beside.mask->dtype == DType::boolean); };
  check("attention", in, build, expected, {.extra_ulps = 64});  // as attention without dropout
  check_gradient(in, build, expected, {.ulps = 256, .least_scale = 0.05, .f16 = beside.f16_gradient, .kernels_of = "attention_backward"});
}

}  // namespace

TEST_CASE("attention drops the weights that Philox says, and its gradient drops the same") {
  for (const float dropout : {0.1f, 0.5f, 0.9f}) check_dropout({}, {.dropout = dropout}, {.f16_gradient = dropout == 0.5f});
  check_dropout({.B = 1, .Lq = 37, .Lk = 41}, {.dropout = 0.25f});
  check_dropout({.B = 1, .H = 1, .Hk = 1, .Lq = 3, .Lk = 70}, {.dropout = 0.25f});
}

TEST_CASE("dropout beside grouped heads, a causal band, and masks, of which those that are added have a gradient") {
  check_dropout({.H = 6, .Hk = 2, .Lq = 5, .Lk = 9}, {.dropout = 0.3f});
  check_dropout({.B = 1, .Lq = 19, .Lk = 23}, {.causal = true, .dropout = 0.3f});
  check_dropout({}, {.dropout = 0.3f}, {.mask = random_boolean({2, 1, 5, 7}, 0.7, 4)});
  check_dropout({}, {.dropout = 0.3f}, {.mask = random({5, 7}, -1, 1, 4), .f16_gradient = true});
}

TEST_CASE("dropout of 0 is none, whatever the state") {
  Graph graph;
  const Tensor q = graph.input("q", {1, 1, 2, 4}), state = graph.input("state", {6}, DType::i32);
  attention(q, q, q, {.dropout = 0, .dropout_state = state});
  CHECK_FALSE(graph.error());
}

}  // namespace fovea::test
