#pragma once
// Whether a result is the expected one.

#include "tests/conformance/corpus.hpp"
#include <fovea/tensor.hpp>

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace fovea::conformance {

// What a plan gave for an output.
struct Value {
  Shape shape;
  DType dtype = DType::f32;
  std::vector<std::byte> bytes;
};

// Nothing when `got` is `expected`: shape and kind agree; floats lie within the tolerance, infinities are equal and NaN
// only stands where NaN is expected; integers and booleans are equal. Else what is wrong, with the worst element:
// "[0,2]: got 1.5, expected 1.25, bound 1e-05 (3 of 24 outside)".
std::optional<std::string> compare(const io::StoredTensor& expected, const Value& got, Tolerance tolerance);

}  // namespace fovea::conformance
