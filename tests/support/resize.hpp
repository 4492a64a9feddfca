#pragma once
// What resize's tests and random graphs share: the weights of pixels, from the formulas, in double.

#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace fovea::test {

// Where pixel i of m stands among n (ONNX Resize, coordinate_transformation_mode), extents alone given.
inline double resize_place(std::int64_t pixel, std::int64_t from, std::int64_t to, ResizeCoordinates coordinates) {
  const auto i = static_cast<double>(pixel), n = static_cast<double>(from), m = static_cast<double>(to);
  if (coordinates == ResizeCoordinates::align_corners) return to == 1 ? 0 : i * (n - 1) / (m - 1);
  if (coordinates == ResizeCoordinates::asymmetric) return i * n / m;
  if (coordinates == ResizeCoordinates::pytorch_half_pixel && to == 1) return 0;
  return (2 * i + 1) * n / (2 * m) - 0.5;
}

inline double resize_cubic(double d, double a) {
  d = std::abs(d);
  if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : 0.0;
}

// Weights of all n pixels for the point `at`. With antialiasing and n > m the kernel is n/m as wide.
inline std::vector<double> resize_weights(double at, std::int64_t n, std::int64_t m, const ResizeDesc& desc) {
  std::vector<double> w(static_cast<std::size_t>(n));
  const auto pixel = [&](double k) { return static_cast<std::size_t>(std::min(std::max(k, 0.0), static_cast<double>(n - 1))); };
  if (desc.interpolation == Interpolation::nearest) {
    const bool half = at - std::floor(at) == 0.5;
    double k = std::round(at);
    if (desc.rounding == ResizeRounding::floor || (half && desc.rounding == ResizeRounding::prefer_floor)) k = std::floor(at);
    if (desc.rounding == ResizeRounding::ceil || (half && desc.rounding == ResizeRounding::prefer_ceil)) k = std::ceil(at);
    w[pixel(k)] = 1;
    return w;
  }
  const double wide = desc.antialias ? std::max(1.0, static_cast<double>(n) / static_cast<double>(m)) : 1.0;
  double sum = 0;
  for (std::int64_t k = -3 * n - 3; k <= 4 * n + 3; ++k) {
    if (desc.exclude_outside && (k < 0 || k >= n)) continue;
    const double d = (static_cast<double>(k) - at) / wide;
    const double value = desc.interpolation == Interpolation::cubic ? resize_cubic(d, desc.cubic_a) : std::max(0.0, 1 - std::abs(d));
    w[pixel(static_cast<double>(k))] += value;
    sum += value;
  }
  for (double& value : w) value /= sum;
  return w;
}

}  // namespace fovea::test
