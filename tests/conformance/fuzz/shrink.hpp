#pragma once
// The smallest graph that still fails.

#include "tests/conformance/fuzz/recipe.hpp"

#include <functional>

namespace fovea::conformance {

// Whether a graph fails in the way that is looked for.
using Fails = std::function<bool(const Recipe&)>;

struct Shrunk {
  Recipe recipe;
  int tried = 0;  // graphs that were run
};

// Takes away whatever the failure does without, until nothing can go: what comes after a wrong value and what leads to it,
// gradient and 16-bit storage, operands that may be absent, extents and axes, attributes, and the variety of values. Each step leaves a
// graph that Fovea takes and whose numbers are finite. Ends after `most` graphs at the latest.
Shrunk shrink(const Recipe& failing, const Fails& fails, int most = 1000);

}  // namespace fovea::conformance
