#include "linalg/chance.hpp"
#include "linalg/matrix.hpp"

#include <algorithm>
#include <limits>

namespace fovea::linalg {
namespace {

struct Run {
  const Matrix& points;
  KMeans state;
  std::vector<double> squared;  // [n]: of the distance to the point's centroid

  double distance(std::int64_t point, std::int64_t centroid) const {
    double sum = 0;
    for (std::int64_t d = 0; d < points.columns; ++d) {
      const double difference = points(point, d) - state.centroids(centroid, d);
      sum += difference * difference;
    }
    return sum;
  }
  std::int32_t& cluster_of(std::int64_t point) { return state.cluster[static_cast<std::size_t>(point)]; }
  double& squared_of(std::int64_t point) { return squared[static_cast<std::size_t>(point)]; }
};

void place(Run& run, std::int64_t centroid, std::int64_t point) {
  for (std::int64_t d = 0; d < run.points.columns; ++d) run.state.centroids(centroid, d) = run.points(point, d);
}

// k-means++.
void seed(Run& run, std::mt19937_64& chance) {
  const std::int64_t n = run.points.rows;
  place(run, 0, below(n, chance));
  for (std::int64_t i = 0; i < n; ++i) run.squared_of(i) = run.distance(i, 0);
  for (std::int64_t k = 1; k < run.state.centroids.rows; ++k) {
    double mass = 0;
    for (const double part : run.squared) mass += part;
    double left = uniform(chance) * mass;
    std::int64_t drawn = n - 1;
    for (std::int64_t i = 0; i < n && left >= 0; ++i)
      if (run.squared_of(i) > 0) left -= run.squared_of(drawn = i);
    place(run, k, drawn);
    for (std::int64_t i = 0; i < n; ++i) run.squared_of(i) = std::min(run.squared_of(i), run.distance(i, k));
  }
}

void assign(Run& run) {
  const std::int64_t K = run.state.centroids.rows;
  std::vector<std::int64_t> count(static_cast<std::size_t>(K));
  for (std::int64_t i = 0; i < run.points.rows; ++i) {
    run.squared_of(i) = std::numeric_limits<double>::infinity();
    for (std::int64_t k = 0; k < K; ++k)
      if (const double d = run.distance(i, k); d < run.squared_of(i))
        run.squared_of(i) = d, run.cluster_of(i) = static_cast<std::int32_t>(k);
    ++count[static_cast<std::size_t>(run.cluster_of(i))];
  }
  // Nobody is taken from a cluster of one.
  for (std::int64_t k = 0; k < K; ++k) {
    if (count[static_cast<std::size_t>(k)] > 0) continue;
    std::int64_t furthest = -1;
    for (std::int64_t i = 0; i < run.points.rows; ++i)
      if (count[static_cast<std::size_t>(run.cluster_of(i))] > 1 && (furthest < 0 || run.squared_of(i) > run.squared_of(furthest)))
        furthest = i;
    --count[static_cast<std::size_t>(run.cluster_of(furthest))];
    ++count[static_cast<std::size_t>(k)];
    run.cluster_of(furthest) = static_cast<std::int32_t>(k);
    run.squared_of(furthest) = 0;
  }
}

void move_centroids(Run& run) {
  const std::int64_t K = run.state.centroids.rows, D = run.points.columns;
  std::vector<double> count(static_cast<std::size_t>(K));
  run.state.centroids.values.assign(run.state.centroids.values.size(), 0);
  for (std::int64_t i = 0; i < run.points.rows; ++i) {
    ++count[static_cast<std::size_t>(run.cluster_of(i))];
    for (std::int64_t d = 0; d < D; ++d) run.state.centroids(run.cluster_of(i), d) += run.points(i, d);
  }
  for (std::int64_t k = 0; k < K; ++k)
    for (std::int64_t d = 0; d < D; ++d) run.state.centroids(k, d) /= count[static_cast<std::size_t>(k)];
  run.state.inertia = 0;
  for (std::int64_t i = 0; i < run.points.rows; ++i) run.state.inertia += run.distance(i, run.cluster_of(i));
}

KMeans run_once(const Matrix& points, std::int64_t clusters, std::mt19937_64& chance) {
  const auto n = static_cast<std::size_t>(points.rows);
  Run run{points, {{clusters, points.columns, {}}, std::vector<std::int32_t>(n), 0}, std::vector<double>(n)};
  run.state.centroids.values.resize(static_cast<std::size_t>(clusters * points.columns));
  seed(run, chance);
  assign(run), move_centroids(run);
  for (;;) {
    const KMeans before = run.state;
    assign(run), move_centroids(run);
    // The inertia falls at every step, but for rounding: it ends.
    if (run.state.cluster == before.cluster || !(run.state.inertia < before.inertia)) return before;
  }
}

}  // namespace

Result<KMeans> k_means(const Matrix& points, const KMeansDesc& desc) {
  if (const std::string fault = fault_of("points", points); !fault.empty()) return wrong("k_means: ", fault);
  if (desc.clusters < 1 || desc.clusters > points.rows)
    return wrong("k_means: ", desc.clusters, " clusters of ", points.rows, " points");
  if (desc.restarts < 1) return wrong("k_means: restarts is ", desc.restarts);
  std::mt19937_64 chance(desc.seed);
  KMeans best = run_once(points, desc.clusters, chance);
  for (std::int64_t run = 1; run < desc.restarts; ++run)
    if (KMeans other = run_once(points, desc.clusters, chance); other.inertia < best.inertia) best = std::move(other);
  return best;
}

}  // namespace fovea::linalg
