#pragma once
// Integers that an ONNX graph makes of shapes and constants alone: they are known when the graph is built, and shapes,
// axes and the like are made of them.

#include "tests/conformance/corpus.hpp"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fovea::conformance {

struct Integers {
  Shape shape;
  std::vector<std::int64_t> values;
};

// The node's only result, of operands that are all known. Nothing where it is not of integers, or not worth knowing.
std::optional<Integers> fold_onnx(const OnnxNode& node, const std::vector<const Integers*>& in);

}  // namespace fovea::conformance
