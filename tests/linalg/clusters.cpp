// k-means against all assignments there are, and the conditions of its fixed point.

#include "tests/linalg/numbers.hpp"

#include <cmath>
#include <limits>
#include <set>

namespace fovea::test {
namespace {

using linalg::KMeans;
using linalg::Matrix;

double squared(const Matrix& a, std::int64_t i, const Matrix& b, std::int64_t j) {
  double sum = 0;
  for (std::int64_t d = 0; d < a.columns; ++d) sum += (a(i, d) - b(j, d)) * (a(i, d) - b(j, d));
  return sum;
}

// The least inertia of any assignment of the points to K clusters.
double least_inertia(const Matrix& points, std::int64_t K) {
  const std::int64_t n = points.rows, D = points.columns;
  std::int64_t assignments = 1;
  for (std::int64_t i = 0; i < n; ++i) assignments *= K;
  double least = std::numeric_limits<double>::infinity();
  for (std::int64_t number = 0; number < assignments; ++number) {
    Matrix sum{K, D, std::vector<double>(static_cast<std::size_t>(K * D))};
    std::vector<double> count(static_cast<std::size_t>(K));
    double inertia = 0;  // Σ|x|² - Σ|sum|²/count
    for (std::int64_t i = 0, rest = number; i < n; ++i, rest /= K) {
      ++count[static_cast<std::size_t>(rest % K)];
      for (std::int64_t d = 0; d < D; ++d) sum(rest % K, d) += points(i, d), inertia += points(i, d) * points(i, d);
    }
    for (std::int64_t k = 0; k < K; ++k)
      for (std::int64_t d = 0; d < D; ++d)
        if (count[static_cast<std::size_t>(k)] > 0) inertia -= sum(k, d) * sum(k, d) / count[static_cast<std::size_t>(k)];
    least = std::min(least, inertia);
  }
  return least;
}

// Centroids are means, no cluster is empty, and the inertia is what it says.
void check_consistent(const Matrix& points, const KMeans& found) {
  const std::int64_t K = found.centroids.rows;
  REQUIRE(found.cluster.size() == static_cast<std::size_t>(points.rows));
  Matrix mean{K, points.columns, std::vector<double>(found.centroids.values.size())};
  std::vector<double> count(static_cast<std::size_t>(K));
  double inertia = 0;
  for (std::int64_t i = 0; i < points.rows; ++i) {
    const std::int32_t k = found.cluster[static_cast<std::size_t>(i)];
    REQUIRE(k >= 0);
    REQUIRE(k < K);
    ++count[static_cast<std::size_t>(k)];
    for (std::int64_t d = 0; d < points.columns; ++d) mean(k, d) += points(i, d);
    inertia += squared(points, i, found.centroids, k);
  }
  for (std::int64_t k = 0; k < K; ++k) {
    REQUIRE(count[static_cast<std::size_t>(k)] > 0);
    for (std::int64_t d = 0; d < points.columns; ++d)
      CHECK(std::abs(mean(k, d) / count[static_cast<std::size_t>(k)] - found.centroids(k, d)) < 1e-12);
  }
  CHECK(std::abs(found.inertia - inertia) < 1e-12);
}

void check_fixed_point(const Matrix& points, const KMeans& found) {
  check_consistent(points, found);
  for (std::int64_t i = 0; i < points.rows; ++i)
    for (std::int64_t k = 0; k < found.centroids.rows; ++k)
      CHECK(squared(points, i, found.centroids, found.cluster[static_cast<std::size_t>(i)]) <= squared(points, i, found.centroids, k) + 1e-12);
}

}  // namespace

TEST_CASE("k_means: no assignment at all is better, where all can be tried") {
  for (unsigned seed = 1; seed <= 6; ++seed)
    for (const std::int64_t K : {1, 2, 3}) {
      CAPTURE(seed);
      CAPTURE(K);
      const Matrix points = random(9, 2, seed);
      const auto found = linalg::k_means(points, {.clusters = K, .restarts = 30});
      REQUIRE(found);
      check_fixed_point(points, *found);
      CHECK(found->inertia == doctest::Approx(least_inertia(points, K)).epsilon(1e-10));
    }
}

TEST_CASE("k_means: every run ends at a fixed point, and the same seed gives the same clusters") {
  const Matrix points = random(200, 5);
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const linalg::KMeansDesc desc{.clusters = 7, .restarts = 1, .seed = seed};
    const auto found = linalg::k_means(points, desc), again = linalg::k_means(points, desc);
    REQUIRE(found);
    REQUIRE(again);
    check_fixed_point(points, *found);
    CHECK(found->cluster == again->cluster);
    CHECK(found->centroids.values == again->centroids.values);
  }
}

TEST_CASE("k_means: clusters far apart are found by one run") {
  Matrix points = random(60, 2);
  for (std::int64_t i = 0; i < 60; ++i) points(i, 0) += 100.0 * static_cast<double>(i % 4), points(i, 1) += 50.0 * static_cast<double>(i % 3);
  const auto found = linalg::k_means(points, {.clusters = 12, .restarts = 1});
  REQUIRE(found);
  check_fixed_point(points, *found);
  for (std::int64_t i = 12; i < 60; ++i) CHECK(found->cluster[static_cast<std::size_t>(i)] == found->cluster[static_cast<std::size_t>(i - 12)]);
  CHECK(std::set(found->cluster.begin(), found->cluster.end()).size() == 12);
}

TEST_CASE("k_means: no cluster is empty, a cluster for every point and points that coincide included") {
  const Matrix points = random(6, 3);
  const auto all = linalg::k_means(points, {.clusters = 6});
  REQUIRE(all);
  check_fixed_point(points, *all);
  CHECK(all->inertia == 0);
  for (const std::int64_t K : {2, 3, 5}) {
    const Matrix same{5, 1, {1, 1, 1, 1, 2}};
    const auto found = linalg::k_means(same, {.clusters = K});
    REQUIRE(found);
    check_consistent(same, *found);
    CHECK(found->inertia == 0);
  }
}

TEST_CASE("k_means: what is out of range is named") {
  check_error(linalg::k_means(random(3, 2), {.clusters = 0}), {"k_means: 0 clusters of 3 points"});
  check_error(linalg::k_means(random(3, 2), {.clusters = 4}), {"k_means: 4 clusters of 3 points"});
  check_error(linalg::k_means(random(3, 2), {.restarts = 0}), {"restarts is 0"});
  check_error(linalg::k_means({2, 1, {1, std::numeric_limits<double>::infinity()}}), {"k_means: points is inf in row 1, column 0"});
  check_error(linalg::k_means({2, 2, {1}}), {"points has 1 values, not 2 x 2"});
}

}  // namespace fovea::test
