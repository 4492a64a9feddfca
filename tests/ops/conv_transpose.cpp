#include "tests/support/check.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

std::int64_t entry(const std::vector<std::int64_t>& list, int axes, int k, std::int64_t otherwise) {
  const int at = k - (3 - axes);
  return at < 0 || list.empty() ? otherwise : list[static_cast<std::size_t>(at)];
}

// Every element of x adds its multiple of the kernel to the result.
template <class T>
Array<T> naive(const std::vector<Array<T>>& in, const ConvTransposeDesc& desc, bool bias) {
  const Array<T>&x = in[0], &w = in[1];
  const int axes = x.shape.rank() - 2;
  const bool own = w.shape.rank() > x.shape.rank();
  const std::int64_t N = x.dim(0), C = x.dim(1), G = desc.groups, Cg = C / G, Og = w.dim(1 + own), O = Og * G;
  std::int64_t X[3], K[3], Y[3], before[3], stride[3], dilation[3];
  Shape shape = x.shape;
  shape[1] = O;
  for (int k = 0; k < 3; ++k) {
    const bool absent = k < 3 - axes;
    X[k] = absent ? 1 : x.dim(x.shape.rank() - 3 + k), K[k] = absent ? 1 : w.dim(w.shape.rank() - 3 + k);
    stride[k] = entry(desc.stride, axes, k, 1), dilation[k] = entry(desc.dilation, axes, k, 1);
    before[k] = entry(desc.padding_begin, axes, k, 0);
    const std::int64_t after = desc.padding_end.empty() ? before[k] : entry(desc.padding_end, axes, k, 0);
    Y[k] = (X[k] - 1) * stride[k] + dilation[k] * (K[k] - 1) + 1 - before[k] - after + entry(desc.output_padding, axes, k, 0);
    if (!absent) shape[k - 1 + axes] = Y[k];
  }
  Array<T> y(shape);
  if (bias)
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const std::int64_t channel = i / (Y[0] * Y[1] * Y[2]);  // of all images
      y[i] = in[2].shape.rank() == 2 ? in[2][channel] : in[2][channel % O];
    }
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t c = 0; c < C; ++c)
      for (std::int64_t o = 0; o < Og; ++o)
        for (std::int64_t i = 0; i < X[0] * X[1] * X[2]; ++i)
          for (std::int64_t t = 0; t < K[0] * K[1] * K[2]; ++t) {
            const std::int64_t a = i / (X[1] * X[2]) * stride[0] + t / (K[1] * K[2]) * dilation[0] - before[0];
            const std::int64_t b = i / X[2] % X[1] * stride[1] + t / K[2] % K[1] * dilation[1] - before[1];
            const std::int64_t d = i % X[2] * stride[2] + t % K[2] * dilation[2] - before[2];
            if (a < 0 || b < 0 || d < 0 || a >= Y[0] || b >= Y[1] || d >= Y[2]) continue;
            y[(((n * O + c / Cg * Og + o) * Y[0] + a) * Y[1] + b) * Y[2] + d] +=
                x[(n * C + c) * X[0] * X[1] * X[2] + i] * w[(((own ? n * C : 0) + c) * Og + o) * K[0] * K[1] * K[2] + t];
          }
  return y;
}

enum class Bias { none, shared, own };

void check_transpose(Shape x, Shape w, const ConvTransposeDesc& desc, Bias bias = Bias::none, bool f16 = false, bool gradient = true) {
  INFO(to_string(x), " * ", to_string(w));
  std::vector<test::Operand> inputs{random(x, -1, 1, 1), random(w, -1, 1, 2)};
  const std::int64_t O = w[1 + (w.rank() > x.rank())] * desc.groups;
  if (bias != Bias::none) inputs.push_back(random(bias == Bias::own ? Shape{x[0], O} : Shape{O}, -1, 1, 3));
  check("conv_transpose", inputs,
        [&](Graph&, const std::vector<Tensor>& in) {
          ConvTransposeDesc with = desc;
          if (bias != Bias::none) with.bias = in[2];
          return std::vector<Tensor>{conv_transpose(in[0], in[1], with)};
        },
        [&](const auto& in) { return std::vector{naive(in, desc, bias != Bias::none)}; }, {.f16 = f16, .gradient = gradient});
}

}  // namespace

TEST_CASE("conv_transpose: one axis") {
  check_transpose({2, 3, 5}, {3, 4, 3}, {}, Bias::shared, true);
  check_transpose({1, 4, 6}, {4, 3, 4}, {.stride = {3}, .padding_begin = {2}, .padding_end = {1}, .output_padding = {2}, .groups = 2}, Bias::shared);
  check_transpose({1, 2, 5}, {2, 1, 3}, {.stride = {2}, .dilation = {3}, .groups = 2});
}

TEST_CASE("conv_transpose: two axes, with stride and without") {
  check_transpose({2, 3, 4, 5}, {3, 2, 3, 3}, {.stride = {2, 2}, .padding_begin = {1, 1}, .output_padding = {1, 1}}, Bias::shared, true);
  check_transpose({2, 3, 4, 5}, {3, 2, 3, 2}, {.padding_begin = {1, 0}, .padding_end = {0, 1}}, Bias::shared, true);
  check_transpose({1, 4, 5, 3}, {4, 2, 2, 2}, {.stride = {2, 2}, .groups = 2}, Bias::shared);
  check_transpose({1, 4, 5, 3}, {4, 3, 3, 2}, {.dilation = {2, 3}, .groups = 2});
  check_transpose({1, 3, 4, 4}, {3, 1, 3, 3}, {.stride = {2, 1}, .padding_begin = {1, 1}, .groups = 3});
  check_transpose({1, 2, 4, 3}, {2, 3, 1, 1}, {});
  check_transpose({1, 2, 4, 3}, {2, 3, 1, 1}, {.stride = {3, 2}, .output_padding = {2, 0}}, Bias::shared);
}

TEST_CASE("conv_transpose: padding past the kernel crops, output_padding past the stride adds rows of the bias") {
  check_transpose({1, 2, 6, 7}, {2, 2, 2, 2}, {.padding_begin = {2, 0}, .padding_end = {0, 3}}, Bias::shared);
  check_transpose({1, 2, 3, 3}, {2, 2, 2, 2}, {.stride = {2, 1}, .output_padding = {3, 2}, .dilation = {4, 3}}, Bias::shared);
}

TEST_CASE("conv_transpose: three axes") {
  check_transpose({1, 2, 3, 4, 3}, {2, 3, 2, 3, 2}, {.stride = {2, 1, 2}, .padding_begin = {1, 1, 0}, .output_padding = {1, 0, 1}}, Bias::shared, true);
  check_transpose({2, 2, 2, 3, 3}, {2, 1, 3, 2, 2}, {.dilation = {2, 1, 1}, .groups = 2});
}

TEST_CASE("conv_transpose: weights a sample") {
  check_transpose({3, 2, 4}, {3, 2, 3, 3}, {.stride = {2}}, Bias::own);
  check_transpose({2, 4, 3, 4}, {2, 4, 1, 2, 2}, {.padding_begin = {1, 0}, .groups = 2}, Bias::shared);
  check_transpose({2, 2, 2, 3, 2}, {2, 2, 2, 2, 1, 2}, {.stride = {1, 2, 1}});
}

TEST_CASE("conv_transpose: more columns than are held at a time") {
  check_transpose({2, 1, 120, 110}, {1, 20, 8, 8}, {.stride = {2, 2}}, Bias::shared, false, false);  // 68 MB an image
}

TEST_CASE("conv_transpose: no images, no input channels") {
  check_transpose({0, 3, 5}, {3, 2, 3}, {});
  check_transpose({1, 0, 4, 4}, {0, 2, 3, 3}, {.stride = {2, 2}}, Bias::shared);
}

TEST_CASE("conv_transpose: what does not fit is named") {
  const auto refused = [](Shape x, Shape w, const ConvTransposeDesc& desc, std::vector<std::string> texts) {
    texts.push_back("conv_transpose: ");
    check_error([&](Graph& graph) { conv_transpose(graph.input("x", x), graph.input("w", w), desc); }, texts);
  };
  refused({3, 4}, {3, 4}, {}, {"x [3,4] is not [N,C] and 1, 2 or 3 spatial axes"});
  refused({1, 3, 4}, {2, 3, 1}, {}, {"weight takes 2 channels and x has 3"});
  refused({1, 3, 4}, {3, 3, 1}, {.groups = 2}, {"groups 2 does not divide x's 3 channels"});
  refused({1, 3, 4}, {3, 3, 1}, {.output_padding = {-1}}, {"output_padding -1"});
  refused({1, 3, 0}, {3, 3, 1}, {}, {"axis 2 of x [1,3,0] is empty"});
  refused({1, 3, 2, 2}, {3, 3, 1, 2}, {.padding_begin = {0, 2}}, {"the padding takes 4 of the 3 elements of axis 3"});
  check_error([](Graph& graph) { conv_transpose(graph.input("x", {2, 3, 4}), graph.input("w", {3, 5, 1}), {.bias = graph.input("b", {3})}); },
              {"bias [3] is not [5]"});
}
