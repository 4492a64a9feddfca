#include "tests/support/check.hpp"

namespace fovea::test {

TEST_CASE("flip: no axis, one, several") {
  for (const std::vector<std::int64_t>& axes : std::vector<std::vector<std::int64_t>>{{}, {0}, {-1}, {0, 2}, {0, 1, 2}})
    check(
        axes.empty() ? "reshape" : "slice", {random({3, 4, 5})},
        [&](Graph&, const auto& in) { return std::vector{reshape(flip(in[0], axes), {3, 4, 5})}; },
        [&](const auto& in) {
          auto y = in[0];
          for (std::int64_t i = 0; i < y.size(); ++i) {
            auto place = unflatten(i, y.shape);
            for (std::int64_t axis : axes) {
              const int k = static_cast<int>(axis < 0 ? axis + 3 : axis);
              place[static_cast<std::size_t>(k)] = y.shape[k] - 1 - place[static_cast<std::size_t>(k)];
            }
            y[i] = in[0][broadcast_offset(place, y.shape)];
          }
          return std::vector{y};
        },
        {.exact = true, .gradient = true});
}

TEST_CASE("reverse_sequence: each sample within its length, the rest as it was") {
  for (const auto& [batch, along] : std::vector<std::array<std::int64_t, 2>>{{0, 1}, {1, 0}, {-1, 1}, {2, 0}}) {
    const Shape shape{4, 4, 4};
    check(
        "gather", {random(shape), values({4}, {0, 1, 3, 9}, DType::i32)},
        [&, b = batch, s = along](Graph&, const auto& in) { return std::vector{reverse_sequence(in[0], in[1], {b, s})}; },
        [&, b = batch, s = along](const auto& in) {
          auto y = in[0];
          for (std::int64_t i = 0; i < y.size(); ++i) {
            auto place = unflatten(i, shape);
            const auto length = std::min<std::int64_t>(static_cast<std::int64_t>(in[1][place[static_cast<std::size_t>((b + 3) % 3)]]), 4);
            std::int64_t& at = place[static_cast<std::size_t>(s)];
            if (at < length) at = length - 1 - at;
            y[i] = in[0][broadcast_offset(place, shape)];
          }
          return std::vector{y};
        },
        {.exact = true, .gradient = true});
  }
}

TEST_CASE("flip and reverse_sequence name what is wrong") {
  const auto lengths = [](Graph& g, Shape shape, DType dtype = DType::i32) { return g.input("l", shape, dtype); };
  check_error([](Graph& g) { flip(g.input("x", {2, 3}), {2}); }, {"flip", "axis 2 is out of range", "flip.cpp"});
  check_error([](Graph& g) { flip(g.input("x", {2, 3}), {1, -1}); }, {"flip", "axis -1 is named twice"});
  check_error([&](Graph& g) { reverse_sequence(g.input("x", {2, 3}), lengths(g, {2}), {0, 0}); }, {"reverse_sequence", "batch axis 0 and sequence axis 0"});
  check_error([&](Graph& g) { reverse_sequence(g.input("x", {2, 3}), lengths(g, {3})); }, {"reverse_sequence", "i32[3], not i32[2]"});
  check_error([&](Graph& g) { reverse_sequence(g.input("x", {2, 3}), lengths(g, {2}, DType::f32)); }, {"reverse_sequence", "f32[2], not i32[2]"});
}

}  // namespace fovea::test
