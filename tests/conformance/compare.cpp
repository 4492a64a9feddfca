#include "tests/conformance/compare.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace fovea::conformance {
namespace {

bool is_floating(io::ElementType type) {
  return type == io::ElementType::f32 || type == io::ElementType::f16 || type == io::ElementType::bf16 ||
         type == io::ElementType::f64;
}

template <class T>
std::vector<T> elements_of(const Value& value) {
  std::vector<T> elements(value.bytes.size() / sizeof(T));
  if (!elements.empty()) std::memcpy(elements.data(), value.bytes.data(), elements.size() * sizeof(T));
  return elements;
}

std::string index_text(std::size_t flat, const Shape& shape) {
  std::string text;
  auto rest = static_cast<std::int64_t>(flat);
  for (int axis = shape.rank() - 1; axis >= 0; --axis) {
    text = fmt::format("{}{}{}", rest % shape[axis], text.empty() ? "" : ",", text);
    rest /= shape[axis];
  }
  return "[" + text + "]";
}

constexpr double infinity = std::numeric_limits<double>::infinity();

// The distance of an element in units of its bound.
double units(float got, float expected, double bound) {
  if (got == expected || (std::isnan(got) && std::isnan(expected))) return 0;
  if (!std::isfinite(got) || !std::isfinite(expected)) return infinity;
  const double off = std::abs(static_cast<double>(got) - static_cast<double>(expected));
  if (bound <= 0) return infinity;
  return off > bound ? std::max(off / bound, std::nextafter(1.0, 2.0)) : off / bound;  // the quotient may round to 1
}

// The largest mean over the blocks of the innermost two axes: where an error keeps to a tile, this tells.
double worst_tile(const std::vector<double>& errors, const Shape& shape) {
  constexpr std::int64_t side = 16;
  if (errors.empty()) return 0;
  const std::int64_t columns = shape.rank() > 0 ? shape.at(-1) : 1, rows = shape.rank() > 1 ? shape.at(-2) : 1;
  const auto at = [&](std::int64_t i) { return errors[static_cast<std::size_t>(i)]; };
  double worst = 0;
  for (std::int64_t plane = 0; plane < static_cast<std::int64_t>(errors.size()); plane += rows * columns) {
    for (std::int64_t y = 0; y < rows; y += side) {
      for (std::int64_t x = 0; x < columns; x += side) {
        const std::int64_t bottom = std::min(y + side, rows), right = std::min(x + side, columns);
        double sum = 0;
        for (std::int64_t i = y; i < bottom; ++i)
          for (std::int64_t j = x; j < right; ++j) sum += at(plane + i * columns + j);
        worst = std::max(worst, sum / static_cast<double>((bottom - y) * (right - x)));
      }
    }
  }
  return worst;
}

Comparison compare_floats(const io::StoredTensor& expected, const Value& got, Tolerance tolerance) {
  const std::vector<float> wanted = io::to_f32(expected), values = elements_of<float>(got);
  const auto bound_at = [&](std::size_t i) {
    return tolerance.absolute + tolerance.relative * std::abs(static_cast<double>(wanted[i]));
  };
  Comparison result;
  std::vector<double> errors(wanted.size());
  std::size_t outside = 0, worst = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    errors[i] = units(values[i], wanted[i], bound_at(i));
    outside += errors[i] > 1;
    result.mean += errors[i] / static_cast<double>(wanted.size());
    if (errors[i] > result.error) worst = i, result.error = errors[i];
    const double off = std::abs(static_cast<double>(values[i]) - static_cast<double>(wanted[i]));
    if (errors[i] > 0) result.magnitude = std::max(result.magnitude, std::isnan(off) ? infinity : off);
  }
  result.tile = worst_tile(errors, got.shape);
  if (outside == 0) return result;
  result.wrong = fmt::format("{}: got {}, expected {}, bound {:.3g} ({} of {} outside)", index_text(worst, got.shape),
                             values[worst], wanted[worst], bound_at(worst), outside, wanted.size());
  return result;
}

Comparison refused(std::string why) {
  return {.wrong = std::move(why), .error = infinity, .mean = infinity, .tile = infinity, .magnitude = infinity};
}

Comparison compare_integers(const io::StoredTensor& expected, const Value& got) {
  const Result<std::vector<std::int32_t>> wanted = io::to_i32(expected);
  if (!wanted) return refused(": " + wanted.error().message);
  const std::vector<std::int32_t> values = elements_of<std::int32_t>(got);
  std::size_t different = 0, first = 0;
  for (std::size_t i = wanted->size(); i-- > 0;) {
    if (values[i] == (*wanted)[i]) continue;
    ++different;
    first = i;
  }
  if (different == 0) return {};
  return refused(fmt::format("{}: got {}, expected {} exactly ({} of {} differ)", index_text(first, got.shape),
                             values[first], (*wanted)[first], different, values.size()));
}

}  // namespace

Comparison compare(const io::StoredTensor& expected, const Value& got, Tolerance tolerance) {
  if (got.shape != expected.shape) {
    return refused(fmt::format(": got shape {}, expected {}", to_string(got.shape), to_string(expected.shape)));
  }
  const bool floats = is_floating(expected.type);
  const bool same_kind = floats                                      ? got.dtype == DType::f32
                         : expected.type == io::ElementType::boolean ? got.dtype == DType::boolean
                                                                     : got.dtype == DType::i32;
  if (!same_kind)
    return refused(fmt::format(": got {}, expected {}", to_string(got.dtype), io::to_string(expected.type)));
  const auto elements = static_cast<std::size_t>(expected.shape.elements());
  if (got.bytes.size() != elements * size_of(got.dtype)) {
    return refused(fmt::format(": got {} bytes for {} elements", got.bytes.size(), elements));
  }
  return floats ? compare_floats(expected, got, tolerance) : compare_integers(expected, got);
}

}  // namespace fovea::conformance
