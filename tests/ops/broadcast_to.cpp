#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

void check_broadcast(const Operand& x, const Shape& shape) {
  INFO(to_string(x.array.shape), " to ", to_string(shape));
  check(
      "broadcast_to", {x}, [&](Graph&, const auto& in) { return std::vector{broadcast_to(in[0], shape)}; },
      [&](const auto& in) {
        std::decay_t<decltype(in[0])> y(shape);
        for (std::int64_t i = 0; i < y.size(); ++i) y[i] = in[0][broadcast_offset(unflatten(i, shape), in[0].shape)];
        return std::vector{y};
      },
      {.exact = true, .gradient = x.dtype == DType::f32 && x.array.size() <= 8});
}

}  // namespace

TEST_CASE("broadcast_to: outer, inner, middle and new axes") {
  check_broadcast(random({1, 5}), {3, 5});
  check_broadcast(random({3, 1}), {3, 5});
  check_broadcast(random({2, 1, 3, 1, 5}), {2, 4, 3, 7, 5});
  check_broadcast(random({1, 8}), {64, 8});  // moves as 16 bytes
  check_broadcast(random({5}), {2, 3, 5});
  check_broadcast(random({3, 1, 1}), {2, 3, 4, 5});
}

TEST_CASE("broadcast_to: a scalar, all axes at once, every rank") {
  check_broadcast(random({}), {});
  check_broadcast(random({}), {7, 19});
  check_broadcast(random({1, 2, 1, 2, 1, 2, 1, 2}), {3, 2, 3, 2, 3, 2, 3, 2});
  check_broadcast(random({2, 1, 2, 1, 2, 1, 2}), {2, 2, 3, 2, 3, 2, 3, 2});
  check_broadcast(random({1, 1, 3, 1}), {1, 1, 3, 1});
}

TEST_CASE("broadcast_to: empty axes, integers and booleans") {
  check_broadcast(random({1, 5}), {0, 5});
  check_broadcast(random({0, 1}), {0, 5});
  check_broadcast(random({4, 1}), {4, 0});
  check_broadcast(random_i32({3, 1}, -2'000'000'000, 2'000'000'000), {3, 5});
  check_broadcast(random_boolean({3, 1}), {2, 3, 5});
}

TEST_CASE("broadcast_to: errors show both shapes") {
  const auto with = [](Shape shape) {
    return [shape](Graph& graph) { broadcast_to(graph.input("x", {3, 5}), shape); };
  };
  check_error(with({3, 4}), {"broadcast_to", "[3,5]", "[3,4]", "broadcast_to.cpp"});
  check_error(with({5}), {"broadcast_to", "[3,5]", "[5]"});
  check_error(with({1, 5}), {"broadcast_to", "[3,5]", "[1,5]"});  // never shrinks
  check_error(with({1, 1, 1, 1, 1, 1, 1, 3, 5}), {"broadcast_to", "more than 8 axes"});
  check_error(with({-1, 5}), {"broadcast_to", "negative"});
}

}  // namespace fovea::test
