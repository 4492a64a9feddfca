#include "tests/support/activation.hpp"
#include "tests/support/check.hpp"

#include <fovea/autodiff.hpp>

#include <cmath>
#include <limits>

using namespace fovea;
using namespace fovea::test;

namespace {

// Seven loops from the definition, and the activation.
template <class T>
Array<T> naive(const std::vector<Array<T>>& in, const Conv2dDesc& desc, bool bias) {
  const Array<T>&x = in[0], &w = in[1];
  const std::int64_t group_in = w.dim(1), group_out = w.dim(0) / desc.groups;
  const auto extent = [&](int i) {
    const auto a = static_cast<std::size_t>(i);
    return (x.dim(2 + i) + desc.padding[a] + desc.padding[a + 2] - desc.dilation[a] * (w.dim(2 + i) - 1) - 1) / desc.stride[a] + 1;
  };
  Array<T> y(Shape{x.dim(0), w.dim(0), extent(0), extent(1)});
  for (std::int64_t n = 0; n < y.dim(0); ++n)
    for (std::int64_t o = 0; o < y.dim(1); ++o)
      for (std::int64_t i = 0; i < y.dim(2); ++i)
        for (std::int64_t j = 0; j < y.dim(3); ++j) {
          T sum = bias ? in[2][o] : T(0);
          for (std::int64_t c = 0; c < group_in; ++c)
            for (std::int64_t u = 0; u < w.dim(2); ++u)
              for (std::int64_t v = 0; v < w.dim(3); ++v) {
                const std::int64_t iy = i * desc.stride[0] + u * desc.dilation[0] - desc.padding[0];
                const std::int64_t ix = j * desc.stride[1] + v * desc.dilation[1] - desc.padding[1];
                if (iy >= 0 && ix >= 0 && iy < x.dim(2) && ix < x.dim(3))
                  sum += w.at({o, c, u, v}) * x.at({n, o / group_out * group_in + c, iy, ix});
              }
          y.at({n, o, i, j}) = activated(desc.activation, sum);
        }
  return y;
}

void check_conv(const test::Operand& x, Shape w, const Conv2dDesc& desc, bool bias = false, bool f16 = true) {
  INFO(to_string(x.array.shape), " * ", to_string(w));
  std::vector<test::Operand> inputs{x, random(w, -1, 1, 2)};
  if (bias) inputs.push_back(random({w[0]}, -1, 1, 3));
  check("conv2d", inputs,
        [&](Graph&, const std::vector<Tensor>& in) {
          Conv2dDesc with = desc;
          if (bias) with.bias = in[2];
          return std::vector<Tensor>{conv2d(in[0], in[1], with)};
        },
        // An activation adds an exponential (3 + 2|x| ulp) and a division (2.5 ulp).
        [&](const auto& in) { return std::vector{naive(in, desc, bias)}; },
        {.f16 = f16, .extra_ulps = desc.activation == Activation::none ? 4.0 : 16.0});
}
void check_conv(Shape x, Shape w, const Conv2dDesc& desc, bool bias = false, bool f16 = true) {
  check_conv(random(x, -1, 1, 1), w, desc, bias, f16);
}

}  // namespace

TEST_CASE("strides, paddings, dilations and kernels of odd sizes") {
  check_conv({1, 1, 1, 1}, {1, 1, 1, 1}, {});
  check_conv({2, 3, 7, 9}, {5, 3, 3, 3}, {.padding = {1, 1, 1, 1}}, true);
  check_conv({1, 4, 11, 8}, {9, 4, 3, 2}, {.stride = {2, 3}, .padding = {0, 2, 1, 0}});
  check_conv({1, 2, 13, 12}, {17, 2, 3, 3}, {.padding = {2, 3, 2, 3}, .dilation = {2, 3}}, true);
  check_conv({3, 2, 5, 6}, {3, 2, 5, 6}, {});
  check_conv({1, 3, 40, 37}, {8, 3, 7, 1}, {.stride = {1, 2}, .padding = {3, 0, 3, 0}});
}

TEST_CASE("groups, depthwise, and more channels than one tile") {
  check_conv({2, 6, 5, 5}, {9, 2, 3, 3}, {.padding = {1, 1, 1, 1}, .groups = 3}, true);
  check_conv({1, 19, 6, 7}, {19, 1, 3, 3}, {.padding = {1, 1, 1, 1}, .groups = 19});
  check_conv({1, 4, 6, 7}, {8, 1, 3, 3}, {.groups = 4});
  check_conv({1, 33, 17, 19}, {33, 33, 1, 1}, {}, true);
}

TEST_CASE("a texel that is not finite reaches the windows that hold it, and none that has padding in its place") {
  test::Operand x = random({1, 2, 9, 10}, -1, 1, 1);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const auto& [at, value] : {std::pair{0, infinity}, {9, -infinity}, {89, infinity}, {90 + 80, std::nan("")}})
    x.array.values[static_cast<std::size_t>(at)] = value;
  check_conv(x, {5, 2, 3, 3}, {.padding = {1, 1, 1, 1}});
  check_conv(x, {3, 2, 3, 3}, {.stride = {3, 3}, .padding = {4, 4, 4, 4}}, true);
  check_conv(x, {4, 1, 2, 3}, {.padding = {1, 2, 1, 2}, .dilation = {2, 2}, .groups = 2});
}

TEST_CASE("a window that lies in the padding alone sees zeros") {
  check_conv({1, 1, 2, 2}, {1, 1, 2, 2}, {.stride = {3, 3}, .padding = {4, 4, 4, 4}}, true);
}

TEST_CASE("no images give no output, no input channels give the bias") {
  check_conv({0, 3, 4, 4}, {2, 3, 3, 3}, {});
  check_conv({1, 0, 4, 4}, {2, 0, 3, 3}, {}, true);
}

TEST_CASE("rows of every length beside a run of pixels, channels of every count beside a tile") {
  for (std::int64_t width : {1, 2, 3, 5, 9, 12, 17}) check_conv({2, 2, 3, width}, {4, 2, 3, 3}, {.padding = {1, 1, 1, 1}}, true, false);
  for (std::int64_t channels : {1, 2, 3, 5, 15, 16, 20}) check_conv({1, 3, 4, 8}, {channels, 3, 2, 2}, {}, false, false);
}

TEST_CASE("taps near and far: input columns shared between pixels, and not") {
  check_conv({1, 2, 4, 21}, {4, 2, 1, 2}, {.dilation = {1, 5}}, false, false);   // no column twice
  check_conv({1, 2, 4, 31}, {4, 2, 1, 3}, {.stride = {1, 3}, .dilation = {1, 3}}, false, false);
  check_conv({1, 2, 4, 31}, {4, 2, 1, 3}, {.stride = {1, 7}}, false, false);
  check_conv({1, 2, 3, 30}, {4, 2, 2, 8}, {.padding = {0, 3, 0, 4}}, false, false);  // more taps than are unrolled
  check_conv({1, 2, 3, 40}, {1, 2, 1, 11}, {.stride = {1, 2}, .padding = {0, 5, 0, 5}}, true, false);
  check_conv({1, 2, 2, 3}, {4, 2, 2, 3}, {.stride = {1 << 29, 1 << 30}, .padding = {1, 1, 1, 1}}, false, false);
}

TEST_CASE("a window of one pixel is a product, with groups, bias and activation") {
  check_conv({2, 6, 3, 5}, {4, 3, 1, 1}, {.groups = 2, .activation = Activation::tanh}, true);
  check_conv({3, 5, 4, 4}, {7, 5, 1, 1}, {}, false);
  check_conv({2, 4, 5, 7}, {6, 4, 1, 1}, {.stride = {2, 2}}, true, false);  // not every pixel: not one
  check_conv({2, 4, 3, 3}, {6, 4, 1, 1}, {.padding = {0, 1, 0, 0}}, true, false);
}

TEST_CASE("every activation, after the bias") {
  for (Activation activation : all_activations)
    check_conv({1, 3, 4, 5}, {4, 3, 3, 3}, {.padding = {1, 1, 1, 1}, .activation = activation}, true, activation == Activation::gelu);
}

TEST_CASE("a bias and an activation that follow are taken into the same launch, with the same result") {
  check("conv2d", {random({2, 3, 5, 6}), random({4, 3, 2, 2}), random({4})},
        [](Graph&, const std::vector<Tensor>& in) {
          return std::vector{unary(Unary::relu, conv2d(in[0], in[1]) + reshape(in[2], {1, 4, 1, 1}))};
        },
        [](const auto& in) { return std::vector{naive(in, {.activation = Activation::relu}, true)}; },
        {.f16 = false});  // the decomposition's product is stored, and so rounded, before the sum
}

TEST_CASE("more input channels than one invocation may loop over on some drivers") {
  check_conv({1, 20000, 2, 2}, {2, 20000, 2, 8}, {.padding = {0, 3, 0, 4}}, false, false);
}

TEST_CASE("the weight's gradient where the columns of all images, or of one, are too many to hold") {
  const auto check_weight = [](Shape x, Shape w, const Conv2dDesc& desc) {
    Array<double> shape_of_y = naive<double>({random(x).array, random(w).array}, desc, false);
    const Shape y = shape_of_y.shape;
    check("conv2d", {random(x, -1, 1, 1), random(w, -1, 1, 2), random(y, -1, 1, 3)},
          [&](Graph&, const std::vector<Tensor>& in) { return grad(conv2d(in[0], in[1], desc), {in[1]}, {.seed = in[2]}); },
          [&](const auto& in) {  // d is what multiplies each tap of each window
            std::decay_t<decltype(in[0])> dw(w);
            for (std::int64_t n = 0; n < y[0]; ++n)
              for (std::int64_t t = 0; t < w.elements(); ++t)
                for (std::int64_t i = 0; i < y[2]; ++i)
                  for (std::int64_t j = 0; j < y[3]; ++j) {
                    const std::int64_t o = t / (w[1] * w[2] * w[3]), c = t / (w[2] * w[3]) % w[1], u = t / w[3] % w[2], v = t % w[3];
                    const std::int64_t a = i * desc.stride[0] + u * desc.dilation[0] - desc.padding[0];
                    const std::int64_t b = j * desc.stride[1] + v * desc.dilation[1] - desc.padding[1];
                    if (a >= 0 && b >= 0 && a < x[2] && b < x[3])
                      dw[t] += in[2][((n * y[1] + o) * y[2] + i) * y[3] + j] * in[0][((n * x[1] + c) * x[2] + a) * x[3] + b];
                  }
            return std::vector{dw};
          },
          {.f16 = false});
  };
  check_weight({3, 8, 310, 300}, {1, 8, 3, 3}, {.padding = {1, 1, 1, 1}});                       // 80 MB, 27 an image
  check_weight({1, 12, 420, 300}, {1, 12, 3, 4}, {.padding = {9, 0, 7, 3}, .dilation = {2, 1}});  // 74 MB
}

TEST_CASE("what does not fit is named") {
  const auto refused = [](Shape x, Shape w, const Conv2dDesc& desc, std::vector<std::string> texts) {
    check_error([&](Graph& graph) { conv2d(graph.input("x", x), graph.input("w", w), desc); }, texts);
  };
  refused({3, 4, 4}, {1, 3, 1, 1}, {}, {"conv2d", "x [3,4,4] is not [N,C,H,W]"});
  refused({1, 3, 4, 4}, {1, 3, 1}, {}, {"weight [1,3,1] is not"});
  refused({1, 3, 4, 4}, {1, 2, 1, 1}, {}, {"weight takes 2 channels a group and x has 3 / 1 = 3"});
  refused({1, 3, 4, 4}, {4, 1, 1, 1}, {.groups = 2}, {"groups 2 does not divide x's 3 channels"});
  refused({1, 4, 4, 4}, {3, 2, 1, 1}, {.groups = 2}, {"groups 2 does not divide weight's 3 output channels"});
  refused({1, 3, 4, 4}, {1, 3, 5, 1}, {}, {"reaches over 5 of axis y", "padded input has 4"});
  refused({1, 3, 4, 4}, {1, 3, 2, 3}, {.dilation = {1, 2}}, {"reaches over 5 of axis x"});
  refused({1, 3, 4, 4}, {1, 3, 0, 1}, {}, {"empty window"});
  refused({1, 3, 4, 4}, {1, 3, 1, 1}, {.stride = {0, 1}}, {"stride 0 of axis y"});
  refused({1, 3, 4, 4}, {1, 3, 1, 1}, {.padding = {0, -1, 0, 0}}, {"padding -1"});
  refused({1, 3, 4, 4}, {1, 3, 1, 1}, {.dilation = {1, 0}}, {"dilation 0 of axis x"});
  refused({1, 3, 4, 4}, {1, 3, 1, 1}, {.groups = 0}, {"groups 0"});
  check_error([](Graph& graph) { conv2d(graph.input("x", {1, 3, 4, 4}), graph.input("w", {2, 3, 1, 1}), {.bias = graph.input("b", {3})}); },
              {"bias [3] is not [2]"});
  check_error([](Graph& graph) { conv2d(graph.input("x", {1, 3, 4, 4}, DType::i32), graph.input("w", {2, 3, 1, 1})); }, {"x is i32"});
  check_error([](Graph& graph) { conv2d(graph.input("x", {1, 3, 4, 4}), Tensor()); }, {"conv2d: weight is absent"});
}
