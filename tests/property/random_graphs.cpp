// Random graphs, forward and gradient, against an interpreter of naive loops in double.
//
// FOVEA_RANDOM_GRAPHS says how many (default 120), FOVEA_RANDOM_SEED which is first: a failure names its seed.

#include "tests/property/interpreter.hpp"
#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <fovea/autodiff.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>

namespace fovea::test {
namespace {

std::uint32_t number_from(const char* variable, std::uint32_t otherwise) {
  const char* text = std::getenv(variable);
  return text ? static_cast<std::uint32_t>(std::strtoul(text, nullptr, 10)) : otherwise;
}

double dot(const Array<double>& a, const Array<double>& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

double dot_magnitude(const Array<double>& a, const Array<double>& b) {
  double sum = 0;
  for (std::int64_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] * b[i]);
  return sum;
}

double largest(const Array<double>& a) {
  double most = 0;
  for (double value : a.values) most = std::max(most, std::abs(value));
  return most;
}

// The loss is the weighted sum of the last node's elements.
struct Trial {
  RandomGraph random;
  Array<double> weights;

  explicit Trial(std::uint32_t seed) : random(seed), weights(test::random(random.output_shape(), -1, 1, seed + 1).array) {}

  double loss(const std::vector<Array<double>>& inputs) const { return dot(random.run<double>(inputs), weights); }
};

// Along one direction in one input: the slope of the loss by central differences; nothing at a kink, where the one-sided
// slopes part.
std::optional<double> slope(const Trial& trial, std::size_t input, const Array<double>& direction) {
  constexpr double step = 1e-6;
  auto up = trial.random.inputs(), down = up;
  for (std::int64_t i = 0; i < direction.size(); ++i) up[input][i] += step * direction[i], down[input][i] -= step * direction[i];
  const double above = trial.loss(up), here = trial.loss(trial.random.inputs()), below = trial.loss(down);
  const double right = (above - here) / step, left = (here - below) / step;
  if (std::abs(right - left) > 1e-3 * (1 + std::abs(right) + std::abs(left))) return std::nullopt;
  return (above - below) / (2 * step);
}

struct Tally {
  int slopes = 0, kinks = 0;
};

void check_forward(const Trial& trial, const Array<double>& got, double& amplification) {
  const Array<double> expected = trial.random.run<double>(trial.random.inputs());
  std::vector<Array<float>> narrow;
  for (const auto& input : trial.random.inputs())
    narrow.emplace_back(input.shape, std::vector<float>(input.values.begin(), input.values.end()));
  const Array<float> in_float = trial.random.run<float>(narrow);
  double float_error = 0, worst = 0;
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    float_error = std::max(float_error, std::abs(static_cast<double>(in_float[i]) - expected[i]));
    worst = std::max(worst, std::isfinite(got[i]) ? std::abs(got[i] - expected[i]) : HUGE_VAL);
  }
  const double scale = std::max(largest(expected), 1e-3);
  amplification = std::max(1.0, float_error / (0x1p-24 * scale));
  // Vulkan's own precision adds to what float makes of it: a dozen units a node, which later nodes amplify alike.
  CHECK_MESSAGE(worst <= 16 * float_error + 512 * 0x1p-24 * scale, "forward: off by ", worst, ", float by ", float_error, ", largest ",
                largest(expected));
}

void check_gradients(const Trial& trial, const std::vector<Array<double>>& gradients, double amplification, std::uint32_t seed, Tally& tally) {
  for (std::size_t input = 0; input < gradients.size(); ++input) {
    const Array<double>& gradient = gradients[input];
    REQUIRE(gradient.shape == trial.random.inputs()[input].shape);
    for (std::uint32_t k = 0; k < 3; ++k) {
      // All elements together, then two of them alone.
      Array<double> direction = test::random(gradient.shape, -1, 1, seed * 31 + k).array;
      if (k > 0 && gradient.size() > 0)
        for (std::int64_t i = 0; i < gradient.size(); ++i)
          if (i != static_cast<std::int64_t>(seed * k) % gradient.size()) direction[i] = 0;
      const auto expected = slope(trial, input, direction);
      ++tally.slopes;
      if (!expected) {
        ++tally.kinks;
        continue;
      }
      const double got = dot(gradient, direction), scale = std::max({dot_magnitude(gradient, direction), largest(gradient), 1e-2});
      const double bound = 1024 * 0x1p-24 * amplification * scale + 1e-6 * std::max(1.0, scale);
      CHECK_MESSAGE(std::abs(got - *expected) <= bound, "gradient of input ", input, ", direction ", k, ": got ", got,
                    ", by finite differences ", *expected, ", bound ", bound);
    }
  }
}

}  // namespace

TEST_CASE("random graphs of up to 12 nodes: forward and gradient") {
  const std::uint32_t count = number_from("FOVEA_RANDOM_GRAPHS", 120), first = number_from("FOVEA_RANDOM_SEED", 1);
  Tally tally;
  for (std::uint32_t seed = first; seed < first + count; ++seed) {
    const Trial trial(seed);
    Graph graph;
    std::vector<Tensor> inputs;
    std::vector<Bytes> bytes;
    for (std::size_t i = 0; i < trial.random.inputs().size(); ++i) {
      inputs.push_back(graph.input("x" + std::to_string(i), trial.random.inputs()[i].shape));
      bytes.push_back(encode(trial.random.inputs()[i], DType::f32));
    }
    const Tensor y = trial.random.build(inputs);
    graph.output("y", y);
    const std::vector<float> weights(trial.weights.values.begin(), trial.weights.values.end());
    const auto gradients = grad(y, inputs, {.seed = graph.constant(y.shape(), weights), .recompute = seed % 3 == 0});
    for (std::size_t i = 0; i < gradients.size(); ++i) graph.output("d" + std::to_string(i), gradients[i]);
    INFO("seed ", seed, "\n", trial.random.text());
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    auto plan = context().compile(graph, {.poison_arena = true});
    REQUIRE_MESSAGE(plan, plan.error().message);
    Run run = run_guarded(*plan, bytes);
    double amplification = 1;
    check_forward(trial, run.outputs[0], amplification);
    run.outputs.erase(run.outputs.begin());
    check_gradients(trial, run.outputs, amplification, seed, tally);
    for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
  }
  MESSAGE(count, " graphs, ", tally.slopes, " slopes, ", tally.kinks, " at kinks");
  CHECK(tally.kinks * 20 <= tally.slopes);
}

}  // namespace fovea::test
