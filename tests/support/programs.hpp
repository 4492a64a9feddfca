#pragma once
// Programs made by hand, for the tests of vk and run: no operator and no compiler stands behind them.

#include "compile/program.hpp"
#include "engine/api/internal.hpp"

#include <span>
#include <vector>

namespace fovea::test {

std::uint64_t bytes_of(std::int64_t n);  // of n floats, at least one
compile::BufferRange external_range(std::uint32_t index, std::int64_t n);
compile::BufferRange arena_range(std::uint64_t offset, std::int64_t n);

// out[i] = weight * (a[i] + b[i]) + bias
compile::Dispatch weighted_sum(std::int64_t n, std::uint32_t weight, float bias, compile::BufferRange a,
                               compile::BufferRange b, compile::BufferRange out);

// t = 2 (a + b) + 1 in the arena, then y = 3 (t + b): the second dispatch reads what the first wrote.
compile::Program two_sums(std::int64_t n);
// The same with `a` zeros, a constant of the program.
compile::Program two_sums_of_zeros(std::int64_t n);
inline float two_sums_of(float a, float b) {
  return 3 * (2 * (a + b) + 1 + b);
}

// Small whole numbers: every sum of them is exact.
std::vector<float> numbers(std::int64_t n, std::uint32_t seed);
std::vector<float> floats(std::span<const std::byte> bytes);

}  // namespace fovea::test
