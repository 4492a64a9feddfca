#include "tests/support/check.hpp"

#include <fovea/autodiff.hpp>

#include <algorithm>

#include <cmath>
#include <limits>

using namespace fovea;
using namespace fovea::test;

namespace {

struct Axis {
  std::int64_t kernel, stride, begin, end, dilation;
};

// Windows over three axes from the definition; one or two axes are cases with extents of 1.
template <class T>
std::vector<Array<T>> naive(Pool kind, const Array<T>& x, std::vector<Axis> axes, bool ceil_mode, bool count_pad, std::int64_t divisor, double p) {
  const int spatial = static_cast<int>(axes.size());
  Shape shape = x.shape;
  for (int a = 0; a < spatial; ++a) {
    const Axis& w = axes[static_cast<std::size_t>(a)];
    const double exact = static_cast<double>(x.dim(a + 2) + w.begin + w.end - w.dilation * (w.kernel - 1) - 1) / static_cast<double>(w.stride);
    shape[a + 2] = static_cast<std::int64_t>(ceil_mode ? std::ceil(exact) : std::floor(exact)) + 1;
    if ((shape[a + 2] - 1) * w.stride >= x.dim(a + 2) + w.begin) --shape[a + 2];
  }
  Array<T> y(shape), index(shape);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto o = unflatten(i, shape);
    Shape window{1, 1};
    std::vector<std::int64_t> extents;
    for (const Axis& w : axes) extents.push_back(w.kernel);
    window = Shape(extents);
    T result = kind == Pool::max ? -std::numeric_limits<T>::infinity() : T(0);
    std::int64_t best = -1, inside_count = 0, padded_count = 0;
    for (std::int64_t t = 0; t < window.elements(); ++t) {
      const auto tap = unflatten(t, window);
      bool inside = true, padded = true;
      std::int64_t flat = 0, base = o[0] * x.dim(1) + o[1];
      for (int a = 0; a < spatial; ++a) {
        const auto s = static_cast<std::size_t>(a);
        const std::int64_t at = o[s + 2] * axes[s].stride - axes[s].begin + tap[s] * axes[s].dilation;
        inside = inside && at >= 0 && at < x.dim(a + 2);
        padded = padded && at < x.dim(a + 2) + axes[s].end;
        flat = flat * x.dim(a + 2) + at;
        base *= x.dim(a + 2);
      }
      padded_count += padded;
      if (!inside) continue;
      ++inside_count;
      const T value = x[base + flat];
      if (kind == Pool::max && (best < 0 || value > result || (std::isnan(value) && !std::isnan(result)))) result = value, best = flat;
      if (kind == Pool::average) result += value;
      if (kind == Pool::lp) result += std::pow(std::abs(value), static_cast<T>(p));
    }
    if (kind == Pool::average) result /= static_cast<T>(divisor ? divisor : count_pad ? padded_count : inside_count);
    if (kind == Pool::lp) result = std::pow(result, static_cast<T>(1 / p));
    y[i] = result;
    index[i] = static_cast<T>(best);
  }
  return {y, index};
}

std::vector<Axis> axes_of(const PoolDesc& desc) {
  std::vector<Axis> axes;
  for (std::size_t i = 0; i < desc.kernel.size(); ++i) {
    const std::int64_t begin = desc.padding_begin.empty() ? 0 : desc.padding_begin[i];
    axes.push_back({desc.kernel[i], desc.stride.empty() ? desc.kernel[i] : desc.stride[i], begin,
                    desc.padding_end.empty() ? begin : desc.padding_end[i], desc.dilation.empty() ? 1 : desc.dilation[i]});
  }
  return axes;
}

void check_pool(Pool kind, Shape x, const PoolDesc& desc, CheckOptions options = {.gradient = true}) {
  options.gradient = options.gradient && x.elements() < 300;  // differences cost a reference each
  check("pool", {random(x, -2, 2)},
        [&](Graph&, const std::vector<Tensor>& in) {
          if (kind != Pool::max) return std::vector<Tensor>{pool(kind, in[0], desc)};
          const auto result = max_pool_with_indices(in[0], desc);
          return std::vector<Tensor>{result.values, result.indices, pool(kind, in[0], desc)};
        },
        [&](const auto& in) {
          auto out = naive(kind, in[0], axes_of(desc), desc.ceil_mode, desc.count_include_pad, desc.divisor, desc.p);
          if (kind == Pool::max) out.push_back(out[0]);
          else out.pop_back();
          return out;
        }, options);
}

}  // namespace

TEST_CASE("max pooling with strides, paddings, dilations and ceil mode, in one, two and three dimensions") {
  check_pool(Pool::max, {2, 3, 11}, {.kernel = {3}});
  check_pool(Pool::max, {2, 3, 10}, {.kernel = {3}, .stride = {2}, .padding_begin = {1}, .ceil_mode = true});
  check_pool(Pool::max, {2, 3, 9, 7}, {.kernel = {3, 2}, .stride = {2, 1}, .padding_begin = {1, 0}});
  check_pool(Pool::max, {1, 2, 12, 13}, {.kernel = {3, 3}, .stride = {2, 2}, .padding_begin = {0, 1}, .padding_end = {2, 0}, .dilation = {2, 3}});
  check_pool(Pool::max, {1, 2, 5, 6, 7}, {.kernel = {2, 3, 2}, .stride = {1, 2, 3}, .padding_begin = {0, 1, 1}, .ceil_mode = true});
  check_pool(Pool::max, {1, 1, 1, 1}, {.kernel = {1, 1}});
  check_pool(Pool::max, {0, 2, 4, 4}, {.kernel = {2, 2}});
}

TEST_CASE("average pooling divides by what the options say") {
  for (const bool count_pad : {false, true})
    for (const bool ceil_mode : {false, true}) {
      check_pool(Pool::average, {2, 2, 9, 8},
                 {.kernel = {3, 3}, .stride = {2, 2}, .padding_begin = {1, 1}, .ceil_mode = ceil_mode, .count_include_pad = count_pad});
      check_pool(Pool::average, {1, 2, 10},
                 {.kernel = {4}, .stride = {3}, .padding_begin = {2}, .padding_end = {1}, .ceil_mode = ceil_mode, .count_include_pad = count_pad});
    }
  check_pool(Pool::average, {1, 2, 7, 7}, {.kernel = {3, 3}, .stride = {1, 1}, .padding_begin = {1, 1}, .divisor = 5});
  check_pool(Pool::average, {1, 1, 4, 5, 6}, {.kernel = {2, 2, 2}, .dilation = {2, 1, 2}});
}

TEST_CASE("more rows, columns and taps than one invocation of the window kernel takes at once") {
  check_pool(Pool::max, {1, 2, 9, 20}, {.kernel = {3, 3}, .stride = {2, 2}, .padding_begin = {1, 1}});
  check_pool(Pool::max, {1, 2, 9, 19}, {.kernel = {3, 3}, .stride = {1, 1}, .padding_begin = {1, 1}});
  check_pool(Pool::average, {1, 2, 9, 20}, {.kernel = {2, 4}, .stride = {2, 4}});
  check_pool(Pool::max, {1, 1, 4, 24}, {.kernel = {1, 5}, .stride = {1, 3}, .padding_begin = {0, 4}, .padding_end = {0, 3}});
  check_pool(Pool::average, {1, 1, 30, 40}, {.kernel = {13, 13}, .stride = {1, 1}, .padding_begin = {6, 6}, .count_include_pad = true});
  check_pool(Pool::max, {1, 1, 40, 44}, {.kernel = {9, 17}, .stride = {5, 11}, .padding_begin = {4, 8}});  // past its columns
  check_pool(Pool::lp, {1, 1, 12, 40}, {.kernel = {2, 3}, .stride = {2, 3}, .dilation = {1, 4}, .p = 4});
  check_pool(Pool::max, {3, 50, 5, 7}, {.kernel = {2, 2}, .stride = {1, 1}, .ceil_mode = true});
}

TEST_CASE("windows with no tap inside the input: -inf, -1, NaN, 0") {
  const PoolDesc holes{.kernel = {2}, .stride = {1}, .padding_begin = {2}, .padding_end = {2}, .dilation = {3}};
  for (Pool kind : {Pool::max, Pool::average, Pool::lp}) check_pool(kind, {1, 2, 1}, holes, {});
}

TEST_CASE("an empty spatial axis that padding makes up for") {
  for (Pool kind : {Pool::max, Pool::average, Pool::lp})
    check_pool(kind, {1, 2, 0, 3}, {.kernel = {2, 2}, .stride = {1, 1}, .padding_begin = {1, 1}, .count_include_pad = kind == Pool::average}, {});
}

TEST_CASE("NaN and infinities stay in their windows") {
  const double nan = std::nan(""), inf = HUGE_VAL;
  const std::vector<double> list{nan, 1, 2, inf, -inf, 3, 4, -inf, -inf, -inf, 0, 1, 5, 6, 7, 8};
  for (Pool kind : {Pool::max, Pool::average, Pool::lp})
    for (const std::int64_t width : {8, 7})
      check("pool", {values({1, 1, 2, width}, std::vector<double>(list.begin(), list.begin() + 2 * width))},
            [&](Graph&, const std::vector<Tensor>& in) {
              return std::vector<Tensor>{pool(kind, in[0], {.kernel = {1, 2}, .stride = {1, 1}})};
            },
            [&](const auto& in) {
              return std::vector{naive(kind, in[0], {{1, 1, 0, 0, 1}, {2, 1, 0, 0, 1}}, false, false, 0, 2)[0]};
            });
}

TEST_CASE("Lp pooling takes the p-th root of the sum of p-th powers of magnitudes") {
  for (const float p : {1.0f, 2.0f, 3.0f, 0.5f}) check_pool(Pool::lp, {1, 2, 8, 9}, {.kernel = {3, 2}, .stride = {2, 2}, .padding_begin = {1, 1}, .p = p});
}

// Adaptive windows from the definition; `output` has no -1 left.
template <class T>
std::vector<Array<T>> naive_adaptive(Pool kind, const Array<T>& x, const std::vector<std::int64_t>& output) {
  std::vector<std::int64_t> extents{x.dim(0), x.dim(1)};
  extents.insert(extents.end(), output.begin(), output.end());
  Array<T> y{Shape(extents)}, index = y;
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto o = unflatten(i, y.shape);
    T sum = 0, squares = 0, count = 0, most = -std::numeric_limits<T>::infinity();
    std::int64_t plane = 1;
    for (int axis = 2; axis < x.shape.rank(); ++axis) plane *= x.dim(axis);
    for (std::int64_t at = 0; at < plane; ++at) {
      bool inside = true;
      std::int64_t rest = at;
      for (int axis = x.shape.rank() - 1; axis >= 2; --axis) {
        const std::int64_t size = x.dim(axis), out = y.dim(axis), k = o[static_cast<std::size_t>(axis)], position = rest % size;
        inside = inside && position >= k * size / out && position < ((k + 1) * size + out - 1) / out;
        rest /= size;
      }
      if (!inside) continue;
      const T value = x[(o[0] * x.dim(1) + o[1]) * plane + at];
      sum += value, squares += value * value, count += 1;
      if (value > most || (std::isnan(value) && !std::isnan(most))) most = value, index[i] = static_cast<T>(at);
    }
    y[i] = kind == Pool::max ? most : kind == Pool::average ? sum / count : std::sqrt(squares);
  }
  return {y, index};
}

void check_adaptive(const Shape& x, const std::vector<std::int64_t>& output) {
  CAPTURE(to_string(x));
  CAPTURE(to_string(Shape(output)));
  std::vector<std::int64_t> extents = output;
  for (std::size_t i = 0; i < extents.size(); ++i)
    if (extents[i] < 0) extents[i] = x[static_cast<int>(i) + 2];
  for (const Pool kind : {Pool::max, Pool::average, Pool::lp})
    check("pool", {random(x)},
          [&](Graph&, const std::vector<Tensor>& in) {
            const Tensor y = adaptive_pool(kind, in[0], output);
            if (kind != Pool::max) return std::vector{y};
            const auto both = adaptive_max_pool_with_indices(in[0], output);
            return std::vector{y, both.values, both.indices};
          },
          [&](const auto& in) {
            auto out = naive_adaptive(kind, in[0], extents);
            if (kind == Pool::max) return std::vector{out[0], out[0], out[1]};
            return std::vector{out[0]};
          },
          {.gradient = x.elements() < 500});
}

TEST_CASE("adaptive windows cover the input as evenly as they can") {
  for (const auto& output : {std::vector<std::int64_t>{3, 5}, {1, 1}, {7, 11}, {10, 2}, {-1, 4}, {-1, -1}, {0, 3}}) check_adaptive({2, 3, 7, 11}, output);
  for (const auto& output : {std::vector<std::int64_t>{4}, {1}, {24}, {40}}) check_adaptive({2, 3, 24}, output);
  check_adaptive({1, 2, 4, 6, 9}, {2, 4, 3});
  check_adaptive({1, 2, 4, 6, 8}, {2, 3, 4});
  check_adaptive({0, 2, 4, 6}, {1, 1});
}

TEST_CASE("adaptive windows that tile the input are a reduction over axes of their own") {
  check_adaptive({1, 2, 24, 32}, {3, 2});
  check_adaptive({1, 2, 24, 33}, {3, 3});
  check_adaptive({1, 2, 8, 8, 12}, {2, 2, 2});
  check_adaptive({1, 2, 16, 16}, {2, 2});
}

TEST_CASE("the gradient of a maximum goes to the first of equals or of NaNs, whichever way the windows are computed") {
  const double nan = std::nan("");
  // Windows of a kernel's, of even blocks, and of whole planes.
  for (const auto& output : {std::vector<std::int64_t>{3, 5}, {2, 3}, {1, 1}, {-1, 1}}) {
    CAPTURE(to_string(Shape(output)));
    auto x = values({2, 2, 16, 24}, random_i32({2, 2, 16, 24}, 0, 3).array.values);
    x.array[16 * 24 + 30] = x.array[16 * 24 + 31] = nan;
    std::vector<std::int64_t> extents{output[0] < 0 ? 16 : output[0], output[1]};
    const bool whole = extents == std::vector<std::int64_t>{1, 1};
    check(whole || extents == std::vector<std::int64_t>{2, 3} ? "reduce" : "pool", {x, random({2, 2, extents[0], extents[1]}, 1, 2)},
          [&](Graph&, const std::vector<Tensor>& in) {
            std::vector<Tensor> gradients;
            const auto back = [&](Tensor y) { gradients.push_back(grad(reduce(Reduce::sum, y * in[1]), {in[0]})[0]); };
            back(adaptive_pool(Pool::max, in[0], output));
            back(adaptive_max_pool_with_indices(in[0], output).values);
            if (whole) back(global_pool(Pool::max, in[0]));
            return gradients;
          },
          [&](const auto& in) {
            const auto index = naive_adaptive(Pool::max, in[0], extents)[1];
            auto d = in[0];
            std::fill(d.values.begin(), d.values.end(), 0);
            for (std::int64_t i = 0; i < index.size(); ++i)
              d[i / (extents[0] * extents[1]) * 16 * 24 + static_cast<std::int64_t>(index[i])] += in[1][i];
            return std::vector(whole ? 3 : 2, d);
          },
          {.f16 = false});
  }
}

TEST_CASE("a maximum takes the first of equals, and NaN wins") {
  const double nan = std::nan("");
  check("pool", {values({1, 1, 8}, {1, 1, 3, nan, nan, 5, -HUGE_VAL, -HUGE_VAL})},
        [](Graph&, const std::vector<Tensor>& in) {
          const auto result = max_pool_with_indices(in[0], {.kernel = {2}});
          return std::vector<Tensor>{result.values, result.indices};
        },
        [](const auto& in) { return naive(Pool::max, in[0], {{2, 2, 0, 0, 1}}, false, false, 0, 2); });
}

TEST_CASE("global pooling reduces all spatial axes") {
  check("reduce", {random({2, 3, 5, 7}, 0.1, 2)},
        [](Graph&, const std::vector<Tensor>& in) {
          return std::vector<Tensor>{global_pool(Pool::max, in[0]), global_pool(Pool::average, in[0]), global_pool(Pool::lp, in[0], 2),
                                     global_pool(Pool::lp, in[0], 3)};
        },
        [](const auto& in) {
          std::vector<std::decay_t<decltype(in[0])>> all;
          for (const auto& [kind, p] : {std::pair{Pool::max, 2.0}, {Pool::average, 2.0}, {Pool::lp, 2.0}, {Pool::lp, 3.0}})
            all.push_back(naive(kind, in[0], {{5, 5, 0, 0, 1}, {7, 7, 0, 0, 1}}, false, false, 0, p)[0]);
          return all;
        });
}

// y = (sum |x|^p)^(1/p) over each channel of x [1,C,n]: c = sign(x) |x|^(p-1) y^(1-p), and of sum w c with respect to x
// (p-1) (|x|^(p-2) y^(1-p) w - c/y · w·c). Both are 0 at x = 0, but there the second is w/y for p = 2, and 0 for y = 0.
template <class T>
std::vector<Array<T>> lp_gradients(const Array<T>& x, const Array<T>& w, T p) {
  Array<T> c(x.shape), second(x.shape);
  const std::int64_t n = x.dim(2);
  for (std::int64_t first = 0; first < x.size(); first += n) {
    T sum = 0, along = 0;
    for (std::int64_t i = first; i < first + n; ++i) sum += std::pow(std::abs(x[i]), p);
    const T y = std::pow(sum, 1 / p);
    for (std::int64_t i = first; i < first + n; ++i) {
      if (x[i] != 0) c[i] = (x[i] < 0 ? -1 : 1) * std::pow(std::abs(x[i]) / y, p - 1);
      along += w[i] * c[i];
    }
    for (std::int64_t i = first; i < first + n && y > 0; ++i) {
      const T bend = x[i] != 0 ? std::pow(std::abs(x[i]), p - 2) * std::pow(y, 1 - p) : p == 2 ? 1 / y : T(0);
      second[i] = (p - 1) * (bend * w[i] - c[i] / y * along);
    }
  }
  return {c, second};
}

TEST_CASE("Lp pooling has no gradient at a zero nor of a window of zeros, by windows or as a reduction, and no NaN") {
  const fovea::test::Operand x = values({1, 4, 5}, {0, 0, 0, 0, 0, 1, 0, -2, 0.5, 0, 0.25, -1, 2, 1.5, -0.5, 0, 0, 0, -3, 0}), w = random({1, 4, 5}, -1, 1, 7);
  for (const bool global : {false, true})
    for (const float p : {0.5f, 1.0f, 1.5f, 2.0f, 3.0f, 4.0f}) {
      CAPTURE(p);
      CAPTURE(global);
      // pow is exp2(p log2 x): some 16 ulp + |p log2 x|, taken six times, and the second gradient cancels.
      check(global ? "reduce" : "pool", {x, w},
            [&](Graph&, const std::vector<Tensor>& in) {
              const Tensor y = global ? global_pool(Pool::lp, in[0], p) : pool(Pool::lp, in[0], {.kernel = {5}, .p = p});
              const Tensor first = grad(reduce(Reduce::sum, y), {in[0]})[0];
              return std::vector{first, grad(reduce(Reduce::sum, first * in[1]), {in[0]})[0]};
            },
            [&](const auto& in) { return lp_gradients(in[0], in[1], static_cast<std::decay_t<decltype(in[0][0])>>(p)); },
            {.f16 = false, .extra_ulps = 256});
    }
}

// Sums of powers beyond 65,504 must not pass through f16.
TEST_CASE("global Lp pooling of f16 does not overflow on its way") {
  check("reduce", {random({1, 2, 64, 60}, 3, 4)}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{global_pool(Pool::lp, in[0], 3)}; },
        [](const auto& in) { return std::vector{naive(Pool::lp, in[0], {{64, 64, 0, 0, 1}, {60, 60, 0, 0, 1}}, false, false, 0, 3)[0]}; },
        {.extra_ulps = 60});  // pow: Vulkan lets exp2(p log2 x) err by some |p log2 x| ulp
}

TEST_CASE("what does not fit is named") {
  const auto refused = [](Shape x, const PoolDesc& desc, std::vector<std::string> texts) {
    check_error([&](Graph& graph) { pool(Pool::max, graph.input("x", x), desc); }, texts);
  };
  refused({1, 2, 4}, {.kernel = {2, 2}}, {"max_pool", "x [1,2,4] is not [N,C] and 2 spatial axes"});
  refused({1, 2, 4}, {}, {"windows over 0 axes"});
  refused({1, 2, 4}, {.kernel = {0}}, {"kernel 0"});
  refused({1, 2, 4}, {.kernel = {2}, .stride = {0}}, {"stride 0"});
  refused({1, 2, 4}, {.kernel = {2}, .stride = {1, 1}}, {"stride has 2 entries and kernel 1"});
  refused({1, 2, 4}, {.kernel = {2}, .padding_begin = {-1}}, {"padding_begin -1"});
  refused({1, 2, 4}, {.kernel = {2}, .padding_begin = {2}}, {"padding 2 of axis 2 is not less than the window's reach 2"});
  refused({1, 2, 4}, {.kernel = {2}, .dilation = {0}}, {"dilation 0"});
  refused({1, 2, 4}, {.kernel = {5}}, {"reaches over 5 of axis 2", "padded input has 4"});
  check_error([](Graph& graph) { pool(Pool::average, graph.input("x", {1, 2, 4}), {.kernel = {2}, .divisor = -1}); }, {"average_pool", "divisor -1"});
  check_error([](Graph& graph) { pool(Pool::lp, graph.input("x", {1, 2, 4}), {.kernel = {2}, .p = 0}); }, {"lp_pool", "p 0"});
  check_error([](Graph& graph) { pool(Pool::max, graph.input("x", {1, 2, 4}, DType::i32), {.kernel = {2}}); }, {"x is i32"});
  const std::int64_t negative[] = {-2}, one[] = {1};
  check_error([&](Graph& graph) { adaptive_pool(Pool::max, graph.input("x", {1, 2, 4}), negative); }, {"adaptive_max_pool", "output extent -2"});
  check_error([&](Graph& graph) { adaptive_pool(Pool::max, graph.input("x", {1, 2, 0}), one); }, {"axis 2", "is empty"});
  check_error([](Graph& graph) { global_pool(Pool::max, graph.input("x", {1, 2})); }, {"global_pool", "no spatial axis"});
}
