#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

void check_unfold(const Operand& x, const UnfoldDesc& desc) {
  INFO(to_string(x.array.shape));
  check(
      "unfold", {x}, [&](Graph&, const auto& in) { return std::vector{unfold(in[0], desc)}; },
      [&](const auto& in) {
        const auto& p = in[0];
        const std::int64_t N = p.dim(0), C = p.dim(1), H = p.dim(2), W = p.dim(3), kh = desc.kernel[0],
                           kw = desc.kernel[1];
        const auto [top, left, bottom, right] = desc.padding;
        const std::int64_t Ho = (H + top + bottom - desc.dilation[0] * (kh - 1) - 1) / desc.stride[0] + 1;
        const std::int64_t Wo = (W + left + right - desc.dilation[1] * (kw - 1) - 1) / desc.stride[1] + 1;
        std::decay_t<decltype(p)> y(Shape{N, C * kh * kw, Ho * Wo});
        std::int64_t to = 0;
        for (std::int64_t n = 0; n < N; ++n)
          for (std::int64_t c = 0; c < C; ++c)
            for (std::int64_t ky = 0; ky < kh; ++ky)
              for (std::int64_t kx = 0; kx < kw; ++kx)
                for (std::int64_t oy = 0; oy < Ho; ++oy)
                  for (std::int64_t ox = 0; ox < Wo; ++ox, ++to) {
                    const std::int64_t iy = oy * desc.stride[0] - top + ky * desc.dilation[0];
                    const std::int64_t ix = ox * desc.stride[1] - left + kx * desc.dilation[1];
                    if (iy >= 0 && iy < H && ix >= 0 && ix < W) y[to] = p.at({n, c, iy, ix});
                  }
        return std::vector{y};
      },
      {.exact = true, .gradient = x.dtype == DType::f32});
}

}  // namespace

TEST_CASE("unfold: kernels, strides, dilations and paddings") {
  const auto x = random({2, 3, 7, 6});
  check_unfold(x, {});
  check_unfold(x, {.kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 1, 1, 1}});
  check_unfold(x, {.kernel = {3, 3}});
  check_unfold(x, {.kernel = {2, 3}, .stride = {1, 2}, .dilation = {3, 2}});
  check_unfold(x, {.kernel = {3, 3}, .stride = {3, 1}, .dilation = {2, 3}, .padding = {2, 0, 1, 4}});
  check_unfold(x, {.kernel = {7, 6}});
  check_unfold(x, {.kernel = {1, 1}, .stride = {4, 5}});
  check_unfold(random({1, 4, 8, 16}), {.kernel = {2, 4}, .stride = {2, 4}});
}

TEST_CASE("unfold: one pixel, no images, no channels, integers") {
  check_unfold(random({1, 1, 1, 1}), {.kernel = {3, 3}, .padding = {1, 1, 1, 1}});
  check_unfold(random({0, 3, 4, 4}), {.kernel = {2, 2}});
  check_unfold(random({2, 0, 4, 4}), {.kernel = {2, 2}, .padding = {1, 0, 0, 0}});
  check_unfold(random_i32({1, 2, 4, 5}, -2'000'000'000, 2'000'000'000), {.kernel = {2, 2}, .padding = {1, 1, 0, 0}});
}

TEST_CASE("unfold: errors name the axis and the attribute") {
  const auto with = [](Shape shape, UnfoldDesc desc) {
    return [=](Graph& graph) { unfold(graph.input("x", shape), desc); };
  };
  check_error(with({3, 4, 4}, {}), {"unfold", "[3,4,4] has 3 axes, not 4", "unfold.cpp"});
  check_error(with({1, 1, 4, 4}, {.kernel = {0, 1}}), {"unfold", "kernel 0"});
  check_error(with({1, 1, 4, 4}, {.stride = {1, 0}}), {"unfold", "stride 0"});
  check_error(with({1, 1, 4, 4}, {.dilation = {-1, 1}}), {"unfold", "dilation -1"});
  check_error(with({1, 1, 4, 4}, {.padding = {0, 0, -1, 0}}), {"unfold", "padding -1"});
  check_error(with({1, 1, 4, 4}, {.kernel = {1, 3}, .dilation = {1, 2}}),
              {"unfold", "axis 3 of x has 4", "reaches over 5"});
}

}  // namespace fovea::test
