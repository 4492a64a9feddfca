#include "base/half.hpp"
#include "tests/support/bfloat.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace fovea;

TEST_CASE("every finite half survives the way to float and back") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float value = float_from_half(half);
    if (std::isnan(value)) {
      CHECK(std::isnan(float_from_half(half_from_float(value))));
      continue;
    }
    REQUIRE(half_from_float(value) == half);
  }
}

TEST_CASE("floats round to the nearest half, ties to even") {
  CHECK(half_from_float(2049.0f) == half_from_float(2048.0f));  // halfway, even below
  CHECK(half_from_float(2051.0f) == half_from_float(2052.0f));  // halfway, even above
  CHECK(half_from_float(65519.0f) == 0x7bff);
  CHECK(half_from_float(65520.0f) == 0x7c00);  // halfway to what would be 65536: infinity
  CHECK(half_from_float(0x1p-25f) == 0);       // half the least subnormal: even is zero
  CHECK(half_from_float(0x1.8p-25f) == 1);
  CHECK(half_from_float(-0.0f) == 0x8000);
}

TEST_CASE("every bfloat has its value, and survives the way to float and back") {
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const auto bfloat = static_cast<std::uint16_t>(bits);
    const float value = float_from_bfloat(bfloat);
    if (std::isnan(value)) {
      REQUIRE(bfloat_from_float(value) == (bfloat | 0x40));
      continue;
    }
    if (!std::isinf(value)) REQUIRE(static_cast<double>(value) == test::value_of_bfloat(bits));
    REQUIRE(bfloat_from_float(value) == bfloat);
  }
}

TEST_CASE("floats round to the nearest bfloat, ties to even; NaN stays NaN, what is past the largest is infinity") {
  test::each_float_near_a_bfloat([](std::uint32_t word) {
    const float value = std::bit_cast<float>(word);
    REQUIRE_MESSAGE(bfloat_from_float(value) == test::nearest_bfloat(value), word);
  });
  CHECK(bfloat_from_float(1.0f + 0x1p-8f) == 0x3f80);
  CHECK(bfloat_from_float(0x1.ffp127f) == 0x7f80);
  CHECK(bfloat_from_float(0x1.fefffep127f) == 0x7f7f);
  CHECK(bfloat_from_float(0x1p-133f) == 1);
}
