#pragma once
// Walking several operands over one index space with as few axes as possible.

#include "ir/broadcast.hpp"

#include <span>
#include <vector>

namespace fovea::ops {

struct StridedWalk {
  std::vector<std::int64_t> extents;                // outermost first, at least one
  std::vector<std::vector<std::int64_t>> strides;   // [operand][axis], in elements
};

// Drops axes of extent 1 and merges neighbours that every operand walks evenly.
StridedWalk collapse(const Shape& shape, std::span<const ir::Strides> operands);

}  // namespace fovea::ops
