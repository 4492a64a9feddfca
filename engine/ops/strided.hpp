#pragma once
// Walking several operands over one index space with as few axes as possible.

#include "ir/broadcast.hpp"

#include <cassert>
#include <cstdint>
#include <span>
#include <vector>

namespace fovea::ops {

struct StridedWalk {
  std::vector<std::int64_t> extents;                // outermost first, at least one
  std::vector<std::vector<std::int64_t>> strides;   // [operand][axis], in elements
};

// Drops axes of extent 1 and merges neighbours that every operand walks evenly.
StridedWalk collapse(const Shape& shape, std::span<const ir::Strides> operands);

// A divisor with the multiplier and the shift by which shaders/lib/divide.glsl divides any n < 2^31.
struct Divisor {
  std::uint32_t value, multiplier, shift;
};
Divisor divisor(std::int64_t value);

// Fills an array of push constants from its beginning.
class PushWords {
 public:
  explicit PushWords(std::span<std::uint32_t> words) : words_(words) {}

  void put(std::int64_t value) {
    assert(used_ < words_.size());
    words_[used_++] = static_cast<std::uint32_t>(value);
  }
  void put_divisor(std::int64_t value, std::uint32_t divisor_words);
  // DIVISOR_WORDS of a kernel: 3 where that many divisors and other words fit in the array so, else 1.
  std::uint32_t divisor_words(std::size_t divisors, std::size_t others) const {
    return 3 * divisors + others <= words_.size() ? 3 : 1;
  }

 private:
  std::span<std::uint32_t> words_;
  std::size_t used_ = 0;
};

}  // namespace fovea::ops
