#include "tests/support/check.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// std::stable_sort of the positions; NaN is above everything.
template <class T>
std::vector<Array<T>> sort_reference(const Array<T>& x, std::int64_t asked, std::int64_t k, bool descending) {
  const int axis = static_cast<int>(asked < 0 ? asked + x.shape.rank() : asked);
  Shape others = x.shape, kept = x.shape;
  others[axis] = 1;
  kept[axis] = k < 0 ? x.shape[axis] : k;
  Array<T> sorted(kept), indices(kept);
  for (std::int64_t row = 0; row < others.elements(); ++row) {
    auto place = unflatten(row, others);
    const auto offset = [&](std::int64_t i, const Shape& shape) {
      place[static_cast<std::size_t>(axis)] = i;
      std::int64_t at = 0;
      for (int d = 0; d < shape.rank(); ++d) at = at * shape[d] + place[static_cast<std::size_t>(d)];
      return at;
    };
    const auto value = [&](std::int64_t i) { return x[offset(i, x.shape)]; };
    const auto less = [](T a, T b) { return std::isnan(b) ? !std::isnan(a) : a < b; };
    std::vector<std::int64_t> order(static_cast<std::size_t>(x.shape[axis]));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::int64_t a, std::int64_t b) {
      return descending ? less(value(b), value(a)) : less(value(a), value(b));
    });
    for (std::int64_t i = 0; i < kept[axis]; ++i) {
      const std::int64_t from = order[static_cast<std::size_t>(i)];
      sorted[offset(i, kept)] = value(from);
      indices[offset(i, kept)] = static_cast<T>(from);
    }
  }
  return {sorted, indices};
}

void check_sort(const Operand& x, const SortDesc& desc, bool gradient = false) {
  INFO(to_string(x.array.shape), " along ", desc.axis, std::string(desc.descending ? " descending" : ""));
  check(
      "sort", {x},
      [&](Graph&, const auto& in) {
        const auto [sorted, indices] = sort(in[0], desc);
        return std::vector{sorted, indices};
      },
      [&](const auto& in) { return sort_reference(in[0], desc.axis, -1, desc.descending); }, {.exact = true, .gradient = gradient});
}
void check_top_k(const Operand& x, const TopKDesc& desc, bool gradient = false) {
  INFO(to_string(x.array.shape), " top ", desc.k, " along ", desc.axis, std::string(desc.largest ? "" : " smallest"));
  check(
      "sort", {x},
      [&](Graph&, const auto& in) {
        const auto [sorted, indices] = top_k(in[0], desc);
        return std::vector{sorted, indices};
      },
      [&](const auto& in) { return sort_reference(in[0], desc.axis, desc.k, desc.largest); }, {.exact = true, .gradient = gradient});
}

}  // namespace

TEST_CASE("sort along every axis, both ways") {
  for (bool descending : {false, true})
    for (std::int64_t axis : {0, 1, 2, -1}) check_sort(random({5, 6, 7}), {axis, descending}, axis == 1);
}

TEST_CASE("sort of lengths around runs, and of equals: the lower index first") {
  for (std::int64_t n : {1, 2, 31, 32, 33, 64, 65, 96, 100, 127, 257}) {
    check_sort(random({3, n}, -1, 1, static_cast<std::uint32_t>(n)), {});
    check_sort(random_i32({2, n, 2}, -3, 3), {.axis = 1, .descending = n % 2 == 0});
  }
  check_sort(random({1, 5000}), {.descending = true});
}

TEST_CASE("NaN is the largest, zeros are equal whatever their sign") {
  const Operand x = values({3, 7}, {nan, 1, -inf, inf, nan, 0, -1, 0.0, -0.0, 0.0, 1, -0.0, -1, nan, inf, -inf, inf, -inf, 2, -2, -nan});
  for (bool descending : {false, true}) check_sort(x, {.descending = descending});
  check_top_k(x, {.k = 3});
  check_top_k(x, {.k = 3, .largest = false});
}

TEST_CASE("integers of every size") {
  check_sort(values({7}, {-2147483648.0, 2147483647, 0, -1, 1, 2147483646, -2147483647}, DType::i32), {});
  check_sort(random_i32({70}, -2'000'000'000, 2'000'000'000), {.descending = true});
}

TEST_CASE("top_k of every k, largest and smallest") {
  for (std::int64_t k : {0, 1, 2, 5, 33, 70})
    for (bool largest : {true, false}) check_top_k(random({2, 70, 3}), {k, 1, largest}, k == 5);
  check_top_k(random({3, 17}), {.k = 5}, true);
  check_top_k(random_i32({2, 300}, 0, 9), {.k = 40});
}

TEST_CASE("sort of no elements, of a vector and of rank 8") {
  check_sort(values({0, 5}, {}), {});
  check_sort(values({5, 0}, {}), {});
  check_sort(random({9}), {});
  check_sort(random({2, 1, 2, 3, 1, 2, 3, 2}), {.axis = 3});
}

TEST_CASE("sort and top_k name what is wrong") {
  check_error([](Graph& g) { sort(g.input("x", {2, 3}), {.axis = 2}); }, {"sort", "axis 2 is out of range", "[2,3]", "sort.cpp"});
  check_error([](Graph& g) { sort(g.input("x", {2, 3}, DType::boolean)); }, {"sort", "x is boolean"});
  check_error([](Graph& g) { sort(g.input("x", {})); }, {"sort", "axis -1 is out of range"});
  check_error([](Graph& g) { top_k(g.input("x", {2, 3}), {.k = 4}); }, {"top_k", "k is 4", "axis 1 of x [2,3] has 3"});
  check_error([](Graph& g) { top_k(g.input("x", {2, 3}), {.k = -1}); }, {"top_k", "k is -"});
}

}  // namespace fovea::test
