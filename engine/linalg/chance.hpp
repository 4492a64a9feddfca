#pragma once
// Chance that is the same with every standard library: its engines are specified to the bit, its distributions are not.

#include <cstdint>
#include <random>

namespace fovea::linalg {

// In [0, 1).
inline double uniform(std::mt19937_64& chance) { return static_cast<double>(chance() >> 11) * 0x1p-53; }
// In 0..count-1.
inline std::int64_t below(std::int64_t count, std::mt19937_64& chance) {
  return static_cast<std::int64_t>(chance() % static_cast<std::uint64_t>(count));
}

}  // namespace fovea::linalg
