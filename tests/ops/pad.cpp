#include "tests/support/check.hpp"

#include <cmath>

namespace fovea::test {
namespace {

// One axis at a time, outermost first: crop, then write every element of the padded axis by its meaning.
template <class T>
Array<T> padded_axis(const Array<T>& x, std::size_t axis, std::int64_t before, std::int64_t after, PadMode mode,
                     T value) {
  const int a = static_cast<int>(axis);
  const std::int64_t first = before < 0 ? -before : 0, last = x.shape[a] - 1 - (after < 0 ? -after : 0);
  Shape shape = x.shape;
  shape[a] += before + after;
  Array<T> y(shape);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    auto index = unflatten(i, shape);
    std::int64_t at = index[axis] - before;
    if (mode == PadMode::constant && (at < first || at > last)) {
      y[i] = value;
      continue;
    }
    while (at < first || at > last) {
      if (mode == PadMode::replicate) at = at < first ? first : last;
      if (mode == PadMode::reflect) at = at < first ? 2 * first - at : 2 * last - at;
      if (mode == PadMode::circular) at += (at < first ? 1 : -1) * (last - first + 1);
    }
    index[axis] = at;
    y[i] = x[broadcast_offset(index, x.shape)];
  }
  return y;
}

void check_pad(const Operand& x, const PadDesc& desc) {
  INFO(to_string(x.array.shape), " mode ", std::string(to_string(desc.mode)));
  check(
      "pad", {x}, [&](Graph&, const auto& in) { return std::vector{pad(in[0], desc)}; },
      [&](const auto& in) {
        auto y = in[0];
        const auto skip = static_cast<std::size_t>(y.shape.rank()) - desc.amounts.size();
        for (std::size_t k = 0; k < desc.amounts.size(); ++k)
          y = padded_axis(y, skip + k, desc.amounts[k][0], desc.amounts[k][1], desc.mode,
                          static_cast<std::decay_t<decltype(y[0])>>(desc.value));
        return std::vector{y};
      },
      {.exact = true, .gradient = x.dtype == DType::f32 && x.array.size() <= 70 && std::isfinite(desc.value)});
}

constexpr PadMode modes[] = {PadMode::constant, PadMode::reflect, PadMode::replicate, PadMode::circular};

}  // namespace

TEST_CASE("pad: every mode on one, two and three axes at once") {
  for (PadMode mode : modes) {
    check_pad(random({2, 3, 7}), {.amounts = {{2, 5}}, .mode = mode, .value = 0.5f});
    check_pad(random({1, 2, 5, 4}), {.amounts = {{1, 3}, {2, 1}}, .mode = mode, .value = -2});
    check_pad(random({2, 3, 4, 5}), {.amounts = {{2, 0}, {0, 3}, {1, 1}}, .mode = mode});
    check_pad(random({3, 4, 5}), {.amounts = {{1, 2}, {0, 0}, {0, 0}}, .mode = mode, .value = 7});
  }
}

TEST_CASE("pad: negative amounts crop first") {
  for (PadMode mode : modes) {
    check_pad(random({3, 9}), {.amounts = {{-2, -3}}, .mode = mode});
    check_pad(random({5, 9}), {.amounts = {{-1, 2}, {3, -4}}, .mode = mode, .value = 1});
    check_pad(random({4, 5, 6}), {.amounts = {{-1, 0}, {0, 0}, {-2, 1}}, .mode = mode});
    check_pad(random({4, 3, 6}), {.amounts = {{1, 0}, {-1, -1}, {0, 0}}, .mode = mode});
  }
  check_pad(random({3, 4}), {.amounts = {{-1, -3}}, .mode = PadMode::constant});  // nothing left
  check_pad(random({4, 5}), {.amounts = {{-1, -3}, {2, 0}}, .mode = PadMode::reflect});
}

TEST_CASE("pad: the largest reflection, several turns of a circle, an axis of one") {
  check_pad(random({2, 6}), {.amounts = {{5, 5}}, .mode = PadMode::reflect});
  check_pad(random({2, 3}), {.amounts = {{10, 11}}, .mode = PadMode::circular});
  check_pad(random({4, 1}), {.amounts = {{3, 2}}, .mode = PadMode::circular});
  check_pad(random({4, 1}), {.amounts = {{3, 2}}, .mode = PadMode::replicate});
  check_pad(random({1, 300}), {.amounts = {{200, 129}}, .mode = PadMode::reflect});
}

TEST_CASE("pad: no amounts, scalars, empty axes, eight axes") {
  for (PadMode mode : modes) {
    check_pad(random({3, 5}), {.amounts = {}, .mode = mode});
    check_pad(random({}), {.amounts = {}, .mode = mode});
    check_pad(random({0, 3}), {.amounts = {{1, 1}}, .mode = mode});
    check_pad(random({2, 2, 2, 3, 2, 2, 2, 2}),
              {.amounts = {{1, 0}, {0, 1}, {1, 0}, {-1, 1}, {0, 1}, {1, 0}, {0, 1}, {1, 1}}, .mode = mode, .value = 3});
  }
  check_pad(random({3, 0}), {.amounts = {{1, 2}}, .value = 4});
}

TEST_CASE("pad: infinite and NaN constants, integers and booleans") {
  check_pad(random({2, 3}), {.amounts = {{1, 1}}, .value = -std::numeric_limits<float>::infinity()});
  check_pad(random({2, 3}), {.amounts = {{1, 1}}, .value = std::numeric_limits<float>::quiet_NaN()});
  check_pad(random_i32({2, 5}, -2'000'000'000, 2'000'000'000), {.amounts = {{1, 3}}, .value = -7});
  check_pad(random_i32({2, 5}, -2'000'000'000, 2'000'000'000), {.amounts = {{1, 3}}, .mode = PadMode::reflect});
  check(
      "pad", {values({1}, {5}, DType::i32)},  // a constant saturates, as in cast
      [](Graph&, const auto& in) {
        return std::vector{pad(in[0], {.amounts = {{1, 0}}, .value = -3e9f})};
      },
      [](const auto& in) {
        return std::vector{std::decay_t<decltype(in[0])>({2}, {-0x1p31f, 5})};
      },
      {.exact = true});
  check_pad(random_boolean({2, 5}), {.amounts = {{1, 3}}, .value = 1});
  check_pad(random_boolean({2, 5}), {.amounts = {{1, 3}}, .mode = PadMode::circular});
}

TEST_CASE("pad: errors name the axis and the amounts") {
  const auto with = [](Shape shape, PadDesc desc) { return [=](Graph& graph) { pad(graph.input("x", shape), desc); }; };
  check_error(with({5}, {.amounts = {{1, 1}, {1, 1}}}), {"pad", "amounts for 2 axes", "[5] has 1", "pad.cpp"});
  check_error(with({3, 5}, {.amounts = {{-3, -3}}}), {"pad", "crops 6 elements of axis 1", "has 5"});
  check_error(with({3, 5}, {.amounts = {{0, 5}}, .mode = PadMode::reflect}),
              {"pad", "reflects 5 elements at axis 1", "has 5", "at most 4"});
  check_error(with({3, 5}, {.amounts = {{-2, 3}}, .mode = PadMode::reflect}),
              {"pad", "reflects 3 elements", "has 3", "at most 2"});
  check_error(with({3, 0}, {.amounts = {{1, 0}}, .mode = PadMode::reflect}),
              {"pad", "reflects 1", "has 0", "at most 0"});
  check_error(with({3, 0}, {.amounts = {{1, 0}}, .mode = PadMode::replicate}), {"pad", "axis 1 is empty"});
  check_error(with({0, 5}, {.amounts = {{1, 0}, {0, 0}}, .mode = PadMode::circular}), {"pad", "axis 0 is empty"});
  check_error(with({5}, {.amounts = {{std::int64_t{1} << 40, 0}}}), {"pad", "amount 1099511627776 is out of range"});
}

}  // namespace fovea::test
