#include "compile/compiler.hpp"
#include "tests/support/check.hpp"

#include <algorithm>
#include <numeric>

namespace fovea::test {
namespace {

// y[index] = x[the same index, its entries put back in x's order].
auto permuted(std::vector<int> order) {
  return [order](const auto& in) {
    const auto& x = in[0];
    Shape shape = x.shape;
    for (int i = 0; i < shape.rank(); ++i) shape[i] = x.dim(order[static_cast<std::size_t>(i)]);
    std::decay_t<decltype(x)> y(shape);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const auto to = unflatten(i, shape);
      std::vector<std::int64_t> from(to.size());
      for (std::size_t k = 0; k < to.size(); ++k)
        from[static_cast<std::size_t>(order[k] < 0 ? order[k] + shape.rank() : order[k])] = to[k];
      y[i] = x[broadcast_offset(from, x.shape)];
    }
    return std::vector{y};
  };
}

void check_permute(const Operand& x, const std::vector<int>& order) {
  INFO(to_string(x.array.shape));
  check("permute", {x}, [&](Graph&, const auto& in) { return std::vector{permute(in[0], order)}; }, permuted(order),
        {.exact = true, .gradient = x.dtype == DType::f32 && order.size() == 3});
}

}  // namespace

TEST_CASE("permute: every order of three and of four axes") {
  std::vector<int> order{0, 1, 2};
  do check_permute(random({3, 5, 7}), order);
  while (std::next_permutation(order.begin(), order.end()));
  order = {0, 1, 2, 3};
  do check_permute(random({2, 3, 4, 8}), order);  // an innermost extent that moves as 16 bytes where it stays innermost
  while (std::next_permutation(order.begin(), order.end()));
}

TEST_CASE("permute: ranks 0 to 8, reversed and rotated") {
  const std::vector<std::int64_t> extents{3, 2, 2, 1, 3, 2, 2, 5};
  for (int rank = 0; rank <= 8; ++rank) {
    const auto r = static_cast<std::size_t>(rank);
    const Shape shape{std::span(extents).last(r)};
    std::vector<int> order(r);
    std::iota(order.begin(), order.end(), 0);
    std::reverse(order.begin(), order.end());
    check_permute(random(shape), order);
    if (rank < 3) continue;
    std::iota(order.begin(), order.end(), 0);
    std::rotate(order.begin(), order.begin() + 1, order.end());
    check_permute(random(shape), order);
  }
}

TEST_CASE("permute: axes counted from the end, empty tensors, and sizes beside the group's") {
  check_permute(random({3, 5, 7}), {-1, 0, -2});
  check_permute(random({3, 0, 7}), {2, 0, 1});
  for (std::int64_t n : {127, 128, 129}) check_permute(random({n, 3}), {1, 0});
  check_permute(random({1, 300, 1, 7}), {2, 3, 0, 1});
}

TEST_CASE("permute: integers and booleans move as they are") {
  check_permute(random_i32({4, 5, 6}, -2'000'000'000, 2'000'000'000), {2, 1, 0});
  check_permute(random_boolean({4, 5, 6}), {2, 1, 0});
}

TEST_CASE("permute: an order that moves no element is a view") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 1, 3, 4});
  graph.output("y", permute(x, {0, 2, 1, 3}) + 1.0f);
  const auto program = compile::compile(graph.ir(), DeviceCaps{}, {});
  REQUIRE(program);
  CHECK(compile::to_text(*program).find("strided_copy") == std::string::npos);
}

TEST_CASE("transpose swaps two axes, counted from either end") {
  const auto x = random({3, 4, 5});
  check("permute", {x}, [](Graph&, const auto& in) { return std::vector{transpose(in[0], 0, -1)}; },
        permuted({2, 1, 0}), {.exact = true});
  check("permute", {x}, [](Graph&, const auto& in) { return std::vector{transpose(in[0], -1, -2)}; },
        permuted({0, 2, 1}), {.exact = true});
  check("permute", {x}, [](Graph&, const auto& in) { return std::vector{transpose(in[0], 1, 1)}; }, permuted({0, 1, 2}),
        {.exact = true});
}

TEST_CASE("permute, transpose: errors name the axis") {
  const auto with = [](auto make) { return [make](Graph& graph) { make(graph.input("x", {2, 3, 4})); }; };
  check_error(with([](Tensor x) {
                permute(x, {0, 1});
              }),
              {"permute", "2 axes in the order", "[2,3,4] has 3", "permute.cpp"});
  check_error(with([](Tensor x) { permute(x, {0, 1, 3}); }), {"permute", "axis 3 is out of range", "[2,3,4]"});
  check_error(with([](Tensor x) { permute(x, {0, 1, -4}); }), {"permute", "axis -4 is out of range"});
  check_error(with([](Tensor x) { permute(x, {0, 1, -2}); }), {"permute", "axis -2 stands twice"});
  check_error(with([](Tensor x) { transpose(x, 0, 3); }),
              {"transpose", "axis 3 is out of range", "[2,3,4]", "permute.cpp"});
  check_error(with([](Tensor x) { transpose(x, -4, 0); }), {"transpose", "axis -4 is out of range"});
}

}  // namespace fovea::test
