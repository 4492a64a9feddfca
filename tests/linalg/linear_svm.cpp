// Linear classifiers: the duality gap, which bounds the distance from the optimum, is computed here anew; the conditions
// of Karush, Kuhn and Tucker; problems whose optimum is known.

#include "tests/linalg/numbers.hpp"

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

using linalg::LinearSvm;
using linalg::LinearSvmDesc;
using linalg::Matrix;

double score(const LinearSvm& svm, std::int64_t k, const Matrix& x, std::int64_t i) {
  double sum = svm.bias[static_cast<std::size_t>(k)];
  for (std::int64_t d = 0; d < x.columns; ++d) sum += svm.weights(k, d) * x(i, d);
  return sum;
}

// Two clouds that overlap: Gaussian-like, about ±shift.
struct Cloud {
  Matrix x;
  std::vector<std::int32_t> label;
};
Cloud cloud(std::int64_t n, std::int64_t D, std::int32_t classes, double shift) {
  Cloud result{random(n, D), {}};
  for (std::int64_t i = 0; i < n; ++i) {
    result.label.push_back(static_cast<std::int32_t>(i % classes));
    result.x(i, i % classes % D) += shift;
  }
  return result;
}

void check_optimal(const Cloud& data, std::int64_t classes, const LinearSvmDesc& desc) {
  const auto svm = linalg::linear_svm(data.x, data.label, classes, desc);
  REQUIRE(svm);
  CHECK(svm->gap <= desc.tolerance);
  for (std::int64_t k = 0; k < classes; ++k) {
    // From the multipliers alone.
    std::vector<double> w(static_cast<std::size_t>(data.x.columns + 1));
    double gain = 0, losses = 0, norm = 0;
    for (std::int64_t i = 0; i < data.x.rows; ++i) {
      const double y = data.label[static_cast<std::size_t>(i)] == k ? 1 : -1, alpha = svm->dual(k, i);
      CHECK(alpha >= 0);
      if (!desc.squared) CHECK(alpha <= desc.cost);
      for (std::int64_t d = 0; d < data.x.columns; ++d) w[static_cast<std::size_t>(d)] += alpha * y * data.x(i, d);
      w.back() += alpha * y * desc.bias;
      gain += alpha - (desc.squared ? alpha * alpha / (4 * desc.cost) : 0);
    }
    for (std::int64_t d = 0; d < data.x.columns; ++d) CHECK(svm->weights(k, d) == doctest::Approx(w[static_cast<std::size_t>(d)]).epsilon(1e-8));
    CHECK(svm->bias[static_cast<std::size_t>(k)] == doctest::Approx(w.back() * desc.bias).epsilon(1e-8));
    for (const double value : w) norm += value * value;
    for (std::int64_t i = 0; i < data.x.rows; ++i) {
      const double y = data.label[static_cast<std::size_t>(i)] == k ? 1 : -1;
      const double loss = std::max(0.0, 1 - y * score(*svm, k, data.x, i));
      losses += desc.squared ? loss * loss : loss;
    }
    const double primal = norm / 2 + desc.cost * losses, dual = gain - norm / 2;
    CHECK(dual <= primal * (1 + 1e-9));
    CHECK(primal - dual <= desc.tolerance * primal * (1 + 1e-6));
  }
}

}  // namespace

TEST_CASE("linear_svm: primal and dual values meet, of clouds that overlap and that do not") {
  for (const bool squared : {false, true})
    for (const double shift : {0.3, 2.0})
      for (const std::int32_t classes : {2, 4})
        for (const double cost : {0.1, 3.0}) {
          CAPTURE(squared);
          CAPTURE(shift);
          CAPTURE(classes);
          CAPTURE(cost);
          check_optimal(cloud(60, 5, classes, shift), classes, {.cost = cost, .squared = squared, .tolerance = 1e-4, .max_epochs = 20000});
        }
  check_optimal(cloud(40, 3, 2, 1), 2, {.bias = 0, .max_epochs = 20000});
  check_optimal(cloud(40, 3, 2, 1), 2, {.bias = 7, .max_epochs = 20000});
}

TEST_CASE("linear_svm: multipliers and margins keep the conditions of Karush, Kuhn and Tucker") {
  const Cloud data = cloud(50, 4, 2, 0.5);
  const auto svm = linalg::linear_svm(data.x, data.label, 2, {.tolerance = 1e-10, .max_epochs = 100000});
  REQUIRE(svm);
  REQUIRE(svm->gap <= 1e-10);
  for (std::int64_t i = 0; i < 50; ++i) {
    const double margin = (data.label[static_cast<std::size_t>(i)] == 1 ? 1 : -1) * score(*svm, 1, data.x, i), alpha = svm->dual(1, i);
    if (margin > 1 + 1e-3) CHECK(alpha < 1e-6);
    if (margin < 1 - 1e-3) CHECK(alpha > 1 - 1e-6);
    if (alpha > 1e-3 && alpha < 1 - 1e-3) CHECK(std::abs(margin - 1) < 1e-3);
  }
}

TEST_CASE("linear_svm: the widest margin between two points is known") {
  // ±(3, 4) without a bias: w = (3, 4)/25, by both losses where C is large.
  const Matrix x{2, 2, {3, 4, -3, -4}};
  const std::int32_t label[] = {1, 0};
  for (const bool squared : {false, true}) {
    const auto svm = linalg::linear_svm(x, label, 2, {.cost = 1e6, .squared = squared, .bias = 0, .tolerance = 1e-9});
    REQUIRE(svm);
    CHECK(svm->weights(1, 0) == doctest::Approx(3.0 / 25).epsilon(1e-6));
    CHECK(svm->weights(1, 1) == doctest::Approx(4.0 / 25).epsilon(1e-6));
    CHECK(svm->weights(0, 0) == -svm->weights(1, 0));
  }
}

TEST_CASE("linear_svm: clouds far apart are told apart, and the same seed gives the same weights") {
  const Cloud data = cloud(90, 3, 3, 5);
  const auto svm = linalg::linear_svm(data.x, data.label, 3), again = linalg::linear_svm(data.x, data.label, 3);
  REQUIRE(svm);
  REQUIRE(again);
  CHECK(svm->weights.values == again->weights.values);
  for (std::int64_t i = 0; i < 90; ++i)
    for (std::int32_t k = 0; k < 3; ++k) {
      const std::int32_t own = data.label[static_cast<std::size_t>(i)];
      if (k != own) CHECK(score(*svm, own, data.x, i) > score(*svm, k, data.x, i));
    }
}

TEST_CASE("linear_svm: what has no features, one class alone, and too few epochs") {
  const Matrix zeros{3, 2, std::vector<double>(6)};
  const std::int32_t label[] = {0, 1, 1};
  const auto none = linalg::linear_svm(zeros, label, 2, {.bias = 0});
  REQUIRE(none);
  CHECK(none->weights.values == std::vector<double>(4));
  CHECK(none->gap < 1e-12);
  const std::int32_t one[] = {1, 1, 1};
  const auto alone = linalg::linear_svm(random(3, 2), one, 3);  // classes 0 and 2 have no point
  REQUIRE(alone);
  CHECK(alone->gap <= 1e-3);
  const Cloud data = cloud(60, 5, 2, 0.3);
  const auto hasty = linalg::linear_svm(data.x, data.label, 2, {.cost = 100, .max_epochs = 1});
  REQUIRE(hasty);
  CHECK(hasty->gap > 1e-3);
}

TEST_CASE("linear_svm: what does not fit or is out of range is named") {
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  const Matrix x = random(3, 2);
  const std::int32_t label[] = {0, 1, 1}, strange[] = {0, 2, 1}, negative[] = {0, -1, 1}, short_by_one[] = {0, 1};
  check_error(linalg::linear_svm(x, short_by_one, 2), {"linear_svm: 2 labels of 3 points"});
  check_error(linalg::linear_svm(x, strange, 2), {"the label of point 1 is 2, and there are 2 classes"});
  check_error(linalg::linear_svm(x, negative, 2), {"the label of point 1 is -1"});
  check_error(linalg::linear_svm(x, label, 1), {"linear_svm: 1 classes"});
  check_error(linalg::linear_svm(x, label, 2, {.cost = 0}), {"cost is 0"});
  check_error(linalg::linear_svm(x, label, 2, {.cost = nan}), {"cost is nan"});
  check_error(linalg::linear_svm(x, label, 2, {.bias = infinity}), {"bias is inf"});
  check_error(linalg::linear_svm(x, label, 2, {.tolerance = 0}), {"tolerance is 0"});
  check_error(linalg::linear_svm(x, label, 2, {.max_epochs = 0}), {"max_epochs is 0"});
  check_error(linalg::linear_svm({1, 1, {nan}}, std::span(label, 1), 2), {"points is nan"});
}

}  // namespace fovea::test
