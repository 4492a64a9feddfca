#include "tests/support/check.hpp"

#include <cmath>

namespace fovea::test {
namespace {

// Normalised coordinate of pixel i of n.
template <class T>
T coordinate(std::int64_t i, std::int64_t n, bool align_corners) {
  const T at = static_cast<T>(i), count = static_cast<T>(n);
  return !align_corners ? (2 * at + 1) / count - 1 : n == 1 ? T(0) : 2 * at / (count - 1) - 1;
}

// `point(n, x, y)` at every pixel of N pictures H×W.
template <class T, class Point>
Array<T> over_pixels(std::int64_t N, std::int64_t H, std::int64_t W, bool align_corners, const Point& point) {
  Array<T> grid(Shape{N, H, W, 2});
  for (std::int64_t i = 0; i < N * H * W; ++i) {
    const std::array<T, 2> at = point(i / (H * W), coordinate<T>(i % W, W, align_corners), coordinate<T>(i / W % H, H, align_corners));
    grid[2 * i] = at[0], grid[2 * i + 1] = at[1];
  }
  return grid;
}

const std::vector<std::array<double, 2>> control{{-1, -1}, {1, -1}, {-1, 1}, {1, 1}, {0.1, -0.2}, {-0.5, 0.3}};

// The spline that takes the control points to the sources: its coefficients from the system of interpolation conditions,
// by elimination in double. (Bookstein 1989)
std::vector<double> spline(const std::vector<double>& sources) {
  const std::size_t K = control.size(), n = K + 3;
  const auto radial = [](double x, double y) { const double r2 = x * x + y * y; return r2 == 0 ? 0 : r2 * std::log(r2); };
  std::vector<std::vector<double>> a(n, std::vector<double>(n + 1));
  for (std::size_t i = 0; i < K; ++i) {
    for (std::size_t j = 0; j < K; ++j) a[i][j] = radial(control[i][0] - control[j][0], control[i][1] - control[j][1]);
    a[i][K] = a[K][i] = 1;
    a[i][K + 1] = a[K + 1][i] = control[i][0];
    a[i][K + 2] = a[K + 2][i] = control[i][1];
    a[i][n] = sources[i];
  }
  for (std::size_t c = 0; c < n; ++c) {
    std::size_t best = c;
    for (std::size_t r = c; r < n; ++r) if (std::abs(a[r][c]) > std::abs(a[best][c])) best = r;
    std::swap(a[best], a[c]);
    for (std::size_t r = 0; r < n; ++r)
      if (r != c)
        for (std::size_t k = n + 1; k-- > c;) a[r][k] -= a[r][c] / a[c][c] * a[c][k];
  }
  std::vector<double> result;
  for (std::size_t i = 0; i < n; ++i) result.push_back(a[i][n] / a[i][i]);
  return result;
}

}  // namespace

TEST_CASE("projective_grid divides by the third row") {
  for (const bool align_corners : {false, true}) {
    Operand theta = random({2, 3, 3}, -0.3, 0.3);
    for (std::int64_t n = 0; n < 2; ++n)
      for (std::int64_t k = 0; k < 3; ++k) theta.array.at({n, k, k}) += 1;
    check(
        "affine_grid", {theta},
        [&](Graph&, const auto& in) { return std::vector{projective_grid(in[0], {2, 1, 5, 4}, {.align_corners = align_corners})}; },
        [&](const auto& in) {
          using T = std::decay_t<decltype(in[0].values[0])>;
          return std::vector{over_pixels<T>(2, 5, 4, align_corners, [&](std::int64_t n, T x, T y) {
            const auto row = [&](std::int64_t k) { return in[0].at({n, k, 0}) * x + in[0].at({n, k, 1}) * y + in[0].at({n, k, 2}); };
            return std::array<T, 2>{row(0) / row(2), row(1) / row(2)};
          })};
        },
        {.f16 = false, .extra_ulps = 16, .gradient = true});
  }
}

TEST_CASE("projective_grid: a vanishing divisor keeps its sign and 1e-6") {
  check(
      "affine_grid", {values({1, 3, 3}, {0, 0, 1, 0, 0, 2, 1e-7, 0, 0})},
      [](Graph&, const auto& in) { return std::vector{projective_grid(in[0], {1, 1, 1, 2}, {.align_corners = true})}; },
      [](const auto& in) { return std::vector{std::decay_t<decltype(in[0])>({1, 1, 2, 2}, {-1e6, -2e6, 1e6, 2e6})}; },
      {.f16 = false});
}

TEST_CASE("thin_plate_grid is the spline through the control points") {
  for (const bool align_corners : {false, true})
    check(
        "matmul", {random({2, 6, 2})},
        [&](Graph&, const auto& in) { return std::vector{thin_plate_grid(in[0], control, {2, 1, 5, 4}, {.align_corners = align_corners})}; },
        [&](const auto& in) {
          using T = std::decay_t<decltype(in[0].values[0])>;
          std::vector<std::vector<double>> splines;
          for (std::int64_t n = 0; n < 2; ++n)
            for (std::int64_t axis = 0; axis < 2; ++axis) {
              std::vector<double> sources;
              for (std::int64_t k = 0; k < 6; ++k) sources.push_back(static_cast<double>(in[0].at({n, k, axis})));
              splines.push_back(spline(sources));
            }
          return std::vector{over_pixels<T>(2, 5, 4, align_corners, [&](std::int64_t n, T x, T y) {
            std::array<T, 2> at{};
            for (std::size_t axis = 0; axis < 2; ++axis) {
              const auto& c = splines[static_cast<std::size_t>(2 * n) + axis];
              at[axis] = static_cast<T>(c[6]) + static_cast<T>(c[7]) * x + static_cast<T>(c[8]) * y;
              for (std::size_t k = 0; k < 6; ++k) {
                const T dx = x - static_cast<T>(control[k][0]), dy = y - static_cast<T>(control[k][1]), r2 = dx * dx + dy * dy;
                if (r2 != 0) at[axis] += static_cast<T>(c[k]) * r2 * std::log(r2);
              }
            }
            return at;
          })};
        },
        {.extra_ulps = 16, .gradient = true});
}

TEST_CASE("box_grid spreads pixels over a box") {
  for (const bool align_corners : {false, true})
    check(
        "affine_grid", {random({3, 4})},
        [&](Graph&, const auto& in) { return std::vector{box_grid(in[0], {3, 1, 4, 5}, {.align_corners = align_corners})}; },
        [&](const auto& in) {
          using T = std::decay_t<decltype(in[0].values[0])>;
          return std::vector{over_pixels<T>(3, 4, 5, align_corners, [&](std::int64_t n, T x, T y) {
            const auto between = [&](std::int64_t k, T at) { return (in[0].at({n, k}) * (1 - at) + in[0].at({n, k + 2}) * (1 + at)) / 2; };
            return std::array<T, 2>{between(0, x), between(1, y)};
          })};
        },
        {.extra_ulps = 8192, .gradient = true});  // in f16 theta is rounded once more
}

TEST_CASE("grids: errors name what does not fit") {
  const Shape size{2, 1, 4, 4};
  const auto refused = [](const auto& build, Shape x, std::vector<std::string> texts) {
    check_error([&](Graph& graph) { build(graph.input("x", x)); }, texts);
  };
  refused([&](Tensor x) { projective_grid(x, size); }, {2, 2, 3}, {"projective_grid", "theta is [2,2,3], not [2,3,3]"});
  refused([&](Tensor x) { projective_grid(x, {2, 1, 4}); }, {2, 3, 3}, {"projective_grid", "the size [2,1,4] is not [N,C,H,W]"});
  refused([&](Tensor x) { thin_plate_grid(x, control, size); }, {2, 5, 2}, {"thin_plate_grid", "[2,5,2], not [2,6,2]"});
  refused([&](Tensor x) { thin_plate_grid(x, {{0, 0}, {1, 1}, {2, 2}}, size); }, {2, 3, 2}, {"thin_plate_grid", "3 control points lie on a line"});
  refused([&](Tensor x) { box_grid(x, size); }, {2, 3}, {"box_grid", "the box is [2,3], not [2,4]"});
}

}  // namespace fovea::test
