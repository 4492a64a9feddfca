// The harness itself: what it must refuse it refuses, on the device whose results it judges.

#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/run.hpp"

#include <cmath>
#include <cstring>
#include <limits>

using namespace fovea;
using namespace fovea::test;

namespace {

std::vector<Tensor> doubled(Graph&, const std::vector<Tensor>& in) {
  return {in[0] + in[0]};
}

// 2 x, but for the element 3, which is `off` more than that, or as `odd` says.
void check_doubled(double off, double odd = 0) {
  check(
      "elementwise", {random({2, 5}, 0.5, 1, 1)}, doubled,
      [&](const auto& in) {
        auto y = in[0];
        using T = std::decay_t<decltype(y[0])>;
        for (std::int64_t i = 0; i < y.size(); ++i) y[i] += y[i];
        if (odd != 0) y[3] = static_cast<T>(odd);
        y[3] += static_cast<T>(off);
        return std::vector{y};
      },
      {.f16 = false});
}

void run_sums(compile::Program program) {
  Plan plan = plan_from_program(context(), std::move(program)).value();
  const std::vector<float> a = numbers(100, 1), b = numbers(100, 2);
  const auto bytes = [](const std::vector<float>& values) { return Bytes(std::as_bytes(std::span(values)).begin(), std::as_bytes(std::span(values)).end()); };
  run_guarded(plan, {bytes(a), bytes(b)});
}

// x², whose slope the reference has `off` times too large.
void check_squared(double off) {
  check_gradient(
      {random({7}, 0.5, 1, 1)}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{in[0] * in[0]}; },
      [&](const auto& in) {
        auto y = in[0];
        for (double& value : y.values) value *= value * (1 + off);
        return std::vector{y};
      });
}

}  // namespace

TEST_CASE("a result within its bound passes") {
  check_doubled(0);
  check_doubled(2e-7);
}
TEST_CASE("a result some bounds off fails" * doctest::should_fail()) { check_doubled(1e-5); }
TEST_CASE("a number where NaN is expected fails" * doctest::should_fail()) { check_doubled(0, std::numeric_limits<double>::quiet_NaN()); }
TEST_CASE("a number where infinity is expected fails" * doctest::should_fail()) { check_doubled(0, std::numeric_limits<double>::infinity()); }
TEST_CASE("NaN where a number is expected fails" * doctest::should_fail()) {
  check(
      "elementwise", {values({3}, {1, -1, 4})}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{unary(Unary::sqrt, in[0])}; },
      [](const auto& in) { return std::vector{std::decay_t<decltype(in[0])>(Shape{3}, {1, 1, 2})}; }, {.f16 = false});
}
TEST_CASE("a second output that is wrong fails" * doctest::should_fail()) {
  check(
      "elementwise", {random({4}, 0.5, 1, 1)},
      [](Graph&, const std::vector<Tensor>& in) { return std::vector{in[0] + in[0], in[0] + in[0]}; },
      [](const auto& in) {
        auto y = in[0];
        for (auto& value : y.values) value += value;
        return std::vector{y, in[0]};
      },
      {.f16 = false});
}

TEST_CASE("a gradient within its bound passes") { check_squared(1e-7); }
TEST_CASE("a gradient some bounds off fails" * doctest::should_fail()) { check_squared(1e-4); }
TEST_CASE("a gradient of NaN fails" * doctest::should_fail()) {
  check_gradient(
      {values({2}, {1, -1})}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{unary(Unary::sqrt, in[0])}; },
      [](const auto& in) { return std::vector{in[0]}; });
}

TEST_CASE("an input that is written to fails" * doctest::should_fail()) {
  compile::Program program = two_sums(100);
  program.dispatches[1].bindings[2].range = external_range(0, 100);  // y goes to a
  run_sums(std::move(program));
}
TEST_CASE("a result that ends where it should passes") { run_sums(two_sums(100)); }
// Also where a driver leaves out what passes the end of a binding: ports are bound with their sentinels.
TEST_CASE("an element written past the end of an output fails" * doctest::should_fail()) {
  compile::Program program = two_sums(100);
  const std::uint32_t too_many = 101;
  std::memcpy(program.dispatches[1].push.data(), &too_many, sizeof(too_many));
  run_sums(std::move(program));
}

TEST_CASE("drivers that share graphs run each of them, those in f16 and of forced kernels by halves, and each driver a part") {
  for (const int drivers : {2, 3, 4})
    for (const int choice : {0, 1, 2})
      for (const DType storage : {DType::f32, DType::f16}) {
        CAPTURE(choice);
        const int whole = storage == DType::f32 && choice == 0 ? 1 : 2, first = storage == DType::f32 ? 24 : 12;
        std::vector<int> of_driver(static_cast<std::size_t>(drivers));
        for (int number = 0; number < first + 10 * drivers * whole; ++number) {
          int taken = 0, taken_by_next = 0;
          for (int turn = 0; turn < drivers; ++turn) {
            if (takes_turn({24, turn, drivers}, number, choice, storage)) ++taken, ++of_driver[static_cast<std::size_t>(turn)];
            if (takes_turn({24, turn, drivers}, number, choice + 1, storage)) ++taken_by_next;
          }
          CAPTURE(number);
          if (number < first) CHECK(taken == drivers);
          else if (whole == 1) CHECK(taken == 1);
          else CHECK(taken + taken_by_next == 1);
        }
        for (const int count : of_driver) CHECK(count == first + 10);
      }
}

TEST_CASE("whatever the share, the first graph of a choice of kernels is run") {
  Graph graph;
  graph.output("y", graph.input("x", {4}) + graph.input("z", {4}));
  for (const DType storage : {DType::f32, DType::f16, DType::bf16}) CHECK(has_turn(graph, {}, storage, "the first of its kind"));
}

TEST_CASE("in bf16 the first three graphs of a shader are run, and of a choice of kernels") {
  Graph sum, soft;
  sum.output("y", sum.input("x", {4}) + sum.input("z", {4}));
  soft.output("y", softmax(soft.input("x", {4})));
  const auto turns = [](const Graph& graph, const CompileOptions& options) {
    int count = 0;
    for (int i = 0; i < 5; ++i) count += has_turn(graph, options, DType::bf16, "turns of bf16");
    return count;
  };
  CHECK(turns(sum, {}) == 3);
  CHECK(turns(sum, {}) == 0);
  CHECK(turns(soft, {}) == 3);
  CHECK(turns(soft, {.force_kernel = {"softmax=softmax_lane"}}) == 3);
}
