#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

void check_sum(const Operand& x, const CumulativeSumDesc& desc, bool gradient = false) {
  INFO(to_string(x.array.shape), " along ", desc.axis, std::string(desc.exclusive ? ", exclusive" : ""), std::string(desc.reverse ? ", reverse" : ""));
  check(
      "cumulative_sum", {x}, [&](Graph&, const auto& in) { return std::vector{cumulative_sum(in[0], desc)}; },
      [&](const auto& in) {
        auto y = in[0];
        const int axis = static_cast<int>(desc.axis < 0 ? desc.axis + y.shape.rank() : desc.axis);
        std::int64_t inner = 1;
        for (int k = axis + 1; k < y.shape.rank(); ++k) inner *= y.shape[k];
        const std::int64_t n = y.shape[axis];
        for (std::int64_t row = 0; n > 0 && row < y.size() / n; ++row) {
          auto sum = in[0][0] - in[0][0];
          for (std::int64_t j = 0; j < n; ++j) {
            const std::int64_t at = (row / inner * n + (desc.reverse ? n - 1 - j : j)) * inner + row % inner;
            y[at] = desc.exclusive ? sum : sum + in[0][at];
            sum += in[0][at];
          }
        }
        return std::vector{y};
      },
      {.gradient = gradient});
}

}  // namespace

TEST_CASE("cumulative_sum along every axis, exclusive, reverse") {
  for (std::int64_t axis : {0, 1, 2, -1})
    for (bool exclusive : {false, true})
      for (bool reverse : {false, true}) check_sum(random({4, 5, 6}), {axis, exclusive, reverse}, axis == 1);
}

TEST_CASE("cumulative_sum of lengths around chunks, and past some drivers' loops") {
  for (std::int64_t n : {1, 2, 255, 256, 257, 512, 1025, 3001}) check_sum(random({3, n}), {.exclusive = n % 2 == 0}, n == 1025);
  check_sum(random({2, 1300, 3}), {.axis = 1, .reverse = true}, true);
  check_sum(random({1, 70'001}), {.reverse = true});
  check_sum(random({70'001, 2}), {.axis = 0, .exclusive = true});
  check_sum(random({130, 1200}), {});
}

TEST_CASE("cumulative_sum of nothing, of a vector and of rank 8") {
  check_sum(values({0, 5}, {}), {});
  check_sum(values({5, 0}, {}), {});
  check_sum(random({7}), {});
  check_sum(random({2, 1, 2, 3, 1, 2, 3, 2}), {.axis = 3});
}

TEST_CASE("cumulative_sum names what is wrong") {
  check_error([](Graph& g) { cumulative_sum(g.input("x", {2, 3}), {.axis = 2}); }, {"cumulative_sum", "axis 2 is out of range", "[2,3]", "cumulative_sum.cpp"});
  check_error([](Graph& g) { cumulative_sum(g.input("x", {2, 3}, DType::i32)); }, {"cumulative_sum", "x is i32"});
}

}  // namespace fovea::test
