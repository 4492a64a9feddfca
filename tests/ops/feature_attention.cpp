// Attention with weights a feature, and its gradients, against the formula, by every kernel and by the unfused form.

#include "tests/support/additive.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/run.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

struct Options {
  Unary activation = Unary::tanh;
  float scale = 1;
  KeySide side = KeySide::both;
  bool f16 = true;
};

bool sees(KeySide side, std::int64_t i, std::int64_t j) {
  return side == KeySide::both || (side == KeySide::before ? j < i : j > i);
}

// in: q, k, x and, if there is a fourth, the mask.
template <class T>
std::vector<Array<T>> naive(const std::vector<Array<T>>& in, const Options& options) {
  const Array<T>&q = in[0], &k = in[1], &x = in[2];
  const std::int64_t Lq = q.dim(-2), Lk = k.dim(-2), A = q.dim(-1);
  const T c = static_cast<T>(options.scale);
  Array<T> y(q.shape);
  for (std::int64_t at = 0; at < y.size(); ++at) {
    const std::int64_t a = at % A, i = at / A % Lq, batch = at / A / Lq;
    std::vector<std::int64_t> keys;
    std::vector<T> scores;
    for (std::int64_t j = 0; j < Lk; ++j) {
      auto pair = unflatten(at, q.shape);
      pair.back() = j;
      if (!sees(options.side, i, j) || (in.size() > 3 && in[3][broadcast_offset(pair, in[3].shape)] == T(0))) continue;
      keys.push_back((batch * Lk + j) * A + a);
      scores.push_back(c * activated<T>(options.activation, (q[at] + k[keys.back()]) / c));
    }
    T most = -std::numeric_limits<T>::infinity(), sum = 0, total = 0;
    for (T s : scores) most = s < std::numeric_limits<T>::infinity() ? std::max(most, s) : std::numeric_limits<T>::quiet_NaN();
    for (std::size_t n = 0; n < keys.size(); ++n) {
      const T w = std::exp(scores[n] - most);
      sum += w, total += w * x[keys[n]];
    }
    y[at] = keys.empty() ? T(0) : total / sum;
  }
  return {y};
}

std::vector<Operand> qkx(const Shape& q, std::int64_t Lk, double range = 2) {
  Shape k = q;
  k[q.rank() - 2] = Lk;
  return {random(q, -range, range, 1), random(k, -range, range, 2), random(k, -1, 1, 3)};
}
std::vector<Operand> with(std::vector<Operand> in, Operand mask) {
  in.push_back(std::move(mask));
  return in;
}

Build attended(const Options& options) {
  return [=](Graph&, const std::vector<Tensor>& in) {
    FeatureAttentionDesc desc{.activation = options.activation, .scale = options.scale, .side = options.side};
    if (in.size() > 3) desc.mask = in[3];
    return std::vector{feature_attention(in[0], in[1], in[2], desc)};
  };
}

void check_forward(const std::vector<Operand>& in, const Options& options = {}) {
  CAPTURE(to_string(in[0].array.shape));
  CAPTURE(to_string(in[1].array.shape));
  // Vulkan allows exp 3 + 2|x| ulp; scores here stay below 16.
  check("feature_attention", in, attended(options), [=](const auto& arrays) { return naive(arrays, options); },
        {.f16 = options.f16, .extra_ulps = 64});
}

void check_backward(const std::vector<Operand>& in, const Options& options = {}, std::vector<bool> skip = {}) {
  CAPTURE(to_string(in[0].array.shape));
  CAPTURE(to_string(in[1].array.shape));
  check_gradient(in, attended(options), [=](const std::vector<Array<double>>& arrays) { return naive(arrays, options); },
                 {.ulps = 256, .least_scale = 0.05, .skip = std::move(skip), .f16 = options.f16,
                  .kernels_of = "feature_attention_backward"});
}

constexpr KeySide all_sides[] = {KeySide::both, KeySide::before, KeySide::after};
}  // namespace

TEST_CASE("feature_attention: lengths and features off every block, none and one") {
  for (const auto& [Lq, Lk] : {std::pair{1, 1}, {1, 37}, {37, 1}, {9, 21}, {0, 5}, {5, 0}}) check_forward(qkx({2, Lq, 19}, Lk));
  for (const std::int64_t A : {1, 16}) check_forward(qkx({2, 6, A}, 7));
  check_forward(qkx({1, 3, 0}, 4));
  check_forward(qkx({0, 3, 4}, 4));
  check_forward(qkx({13, 70}, 17));
}

TEST_CASE("feature_attention: every activation and scale") {
  for (const Unary activation : additive_activations) check_forward(qkx({2, 5, 6}, 7), {.activation = activation, .scale = 5});
  for (const float scale : {1.0f, 0.3f}) check_forward(qkx({2, 5, 6}, 7), {.scale = scale, .f16 = false});
}

TEST_CASE("feature_attention: one side of the diagonal; the first or the last query sees nothing and gives zeros") {
  for (const KeySide side : all_sides)
    for (const auto& [Lq, Lk] : {std::pair{11, 11}, {5, 14}, {14, 5}, {1, 1}})
      check_forward(qkx({2, Lq, 5}, Lk), {.scale = 5, .side = side, .f16 = Lq == 11});
}

TEST_CASE("feature_attention: masks, however they broadcast over leading axes, alone and with a side") {
  for (const Shape& mask : {Shape{2, 3, 6, 9}, {3, 6, 9}, {2, 1, 6, 9}, {2, 1, 1, 9}, {6, 9}, {9}, {6, 1}, {}})
    check_forward(with(qkx({2, 3, 6, 5}, 9), random_boolean(mask, 0.6)), {.scale = 2, .f16 = false});
  check_forward(with(qkx({2, 3, 6, 5}, 9), random_boolean({2, 1, 6, 9}, 0.6)), {.side = KeySide::before});
  check_forward(with(qkx({2, 2, 5}, 3), values({2, 3}, {0, 0, 0, 1, 0, 1}, DType::boolean)));
}

TEST_CASE("feature_attention: large scores do not overflow") {
  check_forward(qkx({1, 5, 4}, 9, 300), {.activation = Unary::relu, .f16 = false});
  check_forward(qkx({1, 5, 4}, 9, 300), {.scale = 200, .f16 = false});
}

TEST_CASE("feature_attention: NaN and infinity stay in their feature, and out of queries that do not see them") {
  auto in = qkx({2, 7, 5}, 7);
  in[0].array.at({0, 3, 1}) = nan;
  in[1].array.at({0, 4, 2}) = nan;
  in[1].array.at({1, 2, 0}) = inf;
  in[1].array.at({1, 5, 3}) = -inf;
  in[2].array.at({0, 6, 4}) = nan;
  in[2].array.at({1, 1, 4}) = inf;
  for (const Unary activation : additive_activations) check_forward(in, {.activation = activation, .f16 = false});
  for (const KeySide side : {KeySide::before, KeySide::after}) check_forward(in, {.side = side});
  for (const Unary activation : additive_activations)
    check_forward(with(in, random_boolean({2, 7, 7}, 0.5)), {.activation = activation, .side = KeySide::after, .f16 = false});
}

TEST_CASE("feature_attention backward: both sides, lengths off every block, none and one") {
  for (const auto& [Lq, Lk] : {std::pair{1, 1}, {1, 11}, {11, 1}, {6, 13}, {13, 6}}) check_backward(qkx({2, Lq, 5}, Lk), {.f16 = Lq == 6});
  check_backward(qkx({1, 3, 40}, 4), {.f16 = false});
  for (const auto& [Lq, Lk] : {std::pair{0, 5}, {5, 0}}) check_backward(qkx({2, Lq, 3}, Lk), {.f16 = false});
}

TEST_CASE("feature_attention backward: activations, scales, sides, masks, and queries that see nothing") {
  for (const Unary activation : additive_activations) check_backward(qkx({2, 5, 4}, 7), {.activation = activation, .scale = 5, .f16 = false});
  for (const KeySide side : all_sides) check_backward(qkx({2, 7, 3}, 7), {.scale = 0.7f, .side = side, .f16 = false});
  check_backward(with(qkx({2, 3, 4, 3}, 5), random_boolean({2, 1, 4, 5}, 0.5)), {.f16 = false});
  check_backward(with(qkx({1, 3, 2}, 4), values({3, 1}, {1, 0, 1}, DType::boolean)), {.f16 = false});
}

TEST_CASE("feature_attention backward: operands that are not differentiated for") {
  for (std::size_t only = 0; only < 3; ++only) {
    std::vector<bool> skip(3, true);
    skip[only] = false;
    check_backward(qkx({2, 4, 3}, 5), {.f16 = false}, skip);
  }
}

TEST_CASE("feature_attention backward: one tensor as query, key and value, as DiSAN has it") {
  const Options options{.scale = 5, .side = KeySide::after};
  check_gradient({random({2, 6, 3}, -2, 2, 1)},
                 [=](Graph& graph, const std::vector<Tensor>& in) { return attended(options)(graph, {in[0], in[0], in[0]}); },
                 [=](const std::vector<Array<double>>& in) { return naive<double>({in[0], in[0], in[0]}, options); },
                 {.ulps = 256, .kernels_of = "feature_attention_backward"});
}

TEST_CASE("feature_attention backward: the gradient of the gradient, through the decomposition") {
  // The gradients by q and by x are known: with s = tanh(q + k) and w its softmax, Σ_j w_j (1 - s_j²)(x_j - y) and Σ_i w_ij.
  const std::int64_t Lq = 3, Lk = 5, A = 2;
  check_gradient(
      qkx({1, Lq, A}, Lk),
      [](Graph&, const std::vector<Tensor>& t) { return grad(reduce(Reduce::sum, feature_attention(t[0], t[1], t[2])), {t[0], t[2]}); },
      [&](const std::vector<Array<double>>& in) {
        Array<double> d_q(in[0].shape), d_x(in[2].shape);
        for (std::int64_t i = 0; i < Lq; ++i)
          for (std::int64_t a = 0; a < A; ++a) {
            const auto s = [&](std::int64_t j) { return std::tanh(in[0].at({0, i, a}) + in[1].at({0, j, a})); };
            double total = 0, y = 0;
            for (std::int64_t j = 0; j < Lk; ++j) total += std::exp(s(j));
            for (std::int64_t j = 0; j < Lk; ++j) y += std::exp(s(j)) / total * in[2].at({0, j, a});
            for (std::int64_t j = 0; j < Lk; ++j) {
              const double w = std::exp(s(j)) / total;
              d_q.at({0, i, a}) += w * (1 - s(j) * s(j)) * (in[2].at({0, j, a}) - y);
              d_x.at({0, j, a}) += w;
            }
          }
        return std::vector{d_q, d_x};
      },
      {.ulps = 256});
}

TEST_CASE("feature_attention backward: what a query does not see gets no gradient, whatever it holds" * doctest::skip(compiles_only())) {
  Graph graph;
  auto in = qkx({1, 3, 2}, 3);
  in[2].array.at({0, 2, 0}) = nan;  // seen by nobody: keys before the query
  in[1].array.at({0, 2, 1}) = nan;
  std::vector<Tensor> tensors;
  for (std::size_t i = 0; i < 3; ++i) tensors.push_back(graph.input("in" + std::to_string(i), in[i].array.shape));
  const Tensor y = feature_attention(tensors[0], tensors[1], tensors[2], {.side = KeySide::before});
  const auto d = grad(reduce(Reduce::sum, y * y), tensors);
  for (std::size_t i = 0; i < 3; ++i) graph.output("d" + std::to_string(i), d[i]);
  for (const std::string kernel : {"feature_attention_backward", "decompose"}) {
    CAPTURE(kernel);
    auto plan = context().compile(graph, {.force_kernel = {"feature_attention_backward=" + kernel}});
    REQUIRE_MESSAGE(plan, plan.error().message);
    std::vector<Bytes> bytes;
    for (const Operand& operand : in) bytes.push_back(encode(operand.array, DType::f32));
    const Run run = run_guarded(*plan, bytes);
    for (const Array<double>& gradient : run.outputs)
      for (const double value : gradient.values) CHECK(std::isfinite(value));
    for (std::size_t i = 1; i < 3; ++i)
      for (std::int64_t a = 0; a < 2; ++a) CHECK(run.outputs[i].at({0, 2, a}) == 0);
  }
}

TEST_CASE("feature_attention: scores and weights are stored neither on the way forward nor back") {
  Graph graph;
  const Shape shape{8, 256, 300};  // they would be 600 MiB each
  const Tensor in[] = {graph.input("q", shape), graph.input("k", shape), graph.input("x", shape)};
  const Tensor y = feature_attention(in[0], in[1], in[2], {.scale = 5, .side = KeySide::before});
  graph.output("y", y);
  const auto d = grad(y, in, {.seed = graph.input("dy", shape)});
  for (std::size_t i = 0; i < d.size(); ++i) graph.output("d" + std::to_string(i), d[i]);
  CHECK(arena_bytes(graph) <= 2u * 8 * 256 * 300 * 4);  // two numbers a query and feature
}

TEST_CASE("feature_attention: what does not fit is named") {
  const auto refused = [](Shape q, Shape k, Shape x, const FeatureAttentionDesc& desc, std::vector<std::string> texts) {
    check_error([&](Graph& graph) { feature_attention(graph.input("q", q), graph.input("k", k), graph.input("x", x), desc); }, texts);
  };
  refused({4}, {4}, {4}, {}, {"feature_attention: q has shape [4], not [...,Lq,A]", "(feature_attention.cpp:"});
  refused({2, 3, 4}, {3, 5, 4}, {3, 5, 4}, {}, {"k has 3 elements (axis 0) and q has 2"});
  refused({2, 3, 4}, {2, 5, 4}, {2, 6, 4}, {}, {"x has shape [2,6,4] and k [2,5,4]"});
  refused({2, 3, 4}, {2, 5, 4}, {2, 5, 4}, {.activation = Unary::exp}, {"the activation is exp, not tanh, relu or elu"});
  refused({2, 3, 4}, {2, 5, 4}, {2, 5, 4}, {.scale = 0}, {"scale is 0, not a positive finite number"});
  refused({2, 3, 4}, {2, 5, 4}, {2, 5, 4}, {.scale = HUGE_VALF}, {"scale is inf"});
  refused({2, 3, 4}, {2, 5, 4}, {2, 5, 4}, {.scale = std::nanf("")}, {"scale is nan"});
  const auto masked = [](Shape mask, DType dtype, std::vector<std::string> texts) {
    check_error([&](Graph& graph) {
      const Tensor x = graph.input("x", {2, 5, 4});
      feature_attention(x, x, x, {.mask = graph.input("m", mask, dtype)});
    }, texts);
  };
  masked({3, 5}, DType::boolean, {"mask [3,5] does not broadcast to [...,Lq,Lk] = [2,5,5]"});
  masked({5, 5}, DType::f32, {"the mask is f32, not boolean"});
  check_error([](Graph& graph) {
    const Tensor x = graph.input("x", {2, 4});
    feature_attention(x, x, graph.input("y", {2, 4}, DType::f16));
  }, {"x is f16 and q is f32"});
}

}  // namespace fovea::test
