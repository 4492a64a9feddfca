// Reductions over what a mask leaves: NaN and infinity stand where it leaves nothing, and reach no result and no gradient.

#include "tests/support/check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class T>
T reduced(Reduce op, const std::vector<T>& x, std::int64_t whole, double correction) {
  const auto n = static_cast<T>(x.size());
  T sum = 0, l1 = 0, squares = 0, prod = 1, exponentials = 0, deviations = 0;
  for (T v : x) sum += v, l1 += std::abs(v), squares += v * v, prod *= v, exponentials += std::exp(v);
  for (T v : x) deviations += (v - sum / n) * (v - sum / n);
  const auto most = std::max_element(x.begin(), x.end()), least = std::min_element(x.begin(), x.end());
  switch (op) {
    case Reduce::sum: return sum;
    case Reduce::mean: return sum / n;
    case Reduce::max: return x.empty() ? static_cast<T>(-inf) : *most;
    case Reduce::min: return x.empty() ? static_cast<T>(inf) : *least;
    case Reduce::prod: return prod;
    case Reduce::l1: return l1;
    case Reduce::l2: return std::sqrt(squares);
    case Reduce::sum_square: return squares;
    case Reduce::logsumexp: return std::log(exponentials);
    case Reduce::log_sum: return std::log(sum);
    case Reduce::variance: return deviations / std::max(T(0), n - static_cast<T>(correction));
    case Reduce::argmax:
    case Reduce::argmin: break;
  }
  return static_cast<T>(whole);
}

// Of x [A,B,C] over the axes that `kept` has as 1; `part` broadcasts to x.
template <class T>
Array<T> reference(Reduce op, const Array<T>& x, const Array<T>& part, const Shape& kept, double correction) {
  Array<T> y(kept);
  const std::int64_t whole = x.size() / y.size();
  for (std::int64_t row = 0; row < y.size(); ++row) {
    std::vector<T> taken;
    std::vector<std::int64_t> places;
    std::int64_t place = 0;
    for (std::int64_t i = 0; i < x.size(); ++i) {
      if (broadcast_offset(unflatten(i, x.shape), kept) != row) continue;
      if (part[broadcast_offset(unflatten(i, x.shape), part.shape)] != 0) taken.push_back(x[i]), places.push_back(place);
      ++place;
    }
    y[row] = reduced(op, taken, whole, correction);
    if ((op == Reduce::argmax || op == Reduce::argmin) && !taken.empty()) {
      const auto found = op == Reduce::argmax ? std::max_element(taken.begin(), taken.end()) : std::min_element(taken.begin(), taken.end());
      y[row] = static_cast<T>(places[static_cast<std::size_t>(found - taken.begin())]);
    }
  }
  return y;
}

void check_masked(Reduce op, const Operand& x, const Operand& part, ReduceDesc desc, const Shape& kept, bool gradient) {
  INFO(to_string(op), ' ', to_string(x.array.shape), " mask ", to_string(part.array.shape));
  const bool position = op == Reduce::argmax || op == Reduce::argmin;
  desc.keep_dims = true;
  check("reduce", {x, part},
        [&](Graph&, const std::vector<Tensor>& in) {
          ReduceDesc with = desc;
          with.mask = in[1];
          return std::vector{reduce(op, in[0], with)};
        },
        [&](const auto& in) { return std::vector{reference(op, in[0], in[1], kept, desc.correction)}; },
        {.extra_ulps = 16, .exact = position, .gradient = gradient && !position});
}

constexpr Reduce every_reduction[] = {Reduce::sum, Reduce::mean, Reduce::max, Reduce::min, Reduce::prod, Reduce::l1, Reduce::l2,
                                      Reduce::sum_square, Reduce::logsumexp, Reduce::log_sum, Reduce::variance, Reduce::argmax, Reduce::argmin};

}  // namespace

TEST_CASE("every reduction over what takes part, with its gradient") {
  const Operand part = values({3, 5}, {1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 1, 0, 1, 1}, DType::boolean);
  for (Reduce op : every_reduction) check_masked(op, random({2, 3, 5}, 0.5, 1.5), part, {.axes = {0, -1}}, {1, 3, 1}, true);
  check_masked(Reduce::mean, random({2, 3, 5}), random_boolean({2, 1, 5}, 0.7), {}, {1, 1, 1}, true);
  check_masked(Reduce::variance, random({2, 3, 5}), part, {.axes = {1}, .correction = 0}, {2, 1, 5}, true);
}

TEST_CASE("what takes no part may be NaN or infinite; a row without any is one over no elements") {
  const Operand x = values({1, 3, 4}, {nan, 1, 2, inf, 3, -inf, 1, 0.5, nan, nan, inf, -inf});
  const Operand part = values({3, 4}, {0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 0, 0}, DType::boolean);
  for (Reduce op : every_reduction) check_masked(op, x, part, {.axes = {2}}, {1, 3, 1}, false);
}

// The gradient of a row's extreme, for the arriving d: to the first element that takes part and equals it, or in equal parts.
template <class T>
Array<T> extreme_gradient(Reduce op, Ties ties, const Array<T>& x, const Array<T>& part, const Array<T>& d) {
  Array<T> gradient(x.shape);
  const std::int64_t n = x.dim(-1);
  for (std::int64_t row = 0; row < x.size() / n; ++row) {
    std::vector<std::int64_t> extremes;
    for (std::int64_t i = row * n; i < (row + 1) * n; ++i) {
      if (part[i] == 0) continue;
      if (!extremes.empty() && (op == Reduce::max ? x[i] > x[extremes[0]] : x[i] < x[extremes[0]])) extremes.clear();
      if (extremes.empty() || x[i] == x[extremes[0]]) extremes.push_back(i);
    }
    if (ties == Ties::first && !extremes.empty()) extremes.resize(1);
    for (std::int64_t i : extremes) gradient[i] = d[row] / static_cast<T>(extremes.size());
  }
  return gradient;
}

TEST_CASE("an extreme's gradient goes to what takes part, be the extreme infinite, and what does not the same or NaN") {
  const Operand x = values({2, 3, 4}, {-inf, -inf, 1, -inf, inf, -inf, inf, inf, nan, inf, -inf, nan,  //
                                       -inf, -inf, -inf, -inf, inf, inf, inf, inf, 2, 2, 1, 2});
  const Operand part = values({2, 3, 4}, {0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 1, 0,  //
                                          0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1}, DType::boolean);
  for (Reduce op : {Reduce::max, Reduce::min})
    for (Ties ties : {Ties::first, Ties::share}) {
      INFO(to_string(op), ' ', to_string(ties));
      check("scatter", {x, part, random({2, 3})},
            [&](Graph&, const std::vector<Tensor>& in) {
              const Tensor y = reduce(op, in[0], {.axes = {-1}, .ties = ties, .mask = in[1]});
              return std::vector{y, grad(y, {in[0]}, {.seed = in[2]})[0]};
            },
            [&](const auto& in) {
              using A = std::decay_t<decltype(in[0])>;
              A y(Shape{2, 3});
              for (std::int64_t row = 0; row < 6; ++row) {
                std::vector<std::decay_t<decltype(in[0][0])>> taken;
                for (std::int64_t i = 4 * row; i < 4 * row + 4; ++i)
                  if (in[1][i] != 0) taken.push_back(in[0][i]);
                y[row] = reduced(op, taken, 4, 0);
              }
              return std::vector{y, extreme_gradient(op, ties, in[0], in[1], in[2])};
            });
    }
}

TEST_CASE("the extents go unless they are kept") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 3, 5}), part = graph.input("part", {5}, DType::boolean);
  CHECK(reduce(Reduce::sum, x, {.axes = {0, -1}, .mask = part}).shape() == Shape{3});
  CHECK(reduce(Reduce::argmax, x, {.mask = part}).shape() == Shape{});
  CHECK_FALSE(graph.error());
}

TEST_CASE("a masked argmax of no rows has no elements") {
  Graph graph;
  const Tensor x = graph.input("x", {0, 3}), part = graph.input("part", {0, 3}, DType::boolean), state = graph.input("state", {6}, DType::i32);
  CHECK(reduce(Reduce::argmax, x, {.axes = {1}, .mask = part}).shape() == Shape{0});
  CHECK(categorical(x, state, {.mask = part}).shape() == Shape{0});
  gumbel_softmax(x, state, {.hard = true, .mask = part});
  CHECK_FALSE(graph.error());
}

TEST_CASE("a masked reduction names what is wrong") {
  check_error([](Graph& g) { reduce(Reduce::argmin, g.input("x", {2, 3}), {.axes = {1, -1}, .mask = g.input("m", {3}, DType::boolean)}); }, {"reduce", "named twice"});
  check_error([](Graph& g) { reduce(Reduce::argmax, g.input("x", {2, 0}), {.axes = {1}, .mask = g.input("m", {0}, DType::boolean)}); }, {"reduce", "axis 1", "empty"});
  check_error([](Graph& g) { reduce(Reduce::sum, g.input("x", {2, 3}), {.mask = g.input("m", {2}, DType::boolean)}); }, {"reduce sum", "mask [2]", "[2,3]", "masked_reduce.cpp"});
  check_error([](Graph& g) { reduce(Reduce::max, g.input("x", {2, 3}), {.mask = g.input("m", {3})}); }, {"reduce max", "the mask is f32, not boolean"});
  check_error([](Graph& g) { reduce(Reduce::mean, g.input("x", {2, 3}), {.axes = {2}, .mask = g.input("m", {3}, DType::boolean)}); }, {"reduce mean", "axis 2"});
  check_error([](Graph& g) { reduce(Reduce::sum, g.input("x", {2}, DType::i32), {.mask = g.input("m", {2}, DType::boolean)}); }, {"reduce", "i32"});
}

}  // namespace fovea::test
