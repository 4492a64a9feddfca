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

// How far a result is from the expected one. Errors are in units of the bound: 1 is as far off as an element may be, and
// infinity where none could be (NaN for a number).
struct Comparison {
  // What is wrong, with the worst element: "[0,2]: got 1.5, expected 1.25, bound 1e-05 (3 of 24 outside)".
  std::optional<std::string> wrong{};
  double error = 0;      // of the worst element
  double mean = 0;       // over all
  double tile = 0;       // the largest mean over a block of 16 x 16 of the innermost two axes
  double magnitude = 0;  // largest |got - expected|
};

// Right when shape and kind agree and *every element* holds by itself: floats lie within the tolerance, infinities are
// equal and NaN only stands where NaN is expected; integers and booleans are equal. No mean decides anything: where each
// element is within its bound, so is the mean of every part.
Comparison compare(const io::StoredTensor& expected, const Value& got, Tolerance tolerance);

}  // namespace fovea::conformance
