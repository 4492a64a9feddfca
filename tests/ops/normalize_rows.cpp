// Rows normalised by one launch, with residual, activation and statistics, and their gradients, against the formula.

#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"

#include <fovea/autodiff.hpp>
#include <fovea/normalization.hpp>

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();

struct Rows {
  std::int64_t count = 1;   // x is so many rows
  std::int64_t run = 1;     // elements of a weight
  bool centred = true;
  double eps = 1e-5;
};

// x as rows; then weight, then bias, if they are there.
template <class T>
Array<T> normalized(const Array<T>& x, const Rows& rows, const Array<T>* weight = nullptr, const Array<T>* bias = nullptr) {
  Array<T> y(x.shape);
  const std::int64_t n = rows.count == 0 ? 0 : x.size() / rows.count;
  for (std::int64_t row = 0; row < rows.count; ++row) {
    T mean = 0, square = 0;
    for (std::int64_t i = row * n; i < (row + 1) * n; ++i) mean += rows.centred ? x[i] / static_cast<T>(n) : T(0);
    for (std::int64_t i = row * n; i < (row + 1) * n; ++i) square += (x[i] - mean) * (x[i] - mean) / static_cast<T>(n);
    for (std::int64_t i = row * n; i < (row + 1) * n; ++i) y[i] = (x[i] - mean) / std::sqrt(square + static_cast<T>(rows.eps));
  }
  for (std::int64_t i = 0; i < x.size(); ++i) {
    if (weight) y[i] *= (*weight)[i / rows.run % weight->size()];
    if (bias) y[i] += (*bias)[i / rows.run % bias->size()];
  }
  return y;
}

template <class T>
Array<T> sum(const Array<T>& a, const Array<T>& b) {
  Array<T> c = a;
  for (std::int64_t i = 0; i < c.size(); ++i) c[i] += b[i];
  return c;
}

// rsqrt 2 ulp, product, sum (Vulkan, precision).
constexpr CheckOptions options{.extra_ulps = 16};

// Of x, weight and bias.
constexpr auto layer = [](Graph&, const std::vector<Tensor>& t) {
  return std::vector{layer_norm(t[0], {.weight = t[1], .bias = t[2]})};
};

void check_layer(Shape shape, const CheckOptions& how = options) {
  CAPTURE(to_string(shape));
  const std::int64_t width = shape.at(-1), rows = width == 0 ? 0 : shape.elements() / width;
  check("normalize_rows", {random(shape, -2, 3), random({width}, 0.5, 2, 2), random({width}, -1, 1, 3)},
        layer,
        [=](const auto& in) { return std::vector{normalized(in[0], {rows}, &in[1], &in[2])}; }, how);
}

constexpr const char* gradient_ops[] = {"normalize_rows_backward", "normalize_rows_weights"};

// By every kernel of each of the two gradients.
void check_gradients(const std::vector<Operand>& in, const Build& build, const Reference<double>& reference,
                     std::vector<bool> skip = {}, bool f16 = false) {
  for (const char* op : gradient_ops) {
    CAPTURE(op);
    check_gradient(in, build, reference,
                   {.ulps = 256, .least_scale = 0.05, .most = 24, .skip = skip, .f16 = f16, .kernels_of = op});
  }
}

}  // namespace

TEST_CASE("normalize_rows: widths off every four, share and register, none and one") {
  for (const std::int64_t width : {1, 2, 3, 4, 5, 8, 17, 32, 33, 63, 64, 96, 129, 260, 512, 1023, 1024})
    check_layer({3, width}, {.f16 = width < 100, .extra_ulps = 16});
  check_layer({67, 12});
  check_layer({0, 4});
  check_layer({2, 2, 0});
}

TEST_CASE("normalize_rows: rows longer than any lanes hold are read again") {
  for (const std::int64_t width : {4100, 16388, 32000, 33001}) check_layer({17, width}, {.f16 = false, .extra_ulps = 16});
}

TEST_CASE("normalize_rows: few long rows in chunks, off every four and not, with all that may go along") {
  for (const std::int64_t width : {65536, 70001}) check_layer({3, width}, {.f16 = false, .extra_ulps = 16});
  check("normalize_rows", {random({2, 65600}, 4, 5)}, [](Graph&, const std::vector<Tensor>& t) { return std::vector{rms_norm(t[0])}; },
        [](const auto& in) { return std::vector{normalized(in[0], {.count = 2, .centred = false})}; }, options);
  check("normalize_rows", {random({1, 4, 40000}, -2, 3), random({4}, 0.5, 2, 2), random({4}, -1, 1, 3)},
        [](Graph&, const std::vector<Tensor>& t) {
          return std::vector{group_norm(t[0], {.groups = 2, .weight = t[1], .bias = t[2]})};
        },
        [](const auto& in) { return std::vector{normalized(in[0], {2, 40000}, &in[1], &in[2])}; }, {.f16 = false, .extra_ulps = 16});
  for (const bool shared : {false, true})
    check("normalize_rows", {random({2, 66000}, -2, 3), random({2, 66000}, -1, 1, 2)},
          [&](Graph&, const std::vector<Tensor>& t) {
            const Tensor h = t[0] + t[1];
            const Standardized s = standardize(h, {1});
            std::vector<Tensor> out{s.value, s.inverse_deviation};
            if (shared) out.push_back(h);
            return out;
          },
          [&](const auto& in) {
            const auto h = sum(in[0], in[1]);
            std::decay_t<decltype(h)> inverse({2, 1});
            using T = std::decay_t<decltype(h[0])>;
            for (std::int64_t row = 0; row < 2; ++row) {
              T mean = 0, square = 0;
              for (std::int64_t i = 0; i < 66000; ++i) mean += h[row * 66000 + i] / 66000;
              for (std::int64_t i = 0; i < 66000; ++i) square += std::pow(h[row * 66000 + i] - mean, T(2)) / 66000;
              inverse[row] = 1 / std::sqrt(square + T(1e-5f));
            }
            std::vector out{normalized(h, {2}), inverse};
            if (shared) out.push_back(h);
            return out;
          },
          {.f16 = false, .extra_ulps = 16});
}

TEST_CASE("normalize_rows: more rows than one axis of a launch has groups") {
  check("normalize_rows", {random({70001, 3}, -2, 3)},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{rms_norm(t[0])}; },
        [](const auto& in) { return std::vector{normalized(in[0], {.count = 70001, .centred = false})}; },
        {.f16 = false, .extra_ulps = 16});
}

TEST_CASE("normalize_rows: without the mean, with a weight or a bias alone, and weights of another type") {
  for (const std::int64_t width : {7, 40})
    for (const bool weighs : {true, false}) {
      const auto build = [&](Graph&, const std::vector<Tensor>& t) {
        return std::vector{rms_norm(t[0], {.weight = weighs ? t[1] : Tensor(), .bias = weighs ? Tensor() : t[1], .eps = 1e-6f})};
      };
      const Rows rows{.count = 6, .centred = false, .eps = 1e-6f};
      check("normalize_rows", {random({3, 2, width}, -2, 3), random({width}, 0.5, 2, 2)}, build,
            [&](const auto& in) {
              return std::vector{normalized(in[0], rows, weighs ? &in[1] : nullptr, weighs ? nullptr : &in[1])};
            },
            options);
    }
  // A wide weight stays f32 when x is stored in 16 bits: operands that are cast back to f32 come to the kernel as such.
  check("normalize_rows", {random({5, 12}, -2, 3), random({12}, 0.5, 2, 2), random({12}, -1, 1, 3)},
        [](Graph&, const std::vector<Tensor>& t) {
          return std::vector{layer_norm(t[0], {.weight = cast(t[1], DType::f32), .bias = cast(t[2], DType::f32)})};
        },
        [](const auto& in) { return std::vector{normalized(in[0], {5}, &in[1], &in[2])}; }, options);
}

TEST_CASE("normalize_rows: weights of several axes, of more than a row, and of channels with and without a multiple of four") {
  struct Case {
    Shape x, weight;
    std::int64_t axes, rows, run;
  };
  for (const Case& c : {Case{{3, 4, 6}, {4, 6}, 2, 3, 1}, {{3, 4, 6}, {4, 6}, 1, 12, 1}, {{3, 4, 6}, {4, 1}, 2, 3, 6},
                        {{3, 4, 8}, {3, 1, 1}, 2, 3, 32}, {{3, 4, 8}, {1, 4, 1}, 1, 12, 8}}) {
    CAPTURE(to_string(c.weight));
    check("normalize_rows", {random(c.x, -2, 3), random(c.weight, 0.5, 2, 2)},
          [&](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0], {.axes = c.axes, .weight = t[1]})}; },
          [&](const auto& in) { return std::vector{normalized(in[0], {c.rows, c.run}, &in[1])}; }, options);
  }
  for (const std::int64_t spatial : {1, 5, 8, 36})
    for (const std::int64_t groups : {1, 2, 3}) {
      CAPTURE(spatial);
      CAPTURE(groups);
      check("normalize_rows", {random({2, 6, spatial}, -2, 3), random({6}, 0.5, 2, 2), random({6}, -1, 1, 3)},
            [&](Graph&, const std::vector<Tensor>& t) {
              return std::vector{group_norm(t[0], {.groups = groups, .weight = t[1], .bias = t[2]})};
            },
            [&](const auto& in) { return std::vector{normalized(in[0], {2 * groups, spatial}, &in[1], &in[2])}; }, options);
    }
  // A weight that no run of elements has: composed.
  check("reduce", {random({3, 4, 5}, -2, 3), random({3, 1, 5}, 0.5, 2, 2)},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0], {.weight = t[1]})}; },
        [](const auto& in) {
          auto y = normalized(in[0], {12});
          for (std::int64_t i = 0; i < y.size(); ++i) y[i] *= in[1][i / 20 * 5 + i % 5];
          return std::vector{y};
        },
        options);
}

TEST_CASE("normalize_rows: a residual is added first, and its sum given where others read it") {
  for (const std::int64_t width : {6, 7, 64, 1100})
    for (const bool shared : {false, true}) {
      if (shared && width == 6) continue;
      CAPTURE(width);
      CAPTURE(shared);
      check("normalize_rows",
            {random({9, width}, -2, 3), random({9, width}, -1, 1, 2), random({width}, 0.5, 2, 3), random({width}, -1, 1, 4)},
            [&](Graph&, const std::vector<Tensor>& t) {
              const Tensor h = t[0] + t[1], y = layer_norm(h, {.weight = t[2], .bias = t[3]});
              return shared ? std::vector{y, h} : std::vector{y};
            },
            [&](const auto& in) {
              const auto h = sum(in[0], in[1]), y = normalized(h, {9}, &in[2], &in[3]);
              return shared ? std::vector{y, h} : std::vector{y};
            },
            // Composed, a sum that others read is rounded first: in 16 bits the portable kernel alone.
            {.f16 = shared ? width == 64 : width < 100, .extra_ulps = 16,
             .kernel = shared && width == 64 ? "normalize_rows_group" : ""});
    }
}

TEST_CASE("normalize_rows: every activation behind it") {
  const auto apply = [](Unary op, auto x) {
    using T = decltype(x);
    switch (op) {
      case Unary::relu: return std::max(x, T(0));
      case Unary::sigmoid: return 1 / (1 + std::exp(-x));
      case Unary::tanh: return std::tanh(x);
      case Unary::gelu: return x * std::erfc(-x / std::sqrt(T(2))) / 2;
      case Unary::gelu_tanh:
        return x / (1 + std::exp(-2 * std::sqrt(2 / T(3.14159265358979323846)) * (x + T(0.044715) * x * x * x)));
      default: return x / (1 + std::exp(-x));
    }
  };
  for (const Unary op : {Unary::relu, Unary::sigmoid, Unary::tanh, Unary::gelu, Unary::gelu_tanh, Unary::silu})
    check("normalize_rows", {random({5, 9}, -2, 3), random({9}, 0.5, 2, 2)},
          [&](Graph&, const std::vector<Tensor>& t) { return std::vector{unary(op, layer_norm(t[0], {.weight = t[1]}))}; },
          [&](const auto& in) {
            auto y = normalized(in[0], {5}, &in[1]);
            for (auto& value : y.values) value = apply(op, value);
            return std::vector{y};
          },
          {.extra_ulps = 64});  // exp is 3 + 2|x| ulp, and |x| below 8
}

TEST_CASE("normalize_rows: a large mean costs no digits, and NaN and infinity make their row NaN alone") {
  Operand x = random({4, 1030}, -1, 1);
  for (double& value : x.array.values) value = static_cast<double>(static_cast<float>(value + 4000));
  check("normalize_rows", {x}, [](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0])}; },
        [](const auto& in) { return std::vector{normalized(in[0], {4})}; }, {.f16 = false, .extra_ulps = 16});
  for (const std::int64_t width : {5, 64}) {
    Operand bad = random({4, width});
    bad.array[2] = nan, bad.array[width + 3] = inf, bad.array[2 * width + 1] = -inf;
    check("normalize_rows", {bad},
          [](Graph&, const std::vector<Tensor>& t) { return std::vector{layer_norm(t[0]), rms_norm(t[0])}; },
          [](const auto& in) {
            return std::vector{normalized(in[0], {4}), normalized(in[0], {.count = 4, .centred = false})};
          },
          options);
  }
}

TEST_CASE("normalize_rows: statistics beside the result, of no elements too") {
  check("normalize_rows", {random({3, 1, 10}, -2, 3)},
        [](Graph&, const std::vector<Tensor>& t) {
          const Standardized s = standardize(t[0], {-1}, 1e-3f);
          return std::vector{s.value, s.mean, s.inverse_deviation};
        },
        [](const auto& in) {
          const auto value = normalized(in[0], {.count = 3, .eps = 1e-3f});
          std::decay_t<decltype(value)> mean({3, 1, 1}), inverse({3, 1, 1});
          using T = std::decay_t<decltype(mean[0])>;
          for (std::int64_t row = 0; row < 3; ++row) {
            T square = 0;
            for (std::int64_t i = 0; i < 10; ++i) mean[row] += in[0][row * 10 + i] / 10;
            for (std::int64_t i = 0; i < 10; ++i) square += std::pow(in[0][row * 10 + i] - mean[row], T(2)) / 10;
            inverse[row] = 1 / std::sqrt(square + T(1e-3f));
          }
          return std::vector{value, mean, inverse};
        },
        {.extra_ulps = 16, .gradient = true});
  check("normalize_rows", {values({2, 0}, {})},
        [](Graph&, const std::vector<Tensor>& t) {
          const Standardized s = standardize(t[0], {1});
          return std::vector{s.value, s.mean, s.inverse_deviation};
        },
        [](const auto& in) {
          std::decay_t<decltype(in[0])> nothing({2, 1});
          for (auto& value : nothing.values) value = nan;
          return std::vector{in[0], nothing, nothing};
        },
        options);
}

TEST_CASE("normalize_rows: gradients of x, weight and bias by every kernel") {
  for (const bool centred : {true, false})
    for (const std::int64_t width : {3, 12, 37, 68}) {
      CAPTURE(width);
      check_gradients({random({5, width}, -2, 3), random({width}, 0.5, 2, 2), random({width}, -1, 1, 3)},
                      [&](Graph&, const std::vector<Tensor>& t) {
                        const LayerNormDesc desc{.weight = t[1], .bias = t[2]};
                        return std::vector{centred ? layer_norm(t[0], desc) : rms_norm(t[0], desc)};
                      },
                      [&](const std::vector<Array<double>>& in) {
                        return std::vector{normalized(in[0], {.count = 5, .centred = centred}, &in[1], &in[2])};
                      },
                      {}, width == 12);
    }
  for (const std::int64_t spatial : {1, 5, 8, 36})
    check_gradients({random({3, 6, spatial}, -2, 3), random({6}, 0.5, 2, 2), random({6}, -1, 1, 3)},
                    [&](Graph&, const std::vector<Tensor>& t) {
                      return std::vector{group_norm(t[0], {.groups = 2, .weight = t[1], .bias = t[2]})};
                    },
                    [&](const std::vector<Array<double>>& in) {
                      return std::vector{normalized(in[0], {6, spatial}, &in[1], &in[2])};
                    },
                    {}, spatial == 8);
}

TEST_CASE("normalize_rows: gradients of weight or bias alone, of many rows in chunks, and of a large row") {
  for (const auto& skip : {std::vector<bool>{true, false, true}, {true, true, false}, {false, true, true}})
    check_gradients({random({4, 8}, -2, 3), random({8}, 0.5, 2, 2), random({8}, -1, 1, 3)},
                    layer,
                    [](const std::vector<Array<double>>& in) { return std::vector{normalized(in[0], {4}, &in[1], &in[2])}; }, skip);
  for (const Shape& shape : {Shape{1100, 8}, {300, 5}, {17, 2100}})
    check_gradients({random(shape, -2, 3), random({shape[1]}, 0.5, 2, 2), random({shape[1]}, -1, 1, 3)},
                    layer,
                    [&](const std::vector<Array<double>>& in) { return std::vector{normalized(in[0], {shape[0]}, &in[1], &in[2])}; });
  check_gradients({random({40, 4, 72}, -2, 3), random({4}, 0.5, 2, 2)},
                  [](Graph&, const std::vector<Tensor>& t) { return std::vector{instance_norm(t[0], {.weight = t[1]})}; },
                  [](const std::vector<Array<double>>& in) { return std::vector{normalized(in[0], {160, 72}, &in[1])}; });
}

TEST_CASE("normalize_rows: the gradient of a residual connection, whose sum goes on") {
  check_gradients({random({5, 12}, -2, 3), random({5, 12}, -1, 1, 2), random({12}, 0.5, 2, 3)},
                  [](Graph&, const std::vector<Tensor>& t) {
                    const Tensor h = t[0] + t[1];
                    return std::vector{h * layer_norm(h, {.weight = t[2]})};
                  },
                  [](const std::vector<Array<double>>& in) {
                    const Array<double> h = sum(in[0], in[1]);
                    Array<double> y = normalized(h, {5}, &in[2]);
                    for (std::int64_t i = 0; i < y.size(); ++i) y[i] *= h[i];
                    return std::vector{y};
                  },
                  {}, true);
}

// d/dx of the gradient's product with a given direction; central differences of the first gradient's formula.
TEST_CASE("normalize_rows: differentiated twice") {
  for (const bool centred : {true, false})
    for (const char* op : gradient_ops)
      check_gradient(
          {random({3, 6}, -2, 3), random({6}, 0.5, 2, 2), random({3, 6}, -1, 1, 3)},
          [&](Graph&, const std::vector<Tensor>& t) {
            const LayerNormDesc desc{.weight = t[1]};
            const Tensor y = centred ? layer_norm(t[0], desc) : rms_norm(t[0], desc);
            return grad(y, {t[0], t[1]}, {.seed = t[2]});
          },
          [&](const std::vector<Array<double>>& in) {
            Array<double> dx(in[0].shape), dw(in[1].shape);
            for (std::int64_t row = 0; row < 3; ++row) {
              double mean = 0, square = 0, along = 0, all = 0, g[6], normal[6];
              for (std::int64_t i = 0; i < 6; ++i) mean += centred ? in[0][6 * row + i] / 6 : 0;
              for (std::int64_t i = 0; i < 6; ++i) square += std::pow(in[0][6 * row + i] - mean, 2) / 6;
              const double inverse = 1 / std::sqrt(square + 1e-5f);
              for (std::int64_t i = 0; i < 6; ++i) {
                g[i] = in[2][6 * row + i] * in[1][i], normal[i] = (in[0][6 * row + i] - mean) * inverse;
                along += g[i] * normal[i] / 6, all += centred ? g[i] / 6 : 0;
                dw[i] += in[2][6 * row + i] * normal[i];
              }
              for (std::int64_t i = 0; i < 6; ++i) dx[6 * row + i] = inverse * (g[i] - all - normal[i] * along);
            }
            return std::vector{dx, dw};
          },
          {.ulps = 1024, .least_scale = 0.05, .kernels_of = op});
}

}  // namespace fovea::test
