#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <fovea/autodiff.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr Reduce all_reductions[] = {Reduce::sum, Reduce::mean, Reduce::max, Reduce::min, Reduce::prod, Reduce::l1,
                                     Reduce::l2, Reduce::sum_square, Reduce::logsumexp, Reduce::log_sum,
                                     Reduce::variance, Reduce::argmax, Reduce::argmin};
constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

bool finds_position(Reduce op) { return op == Reduce::argmax || op == Reduce::argmin; }

// One reduction of a list, in the order given.
template <class T>
T reduced(Reduce op, const std::vector<T>& x, double correction) {
  const T infinity = std::numeric_limits<T>::infinity(), n = static_cast<T>(x.size());
  T sum = 0, l1 = 0, squares = 0, prod = 1, most = -infinity, least = infinity;
  std::size_t at_most = 0, at_least = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    sum += x[i], l1 += std::abs(x[i]), squares += x[i] * x[i], prod *= x[i];
    if (x[i] > most || (std::isnan(x[i]) && !std::isnan(most)) || i == 0) most = x[i], at_most = i;
    if (x[i] < least || (std::isnan(x[i]) && !std::isnan(least)) || i == 0) least = x[i], at_least = i;
  }
  T exponentials = 0, deviations = 0;
  const T shift = std::isinf(most) ? 0 : most;
  for (T v : x) exponentials += std::exp(v - shift), deviations += (v - sum / n) * (v - sum / n);
  switch (op) {
    case Reduce::sum: return sum;
    case Reduce::mean: return sum / n;
    case Reduce::max: return most;
    case Reduce::min: return least;
    case Reduce::prod: return prod;
    case Reduce::l1: return l1;
    case Reduce::l2: return std::sqrt(squares);
    case Reduce::sum_square: return squares;
    case Reduce::logsumexp: return shift + std::log(exponentials);
    case Reduce::log_sum: return std::log(sum);
    case Reduce::variance: return x.empty() ? T(nan) : deviations / std::max(T(0), n - static_cast<T>(correction));
    case Reduce::argmax: return static_cast<T>(at_most);
    case Reduce::argmin: return static_cast<T>(at_least);
  }
  return 0;
}

template <class T>
Array<T> reduce_reference(Reduce op, const Array<T>& x, const ReduceDesc& desc) {
  const int rank = x.shape.rank();
  std::vector<bool> drop(static_cast<std::size_t>(rank), desc.axes.empty());
  for (std::int64_t axis : desc.axes) drop[static_cast<std::size_t>(axis < 0 ? axis + rank : axis)] = true;
  std::vector<std::int64_t> kept, without;
  for (int axis = 0; axis < rank; ++axis) {
    const bool drops = drop[static_cast<std::size_t>(axis)];
    kept.push_back(drops ? 1 : x.shape[axis]);
    if (!drops || desc.keep_dims) without.push_back(kept.back());
  }
  Array<T> y{Shape{std::span<const std::int64_t>(kept)}};
  std::vector<std::vector<T>> lists(y.values.size());
  for (std::int64_t i = 0; i < x.size(); ++i)
    lists[static_cast<std::size_t>(broadcast_offset(unflatten(i, x.shape), y.shape))].push_back(x[i]);
  for (std::int64_t i = 0; i < y.size(); ++i) y[i] = reduced(op, lists[static_cast<std::size_t>(i)], desc.correction);
  y.shape = Shape{std::span<const std::int64_t>(without)};
  return y;
}

void check_reduce(Reduce op, const Operand& x, const ReduceDesc& desc, CheckOptions options = {}) {
  CAPTURE(std::string(to_string(op)));
  CAPTURE(to_string(x.array.shape));
  options.exact = finds_position(op);
  check("reduce", {x}, [&](Graph&, const std::vector<Tensor>& in) { return std::vector{reduce(op, in[0], desc)}; },
        [&](const auto& in) { return std::vector{reduce_reference(op, in[0], desc)}; }, options);
}

// Positive for log_sum; near 1 for prod, so that long products neither vanish nor overflow.
Operand suitable(Reduce op, const Shape& shape, std::uint32_t seed = 1) {
  if (op == Reduce::log_sum) return random(shape, 0.1, 1, seed);
  if (op == Reduce::prod) return random(shape, 0.97, 1.03, seed);
  return random(shape, -2, 2, seed);
}

// exp and log are within 3 + 2|x| and 3 ulp, division 2.5 ulp, sqrt 3 ulp of the result (Vulkan, precision of SPIR-V).
constexpr double ulps = 8;

}  // namespace

// Every distinct shape class is a pipeline of its own, and compiling those is what these tests cost: all operations meet
// one pattern, a few of different state meet all patterns.
constexpr Reduce of_each_state[] = {Reduce::sum, Reduce::min, Reduce::logsumexp, Reduce::variance};

TEST_CASE("every reduction, with and without kept extents") {
  for (Reduce op : all_reductions)
    for (bool keep_dims : {false, true})
      check_reduce(op, suitable(op, {5, 37}), {.axes = {-1}, .keep_dims = keep_dims}, {.extra_ulps = ulps});
}

TEST_CASE("gradients of every reduction") {
  for (Reduce op : all_reductions) {
    if (finds_position(op)) continue;
    check_reduce(op, suitable(op, {3, 5, 4}), {.axes = {0, 2}}, {.extra_ulps = ulps, .gradient = true});
    check_reduce(op, suitable(op, {7}), {}, {.f16 = false, .extra_ulps = ulps, .gradient = true});
    check_reduce(op, suitable(op, {2, 1, 3}), {.axes = {1}, .keep_dims = true}, {.f16 = false, .extra_ulps = 8 * ulps, .gradient = op != Reduce::variance});
  }
  // The product of a row with one zero, and with two.
  check_reduce(Reduce::prod, values({3, 3}, {2, 0, 3, 0, 4, 0, 1, 2, 3}), {.axes = {1}}, {.gradient = true});
  check_reduce(Reduce::variance, random({4, 9}), {.axes = {1}, .correction = 0}, {.extra_ulps = ulps, .gradient = true});
}

// Where each element's row ends up: the offset of its output.
template <class T>
std::vector<std::int64_t> row_of(const Array<T>& x, const ReduceDesc& desc) {
  Shape kept = x.shape;
  for (int axis = 0; axis < x.shape.rank(); ++axis)
    if (desc.axes.empty() || std::count(desc.axes.begin(), desc.axes.end(), axis) > 0) kept[axis] = 1;
  std::vector<std::int64_t> row;
  for (std::int64_t i = 0; i < x.size(); ++i) row.push_back(broadcast_offset(unflatten(i, x.shape), kept));
  return row;
}

// What arrives at a maximum (minimum) goes to the first element that is it, a NaN being beyond all numbers; shared, an
// equal part goes to each, and a row with a NaN, which equals nothing, gets 0/0.
template <class T>
Array<T> extremum_gradient(Reduce op, const Array<T>& x, const Array<T>& d, const ReduceDesc& desc) {
  const auto row = row_of(x, desc);
  const Array<T> y = reduce_reference(op, x, desc);
  std::vector<std::int64_t> equals(y.values.size(), 0);
  for (std::int64_t i = 0; i < x.size(); ++i) equals[static_cast<std::size_t>(row[static_cast<std::size_t>(i)])] += x[i] == y[row[static_cast<std::size_t>(i)]];
  std::vector<bool> taken(y.values.size(), false);
  Array<T> gradient{x.shape};
  for (std::int64_t i = 0; i < x.size(); ++i) {
    const std::int64_t r = row[static_cast<std::size_t>(i)];
    const auto at = static_cast<std::size_t>(r);
    if (desc.ties == Ties::share) {
      gradient[i] = x[i] == y[r] || equals[at] == 0 ? d[r] / static_cast<T>(equals[at]) : T(0);
      if (equals[at] == 0) gradient[i] = std::numeric_limits<T>::quiet_NaN();
    } else if (!taken[at] && (x[i] == y[r] || (std::isnan(x[i]) && std::isnan(y[r])))) {
      gradient[i] = d[r], taken[at] = true;
    }
  }
  return gradient;
}

void check_extremum_gradient(Reduce op, const Operand& x, const ReduceDesc& desc, bool f16 = false) {
  CAPTURE(to_string(x.array.shape));
  check("reduce", {x, random(reduce_reference(op, x.array, desc).shape, 1, 2)},
        [&](Graph&, const std::vector<Tensor>& in) {
          return grad(reduce(Reduce::sum, reduce(op, in[0], desc) * in[1]), {in[0]});
        },
        [&](const auto& in) { return std::vector{extremum_gradient(op, in[0], in[1], desc)}; }, {.f16 = f16});
}

TEST_CASE("of equal extremes the first takes all of the gradient, or all share it as PyTorch's amax has it") {
  const Operand ties = values({3, 4, 5}, random_i32({3, 4, 5}, 0, 2).array.values);
  for (Ties rule : {Ties::first, Ties::share})
    for (std::vector<std::int64_t> axes : {std::vector<std::int64_t>{1}, {0, 2}, {1, 2}, {}})
      for (Reduce op : {Reduce::max, Reduce::min})
        check_extremum_gradient(op, ties, {.axes = axes, .keep_dims = op == Reduce::min, .ties = rule}, axes.size() == 1);
  // Kept axes between reduced ones, and of extent 1.
  check_extremum_gradient(Reduce::max, values({2, 3, 1, 2, 3}, random_i32({36}, 0, 1).array.values), {.axes = {0, 2, 4}});
  check_extremum_gradient(Reduce::max, values({2, 3}, {1, 2, 1, 0, 1, 2}), {.axes = {0}, .keep_dims = true});
  check_extremum_gradient(Reduce::min, values({2, 1, 3}, {1, 2, 1, 0, 1, 2}), {.axes = {1}});
  check_extremum_gradient(Reduce::max, values({}, {3}), {});
}

TEST_CASE("a long row of equals: the first of all, also where the reduction is split") {
  check_extremum_gradient(Reduce::max, values({1, 5000}, std::vector<double>(5000, 0.5)), {.axes = {1}});
  check_extremum_gradient(Reduce::min, values({70, 80}, random_i32({5600}, 0, 1).array.values), {});
}

TEST_CASE("the first NaN of a row takes the gradient; infinities are numbers") {
  const Operand rows = values({5, 4}, {1, nan, 3, nan, nan, nan, nan, nan, inf, 1, inf, -inf, -inf, -inf, -inf, -inf, 2, 2, 1, 2});
  for (Ties rule : {Ties::first, Ties::share})
    for (Reduce op : {Reduce::max, Reduce::min}) check_extremum_gradient(op, rows, {.axes = {1}, .ties = rule}, true);
}

TEST_CASE("at a norm of zero the gradient is zero") {
  check("reduce", {values({2, 3}, {0, 0, 0, 3, 0, -4})},
        [](Graph&, const std::vector<Tensor>& in) { return grad(reduce(Reduce::sum, reduce(Reduce::l2, in[0], {.axes = {1}})), {in[0]}); },
        [](const auto& in) {
          auto d = in[0];
          for (auto& value : d.values) value /= 5;
          return std::vector{d};
        });
}

// d/dx of sum w · d(sum of op)/dx.
std::vector<Tensor> second_gradient(Reduce op, const std::vector<Tensor>& in, const ReduceDesc& desc) {
  const Tensor first = grad(reduce(Reduce::sum, reduce(op, in[0], desc)), {in[0]})[0];
  return grad(reduce(Reduce::sum, first * in[1]), {in[0]});
}

// Elements one after the other, each asking the other two loops which of the rest share its row.
template <class T>
Array<T> product_curvature(const Array<T>& x, const Array<T>& w, const ReduceDesc& desc) {
  const auto row = row_of(x, desc);
  const auto apart = [&](std::int64_t a, std::int64_t b) { return a == b || row[static_cast<std::size_t>(a)] != row[static_cast<std::size_t>(b)]; };
  Array<T> d{x.shape};
  for (std::int64_t k = 0; k < x.size(); ++k)
    for (std::int64_t i = 0; i < x.size(); ++i) {
      if (apart(i, k)) continue;
      T others = w[i];
      for (std::int64_t j = 0; j < x.size(); ++j)
        if (!apart(j, k) && j != i) others *= x[j];
      d[k] += others;
    }
  return d;
}

TEST_CASE("the second and third gradients of a product are right where one factor is zero, or more are") {
  const auto check_product = [](const Operand& x, const ReduceDesc& desc) {
    check("reduce", {x, random(x.array.shape, 0.5, 2, 9)},
          [&](Graph&, const std::vector<Tensor>& in) { return second_gradient(Reduce::prod, in, desc); },
          [&](const auto& in) { return std::vector{product_curvature(in[0], in[1], desc)}; }, {.extra_ulps = 64, .gradient = true});
  };
  check_product(values({5, 4}, {1, 2, 0, 3, 0, 2, 0, 3, 1, -2, 3, 4, 0, 0, 0, 2, 0, 0, 0, 0}), {.axes = {1}});
  const Operand whole = random_i32({3, 2, 5}, -1, 2);
  check_product(values({3, 2, 5}, whole.array.values), {.axes = {0, 2}});
  check_product(values({7}, {2, 1, 0, 3, 1, 0, 1}), {.keep_dims = true});
  check_product(values({3, 1}, {2, 0, 3}), {.axes = {1}});
}

TEST_CASE("where a reduction has no gradient it has no second one either, and no NaN") {
  const auto check_second = [](Reduce op, const Operand& x, const auto& of_row) {
    CAPTURE(std::string(to_string(op)));
    check("reduce", {x, random(x.array.shape, -1, 1, 5)},
          [&](Graph&, const std::vector<Tensor>& in) { return second_gradient(op, in, {.axes = {1}}); },
          [&](const auto& in) {
            auto d = in[0];
            using T = std::decay_t<decltype(d[0])>;
            const std::int64_t n = d.dim(1);
            for (std::int64_t first = 0; first < d.size(); first += n) of_row(&in[0][first], &in[1][first], &d[first], n, T());
            return std::vector{d};
          },
          {.f16 = false, .extra_ulps = 64});  // f16 storage would round the result of the reduction on its way
  };
  // u = x/|x|: (w - (w·u) u)/|x|, of a row of zeros 0.
  check_second(Reduce::l2, values({3, 3}, {0, 0, 0, 3, 0, -4, 1, 2, -2}), [](const auto* x, const auto* w, auto* d, std::int64_t n, auto zero) {
    auto squares = zero, along = zero;
    for (std::int64_t i = 0; i < n; ++i) squares += x[i] * x[i], along += w[i] * x[i];
    for (std::int64_t i = 0; i < n; ++i)
      d[i] = squares == 0 ? zero : (w[i] - along * x[i] / squares) / std::sqrt(squares);
  });
  // p = softmax(x): p (w - w·p), of a row of -inf 0.
  check_second(Reduce::logsumexp, values({3, 3}, {-inf, -inf, -inf, 1, -inf, 2, 0, 1, -1}), [](const auto* x, const auto* w, auto* d, std::int64_t n, auto zero) {
    auto sum = zero, along = zero;
    for (std::int64_t i = 0; i < n; ++i) sum += std::exp(x[i]), along += w[i] * std::exp(x[i]);
    for (std::int64_t i = 0; i < n; ++i) d[i] = sum == 0 ? zero : std::exp(x[i]) / sum * (w[i] - along / sum);
  });
}

TEST_CASE("reductions over every pattern of axes") {
  for (std::vector<std::int64_t> axes : {std::vector<std::int64_t>{0}, {2}, {0, 1}, {0, 2}, {2, 1}, {0, 1, 2}, {}})
    for (Reduce op : {Reduce::sum, Reduce::variance}) check_reduce(op, random({3, 5, 7}), {.axes = axes}, {.f16 = false, .extra_ulps = ulps});
  for (std::vector<std::int64_t> axes : {std::vector<std::int64_t>{0}, {0, 2}, {1, 2}, {}})
    check_reduce(Reduce::argmax, random({3, 5, 7}), {.axes = axes}, {.f16 = false});
  check_reduce(Reduce::argmin, random({3, 5, 8}), {.axes = {2}});
}

TEST_CASE("reductions over alternating axes of rank 8") {
  for (Reduce op : {Reduce::max, Reduce::variance}) {
    check_reduce(op, random({2, 3, 2, 2, 3, 2, 2, 3}), {.axes = {0, 2, 4, 6}}, {.f16 = false, .extra_ulps = ulps});
    check_reduce(op, random({2, 3, 2, 2, 3, 2, 2, 4}), {.axes = {1, 3, 5, 7}, .keep_dims = true}, {.extra_ulps = ulps});
    check_reduce(op, random({2, 1, 3, 1, 4, 5}), {.axes = {1, 2, 4}}, {.f16 = false, .extra_ulps = ulps});
  }
}

TEST_CASE("lengths around blocks and groups") {
  for (Reduce op : {Reduce::sum, Reduce::min, Reduce::logsumexp, Reduce::variance, Reduce::argmax})
    for (std::int64_t n : {1, 2, 3, 4, 63, 64, 65, 127, 128, 129, 256, 511, 516})
      check_reduce(op, suitable(op, {3, n}, static_cast<std::uint32_t>(n)), {.axes = {1}}, {.f16 = n == 129 || n == 256, .extra_ulps = ulps});
}

TEST_CASE("outputs along the innermost axis") {
  for (Reduce op : {Reduce::sum, Reduce::variance, Reduce::argmin})
    for (std::int64_t inner : {1, 2, 31, 32, 33, 130})
      check_reduce(op, random({2, 70, inner}, -1, 1, static_cast<std::uint32_t>(inner)), {.axes = {1}}, {.f16 = false, .extra_ulps = ulps});
}

TEST_CASE("long reductions to few outputs are split") {
  for (Reduce op : all_reductions) check_reduce(op, suitable(op, {1, 5001}), {.axes = {1}}, {.f16 = false, .extra_ulps = ulps});
  for (Reduce op : of_each_state) {
    check_reduce(op, random({2, 4160}), {.axes = {1}}, {.f16 = op == Reduce::min, .extra_ulps = ulps});
    check_reduce(op, random({5000, 3}), {.axes = {0}}, {.f16 = false, .extra_ulps = ulps});
  }
  check_reduce(Reduce::variance, random({40, 3, 121}), {.axes = {0, 2}}, {.f16 = false, .extra_ulps = ulps});
  check_reduce(Reduce::variance, random({40, 2, 124}), {.axes = {0, 2}}, {.f16 = false, .extra_ulps = ulps});
}

TEST_CASE("more elements than some drivers' loops take") {
  for (Reduce op : {Reduce::max, Reduce::argmax})
    for (std::int64_t n : {70'001, 262'144}) check_reduce(op, random({1, n}), {.axes = {1}}, {.f16 = false});
  // Runs of one to three elements cost a loop each.
  check_reduce(Reduce::max, random({40'000, 2, 3}), {.axes = {0, 2}}, {.f16 = false});
  check_reduce(Reduce::max, random({300, 70'001}), {.axes = {1}}, {.f16 = false});
}

// The error of one rounding of each element's own size, not one that grows with their number.
TEST_CASE("a sum of ten million stays within a few roundings of the exact one") {
  for (const auto& pair : {std::pair{Reduce::sum, 10'000'000}, {Reduce::mean, 1'000'000}, {Reduce::variance, 1'000'000}}) {
    const Reduce op = pair.first;
    const std::int64_t n = pair.second;
    const Operand x = random({n}, 0, 1);
    check("reduce", {x}, [&](Graph&, const std::vector<Tensor>& in) { return std::vector{reduce(op, in[0])}; },
          [&](const auto& in) {
            const std::vector<double> exact(in[0].values.begin(), in[0].values.end());
            using T = std::decay_t<decltype(in[0][0])>;
            return std::vector{Array<T>(Shape{}, {static_cast<T>(reduced(op, exact, 1))})};
          },
          {.f16 = false, .extra_ulps = 4});
  }
}

TEST_CASE("variance of a large mean does not cancel") {
  Operand x = random({3, 1000}, 4095, 4097);
  for (double correction : {-1.0, 0.0, 1.0, 2.5}) check_reduce(Reduce::variance, x, {.axes = {1}, .correction = correction}, {.f16 = false, .extra_ulps = 64});
  x.array[0] = -1e6;  // an outlier first
  check_reduce(Reduce::variance, x, {.axes = {1}}, {.f16 = false, .extra_ulps = ulps});
}

TEST_CASE("variance with no more elements than the correction is IEEE's quotient") {
  check_reduce(Reduce::variance, values({3, 1}, {1, 2, 3}), {.axes = {1}});                        // 0/0
  check_reduce(Reduce::variance, values({1, 2}, {1, 2}), {.axes = {1}, .correction = 3});          // x/0
  check_reduce(Reduce::variance, values({1, 2}, {1, 2}), {.axes = {1}, .correction = 0});
}

TEST_CASE("over no elements each reduction gives its neutral value") {
  for (Reduce op : all_reductions) {
    if (finds_position(op)) continue;
    check_reduce(op, values({0, 5}, {}), {.axes = {0}, .keep_dims = true});
    check_reduce(op, values({0}, {}), {});
  }
}

TEST_CASE("no outputs, no launch") {
  for (Reduce op : all_reductions) check_reduce(op, values({2, 0, 4}, {}), {.axes = {2}});
}

TEST_CASE("a scalar reduces to itself") {
  for (Reduce op : all_reductions)
    if (!finds_position(op) && op != Reduce::variance) check_reduce(op, values({}, {1.5}), {}, {.extra_ulps = ulps});
  check_reduce(Reduce::argmax, values({1}, {1.5}), {.axes = {0}});
}

TEST_CASE("NaN and infinities propagate") {
  const double big = 3e4;
  const Operand rows = values({8, 5}, {1, nan, 2, inf, -inf,       //
                                       nan, 1, nan, 2, 3,          //
                                       inf, 1, 2, 3, 4,            //
                                       -inf, 1, 2, 3, 4,           //
                                       -inf, -inf, -inf, -inf, -inf,  //
                                       inf, inf, inf, inf, inf,    //
                                       inf, -inf, 0, 1, 2,         //
                                       big, -big, big, -big, 0});
  for (Reduce op : {Reduce::sum, Reduce::mean, Reduce::max, Reduce::min, Reduce::prod, Reduce::l1, Reduce::sum_square,
                    Reduce::l2, Reduce::logsumexp, Reduce::log_sum, Reduce::argmax, Reduce::argmin}) {
    // prod, squares: 65,504 is f16's largest.
    check_reduce(op, rows, {.axes = {1}}, {.f16 = op != Reduce::prod, .extra_ulps = ulps});
    check_reduce(op, rows, {.axes = {0}}, {.f16 = op != Reduce::prod, .extra_ulps = ulps});
  }
}

TEST_CASE("NaN and infinities far into a split reduction") {
  for (double odd : {nan, inf, -inf})
    for (Reduce op : all_reductions) {
      if (op == Reduce::variance || op == Reduce::log_sum) continue;  // NaN already, or not ever
      Operand x = suitable(op, {1, 5000});
      x.array[3777] = odd;
      x.array[4001] = odd;
      check_reduce(op, x, {.axes = {1}}, {.f16 = false, .extra_ulps = ulps});
    }
}

TEST_CASE("of equal extrema the first is named") {
  for (Reduce op : {Reduce::argmax, Reduce::argmin}) {
    check_reduce(op, values({9, 300}, random_i32({9, 300}, -2, 2).array.values), {.axes = {1}});
    check_reduce(op, values({1, 6000}, std::vector<double>(6000, 0.5)), {.axes = {1}});
    check_reduce(op, values({2, 3}, {0.0, -0.0, 0.0, -0.0, 0.0, -0.0}), {.axes = {1}});
  }
}

TEST_CASE("logsumexp neither overflows nor vanishes") {
  check_reduce(Reduce::logsumexp, random({4, 200}, 900, 1000), {.axes = {1}}, {.f16 = false, .extra_ulps = ulps});
  check_reduce(Reduce::logsumexp, random({4, 200}, -1000, -900), {.axes = {1}}, {.f16 = false, .extra_ulps = ulps});
  check_reduce(Reduce::logsumexp, random({1, 5000}, -100, 100), {.axes = {1}}, {.f16 = false, .extra_ulps = ulps});
}

TEST_CASE("reduce names what is wrong") {
  const auto with = [](Reduce op, const ReduceDesc& desc, DType dtype = DType::f32, Shape shape = {2, 3}) {
    return [=](Graph& graph) { reduce(op, graph.input("x", shape, dtype), desc); };
  };
  check_error(with(Reduce::sum, {.axes = {2}}), {"reduce sum", "axis 2", "[2,3]", "reduce.cpp"});
  check_error(with(Reduce::mean, {.axes = {-3}}), {"reduce mean", "axis -3"});
  check_error(with(Reduce::max, {.axes = {1, -1}}), {"reduce max", "axis -1", "twice"});
  check_error(with(Reduce::argmax, {.axes = {1}}, DType::f32, {2, 0}), {"reduce argmax", "axis 1", "[2,0]", "empty"});
  check_error(with(Reduce::argmin, {}, DType::f32, {2, 0, 3}), {"reduce argmin", "axis 1", "[2,0,3]", "empty"});
  check_error(with(Reduce::sum, {}, DType::i32), {"reduce sum", "i32"});
  check_error(with(Reduce::sum, {}, DType::boolean), {"reduce sum", "boolean"});
}

}  // namespace fovea::test
