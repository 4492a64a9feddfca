#include "ops/strided.hpp"

#include <doctest/doctest.h>

#include <random>

namespace fovea::ops {
namespace {

// As shaders/lib/divide.glsl does it.
std::uint32_t quotient(std::uint32_t n, const Divisor& d) {
  const auto high = static_cast<std::uint32_t>((std::uint64_t{n} * d.multiplier) >> 32);
  return (high + n) >> d.shift;
}

std::int64_t wrong_quotients(std::uint32_t d, std::mt19937& random) {
  constexpr std::uint32_t last = 0x7fffffff;
  const Divisor divisor_of_d = divisor(d);
  std::int64_t wrong = 0;
  const auto compare = [&](std::uint32_t n) { wrong += n <= last && quotient(n, divisor_of_d) != n / d; };
  for (std::uint32_t n : {0u, 1u, d - 1, d, d + 1, last / d * d - 1, last / d * d, last - 1, last}) compare(n);
  for (int i = 0; i < 40; ++i) {
    const std::uint32_t multiple = static_cast<std::uint32_t>(random() & last) / d * d;
    for (std::uint32_t n : {multiple - 1, multiple, multiple + 1}) compare(n);
  }
  return wrong;
}

}  // namespace

TEST_CASE("a multiplication and a shift divide every number below 2^31") {
  std::mt19937 random(1);
  std::int64_t wrong = 0;
  for (std::uint32_t d = 1; d <= 5000; ++d) wrong += wrong_quotients(d, random);
  for (std::uint32_t shift = 1; shift <= 31; ++shift)
    for (std::uint32_t d : {(1u << shift) - 1, 1u << shift, (1u << shift) + 1})
      if (d <= 0x7fffffff) wrong += wrong_quotients(d, random);
  for (int i = 0; i < 5000; ++i)
    wrong += wrong_quotients(static_cast<std::uint32_t>(random() & 0x7fffffff) | 1u, random);
  CHECK(wrong == 0);
}

TEST_CASE("divisors take a multiplier and a shift where they fit") {
  std::array<std::uint32_t, 7> words{};
  CHECK(PushWords(words).divisor_words(2, 1) == 3);
  CHECK(PushWords(words).divisor_words(2, 2) == 1);
  PushWords writer(words);
  writer.put_divisor(7, 3);
  writer.put_divisor(9, 1);
  writer.put(-2);
  CHECK(words == std::array<std::uint32_t, 7>{7, divisor(7).multiplier, 3, 9, 0xfffffffe, 0, 0});
}

TEST_CASE("a walk drops axes of one and merges what every operand walks evenly") {
  const ir::Strides dense = ir::strides_of({2, 1, 3, 4}), broadcast = ir::broadcast_strides({3, 1}, {2, 1, 3, 4});
  const ir::Strides alone[] = {dense}, both[] = {dense, broadcast};
  CHECK(collapse({2, 1, 3, 4}, alone).extents == std::vector<std::int64_t>{24});
  const StridedWalk walk = collapse({2, 1, 3, 4}, both);
  CHECK(walk.extents == std::vector<std::int64_t>{2, 3, 4});
  CHECK(walk.strides[0] == std::vector<std::int64_t>{12, 4, 1});
  CHECK(walk.strides[1] == std::vector<std::int64_t>{0, 1, 0});
  CHECK(collapse({}, alone).extents == std::vector<std::int64_t>{1});
}

}  // namespace fovea::ops
