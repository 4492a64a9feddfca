// Systems of equations, and that of the thin-plate spline.

#include "linalg/matrix.hpp"

#include <Eigen/LU>

#include <cmath>
#include <utility>

namespace fovea::linalg {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Empty where a is singular. Preconditions: extents fit, numbers are finite.
std::vector<double> solution(const Matrix& a, const Matrix& b) {
  const Eigen::FullPivLU<RowMajor> lu(Eigen::Map<const RowMajor>(a.values.data(), a.rows, a.columns));
  if (!lu.isInvertible()) return {};
  std::vector<double> x(b.values.size());
  Eigen::Map<RowMajor>(x.data(), b.rows, b.columns) = lu.solve(Eigen::Map<const RowMajor>(b.values.data(), b.rows, b.columns));
  return x;
}

// U(r) = r² ln r², 0 at 0, between two rows.
double radial(const Matrix& points, std::int64_t i, std::int64_t j) {
  const double x = points(i, 0) - points(j, 0), y = points(i, 1) - points(j, 1), squared = x * x + y * y;
  return squared == 0 ? 0 : squared * std::log(squared);
}

}  // namespace

Result<Matrix> solve(const Matrix& a, const Matrix& b) {
  for (const auto& [name, operand] : {std::pair{"a", &a}, {"b", &b}})
    if (const std::string fault = fault_of(name, *operand); !fault.empty()) return wrong("solve: ", fault);
  if (a.rows != a.columns) return wrong("solve: a is of ", a.rows, " rows and ", a.columns, " columns, not square");
  if (b.rows != a.rows) return wrong("solve: b has ", b.rows, " rows and a has ", a.rows);
  Matrix x{b.rows, b.columns, solution(a, b)};
  if (x.values.empty()) return wrong("solve: a is singular");
  return x;
}

Result<Matrix> thin_plate(const Matrix& control, const Matrix& values) {
  for (const auto& [name, operand] : {std::pair{"control", &control}, {"values", &values}})
    if (const std::string fault = fault_of(name, *operand); !fault.empty()) return wrong("thin_plate: ", fault);
  const std::int64_t K = control.rows, n = K + 3, M = values.columns;
  if (control.columns != 2) return wrong("thin_plate: control has ", control.columns, " columns, not x and y");
  if (values.rows != K) return wrong("thin_plate: values are for ", values.rows, " points and control has ", K);
  // [[U, P], [Pᵀ, 0]] and [values; 0], P = (1, x, y).
  Matrix system{n, n, std::vector<double>(static_cast<std::size_t>(n * n))}, right{n, M, values.values};
  right.values.resize(static_cast<std::size_t>(n * M));
  for (std::int64_t i = 0; i < K; ++i) {
    for (std::int64_t j = 0; j < K; ++j) system(i, j) = radial(control, i, j);
    const double row[] = {1, control(i, 0), control(i, 1)};
    for (std::int64_t k = 0; k < 3; ++k) system(i, K + k) = system(K + k, i) = row[k];
  }
  Matrix coefficients{n, M, solution(system, right)};
  if (coefficients.values.empty())
    return wrong("thin_plate: the ", K, " control points lie on a line, or two of them meet");
  return coefficients;
}

}  // namespace fovea::linalg
