// Additive scores and their gradients against the formula, by every kernel and by the unfused chain.

#include "tests/support/additive.hpp"
#include "tests/support/gradient.hpp"

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

// in: q, k, v.
template <class T>
std::vector<Array<T>> naive(const std::vector<Array<T>>& in, Unary activation) {
  const Array<T>&q = in[0], &k = in[1], &v = in[2];
  const std::int64_t Lq = q.dim(-2), Lk = k.dim(-2), A = q.dim(-1), heads = v.shape.rank() == 2 ? v.dim(0) : 1;
  Shape scores = q.shape;
  scores[q.shape.rank() - 1] = Lk;
  Array<T> e(scores);
  for (std::int64_t at = 0; at < e.size(); ++at) {
    const std::int64_t j = at % Lk, row = at / Lk, batch = row / Lq;
    T sum = 0;
    for (std::int64_t a = 0; a < A; ++a)
      sum += v[batch % heads * A + a] * activated<T>(activation, q[row * A + a] + k[(batch * Lk + j) * A + a]);
    e[at] = sum;
  }
  return {e};
}

std::vector<Operand> qkv(const Shape& q, std::int64_t Lk, std::int64_t heads = 0, double range = 2) {
  Shape k = q;
  k[q.rank() - 2] = Lk;
  const std::int64_t A = q[q.rank() - 1];
  return {random(q, -range, range, 1), random(k, -range, range, 2), random(heads ? Shape{heads, A} : Shape{A}, -1, 1, 3)};
}

Build scores(Unary activation) {
  return [=](Graph&, const std::vector<Tensor>& in) {
    return std::vector{additive_score(in[0], in[1], in[2], {.activation = activation})};
  };
}

void check_scores(const std::vector<Operand>& in, Unary activation = Unary::tanh) {
  CAPTURE(to_string(in[0].array.shape));
  CAPTURE(to_string(in[1].array.shape));
  CheckOptions options;
  options.extra_ulps = 16;  // tanh is Vulkan's sinh / cosh of exp 3 + 2|x| ulp; terms of magnitude up to 1
  check("additive_score", in, scores(activation), [=](const auto& arrays) { return naive(arrays, activation); }, options);
}

void check_backward(const std::vector<Operand>& in, Unary activation = Unary::tanh, bool f16 = false) {
  CAPTURE(to_string(in[0].array.shape));
  CAPTURE(to_string(in[1].array.shape));
  check_gradient(in, scores(activation), [=](const std::vector<Array<double>>& arrays) { return naive(arrays, activation); },
                 {.f16 = f16, .kernels_of = "additive_score_backward"});
}

}  // namespace

TEST_CASE("additive_score: lengths and features off every block, none and one, either side the longer") {
  for (const auto& [Lq, Lk] : {std::pair{1, 1}, {1, 37}, {37, 1}, {9, 20}, {33, 17}, {0, 5}, {5, 0}}) check_scores(qkv({2, Lq, 13}, Lk));
  for (const std::int64_t A : {1, 8}) check_scores(qkv({2, 5, A}, 18));
  check_scores(qkv({1, 3, 0}, 4));
  check_scores(qkv({0, 3, 4}, 4));
  check_scores(qkv({3, 130}, 70));
}

TEST_CASE("additive_score: every activation") {
  for (const Unary activation : additive_activations) check_scores(qkv({2, 5, 12}, 7), activation);
}

TEST_CASE("additive_score: leading axes of any number, a vector a head or one for all") {
  check_scores(qkv({4, 6}, 5));
  check_scores(qkv({2, 3, 4, 6}, 5));
  check_scores(qkv({2, 3, 4, 6}, 5, 3));
  check_scores(qkv({2, 1, 3, 4, 6}, 5, 3));
  check_scores(qkv({3, 4, 6}, 5, 3));
}

TEST_CASE("additive_score: tanh to the last places, from the smallest sums to the largest") {
  // One feature with v = 1: the activation itself, each value relative to its own size.
  std::vector<double> sums;
  for (double magnitude = 1e-30; magnitude < 1e30; magnitude *= 1.9) sums.push_back(magnitude), sums.push_back(-magnitude);
  for (double x = -12; x < 12; x += 0.031) sums.push_back(x);
  for (double& x : sums) x = static_cast<double>(static_cast<float>(x));
  const auto n = static_cast<std::int64_t>(sums.size());
  CheckOptions options;
  options.f16 = false;
  options.elementwise_scale = true;
  options.extra_ulps = 8;
  const std::vector<Operand> in{values({1, 1}, {0}), values({n, 1}, sums), values({1}, {1})};
  check("additive_score", in, scores(Unary::tanh), [=](const auto& arrays) { return naive(arrays, Unary::tanh); }, options);
}

TEST_CASE("additive_score: NaN and infinity reach the scores of their rows, and no others") {
  for (const Unary activation : additive_activations) {
    auto in = qkv({2, 4, 6}, 9);
    in[0].array.at({0, 1, 2}) = nan;
    in[0].array.at({1, 3, 5}) = inf;
    in[1].array.at({0, 7, 0}) = -inf;
    in[1].array.at({1, 2, 5}) = -inf;  // inf - inf
    in[1].array.at({1, 8, 1}) = nan;
    check_scores(in, activation);
  }
}

TEST_CASE("additive_score backward: both sides and v, lengths off every block, none and one") {
  for (const auto& [Lq, Lk] : {std::pair{1, 1}, {1, 11}, {11, 1}, {9, 19}}) check_backward(qkv({2, Lq, 5}, Lk), Unary::tanh, Lq == 9);
  check_backward(qkv({1, 3, 40}, 4));
  for (const auto& [Lq, Lk] : {std::pair{0, 5}, {5, 0}}) check_backward(qkv({2, Lq, 3}, Lk));
}

TEST_CASE("additive_score backward: every activation, heads, and operands that are not differentiated for") {
  for (const Unary activation : additive_activations) check_backward(qkv({2, 5, 4}, 7), activation);
  check_backward(qkv({2, 3, 4, 3}, 5, 3));
  for (std::size_t only = 0; only < 3; ++only) {
    std::vector<bool> skip(3, true);
    skip[only] = false;
    check_gradient(qkv({2, 4, 3}, 5), scores(Unary::tanh), [](const auto& arrays) { return naive(arrays, Unary::tanh); },
                   {.skip = skip, .kernels_of = "additive_score_backward"});
  }
}

TEST_CASE("additive_score backward: few rows of many on the other side, which is walked in parts") {
  for (const auto& [Lq, Lk] : {std::pair{1, 300}, {300, 1}, {2, 333}}) check_backward(qkv({1, Lq, 3}, Lk), Unary::tanh, Lq == 2);
}

TEST_CASE("additive_score backward: saturated sums have gradients of zero") {
  check_backward({values({1, 2, 1}, {30, -40}), values({1, 2, 1}, {1, 5}), values({1}, {1})});
}

TEST_CASE("additive_score backward: the gradient of the gradient, through the decomposition") {
  // The reference's gradient by q is known: v (1 - tanh²), summed over the keys.
  check_gradient(
      qkv({1, 3, 4}, 5),
      [](Graph&, const std::vector<Tensor>& t) {
        const Tensor e = additive_score(t[0], t[1], t[2]);
        return std::vector{grad(reduce(Reduce::sum, e), {t[0]})[0]};
      },
      [](const std::vector<Array<double>>& in) {
        Array<double> d(in[0].shape);
        for (std::int64_t i = 0; i < 3; ++i)
          for (std::int64_t j = 0; j < 5; ++j)
            for (std::int64_t a = 0; a < 4; ++a) {
              const double t = std::tanh(in[0].at({0, i, a}) + in[1].at({0, j, a}));
              d.at({0, i, a}) += in[2][a] * (1 - t * t);
            }
        return std::vector{d};
      },
      {.ulps = 256});
}

TEST_CASE("additive_score: sums of pairs are stored neither on the way forward nor back") {
  Graph graph;
  const Shape q{8, 256, 512};  // the sums of pairs would be 1 GiB
  const Tensor in[] = {graph.input("q", q), graph.input("k", q), graph.input("v", {512})};
  const Tensor e = additive_score(in[0], in[1], in[2]);
  graph.output("e", e);
  const auto d = grad(e, in, {.seed = graph.input("de", e.shape())});
  for (std::size_t i = 0; i < d.size(); ++i) graph.output("d" + std::to_string(i), d[i]);
  CHECK(arena_bytes(graph) < 5u << 20);  // the parts of dv a query, 4 MiB, and their sums
}

TEST_CASE("additive_score: what does not fit is named") {
  const auto refused = [](Shape q, Shape k, Shape v, Unary activation, std::vector<std::string> texts) {
    check_error([&](Graph& graph) {
      additive_score(graph.input("q", q), graph.input("k", k), graph.input("v", v), {.activation = activation});
    }, texts);
  };
  refused({4}, {4}, {4}, Unary::tanh, {"additive_score: q has shape [4], not [...,Lq,A]", "(additive_score.cpp:"});
  refused({2, 3, 4}, {5, 4}, {4}, Unary::tanh, {"k has shape [5,4] of 2 axes and q [2,3,4] of 3"});
  refused({2, 3, 4}, {3, 5, 4}, {4}, Unary::tanh, {"k has 3 elements (axis 0) and q has 2"});
  refused({2, 3, 4}, {2, 5, 6}, {4}, Unary::tanh, {"k has 6 features (axis 2) and q has 4"});
  refused({2, 3, 4}, {2, 5, 4}, {3}, Unary::tanh, {"v has 3 features and q has 4 (axis 2)"});
  refused({2, 3, 4}, {2, 5, 4}, {3, 4}, Unary::tanh, {"v has 3 heads (axis 0) and q has 2 (axis 0)"});
  refused({2, 3, 4}, {2, 5, 4}, {1, 1, 4}, Unary::tanh, {"v has shape [1,1,4], not [A] or [H,A]"});
  refused({3, 4}, {5, 4}, {1, 4}, Unary::tanh, {"v has shape [1,4], not [A]"});
  refused({2, 3, 4}, {2, 5, 4}, {4}, Unary::gelu, {"the activation is gelu, not tanh, relu or elu"});
  check_error([](Graph& graph) { additive_score(graph.input("q", {2, 4}), graph.input("k", {2, 4}, DType::f16), graph.input("v", {4})); },
              {"k is f16 and q is f32"});
  check_error([](Graph& graph) { additive_score(graph.input("q", {2, 4}), graph.input("k", {2, 4}), graph.input("v", {4}, DType::i32)); },
              {"v is i32, not f32, f16 or bf16"});
  check_error([](Graph& graph) { additive_score(graph.input("q", {2, 4}), Tensor(), graph.input("v", {4})); },
              {"additive_score: k is absent"});
}

}  // namespace fovea::test
