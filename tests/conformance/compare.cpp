#include "tests/conformance/compare.hpp"

#include <fmt/format.h>

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

// How many times its bound an element is off; 0 when it is right, infinity when no bound could hold.
double excess(float got, float expected, double bound) {
  if (got == expected || (std::isnan(got) && std::isnan(expected))) return 0;
  if (!std::isfinite(got) || !std::isfinite(expected)) return std::numeric_limits<double>::infinity();
  const double off = std::abs(static_cast<double>(got) - static_cast<double>(expected));
  if (off <= bound) return 0;
  return bound > 0 ? off / bound : std::numeric_limits<double>::infinity();
}

std::optional<std::string> compare_floats(const io::StoredTensor& expected, const Value& got, Tolerance tolerance) {
  const std::vector<float> wanted = io::to_f32(expected), values = elements_of<float>(got);
  const auto bound_at = [&](std::size_t i) {
    return tolerance.absolute + tolerance.relative * std::abs(static_cast<double>(wanted[i]));
  };
  std::size_t outside = 0, worst = 0;
  double worst_excess = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const double by = excess(values[i], wanted[i], bound_at(i));
    outside += by > 0;
    if (by > worst_excess) worst = i, worst_excess = by;
  }
  if (outside == 0) return std::nullopt;
  return fmt::format("{}: got {}, expected {}, bound {:.3g} ({} of {} outside)", index_text(worst, got.shape),
                     values[worst], wanted[worst], bound_at(worst), outside, wanted.size());
}

std::optional<std::string> compare_integers(const io::StoredTensor& expected, const Value& got) {
  const Result<std::vector<std::int32_t>> wanted = io::to_i32(expected);
  if (!wanted) return ": " + wanted.error().message;
  const std::vector<std::int32_t> values = elements_of<std::int32_t>(got);
  std::size_t different = 0, first = 0;
  for (std::size_t i = wanted->size(); i-- > 0;) {
    if (values[i] == (*wanted)[i]) continue;
    ++different;
    first = i;
  }
  if (different == 0) return std::nullopt;
  return fmt::format("{}: got {}, expected {} exactly ({} of {} differ)", index_text(first, got.shape), values[first],
                     (*wanted)[first], different, values.size());
}

}  // namespace

std::optional<std::string> compare(const io::StoredTensor& expected, const Value& got, Tolerance tolerance) {
  if (got.shape != expected.shape) {
    return fmt::format(": got shape {}, expected {}", to_string(got.shape), to_string(expected.shape));
  }
  const bool floats = is_floating(expected.type);
  const bool same_kind = floats                                      ? got.dtype == DType::f32
                         : expected.type == io::ElementType::boolean ? got.dtype == DType::boolean
                                                                     : got.dtype == DType::i32;
  if (!same_kind) return fmt::format(": got {}, expected {}", to_string(got.dtype), io::to_string(expected.type));
  const auto elements = static_cast<std::size_t>(expected.shape.elements());
  if (got.bytes.size() != elements * size_of(got.dtype)) {
    return fmt::format(": got {} bytes for {} elements", got.bytes.size(), elements);
  }
  return floats ? compare_floats(expected, got, tolerance) : compare_integers(expected, got);
}

}  // namespace fovea::conformance
