#pragma once
// Matrices of numbers by chance, and what an error says.

#include <fovea/linalg.hpp>

#include <doctest/doctest.h>

#include <initializer_list>
#include <random>
#include <string>

namespace fovea::test {

inline linalg::Matrix random(std::int64_t rows, std::int64_t columns, unsigned seed = 1) {
  std::mt19937 engine(seed);
  linalg::Matrix m{rows, columns, {}};
  for (std::int64_t i = 0; i < rows * columns; ++i) m.values.push_back(static_cast<double>(engine()) * 0x1p-31 - 1);
  return m;
}

template <class T>
void check_error(const Result<T>& result, std::initializer_list<const char*> texts) {
  CHECK_MESSAGE(!result, "accepted");
  if (result) return;
  CHECK(result.error().code == ErrorCode::invalid_argument);
  for (const char* text : texts)
    CHECK_MESSAGE(result.error().message.find(text) != std::string::npos, text, " is not in: ", result.error().message);
}

}  // namespace fovea::test
