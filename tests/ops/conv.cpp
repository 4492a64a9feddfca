#include "tests/support/check.hpp"

using namespace fovea;
using namespace fovea::test;

namespace {

// Entry k of a list over three axes, of a Desc's list over the innermost ones.
std::int64_t entry(const std::vector<std::int64_t>& list, int axes, int k, std::int64_t otherwise) {
  const int at = k - (3 - axes);
  return at < 0 || list.empty() ? otherwise : list[static_cast<std::size_t>(at)];
}
template <class T>
std::int64_t extent(const Array<T>& array, int axes, int k) {
  return k < 3 - axes ? 1 : array.dim(static_cast<int>(array.shape.rank()) - 3 + k);
}

// The element of x that stands at place `at` of an axis of n, or -1 for zero.
std::int64_t source(std::int64_t at, std::int64_t n, PadMode mode) {
  if (at >= 0 && at < n) return at;
  if (mode == PadMode::constant) return -1;
  if (mode == PadMode::replicate) return at < 0 ? 0 : n - 1;
  if (mode == PadMode::reflect) return at < 0 ? -at : 2 * (n - 1) - at;
  return (at % n + n) % n;
}

// The definition: loops over images, channels, pixels and taps, of one to three axes.
template <class T>
Array<T> naive(const std::vector<Array<T>>& in, const ConvDesc& desc, bool bias) {
  const Array<T>&x = in[0], &w = in[1];
  const int axes = x.shape.rank() - 2;
  const bool own = w.shape.rank() > x.shape.rank();
  const std::int64_t N = x.dim(0), C = x.dim(1), O = w.dim(own), Cg = C / desc.groups, Og = O / desc.groups;
  std::int64_t X[3], K[3], Y[3], before[3], stride[3], dilation[3];
  Shape shape = x.shape;
  shape[1] = O;
  for (int k = 0; k < 3; ++k) {
    X[k] = extent(x, axes, k), K[k] = extent(w, axes, k);
    stride[k] = entry(desc.stride, axes, k, 1), dilation[k] = entry(desc.dilation, axes, k, 1);
    before[k] = entry(desc.padding_begin, axes, k, 0);
    const std::int64_t after = desc.padding_end.empty() ? before[k] : entry(desc.padding_end, axes, k, 0);
    Y[k] = (X[k] + before[k] + after - dilation[k] * (K[k] - 1) - 1) / stride[k] + 1;
    if (k >= 3 - axes) shape[k - 1 + axes] = Y[k];
  }
  Array<T> y(shape);
  std::int64_t to = 0;
  for (std::int64_t n = 0; n < N; ++n)
    for (std::int64_t o = 0; o < O; ++o)
      for (std::int64_t i = 0; i < Y[0]; ++i)
        for (std::int64_t j = 0; j < Y[1]; ++j)
          for (std::int64_t l = 0; l < Y[2]; ++l, ++to) {
            T sum = !bias ? T(0) : in[2].shape.rank() == 2 ? in[2][n * O + o] : in[2][o];
            for (std::int64_t c = 0; c < Cg; ++c)
              for (std::int64_t s = 0; s < K[0]; ++s)
                for (std::int64_t u = 0; u < K[1]; ++u)
                  for (std::int64_t v = 0; v < K[2]; ++v) {
                    const std::int64_t a = source(i * stride[0] + s * dilation[0] - before[0], X[0], desc.padding_mode);
                    const std::int64_t b = source(j * stride[1] + u * dilation[1] - before[1], X[1], desc.padding_mode);
                    const std::int64_t d = source(l * stride[2] + v * dilation[2] - before[2], X[2], desc.padding_mode);
                    if (a < 0 || b < 0 || d < 0) continue;
                    const std::int64_t filter = (own ? n * O : 0) + o;
                    sum += w[(((filter * Cg + c) * K[0] + s) * K[1] + u) * K[2] + v] *
                           x[(((n * C + o / Og * Cg + c) * X[0] + a) * X[1] + b) * X[2] + d];
                  }
            y[to] = sum;
          }
  return y;
}

enum class Bias { none, shared, own };

void check_conv(Shape x, Shape w, const ConvDesc& desc, Bias bias = Bias::none, bool f16 = false) {
  INFO(to_string(x), " * ", to_string(w));
  std::vector<test::Operand> inputs{random(x, -1, 1, 1), random(w, -1, 1, 2)};
  const std::int64_t O = w[w.rank() > x.rank()];
  if (bias != Bias::none) inputs.push_back(random(bias == Bias::own ? Shape{x[0], O} : Shape{O}, -1, 1, 3));
  check("conv", inputs,
        [&](Graph&, const std::vector<Tensor>& in) {
          ConvDesc with = desc;
          if (bias != Bias::none) with.bias = in[2];
          return std::vector<Tensor>{conv(in[0], in[1], with)};
        },
        [&](const auto& in) { return std::vector{naive(in, desc, bias != Bias::none)}; }, {.f16 = f16, .gradient = true});
}

}  // namespace

TEST_CASE("conv: one axis") {
  check_conv({2, 3, 17}, {4, 3, 3}, {.padding_begin = {1}}, Bias::shared, true);
  check_conv({1, 4, 12}, {6, 2, 4}, {.stride = {3}, .padding_begin = {2}, .padding_end = {1}, .dilation = {2}, .groups = 2});
  check_conv({2, 5, 9}, {5, 1, 3}, {.padding_begin = {2}, .padding_end = {0}, .groups = 5}, Bias::shared);
}

TEST_CASE("conv: two axes, whose gradient is conv2d's") {
  check_conv({2, 3, 7, 6}, {4, 3, 3, 2}, {.padding_begin = {1, 0}}, Bias::shared, true);
  check_conv({1, 4, 9, 8}, {6, 2, 3, 2}, {.stride = {2, 3}, .padding_begin = {0, 2}, .padding_end = {1, 0}, .groups = 2}, Bias::shared);
  check_conv({2, 2, 9, 10}, {3, 2, 2, 3}, {.stride = {3, 1}, .padding_begin = {1, 2}, .dilation = {2, 3}});
  check_conv({1, 3, 6, 7}, {3, 1, 3, 3}, {.padding_begin = {1, 1}, .groups = 3});
  check_conv({1, 4, 6, 7}, {8, 1, 3, 3}, {.stride = {2, 2}, .padding_begin = {1, 1}, .groups = 4});
  check_conv({2, 3, 4, 5}, {5, 3, 1, 1}, {}, Bias::shared);
  check_conv({2, 3, 4, 5}, {5, 3, 1, 1}, {.stride = {2, 2}});
  check_conv({1, 2, 3, 3}, {2, 2, 1, 2}, {.padding_begin = {2, 3}});  // windows in the padding alone
}

TEST_CASE("conv: three axes") {
  check_conv({1, 2, 4, 5, 6}, {3, 2, 2, 3, 3}, {.padding_begin = {0, 1, 1}}, Bias::shared, true);
  check_conv({2, 4, 5, 4, 5}, {4, 2, 3, 2, 1}, {.stride = {2, 1, 2}, .padding_begin = {1, 0, 1}, .padding_end = {2, 1, 0}, .groups = 2});
  check_conv({1, 2, 7, 3, 5}, {2, 1, 3, 1, 2}, {.dilation = {3, 1, 2}, .groups = 2}, Bias::shared);
}

TEST_CASE("conv: what stands around x") {
  for (PadMode mode : {PadMode::reflect, PadMode::replicate, PadMode::circular}) {
    check_conv({2, 2, 7}, {3, 2, 3}, {.padding_begin = {2}, .padding_end = {1}, .padding_mode = mode}, Bias::shared);
    check_conv({1, 2, 5, 4}, {2, 2, 3, 3}, {.padding_begin = {1, 2}, .padding_mode = mode});
    check_conv({1, 2, 3, 4, 4}, {2, 1, 3, 3, 3}, {.padding_begin = {1, 1, 1}, .padding_mode = mode, .groups = 2});
  }
}

TEST_CASE("conv: weights a sample") {
  check_conv({3, 2, 8}, {3, 4, 2, 3}, {.padding_begin = {1}}, Bias::own, true);
  check_conv({2, 4, 5, 6}, {2, 6, 2, 3, 3}, {.stride = {2, 1}, .padding_begin = {1, 1}, .groups = 2}, Bias::shared);
  check_conv({2, 3, 4, 4}, {2, 3, 1, 2, 2}, {.groups = 3}, Bias::own);
  check_conv({2, 2, 3, 4, 3}, {2, 2, 2, 2, 2, 2}, {.padding_begin = {1, 0, 0}});
}

TEST_CASE("conv: no images, no input channels, no pixels") {
  check_conv({0, 3, 5}, {2, 3, 3}, {});
  check_conv({0, 3, 5, 4}, {0, 2, 3, 3, 3}, {}, Bias::own);
  check_conv({1, 0, 4, 4}, {2, 0, 3, 3}, {}, Bias::shared);
  check_conv({2, 0, 4, 4}, {2, 2, 0, 3, 3}, {}, Bias::own);
  check_conv({1, 2, 3, 0}, {2, 2, 2, 2}, {.padding_begin = {0, 2}}, Bias::shared);
}

TEST_CASE("conv: what does not fit is named") {
  const auto refused = [](Shape x, Shape w, const ConvDesc& desc, std::vector<std::string> texts) {
    texts.push_back("conv: ");
    check_error([&](Graph& graph) { conv(graph.input("x", x), graph.input("w", w), desc); }, texts);
  };
  refused({3, 4}, {1, 4}, {}, {"x [3,4] is not [N,C] and 1, 2 or 3 spatial axes"});
  refused({1, 3, 4}, {1, 3, 1, 1, 1}, {}, {"weight [1,3,1,1,1] is not [O,C/groups,...], with 1 kernel axes as x [1,3,4] has"});
  refused({2, 3, 4}, {1, 1, 3, 1}, {}, {"weight has 1 samples at axis 0 and x 2"});
  refused({1, 3, 4}, {1, 3, 0}, {}, {"weight [1,3,0] has an empty window"});
  refused({1, 3, 4}, {1, 3, 1}, {.stride = {1, 1}}, {"stride has 2 entries and x 1 spatial axes"});
  refused({1, 3, 4}, {1, 3, 1}, {.stride = {0}}, {"stride 0 is not in 1..2^30"});
  refused({1, 3, 4}, {1, 3, 1}, {.padding_end = {-1}}, {"padding_end -1 is not in 0..2^30"});
  refused({1, 3, 4}, {1, 3, 1}, {.padding_begin = {4}, .padding_mode = PadMode::reflect},
          {"conv: reflects 4 elements at axis 2, which has 4: at most 3"});
  refused({1, 3, 0}, {1, 3, 1}, {.padding_begin = {1}, .padding_mode = PadMode::circular}, {"axis 2 is empty: nothing to repeat"});
  refused({1, 3, 4}, {1, 3, 1}, {.groups = 0}, {"groups 0 is less than 1"});
  refused({1, 3, 4}, {1, 3, 1}, {.groups = 2}, {"groups 2 does not divide x's 3 channels"});
  refused({1, 4, 4}, {3, 2, 1}, {.groups = 2}, {"groups 2 does not divide weight's 3 output channels"});
  refused({1, 3, 4}, {1, 2, 1}, {}, {"weight takes 2 channels a group and x has 3 / 1 = 3"});
  refused({1, 3, 4, 4, 2}, {1, 3, 1, 2, 3}, {}, {"the window reaches over 3 of axis 4 and the padded input has 2"});
  check_error([](Graph& graph) { conv(graph.input("x", {2, 3, 4}), graph.input("w", {5, 3, 1}), {.bias = graph.input("b", {2, 5})}); },
              {"bias [2,5] is not [5]"});
  check_error([](Graph& graph) { conv(graph.input("x", {1, 3, 4}), graph.input("w", {5, 3, 1}, DType::f16)); }, {"weight is f16 and x is f32"});
  check_error([](Graph& graph) { conv(graph.input("x", {1, 3, 4}), Tensor()); }, {"conv: weight is absent"});
}
