#include "linalg/chance.hpp"
#include "linalg/matrix.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace fovea::linalg {
namespace {

std::size_t at(std::int64_t i) { return static_cast<std::size_t>(i); }

// One class against the others. `x` has the bias's feature behind the others.
struct Classifier {
  const Matrix& x;
  const LinearSvmDesc& desc;
  std::vector<double> sign, dual;  // [n]
  std::vector<double> w;           // Σ dual·sign·x

  double score(std::int64_t i) const {
    double sum = 0;
    for (std::int64_t d = 0; d < x.columns; ++d) sum += w[at(d)] * x(i, d);
    return sum;
  }
  // Of squared losses the dual has alpha²/4C beside, and no upper bound.
  double diagonal() const { return desc.squared ? 1 / (2 * desc.cost) : 0; }
  double bound() const { return desc.squared ? std::numeric_limits<double>::infinity() : desc.cost; }

  // The dual's optimum along one multiplier.
  void descend(std::int64_t i, double squared_length) {
    double& alpha = dual[at(i)];
    const double slope = sign[at(i)] * score(i) - 1 + diagonal() * alpha, curvature = squared_length + diagonal();
    // No curvature: a point at the origin, whose loss is 1 whatever w is.
    const double next = curvature == 0 ? bound() : std::clamp(alpha - slope / curvature, 0.0, bound());
    const double step = (next - alpha) * sign[at(i)];
    alpha = next;
    for (std::int64_t d = 0; d < x.columns; ++d) w[at(d)] += step * x(i, d);
  }

  double relative_gap() const {
    double squared_norm = 0, losses = 0, gain = 0;
    for (const double weight : w) squared_norm += weight * weight;
    for (std::int64_t i = 0; i < x.rows; ++i) {
      const double loss = std::max(0.0, 1 - sign[at(i)] * score(i));
      losses += desc.squared ? loss * loss : loss;
      gain += dual[at(i)] - diagonal() * dual[at(i)] * dual[at(i)] / 2;
    }
    const double primal = squared_norm / 2 + desc.cost * losses;
    return primal == 0 ? 0 : std::max(0.0, (primal - gain + squared_norm / 2) / primal);
  }
};

// Returns the gap.
double train(Classifier& one) {
  const std::int64_t n = one.x.rows;
  std::vector<double> squared_length(at(n));
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t d = 0; d < one.x.columns; ++d) squared_length[at(i)] += one.x(i, d) * one.x(i, d);
  std::vector<std::int64_t> order(at(n));
  std::iota(order.begin(), order.end(), 0);
  std::mt19937_64 chance(one.desc.seed);
  double gap = one.relative_gap();
  for (std::int64_t epoch = 0; epoch < one.desc.max_epochs && gap > one.desc.tolerance; ++epoch) {
    for (std::int64_t i = n - 1; i > 0; --i) std::swap(order[at(i)], order[at(below(i + 1, chance))]);
    for (const std::int64_t i : order) one.descend(i, squared_length[at(i)]);
    gap = one.relative_gap();
  }
  return gap;
}

std::string fault_of(const LinearSvmDesc& desc) {
  const auto positive = [](double value) { return value > 0 && std::isfinite(value); };
  if (!positive(desc.cost)) return cat("cost is ", desc.cost);
  if (!std::isfinite(desc.bias)) return cat("bias is ", desc.bias);
  if (!positive(desc.tolerance)) return cat("tolerance is ", desc.tolerance);
  if (desc.max_epochs < 1) return cat("max_epochs is ", desc.max_epochs);
  return {};
}

}  // namespace

Result<LinearSvm> linear_svm(const Matrix& points, std::span<const std::int32_t> label, std::int64_t classes,
                             const LinearSvmDesc& desc) {
  for (const std::string& fault : {fault_of("points", points), fault_of(desc)})
    if (!fault.empty()) return wrong("linear_svm: ", fault);
  const std::int64_t n = points.rows, D = points.columns;
  if (static_cast<std::int64_t>(label.size()) != n) return wrong("linear_svm: ", label.size(), " labels of ", n, " points");
  if (classes < 2 || classes > std::numeric_limits<std::int32_t>::max()) return wrong("linear_svm: ", classes, " classes");
  for (std::int64_t i = 0; i < n; ++i)
    if (label[at(i)] < 0 || label[at(i)] >= classes)
      return wrong("linear_svm: the label of point ", i, " is ", label[at(i)], ", and there are ", classes, " classes");

  Matrix x{n, D + 1, {}};
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t d = 0; d < D; ++d) x.values.push_back(points(i, d));
    x.values.push_back(desc.bias);
  }
  LinearSvm svm{{classes, D, {}}, {}, {classes, n, {}}, 0};
  for (std::int64_t k = 0; k < classes; ++k) {
    Classifier one{x, desc, {}, std::vector<double>(at(n)), std::vector<double>(at(D + 1))};
    for (const std::int32_t own : label) one.sign.push_back(own == k ? 1 : -1);
    svm.gap = std::max(svm.gap, train(one));
    svm.weights.values.insert(svm.weights.values.end(), one.w.begin(), one.w.end() - 1);
    svm.bias.push_back(one.w.back() * desc.bias);
    svm.dual.values.insert(svm.dual.values.end(), one.dual.begin(), one.dual.end());
  }
  return svm;
}

}  // namespace fovea::linalg
