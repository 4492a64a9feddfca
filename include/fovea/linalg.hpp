#pragma once
// Small dense linear algebra on the host, for what mechanisms do between their stages: splines of control points, spectral
// clusters of filters, classifiers of features. A library of its own, fovea::linalg, beside the engine; it needs no device.
//
// Everything is computed in double, by one thread, and is the same every time: chance comes from a seed. Errors are
// invalid_argument, and name the function and the operand: a matrix whose values are not rows·columns, or not finite;
// extents that do not fit or are 0; and what is said at each function.

#include <fovea/result.hpp>

#include <cstdint>
#include <span>
#include <vector>

namespace fovea::linalg {

// Row-major.
struct Matrix {
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;  // rows·columns
  // Preconditions: i < rows, j < columns.
  double& operator()(std::int64_t i, std::int64_t j) { return values[static_cast<std::size_t>(i * columns + j)]; }
  double operator()(std::int64_t i, std::int64_t j) const { return values[static_cast<std::size_t>(i * columns + j)]; }
};
// A copy of the caller's numbers.
Matrix matrix(std::int64_t rows, std::int64_t columns, std::span<const float> values);
Matrix matrix(std::int64_t rows, std::int64_t columns, std::span<const double> values);

// X [n,m] of A·X = B, a [n,n], b [n,m]: elimination with both exchanges. Error: A is singular, its smallest pivot being at
// most n·2^-52 of its largest (rows of very different size are the caller's to scale).
Result<Matrix> solve(const Matrix& a, const Matrix& b);

// Coefficients [K+3,M] of the thin-plate spline through `values` [K,M] at the points `control` [K,2] of (x,y):
// f(p) = Σ_k c_k·U(|p - control_k|) + c_K + c_{K+1}·x + c_{K+2}·y, U(r) = r²·ln r², U(0) = 0; the c_k sum to 0, also times x
// and times y. Of the identity [K,K] it is what thin_plate_grid (ops/spatial.hpp) multiplies source points with.
// Error: the points lie on a line, or two of them meet. (Bookstein 1989)
Result<Matrix> thin_plate(const Matrix& control, const Matrix& values);

struct SymmetricEigen {
  std::vector<double> values;  // [n], the largest first
  Matrix vectors;  // [n,n]: column k belongs to values[k], has length 1, and its largest component (of equals the first) is positive
};
// A = V·diag(values)·Vᵀ of the symmetric a [n,n]. Errors: a(i,j) and a(j,i) differ by more than 1e-5 of the largest
// magnitude (up to that their mean is taken); no convergence (internal).
Result<SymmetricEigen> symmetric_eigen(const Matrix& a);

struct KMeansDesc {
  std::int64_t clusters = 2;  // 1 up to the number of points
  std::int64_t restarts = 10;  // >= 1: the best of so many runs
  std::uint64_t seed = 0;
};
struct KMeans {
  Matrix centroids;                   // [clusters,D]: the means of their points, of which each has one at least
  std::vector<std::int32_t> cluster;  // [n]: whose centroid is nearest
  double inertia = 0;                 // sum of the squared distances of points to their centroids
};
// Clusters of points [n,D]. Seeds are drawn with probabilities proportional to the squared distance to the nearest of those
// before (Arthur & Vassilvitskii 2007); then points go to their centroid and centroids to the mean of their points, until
// no point moves or the inertia falls no more (Lloyd 1982). A cluster without points takes the one that is furthest from
// its own centroid. Errors: clusters or restarts out of range.
Result<KMeans> k_means(const Matrix& points, const KMeansDesc& desc = {});

struct LinearSvmDesc {
  double cost = 1;                 // C > 0, of the losses beside the squared norm
  bool squared = false;            // the squares of the losses
  double bias = 1;                 // a feature of this value behind the others, whose weight counts in the norm; 0: none
  double tolerance = 1e-3;         // > 0; see linear_svm
  std::int64_t max_epochs = 1000;  // >= 1
  std::uint64_t seed = 0;          // of the order of the points
};
struct LinearSvm {
  Matrix weights;            // [classes,D]
  std::vector<double> bias;  // [classes], to be added to weights·x
  Matrix dual;               // [classes,n]: the multiplier of every point; 0 for all but the support vectors
  double gap = 0;            // the largest relative duality gap of the classes; above the tolerance where max_epochs ended it
};
// One classifier a class against all others: for y = ±1, minimises ½|w|² + C·Σ_i max(0, 1 - y_i·w·x_i), or its squares, by
// dual coordinate descent (Hsieh et al. 2008, alg. 1, without shrinking), until the primal value exceeds the dual one by at
// most tolerance times itself. points [n,D], label [n] in 0..classes-1; of two classes, one classifier is the other with its sign
// changed. The class of x is the largest of weights·x + bias.
// Errors: classes < 2, a label that is none of them, attributes out of range or not finite.
Result<LinearSvm> linear_svm(const Matrix& points, std::span<const std::int32_t> label, std::int64_t classes,
                             const LinearSvmDesc& desc = {});

}  // namespace fovea::linalg
