#include "tests/support/check.hpp"

#include <fovea/autodiff.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();

// By bisection for the threshold at which the weights sum to 1 (not by sorting): p = max(z - t, 0)^power, z = x or x/2.
template <class T>
Array<T> reference(const std::vector<Array<T>>& in, bool entmax, std::int64_t axis) {
  const Array<T>& x = in[0];
  Array<T> y(x.shape);
  Shape others = x.shape;
  others[static_cast<int>(axis)] = 1;
  for (std::int64_t row = 0; row < others.elements(); ++row) {
    auto place = unflatten(row, others);
    std::vector<std::int64_t> taking;
    double most = -inf;
    const auto z = [&](std::int64_t at) { return static_cast<double>(x[at]) * (entmax ? 0.5 : 1.0); };
    for (std::int64_t j = 0; j < x.shape[static_cast<int>(axis)]; ++j) {
      place[static_cast<std::size_t>(axis)] = j;
      const std::int64_t at = broadcast_offset(place, x.shape);
      if (in.size() > 1 && in[1][broadcast_offset(place, in[1].shape)] == 0) continue;
      taking.push_back(at);
      most = std::max(most, z(at));
    }
    double low = -1, high = 0;  // of the threshold, from the largest
    const auto weight = [&](std::int64_t at, double t) {
      const double above = std::max(z(at) - most - t, 0.0);
      return entmax ? above * above : above;
    };
    for (int step = 0; step < 100; ++step) {
      const double t = (low + high) / 2;
      double sum = 0;
      for (std::int64_t at : taking) sum += weight(at, t);
      (sum > 1 ? low : high) = t;
    }
    for (std::int64_t at : taking) y[at] = static_cast<T>(weight(at, (low + high) / 2));
  }
  return y;
}

void check_sparse(const std::vector<Operand>& in, bool entmax, std::int64_t axis = 1, bool gradient = true) {
  INFO(to_string(in[0].array.shape), std::string(entmax ? " entmax" : " sparsemax"), " along ", axis);
  const SparsemaxDesc desc{.axis = axis};
  // A threshold is a sum of up to n numbers below 2 in magnitude: 64 ulp of 1.
  check(
      "sparsemax", in,
      [&](Graph&, const auto& t) {
        const SparsemaxDesc with{.axis = desc.axis, .mask = t.size() > 1 ? t[1] : Tensor()};
        return std::vector{entmax ? entmax15(t[0], with) : sparsemax(t[0], with)};
      },
      [&](const auto& arrays) { return std::vector{reference(arrays, entmax, axis)}; },
      {.extra_ulps = 64, .gradient = gradient});
}

}  // namespace

TEST_CASE("sparsemax and entmax along every axis, against bisection and its finite differences") {
  for (bool entmax : {false, true}) {
    for (std::int64_t axis : {0, 1, 2}) check_sparse({random({3, 6, 4}, -2, 2)}, entmax, axis);
    for (std::int64_t n : {1, 2, 3, 17, 40}) check_sparse({random({4, n}, -1, 1, static_cast<std::uint32_t>(n))}, entmax);
    check_sparse({random({2, 300}, -0.02, 0.02)}, entmax, 1, false);  // many in the support
    check_sparse({random({3, 200}, -30, 30)}, entmax, 1, false);
    check_sparse({random({3, 20}, 1000, 1010)}, entmax, 1, false);
  }
}

TEST_CASE("second gradients: finite differences of the first, with elements off the support and masked ones") {
  const auto check_second = [](const Operand& x, bool entmax, const Operand* mask = nullptr) {
    CAPTURE(entmax);
    const Operand w = random(x.array.shape, -1, 1, 5);
    std::vector<Operand> in{x, w};
    if (mask) in.push_back(*mask);
    // s = 1 or sqrt(p) on the support: s (w - s·w / sum s).
    const auto first = [&](const auto& arrays) {
      using A = std::decay_t<decltype(arrays[0])>;
      const A p = reference(mask ? std::vector<A>{arrays[0], arrays[2]} : std::vector<A>{arrays[0]}, entmax, 1);
      A d = p;
      const std::int64_t n = p.dim(1);
      for (std::int64_t row = 0; row < p.dim(0); ++row) {
        const auto s = [&](std::int64_t i) { return entmax ? std::sqrt(p[row * n + i]) : std::decay_t<decltype(p[0])>(p[row * n + i] > 0); };
        auto sum = s(0) * 0, along = sum;
        for (std::int64_t i = 0; i < n; ++i) sum += s(i), along += s(i) * arrays[1][row * n + i];
        for (std::int64_t i = 0; i < n; ++i) d[row * n + i] = sum == 0 ? sum : s(i) * (arrays[1][row * n + i] - along / sum);
      }
      return std::vector{d};
    };
    // A weight of q has a root of slope 1/(2 sqrt q), and the threshold's 64 ulp of 1 in it.
    check("sparsemax", in,
          [&](Graph&, const auto& t) {
            const SparsemaxDesc desc{.axis = 1, .mask = t.size() > 2 ? t[2] : Tensor()};
            return grad(reduce(Reduce::sum, (entmax ? entmax15(t[0], desc) : sparsemax(t[0], desc)) * t[1]), {t[0]});
          },
          first, {.f16 = false, .extra_ulps = 1024, .gradient = true});
  };
  const Operand mask = values({3, 5}, {1, 0, 1, 1, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, DType::boolean);
  for (const bool entmax : {false, true}) {
    check_second(values({3, 4}, {0, 5, 1, 2, 0.5, 0.3, 0.75, 0.5, -3, 1, 0.5, 0.75}), entmax);
    check_second(values({3, 5}, {0.5, 9, 0.25, -4, 1, 0.5, 1, 2, 3, 4, 0.5, 0.25, 3, 2.75, 0}), entmax, &mask);
  }
}

TEST_CASE("one logit far above takes all; -inf takes nothing") {
  for (bool entmax : {false, true}) {
    check_sparse({values({2, 4}, {0, 5, 1, 2, -inf, 1, -inf, 1.25})}, entmax, 1, false);
    check_sparse({values({1, 3}, {6e4, -6e4, 0})}, entmax, 1, false);
  }
}

TEST_CASE("masks: what takes no part weighs nothing, a row without any is zeros") {
  for (bool entmax : {false, true}) {
    check_sparse({random({5, 6}, -1, 1), random_boolean({5, 6}, 0.5)}, entmax);
    check_sparse({random({3, 4}), values({3, 1}, {0, 1, 0}, DType::boolean)}, entmax);
    check_sparse({random({3, 4}), values({4}, {0, 1, 1, 0}, DType::boolean)}, entmax, 1);
  }
}

TEST_CASE("a row of -inf alone gives NaN, or zeros on request") {
  for (const bool zeros : {false, true})
    for (const bool entmax : {false, true}) {
      const Operand x = values({3, 3}, {-inf, -inf, -inf, -inf, 1, -inf, 0, -inf, -inf});
      const Operand mask = values({3, 3}, {1, 1, 1, 1, 1, 1, 0, 1, 1}, DType::boolean);
      check("sparsemax", {x, mask},
            [&](Graph&, const auto& t) {
              const SparsemaxDesc desc{.mask = t[1], .zero_empty_rows = zeros};
              return std::vector{entmax ? entmax15(t[0], desc) : sparsemax(t[0], desc)};
            },
            [&](const auto& in) {
              auto y = in[0];
              const auto empty = zeros ? 0 : std::numeric_limits<double>::quiet_NaN();
              const double rows[] = {empty, empty, empty, 0, 1, 0, 0, empty, empty};
              for (std::int64_t i = 0; i < 9; ++i) y[i] = static_cast<std::decay_t<decltype(y[0])>>(rows[i]);
              return std::vector{y};
            });
    }
}

TEST_CASE("sparsemax of no elements") {
  check_sparse({values({0, 4}, {})}, false, 1, false);
  check_sparse({values({4, 0}, {})}, true, 1, false);
}

TEST_CASE("sparsemax and entmax name what is wrong") {
  check_error([](Graph& g) { sparsemax(g.input("x", {2, 3}), {.axis = 2}); }, {"sparsemax", "axis 2 is out of range", "[2,3]", "sparsemax.cpp"});
  check_error([](Graph& g) { entmax15(g.input("x", {2, 3}, DType::i32)); }, {"entmax15", "x is i32"});
  check_error([](Graph& g) { sparsemax(g.input("x", {2, 3}), {.mask = g.input("m", {3})}); }, {"sparsemax", "mask is f32, not boolean"});
  check_error([](Graph& g) { sparsemax(g.input("x", {2, 3}), {.mask = g.input("m", {2}, DType::boolean)}); }, {"sparsemax", "mask [2] does not broadcast to x [2,3]"});
}

}  // namespace fovea::test
