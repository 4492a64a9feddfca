#include "tests/support/gradient.hpp"

#include <cmath>

namespace fovea::test {
namespace {

// ONNX RoiAlign and torchvision's roi_align from their definition: samples of a bin, bilinear with the edge repeated up to
// one texel outside.
template <class T>
Array<T> aligned(const Array<T>& x, const Array<T>& rois, const Array<T>& batch, const RoiAlignDesc& desc) {
  const std::int64_t R = rois.dim(0), C = x.dim(1), H = x.dim(2), W = x.dim(3), rows = desc.bins[0], columns = desc.bins[1];
  Array<T> y(Shape{R, C, rows, columns});
  const T scale = static_cast<T>(desc.scale), offset = desc.aligned ? T(0.5) : T(0);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto at = unflatten(i, y.shape);
    const std::int64_t r = at[0];
    const auto edge = [&](std::int64_t k) { return rois[4 * r + k] * scale - offset; };
    T width = edge(2) - edge(0), height = edge(3) - edge(1);
    if (!desc.aligned) width = std::max(width, T(1)), height = std::max(height, T(1));
    const T bin_x = width / static_cast<T>(columns), bin_y = height / static_cast<T>(rows);
    const auto nx = desc.samples ? desc.samples : static_cast<std::int64_t>(std::ceil(bin_x));
    const auto ny = desc.samples ? desc.samples : static_cast<std::int64_t>(std::ceil(bin_y));
    T sum = 0, best = -std::numeric_limits<T>::infinity();
    for (std::int64_t v = 0; v < ny; ++v)
      for (std::int64_t u = 0; u < nx; ++u) {
        T px = edge(0) + static_cast<T>(at[3]) * bin_x + (static_cast<T>(u) + T(0.5)) * bin_x / static_cast<T>(nx);
        T py = edge(1) + static_cast<T>(at[2]) * bin_y + (static_cast<T>(v) + T(0.5)) * bin_y / static_cast<T>(ny);
        const bool outside = px < -1 || py < -1 || px > static_cast<T>(W) || py > static_cast<T>(H);
        px = std::min(std::max(px, T(0)), static_cast<T>(W - 1));
        py = std::min(std::max(py, T(0)), static_cast<T>(H - 1));
        const auto x0 = static_cast<std::int64_t>(px), y0 = static_cast<std::int64_t>(py);
        const T fx = px - static_cast<T>(x0), fy = py - static_cast<T>(y0);
        for (std::int64_t t = 0; t < 4; ++t) {
          const std::int64_t tx = std::min(x0 + t % 2, W - 1), ty = std::min(y0 + t / 2, H - 1);
          const T weight = (t % 2 ? fx : 1 - fx) * (t / 2 ? fy : 1 - fy);
          const T value = outside ? T(0) : weight * x[((static_cast<std::int64_t>(batch[r]) * C + at[1]) * H + ty) * W + tx];
          sum += value;
          best = std::max(best, value);
        }
      }
    y[i] = nx * ny == 0 ? T(0) : desc.maximum ? best : sum / static_cast<T>(nx * ny);
  }
  return y;
}

// Inside, across every edge, outside, of less than a pixel.
Operand regions() {
  Operand rois = values({6, 4}, {1.3, 0.7, 7.9, 6.2, -2.1, -1.4, 4.3, 3.6, 5.2, 4.9, 12.7, 10.8, 2.4, 2.6, 2.9, 2.8,
                                 20, 20, 25, 24, 0.2, 0.1, 9.9, 8.9});
  rois.follows = false;
  return rois;
}

void check_roi(const RoiAlignDesc& desc, bool f16_gradient = false) {
  const auto batch = values({6}, {0, 1, 1, 0, 1, 0}, DType::i32);
  INFO(desc.samples, " samples", std::string(desc.aligned ? ", aligned" : ""), std::string(desc.maximum ? ", maximum" : ""));
  const auto reference = [&](const auto& in) { return std::vector{aligned(in[0], in[1], in[2], desc)}; };
  check(
      "roi_align", {random({2, 3, 9, 10}), regions(), batch},
      [&](Graph&, const auto& in) { return std::vector{roi_align(in[0], in[1], in[2], desc)}; }, reference,
      {.extra_ulps = 32});  // coordinates up to 10 carry a few ulps of their own
  // Of x alone: the regions are constants.
  const Operand rois = regions();
  const std::vector<float> places(rois.array.values.begin(), rois.array.values.end());
  check(
      "roi_align", {random({2, 3, 9, 10})},
      [&](Graph& graph, const auto& in) {
        return std::vector{roi_align(in[0], graph.constant({6, 4}, places), graph.constant({6}, {0, 1, 1, 0, 1, 0}), desc)};
      },
      [&](const auto& in) {
        using A = std::decay_t<decltype(in[0])>;
        A all(Shape{6, 4}), which(Shape{6}, {0, 1, 1, 0, 1, 0});
        for (std::int64_t i = 0; i < 24; ++i) all[i] = static_cast<std::decay_t<decltype(all[0])>>(places[static_cast<std::size_t>(i)]);
        return std::vector{aligned(in[0], all, which, desc)};
      },
      {.f16 = f16_gradient, .extra_ulps = 32, .gradient = true});
}

}  // namespace

TEST_CASE("roi_align: averages with fixed and adaptive samples, aligned or not") {
  for (const bool is_aligned : {false, true})
    for (const std::int64_t samples : {0, 1, 3}) check_roi({.bins = {3, 2}, .samples = samples, .aligned = is_aligned});
  check_roi({.bins = {1, 1}, .scale = 0.5f}, true);
  check_roi({.bins = {7, 5}, .scale = 0.9f, .samples = 2, .aligned = true});
}

TEST_CASE("roi_align: the largest weighted texel of a bin takes the gradient") {
  for (const std::int64_t samples : {0, 2}) check_roi({.bins = {3, 4}, .samples = samples, .aligned = true, .maximum = true});
}

TEST_CASE("roi_align: its adjoint by halves of the regions, and all at once") {
  for (const bool maximum : {false, true})
    check(
        "roi_to_texels", {random({2, 2, 9, 10}), regions()},
        [&](Graph& graph, const auto& in) {
          const RoiAlignDesc desc{.bins = {2, 3}, .samples = 2, .maximum = maximum};
          const Tensor batch = graph.constant({6}, {0, 1, 1, 0, 1, 0});
          const Tensor y = roi_align(in[0], in[1], batch, desc);
          // <dx, x> with dy = 1 is the sum of y.
          return std::vector{reduce(Reduce::sum, grad(reduce(Reduce::sum, y), {in[0]})[0] * in[0])};
        },
        [&](const auto& in) {
          using A = std::decay_t<decltype(in[0])>;
          const A y = aligned(in[0], in[1], A(Shape{6}, {0, 1, 1, 0, 1, 0}), {.bins = {2, 3}, .samples = 2, .maximum = maximum});
          A sum(Shape{}, {0});
          for (std::int64_t i = 0; i < y.size(); ++i) sum[0] += y[i];
          return std::vector{sum};
        },
        {.f16 = false, .extra_ulps = 400});  // a sum of some 200 products
}

TEST_CASE("roi_align: its adjoint has averages as the gradient, and none of a maximum") {
  const Operand rois = regions();
  const std::vector<float> places(rois.array.values.begin(), rois.array.values.end());
  const Shape shape{2, 1, 5, 6};
  const auto d_x = [&](Graph& graph, Tensor d_y, const RoiAlignDesc& desc) {
    const Tensor x = graph.constant(shape, std::vector<float>(60)), batch = graph.constant({6}, {0, 1, 1, 0, 1, 0});
    return grad(roi_align(x, graph.constant({6, 4}, places), batch, desc), {x}, {.seed = d_y})[0];
  };
  for (const std::int64_t samples : {0, 2}) {
    const RoiAlignDesc desc{.bins = {2, 3}, .scale = 0.7f, .samples = samples, .aligned = true};
    check_gradient(
        {random({6, 1, 2, 3})}, [&](Graph& graph, const auto& in) { return std::vector{d_x(graph, in[0], desc)}; },
        [&](const auto& in) {  // <A x, d_y> = <x, d_x>: one texel of x at a time
          Array<double> d(shape), one(shape);
          for (std::int64_t i = 0; i < d.size(); ++i) {
            one[i] = 1;
            const Array<double> y = aligned(one, rois.array, Array<double>(Shape{6}, {0, 1, 1, 0, 1, 0}), desc);
            for (std::int64_t k = 0; k < y.size(); ++k) d[i] += y[k] * in[0][k];
            one[i] = 0;
          }
          return std::vector{d};
        });
  }
  check_error(
      [&](Graph& graph) {
        const Tensor d_y = graph.input("d_y", {6, 1, 2, 3});
        grad(reduce(Reduce::sum, d_x(graph, d_y, {.bins = {2, 3}, .maximum = true})), {d_y});
      },
      {"roi_to_texels", "has no gradient"});
}

TEST_CASE("roi_align: errors name what does not fit") {
  const auto with = [](Shape x, Shape rois, Shape batch, RoiAlignDesc desc = {}, DType type = DType::i32) {
    return [=](Graph& graph) { roi_align(graph.input("x", x), graph.input("rois", rois), graph.input("batch", batch, type), desc); };
  };
  check_error(with({3, 4, 5}, {2, 4}, {2}), {"roi_align", "x [3,4,5] is not [N,C,H,W]"});
  check_error(with({1, 3, 4, 5}, {2, 5}, {2}), {"roi_align", "f32[2,5], not f32[R,4]"});
  check_error(with({1, 3, 4, 5}, {2, 4}, {3}), {"roi_align", "i32[3], not i32[2]"});
  check_error(with({1, 3, 4, 5}, {2, 4}, {2}, {}, DType::f32), {"roi_align", "f32[2], not i32[2]"});
  check_error(with({1, 3, 4, 5}, {2, 4}, {2}, {.bins = {0, 1}}), {"roi_align", "bins 0"});
  check_error(with({1, 3, 4, 5}, {2, 4}, {2}, {.samples = -1}), {"roi_align", "samples -1"});
  check_error(with({1, 3, 0, 5}, {2, 4}, {2}), {"roi_align", "axis 2 of x", "is empty"});
}

}  // namespace fovea::test
