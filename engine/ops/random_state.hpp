#pragma once
// The state of random numbers (ops/random.hpp): a tensor of six words.

#include "base/text.hpp"
#include "ir/graph.hpp"

namespace fovea::ops {

// "state is i32[4], not i32[6]"; empty where it is one.
inline std::string state_fault(const Shape& shape, DType dtype) {
  if (dtype == DType::i32 && shape == Shape{6}) return {};
  return cat("state is ", to_string(dtype), to_string(shape), ", not i32[6]");
}

}  // namespace fovea::ops
