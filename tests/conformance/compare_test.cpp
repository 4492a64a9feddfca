// A comparison that lets a wrong value pass would make every other test of the corpus worthless.

#include "tests/conformance/compare.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <limits>

using namespace fovea;
using namespace fovea::conformance;
using io::ElementType;

namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
constexpr Tolerance tolerance{1e-5, 1e-4};

template <class T>
io::StoredTensor expected(ElementType type, Shape shape, const std::vector<T>& values) {
  return {"out.y", type, shape, std::as_bytes(std::span(values))};
}

template <class T>
Value got(DType dtype, Shape shape, const std::vector<T>& values) {
  const auto bytes = std::as_bytes(std::span(values));
  return {shape, dtype, {bytes.begin(), bytes.end()}};
}

std::optional<std::string> wrong(const io::StoredTensor& expected, const Value& got, Tolerance bound) {
  return compare(expected, got, bound).wrong;
}

std::optional<std::string> compare_floats(const std::vector<float>& want, const std::vector<float>& have) {
  const Shape shape{static_cast<std::int64_t>(want.size())};
  return wrong(expected(ElementType::f32, shape, want), got(DType::f32, shape, have), tolerance);
}

bool contains(const std::optional<std::string>& text, const char* part) {
  return text.has_value() && text->find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("equal values pass, and so do those within the bound") {
  CHECK_FALSE(compare_floats({0, 1, -2}, {0, 1, -2}));
  CHECK_FALSE(compare_floats({0}, {0.9e-5f}));      // absolute
  CHECK_FALSE(compare_floats({1000}, {1000.09f}));  // relative to the expected value
  CHECK_FALSE(compare_floats({0.0f}, {-0.0f}));
}

TEST_CASE("a value outside the bound fails, and the worst is named with index, values and bound") {
  CHECK(compare_floats({0}, {1.1e-5f}));
  CHECK(compare_floats({1000}, {1000.2f}));
  const Shape shape{2, 3};
  const std::vector<float> want{0, 0, 0, 0, 0, 1.25f}, have{0, 1e-3f, 0, 0, 0, 1.5f};
  const auto found = wrong(expected(ElementType::f32, shape, want), got(DType::f32, shape, have), tolerance);
  REQUIRE(found);
  CHECK(*found == "[1,2]: got 1.5, expected 1.25, bound 0.000135 (2 of 6 outside)");
}

TEST_CASE("the worst is judged by its own bound, not by the largest difference") {
  CHECK(contains(compare_floats({1e6f, 0}, {1e6f + 150, 1}), "[1]: got 1, expected 0"));
}

TEST_CASE("NaN never passes for a number, nor a number for NaN") {
  CHECK(contains(compare_floats({0, 1}, {0, NAN}), "[1]: got nan, expected 1"));
  CHECK(compare_floats({NAN}, {0}));
  CHECK(compare_floats({infinity}, {NAN}));
  CHECK_FALSE(compare_floats({NAN}, {NAN}));
}

TEST_CASE("infinities must match, with their sign") {
  CHECK_FALSE(compare_floats({infinity, -infinity}, {infinity, -infinity}));
  CHECK(compare_floats({infinity}, {-infinity}));
  CHECK(compare_floats({infinity}, {3e38f}));  // the bound itself is infinite here
  CHECK(compare_floats({1}, {infinity}));
}

TEST_CASE("a bound of zero asks for the same value") {
  const std::vector<float> want{1}, have{1.0000001f};
  CHECK(wrong(expected(ElementType::f32, {1}, want), got(DType::f32, {1}, have), {0, 0}));
  CHECK_FALSE(wrong(expected(ElementType::f32, {1}, want), got(DType::f32, {1}, want), {0, 0}));
}

TEST_CASE("integers and booleans must be equal, whatever the tolerance") {
  const std::vector<std::int64_t> want{3, -1, 7};
  const std::vector<std::int32_t> same{3, -1, 7}, other{3, 0, 8};
  const auto stored = expected(ElementType::i64, {3}, want);
  CHECK_FALSE(wrong(stored, got(DType::i32, {3}, same), {10, 10}));
  const auto found = wrong(stored, got(DType::i32, {3}, other), {10, 10});
  REQUIRE(found);
  CHECK(*found == "[1]: got 0, expected -1 exactly (2 of 3 differ)");
  const std::vector<std::uint8_t> flags{1, 0};
  const auto stored_flags = expected(ElementType::boolean, {2}, flags);
  CHECK_FALSE(wrong(stored_flags, got(DType::boolean, {2}, std::vector<std::int32_t>{1, 0}), {}));
  CHECK(wrong(stored_flags, got(DType::boolean, {2}, std::vector<std::int32_t>{1, 1}), {}));
}

TEST_CASE("another shape, kind or size fails before any value is looked at") {
  const std::vector<float> values{1, 2};
  const auto stored = expected(ElementType::f32, {2, 1}, values);
  CHECK(contains(wrong(stored, got(DType::f32, {1, 2}, values), tolerance), "got shape [1,2], expected [2,1]"));
  CHECK(contains(wrong(stored, got(DType::i32, {2, 1}, values), tolerance), "got i32, expected F32"));
  CHECK(contains(wrong(stored, got(DType::f32, {2, 1}, std::vector<float>{1}), tolerance), "got 4 bytes"));
}

TEST_CASE("scalars and empty tensors are compared too") {
  const std::vector<float> one{1}, two{2}, none;
  CHECK_FALSE(wrong(expected(ElementType::f32, {}, one), got(DType::f32, {}, one), tolerance));
  CHECK(contains(wrong(expected(ElementType::f32, {}, one), got(DType::f32, {}, two), tolerance), "[]: got 2"));
  CHECK_FALSE(wrong(expected(ElementType::f32, {3, 0}, none), got(DType::f32, {3, 0}, none), tolerance));
}

TEST_CASE("the error is told in units of the bound: of the worst element, in the mean, and of the worst tile") {
  std::vector<float> want(40 * 40, 0), have(40 * 40, 0);
  for (std::size_t y = 32; y < 40; ++y)
    for (std::size_t x = 0; x < 16; ++x) have[y * 40 + x] = 2.5e-6f;  // a quarter of the bound, in the last row of tiles
  have[0] = -5e-6f;
  const Comparison result =
      compare(expected(ElementType::f32, {40, 40}, want), got(DType::f32, {40, 40}, have), tolerance);
  CHECK_FALSE(result.wrong);
  CHECK(result.error == doctest::Approx(0.5));
  CHECK(result.tile == doctest::Approx(0.25));  // 8 x 16 elements of it exist
  CHECK(result.mean == doctest::Approx((128 * 0.25 + 0.5) / 1600));
  CHECK(result.magnitude == doctest::Approx(5e-6));
}

TEST_CASE("one wrong element among many fails, however small it makes the mean") {
  std::vector<float> want(10000, 1), have(10000, 1);
  have[4321] = 1.01f;
  const Comparison result =
      compare(expected(ElementType::f32, {100, 100}, want), got(DType::f32, {100, 100}, have), tolerance);
  CHECK(result.mean < 0.01);
  CHECK(result.error == doctest::Approx(0.01 / 1.1e-4).epsilon(1e-3));
  CHECK(contains(result.wrong, "[43,21]: got 1.01"));
}

TEST_CASE("NaN, and another shape, are infinitely far off") {
  const Comparison result = compare(expected(ElementType::f32, {2}, std::vector<float>{1, 2}),
                                    got(DType::f32, {2}, std::vector<float>{1, NAN}), tolerance);
  CHECK(std::isinf(result.error));
  CHECK(std::isinf(result.magnitude));
  CHECK(std::isinf(compare(expected(ElementType::f32, {1}, std::vector<float>{1}),
                           got(DType::f32, {1, 1}, std::vector<float>{1}), tolerance).error));
}
