// Kernels at the last size that they take where a driver cuts loops, shaped so that the invocations of a vector loop unequally.
// (Attention: long_attention.cpp.)

#include "tests/support/longest.hpp"

namespace fovea::test {
namespace {

// n along one of three axes, and 1 along the others.
std::vector<std::int64_t> along(std::size_t axis, std::int64_t n, std::int64_t others = 1) {
  std::vector<std::int64_t> extents(3, others);
  extents[axis] = n;
  return extents;
}
Shape picture(const std::vector<std::int64_t>& extents) { return {1, 1, extents[0], extents[1], extents[2]}; }

}  // namespace

TEST_CASE("pooling windows along each axis, of which the outer ones are cut by the padding" * doctest::skip(compiles_only())) {
  for (std::size_t axis = 0; axis < 3; ++axis)
    check_longest(
        "pool=pool", [=](std::int64_t n) { return std::vector{random(picture(along(axis, n + 6)))}; },
        [=](Graph&, const Tensors& in) {
          const std::int64_t n = in[0].shape()[static_cast<int>(axis) + 2] - 6;
          return Tensors{pool(Pool::average, in[0], {.kernel = along(axis, n), .stride = {1, 1, 1}, .padding_begin = along(axis, std::min<std::int64_t>(3, n - 1), 0)})};
        },
        [=](const auto& in) {
          const std::int64_t size = in[0].size(), n = size - 6;
          std::decay_t<decltype(in[0])> y(picture(along(axis, 13)));
          for (std::int64_t o = 0; o < 13; ++o) {
            const std::int64_t first = std::max<std::int64_t>(o - 3, 0), last = std::min(o - 3 + n, size);
            for (std::int64_t i = first; i < last; ++i) y[o] += in[0][i];
            y[o] /= static_cast<Element<decltype(y)>>(last - first);
          }
          return std::vector{y};
        });
}

TEST_CASE("resizing along each axis, by triangles of which the outer ones are cut" * doctest::skip(compiles_only())) {
  for (std::size_t axis = 0; axis < 3; ++axis)
    check_longest(
        "separable=separable", [=](std::int64_t n) { return std::vector{random(picture(along(axis, 4 * n)))}; },
        [=](Graph&, const Tensors& in) {
          return Tensors{resize(in[0], {.size = along(axis, 4), .interpolation = Interpolation::linear, .antialias = true, .exclude_outside = true})};
        },
        [=](const auto& in) {
          using T = Element<decltype(in[0])>;
          const std::int64_t size = in[0].size();
          const double stretch = static_cast<double>(size) / 4;
          std::decay_t<decltype(in[0])> y(picture(along(axis, 4)));
          for (std::int64_t o = 0; o < 4; ++o) {
            double weights = 0;
            const auto weight = [&](std::int64_t i) {
              return std::max(0.0, 1 - std::abs(static_cast<double>(i) + 0.5 - (static_cast<double>(o) + 0.5) * stretch) / stretch);
            };
            for (std::int64_t i = 0; i < size; ++i) weights += weight(i);
            for (std::int64_t i = 0; i < size; ++i) y[o] += static_cast<T>(weight(i) / weights) * in[0][i];
          }
          return std::vector{y};
        });
}

TEST_CASE("windows of a tall and of a wide kernel, folded" * doctest::skip(compiles_only())) {
  // Two windows, a kernel apart, meet in a picture of 8 pixels: its first pixel is the first window's last tap.
  for (std::size_t axis = 0; axis < 2; ++axis)
    check_longest(
        "fold=fold", [](std::int64_t n) { return std::vector{random({1, n + 8, 2})}; },
        [=](Graph&, const Tensors& in) {
          const std::int64_t n = in[0].dim(1);
          FoldDesc desc;
          desc.size[axis] = 8, desc.kernel[axis] = desc.stride[axis] = n, desc.padding[axis] = desc.padding[axis + 2] = n - 1;
          return Tensors{fold(in[0], desc)};
        },
        [=](const auto& in) {
          const std::int64_t n = in[0].dim(1);
          std::decay_t<decltype(in[0])> y(axis == 0 ? Shape{1, 1, 8, 1} : Shape{1, 1, 1, 8});
          for (std::int64_t i = 0; i < 8; ++i) y[i] = i == 0 ? in[0].at({0, n - 1, 0}) : in[0].at({0, i - 1, 1});
          return std::vector{y};
        });
}

TEST_CASE("a region's gradient from bins far smaller than a texel" * doctest::skip(compiles_only())) {
  const RoiAlignDesc one_sample{.samples = 1};
  check_longest(
      "roi_to_texels=roi_to_texels",
      [](std::int64_t n) { return std::vector{random({1, 1, n, 1}), values({1, 4}, {0.25, 0, 1, 1.9}), values({1}, {0}, DType::i32)}; },
      [=](Graph& graph, const Tensors& in) {
        const Tensor x = graph.constant({1, 1, 4, 2}, std::vector<float>(8, 0.0f));
        RoiAlignDesc desc = one_sample;
        desc.bins = {in[0].dim(2), 1};
        return grad(roi_align(x, in[1], in[2], desc), {x}, {.seed = in[0]});
      },
      [](const auto& in) {
        using T = Element<decltype(in[0])>;
        std::decay_t<decltype(in[0])> dx(Shape{1, 1, 4, 2});
        const std::int64_t n = in[0].dim(2);
        const T column = T(0.25) + T(0.5);  // of a region one pixel wide
        for (std::int64_t b = 0; b < n; ++b) {
          const T row = (static_cast<T>(b) + T(0.5)) * (T(1.9) / static_cast<T>(n));
          for (std::int64_t t = 0; t < 8; ++t) {
            const T v = std::max(T(0), 1 - std::abs(row - static_cast<T>(t / 2))), u = std::max(T(0), 1 - std::abs(column - static_cast<T>(t % 2)));
            dx[t] += v * u * in[0][b];
          }
        }
        return std::vector{dx};
      });
}

TEST_CASE("dynamic_conv1d: weights whose gradient is summed over many short samples" * doctest::skip(compiles_only())) {
  check_longest(
      "dynamic_conv1d_weights=dynamic_conv1d_weights",
      [](std::int64_t n) { return std::vector{random({n, 2, 1}), random({n, 2, 1}, -1, 1, 2), random({2, 1, 3})}; },
      [](Graph&, const Tensors& in) { return grad(dynamic_conv1d(in[0], in[2], {.offset = 1}), {in[2]}, {.seed = in[1]}); },
      [](const auto& in) {
        std::decay_t<decltype(in[0])> d(Shape{2, 1, 3});
        for (std::int64_t b = 0; b < in[0].dim(0); ++b)
          for (std::int64_t i = 0; i < 2; ++i)
            for (std::int64_t j = 0; j < 3; ++j)
              if (const std::int64_t s = i + j - 1; s >= 0 && s < 2) d[i * 3 + j] += in[1][b * 2 + i] * in[0][b * 2 + s];
        return std::vector{d};
      });
}

TEST_CASE("grid_sample: a gradient of as many positions, all about the same texels, and of as many channels" * doctest::skip(compiles_only())) {
  check_longest(
      "grid_to_texels=grid_to_texels", [](std::int64_t n) { return std::vector{random({1, 1, 1, n}), random({1, 1, n, 2}, -1.4, 1.4, 2)}; },
      [](Graph& graph, const Tensors& in) {
        const Tensor x = graph.constant({1, 1, 2, 4}, std::vector<float>(8, 0.0f));
        return grad(grid_sample(x, in[1]), {x}, {.seed = in[0]});
      },
      [](const auto& in) {
        using T = Element<decltype(in[0])>;
        std::decay_t<decltype(in[0])> dx(Shape{1, 1, 2, 4});
        for (std::int64_t i = 0; i < in[0].size(); ++i) {
          const T u = ((in[1][2 * i] + 1) * 4 - 1) / 2, v = ((in[1][2 * i + 1] + 1) * 2 - 1) / 2;
          for (std::int64_t t = 0; t < 8; ++t)
            dx[t] += std::max(T(0), 1 - std::abs(u - static_cast<T>(t % 4))) * std::max(T(0), 1 - std::abs(v - static_cast<T>(t / 4))) * in[0][i];
        }
        return std::vector{dx};
      },
      64);
  // Points at columns 0.25, 0.75, 1.75 and 2.25 of one row of four texels, below which all is 0.
  check_longest(
      "grid_to_points=grid_to_points",
      [](std::int64_t n) { return std::vector{random({1, n, 1, 4}), random({1, n, 1, 4}, -1, 1, 2), values({1, 1, 4, 2}, {-0.625, 0, -0.375, 0, 0.125, 0, 0.375, 0})}; },
      [](Graph&, const Tensors& in) { return grad(grid_sample(in[0], in[2]), {in[2]}, {.seed = in[1]}); },
      [](const auto& in) {
        std::decay_t<decltype(in[0])> d(Shape{1, 1, 4, 2});
        using T = Element<decltype(in[0])>;
        const std::int64_t left[] = {0, 0, 1, 2};
        const T right[] = {T(0.25), T(0.75), T(0.75), T(0.25)};
        for (std::int64_t c = 0; c < in[0].dim(1); ++c)
          for (std::int64_t i = 0; i < 4; ++i) {
            const T a = in[0][4 * c + left[i]], b = in[0][4 * c + left[i] + 1];
            d[2 * i] += in[1][4 * c + i] * (b - a) * 2;
            d[2 * i + 1] -= in[1][4 * c + i] * (a + right[i] * (b - a)) / 2;
          }
        return std::vector{d};
      });
}

TEST_CASE("scatter: as many updates, nearly all of them of one element" * doctest::skip(compiles_only())) {
  check_longest(
      "scatter=scatter",
      [](std::int64_t n) {
        Operand index = random_i32({n}, 0, 400);
        for (double& at : index.array.values) at = std::max(at - 390, 0.0);
        return std::vector{random({11}), index, random({n}, -1, 1, 2)};
      },
      [](Graph&, const Tensors& in) { return Tensors{index_add(in[0], in[1], in[2])}; },
      [](const auto& in) {
        auto y = in[0];
        for (std::int64_t i = 0; i < in[1].size(); ++i) y[static_cast<std::int64_t>(in[1][i])] += in[2][i];
        return std::vector{y};
      });
}

TEST_CASE("a reduction of short runs, and running sums of rows as long" * doctest::skip(compiles_only())) {
  check_longest(
      "reduce=reduce_lane", [](std::int64_t n) { return std::vector{random({n, 256, 3})}; },
      [](Graph&, const Tensors& in) { return Tensors{reduce(Reduce::variance, in[0], {.axes = {0, 2}, .correction = 0})}; },
      [](const auto& in) {
        using T = Element<decltype(in[0])>;
        std::decay_t<decltype(in[0])> y(Shape{256});
        const std::int64_t n = in[0].dim(0);
        for (std::int64_t o = 0; o < 256; ++o) {
          T mean = 0;
          for (std::int64_t i = 0; i < 3 * n; ++i) mean += in[0].at({i / 3, o, i % 3}) / static_cast<T>(3 * n);
          for (std::int64_t i = 0; i < 3 * n; ++i) y[o] += (in[0].at({i / 3, o, i % 3}) - mean) * (in[0].at({i / 3, o, i % 3}) - mean) / static_cast<T>(3 * n);
        }
        return std::vector{y};
      });
  check_longest(
      "cumulative_sum=cumulative_sum_row", [](std::int64_t n) { return std::vector{random({n, 64})}; },
      [](Graph&, const Tensors& in) { return Tensors{cumulative_sum(in[0], {.axis = 0})}; },
      [](const auto& in) {
        auto y = in[0];
        for (std::int64_t i = 64; i < y.size(); ++i) y[i] += y[i - 64];
        return std::vector{y};
      });
}

TEST_CASE("products and a convolution with as many channels" * doctest::skip(compiles_only())) {
  for (const char* kernel : {"matmul=matmul_row", "matmul=matmul_tile"})
    check_longest(
        kernel, [](std::int64_t n) { return std::vector{random({1, n}), random({n, 3}, -1, 1, 2)}; },
        [](Graph&, const Tensors& in) { return Tensors{matmul(in[0], in[1])}; },
        [](const auto& in) {
          std::decay_t<decltype(in[0])> y(Shape{1, 3});
          for (std::int64_t i = 0; i < in[1].size(); ++i) y[i % 3] += in[0][i / 3] * in[1][i];
          return std::vector{y};
        });
  check_longest(
      "conv2d=conv2d_direct", [](std::int64_t n) { return std::vector{random({1, n, 3, 9}), random({1, n, 3, 8}, -1, 1, 2)}; },
      [](Graph&, const Tensors& in) { return Tensors{conv2d(in[0], in[1])}; },
      [](const auto& in) {
        std::decay_t<decltype(in[0])> y(Shape{1, 1, 1, 2});
        for (std::int64_t i = 0; i < in[1].size(); ++i)
          for (std::int64_t o = 0; o < 2; ++o) y[o] += in[0][i / 8 * 9 + i % 8 + o] * in[1][i];
        return std::vector{y};
      });
}

TEST_CASE("offsets whose gradient is summed over as many channels" * doctest::skip(compiles_only())) {
  // Pixel (0.25, 0.5) of a picture of 2 x 2.
  check_longest(
      "deform_slopes=deform_slopes",
      [](std::int64_t n) { return std::vector{random({1, n, 2, 2}), values({1, 2, 1, 1}, {0.25, 0.5}), random({1, n, 1, 1}, -1, 1, 2)}; },
      [](Graph&, const Tensors& in) {
        const Tensor y = deform_conv2d(in[0], in[1], in[2], {.stride = {2, 2}});
        return grad(y, {in[1]});
      },
      [](const auto& in) {
        std::decay_t<decltype(in[0])> d(Shape{1, 2, 1, 1});
        for (std::int64_t c = 0; c < in[2].size(); ++c) {
          const auto x = [&](std::int64_t t) { return in[0][4 * c + t]; };
          d[0] += in[2][c] * ((x(2) - x(0)) + (x(3) - x(1))) / 2;
          d[1] += in[2][c] * ((x(1) - x(0)) * 3 + (x(3) - x(2))) / 4;
        }
        return std::vector{d};
      });
}

TEST_CASE("regions with as many samples a bin as there may be" * doctest::skip(compiles_only())) {
  check("roi_align", {random({1, 1, 3, 4}), values({2, 4}, {0, 0.5, 2.5, 2, 1, 1, 3, 2}), values({2}, {0, 0}, DType::i32)},
        [](Graph&, const Tensors& in) { return Tensors{roi_align(in[0], in[1], in[2], {.bins = {2, 2}, .samples = 255})}; },
        [](const auto& in) {
          using T = Element<decltype(in[0])>;
          std::decay_t<decltype(in[0])> y(Shape{2, 1, 2, 2});
          for (std::int64_t o = 0; o < 8; ++o) {
            const auto place = [&](int axis, std::int64_t s) {
              const T low = in[1][o / 4 * 4 + axis], bin = (in[1][o / 4 * 4 + axis + 2] - low) / 2;
              return low + bin * (static_cast<T>(axis == 0 ? o % 2 : o / 2 % 2) + (static_cast<T>(s) + T(0.5)) / 255);
            };
            for (std::int64_t s = 0; s < 255 * 255; ++s)
              for (std::int64_t t = 0; t < 12; ++t)
                y[o] += std::max(T(0), 1 - std::abs(place(0, s % 255) - static_cast<T>(t % 4))) *
                        std::max(T(0), 1 - std::abs(place(1, s / 255) - static_cast<T>(t / 4))) * in[0][t] / (255 * 255);
          }
          return std::vector{y};
        },
        {.f16 = false, .extra_ulps = 64});
}

}  // namespace fovea::test
