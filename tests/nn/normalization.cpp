#include <fovea/normalization.hpp>

#include "tests/support/check.hpp"

#include <fovea/autodiff.hpp>

#include <cmath>
#include <functional>
#include <limits>
#include <map>

namespace fovea::test {
namespace {

// Which set of values an element is normalised with: elements of one key belong together.
using Key = std::function<std::int64_t(const std::vector<std::int64_t>& index)>;

struct Form {
  double eps = 1e-5;
  bool centred = true;  // false: divided by the root of the mean square alone
};

template <class T>
Array<T> by_sets(const Array<T>& x, const Key& key, const Form& form) {
  std::map<std::int64_t, std::vector<std::int64_t>> sets;
  for (std::int64_t i = 0; i < x.size(); ++i) sets[key(unflatten(i, x.shape))].push_back(i);
  Array<T> y(x.shape);
  for (const auto& [_, members] : sets) {
    const T n = static_cast<T>(members.size());
    T mean = 0, square = 0;
    for (const std::int64_t i : members) mean += form.centred ? x[i] / n : T(0);
    for (const std::int64_t i : members) square += (x[i] - mean) * (x[i] - mean) / n;
    for (const std::int64_t i : members) y[i] = (x[i] - mean) / std::sqrt(square + static_cast<T>(form.eps));
  }
  return y;
}

// y·in[1] + in[2], read at `place` of an element's index.
template <class T>
Array<T> affine(Array<T> y, const std::vector<Array<T>>& in, const Key& place) {
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const std::int64_t at = place(unflatten(i, y.shape));
    y[i] = y[i] * in[1][at] + in[2][at];
  }
  return y;
}

using Index = std::vector<std::int64_t>;

// rsqrt 2 ulp, product, sum (Vulkan, precision); sums of a thousand values are within the float reference's own error.
constexpr CheckOptions options{.extra_ulps = 16, .gradient = true};

}  // namespace

TEST_CASE("layer_norm over the innermost axes, scaled and shifted") {
  for (const std::int64_t width : {1, 3, 8, 33}) {
    CAPTURE(width);
    check("normalize_rows", {random({3, 2, width}, -2, 3), random({width}, 0.5, 2, 2), random({width}, -1, 1, 3)},
          [](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0], {.weight = t[1], .bias = t[2]})}; },
          [](const auto& in) {
            return std::vector{affine(by_sets(in[0], [](const Index& i) { return 2 * i[0] + i[1]; }, {}), in,
                                      [](const Index& i) { return i[2]; })};
          },
          options);
  }
  check("normalize_rows", {random({3, 2, 5}, -2, 3)},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0], {.axes = 2, .eps = 0.1f})}; },
        [](const auto& in) { return std::vector{by_sets(in[0], [](const Index& i) { return i[0]; }, {.eps = 0.1f})}; }, options);
}

TEST_CASE("a large mean costs layer_norm no digits") {
  Operand x = random({4, 65}, -1, 1);
  for (double& value : x.array.values) value = static_cast<double>(static_cast<float>(value + 1000));
  check("normalize_rows", {x}, [](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0])}; },
        [](const auto& in) { return std::vector{by_sets(in[0], [](const Index& i) { return i[0]; }, {})}; },
        {.f16 = false, .extra_ulps = 16});
}

TEST_CASE("rms_norm") {
  check("normalize_rows", {random({3, 2, 33}, -2, 3), random({33}, 0.5, 2, 2)},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{rms_norm(t[0], {.weight = t[1], .eps = 1e-6f})}; },
        [](const auto& in) {
          auto both = in;
          both.emplace_back(Shape{33});
          return std::vector{affine(by_sets(in[0], [](const Index& i) { return 2 * i[0] + i[1]; }, {1e-6f, false}), both,
                                    [](const Index& i) { return i[2]; })};
        },
        options);
}

TEST_CASE("group_norm and instance_norm, in one to three dimensions") {
  for (const std::int64_t groups : {1, 2, 6})
    for (const Shape& shape : {Shape{2, 6, 5}, Shape{2, 6, 3, 5}, Shape{2, 6, 1, 2, 3}, Shape{3, 6}}) {
      if (groups == 6 && shape.rank() == 2) continue;  // sets of one value have no gradient to speak of
      CAPTURE(to_string(shape));
      CAPTURE(groups);
      check("normalize_rows", {random(shape, -2, 3), random({6}, 0.5, 2, 2), random({6}, -1, 1, 3)},
            [&](Graph&, const std::vector<Tensor>& t) {
              const GroupNormDesc desc{.groups = groups, .weight = t[1], .bias = t[2]};
              return std::vector{groups == 6 ? instance_norm(t[0], {.weight = t[1], .bias = t[2]}) : group_norm(t[0], desc)};
            },
            [&](const auto& in) {
              const auto key = [&](const Index& i) { return i[0] * groups + i[1] / (6 / groups); };
              return std::vector{affine(by_sets(in[0], key, {}), in, [](const Index& i) { return i[1]; })};
            },
            options);
    }
}

TEST_CASE("group_norm and instance_norm of one channel, and layer_norm with one weight for all") {
  const auto one_channel = [](const Shape& shape, const std::function<Tensor(const std::vector<Tensor>&)>& norm) {
    check("normalize_rows", {random(shape, -2, 3), random({1}, 0.5, 2, 2), random({1}, -1, 1, 3)},
          [&](Graph&, const std::vector<Tensor>& t) { return std::vector{norm(t)}; },
          [](const auto& in) {
            return std::vector{affine(by_sets(in[0], [](const Index& i) { return i[0]; }, {}), in, [](const Index&) { return std::int64_t{0}; })};
          },
          options);
  };
  for (const Shape& shape : {Shape{6, 1, 7, 4}, Shape{2, 1, 5}, Shape{1, 1, 3, 3}}) {
    one_channel(shape, [](const auto& t) { return instance_norm(t[0], {.weight = t[1], .bias = t[2]}); });
    one_channel(shape, [](const auto& t) { return group_norm(t[0], {.groups = 1, .weight = t[1], .bias = t[2]}); });
  }
  one_channel({5, 9}, [](const auto& t) { return layer_norm(t[0], {.weight = t[1], .bias = t[2]}); });
}

TEST_CASE("standardize gives its statistics too") {
  check("reduce", {random({3, 7, 5}, -2, 3)},
        [](Graph&, const std::vector<Tensor>& t) {
          const Standardized s = standardize(t[0], {0, -1}, 1e-3f);
          return std::vector{s.value, s.mean, s.inverse_deviation};
        },
        [](const auto& in) {
          auto value = by_sets(in[0], [](const Index& i) { return i[1]; }, {.eps = 1e-3f});
          auto mean = value, inverse = value;
          mean = inverse = std::decay_t<decltype(value)>({1, 7, 1});
          using T = std::decay_t<decltype(mean[0])>;
          for (std::int64_t c = 0; c < 7; ++c) {
            T square = 0;
            for (std::int64_t a = 0; a < 3; ++a)
              for (std::int64_t b = 0; b < 5; ++b) mean[c] += in[0].at({a, c, b}) / 15;
            for (std::int64_t a = 0; a < 3; ++a)
              for (std::int64_t b = 0; b < 5; ++b) square += std::pow(in[0].at({a, c, b}) - mean[c], T(2)) / 15;
            inverse[c] = 1 / std::sqrt(square + T(1e-3f));
          }
          return std::vector{value, mean, inverse};
        },
        options);
}

TEST_CASE("batch_norm by running statistics") {
  for (const Shape& shape : {Shape{2, 3}, Shape{2, 3, 5}, Shape{2, 3, 5, 7}})
    check("elementwise", {random(shape, -2, 3), random({3}, 0.5, 2, 2), random({3}, -1, 1, 3), random({3}, -1, 1, 4), random({3}, 0.2, 2, 5)},
          [](Graph&, const std::vector<Tensor>& t) {
            return std::vector{batch_norm(t[0], t[3], t[4], {.weight = t[1], .bias = t[2]})};
          },
          [](const auto& in) {
            auto y = in[0];
            using T = std::decay_t<decltype(y[0])>;
            for (std::int64_t i = 0; i < y.size(); ++i) {
              const std::int64_t c = unflatten(i, y.shape)[1];
              y[i] = (y[i] - in[3][c]) / std::sqrt(in[4][c] + T(1e-5f));
            }
            return std::vector{affine(y, in, [](const Index& i) { return i[1]; })};
          },
          options);
}

TEST_CASE("batch_norm in training: the batch's statistics, and the running ones of PyTorch and of ONNX") {
  for (const bool unbiased : {true, false}) {
    CAPTURE(unbiased);
    const std::vector<Operand> operands{random({4, 3, 5}, -2, 3), random({3}, 0.5, 2, 2), random({3}, -1, 1, 3), random({3}, -1, 1, 4),
                                        random({3}, 0.2, 2, 5)};
    const auto reference = [&](const auto& in) {
      auto y = affine(by_sets(in[0], [](const Index& i) { return i[1]; }, {}), in, [](const Index& i) { return i[1]; });
      auto mean = in[3], variance = in[4];
      using T = std::decay_t<decltype(y[0])>;
      for (std::int64_t c = 0; c < 3; ++c) {
        T batch_mean = 0, square = 0;
        for (std::int64_t n = 0; n < 4; ++n)
          for (std::int64_t l = 0; l < 5; ++l) batch_mean += in[0].at({n, c, l}) / 20;
        for (std::int64_t n = 0; n < 4; ++n)
          for (std::int64_t l = 0; l < 5; ++l) square += std::pow(in[0].at({n, c, l}) - batch_mean, T(2));
        mean[c] = T(0.7) * mean[c] + T(0.3) * batch_mean;
        variance[c] = T(0.7) * variance[c] + T(0.3) * square / (unbiased ? 19 : 20);
      }
      return std::vector{y, mean, variance};
    };
    const auto build = [&](Graph&, const std::vector<Tensor>& t) {
      const BatchNormResult r = batch_norm_train(t[0], t[3], t[4], {.weight = t[1], .bias = t[2], .momentum = 0.3f, .unbiased = unbiased});
      return std::vector{r.out, r.mean, r.variance};
    };
    check("reduce", operands, build, reference, {.extra_ulps = 16});
    check("reduce", operands, [&](Graph& g, const std::vector<Tensor>& t) { return std::vector{build(g, t)[0]}; },
          [&](const auto& in) { return std::vector{reference(in)[0]}; }, options);
  }
}

TEST_CASE("normalize by several norms") {
  for (const double p : {1.0, 2.0, 3.0, 2.5, std::numeric_limits<double>::infinity()}) {
    CAPTURE(p);
    // pow is exp2(p·log2|x|), 16 ulp and more (Vulkan, precision).
    check("reduce", {random({3, 7, 2}, -2, 3)},
          [&](Graph&, const std::vector<Tensor>& t) { return std::vector{normalize(t[0], {.p = p})}; },
          [&](const auto& in) {
            auto y = in[0];
            using T = std::decay_t<decltype(y[0])>;
            for (std::int64_t a = 0; a < 3; ++a)
              for (std::int64_t b = 0; b < 2; ++b) {
                T sum = 0, most = 0;
                for (std::int64_t c = 0; c < 7; ++c) {
                  sum += std::pow(std::abs(in[0].at({a, c, b})), static_cast<T>(p));
                  most = std::max(most, std::abs(in[0].at({a, c, b})));
                }
                const T norm = std::isinf(p) ? most : std::pow(sum, 1 / static_cast<T>(p));
                for (std::int64_t c = 0; c < 7; ++c) y.at({a, c, b}) /= norm;
              }
            return std::vector{y};
          },
          {.extra_ulps = 64, .gradient = true});
  }
}

// y = x/m, m = (sum |x|^p)^(1/p): (w - w·y · c)/m, where c = dm/dx is sign(x) (|x|/m)^(p-1) and 0 at 0.
TEST_CASE("a zero among others is normalised with a finite gradient, whatever the norm") {
  for (const double p : {0.5, 1.5, 3.0}) {
    CAPTURE(p);
    check("reduce", {values({2, 4}, {1, 0, -2, 0.5, 0, 3, 0, 0}), random({2, 4}, -1, 1, 3)},
          [&](Graph&, const std::vector<Tensor>& t) { return grad(normalize(t[0], {.p = p}), {t[0]}, {.seed = t[1]}); },
          [&](const auto& in) {
            auto d = in[0];
            using T = std::decay_t<decltype(d[0])>;
            for (std::int64_t row = 0; row < 8; row += 4) {
              T sum = 0, along = 0;
              for (std::int64_t i = row; i < row + 4; ++i) sum += std::pow(std::abs(in[0][i]), static_cast<T>(p));
              const T m = std::pow(sum, 1 / static_cast<T>(p));
              for (std::int64_t i = row; i < row + 4; ++i) along += in[1][i] * in[0][i] / m;
              for (std::int64_t i = row; i < row + 4; ++i) {
                const T size = std::abs(in[0][i]), c = size == 0 ? T(0) : in[0][i] / size * std::pow(size / m, static_cast<T>(p) - 1);
                d[i] = (in[1][i] - along * c) / m;
              }
            }
            return std::vector{d};
          },
          {.extra_ulps = 128});  // pow, as above
  }
}

TEST_CASE("zeros have a second gradient of zero, whatever the norm and the least that is divided by") {
  for (const double p : {0.5, 1.0, 2.0, 3.0})
    for (const float eps : {0.5f, 1e-12f}) {
      CAPTURE(p);
      CAPTURE(eps);
      check("reduce", {values({2, 3}, std::vector<double>(6, 0.0)), random({2, 3}), random({2, 3}, -1, 1, 2)},
            [&](Graph&, const std::vector<Tensor>& t) {
              const Tensor first = grad(normalize(t[0], {.p = p, .eps = eps}), {t[0]}, {.seed = t[1]})[0];
              return grad(reduce(Reduce::sum, first * t[2]), {t[0]});
            },
            [](const auto& in) { return std::vector{in[0]}; }, {.f16 = false});
    }
}

TEST_CASE("zeros are normalised to zeros, with a finite gradient") {
  for (const double p : {0.5, 1.0, 2.0, 3.0}) {
    const Operand zeros = values({2, 3}, std::vector<double>(6, 0.0)), seed = random({2, 3});
    // y = x/eps near zero; its gradient there is seed/eps.
    check("reduce", {zeros, seed},
          [&](Graph&, const std::vector<Tensor>& t) {
            const Tensor y = normalize(t[0], {.p = p, .eps = 0.5f});
            return std::vector{y, grad(y, {t[0]}, {.seed = t[1]})[0]};
          },
          [](const auto& in) {
            auto d = in[1];
            for (auto& value : d.values) value *= 2;
            return std::vector{in[0], d};
          },
          {.extra_ulps = 8});
  }
}

TEST_CASE("nothing to normalise") {
  check("normalize_rows", {values({0, 4}, {})}, [](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0])}; },
        [](const auto& in) { return std::vector{in[0]}; });
  check("reduce", {values({2, 0}, {}), values({0}, {}), values({0}, {})},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{batch_norm_train(t[0], t[1], t[2], {.unbiased = false}).out}; },
        [](const auto& in) { return std::vector{in[0]}; });
}

TEST_CASE("normalisations name what is wrong") {
  const auto x = [](Graph& g, Shape shape = {2, 6, 5}, DType dtype = DType::f32) { return g.input("x", shape, dtype); };
  const auto w = [](Graph& g, Shape shape) { return g.input("w", shape); };
  check_error([&](Graph& g) { layer_norm(x(g), {.axes = 4}); }, {"layer_norm: 4 innermost axes of x [2,6,5]", "normalization.cpp"});
  check_error([&](Graph& g) { layer_norm(x(g), {.weight = w(g, {6})}); }, {"layer_norm: weight [6] does not broadcast to [2,6,5]"});
  check_error([&](Graph& g) { rms_norm(x(g), {.axes = 0}); }, {"rms_norm: 0 innermost axes"});
  check_error([&](Graph& g) { rms_norm(x(g, {3}, DType::i32)); }, {"rms_norm: x is i32"});
  check_error([&](Graph& g) { group_norm(x(g), {.groups = 4}); }, {"group_norm: 4 groups do not divide the 6 channels of x [2,6,5]"});
  check_error([&](Graph& g) { group_norm(x(g), {.groups = 2, .bias = w(g, {5})}); }, {"group_norm: bias is [5], not [6]"});
  check_error([&](Graph& g) { instance_norm(x(g, {4})); }, {"instance_norm: x [4] has no channel axis"});
  check_error([&](Graph& g) { batch_norm(x(g), w(g, {6}), {}); }, {"batch_norm: variance is absent"});
  check_error([&](Graph& g) { batch_norm(x(g), w(g, {5}), {}); }, {"batch_norm: mean is [5], not [6]"});
  check_error([&](Graph& g) { batch_norm_train(x(g, {1, 6, 1}), w(g, {6}), g.input("v", {6})); },
              {"batch_norm_train: x [1,6,1] has 1 values a channel"});
  check_error([&](Graph& g) { standardize(x(g), {3}); }, {"standardize: axis 3 is out of range for x [2,6,5]"});
  check_error([&](Graph& g) { standardize(x(g), {}); }, {"standardize: no axis is given"});
  check_error([&](Graph& g) { normalize(x(g), {.p = 0}); }, {"normalize: the norm's p is 0"});
  check_error([&](Graph& g) { normalize(x(g), {.axes = {-4}}); }, {"normalize: axis -4"});
}

}  // namespace fovea::test
