// The interpreter's gradients are slopes, and its bounds say something.

#include "tests/conformance/fuzz/interpret.hpp"
#include "tests/conformance/fuzz/maker.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

using namespace fovea;
using namespace fovea::conformance;

namespace {

// The weighted output where one element of one input is moved: values_of gives inputs, so the move is another node's.
double loss(const Recipe& recipe, std::size_t input, std::int64_t element, double move) {
  Arrays<Exact> values;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    values.push_back(recipe.is_input(i) ? input_array<double>(recipe.nodes[i]) : apply_node(recipe.nodes[i], values));
    if (i == input) values[i][element].value += move;
  }
  const std::vector<double> weights = values_of(*recipe.gradient, values[recipe.output].size());
  double sum = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) sum += weights[i] * values[recipe.output].values[i].value;
  return sum;
}

}  // namespace

TEST_CASE("the gradients of random graphs are the slopes of their values") {
  int slopes = 0, kinks = 0;
  std::set<std::string_view> seen;
  for (std::uint32_t seed = 1; seed <= 400; ++seed) {
    const Recipe recipe = random_recipe(seed);
    if (!recipe.gradient) continue;
    for (const auto& [input, gradient] : evaluate<double>(recipe, 0).gradients) {
      for (int k = 0; k < 2 && gradient.size() > 0; ++k) {
        const std::int64_t element = (seed * 7 + k * 13) % gradient.size();
        constexpr double step = 1e-6;
        const double here = loss(recipe, input, element, 0), above = loss(recipe, input, element, step),
                     below = loss(recipe, input, element, -step);
        const double right = (above - here) / step, left = (here - below) / step, scale = 1 + std::abs(right) + std::abs(left);
        ++slopes;
        if (std::abs(right - left) > 1e-3 * scale) {  // the one-sided slopes part
          ++kinks;
          continue;
        }
        CHECK_MESSAGE(std::abs((above - below) / (2 * step) - gradient[element]) <= 1e-4 * scale, "seed ", seed, " input ", input,
                      " element ", element, "\n", to_text(recipe));
      }
    }
    for (const Node& node : recipe.nodes) seen.insert(node.op->name);
  }
  MESSAGE(slopes, " slopes, ", kinks, " at kinks");
  CHECK(slopes > 800);
  CHECK(kinks * 20 < slopes);
}

TEST_CASE("bounds are narrow: of twenty tensors one at most may be off by a hundredth of its magnitude") {
  int tensors = 0, wide = 0;
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    const Recipe recipe = random_recipe(seed);
    const Case made = make_case(recipe, "fuzz", "seed");
    const double share = recipe.storage == DType::f32 ? 0.01 : recipe.storage == DType::f16 ? 0.1 : 0.8;
    for (const io::StoredTensor& tensor : made.tensors.tensors()) {
      if (tensor.name.starts_with("in.")) continue;
      double most = 0;
      for (const float value : io::to_f32(tensor)) {
        REQUIRE(std::isfinite(value));
        most = std::max(most, std::abs(static_cast<double>(value)));
      }
      ++tensors;
      wide += made.tolerance(tensor.name).absolute > share * most + 1e-5;
    }
  }
  MESSAGE(tensors, " tensors, ", wide, " with a wide bound");
  CHECK(wide * 20 < tensors);
}

TEST_CASE("single precision errs, and by no more than its rounding makes of it") {
  const Recipe sum = parse_recipe("fovea-graph 1\n%0 = input() : f32[64]\n%1 = unary(%0) {op = exp} : f32[64]\n"
                                  "%2 = reduce(%1) {op = sum} : f32[]\noutput %2\ngradient\n").value();
  const double exact = evaluate<double>(sum, 0).output[0], first = evaluate<float>(sum, 1).output[0], second = evaluate<float>(sum, 2).output[0];
  CHECK(first != second);
  for (const double one : {first, second}) {
    CHECK(one != exact);
    CHECK(std::abs(one - exact) < 64 * 8 * 0x1p-24 * exact);
  }
  const Recipe whole = parse_recipe("fovea-graph 1\n%0 = input() {values = whole} : f32[64]\n%1 = reduce(%0) {op = sum} : f32[]\n"
                                    "output %1\n").value();
  CHECK(evaluate<double>(whole, 0).output[0] == evaluate<float>(whole, 1).output[0]);  // what single precision holds is exact
}

TEST_CASE("where slopes cancel, the bound is of what cancels") {
  const Recipe one = parse_recipe("fovea-graph 1\n%0 = input() : f32[1]\n%1 = softmax(%0) : f32[1]\n%2 = scale(%1) {by = 64} : f32[1]\n"
                                  "output %2\ngradient {values = one}\n").value();
  const Evaluation exact = evaluate<double>(one, 0);
  CHECK(exact.gradients[0].second[0] == 0);
  const double bound = make_case(one, "fuzz", "one").tolerance("grad.v0").absolute;  // of 64 - 64
  CHECK(bound > 64 * 0x1p-24);
  CHECK(bound < 64 * 8 * 0x1p-22);
}
