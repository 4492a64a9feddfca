#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"

#include <cmath>

using namespace fovea;
using namespace fovea::test;

namespace {

// Bilinear, texels outside count as zero.
template <class T>
T sampled(const Array<T>& x, std::int64_t n, std::int64_t c, T y, T z) {
  const std::int64_t H = x.dim(2), W = x.dim(3);
  if (!(y > T(-1) && z > T(-1) && y < T(H) && z < T(W))) return 0;
  const T y0 = std::floor(y), z0 = std::floor(z);
  T sum = 0;
  for (int k = 0; k < 4; ++k) {
    const auto i = static_cast<std::int64_t>(y0) + k / 2, j = static_cast<std::int64_t>(z0) + k % 2;
    if (i < 0 || j < 0 || i >= H || j >= W) continue;
    sum += (k / 2 ? y - y0 : 1 - (y - y0)) * (k % 2 ? z - z0 : 1 - (z - z0)) * x.at({n, c, i, j});
  }
  return sum;
}

struct Given {
  bool mask = false, bias = false;
};

// x, offset, weight, then the mask and the bias where given.
template <class T>
Array<T> naive(const std::vector<Array<T>>& in, const DeformConvDesc& desc, Given given) {
  const Array<T>&x = in[0], &offset = in[1], &w = in[2];
  const std::int64_t Cg = w.dim(1), Og = w.dim(0) / desc.groups, taps = w.dim(2) * w.dim(3), per_group = x.dim(1) / std::max<std::int64_t>(desc.offset_groups, 1);
  Array<T> y(Shape{x.dim(0), w.dim(0), offset.dim(2), offset.dim(3)});
  for (std::int64_t n = 0; n < y.dim(0); ++n)
    for (std::int64_t o = 0; o < y.dim(1); ++o)
      for (std::int64_t i = 0; i < y.dim(2); ++i)
        for (std::int64_t j = 0; j < y.dim(3); ++j) {
          T sum = given.bias ? in.back()[o] : T(0);
          for (std::int64_t c = 0; c < Cg; ++c)
            for (std::int64_t t = 0; t < taps; ++t) {
              const std::int64_t channel = o / Og * Cg + c, at = channel / per_group * taps + t, u = t / w.dim(3), v = t % w.dim(3);
              const T row = T(i * desc.stride[0] + u * desc.dilation[0] - desc.padding[0]) + offset.at({n, 2 * at, i, j});
              const T column = T(j * desc.stride[1] + v * desc.dilation[1] - desc.padding[1]) + offset.at({n, 2 * at + 1, i, j});
              const T m = given.mask ? in[3].at({n, at, i, j}) : T(1);
              sum += w.at({o, c, u, v}) * m * sampled(x, n, channel, row, column);
            }
          y.at({n, o, i, j}) = sum;
        }
  return y;
}

// Offsets away from whole numbers, where the slope jumps.
test::Operand offsets(Shape shape, double reach) {
  test::Operand operand = random(shape, -reach, reach, 7);
  for (double& value : operand.array.values) value = std::floor(value) + 0.125 + 0.75 * (value - std::floor(value));
  return operand;
}

void check_deform(Shape x, Shape w, const DeformConvDesc& desc, Given given = {}, double reach = 2, bool f16 = false, bool gradient = true) {
  INFO(to_string(x), " * ", to_string(w));
  const std::int64_t taps = desc.offset_groups * w[2] * w[3];
  const auto extent = [&](int i) {
    const auto a = static_cast<std::size_t>(i);
    return (x[2 + i] + desc.padding[a] + desc.padding[a + 2] - desc.dilation[a] * (w[2 + i] - 1) - 1) / desc.stride[a] + 1;
  };
  std::vector<test::Operand> inputs{random(x, -1, 1, 1), offsets({x[0], 2 * taps, extent(0), extent(1)}, reach), random(w, -1, 1, 2)};
  if (given.mask) inputs.push_back(random({x[0], taps, extent(0), extent(1)}, 0, 1, 3));
  if (given.bias) inputs.push_back(random({w[0]}, -1, 1, 4));
  check("deform_conv2d", inputs,
        [&](Graph&, const std::vector<Tensor>& in) {
          DeformConvDesc with = desc;
          if (given.mask) with.mask = in[3];
          if (given.bias) with.bias = in.back();
          return std::vector<Tensor>{deform_conv2d(in[0], in[1], in[2], with)};
        },
        [&](const auto& in) { return std::vector{naive(in, desc, given)}; }, {.f16 = f16, .gradient = gradient});
}

}  // namespace

TEST_CASE("deform_conv2d: without a mask, with one, groups of both kinds") {
  check_deform({2, 3, 7, 6}, {4, 3, 3, 3}, {.padding = {1, 1, 1, 1}}, {.bias = true}, 2, true);
  check_deform({1, 4, 6, 7}, {3, 4, 3, 3}, {.padding = {1, 1, 1, 1}, .offset_groups = 2}, {.mask = true, .bias = true}, 2, true);
  check_deform({1, 2, 9, 8}, {2, 2, 3, 2}, {.stride = {2, 2}, .padding = {1, 0, 0, 2}}, {.mask = true});
  check_deform({2, 8, 5, 6}, {6, 4, 2, 3}, {.dilation = {2, 1}, .groups = 2, .offset_groups = 4}, {.mask = true});
  check_deform({1, 18, 4, 5}, {4, 9, 1, 1}, {.groups = 2}, {}, 1.5);
  check_deform({1, 10, 5, 5}, {10, 1, 3, 3}, {.padding = {1, 1, 1, 1}, .groups = 10, .offset_groups = 1}, {.mask = true});
}

TEST_CASE("deform_conv2d: samples far outside the picture, and many in one cell") {
  check_deform({1, 2, 5, 4}, {3, 2, 3, 3}, {.padding = {2, 2, 2, 2}}, {.mask = true}, 9);
  check_deform({2, 3, 2, 2}, {2, 3, 3, 3}, {.padding = {3, 3, 3, 3}}, {}, 2);
  check_deform({1, 1, 1, 1}, {1, 1, 1, 1}, {.padding = {6, 6, 6, 6}}, {.bias = true}, 6);
}

TEST_CASE("deform_conv2d: offsets of zero give conv2d, a mask of a half gives half of it") {
  check("deform_conv2d", {random({1, 3, 6, 5}), random({2, 3, 3, 3})},
        [](Graph& graph, const std::vector<Tensor>& in) {
          const Tensor offset = graph.constant({1, 18, 6, 5}, std::vector<float>(18 * 30, 0.0f));
          const Tensor mask = graph.constant({1, 9, 6, 5}, std::vector<float>(9 * 30, 0.5f));
          const auto like = [&](Tensor t) { return cast(t, in[0].dtype()); };
          return std::vector{deform_conv2d(in[0], like(offset), in[1], {.padding = {1, 1, 1, 1}, .mask = like(mask)})};
        },
        [](const auto& in) {
          using T = std::decay_t<decltype(in[0][0])>;
          std::decay_t<decltype(in[0])> y(Shape{1, 2, 6, 5});
          for (std::int64_t o = 0; o < 2; ++o)
            for (std::int64_t i = 0; i < 6; ++i)
              for (std::int64_t j = 0; j < 5; ++j)
                for (std::int64_t c = 0; c < 3; ++c)
                  for (std::int64_t t = 0; t < 9; ++t) {
                    const std::int64_t a = i + t / 3 - 1, b = j + t % 3 - 1;
                    if (a >= 0 && b >= 0 && a < 6 && b < 5) y.at({0, o, i, j}) += T(0.5) * in[1].at({o, c, t / 3, t % 3}) * in[0].at({0, c, a, b});
                  }
          return std::vector{y};
        },
        {.f16 = false});
}

TEST_CASE("deform_conv2d: an offset that is not a number samples nothing") {
  test::Operand offset = offsets({1, 2, 3, 3}, 0.5);
  offset.array.values[4] = NAN, offset.array.values[9] = INFINITY;
  check("deform_conv2d", {random({1, 2, 3, 3}), offset, random({1, 2, 1, 1})},
        [](Graph&, const std::vector<Tensor>& in) { return std::vector{deform_conv2d(in[0], in[1], in[2])}; },
        [](const auto& in) { return std::vector{naive(in, DeformConvDesc{}, {})}; }, {.f16 = false});
}

TEST_CASE("deform_conv2d: more columns than are held at a time") {
  check_deform({2, 8, 360, 330}, {1, 8, 3, 3}, {.padding = {1, 1, 1, 1}}, {}, 2, false, false);    // 34 MB an image
}

// The gradient of one channel of x for that of y, a sample at a time. in: x, offset, weight [1,1,3,3], the gradient of y,
// and the mask where given.
template <class T>
static Array<T> naive_gradient(const std::vector<Array<T>>& in) {
  const Array<T>&x = in[0], &offset = in[1], &w = in[2], &dy = in[3];
  Array<T> d(x.shape);
  for (std::int64_t t = 0; t < 9; ++t)
    for (std::int64_t i = 0; i < dy.dim(2); ++i)
      for (std::int64_t j = 0; j < dy.dim(3); ++j) {
        const T y = T(i + t / 3) + offset.at({0, 2 * t, i, j}), z = T(j + t % 3) + offset.at({0, 2 * t + 1, i, j});
        const T y0 = std::floor(y), z0 = std::floor(z), m = in.size() > 4 ? in[4].at({0, t, i, j}) : T(1);
        for (int k = 0; k < 4; ++k) {
          const auto a = static_cast<std::int64_t>(y0) + k / 2, b = static_cast<std::int64_t>(z0) + k % 2;
          if (a < 0 || b < 0 || a >= x.dim(2) || b >= x.dim(3)) continue;
          d.at({0, 0, a, b}) += (k / 2 ? y - y0 : 1 - (y - y0)) * (k % 2 ? z - z0 : 1 - (z - z0)) * w[t] * m * dy.at({0, 0, i, j});
        }
      }
  return d;
}

TEST_CASE("deform_conv2d backward: the gradient of x has one itself") {
  std::vector<test::Operand> in{random({1, 1, 5, 4}), offsets({1, 18, 3, 2}, 2), random({1, 1, 3, 3}, -1, 1, 2), random({1, 1, 3, 2}, -1, 1, 5),
                                random({1, 9, 3, 2}, 0, 1, 3)};
  for (const bool masked : {true, false}) {
    if (!masked) in.pop_back();
    check_gradient(
        in,
        [](Graph&, const std::vector<Tensor>& t) {
          return grad(deform_conv2d(t[0], t[1], t[2], {.mask = t.size() > 4 ? t[4] : Tensor()}), {t[0]}, {.seed = t[3]});
        },
        [](const std::vector<Array<double>>& arrays) { return std::vector{naive_gradient(arrays)}; }, {});
  }
}

TEST_CASE("deform_conv2d backward: more samples than some drivers walk in one loop, spread out and all in one cell") {
  constexpr std::int64_t side = 86;  // 9 * 86 * 86 = 66,564 samples
  for (const bool one_cell : {false, true}) {
    CAPTURE(one_cell);
    test::Operand offset = offsets({1, 18, side, side}, 2);
    if (one_cell)
      for (std::int64_t at = 0; at < offset.array.size(); ++at) {
        const std::int64_t l = at % (side * side), t = at / (side * side) / 2;
        offset.array.values[static_cast<std::size_t>(at)] = (at / (side * side) % 2 ? 40.375 - static_cast<double>(l % side + t % 3)
                                                                                    : 30.625 - static_cast<double>(l / side + t / 3));
      }
    check("deform_texels", {random({1, 1, side + 2, side + 2}), offset, random({1, 1, 3, 3}, 0.5, 1), random({1, 1, side, side}, -1, 1, 5)},
          [](Graph&, const std::vector<Tensor>& in) {
            return grad(deform_conv2d(in[0], in[1], in[2]), {in[0]}, {.seed = in[3]});
          },
          [](const auto& arrays) { return std::vector{naive_gradient(arrays)}; }, {.f16 = false});
  }
}

TEST_CASE("deform_conv2d: no images, no channels") {
  check_deform({0, 3, 5, 5}, {2, 3, 3, 3}, {}, {.mask = true});
  check_deform({1, 0, 4, 4}, {2, 0, 3, 3}, {}, {.bias = true});
}

TEST_CASE("deform_conv2d: what does not fit is named") {
  const auto refused = [](Shape x, Shape offset, Shape w, const DeformConvDesc& desc, std::vector<std::string> texts) {
    texts.push_back("deform_conv2d: ");
    check_error([&](Graph& graph) { deform_conv2d(graph.input("x", x), graph.input("offset", offset), graph.input("w", w), desc); }, texts);
  };
  refused({3, 4, 4}, {1, 2, 4, 4}, {1, 3, 1, 1}, {}, {"x [3,4,4] is not [N,C,H,W]"});
  refused({1, 3, 4, 4}, {1, 2, 4, 4}, {1, 3, 1}, {}, {"weight [1,3,1] is not"});
  refused({1, 3, 4, 4}, {1, 2, 4, 4}, {1, 2, 1, 1}, {}, {"weight takes 2 channels a group and x has 3 / 1 = 3"});
  refused({1, 3, 4, 4}, {1, 2, 4, 4}, {2, 1, 1, 1}, {.groups = 2}, {"groups 2 does not divide x's 3 channels"});
  refused({1, 3, 4, 4}, {1, 4, 4, 4}, {1, 3, 1, 1}, {.offset_groups = 2}, {"offset_groups 2 does not divide x's 3 channels"});
  refused({1, 3, 4, 4}, {1, 2, 4, 4}, {1, 3, 1, 1}, {.stride = {0, 1}}, {"stride 0"});
  refused({1, 3, 4, 4}, {1, 2, 4, 4}, {1, 3, 5, 1}, {}, {"reaches over 5 of axis y", "padded input has 4"});
  refused({1, 3, 4, 4}, {1, 2, 4, 5}, {1, 3, 1, 1}, {}, {"offset [1,2,4,5] is not [1,2,4,4]"});
  check_error([](Graph& graph) {
    deform_conv2d(graph.input("x", {1, 3, 4, 4}), graph.input("o", {1, 2, 4, 4}), graph.input("w", {1, 3, 1, 1}), {.mask = graph.input("m", {1, 2, 4, 4})});
  }, {"mask [1,2,4,4] is not [1,1,4,4]"});
  check_error([](Graph& graph) {
    deform_conv2d(graph.input("x", {1, 3, 4, 4}), graph.input("o", {1, 2, 4, 4}, DType::f16), graph.input("w", {1, 3, 1, 1}));
  }, {"offset is f16 and x is f32"});
}
