#include <fovea/autodiff.hpp>
#include <fovea/loss.hpp>

#include "tests/support/check.hpp"

#include <cmath>
#include <functional>
#include <limits>

namespace fovea::test {
namespace {

constexpr Reduction every_reduction[] = {Reduction::mean, Reduction::sum, Reduction::none};

template <class T>
Array<T> reduced(const Array<T>& losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses;
  Array<T> total{Shape{}};
  for (const T loss : losses.values) total[0] += reduction == Reduction::mean ? loss / static_cast<T>(losses.size()) : loss;
  return total;
}

// exp and log of the softmax and of softplus: 3 + 2|x| ulp (Vulkan, precision).
constexpr CheckOptions options{.extra_ulps = 32, .gradient = true};

// A loss of every element on its own: f(x, t).
template <class F>
void check_elements(const std::vector<Operand>& in, const std::function<Tensor(Tensor, Tensor, Reduction)>& loss, const F& f,
                    const CheckOptions& with = options) {
  for (const Reduction reduction : every_reduction) {
    CAPTURE(std::string(to_string(reduction)));
    check("elementwise", in, [&](Graph&, const std::vector<Tensor>& t) { return std::vector{loss(t[0], t[1], reduction)}; },
          [&](const auto& arrays) {
            auto losses = arrays[0];
            for (std::int64_t i = 0; i < losses.size(); ++i) losses[i] = f(arrays[0][i], arrays[1][i]);
            return std::vector{reduced(losses, reduction)};
          },
          with);
  }
}

// x [N,C,L], target [N,L] (classes) or [N,C,L] (probabilities), weight [C], as the definition of PyTorch says it.
template <class T>
Array<T> cross_entropy_reference(const std::vector<Array<T>>& in, const ClassLossDesc& desc, bool logits) {
  const Array<T>&x = in[0], &target = in[1], &weight = in[2];
  const std::int64_t n = x.dim(0), classes = x.dim(1), l = x.dim(2);
  const T smooth = static_cast<T>(desc.label_smoothing);
  Array<T> losses({n, l});
  T counted = 0;
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t k = 0; k < l; ++k) {
      T sum = 0;
      for (std::int64_t c = 0; c < classes; ++c) sum += std::exp(x.at({i, c, k}));
      const auto minus_log_p = [&](std::int64_t c) { return logits ? std::log(sum) - x.at({i, c, k}) : -x.at({i, c, k}); };
      T& loss = losses.at({i, k});
      if (target.shape == x.shape) {
        for (std::int64_t c = 0; c < classes; ++c)
          loss += weight[c] * minus_log_p(c) * (target.at({i, c, k}) * (1 - smooth) + smooth / static_cast<T>(classes));
        counted += 1;
        continue;
      }
      const auto t = static_cast<std::int64_t>(target.at({i, k}));
      if (t == desc.ignore_index || t < 0 || t >= classes) continue;
      counted += weight[t];
      loss = (1 - smooth) * weight[t] * minus_log_p(t);
      for (std::int64_t c = 0; c < classes; ++c) loss += smooth / static_cast<T>(classes) * weight[c] * minus_log_p(c);
    }
  if (desc.reduction != Reduction::mean) return reduced(losses, desc.reduction);
  Array<T> mean = reduced(losses, Reduction::sum);
  mean[0] /= counted;
  return mean;
}

const Operand class_weight = random({5}, 0.2, 2, 9);
Operand ones(std::int64_t n) { return values({n}, std::vector<double>(static_cast<std::size_t>(n), 1.0)); }

}  // namespace

TEST_CASE("cross entropy and nll from indices: weights, smoothing, ignored and impossible indices") {
  Operand target = random_i32({4, 3}, 0, 4, 2);
  target.array.values[1] = 2, target.array.values[5] = -100, target.array.values[7] = 5;
  for (const bool logits : {true, false})
    for (const double smoothing : {0.0, 0.3})
      for (const Reduction reduction : every_reduction)
        for (const bool weighed : {false, true}) {
          if (!logits && smoothing != 0) continue;
          CAPTURE(logits);
          CAPTURE(smoothing);
          CAPTURE(weighed);
          const ClassLossDesc desc{.label_smoothing = smoothing, .ignore_index = weighed ? 2 : -100, .reduction = reduction};
          check("reduce", {random({4, 5, 3}, -3, 3), target, weighed ? class_weight : ones(5)},
                [&](Graph&, const std::vector<Tensor>& t) {
                  ClassLossDesc with = desc;
                  if (weighed) with.weight = stop_gradient(t[2]);
                  return std::vector{logits ? cross_entropy(t[0], t[1], with) : nll_loss(t[0], t[1], with)};
                },
                [&](const auto& in) { return std::vector{cross_entropy_reference(in, desc, logits)}; }, {.extra_ulps = 32});
        }
  check("reduce", {random({4, 5, 3}, -3, 3), target},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{cross_entropy(t[0], t[1], {.label_smoothing = 0.2})}; },
        [](const auto& in) {
          auto with = in;
          with.emplace_back(Shape{5}, std::decay_t<decltype(in[0][0])>(1));
          return std::vector{cross_entropy_reference(with, {.label_smoothing = 0.2}, true)};
        },
        options);
}

TEST_CASE("cross entropy: what an ignored item holds reaches no gradient") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  const Operand x = values({4, 3}, {1, 2, 0.5, -inf, -inf, -inf, inf, std::nan(""), 0, -1, 0, 1});
  for (const double smoothing : {0.0, 0.3})
    check("elementwise", {x, values({4}, {2, -100, 7, 0}, DType::i32)},
          [&](Graph&, const std::vector<Tensor>& t) { return grad(cross_entropy(t[0], t[1], {.label_smoothing = smoothing}), {t[0]}); },
          [&](const auto& in) {
            auto d = in[0];
            for (auto& value : d.values) value = 0;
            for (const std::int64_t item : {0, 3}) {
              decltype(d.values[0] + 0) sum = 0;
              for (std::int64_t c = 0; c < 3; ++c) sum += std::exp(in[0].at({item, c}));
              for (std::int64_t c = 0; c < 3; ++c) {
                const double wanted = smoothing / 3 + (in[1][item] == static_cast<double>(c) ? 1 - smoothing : 0);
                d.at({item, c}) = (std::exp(in[0].at({item, c})) / sum - static_cast<decltype(sum)>(wanted)) / 2;
              }
            }
            return std::vector{d};
          },
          {.f16 = false, .extra_ulps = 32});
}

TEST_CASE("cross entropy from probabilities, the classes last") {
  for (const double smoothing : {0.0, 0.3})
    for (const Reduction reduction : every_reduction) {
      const ClassLossDesc desc{.label_smoothing = smoothing, .reduction = reduction};
      check("reduce", {random({4, 5, 3}, -3, 3), random({4, 5, 3}, 0, 1, 2), class_weight},
            [&](Graph&, const std::vector<Tensor>& t) {
              ClassLossDesc with = desc;
              with.axis = -1, with.weight = t[2];
              return std::vector{cross_entropy(permute(t[0], {0, 2, 1}), permute(t[1], {0, 2, 1}), with)};
            },
            [&](const auto& in) { return std::vector{cross_entropy_reference(in, desc, true)}; }, options);
    }
}

TEST_CASE("losses of elements") {
  const std::vector<Operand> pair{random({3, 7}, -2, 2), random({3, 7}, -2, 2, 2)};
  const std::vector<Operand> chances{random({3, 7}, 0.05, 0.95), random({3, 7}, 0.05, 0.95, 2)};
  check_elements(pair, [](Tensor x, Tensor t, Reduction r) { return mse_loss(x, t, {r}); }, [](auto x, auto t) { return (x - t) * (x - t); });
  check_elements(pair, [](Tensor x, Tensor t, Reduction r) { return l1_loss(x, t, {r}); }, [](auto x, auto t) { return std::abs(x - t); });
  for (const double beta : {0.5, 1.0}) {
    const auto smooth = [=](auto x, auto t) {
      using T = decltype(x);
      const T d = std::abs(x - t), b = static_cast<T>(beta);
      return d < b ? d * d / (2 * b) : d - b / 2;
    };
    check_elements(pair, [=](Tensor x, Tensor t, Reduction r) { return smooth_l1_loss(x, t, beta, {r}); }, smooth);
    check_elements(pair, [=](Tensor x, Tensor t, Reduction r) { return huber_loss(x, t, beta, {r}); },
                   [=](auto x, auto t) { return static_cast<decltype(x)>(beta) * smooth(x, t); });
  }
  check_elements(pair, [](Tensor x, Tensor t, Reduction r) { return hinge_loss(x, t, 0.5, {r}); },
                 [](auto x, auto t) { return std::max(decltype(x)(0), decltype(x)(0.5) - t * x); });
  check_elements(chances, [](Tensor x, Tensor t, Reduction r) { return kl_loss(x, t, {r}); }, [](auto x, auto t) { return t * (std::log(t) - x); });
  check_elements(chances, [](Tensor x, Tensor t, Reduction r) { return binary_cross_entropy(x, t, {.reduction = r}); },
                 [](auto x, auto t) { return -t * std::log(x) - (1 - t) * std::log(1 - x); });
  check_elements({pair[0], chances[1]}, [](Tensor x, Tensor t, Reduction r) { return binary_cross_entropy_with_logits(x, t, {.reduction = r}); },
                 [](auto x, auto t) { return t * std::log(1 + std::exp(-x)) + (1 - t) * std::log(1 + std::exp(x)); });
}

TEST_CASE("binary cross entropy: weights, and the ends of the range") {
  check("elementwise", {random({3, 7}, -2, 2), random({3, 7}, 0, 1, 2), random({7}, 0.2, 2, 3), random({7}, 0.2, 2, 4)},
        [](Graph&, const std::vector<Tensor>& t) {
          return std::vector{binary_cross_entropy_with_logits(t[0], t[1], {.weight = t[2], .positive_weight = t[3], .reduction = Reduction::none})};
        },
        [](const auto& in) {
          auto y = in[0];
          for (std::int64_t i = 0; i < y.size(); ++i) {
            const auto x = in[0][i], t = in[1][i];
            y[i] = in[2][i % 7] * (in[3][i % 7] * t * std::log(1 + std::exp(-x)) + (1 - t) * std::log(1 + std::exp(x)));
          }
          return std::vector{y};
        },
        options);
  // Far out a logit costs its size on the wrong side, and next to nothing, but not nothing, on the right one.
  check("elementwise", {values({4}, {-60, -60, 60, 60}), values({4}, {0, 1, 0, 1})},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{binary_cross_entropy_with_logits(t[0], t[1], {.reduction = Reduction::none})}; },
        [](const auto& in) {
          auto y = in[0];
          const double tiny = std::exp(-60.0), all[] = {tiny, 60, 60, tiny};
          for (std::int64_t i = 0; i < 4; ++i) y[i] = static_cast<std::decay_t<decltype(y[0])>>(all[i]);
          return std::vector{y};
        },
        {.f16 = false, .extra_ulps = 256, .elementwise_scale = true});
  check("elementwise", {values({4}, {0, 0, 1, 1}), values({4}, {0, 1, 0, 1})},
        [](Graph&, const std::vector<Tensor>& t) {
          const Tensor loss = binary_cross_entropy(t[0], t[1], {.reduction = Reduction::none});
          return std::vector{loss, grad(reduce(Reduce::sum, loss), {t[0]})[0]};
        },
        [](const auto& in) {
          auto loss = in[0], d = in[0];
          const double losses[] = {0, 100, 100, 0}, slopes[] = {0, -1e12, 1e12, 0};
          using T = std::decay_t<decltype(d[0])>;
          for (std::int64_t i = 0; i < 4; ++i) loss[i] = static_cast<T>(losses[i]), d[i] = static_cast<T>(slopes[i]);
          return std::vector{loss, d};
        },
        {.f16 = false, .extra_ulps = 8});
}

TEST_CASE("a target of zero adds nothing to kl_loss, whatever log_p is") {
  check("elementwise", {values({3}, {-HUGE_VAL, -2, -1}), values({3}, {0, 0, 0.5})},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{kl_loss(t[0], t[1], {Reduction::none})}; },
        [](const auto& in) {
          auto y = in[0];
          y[0] = y[1] = 0, y[2] = in[1][2] * (std::log(in[1][2]) + 1);
          return std::vector{y};
        },
        {.extra_ulps = 16});
}

TEST_CASE("dice_loss of each item and class") {
  for (const Reduction reduction : every_reduction)
    check("reduce", {random({3, 2, 5}, 0, 1), random({3, 2, 5}, 0, 1, 2)},
          [&](Graph&, const std::vector<Tensor>& t) { return std::vector{dice_loss(t[0], t[1], 0.5, {reduction})}; },
          [&](const auto& in) {
            std::decay_t<decltype(in[0])> losses({3, 2});
            using T = std::decay_t<decltype(losses[0])>;
            for (std::int64_t n = 0; n < 6; ++n) {
              T both = 0, all = 0;
              for (std::int64_t i = 5 * n; i < 5 * n + 5; ++i) both += in[0][i] * in[1][i], all += in[0][i] + in[1][i];
              losses[n] = 1 - (2 * both + T(0.5)) / (all + T(0.5));
            }
            return std::vector{reduced(losses, reduction)};
          },
          options);
}

// The estimator's expectation over all samples is the exact gradient of the expected reward, whatever the baseline.
TEST_CASE("reinforce_loss: the value, and the gradient's expectation over every sample") {
  constexpr std::int64_t choices = 4;
  const Operand logits = random({1, choices}, -1, 1), rewards = random({choices}, -1, 1, 2), baseline = random({1}, -1, 1, 3);
  check("reduce", {logits, rewards, baseline},
        [&](Graph& graph, const std::vector<Tensor>& t) {
          const Tensor p = softmax(t[0]);
          Tensor expected;
          for (std::int32_t s = 0; s < choices; ++s) {
            const std::int32_t index[] = {s};
            const Tensor reward = slice(t[1], {.start = s, .stop = s + 1});
            const Tensor loss = reinforce_loss(t[0], graph.constant({1}, index), reward, {.baseline = t[2], .entropy = 0.3});
            const Tensor term = grad(loss, {t[0]})[0] * stop_gradient(slice(p, {.axis = 1, .start = s, .stop = s + 1}));
            expected = expected ? expected + term : term;
          }
          return std::vector{expected};
        },
        [&](const auto& in) {
          auto d = in[0];
          using T = std::decay_t<decltype(d[0])>;
          T sum = 0, mean = 0, entropy = 0;
          std::vector<T> p(choices);
          for (std::int64_t s = 0; s < choices; ++s) sum += std::exp(in[0][s]);
          for (std::size_t s = 0; s < choices; ++s) p[s] = std::exp(in[0].values[s]) / sum;
          for (std::size_t s = 0; s < choices; ++s) mean += p[s] * in[1].values[s], entropy -= p[s] * std::log(p[s]);
          for (std::size_t s = 0; s < choices; ++s)  // of -E[R] - 0.3·H
            d.values[s] = -p[s] * (in[1].values[s] - mean) + T(0.3) * p[s] * (std::log(p[s]) + entropy);
          return std::vector{d};
        },
        {.f16 = false, .extra_ulps = 64});
  check("reduce", {random({3, 4}, -1, 1), values({3}, {2, 0, 3}, DType::i32), random({3}, -1, 1, 2)},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{reinforce_loss(t[0], t[1], stop_gradient(t[2]), {.reduction = Reduction::sum})}; },
        [](const auto& in) {
          std::decay_t<decltype(in[0])> loss{Shape{}};
          using T = std::decay_t<decltype(loss[0])>;
          for (std::int64_t n = 0; n < 3; ++n) {
            T sum = 0;
            for (std::int64_t c = 0; c < 4; ++c) sum += std::exp(in[0].at({n, c}));
            loss[0] -= in[2][n] * (in[0].at({n, static_cast<std::int64_t>(in[1][n])}) - std::log(sum));
          }
          return std::vector{loss};
        },
        {.extra_ulps = 32});
}

TEST_CASE("losses name what is wrong") {
  const auto x = [](Graph& g) { return g.input("x", {4, 5}); };
  check_error([&](Graph& g) { cross_entropy(x(g), g.input("t", {4, 1}, DType::i32)); }, {"cross_entropy: the target is [4,1], not [4]", "loss.cpp"});
  check_error([&](Graph& g) { cross_entropy(x(g), g.input("t", {4})); }, {"cross_entropy: the target is [4], not [4,5]"});
  check_error([&](Graph& g) { cross_entropy(x(g), {}); }, {"cross_entropy: the target is absent"});
  check_error([&](Graph& g) { cross_entropy(x(g), g.input("t", {4}, DType::i32), {.axis = 2}); }, {"cross_entropy: axis 2 is out of range for logits [4,5]"});
  check_error([&](Graph& g) { cross_entropy(x(g), g.input("t", {4}, DType::i32), {.weight = g.input("w", {4})}); }, {"cross_entropy: weight is [4], not [5]"});
  check_error([&](Graph& g) { cross_entropy(x(g), g.input("t", {4}, DType::i32), {.label_smoothing = 1.5}); }, {"label smoothing 1.5 is outside"});
  check_error([&](Graph& g) { nll_loss(x(g), g.input("t", {4}, DType::i32), {.label_smoothing = 0.5}); }, {"nll_loss: labels are smoothed by cross_entropy"});
  check_error([&](Graph& g) { nll_loss(x(g), g.input("t", {4})); }, {"nll_loss: the target is f32, not i32"});
  check_error([&](Graph& g) { mse_loss(x(g), g.input("t", {5})); }, {"mse_loss: the target is [5], not [4,5]"});
  check_error([&](Graph& g) { smooth_l1_loss(x(g), g.input("t", {4, 5}), 0); }, {"smooth_l1_loss: beta is 0"});
  check_error([&](Graph& g) { const Tensor a = x(g); binary_cross_entropy(a, a, {.weight = g.input("w", {4})}); }, {"binary_cross_entropy: weight [4] does not broadcast to [4,5]"});
  check_error([&](Graph& g) { const Tensor a = x(g); binary_cross_entropy(a, a, {.positive_weight = a}); }, {"a positive weight is of logits alone"});
  check_error([&](Graph& g) { const Tensor a = g.input("v", {4, 3}); dice_loss(a, a); }, {"dice_loss: p [4,3] has no axis beside batch and classes"});
  check_error([&](Graph& g) { reinforce_loss(x(g), g.input("s", {4}, DType::i32), g.input("r", {5})); }, {"reinforce_loss: the reward is [5], not [4]"});
}

}  // namespace fovea::test
