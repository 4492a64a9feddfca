// Grids for the sampler beside the affine one, composed of other operators: projective, thin-plate spline, box.

#include "ops/compose.hpp"

#include <fovea/ops.hpp>

#include <cmath>

namespace fovea {
namespace ops {
namespace {

// The normalised coordinates of n pixel centres.
std::vector<double> coordinates(std::int64_t n, bool align_corners) {
  std::vector<double> places;
  for (std::int64_t i = 0; i < n; ++i) {
    const auto at = static_cast<double>(i), count = static_cast<double>(n);
    places.push_back(!align_corners ? (2 * at + 1) / count - 1 : n == 1 ? 0 : 2 * at / (count - 1) - 1);
  }
  return places;
}

using Point = std::array<double, 2>;

// U(r) = r² ln r², 0 at 0.
double radial(const Point& a, const Point& b) {
  const double x = a[0] - b[0], y = a[1] - b[1], squared = x * x + y * y;
  return squared == 0 ? 0 : squared * std::log(squared);
}

// Solves matrix · result = right for all columns of `right` in place, by elimination with row exchanges. False where the
// matrix is singular.
bool solve(std::vector<std::vector<double>>& matrix, std::vector<std::vector<double>>& right) {
  const std::size_t n = matrix.size();
  for (std::size_t column = 0; column < n; ++column) {
    std::size_t pivot = column;
    for (std::size_t row = column; row < n; ++row)
      if (std::abs(matrix[row][column]) > std::abs(matrix[pivot][column])) pivot = row;
    if (std::abs(matrix[pivot][column]) < 1e-10) return false;
    std::swap(matrix[pivot], matrix[column]);
    std::swap(right[pivot], right[column]);
    for (std::size_t row = 0; row < n; ++row) {
      const double factor = row == column ? 0 : matrix[row][column] / matrix[column][column];
      if (factor == 0) continue;
      for (std::size_t k = column; k < n; ++k) matrix[row][k] -= factor * matrix[column][k];
      for (std::size_t k = 0; k < right[row].size(); ++k) right[row][k] -= factor * right[column][k];
    }
  }
  for (std::size_t row = 0; row < n; ++row)
    for (double& value : right[row]) value /= matrix[row][row];
  return true;
}

// The first K columns of the inverse of [[U, P], [Pᵀ, 0]], P = (1, x, y): what source points contribute to the K radial
// and the 3 affine coefficients. Empty where the points lie on a line or meet.
std::vector<std::vector<double>> spline_coefficients(const std::vector<Point>& points) {
  const std::size_t K = points.size(), n = K + 3;
  std::vector<std::vector<double>> system(n, std::vector<double>(n)), inverse(n, std::vector<double>(K));
  for (std::size_t i = 0; i < K; ++i) {
    inverse[i][i] = 1;
    for (std::size_t j = 0; j < K; ++j) system[i][j] = radial(points[i], points[j]);
    const double row[] = {1, points[i][0], points[i][1]};
    for (std::size_t k = 0; k < 3; ++k) system[i][K + k] = system[K + k][i] = row[k];
  }
  if (!solve(system, inverse)) inverse.clear();
  return inverse;
}

// Φ [H·W, K]: the weight of each source point at each pixel.
std::vector<float> spline_basis(const std::vector<Point>& points, const std::vector<std::vector<double>>& coefficients,
                                std::int64_t height, std::int64_t width, bool align_corners) {
  const std::size_t K = points.size();
  std::vector<float> basis;
  for (double y : coordinates(height, align_corners))
    for (double x : coordinates(width, align_corners)) {
      std::vector<double> row;
      for (const Point& point : points) row.push_back(radial({x, y}, point));
      row.insert(row.end(), {1, x, y});
      for (std::size_t k = 0; k < K; ++k) {
        double weight = 0;
        for (std::size_t j = 0; j < K + 3; ++j) weight += row[j] * coefficients[j][k];
        basis.push_back(static_cast<float>(weight));
      }
    }
  return basis;
}

// Of N×C×H×W pictures alone, of a float type.
std::string grid_fault(Tensor x, const char* what, const Shape& expected, const Shape& size) {
  if (!size.valid() || size.rank() != 4) return cat("the size ", to_string(size), " is not [N,C,H,W]");
  if (!ir::is_float(x.dtype())) return cat(what, ' ', to_string(x.dtype()), ", not ", ir::float_types);
  if (x.shape() != expected) return cat(what, ' ', to_string(x.shape()), ", not ", to_string(expected));
  return {};
}

}  // namespace
}  // namespace ops

Tensor projective_grid(Tensor theta, const Shape& size, const AffineGridDesc& desc, CallSite site) {
  if (!theta || theta.graph()->error) return theta;
  const std::int64_t n = size.rank() > 0 ? size[0] : 0;
  if (const std::string fault = ops::grid_fault(theta, "theta is", {n, 3, 3}, size); !fault.empty())
    return ops::refuse(theta, site, "projective_grid: ", fault);
  // Rows 1 and 2 are an affine grid; so is row 3, twice.
  const auto rows = [&](std::int64_t first, std::int64_t count) {
    return slice(theta, {.axis = 1, .start = first, .stop = first + count}, site);
  };
  const Tensor above = affine_grid(rows(0, 2), size, desc, site), third = rows(2, 1);
  const Tensor w = affine_grid(concat({third, third}, 1, site), size, desc, site);
  // At least 1e-6 in magnitude, with its sign; below that it is a constant.
  constexpr float least = 1e-6f;
  const auto compare = [&](Tensor a, float b) { return binary(Binary::less, a, scalar(a, b, site), site); };
  const Tensor bound = select(compare(w, 0), scalar(w, -least, site), scalar(w, least, site), site);
  const Tensor guarded = select(compare(unary(Unary::abs, w, site), least), bound, w, site);
  return binary(Binary::div, above, guarded, site);
}

Tensor thin_plate_grid(Tensor source, const std::vector<std::array<double, 2>>& control, const Shape& size,
                       const AffineGridDesc& desc, CallSite site) {
  if (!source || source.graph()->error) return source;
  const std::int64_t n = size.rank() > 0 ? size[0] : 0, K = static_cast<std::int64_t>(control.size());
  if (const std::string fault = ops::grid_fault(source, "the source points are", {n, K, 2}, size); !fault.empty())
    return ops::refuse(source, site, "thin_plate_grid: ", fault);
  for (std::size_t k = 0; k < control.size(); ++k)
    for (const double coordinate : control[k])
      if (!std::isfinite(coordinate))
        return ops::refuse(source, site, "thin_plate_grid: control point ", k, " is (", control[k][0], ", ",
                           control[k][1], "), not of finite numbers");
  const auto coefficients = ops::spline_coefficients(control);
  if (coefficients.empty())
    return ops::refuse(source, site, "thin_plate_grid: the ", K, " control points lie on a line, or two of them meet");
  if (Shape{size[2], size[3], K}.elements() > (1 << 30))
    return ops::refuse(source, site, "thin_plate_grid: ", K, " control points at every pixel of ", to_string(size),
                       " are more than 2^30 weights");
  const Shape grid{n, size[2], size[3], 2};
  const Tensor basis = ops::constant(*source.graph(), {size[2] * size[3], K},
                                     ops::spline_basis(control, coefficients, size[2], size[3], desc.align_corners));
  const Tensor points = matmul(basis, cast(source, DType::f32, site), {}, site);
  return cast(reshape(points, grid.extents(), site), source.dtype(), site);
}

Tensor box_grid(Tensor box, const Shape& size, const AffineGridDesc& desc, CallSite site) {
  if (!box || box.graph()->error) return box;
  const std::int64_t n = size.rank() > 0 ? size[0] : 0;
  if (const std::string fault = ops::grid_fault(box, "the box is", {n, 4}, size); !fault.empty())
    return ops::refuse(box, site, "box_grid: ", fault);
  // (x0, y0, x1, y1) -> the affine map of [-1,1]² onto the box: half its sides, and its centre.
  static constexpr float to_theta[] = {-0.5f, 0, 0.5f, 0, 0, 0,      0, 0, 0, 0, -0.5f, 0.5f,
                                       0.5f,  0, 0.5f, 0, 0, 0,      0, 0, 0, 0, 0.5f,  0.5f};
  const Tensor theta = matmul(box, cast(ops::constant(*box.graph(), {4, 6}, to_theta), box.dtype(), site), {}, site);
  return affine_grid(reshape(theta, {n, 2, 3}, site), size, desc, site);
}

}  // namespace fovea
