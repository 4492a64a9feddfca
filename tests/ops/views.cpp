// Values that share the bytes of another: reshape, and gradients of the caller's own making.

#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <fovea/autodiff.hpp>

#include <cstring>

namespace fovea::test {

TEST_CASE("reshape keeps order and bits, and its gradient goes back") {
  for (const auto& shapes : {std::pair{Shape{3, 4}, Shape{2, 6}}, {Shape{12}, Shape{1, 2, 1, 6}}, {Shape{}, Shape{1, 1}}, {Shape{2, 0}, Shape{0, 7}}}) {
    const Shape from = shapes.first, to = shapes.second;
    check(
        "reshape", {random(from)}, [&](Graph&, const auto& in) { return std::vector{reshape(in[0], to.extents())}; },
        [&](const auto& in) {
          auto y = in[0];
          y.shape = to;
          return std::vector{y};
        },
        {.exact = true, .gradient = from.elements() > 0});
  }
}

TEST_CASE("custom_gradient has the value it is given, bit for bit") {
  check(
      "custom_gradient", {random({3, 5}), random({3, 5}, -1, 1, 2)},
      [](Graph&, const auto& in) { return std::vector{straight_through(in[0], in[1]), stop_gradient(in[1])}; },
      [](const auto& in) { return std::vector{in[0], in[1]}; }, {.exact = true});
}

// loss = Σ weight · value: straight-through sends it to the surrogate, a rule doubles it, a stop ends it.
TEST_CASE("the gradient is the rule's" * doctest::skip(compiles_only())) {
  Graph graph;
  const Tensor x = graph.input("x", {4}), weight = graph.input("weight", {4});
  const Tensor rounded = straight_through(unary(Unary::round, x), x);
  const Tensor doubled = custom_gradient(x * 0.0f, {x}, [](Tensor d) { return std::vector{d * 2.0f}; });
  const Tensor loss = reduce(Reduce::sum, weight * (rounded + doubled + stop_gradient(x * x)));
  graph.output("d", grad(loss, {x})[0]);
  auto plan = context().compile(graph);
  REQUIRE_MESSAGE(plan, plan.error().message);
  const std::vector<float> xs{0.2f, 1.7f, -3.4f, 8}, weights{1, -2, 0.5f, 4};
  const auto out = plan->run({{"x", std::as_bytes(std::span(xs))}, {"weight", std::as_bytes(std::span(weights))}});
  REQUIRE_MESSAGE(out, out.error().message);
  std::vector<float> d(4);
  std::memcpy(d.data(), (*out)[0].data(), 16);
  for (std::size_t i = 0; i < 4; ++i) CHECK(d[i] == 3 * weights[i]);
}

}  // namespace fovea::test
