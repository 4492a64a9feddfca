#include "linalg/matrix.hpp"

#include <cmath>

namespace fovea::linalg {

Matrix matrix(std::int64_t rows, std::int64_t columns, std::span<const float> values) {
  return {rows, columns, {values.begin(), values.end()}};
}
Matrix matrix(std::int64_t rows, std::int64_t columns, std::span<const double> values) {
  return {rows, columns, {values.begin(), values.end()}};
}

std::string fault_of(const char* name, const Matrix& matrix) {
  const auto& [rows, columns, values] = matrix;
  if (rows < 1 || columns < 1 || rows > (std::int64_t{1} << 31) || columns > (std::int64_t{1} << 31))
    return cat(name, " is of ", rows, " rows and ", columns, " columns");
  if (rows * columns != static_cast<std::int64_t>(values.size()))
    return cat(name, " has ", values.size(), " values, not ", rows, " x ", columns);
  for (std::size_t at = 0; at < values.size(); ++at)
    if (!std::isfinite(values[at]))
      return cat(name, " is ", values[at], " in row ", static_cast<std::int64_t>(at) / columns, ", column ",
                 static_cast<std::int64_t>(at) % columns);
  return {};
}

}  // namespace fovea::linalg
