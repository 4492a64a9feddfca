#pragma once
// bf16 by its definition, for tests: the nearest of the two neighbours, compared in double.

#include <bit>
#include <cmath>
#include <cstdint>

namespace fovea::test {

// The value of a pattern that is no NaN; of infinity's, 2^128, which is where it would stand if exponents went on.
inline double value_of_bfloat(std::uint32_t pattern) {
  const std::uint32_t exponent = pattern >> 7 & 0xff, fraction = pattern & 0x7f;
  const double magnitude = exponent == 0 ? std::ldexp(fraction, -133) : std::ldexp(128 + fraction, static_cast<int>(exponent) - 134);
  return (pattern & 0x8000) != 0 ? -magnitude : magnitude;
}

// What an f32 becomes: of a NaN its upper half, quiet; of a tie the pattern that is even.
inline std::uint16_t nearest_bfloat(float x) {
  const std::uint32_t toward_zero = std::bit_cast<std::uint32_t>(x) >> 16;
  if (std::isnan(x)) return static_cast<std::uint16_t>(toward_zero | 0x40);
  if (std::isinf(x)) return static_cast<std::uint16_t>(toward_zero);
  const double below = std::abs(static_cast<double>(x) - value_of_bfloat(toward_zero));
  const double above = std::abs(static_cast<double>(x) - value_of_bfloat(toward_zero + 1));
  const bool away = above < below || (above == below && toward_zero % 2 == 1);
  return static_cast<std::uint16_t>(toward_zero + (away ? 1 : 0));
}

// Each pattern of the upper half with lower halves on both sides of a tie, on it, and at the ends: 393,216 words.
template <class Visit>
void each_float_near_a_bfloat(const Visit& visit) {
  for (std::uint32_t upper = 0; upper < 0x10000; ++upper)
    for (const std::uint32_t lower : {0x0000u, 0x0001u, 0x7fffu, 0x8000u, 0x8001u, 0xffffu}) visit(upper << 16 | lower);
}

}  // namespace fovea::test
