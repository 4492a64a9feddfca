#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

// Pair k of each vector, as a complex number, times cos + i sin.
template <class T>
Array<T> reference(const std::vector<Array<T>>& in, bool interleaved) {
  auto y = in[0];
  const std::int64_t pairs = in[1].dim(-1), size = y.dim(-1);
  Shape half = y.shape;
  half[half.rank() - 1] = pairs;
  for (std::int64_t i = 0; i < half.elements(); ++i) {
    const auto place = unflatten(i, half);
    const std::int64_t row = i / pairs * size, k = i % pairs;
    const std::int64_t a = row + (interleaved ? 2 * k : k), b = row + (interleaved ? 2 * k + 1 : pairs + k);
    const T c = in[1][broadcast_offset(place, in[1].shape)], s = in[2][broadcast_offset(place, in[2].shape)];
    y[a] = in[0][a] * c - in[0][b] * s;
    y[b] = in[0][a] * s + in[0][b] * c;
  }
  return y;
}

}  // namespace

TEST_CASE("rotary_embedding: both layouts, whole and partial, cosines by position, by sample, by head") {
  for (bool interleaved : {false, true})
    for (std::int64_t pairs : {4, 3, 1})
      for (const Shape& angles : {Shape{5, pairs}, {2, 1, 5, pairs}, {3, 5, pairs}}) {
        CAPTURE(interleaved);
        INFO(pairs, " pairs ", to_string(angles));
        check(
            "concat", {random({2, 3, 5, 8}), random(angles, -1, 1, 2), random(angles, -1, 1, 3)},
            [&](Graph&, const auto& in) { return std::vector{rotary_embedding(in[0], in[1], in[2], {.interleaved = interleaved})}; },
            [&](const auto& in) { return std::vector{reference(in, interleaved)}; }, {.gradient = pairs == 3});
      }
}

TEST_CASE("rotary_embedding names what is wrong") {
  const auto with = [](Shape x, Shape cosine, Shape sine) {
    return [=](Graph& g) { rotary_embedding(g.input("x", x), g.input("c", cosine), g.input("s", sine)); };
  };
  check_error(with({2, 8}, {2, 5}, {2, 5}), {"rotary_embedding", "cosines [2,5] do not fit x [2,8]", "rotary_embedding.cpp"});
  check_error(with({2, 8}, {3, 4}, {3, 4}), {"rotary_embedding", "cosines [3,4] do not fit"});
  check_error(with({2, 8}, {2, 4}, {2, 3}), {"rotary_embedding", "cosines are [2,4] and sines [2,3]"});
}

}  // namespace fovea::test
