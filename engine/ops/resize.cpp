// Resizing: every axis is a sparse matrix that the extents alone determine.

#include "base/enum_name.hpp"
#include "ops/compose.hpp"
#include "ops/separable.hpp"

#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>

namespace fovea {

const char* to_string(ResizeCoordinates coordinates) {
  static constexpr const char* names[] = {"half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners",
                                          "asymmetric"};
  static_assert(std::size(names) == static_cast<std::size_t>(ResizeCoordinates::asymmetric) + 1);
  return enum_name(names, coordinates);
}
const char* to_string(ResizeRounding rounding) {
  static constexpr const char* names[] = {"prefer_floor", "prefer_ceil", "floor", "ceil"};
  static_assert(std::size(names) == static_cast<std::size_t>(ResizeRounding::ceil) + 1);
  return enum_name(names, rounding);
}

namespace ops {
namespace {

// One axis: n pixels become m; scale is what the caller gave, 0 where m/n is it.
struct ResizeAxis {
  std::int64_t n, m;
  double scale;

  // i / s; exact for whole quotients where the extents give the scale.
  double over_scale(double i) const {
    return scale > 0 ? i / scale : i * static_cast<double>(n) / static_cast<double>(m);
  }
  double shrinks_by() const { return std::max(1.0, over_scale(1)); }
  // Whether m is scale·n rounded down or to the nearest, for a scale that single precision may have rounded. So no place is
  // further from x than x is long.
  bool agrees() const {
    const double exact = scale * static_cast<double>(n), slack = 1e-6 * exact, given = static_cast<double>(m);
    return scale <= 0 || (given > exact - 1 - slack && given <= exact + 0.5 + slack);
  }
};

double place_of(std::int64_t pixel, const ResizeAxis& axis, ResizeCoordinates coordinates) {
  const auto i = static_cast<double>(pixel), n = static_cast<double>(axis.n);
  const double exact_m = axis.scale > 0 ? axis.scale * n : static_cast<double>(axis.m);
  switch (coordinates) {
    case ResizeCoordinates::half_pixel: return axis.over_scale(i + 0.5) - 0.5;
    case ResizeCoordinates::half_pixel_symmetric: {
      const double offset = n / 2 * (1 - static_cast<double>(axis.m) / exact_m);
      return offset + axis.over_scale(i + 0.5) - 0.5;
    }
    case ResizeCoordinates::pytorch_half_pixel: return axis.m > 1 ? axis.over_scale(i + 0.5) - 0.5 : 0;
    case ResizeCoordinates::align_corners: return axis.m > 1 ? i * (n - 1) / (exact_m - 1) : 0;
    case ResizeCoordinates::asymmetric: return axis.over_scale(i);
  }
  return 0;
}

double rounded(double at, ResizeRounding rounding) {
  switch (rounding) {
    case ResizeRounding::prefer_floor: return std::ceil(at - 0.5);
    case ResizeRounding::prefer_ceil: return std::floor(at + 0.5);
    case ResizeRounding::floor: return std::floor(at);
    case ResizeRounding::ceil: return std::ceil(at);
  }
  return at;
}

// The interpolating kernel at distance d: a triangle, or Keys' cubic.
double kernel_at(double d, const ResizeDesc& desc) {
  d = std::abs(d);
  if (desc.interpolation == Interpolation::linear) return std::max(0.0, 1 - d);
  const double a = desc.cubic_a;
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1;
  return d < 2 ? ((a * d - 5 * a) * d + 8 * a) * d - 4 * a : 0;
}

// A row stays empty where the kernel holds no pixel that counts.
AxisMap resize_map(const ResizeAxis& axis, const ResizeDesc& desc) {
  AxisMap map{.columns = axis.n};
  const std::int64_t last = axis.n - 1;
  const double stretch = desc.antialias ? axis.shrinks_by() : 1;
  const double reach = stretch * (desc.interpolation == Interpolation::cubic ? 2 : 1);
  for (std::int64_t i = 0; i < axis.m; ++i, map.end_row()) {
    const double at = place_of(i, axis, desc.coordinates);
    if (desc.interpolation == Interpolation::nearest) {
      map.add(std::clamp(static_cast<std::int64_t>(rounded(at, desc.rounding)), std::int64_t{0}, last), 1);
      continue;
    }
    // Pixels outside stand for the one at the edge, or are left out. Weights then sum to 1 again.
    std::vector<std::pair<std::int64_t, double>> taps;
    double sum = 0;
    const auto behind = static_cast<std::int64_t>(std::floor(at + reach));
    for (auto k = static_cast<std::int64_t>(std::ceil(at - reach)); k <= behind; ++k) {
      if (desc.exclude_outside && (k < 0 || k > last)) continue;
      const double weight = kernel_at((static_cast<double>(k) - at) / stretch, desc);
      const std::int64_t pixel = std::clamp(k, std::int64_t{0}, last);
      sum += weight;
      if (!taps.empty() && taps.back().first == pixel) taps.back().second += weight;
      else taps.emplace_back(pixel, weight);
    }
    if (sum == 0) continue;
    for (const auto& [pixel, weight] : taps) map.add(pixel, weight / sum);
  }
  return map;
}

// Axis i of those that are resized.
ResizeAxis axis_of(const Shape& x, const ResizeDesc& desc, std::size_t i) {
  const std::size_t axes = std::max(desc.size.size(), desc.scale.size());
  ResizeAxis axis{x.at(static_cast<int>(i) - static_cast<int>(axes)), 0, desc.scale.empty() ? 0 : desc.scale[i]};
  axis.m = desc.size.empty() ? static_cast<std::int64_t>(std::floor(axis.scale * static_cast<double>(axis.n))) : desc.size[i];
  return axis;
}

// What is wrong with the request, or nothing.
std::string resize_fault(const Tensor& x, const ResizeDesc& desc) {
  const std::size_t axes = std::max(desc.size.size(), desc.scale.size());
  const Shape& shape = x.shape();
  if (!ir::is_float(x.dtype())) return cat("x is ", to_string(x.dtype()), ", not ", ir::float_types);
  if (!is_enumerator(desc.interpolation)) return no_enumerator("interpolation", desc.interpolation);
  if (!is_enumerator(desc.coordinates)) return no_enumerator("coordinates", desc.coordinates);
  if (!is_enumerator(desc.rounding)) return no_enumerator("rounding", desc.rounding);
  if (desc.antialias && desc.interpolation == Interpolation::nearest) return "antialias is for linear and cubic, not nearest";
  if (!std::isfinite(desc.cubic_a)) return cat("cubic_a is ", desc.cubic_a, ", not a finite number");
  if (axes < 1 || axes > 3) return cat("extents or scales of ", axes, " axes; 1, 2 or 3 are possible");
  if (!desc.size.empty() && !desc.scale.empty() && desc.size.size() != desc.scale.size())
    return cat(desc.size.size(), " extents and ", desc.scale.size(), " scales");
  if (shape.rank() < static_cast<int>(axes)) return cat("x ", to_string(shape), " has no ", axes, " axes");
  for (std::size_t i = 0; i < axes; ++i) {
    const int axis = shape.rank() - static_cast<int>(axes) + static_cast<int>(i);
    if (shape[axis] == 0) return cat("axis ", axis, " of x ", to_string(shape), " is empty");
    if (shape[axis] > 1 << 30) return cat("axis ", axis, " of x ", to_string(shape), " has more than 2^30 pixels");
    if (!desc.size.empty() && (desc.size[i] < 0 || desc.size[i] > (1 << 30)))
      return cat("extent ", desc.size[i], " of axis ", axis, " is not in 0..2^30");
    if (!desc.scale.empty() && !(desc.scale[i] > 0 && desc.scale[i] * static_cast<double>(shape[axis]) <= 1 << 30))
      return cat("scale ", desc.scale[i], " of axis ", axis, " is not positive, or makes more than 2^30 pixels");
    if (!axis_of(shape, desc, i).agrees())
      return cat("extent ", desc.size[i], " of axis ", axis, " is not the ", shape[axis], " of x times scale ", desc.scale[i],
                 ", rounded down or to the nearest");
  }
  return {};
}

}  // namespace
}  // namespace ops

Tensor resize(Tensor x, const ResizeDesc& desc, CallSite site) {
  if (!x || x.graph()->error) return x;
  if (const std::string fault = ops::resize_fault(x, desc); !fault.empty()) return ops::refuse(x, site, "resize: ", fault);
  const std::size_t axes = std::max(desc.size.size(), desc.scale.size());
  std::vector<ops::AxisMap> maps;
  for (std::size_t i = 0; i < axes; ++i) {
    const ops::AxisMap& map = maps.emplace_back(ops::resize_map(ops::axis_of(x.shape(), desc, i), desc));
    for (std::size_t pixel = 1; pixel < map.first.size(); ++pixel)
      if (map.first[pixel] == map.first[pixel - 1])
        return ops::refuse(x, site, "resize: pixel ", pixel - 1, " of axis ", x.shape().rank() - static_cast<int>(axes) + static_cast<int>(i),
                           " stands where no pixel of x ", to_string(x.shape()), " weighs anything, and outside is excluded");
  }
  return ops::separable(x, std::move(maps), site);
}

}  // namespace fovea
