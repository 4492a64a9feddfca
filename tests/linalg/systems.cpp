// Equations, splines and eigenvectors, each against what defines it.

#include "tests/linalg/numbers.hpp"

#include <array>
#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

using linalg::Matrix;
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

// The spline's value at (x, y), by its formula.
double spline(const Matrix& control, const Matrix& coefficients, std::int64_t column, double x, double y) {
  const std::int64_t K = control.rows;
  double sum = coefficients(K, column) + coefficients(K + 1, column) * x + coefficients(K + 2, column) * y;
  for (std::int64_t k = 0; k < K; ++k) {
    const double r = std::hypot(x - control(k, 0), y - control(k, 1));
    if (r > 0) sum += coefficients(k, column) * r * r * std::log(r * r);
  }
  return sum;
}

void check_eigen(const Matrix& a, double scale = 1) {
  CAPTURE(a.rows);
  const auto eigen = linalg::symmetric_eigen(a);
  REQUIRE(eigen);
  const auto& [values, v] = *eigen;
  const std::int64_t n = a.rows;
  REQUIRE(values.size() == static_cast<std::size_t>(n));
  for (std::int64_t k = 0; k < n; ++k) {
    if (k > 0) CHECK(values[static_cast<std::size_t>(k)] <= values[static_cast<std::size_t>(k - 1)]);
    std::int64_t largest = 0;
    for (std::int64_t i = 0; i < n; ++i) {
      double product = 0;
      for (std::int64_t j = 0; j < n; ++j) product += a(i, j) * v(j, k);
      CHECK(std::abs(product - values[static_cast<std::size_t>(k)] * v(i, k)) < 1e-13 * scale * static_cast<double>(n));
      if (std::abs(v(i, k)) > std::abs(v(largest, k))) largest = i;
    }
    CHECK(v(largest, k) > 0);
    for (std::int64_t l = 0; l <= k; ++l) {
      double dot = 0;
      for (std::int64_t i = 0; i < n; ++i) dot += v(i, k) * v(i, l);
      CHECK(std::abs(dot - (k == l)) < 1e-13);
    }
  }
}

Matrix symmetric(std::int64_t n) {
  Matrix a = random(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j < i; ++j) a(i, j) = a(j, i);
  return a;
}

}  // namespace

TEST_CASE("solve: the product with the solution is the right side") {
  for (const std::int64_t n : {1, 2, 7, 40})
    for (const std::int64_t m : {1, 3}) {
      const Matrix a = random(n, n), b = random(n, m, 2);
      const auto x = linalg::solve(a, b);
      REQUIRE(x);
      REQUIRE(x->rows == n);
      REQUIRE(x->columns == m);
      for (std::int64_t i = 0; i < n; ++i)
        for (std::int64_t j = 0; j < m; ++j) {
          double sum = 0;
          for (std::int64_t k = 0; k < n; ++k) sum += a(i, k) * (*x)(k, j);
          CHECK(std::abs(sum - b(i, j)) < 1e-11);
        }
    }
  // No pivot on the diagonal.
  const auto x = linalg::solve({2, 2, {0, 2, 4, 0}}, {2, 1, {6, 8}});
  REQUIRE(x);
  CHECK(x->values == std::vector<double>{2, 3});
}

TEST_CASE("solve: what is singular or does not fit is named") {
  check_error(linalg::solve({2, 2, {1, 2, 2, 4}}, {2, 1, {1, 1}}), {"solve: a is singular"});
  check_error(linalg::solve({2, 2, {0, 0, 0, 0}}, {2, 1, {1, 1}}), {"a is singular"});
  check_error(linalg::solve(random(2, 3), random(2, 1)), {"solve: a is of 2 rows and 3 columns, not square"});
  check_error(linalg::solve(random(2, 2), random(3, 1)), {"b has 3 rows and a has 2"});
  check_error(linalg::solve({2, 2, {1, 2, 3}}, random(2, 1)), {"a has 3 values, not 2 x 2"});
  check_error(linalg::solve({0, 0, {}}, random(2, 1)), {"a is of 0 rows and 0 columns"});
  check_error(linalg::solve(random(2, 2), {-1, -1, {1}}), {"b is of -1 rows and -1 columns"});
  check_error(linalg::solve({2, 2, {1, 2, nan, 4}}, random(2, 1)), {"a is nan in row 1, column 0"});
}

TEST_CASE("thin_plate: it passes through its values, and what bends it has no sum and no moment") {
  const Matrix control = random(9, 2), values = random(9, 3, 2);
  const auto c = linalg::thin_plate(control, values);
  REQUIRE(c);
  REQUIRE(c->rows == 12);
  for (std::int64_t m = 0; m < 3; ++m) {
    for (std::int64_t k = 0; k < 9; ++k)
      CHECK(spline(control, *c, m, control(k, 0), control(k, 1)) == doctest::Approx(values(k, m)).epsilon(1e-10));
    double sum = 0, x = 0, y = 0;
    for (std::int64_t k = 0; k < 9; ++k) sum += (*c)(k, m), x += (*c)(k, m) * control(k, 0), y += (*c)(k, m) * control(k, 1);
    for (const double moment : {sum, x, y}) CHECK(std::abs(moment) < 1e-11);
  }
}

TEST_CASE("thin_plate: what is affine is not bent") {
  const Matrix control = random(6, 2);
  Matrix values{6, 1, {}};
  for (std::int64_t k = 0; k < 6; ++k) values.values.push_back(2 - 3 * control(k, 0) + 0.5 * control(k, 1));
  const auto c = linalg::thin_plate(control, values);
  REQUIRE(c);
  const double expected[] = {0, 0, 0, 0, 0, 0, 2, -3, 0.5};
  for (std::int64_t k = 0; k < 9; ++k) CHECK(std::abs((*c)(k, 0) - expected[k]) < 1e-12);
}

TEST_CASE("thin_plate: points on a line, points that meet, and shapes that do not fit are named") {
  check_error(linalg::thin_plate({3, 2, {0, 0, 1, 1, 2, 2}}, random(3, 1)), {"thin_plate: the 3 control points lie on a line"});
  check_error(linalg::thin_plate({4, 2, {0, 0, 1, 0, 0, 1, 1, 0}}, random(4, 1)), {"two of them meet"});
  check_error(linalg::thin_plate(random(4, 3), random(4, 1)), {"control has 3 columns, not x and y"});
  check_error(linalg::thin_plate(random(4, 2), random(3, 1)), {"values are for 3 points and control has 4"});
  check_error(linalg::thin_plate(random(4, 2), {4, 1, {0, nan, 0, 0}}), {"values is nan in row 1, column 0"});
}

TEST_CASE("symmetric_eigen: vectors are orthonormal, and the matrix scales each by its value") {
  for (const std::int64_t n : {1, 2, 5, 30}) check_eigen(symmetric(n));
  Matrix large = symmetric(6);
  for (double& value : large.values) value *= 1e8;
  check_eigen(large, 1e8);
}

TEST_CASE("symmetric_eigen: values that coincide, and none but zero") {
  check_eigen({3, 3, {2, 0, 0, 0, 2, 0, 0, 0, 1}});
  check_eigen({3, 3, std::vector<double>(9)});
  check_eigen({3, 3, {1, 1, 1, 1, 1, 1, 1, 1, 1}});  // 3, 0, 0
}

TEST_CASE("symmetric_eigen: a known spectrum") {
  // The path of n nodes: 2 - 2 cos(pi k/(n+1)).
  constexpr std::int64_t n = 8;
  Matrix a{n, n, std::vector<double>(n * n)};
  for (std::int64_t i = 0; i < n; ++i) {
    a(i, i) = 2;
    if (i > 0) a(i, i - 1) = a(i - 1, i) = -1;
  }
  const auto eigen = linalg::symmetric_eigen(a);
  REQUIRE(eigen);
  for (std::int64_t k = 0; k < n; ++k)
    CHECK(eigen->values[static_cast<std::size_t>(k)] == doctest::Approx(2 - 2 * std::cos(std::acos(-1.0) * static_cast<double>(n - k) / (n + 1))).epsilon(1e-12));
}

TEST_CASE("symmetric_eigen: rounding is forgiven, and what is not symmetric is named") {
  Matrix a = symmetric(4);
  a(0, 1) += 1e-7;
  CHECK(linalg::symmetric_eigen(a));
  a(2, 1) += 0.5;
  check_error(linalg::symmetric_eigen(a), {"symmetric_eigen: a is ", "row 2, column 1", "across the diagonal"});
  check_error(linalg::symmetric_eigen(random(2, 3)), {"2 rows and 3 columns, not square"});
  check_error(linalg::symmetric_eigen({1, 1, {nan}}), {"a is nan"});
}

TEST_CASE("matrices are made of floats and of doubles") {
  const std::array<float, 2> floats{0.5f, -2};
  const std::array<double, 2> doubles{0.5, -2};
  CHECK(linalg::matrix(1, 2, floats).values == linalg::matrix(1, 2, doubles).values);
  CHECK(linalg::matrix(2, 1, floats)(1, 0) == -2);
}

}  // namespace fovea::test
