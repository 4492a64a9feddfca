#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

// Position k of `size` in [-1, 1], as a line of points: `size` of them from end to end, or the middles of equal cells.
template <class T>
T position(std::int64_t k, std::int64_t size, bool align_corners) {
  if (!align_corners) return (2 * static_cast<T>(k) + 1) / static_cast<T>(size) - 1;
  return size == 1 ? T(0) : -1 + 2 * static_cast<T>(k) / static_cast<T>(size - 1);
}

void check_affine(const Operand& theta, const Shape& size, bool align_corners) {
  INFO(to_string(size));
  check(
      "affine_grid", {theta},
      [&](Graph&, const auto& in) { return std::vector{affine_grid(in[0], size, {.align_corners = align_corners})}; },
      [&](const auto& in) {
        using T = std::decay_t<decltype(in[0][0])>;
        const std::int64_t dims = size.rank() - 2, D = dims == 3 ? size[2] : 1, H = size.at(-2), W = size.at(-1);
        std::decay_t<decltype(in[0])> grid(dims == 3 ? Shape{size[0], D, H, W, 3} : Shape{size[0], H, W, 2});
        std::int64_t to = 0;
        for (std::int64_t n = 0; n < size[0]; ++n)
          for (std::int64_t z = 0; z < D; ++z)
            for (std::int64_t y = 0; y < H; ++y)
              for (std::int64_t x = 0; x < W; ++x)
                for (std::int64_t k = 0; k < dims; ++k) {
                  const T base[] = {position<T>(x, W, align_corners), position<T>(y, H, align_corners),
                                    position<T>(z, D, align_corners)};
                  T sum = in[0].at({n, k, dims});
                  for (std::int64_t j = 0; j < dims; ++j) sum += in[0].at({n, k, j}) * base[j];
                  grid[to++] = sum;
                }
        return std::vector{grid};
      },
      // A position is a quotient (2.5 ulp) below 1, times dims entries of theta below 1; then dims sums.
      {.extra_ulps = 16, .gradient = true});
}

}  // namespace

TEST_CASE("affine_grid: two dimensions, both alignments") {
  for (bool align_corners : {false, true}) {
    check_affine(random({2, 2, 3}), {2, 3, 5, 7}, align_corners);
    check_affine(random({1, 2, 3}), {1, 1, 1, 1}, align_corners);
    check_affine(random({3, 2, 3}), {3, 9, 1, 130}, align_corners);
    check_affine(values({1, 2, 3}, {1, 0, 0, 0, 1, 0}), {1, 1, 4, 6}, align_corners);
  }
}

TEST_CASE("affine_grid: three dimensions, both alignments") {
  for (bool align_corners : {false, true}) {
    check_affine(random({2, 3, 4}), {2, 2, 3, 4, 5}, align_corners);
    check_affine(random({1, 3, 4}), {1, 1, 1, 1, 3}, align_corners);
  }
}

TEST_CASE("affine_grid: nothing to make") {
  check_affine(random({0, 2, 3}), {0, 1, 4, 4}, false);
  check_affine(random({1, 2, 3}), {1, 1, 0, 4}, true);
  check_affine(random({1, 2, 3}), {1, 0, 2, 4}, false);  // channels do not matter
}

TEST_CASE("affine_grid: errors show what theta should be") {
  const auto with = [](Shape theta, Shape size, DType dtype = DType::f32) {
    return [=](Graph& graph) { affine_grid(graph.input("theta", theta, dtype), size); };
  };
  check_error(with({2, 2, 3}, {2, 3, 4}), {"affine_grid", "3 extents", "affine_grid.cpp"});
  check_error(with({2, 2, 3}, {1, 3, 4, 5}), {"affine_grid", "theta is [2,2,3], not [1,2,3]"});
  check_error(with({2, 2, 3}, {2, 3, 4, 5, 6}), {"affine_grid", "theta is [2,2,3], not [2,3,4]"});
  check_error(with({2, 3}, {2, 3, 4, 5}), {"affine_grid", "theta is [2,3], not [2,2,3]"});
  check_error(with({2, 2, 3}, {2, 3, 4, 5}, DType::i32), {"affine_grid", "theta is i32"});
}

}  // namespace fovea::test
