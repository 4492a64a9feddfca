#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <fovea/autodiff.hpp>

#include <cmath>
#include <cstring>
#include <limits>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

template <class T>
T sigmoid(T x) {
  return x < 0 ? std::exp(x) / (1 + std::exp(x)) : 1 / (1 + std::exp(-x));
}
template <class T>
T softplus(T x) {
  return std::isnan(x) ? x : std::max(x, T(0)) + std::log1p(std::exp(-std::abs(x)));
}

template <class T>
T apply(Unary op, T x) {
  const T clamped = std::isnan(x) ? x : std::min(std::max(x + 3, T(0)), T(6));
  switch (op) {
    case Unary::neg: return -x;
    case Unary::abs: return std::abs(x);
    case Unary::sign: return std::isnan(x) ? x : static_cast<T>((x > 0) - (x < 0));
    case Unary::exp: return std::exp(x);
    case Unary::log: return std::log(x);
    case Unary::sqrt: return std::sqrt(x);
    case Unary::rsqrt: return 1 / std::sqrt(x);
    case Unary::reciprocal: return 1 / x;
    case Unary::square: return x * x;
    case Unary::sin: return std::sin(x);
    case Unary::cos: return std::cos(x);
    case Unary::tanh: return std::tanh(x);
    case Unary::sigmoid: return sigmoid(x);
    case Unary::relu: return std::isnan(x) ? x : std::max(x, T(0));
    case Unary::gelu: return x * std::erfc(-x * static_cast<T>(M_SQRT1_2)) / 2;
    case Unary::gelu_tanh: return x * sigmoid(2 * static_cast<T>(std::sqrt(2 / M_PI)) * (x + static_cast<T>(0.044715) * x * x * x));
    case Unary::silu: return x * sigmoid(x);
    case Unary::softplus: return softplus(x);
    case Unary::elu: return x > 0 ? x : std::expm1(x);
    case Unary::mish: return x * std::tanh(softplus(x));
    case Unary::hardswish: return x * clamped / 6;
    case Unary::hardsigmoid: return clamped / 6;
    case Unary::erf: return std::erf(x);
    case Unary::floor: return std::floor(x);
    case Unary::ceil: return std::ceil(x);
    case Unary::round: return std::nearbyint(x);
    case Unary::logical_not: return x == 0;
    case Unary::exp2: return std::exp2(x);
    case Unary::log2: return std::log2(x);
  }
  return 0;
}

// Python's remainder.
template <class T>
T floor_mod(T a, T b) {
  const T r = std::fmod(a, b);
  return r != 0 && (r < 0) != (b < 0) ? r + b : r;
}

template <class T>
T apply(Binary op, T a, T b) {
  const bool unordered = std::isnan(a) || std::isnan(b);
  switch (op) {
    case Binary::add: return a + b;
    case Binary::sub: return a - b;
    case Binary::mul: return a * b;
    case Binary::div: return a / b;
    case Binary::pow: return std::pow(a, b);
    case Binary::min: return unordered ? a + b : std::min(a, b);
    case Binary::max: return unordered ? a + b : std::max(a, b);
    case Binary::equal: return a == b;
    case Binary::not_equal: return a != b;
    case Binary::less: return a < b;
    case Binary::less_equal: return a <= b;
    case Binary::greater: return a > b;
    case Binary::greater_equal: return a >= b;
    case Binary::logical_and: return a != 0 && b != 0;
    case Binary::logical_or: return a != 0 || b != 0;
    case Binary::leaky_relu: return a < 0 ? a * b : a;
    case Binary::mod: return floor_mod(a, b);
  }
  return 0;
}

template <class T, class F>
Array<T> broadcast_apply(const std::vector<Array<T>>& in, const Shape& shape, const F& f) {
  Array<T> y(shape);
  std::vector<T> operands(in.size());
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto index = unflatten(i, shape);
    for (std::size_t k = 0; k < in.size(); ++k) operands[k] = in[k][broadcast_offset(index, in[k].shape)];
    y[i] = f(operands);
  }
  return y;
}

Shape common_shape(const std::vector<Operand>& in) {
  std::vector<std::int64_t> extents;
  for (const Operand& operand : in) extents.resize(std::max(extents.size(), operand.array.shape.extents().size()), 1);
  for (const Operand& operand : in) {
    const auto& shape = operand.array.shape;
    for (int axis = -1; axis >= -shape.rank(); --axis)
      if (shape.at(axis) != 1) extents[extents.size() - static_cast<std::size_t>(-axis)] = shape.at(axis);
  }
  return Shape{std::span<const std::int64_t>(extents)};
}

void check_unary(Unary op, const Operand& x, CheckOptions options = {}) {
  CAPTURE(std::string(to_string(op)));
  check("elementwise", {x}, [&](Graph&, const std::vector<Tensor>& in) { return std::vector{unary(op, in[0])}; },
        [&](const auto& in) { return std::vector{broadcast_apply(in, in[0].shape, [&](const auto& v) { return apply(op, v[0]); })}; },
        options);
}

void check_binary(Binary op, const Operand& a, const Operand& b, CheckOptions options = {}) {
  CAPTURE(std::string(to_string(op)));
  const Shape shape = common_shape({a, b});
  check("elementwise", {a, b}, [&](Graph&, const std::vector<Tensor>& in) { return std::vector{binary(op, in[0], in[1])}; },
        [&](const auto& in) { return std::vector{broadcast_apply(in, shape, [&](const auto& v) { return apply(op, v[0], v[1]); })}; },
        options);
}

struct Range {
  Unary op;
  double low, high;
  // Vulkan's precision (appendix A): exp, exp2 3 + 2|x| ulp; log, log2 3 ulp or 2^-21 near 1; division 2.5; rsqrt 2;
  // sqrt inherits both. Compositions add up; sin and cos, tanh, erf and what stands on them are Fovea's own.
  double ulps;
};

constexpr Range ranges[] = {
    {Unary::neg, -9, 9, 0}, {Unary::abs, -9, 9, 0}, {Unary::sign, -9, 9, 0}, {Unary::exp, -1, 1, 8}, {Unary::exp, 20, 30, 80},
    {Unary::exp, -30, -20, 80}, {Unary::log, 0.01, 0.5, 8}, {Unary::log, 0.5, 2, 16}, {Unary::log, 2, 6e4, 8},
    {Unary::sqrt, 0.001, 1, 8}, {Unary::sqrt, 1, 6e4, 8}, {Unary::rsqrt, 0.001, 1, 6}, {Unary::rsqrt, 1, 6e4, 6},
    {Unary::reciprocal, 0.01, 1, 6}, {Unary::reciprocal, -100, -1, 6}, {Unary::square, -200, 200, 1}, {Unary::sin, -3.2, 3.2, 4},
    {Unary::sin, -200, 200, 4}, {Unary::sin, 3e4, 6e4, 4}, {Unary::cos, -3.2, 3.2, 4}, {Unary::cos, -200, 200, 4},
    {Unary::cos, -6e4, -3e4, 4}, {Unary::tanh, -0.2, 0.2, 8}, {Unary::tanh, -9, 9, 12}, {Unary::sigmoid, -5, 5, 20},
    {Unary::sigmoid, -30, -20, 80}, {Unary::relu, -5, 5, 0}, {Unary::gelu, -1, 1, 12}, {Unary::gelu, -5, 5, 40},
    {Unary::gelu_tanh, -1, 1, 12}, {Unary::gelu_tanh, -5, 5, 40}, {Unary::silu, -1, 1, 12}, {Unary::silu, -20, 20, 12},
    {Unary::softplus, -2, 2, 12}, {Unary::softplus, -20, -10, 60}, {Unary::softplus, 10, 100, 4}, {Unary::elu, -0.2, 0.2, 8},
    {Unary::elu, -9, 9, 8}, {Unary::mish, -1, 1, 24}, {Unary::mish, -20, 20, 24}, {Unary::hardswish, -7, 7, 8},
    {Unary::hardsigmoid, -7, 7, 8}, {Unary::erf, -0.6, 0.6, 8}, {Unary::erf, -5, 5, 8}, {Unary::floor, -9, 9, 0},
    {Unary::ceil, -9, 9, 0}, {Unary::round, -9, 9, 0}, {Unary::exp2, -1, 1, 8}, {Unary::exp2, 20, 40, 90},
    {Unary::log2, 0.01, 0.5, 8}, {Unary::log2, 0.5, 2, 16}, {Unary::log2, 2, 6e4, 8}};

bool takes_floats(Binary op) { return op != Binary::logical_and && op != Binary::logical_or; }

constexpr std::size_t unary_count = static_cast<std::size_t>(Unary::log2) + 1, binary_count = static_cast<std::size_t>(Binary::mod) + 1;

}  // namespace

TEST_CASE("every unary function over its ordinary range") {
  for (const Range& range : ranges) {
    CAPTURE(range.low);
    check_unary(range.op, random({3, 67}, range.low, range.high), {.f16 = std::abs(range.high) <= 10, .extra_ulps = range.ulps});
  }
}

TEST_CASE("gradients of every unary function") {
  for (std::size_t i = 0; i < unary_count; ++i) {
    const auto op = static_cast<Unary>(i);
    if (op == Unary::logical_not) continue;
    const bool positive = op == Unary::log || op == Unary::log2 || op == Unary::sqrt || op == Unary::rsqrt || op == Unary::reciprocal;
    check_unary(op, random({3, 9}, positive ? 0.3 : -2.9, 2.9), {.extra_ulps = 60, .gradient = true});
    if (!positive) check_unary(op, random({23}, -8, 8), {.f16 = false, .extra_ulps = 60, .gradient = true});
  }
}

TEST_CASE("gradients of every binary function, summed over the axes that broadcast") {
  for (std::size_t i = 0; i < binary_count; ++i) {
    const auto op = static_cast<Binary>(i);
    if (!takes_floats(op) || (op >= Binary::equal && op <= Binary::greater_equal)) continue;
    check_binary(op, random({3, 4}, 0.4, 2.2), random({2, 1, 4}, 0.5, 2, 3), {.f16 = op != Binary::mod, .extra_ulps = 40, .gradient = true});
    check_binary(op, random({3, 4}, 0.4, 2.2), random({}, 0.5, 2, 3), {.f16 = false, .extra_ulps = 40, .gradient = true});
    if (op != Binary::pow) check_binary(op, random({5, 1}, -2, 2), random({1, 3}, -2, -0.5, 5), {.f16 = false, .extra_ulps = 40, .gradient = true});
  }
}

TEST_CASE("gradients of select go to the side that was taken, of a cast through it, of a tensor used twice to both uses") {
  check("elementwise", {random_boolean({3, 4}), random({4}), random({3, 1})},
        [](Graph&, const std::vector<Tensor>& in) { return std::vector{select(in[0], in[1] * in[2], in[1])}; },
        [](const auto& in) {
          return std::vector{broadcast_apply(in, {3, 4}, [](const auto& v) { return v[0] != 0 ? v[1] * v[2] : v[1]; })};
        }, {.gradient = true});
}

// One value at a time: the bound is relative to the result.
TEST_CASE("every unary function at extreme arguments") {
  for (std::size_t i = 0; i < unary_count; ++i) {
    const auto op = static_cast<Unary>(i);
    if (op == Unary::logical_not) continue;
    const bool periodic = op == Unary::sin || op == Unary::cos;
    for (double x : {1e-30, -1e-30, 1e-4, -1e-4, 0.5, -0.5, 2.5, -2.5, 20.0, -20.0, 87.0, -87.0, 100.0, -100.0, 1e6, -1e6, 3e38, -3e38}) {
      if (periodic && std::abs(x) > 1e5) continue;  // ops.hpp: as the driver has it
      CAPTURE(x);
      check_unary(op, values({1}, {x}), {.f16 = false, .extra_ulps = 6 + 3 * std::min(std::abs(x), 100.0)});
    }
  }
}

TEST_CASE("a clamp passes the gradient on its closed interval: of equals the first operand takes all") {
  check("elementwise", {values({6}, {-1, 0, 0.5, 1, 2, -0.0})},
        [](Graph&, const std::vector<Tensor>& in) {
          const Tensor low = scalar(in[0], 0), high = scalar(in[0], 1);
          return grad(reduce(Reduce::sum, binary(Binary::min, binary(Binary::max, in[0], low), high)), {in[0]});
        },
        [](const auto& in) {
          auto d = in[0];
          for (auto& x : d.values) x = x >= 0 && x <= 1;
          return std::vector{d};
        });
}

TEST_CASE("every unary function of zeros, infinities and NaN") {
  for (std::size_t i = 0; i < unary_count; ++i) {
    const auto op = static_cast<Unary>(i);
    if (op == Unary::logical_not) continue;
    check_unary(op, values({2, 3}, {0.0, -0.0, inf, -inf, nan, 1}), {.extra_ulps = 8});
  }
}

TEST_CASE("rounding takes halves to even") {
  const Operand x = values({10}, {0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 2.4999998, 8388609, -8388607.5, 16777216});
  for (Unary op : {Unary::round, Unary::floor, Unary::ceil}) check_unary(op, x, {.f16 = false, .exact = true});
}

// The sign of a zero shows in its reciprocal.
TEST_CASE("zeros keep IEEE's signs") {
  const auto sign_of = [](const auto& apply_op, std::vector<double> x, std::vector<double> expected) {
    const auto count = static_cast<std::int64_t>(x.size());
    check("elementwise", {values({count}, std::move(x))},
          [&](Graph&, const std::vector<Tensor>& in) { return std::vector{unary(Unary::reciprocal, apply_op(in[0]))}; },
          [&](const auto& in) {
            auto y = in[0];
            for (std::int64_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::decay_t<decltype(y[0])>>(expected[static_cast<std::size_t>(i)]);
            return std::vector{y};
          },
          {.exact = true});
  };
  const auto of = [](Unary op) { return [op](Tensor x) { return unary(op, x); }; };
  sign_of(of(Unary::neg), {0.0, -0.0}, {-inf, inf});
  sign_of(of(Unary::abs), {0.0, -0.0}, {inf, inf});
  sign_of(of(Unary::sqrt), {0.0, -0.0}, {inf, -inf});
  sign_of(of(Unary::square), {0.0, -0.0}, {inf, inf});
  sign_of(of(Unary::floor), {0.0, -0.0, 0.5}, {inf, -inf, inf});
  sign_of(of(Unary::ceil), {0.0, -0.0, -0.5}, {inf, -inf, -inf});
  sign_of(of(Unary::round), {0.0, -0.0, -0.5, 0.25}, {inf, -inf, -inf, inf});
  sign_of(of(Unary::reciprocal), {inf, -inf, 0.0, -0.0}, {inf, -inf, 0, -0.0});
  sign_of([](Tensor x) { return x * x; }, {0.0, -0.0}, {inf, inf});
  sign_of([](Tensor x) { return x * -2.0f; }, {0.0, -0.0}, {-inf, inf});
  sign_of([](Tensor x) { return x - x; }, {1.0, -3.0}, {inf, inf});
}

TEST_CASE("every binary function") {
  for (std::size_t i = 0; i < binary_count; ++i) {
    const auto op = static_cast<Binary>(i);
    if (!takes_floats(op)) continue;
    const bool base = op == Binary::pow;
    check_binary(op, random({3, 67}, base ? 0.1 : -4, 4), random({3, 67}, -4, 4, 2), {.extra_ulps = base ? 40.0 : 6.0});
    // Whole numbers, so that many are equal.
    const Operand a = values({90}, random_i32({90}, -3, 3).array.values), b = values({90}, random_i32({90}, -3, 3, 2).array.values);
    check_binary(op, a, b, {.extra_ulps = 16});
  }
}

TEST_CASE("every binary function of zeros, infinities and NaN") {
  // Powers of two: what is finite is exact, so that nothing hides behind a large bound.
  const std::vector<double> list{0.0, -0.0, 1, -1, 2, -2, 0.5, 3, inf, -inf, nan, 0x1p100, -0x1p-100};
  for (std::size_t i = 0; i < binary_count; ++i) {
    const auto op = static_cast<Binary>(i);
    if (!takes_floats(op)) continue;
    for (double b : list) {
      if (op == Binary::mod && std::abs(b) < 0.5 && b != 0) continue;  // ops.hpp: |a / b| < 2^24
      CAPTURE(b);
      auto a = list;
      if (op == Binary::mod && std::isfinite(b)) a.erase(a.end() - 2);
      check_binary(op, values({static_cast<std::int64_t>(a.size()), 1}, a), values({1}, {b}), {.f16 = false, .extra_ulps = 8});
    }
  }
}

TEST_CASE("mod is exact for large quotients") {
  check_binary(Binary::mod, random({200}, -1e5, 1e5), values({1}, {0.3f}), {.f16 = false, .extra_ulps = 1});
  check_binary(Binary::mod, random({200}, -1e5, 1e5), random({200}, -2, -1), {.f16 = false, .extra_ulps = 1});
}

TEST_CASE("i32: every operation it has") {
  const Operand a = random_i32({5, 41}, -1000, 1000), b = random_i32({41}, 1, 9, 2), c = random_i32({5, 1}, -9, -1, 3);
  const Operand large = values({4}, {2147483647, -2147483647, 2147480000, -5}, DType::i32);
  for (Unary op : {Unary::neg, Unary::abs, Unary::sign, Unary::square, Unary::relu}) check_unary(op, a, {.f16 = false, .exact = true});
  for (Unary op : {Unary::neg, Unary::abs, Unary::sign, Unary::relu}) check_unary(op, large, {.f16 = false, .exact = true});
  for (std::size_t i = 0; i < binary_count; ++i) {
    const auto op = static_cast<Binary>(i);
    if (op == Binary::pow || op == Binary::leaky_relu || !takes_floats(op)) continue;
    if (op == Binary::div) continue;
    check_binary(op, a, b, {.f16 = false, .exact = true});
    check_binary(op, a, c, {.f16 = false, .exact = true});
    check_binary(op, a, a, {.f16 = false, .exact = op != Binary::mod});
  }
  for (const Operand& divisor : {b, c})
    check("elementwise", {a, divisor}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{in[0] / in[1]}; },
          [&](const auto& in) {
            return std::vector{broadcast_apply(in, common_shape({a, divisor}), [](const auto& v) { return std::trunc(v[0] / v[1]); })};
          },
          {.f16 = false, .exact = true});
}

TEST_CASE("boolean: not, and, or, equality") {
  const Operand a = random_boolean({7, 1, 9}, 0.5), b = random_boolean({5, 9}, 0.5, 2);
  check_unary(Unary::logical_not, a, {.f16 = false, .exact = true});
  for (Binary op : {Binary::logical_and, Binary::logical_or, Binary::equal, Binary::not_equal}) check_binary(op, a, b, {.f16 = false, .exact = true});
}

TEST_CASE("select takes either side, of every type, broadcasting") {
  const auto check_select = [](const Operand& condition, const Operand& a, const Operand& b) {
    check("elementwise", {condition, a, b}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{select(in[0], in[1], in[2])}; },
          [&](const auto& in) {
            return std::vector{broadcast_apply(in, common_shape({condition, a, b}), [](const auto& v) { return v[0] != 0 ? v[1] : v[2]; })};
          },
          {.exact = true});
  };
  const Operand condition = random_boolean({4, 1, 5}, 0.5);
  check_select(condition, random({4, 3, 5}), random({3, 1}, -1, 1, 2));
  check_select(condition, values({1}, {nan}), values({5}, {1, inf, -inf, -0.0, 2}));
  check_select(condition, random_i32({3, 5}, -9, 9), random_i32({4, 3, 1}, -9, 9, 2));
  check_select(random_boolean({3}, 0.5, 3), random_boolean({2, 3}, 0.5), random_boolean({2, 3}, 0.5, 2));
}

TEST_CASE("cast between every pair of types") {
  const auto check_cast = [](const Operand& x, DType to, auto convert, bool f16 = false) {
    CAPTURE(std::string(to_string(x.dtype)));
    CAPTURE(std::string(to_string(to)));
    check("elementwise", {x}, [&](Graph&, const std::vector<Tensor>& in) { return std::vector{cast(in[0], to)}; },
          [&](const auto& in) { return std::vector{broadcast_apply(in, in[0].shape, [&](const auto& v) { return convert(v[0]); })}; },
          {.f16 = f16, .extra_ulps = 0, .exact = size_of(to) != 2});
  };
  const auto same = [](auto v) { return v; };
  const auto boolean = [](auto v) { return decltype(v)(v != 0); };
  const auto saturated = [](auto v) -> decltype(v) {
    if (std::isnan(v)) return 0;
    return static_cast<decltype(v)>(std::trunc(std::min(std::max(static_cast<double>(v), -2147483648.0), 2147483647.0)));
  };
  const Operand floats = values({12}, {0, -0.0, 0.9, -0.9, 1.5, -2.5, 1e9, -3e9, 3e9, inf, -inf, nan});
  const Operand whole = values({6}, {0, 1, -1, 77, 16777216, -40000}, DType::i32), truth = random_boolean({9});
  check_cast(floats, DType::boolean, boolean, true);
  // 2^31-1 is no float: the double reference alone says what saturation gives.
  check("elementwise", {floats}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{cast(in[0], DType::i32)}; },
        [&](const auto& in) { return std::vector{broadcast_apply(in, in[0].shape, [&](const auto& v) { return saturated(v[0]); })}; },
        {.exact = true});
  check_cast(whole, DType::f32, same);
  check_cast(whole, DType::boolean, boolean);
  check_cast(truth, DType::f32, same);
  check_cast(truth, DType::i32, same);
  check_cast(truth, DType::boolean, same);
  if (!has_f16()) return;
  for (const DType half : {DType::f16, DType::bf16}) {
    check_cast(random({40}, -3, 3), half, same, true);
    check_cast(truth, half, same);
    check_cast(values({4}, {0, 1, -1, 2048}, DType::i32), half, same);
  }
  check_cast(random({40}, -3, 3), DType::f32, same, true);
}

TEST_CASE("a cast to f16 or bf16 and back rounds, fused with its neighbours or not") {
  if (!has_f16()) return;
  Operand x = values({6}, {1 + 0x1p-12, 1 + 0x1p-10, 1 + 0x1p-7, 1 + 0x1p-8, 70000, 0x1p-26});
  x.follows = false;
  for (const DType half : {DType::f16, DType::bf16})
    for (const bool fuse : {true, false})
      check("elementwise", {x},
            [&](Graph&, const std::vector<Tensor>& in) { return std::vector{cast(cast(in[0] * 1.0f, half), DType::f32) + 0.0f}; },
            [&](const auto& in) {
              auto y = in[0];
              for (auto& value : y.values) value = static_cast<std::remove_reference_t<decltype(value)>>(rounded_to(value, half));
              return std::vector{y};
            },
            {.f16 = false, .exact = true, .compile = {.fuse = fuse}});
}

TEST_CASE("one launch reads f32, f16 and bf16, and writes either") {
  if (!has_f16()) return;
  const auto fixed = [](Operand x) { return x.follows = false, x; };
  for (const DType half : {DType::f16, DType::bf16})
    check("elementwise", {fixed(random({3, 5})), fixed(random({5}, -1, 1, 2)), fixed(random({3, 1}, -1, 1, 3))},
          [&](Graph&, const std::vector<Tensor>& in) {
            return std::vector{cast(in[0] * cast(cast(in[1], DType::f16), DType::f32) + cast(cast(in[2], DType::bf16), DType::f32), half)};
          },
          [](const auto& in) {
            auto y = in[0];
            for (std::int64_t i = 0; i < y.size(); ++i) {
              using T = std::remove_reference_t<decltype(y[0])>;
              y[i] = y[i] * static_cast<T>(rounded_to(in[1][i % 5], DType::f16)) + static_cast<T>(rounded_to(in[2][i / 5], DType::bf16));
            }
            return std::vector{y};
          },
          {.f16 = false});
}

TEST_CASE("operands broadcast over up to eight axes") {
  const auto check_add = [](const Shape& a, const Shape& b) {
    CAPTURE(to_string(a));
    CAPTURE(to_string(b));
    check_binary(Binary::sub, random(a), random(b, -1, 1, 2), {.extra_ulps = 1});
  };
  for (const auto& [a, b] : std::vector<std::pair<Shape, Shape>>{
           {{}, {}}, {{7}, {}}, {{}, {7}}, {{1}, {5}}, {{3, 4}, {4}}, {{3, 4}, {3, 1}}, {{4, 1}, {1, 3}}, {{0}, {1}}, {{2, 0, 3}, {2, 1, 1}},
           {{5, 1, 7}, {6, 1}}, {{2, 1, 3, 1}, {1, 4, 1, 5}}, {{2, 1, 3, 1, 2}, {2, 4, 1, 5, 1}}, {{2, 1, 3, 1, 2, 1}, {1, 4, 1, 2, 1, 3}},
           {{2, 3, 1, 1, 4, 5}, {3, 2, 2, 1, 5}}, {{2, 1, 2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2, 1, 3}}, {{129}, {1}}, {{3, 257}, {3, 257}}})
    check_add(a, b);
}

TEST_CASE("select broadcasts three operands over eight axes") {
  const Operand condition = random_boolean({2, 1, 1, 2, 1, 1, 2, 1}), a = random({1, 2, 1, 1, 2, 1, 1, 2}), b = random({1, 1, 2, 1, 1, 2, 1, 1}, -1, 1, 2);
  check("elementwise", {condition, a, b}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{select(in[0], in[1], in[2])}; },
        [&](const auto& in) {
          return std::vector{broadcast_apply(in, common_shape({condition, a, b}), [](const auto& v) { return v[0] != 0 ? v[1] : v[2]; })};
        },
        {.exact = true});
}

TEST_CASE("operators with a scalar, and scalar()") {
  check("elementwise", {random({3, 5})}, [](Graph&, const std::vector<Tensor>& in) {
          const Tensor x = in[0];
          return std::vector{x + 1.5f, x - 0.5f, x * 3.0f, x / 4.0f, -x, x + scalar(x, 2), x - x * x / (x + 9.0f)};
        },
        [](const auto& in) {
          using T = std::decay_t<decltype(in[0][0])>;
          const auto map = [&](auto f) { return broadcast_apply(in, in[0].shape, [&](const auto& v) { return f(v[0]); }); };
          return std::vector{map([](T x) { return x + T(1.5); }), map([](T x) { return x - T(0.5); }), map([](T x) { return x * 3; }),
                             map([](T x) { return x / 4; }), map([](T x) { return -x; }), map([](T x) { return x + 2; }),
                             map([](T x) { return x - x * x / (x + 9); })};
        },
        {.extra_ulps = 8});
}

// One launch for the chain, one a step where every intermediate is asked for as well: the same bits.
TEST_CASE("a fused chain gives the bits of its steps" * doctest::skip(compiles_only())) {
  const Shape shape{3, 41};
  const auto run = [&](bool fused, std::size_t& dispatches) {
    Graph graph;
    const Tensor a = graph.input("a", shape), b = graph.input("b", shape), c = graph.input("c", {41});
    int kept = 0;
    const auto keep = [&](Tensor step) {
      if (!fused) graph.output("step" + std::to_string(kept++), step);
      return step;
    };
    const Tensor product = keep(a * b), sum = keep(product + c), gelu = keep(unary(Unary::gelu, sum));
    const Tensor scaled = keep(gelu * 0.3f), shifted = keep(scaled - a);
    graph.output("y", select(keep(binary(Binary::less, a, c)), shifted, a));
    Plan plan = context().compile(graph).value();
    const auto bytes = [](const Operand& operand) {
      std::vector<float> floats(operand.array.values.begin(), operand.array.values.end());
      return floats;
    };
    const auto in_a = bytes(random(shape, -3, 3, 1)), in_b = bytes(random(shape, -3, 3, 2)), in_c = bytes(random({41}, -3, 3, 3));
    const std::vector<PortData> data{port_data("a", std::span(in_a)), port_data("b", std::span(in_b)), port_data("c", std::span(in_c))};
    const auto out = plan.run(data).value();
    dispatches = plan.report().dispatches.size();
    return out.back();
  };
  std::size_t fused_dispatches = 0, single_dispatches = 0;
  const auto fused = run(true, fused_dispatches), single = run(false, single_dispatches);
  CHECK(fused_dispatches == 1);
  CHECK(single_dispatches == 7);
  CHECK(fused == single);
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("elementwise operators name what is wrong") {
  const auto two = [](DType a_type, DType b_type, auto use, Shape a = {2, 3}, Shape b = {2, 3}) {
    return [=](Graph& graph) { use(graph.input("a", a, a_type), graph.input("b", b, b_type)); };
  };
  const auto add = [](Tensor a, Tensor b) { a + b; };
  check_error(two(DType::f32, DType::i32, add), {"add", "f32", "i32", "cast", "elementwise.cpp"});
  check_error(two(DType::f32, DType::f32, add, {2, 3}, {2, 4}), {"add", "[2,4]", "[2,3]", "broadcast"});
  check_error(two(DType::f32, DType::f32, [](Tensor a, Tensor b) { binary(Binary::logical_and, a, b); }), {"logical_and", "f32"});
  check_error(two(DType::boolean, DType::boolean, add), {"add", "boolean"});
  check_error(two(DType::i32, DType::i32, [](Tensor a, Tensor b) { binary(Binary::pow, a, b); }), {"pow", "i32"});
  check_error(two(DType::i32, DType::i32, [](Tensor a, Tensor b) { binary(Binary::leaky_relu, a, b); }), {"leaky_relu", "i32"});
  check_error(two(DType::boolean, DType::boolean, [](Tensor a, Tensor b) { binary(Binary::less, a, b); }), {"less", "boolean"});
  check_error(two(DType::i32, DType::i32, [](Tensor a, Tensor) { unary(Unary::exp, a); }), {"exp", "i32"});
  check_error(two(DType::f32, DType::i32, [](Tensor a, Tensor) { unary(Unary::logical_not, a); }), {"logical_not", "f32"});
  check_error(two(DType::boolean, DType::i32, [](Tensor a, Tensor) { unary(Unary::neg, a); }), {"neg", "boolean"});
  check_error(two(DType::i32, DType::i32, [](Tensor a, Tensor) { a + 1.5f; }), {"add", "i32", "scalar"});
  check_error(two(DType::f32, DType::f32, [](Tensor a, Tensor b) { select(a, a, b); }), {"select", "condition", "f32"});
  check_error(two(DType::boolean, DType::f32, [](Tensor a, Tensor b) { select(a, a, b); }), {"select", "boolean", "f32"});
  check_error(two(DType::boolean, DType::f32, [](Tensor a, Tensor b) { select(a, b, b); }, {4}, {3}), {"select", "[4]", "[3]"});
}

}  // namespace fovea::test
