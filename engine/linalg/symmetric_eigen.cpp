#include "linalg/matrix.hpp"

#include <Eigen/Eigenvalues>

#include <algorithm>
#include <cmath>

namespace fovea::linalg {

Result<SymmetricEigen> symmetric_eigen(const Matrix& a) {
  if (const std::string fault = fault_of("a", a); !fault.empty()) return wrong("symmetric_eigen: ", fault);
  const std::int64_t n = a.rows;
  if (n != a.columns) return wrong("symmetric_eigen: a is of ", n, " rows and ", a.columns, " columns, not square");
  double largest = 0;
  for (const double value : a.values) largest = std::max(largest, std::abs(value));
  Eigen::MatrixXd mean(n, n);
  for (std::int64_t i = 0; i < n; ++i)
    for (std::int64_t j = 0; j <= i; ++j) {
      if (std::abs(a(i, j) - a(j, i)) > 1e-5 * largest)
        return wrong("symmetric_eigen: a is ", a(i, j), " in row ", i, ", column ", j, " and ", a(j, i), " across the diagonal");
      mean(i, j) = mean(j, i) = a(i, j) / 2 + a(j, i) / 2;
    }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> found(mean);
  if (found.info() != Eigen::Success) return Error{ErrorCode::internal, "symmetric_eigen: no convergence"};
  SymmetricEigen result{{}, {n, n, std::vector<double>(a.values.size())}};
  for (std::int64_t k = 0; k < n; ++k) {
    const auto vector = found.eigenvectors().col(n - 1 - k);  // Eigen's rise
    result.values.push_back(found.eigenvalues()[n - 1 - k]);
    Eigen::Index first = 0;
    vector.cwiseAbs().maxCoeff(&first);
    const double sign = vector[first] < 0 ? -1 : 1;
    for (std::int64_t i = 0; i < n; ++i) result.vectors(i, k) = sign * vector[i];
  }
  return result;
}

}  // namespace fovea::linalg
