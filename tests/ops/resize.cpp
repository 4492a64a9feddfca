#include "tests/support/check.hpp"
#include "tests/support/resize.hpp"

#include <cmath>

namespace fovea::test {
namespace {

// One axis after the other, over all pixels.
template <class T>
Array<T> resized(const Array<T>& x, const ResizeDesc& desc) {
  Array<T> from = x;
  const int axes = static_cast<int>(desc.size.size()), outer = x.shape.rank() - axes;
  for (int axis = 0; axis < axes; ++axis) {
    Shape shape = from.shape;
    const std::int64_t n = shape[outer + axis], m = desc.size[static_cast<std::size_t>(axis)];
    shape[outer + axis] = m;
    Array<T> to(shape);
    for (std::int64_t i = 0; i < to.size(); ++i) {
      auto index = unflatten(i, shape);
      auto& at = index[static_cast<std::size_t>(outer + axis)];
      const auto w = resize_weights(resize_place(at, n, m, desc.coordinates), n, m, desc);
      T sum = 0;
      for (at = 0; at < n; ++at)
        if (const double weight = w[static_cast<std::size_t>(at)]; weight != 0)
          sum += static_cast<T>(weight) * from[broadcast_offset(index, from.shape)];
      to[i] = sum;
    }
    from = to;
  }
  return from;
}

void check_resize(const Operand& x, const ResizeDesc& desc, CheckOptions options = {.gradient = true}) {
  INFO(to_string(x.array.shape), " ", std::string(to_string(desc.interpolation)), " ",
       std::string(to_string(desc.coordinates)), " ", std::string(to_string(desc.rounding)));
  check(
      "separable", {x}, [&](Graph&, const auto& in) { return std::vector{resize(in[0], desc)}; },
      [&](const auto& in) { return std::vector{resized(in[0], desc)}; }, options);
}

}  // namespace

TEST_CASE("resize: linear and cubic, up and down, every place of pixels") {
  for (const auto interpolation : {Interpolation::linear, Interpolation::cubic})
    for (const auto coordinates : {ResizeCoordinates::half_pixel, ResizeCoordinates::pytorch_half_pixel,
                                   ResizeCoordinates::align_corners, ResizeCoordinates::asymmetric}) {
      check_resize(random({2, 2, 5, 7}), {.size = {11, 3}, .interpolation = interpolation, .coordinates = coordinates});
      check_resize(random({1, 3, 4, 6}), {.size = {1, 9}, .interpolation = interpolation, .coordinates = coordinates});
    }
}

TEST_CASE("resize: nearest takes the pixel that its rounding says, exactly") {
  for (const auto rounding : {ResizeRounding::prefer_floor, ResizeRounding::prefer_ceil, ResizeRounding::floor, ResizeRounding::ceil})
    for (const auto coordinates : {ResizeCoordinates::half_pixel, ResizeCoordinates::align_corners, ResizeCoordinates::asymmetric}) {
      const ResizeDesc desc{.size = {5, 12}, .interpolation = Interpolation::nearest, .coordinates = coordinates, .rounding = rounding};
      check_resize(random({2, 3, 10, 8}), desc, {.exact = true});
    }
  check_resize(random({2, 3, 5, 4}), {.size = {10, 12}, .interpolation = Interpolation::nearest});
}

TEST_CASE("resize: antialiasing, with the edge repeated and left out") {
  for (const auto interpolation : {Interpolation::linear, Interpolation::cubic})
    for (const bool exclude : {false, true}) {
      check_resize(random({1, 2, 17, 9}), {.size = {6, 11}, .interpolation = interpolation, .antialias = true, .exclude_outside = exclude});
      check_resize(random({1, 1, 40, 37}),  // one axis after the other
                   {.size = {3, 2}, .interpolation = interpolation, .antialias = true, .exclude_outside = exclude, .cubic_a = -0.5},
                   {.gradient = true});
    }
  check_resize(random({1, 2, 5, 4}), {.size = {9, 3}, .interpolation = Interpolation::cubic, .exclude_outside = true, .cubic_a = -0.5});
}

TEST_CASE("resize: one and three axes, any number before them, and none of them changed") {
  check_resize(random({9}), {.size = {17}});
  check_resize(random({2, 3, 9}), {.size = {4}});
  check_resize(random({1, 2, 3, 4, 5}), {.size = {5, 3, 8}});
  check_resize(random({1, 2, 3, 4, 5}), {.size = {2, 4, 3}, .interpolation = Interpolation::nearest});
  check_resize(random({2, 3, 4, 5}), {.size = {4, 5}}, {.exact = true, .gradient = true});
  check_resize(random({3, 300}), {.size = {129}});
}

TEST_CASE("resize: empty batches and results") {
  check_resize(random({0, 3, 4, 4}), {.size = {2, 2}}, {});
  check_resize(random({2, 3, 4, 4}), {.size = {0, 2}}, {});
}

TEST_CASE("resize: scales give extents by rounding down, and their own coordinates") {
  // torch.nn.functional.interpolate(arange(5.), scale_factor=1.7): places (i + 1/2)/1.7 - 1/2 of 8 pixels.
  check(
      "separable", {values({1, 1, 5}, {0, 1, 2, 3, 4})},
      [](Graph&, const auto& in) { return std::vector{resize(in[0], {.scale = {1.7}})}; },
      [](const auto& in) {
        std::decay_t<decltype(in[0])> y(Shape{1, 1, 8});
        using T = std::decay_t<decltype(y[0])>;
        for (std::int64_t i = 0; i < 8; ++i)
          y[i] = static_cast<T>(std::min(4.0, std::max(0.0, (static_cast<double>(i) + 0.5) / 1.7 - 0.5)));
        return std::vector{y};
      });
  // Five pixels as 2.5: the symmetric places are those of half_pixel moved by 5/2·(1 - 2/2.5) = 1/2.
  check(
      "separable", {values({5}, {0, 1, 2, 3, 4})},
      [](Graph&, const auto& in) {
        return std::vector{resize(in[0], {.scale = {0.5}, .coordinates = ResizeCoordinates::half_pixel_symmetric})};
      },
      [](const auto& in) { return std::vector{std::decay_t<decltype(in[0])>({2}, {1, 3})}; });
}

TEST_CASE("resize: errors name the axis and the value") {
  const auto with = [](Shape x, ResizeDesc desc, DType dtype = DType::f32) {
    return [=](Graph& graph) { resize(graph.input("x", x, dtype), desc); };
  };
  check_error(with({1, 2, 4, 4}, {.size = {2, 2}}, DType::i32), {"resize", "x is i32", "resize.cpp"});
  check_error(with({1, 2, 4, 4}, {}), {"resize", "0 axes"});
  check_error(with({2, 2, 2, 2, 2}, {.size = {1, 1, 1, 1}}), {"resize", "4 axes"});
  check_error(with({4}, {.size = {2, 2}}), {"resize", "[4] has no 2 axes"});
  check_error(with({1, 4, 4}, {.size = {2, 2}, .scale = {2}}), {"resize", "2 extents and 1 scales"});
  check_error(with({1, 0, 4}, {.size = {2, 2}}), {"resize", "axis 1 of x [1,0,4] is empty"});
  check_error(with({1, 4, 4}, {.size = {2, -1}}), {"resize", "extent -1 of axis 2"});
  check_error(with({1, 4, 4}, {.scale = {2, 0}}), {"resize", "scale 0 of axis 2"});
  check_error(with({1, std::int64_t{1} << 40}, {.size = {2}}), {"resize", "axis 1 of x [1,1099511627776]", "2^30"});
}

TEST_CASE("resize: a size and a scale that contradict each other are refused, with both") {
  const auto refused = [](Shape x, ResizeDesc desc, std::vector<std::string> texts) {
    check_error([=](Graph& graph) { resize(graph.input("x", x), desc); }, texts);
  };
  refused({4}, {.size = {2}, .scale = {0.25}, .coordinates = ResizeCoordinates::align_corners},
          {"resize", "extent 2 of axis 0 is not the 4 of x times scale 0.25"});
  refused({1, 4, 4}, {.size = {3, 4}, .scale = {1e-17, 1}}, {"resize", "extent 3 of axis 1", "scale 1e-17"});
  refused({4}, {.size = {3}, .scale = {1e-10}, .antialias = true}, {"resize", "extent 3 of axis 0", "scale 1e-10"});
  refused({4}, {.size = {1}, .scale = {1e-10}, .antialias = true}, {"resize", "extent 1 of axis 0", "scale 1e-10"});
  refused({5}, {.size = {2}, .scale = {0.65}}, {"resize", "extent 2 of axis 0", "5 of x times scale 0.65"});  // 3.25
  refused({5}, {.size = {3}, .scale = {0.49}}, {"resize", "extent 3 of axis 0", "5 of x times scale 0.49"});  // 2.45
  // The corners of three pixels as 1.5 lie four pixels apart.
  refused({3}, {.size = {2}, .scale = {0.5}, .coordinates = ResizeCoordinates::align_corners, .exclude_outside = true},
          {"resize", "pixel 1 of axis 0", "x [3]"});
}

TEST_CASE("resize: a size is the scale's, rounded down or to the nearest, and the scale gives the places") {
  // arange(5) by 0.5 or 0.7: places (i + 1/2)/s - 1/2, the last of three pixels at the edge.
  for (const auto& [m, scale] : {std::pair<std::int64_t, double>{2, 0.5}, {3, 0.5}, {3, 0.7f}, {4, 0.7f}, {3, 0.6f}, {3, 0.59999999}})
    check(
        "separable", {values({5}, {0, 1, 2, 3, 4})},
        [&](Graph&, const auto& in) { return std::vector{resize(in[0], {.size = {m}, .scale = {scale}})}; },
        [&](const auto& in) {
          std::decay_t<decltype(in[0])> y(Shape{m});
          using T = std::decay_t<decltype(y[0])>;
          for (std::int64_t i = 0; i < m; ++i)
            y[i] = static_cast<T>(std::clamp((static_cast<double>(i) + 0.5) / scale - 0.5, 0.0, 4.0));
          return std::vector{y};
        });
}

}  // namespace fovea::test
