#pragma once
// What every function of linalg does with its operands first.

#include "base/text.hpp"

#include <fovea/linalg.hpp>

namespace fovea::linalg {

template <class... Values>
Error wrong(const Values&... values) {
  return {ErrorCode::invalid_argument, cat(values...)};
}

// What is wrong with the operand `name` in itself; empty: nothing.
std::string fault_of(const char* name, const Matrix& matrix);

}  // namespace fovea::linalg
