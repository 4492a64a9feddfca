#include "tests/support/check.hpp"

#include <cmath>

namespace fovea::test {
namespace {

// One axis of the sampler, in texels: where the grid's coordinate lands.
template <class T>
T texel_of(T c, std::int64_t size, const GridSampleDesc& desc) {
  const T n = static_cast<T>(size);
  return desc.align_corners ? (c + 1) / 2 * (n - 1) : ((c + 1) * n - 1) / 2;
}

// Folds or clips into the picture, a step at a time.
template <class T>
T into_picture(T at, std::int64_t size, const GridSampleDesc& desc) {
  const T last = static_cast<T>(size - 1);
  if (desc.padding == SamplePadding::zeros) return at;
  if (desc.padding == SamplePadding::reflection) {
    const T low = desc.align_corners ? T(0) : T(-0.5), high = desc.align_corners ? last : last + T(0.5);
    if (low == high) return 0;
    while (at < low || at > high) at = at < low ? 2 * low - at : 2 * high - at;
  }
  return at < 0 ? T(0) : at > last ? last : at;
}

// Keys' kernel with a = -3/4.
template <class T>
T cubic(T d) {
  const T a = T(-0.75);
  d = std::abs(d);
  if (d <= 1) return (a + 2) * d * d * d - (a + 3) * d * d + 1;
  return d < 2 ? a * d * d * d - 5 * a * d * d + 8 * a * d - 4 * a : T(0);
}

// The weight of every texel of one axis (Jaderberg et al. 2015, eq. 3: a kernel over the whole picture).
template <class T>
std::vector<T> weights(T c, std::int64_t size, const GridSampleDesc& desc) {
  std::vector<T> weight(static_cast<std::size_t>(size));
  const T free = texel_of(c, size, desc), at = into_picture(free, size, desc);
  for (std::int64_t k = 0; k < size; ++k) {
    T& w = weight[static_cast<std::size_t>(k)];
    if (desc.interpolation == Interpolation::nearest) w = std::nearbyint(at) == static_cast<T>(k) ? T(1) : T(0);
    if (desc.interpolation == Interpolation::linear) w = std::max(T(0), 1 - std::abs(at - static_cast<T>(k)));
  }
  if (desc.interpolation == Interpolation::cubic)  // the coordinate stays free; each of the four texels is folded
    for (int tap = -1; tap <= 2; ++tap) {
      const T k = std::floor(free) + static_cast<T>(tap), folded = into_picture(k, size, desc);
      if (folded >= 0 && folded <= static_cast<T>(size - 1))
        weight[static_cast<std::size_t>(std::lround(folded))] += cubic(free - k);
    }
  return weight;
}

template <class T>
Array<T> sampled(const Array<T>& x, const Array<T>& grid, const GridSampleDesc& desc) {
  const int dims = x.shape.rank() - 2;
  Shape shape = x.shape;
  for (int axis = 0; axis < dims; ++axis) shape[2 + axis] = grid.shape[1 + axis];
  Array<T> y(shape);
  const std::int64_t D = dims == 3 ? x.dim(2) : 1, H = x.dim(-2), W = x.dim(-1), N = x.dim(0), C = x.dim(1);
  const std::int64_t positions = N * C == 0 ? 0 : y.size() / (N * C);
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t p = 0; p < positions; ++p) {
      const std::int64_t g = (n * positions + p) * dims;
      const auto wx = weights(grid[g], W, desc), wy = weights(grid[g + 1], H, desc);
      const auto wz = dims == 3 ? weights(grid[g + 2], D, desc) : std::vector<T>{1};
      for (std::int64_t c = 0; c < C; ++c) {
        T sum = 0;
        for (std::size_t z = 0; z < wz.size(); ++z)
          for (std::size_t v = 0; v < wy.size(); ++v)
            for (std::size_t u = 0; u < wx.size(); ++u)
              if (const T w = wx[u] * wy[v] * wz[z]; w != 0)
                sum += w * x[(((n * C + c) * D + static_cast<std::int64_t>(z)) * H + static_cast<std::int64_t>(v)) * W +
                             static_cast<std::int64_t>(u)];
        y[(n * C + c) * positions + p] = sum;
      }
    }
  return y;
}

void check_sample(const Operand& x, const Operand& grid, const GridSampleDesc& desc, const CheckOptions& options = {}) {
  INFO(to_string(x.array.shape), " ", std::string(to_string(desc.interpolation)), " ",
       std::string(to_string(desc.padding)), std::string(desc.align_corners ? " corners aligned" : ""));
  check(
      "grid_sample", {x, grid}, [&](Graph&, const auto& in) { return std::vector{grid_sample(in[0], in[1], desc)}; },
      [&](const auto& in) { return std::vector{sampled(in[0], in[1], desc)}; }, options);
}

// A grid that names points within 0.4 of a texel's centre, from two texels outside on: no rounding of the coordinate,
// not even the grid's own to f16, changes which texel is nearest.
Operand near_centres(Shape shape, const Shape& x, bool align_corners, std::uint32_t seed) {
  Operand grid = random(shape, 0, 1, seed);
  const std::int64_t dims = shape.at(-1);
  for (std::int64_t i = 0; i < grid.array.size(); ++i) {
    const double size = static_cast<double>(x.at(static_cast<int>(-1 - i % dims))), u = grid.array[i] * (size + 4);
    const double at = std::floor(u) - 2 + 0.8 * (u - std::floor(u)) - 0.4;
    const double c = align_corners ? 2 * at / std::max(size - 1, 1.0) - 1 : (2 * at + 1) / size - 1;
    grid.array[i] = static_cast<double>(static_cast<float>(c));
  }
  return grid;
}

std::vector<GridSampleDesc> combinations(Interpolation interpolation) {
  std::vector<GridSampleDesc> all;
  for (SamplePadding padding : {SamplePadding::zeros, SamplePadding::border, SamplePadding::reflection})
    for (bool align_corners : {false, true}) all.push_back({interpolation, padding, align_corners});
  return all;
}

// Coordinates carry a rounding of half an ulp of their size (up to 20 texels) and the coordinate's arithmetic, three
// more, times slopes up to 2 (linear) or 4 (cubic) in each of the axes; the reference in float sees most of it.
constexpr double coordinate_ulps = 64;

}  // namespace

TEST_CASE("grid_sample: linear in two dimensions, every padding and alignment") {
  for (const auto& desc : combinations(Interpolation::linear))
    check_sample(random({2, 3, 7, 9}), random({2, 5, 6, 2}, -1.8, 1.8, 2), desc, {.extra_ulps = coordinate_ulps, .gradient = true});
}

TEST_CASE("grid_sample: cubic, every padding and alignment") {
  for (const auto& desc : combinations(Interpolation::cubic))
    check_sample(random({2, 3, 7, 9}), random({2, 5, 6, 2}, -1.8, 1.8, 3), desc, {.extra_ulps = coordinate_ulps, .gradient = true});
}

TEST_CASE("grid_sample: nearest in two dimensions is exact, every padding and alignment") {
  for (const auto& desc : combinations(Interpolation::nearest))
    check_sample(random({2, 3, 7, 9}), near_centres({2, 5, 6, 2}, {2, 3, 7, 9}, desc.align_corners, 4), desc,
                 {.exact = true, .gradient = true});
}

TEST_CASE("grid_sample: three dimensions, linear and nearest, every padding and alignment") {
  for (const auto& desc : combinations(Interpolation::linear))
    check_sample(random({2, 2, 4, 5, 6}), random({2, 3, 2, 5, 3}, -1.8, 1.8, 51), desc, {.extra_ulps = coordinate_ulps, .gradient = true});
  for (const auto& desc : combinations(Interpolation::nearest))
    check_sample(random({2, 2, 4, 5, 6}), near_centres({2, 3, 2, 5, 3}, {2, 2, 4, 5, 6}, desc.align_corners, 6), desc,
                 {.exact = true});
}

TEST_CASE("grid_sample: pictures one texel wide or high") {
  for (Interpolation interpolation : {Interpolation::nearest, Interpolation::linear, Interpolation::cubic})
    for (const auto& desc : combinations(interpolation)) {
      if (desc.padding == SamplePadding::border && desc.align_corners) continue;  // as reflection with aligned corners
      check_sample(random({1, 2, 1, 1}), near_centres({1, 4, 3, 2}, {1, 2, 1, 1}, desc.align_corners, 7), desc,
                   {.f16 = false, .extra_ulps = coordinate_ulps});
      check_sample(random({1, 2, 1, 5}), near_centres({1, 4, 3, 2}, {1, 2, 1, 5}, desc.align_corners, 8), desc,
                   {.f16 = false, .extra_ulps = coordinate_ulps});
    }
}

TEST_CASE("grid_sample: nearest rounds half to even") {
  // Texel coordinates -0.5, 0.5 ... 3.5 of a row of four, exactly.
  const auto grid = values({1, 1, 5, 2}, {-1, 0, -0.5, 0, 0, 0, 0.5, 0, 1, 0});
  for (const auto& desc : combinations(Interpolation::nearest))
    if (!desc.align_corners) check_sample(random({1, 3, 1, 4}), grid, desc, {.exact = true});
  check(
      "grid_sample", {values({1, 1, 1, 4}, {10, 11, 12, 13}), grid},
      [](Graph&, const auto& in) {
        return std::vector{grid_sample(in[0], in[1], {.interpolation = Interpolation::nearest})};
      },
      [](const auto& in) {
        return std::vector{std::decay_t<decltype(in[0])>({1, 1, 1, 5}, {10, 10, 12, 12, 0})};
      },
      {.exact = true});
}

TEST_CASE("grid_sample: channels by the hundred, positions beside the group's size, more and fewer than the picture") {
  check_sample(random({1, 150, 3, 4}), random({1, 1, 3, 2}, -1, 1, 9), {}, {.extra_ulps = coordinate_ulps});
  check_sample(random({1, 1, 3, 4}), random({1, 1, 129, 2}, -1, 1, 10), {}, {.extra_ulps = coordinate_ulps});
  check_sample(random({3, 1, 3, 4}), random({3, 1, 1, 2}, -1, 1, 11), {}, {.extra_ulps = coordinate_ulps});
  check_sample(random({2, 70, 2, 2}), random({2, 30, 40, 2}, -1, 1, 12), {.align_corners = true},
               {.extra_ulps = coordinate_ulps});
}

TEST_CASE("grid_sample: its adjoint in x, by halves and at once, and that one's own gradient") {
  for (const auto& desc : combinations(Interpolation::linear)) {
    const Operand grid = random({2, 9, 10, 2}, -1.3, 1.3, 14);
    check(
        "grid_to_texels", {random({2, 11, 9, 10}), grid},
        [&](Graph& graph, const auto& in) {
          // What dy is multiplied with, differentiated: x itself plays no part.
          const Tensor x = cast(graph.constant({2, 11, 4, 5}, std::vector<float>(440, 0.0f)), in[0].dtype());
          return std::vector{grad(grid_sample(x, in[1], desc), {x}, {.seed = in[0]})[0]};
        },
        [&](const auto& in) {
          std::decay_t<decltype(in[0])> dx(Shape{2, 11, 4, 5});
          for (std::int64_t n = 0; n < 2; ++n)
            for (std::int64_t p = 0; p < 90; ++p) {
              const auto wx = weights(in[1][(n * 90 + p) * 2], 5, desc), wy = weights(in[1][(n * 90 + p) * 2 + 1], 4, desc);
              for (std::int64_t i = 0; i < 11 * 20; ++i)
                dx[n * 220 + i] += wx[static_cast<std::size_t>(i % 5)] * wy[static_cast<std::size_t>(i / 5 % 4)] *
                                   in[0][(n * 11 + i / 20) * 90 + p];
            }
          return std::vector{dx};
        },
        {.f16 = false, .extra_ulps = coordinate_ulps, .gradient = desc.padding == SamplePadding::zeros});
  }
}

// The gradients of linear sampling with zeros around, a position at a time. in: x, the grid, what arrives, theta of zeros:
// d x, d grid, and d theta of the affine grid that was added.
template <class T>
std::vector<Array<T>> transformer_gradients(const std::vector<Array<T>>& in) {
  const Array<T>&x = in[0], &grid = in[1], &dy = in[2];
  const std::int64_t C = x.dim(1), H = x.dim(2), W = x.dim(3), rows = grid.dim(1), columns = grid.dim(2);
  std::vector<Array<T>> d{Array<T>(x.shape), Array<T>(grid.shape), Array<T>(in[3].shape)};
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) {
      const T u = texel_of(grid.at({0, i, j, 0}), W, {}), v = texel_of(grid.at({0, i, j, 1}), H, {});
      T along[2] = {0, 0};
      for (int k = 0; k < 4; ++k) {
        const T left = std::floor(u), top = std::floor(v), b = left + static_cast<T>(k % 2), a = top + static_cast<T>(k / 2);
        if (a < 0 || b < 0 || a >= static_cast<T>(H) || b >= static_cast<T>(W)) continue;
        const T across = 1 - std::abs(u - b), down = 1 - std::abs(v - a);
        for (std::int64_t c = 0; c < C; ++c) {
          const auto row = static_cast<std::int64_t>(a), column = static_cast<std::int64_t>(b);
          const T texel = x.at({0, c, row, column}) * dy.at({0, c, i, j});
          d[0].at({0, c, row, column}) += across * down * dy.at({0, c, i, j});
          along[0] += (k % 2 ? texel : -texel) * down * static_cast<T>(W) / 2;
          along[1] += (k / 2 ? texel : -texel) * across * static_cast<T>(H) / 2;
        }
      }
      const T at[3] = {(2 * static_cast<T>(j) + 1) / static_cast<T>(columns) - 1, (2 * static_cast<T>(i) + 1) / static_cast<T>(rows) - 1, 1};
      for (std::int64_t axis = 0; axis < 2; ++axis) {
        d[1].at({0, i, j, axis}) = along[axis];
        for (std::int64_t k = 0; k < 3; ++k) d[2].at({0, axis, k}) += along[axis] * at[k];
      }
    }
  return d;
}

TEST_CASE("grid_sample: the gradients of a transformer of more positions than some drivers' loops take") {
  for (const std::int64_t side : {256, 512}) {
    CAPTURE(side);
    Operand grid = random({1, side, side, 2}, -1.2, 1.2, 31);
    for (std::int64_t i = 0; i < grid.array.size(); ++i) {  // between texels, where the slope does not jump
      const std::int64_t size = i % 2 ? 4 : 5;
      const double at = texel_of(grid.array[i], size, {}), between = std::floor(at) + 0.1 + 0.8 * (at - std::floor(at));
      grid.array[i] = static_cast<double>(static_cast<float>((2 * between + 1) / static_cast<double>(size) - 1));
    }
    check(  // the device chooses how texels are summed
        "grid_to_points", {random({1, 2, 4, 5}), grid, random({1, 2, side, side}, -1, 1, 32), values({1, 2, 3}, {0, 0, 0, 0, 0, 0})},
        [=](Graph&, const auto& in) {
          const Tensor points = in[1] + affine_grid(in[3], {1, 2, side, side});
          return grad(grid_sample(in[0], points), {in[0], in[1], in[3]}, {.seed = in[2]});
        },
        [](const auto& in) { return transformer_gradients(in); }, {.f16 = false, .extra_ulps = coordinate_ulps});
  }
}

TEST_CASE("grid_sample: the identity grid returns the picture") {
  for (bool align_corners : {false, true}) {
    Operand grid{Array<double>(Shape{1, 4, 8, 2})};
    for (std::int64_t y = 0; y < 4; ++y)
      for (std::int64_t x = 0; x < 8; ++x) {
        grid.array.at({0, y, x, 0}) = static_cast<double>(static_cast<float>(
            align_corners ? static_cast<double>(x) * 2 / 7 - 1 : (static_cast<double>(x) * 2 + 1) / 8 - 1));
        grid.array.at({0, y, x, 1}) = static_cast<double>(static_cast<float>(
            align_corners ? static_cast<double>(y) * 2 / 3 - 1 : (static_cast<double>(y) * 2 + 1) / 4 - 1));
      }
    check_sample(random({1, 2, 4, 8}), grid, {.align_corners = align_corners}, {.extra_ulps = coordinate_ulps});
  }
}

TEST_CASE("grid_sample: a half picture with a full grid") {
  Operand grid = random({1, 5, 6, 2}, -1.2, 1.2, 13);
  grid.follows = false;
  check_sample(random({1, 3, 64, 65}), grid, {}, {.extra_ulps = 16 * coordinate_ulps});
}

TEST_CASE("grid_sample: empty batches, channels and grids") {
  check_sample(random({0, 3, 2, 2}), random({0, 4, 4, 2}), {});
  check_sample(random({2, 0, 2, 2}), random({2, 4, 4, 2}), {});
  check_sample(random({2, 3, 2, 2}), random({2, 0, 4, 2}), {});
}

TEST_CASE("grid_sample: NaN, infinite and huge coordinates read nothing outside") {
  constexpr double nan = std::numeric_limits<double>::quiet_NaN(), inf = std::numeric_limits<double>::infinity();
  const std::vector<double> odd{nan, inf, -inf, 1e37, -1e37, 1e10, -1e10, 3e9, -3e9, 65504};
  const auto count = static_cast<std::int64_t>(odd.size());
  Operand grid{Array<double>(Shape{1, 2, count, 2}), DType::f32, false};
  for (std::int64_t i = 0; i < count; ++i) {
    grid.array.at({0, 0, i, 0}) = odd[static_cast<std::size_t>(i)];
    grid.array.at({0, 1, i, 1}) = odd[static_cast<std::size_t>(i)];
  }
  // A picture of fives: whatever texel is read, the answer is known. Outside counts as zero, and NaN and infinity have
  // no place between texels, so that cubic gives NaN for them.
  for (Interpolation interpolation : {Interpolation::nearest, Interpolation::linear, Interpolation::cubic})
    for (const auto& desc : combinations(interpolation))
      check(
          "grid_sample", {Operand{Array<double>(Shape{1, 2, 3, 4}, 5.0)}, grid},
          [&](Graph&, const auto& in) { return std::vector{grid_sample(in[0], in[1], desc)}; },
          [&](const auto& in) {
            std::decay_t<decltype(in[0])> y(Shape{1, 2, 2, count});
            using T = std::decay_t<decltype(y[0])>;
            for (std::int64_t i = 0; i < y.size(); ++i) {
              const double c = odd[static_cast<std::size_t>(i % count)];
              const bool lost = desc.interpolation == Interpolation::cubic && !std::isfinite(c);
              y[i] = lost ? static_cast<T>(nan) : desc.padding == SamplePadding::zeros ? T(0) : T(5);
            }
            return std::vector{y};
          });
}

TEST_CASE("grid_sample: an infinite texel stays out of where it has no part") {
  constexpr double inf = std::numeric_limits<double>::infinity();
  // Texels 0 and 3 of the row are infinite; a tap outside must not drag them in with weight 0.
  const auto x = values({1, 1, 1, 4}, {inf, 1, 2, inf});
  const auto grid = values({1, 1, 5, 2}, {-3, 0, 3, 0, -0.25, 0, 0.125, 0, 0.75, 0});
  for (Interpolation interpolation : {Interpolation::nearest, Interpolation::linear})
    check_sample(x, grid, {.interpolation = interpolation});
  check(
      "grid_sample", {x, values({1, 1, 2, 2}, {1, 0, 5, 0})},
      [](Graph&, const auto& in) { return std::vector{grid_sample(in[0], in[1], {.padding = SamplePadding::border})}; },
      [&](const auto& in) {
        using T = std::decay_t<decltype(in[0][0])>;
        return std::vector{std::decay_t<decltype(in[0])>({1, 1, 1, 2}, {static_cast<T>(inf), static_cast<T>(inf)})};
      });
}

TEST_CASE("grid_sample: errors name the axis") {
  const auto with = [](Shape x, Shape grid, GridSampleDesc desc = {}, DType x_type = DType::f32,
                       DType grid_type = DType::f32) {
    return [=](Graph& graph) { grid_sample(graph.input("x", x, x_type), graph.input("grid", grid, grid_type), desc); };
  };
  check_error(with({3, 4, 5}, {3, 4, 2}), {"grid_sample", "[3,4,5] has 3 axes, not 4 or 5", "grid_sample.cpp"});
  check_error(with({1, 3, 4, 5}, {1, 2, 2, 2, 3}), {"grid_sample", "the grid [1,2,2,2,3] has 5 axes", "has 4"});
  check_error(with({2, 3, 4, 5}, {1, 2, 2, 2}), {"grid_sample", "the grid has 1 images at axis 0 and x has 2"});
  check_error(with({1, 3, 4, 5}, {1, 2, 2, 3}), {"grid_sample", "3 coordinates at axis 3, not 2"});
  check_error(with({1, 3, 4, 5, 6}, {1, 2, 2, 2, 2}), {"grid_sample", "2 coordinates at axis 4, not 3"});
  check_error(with({1, 3, 4, 5, 6}, {1, 2, 2, 2, 3}, {.interpolation = Interpolation::cubic}),
              {"grid_sample", "2-D alone"});
  check_error(with({1, 3, 0, 5}, {1, 2, 2, 2}), {"grid_sample", "axis 2 of x", "is empty"});
  check_error(with({1, 3, 4, 5}, {1, 2, 2, 2}, {}, DType::i32), {"grid_sample", "x is i32"});
  check_error(with({1, 3, 4, 5}, {1, 2, 2, 2}, {}, DType::f32, DType::f16),
              {"grid_sample", "the grid is f16, not f32"});
  check_error(with({1, 3, 4, 5}, {1, 2, 2, 2}, {}, DType::f16, DType::i32),
              {"grid_sample", "the grid is i32, not f32 or x's f16"});
  check_error(
      [](Graph& graph) {
        grid_sample(graph.input("x", {1, 1, 2, 2}), {});
      },
      {"grid_sample", "grid is absent"});
}

}  // namespace fovea::test
