#pragma once
// Philox in 64-bit arithmetic, and the numbers of random.hpp made of it.

#include "tests/support/array.hpp"

#include <array>
#include <cstdint>

namespace fovea::test {

// Salmon et al. 2011, figure 2.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> c, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c[0], b = std::uint64_t{0xCD9E8D57} * c[2];
    const auto high = [](std::uint64_t product) { return static_cast<std::uint32_t>(product >> 32); };
    c = {high(b) ^ c[1] ^ key[0], static_cast<std::uint32_t>(b), high(a) ^ c[3] ^ key[1], static_cast<std::uint32_t>(a)};
    key = {key[0] + 0x9E3779B9u, key[1] + 0xBB67AE85u};
  }
  return c;
}

// Word i of the draw; the state as whole numbers.
template <class T>
std::uint32_t word(const Array<T>& state, std::int64_t stream, std::int64_t i) {
  const auto part = [&](std::int64_t k) { return static_cast<std::uint32_t>(static_cast<std::int64_t>(state[k])); };
  const auto group = static_cast<std::uint32_t>(i / 4), lane = static_cast<std::uint32_t>(stream);
  return philox({part(2) + group, part(3) + lane, part(4), part(5)}, {part(0), part(1)})[static_cast<std::size_t>(i % 4)];
}
inline double uniform_of(std::uint32_t r) { return ((r >> 9) + 0.5) / 8388608; }

}  // namespace fovea::test
