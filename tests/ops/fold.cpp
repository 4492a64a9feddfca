#include "tests/support/check.hpp"
#include "tests/support/rows.hpp"

namespace fovea::test {
namespace {

using namespace rows;
const Rows of_fold{
    {{"fold", {real({1, 8, 9})}, [](auto& in) { fold(in[0], {.size = {4, 4}, .kernel = {2, 2}}); }}},
    {{"fold", [](Source& x) { fold(x({1, 4, 4, 1}), {}); }, {"fold", "[1,4,4,1] has 4 axes, not 3"}},
     {"fold", [](Source& x) { fold(x({1, 4, 9}), {.size = {-1, 3}}); }, {"fold", "size -1"}},
     {"fold", [](Source& x) { fold(x({1, 4, 9}), {.size = {3, 3}, .kernel = {0, 1}}); }, {"fold", "kernel 0"}},
     {"fold", [](Source& x) { fold(x({1, 4, 9}), {.size = {3, 3}, .stride = {1, 0}}); }, {"fold", "stride 0"}},
     {"fold", [](Source& x) { fold(x({1, 5, 4}), {.size = {3, 3}, .kernel = {2, 2}}); }, {"fold", "axis 1 of x has 5", "the kernel's 4 taps"}},
     {"fold", [](Source& x) { fold(x({1, 4, 5}), {.size = {3, 3}, .kernel = {2, 2}}); }, {"fold", "axis 2 of x has 5 windows", "3 x 3 has 2 x 2"}},
     {"fold", [](Source& x) { fold(x({1, 4, 1}), {.size = {1, 3}, .kernel = {2, 2}}); }, {"fold", "axis 2 of the result has 1", "reaches over 2"}}}};

// Every tap of every window is added to the pixel it stands on.
void check_fold(std::int64_t images, std::int64_t channels, const FoldDesc& desc, bool f16 = true) {
  const std::int64_t H = desc.size[0], W = desc.size[1];
  const auto [kh, kw] = desc.kernel;
  const auto [top, left, bottom, right] = desc.padding;
  const std::int64_t Ho = (H + top + bottom - desc.dilation[0] * (kh - 1) - 1) / desc.stride[0] + 1;
  const std::int64_t Wo = (W + left + right - desc.dilation[1] * (kw - 1) - 1) / desc.stride[1] + 1;
  INFO(H, " x ", W, ", windows ", Ho, " x ", Wo);
  check(
      "fold", {random({images, channels * kh * kw, Ho * Wo})}, [&](Graph&, const auto& in) { return std::vector{fold(in[0], desc)}; },
      [&](const auto& in) {
        const auto& x = in[0];
        std::decay_t<decltype(x)> y(Shape{images, channels, desc.size[0], desc.size[1]});
        std::int64_t from = 0;
        for (std::int64_t n = 0; n < images; ++n)
          for (std::int64_t c = 0; c < channels; ++c)
            for (std::int64_t ky = 0; ky < desc.kernel[0]; ++ky)
              for (std::int64_t kx = 0; kx < desc.kernel[1]; ++kx)
                for (std::int64_t oy = 0; oy < Ho; ++oy)
                  for (std::int64_t ox = 0; ox < Wo; ++ox, ++from) {
                    const std::int64_t iy = oy * desc.stride[0] - desc.padding[0] + ky * desc.dilation[0];
                    const std::int64_t ix = ox * desc.stride[1] - desc.padding[1] + kx * desc.dilation[1];
                    if (iy >= 0 && iy < desc.size[0] && ix >= 0 && ix < desc.size[1]) y.at({n, c, iy, ix}) += x[from];
                  }
        return std::vector{y};
      },
      {.f16 = f16, .gradient = true});
}

}  // namespace

TEST_CASE("fold: kernels, strides, dilations and paddings") {
  check_fold(2, 3, {.size = {7, 6}});
  check_fold(2, 3, {.size = {7, 6}, .kernel = {3, 2}, .stride = {2, 2}, .padding = {1, 1, 1, 1}});
  check_fold(1, 2, {.size = {5, 9}, .kernel = {3, 3}}, false);
  check_fold(1, 2, {.size = {9, 11}, .kernel = {2, 3}, .stride = {1, 2}, .dilation = {3, 2}}, false);
  check_fold(1, 2, {.size = {8, 7}, .kernel = {3, 3}, .stride = {3, 1}, .dilation = {2, 3}, .padding = {2, 0, 1, 4}}, false);
  check_fold(2, 1, {.size = {7, 6}, .kernel = {7, 6}}, false);
  check_fold(1, 4, {.size = {8, 16}, .kernel = {2, 4}, .stride = {2, 4}}, false);
}

TEST_CASE("fold: pixels that no window sees, pictures that are all padding, no images, no channels") {
  check_fold(1, 2, {.size = {6, 9}, .kernel = {1, 2}, .stride = {4, 5}}, false);
  check_fold(1, 1, {.size = {1, 1}, .kernel = {3, 3}, .padding = {1, 1, 1, 1}}, false);
  check_fold(1, 2, {.size = {2, 0}, .kernel = {2, 2}, .padding = {0, 1, 0, 1}}, false);
  check_fold(0, 3, {.size = {4, 4}, .kernel = {2, 2}}, false);
  check_fold(2, 0, {.size = {4, 4}, .kernel = {2, 2}}, false);
}

}  // namespace fovea::test
