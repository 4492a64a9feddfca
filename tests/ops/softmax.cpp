#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <fovea/autodiff.hpp>

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

constexpr double inf = std::numeric_limits<double>::infinity();
constexpr double nan = std::numeric_limits<double>::quiet_NaN();

struct Variant {
  std::int64_t axis = -1;
  bool log = false;
  bool zero_empty_rows = false;
  float temperature = 1;
};

// in[0]: x; in[1], where there is one: the mask, broadcasting.
template <class T>
Array<T> softmax_reference(const std::vector<Array<T>>& in, const Variant& variant) {
  Array<T> x = in[0];
  for (T& value : x.values) value /= static_cast<T>(variant.temperature);
  const int axis = static_cast<int>(variant.axis < 0 ? variant.axis + x.shape.rank() : variant.axis);
  Array<T> y(x.shape);
  Shape others = x.shape;
  others[axis] = 1;
  for (std::int64_t row = 0; row < others.elements(); ++row) {
    auto index = unflatten(row, others);
    const auto entry = [&](std::int64_t j) -> std::int64_t {
      index[static_cast<std::size_t>(axis)] = j;
      return broadcast_offset(index, x.shape);
    };
    const auto takes_part = [&](std::int64_t j) {
      index[static_cast<std::size_t>(axis)] = j;
      return in.size() < 2 || in[1][broadcast_offset(index, in[1].shape)] != 0;
    };
    T most = -std::numeric_limits<T>::infinity(), sum = 0;
    bool any = false;
    for (std::int64_t j = 0; j < x.shape[axis]; ++j) {
      if (!takes_part(j)) continue;
      any = true;
      if (x[entry(j)] > most || std::isnan(x[entry(j)])) most = x[entry(j)];
      if (std::isnan(most)) break;
    }
    for (std::int64_t j = 0; j < x.shape[axis]; ++j)
      if (takes_part(j)) sum += std::exp(x[entry(j)] - most);
    const bool zeros = !any || (variant.zero_empty_rows && std::isinf(most) && most < 0);
    for (std::int64_t j = 0; j < x.shape[axis]; ++j) {
      const T v = x[entry(j)];
      if (zeros || (!takes_part(j) && std::isfinite(most)))
        y[entry(j)] = variant.log ? static_cast<T>(-inf) : T(0);
      else if (variant.log)
        y[entry(j)] = v - most - std::log(sum);
      else
        y[entry(j)] = std::exp(v - most) / sum;
    }
  }
  return y;
}

void check_softmax(const std::vector<Operand>& in, const Variant& variant, bool f16 = true, bool gradient = false) {
  CAPTURE(to_string(in[0].array.shape));
  CAPTURE(variant.axis);
  const auto build = [&](Graph&, const std::vector<Tensor>& t) {
    const SoftmaxDesc desc{.axis = variant.axis, .mask = t.size() > 1 ? t[1] : Tensor{}, .zero_empty_rows = variant.zero_empty_rows,
                           .temperature = variant.temperature};
    return std::vector{variant.log ? log_softmax(t[0], desc) : softmax(t[0], desc)};
  };
  // exp is within 3 + 2|x| ulp of a result that shrinks faster than |x| grows, log 3, division 2.5 (Vulkan, precision).
  check("softmax", in, build, [&](const auto& arrays) { return std::vector{softmax_reference(arrays, variant)}; }, {.f16 = f16, .extra_ulps = 12, .gradient = gradient});
}

Operand boolean(Shape shape, std::vector<double> list) { return values(shape, std::move(list), DType::boolean); }

}  // namespace

TEST_CASE("softmax along every axis") {
  for (std::int64_t axis : {-3, -2, -1, 0, 1, 2}) check_softmax({random({3, 5, 7}, -4, 4)}, {.axis = axis}, axis >= 0);
}

TEST_CASE("log_softmax along every axis") {
  for (std::int64_t axis : {0, 1, 2}) check_softmax({random({3, 5, 8}, -4, 4)}, {.axis = axis, .log = true});
}

TEST_CASE("gradients of softmax and log_softmax, masked and not") {
  for (std::int64_t axis : {-1, 0, 1}) {
    check_softmax({random({3, 5, 7}, -4, 4)}, {.axis = axis}, true, true);
    check_softmax({random({3, 5, 7}, -4, 4)}, {.axis = axis, .log = true}, true, true);
    check_softmax({random({3, 5, 7}, -4, 4), random_boolean({5, 1}, 0.6)}, {.axis = axis}, false, true);
  }
}

TEST_CASE("a temperature divides, in either form, with its gradient") {
  for (const float temperature : {0.25f, 3.0f}) {
    check_softmax({random({3, 5, 7}, -2, 2)}, {.axis = 1, .temperature = temperature}, true, true);
    check_softmax({random({4, 8}, -2, 2)}, {.log = true, .temperature = temperature}, true, true);
    check_softmax({random({4, 8}, -2, 2), random_boolean({8}, 0.6)}, {.temperature = temperature}, true, true);
  }
  check_softmax({values({1, 3}, {-inf, 1, 2})}, {.temperature = 1e-30f});
}

TEST_CASE("softmax of lengths around blocks and groups") {
  for (std::int64_t n : {1, 2, 3, 4, 5, 15, 16, 17, 64, 127, 128, 129, 511, 512, 516, 1025})
    check_softmax({random({3, n}, -8, 8, static_cast<std::uint32_t>(n))}, {}, n > 500);
  for (std::int64_t inner : {1, 2, 33, 130}) check_softmax({random({2, 19, inner}, -8, 8)}, {.axis = 1}, false);
}

TEST_CASE("softmax of no elements, of a vector and of rank 8") {
  check_softmax({values({0, 5}, {})}, {});
  check_softmax({values({5, 0}, {})}, {});
  check_softmax({random({9}, -2, 2)}, {});
  check_softmax({random({1}, -2, 2)}, {});
  check_softmax({random({2, 1, 2, 3, 1, 2, 3, 2}, -2, 2)}, {.axis = 3}, false);
}

TEST_CASE("rows longer than some drivers' loops take") {
  check_softmax({random({1, 66'000}, -9, 9)}, {});
  check_softmax({random({2, 66'001}, -9, 9)}, {.log = true}, false);
  check_softmax({random({16, 66'000}, -9, 9)}, {}, false);
  check_softmax({random({66'001, 2}, -9, 9)}, {.axis = 0}, false);
  check_softmax({random({1, 40'003}, -9, 9), random_boolean({40'003}, 0.5)}, {}, false);
}

TEST_CASE("large logits neither overflow nor vanish") {
  check_softmax({random({4, 130}, 990, 1000)}, {}, false);
  check_softmax({random({4, 130}, -1000, -990)}, {.log = true}, false);
  check_softmax({random({4, 132}, -3e38, 3e38)}, {}, false);
  check_softmax({values({1, 4}, {1e4, -1e4, 0, 1e4})}, {});
}

TEST_CASE("masks broadcast over every axis") {
  const Operand x = random({2, 3, 5, 8}, -4, 4);
  for (const Shape& shape : {Shape{2, 3, 5, 8}, {8}, {1}, {}, {5, 8}, {5, 1}, {2, 1, 1, 8}, {1, 3, 1, 8}, {3, 5, 8}, {2, 1, 5, 1}, {2, 3, 1, 1}, {1, 1, 5, 8}}) {
    CAPTURE(to_string(shape));
    for (std::int64_t axis : {-1, 1}) check_softmax({x, random_boolean(shape, 0.6)}, {.axis = axis}, shape.rank() < 2);
  }
}

TEST_CASE("a row in which nothing takes part yields zeros, not NaN") {
  const Operand mask = boolean({3, 4}, {0, 0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0});
  check_softmax({random({3, 4}), mask}, {});
  check_softmax({values({3, 4}, {nan, inf, -inf, 1, 1, nan, 2, inf, 1, 2, 3, 4}), mask}, {});
  check_softmax({random({2, 3, 4}), boolean({3, 1}, {0, 1, 0})}, {});
}

TEST_CASE("log_softmax is -inf where softmax's mask and rule give zero") {
  const Operand mask = boolean({3, 4}, {0, 0, 0, 0, 1, 0, 1, 0, 0, 1, 1, 1});
  check_softmax({random({3, 4}), mask}, {.log = true});
  check_softmax({values({3, 4}, {nan, inf, -inf, 1, 1, nan, 2, inf, 1, 2, 3, 4}), mask}, {.log = true});
  check_softmax({values({2, 3}, {-inf, -inf, -inf, -inf, 0, 1})}, {.log = true, .zero_empty_rows = true});
  // Its gradient, in a loss that leaves the infinities out.
  check("softmax", {random({3, 4}), mask},
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{select(t[1], log_softmax(t[0], {.mask = t[1]}), scalar(t[0], 0))}; },
        [&](const auto& in) {
          auto y = softmax_reference(in, {.log = true});
          for (std::int64_t i = 0; i < y.size(); ++i)
            if (in[1][i] == 0) y[i] = 0;
          return std::vector{y};
        },
        {.extra_ulps = 12, .gradient = true});
}

TEST_CASE("a mask of true alone changes no gradient, and what is masked gives none, be it NaN" * doctest::skip(compiles_only())) {
  Graph graph;
  const Tensor x = graph.input("x", {2, 4}), all = graph.constant({4}, {1, 1, 1, 1}), some = graph.constant({4}, {1, 1, 0, 1});
  const Tensor seed = graph.input("seed", {2, 4});
  for (const bool log : {false, true}) {
    const auto d = [&](Tensor mask) {
      const SoftmaxDesc desc{.mask = mask ? cast(mask, DType::boolean) : Tensor()};
      return grad(log ? log_softmax(x, desc) : softmax(x, desc), {x}, {.seed = seed})[0];
    };
    const std::string name = log ? "log" : "p";
    graph.output(name + "_none", d({})), graph.output(name + "_all", d(all)), graph.output(name + "_some", d(some));
  }
  auto plan = context().compile(graph, {.poison_arena = true});
  REQUIRE_MESSAGE(plan, plan.error().message);
  const Array<double> logits({2, 4}, {1, -inf, 0.5, 2, 0, 1, 2, 3});
  const auto run = [&](double at_masked) {
    const Array<double> arriving({2, 4}, {1, 2, at_masked, 4, 4, 3, at_masked, 1});
    return run_guarded(*plan, {encode(logits, DType::f32), encode(arriving, DType::f32)}).outputs;
  };
  const auto got = run(0.5), poisoned = run(nan);
  for (const std::size_t of : {0u, 3u}) {
    CHECK(got[of + 1].values == got[of].values);
    CHECK(poisoned[of + 2].values == got[of + 2].values);
    CHECK(got[of + 2][2] == 0);
  }
}

TEST_CASE("a row of -inf alone gives NaN, or zeros on request") {
  const Operand x = values({4, 5}, {-inf, -inf, -inf, -inf, -inf, 1, -inf, 2, -inf, 3, -inf, -inf, -inf, -inf, 0, -inf, nan, -inf, -inf, -inf});
  for (bool zeros : {false, true}) {
    check_softmax({x}, {.zero_empty_rows = zeros});
    check_softmax({x}, {.axis = 0, .zero_empty_rows = zeros});
    check_softmax({x, boolean({5}, {1, 1, 0, 1, 1})}, {.zero_empty_rows = zeros});
  }
  check_softmax({x}, {.log = true});
}

TEST_CASE("a row in which -inf alone takes part, far from its beginning") {
  std::vector<double> x(2 * 516, 1), part(516, 0);
  for (const std::size_t at : {200u, 515u}) x[at] = -inf, part[at] = 1;  // the second row has a number there
  check_softmax({values({2, 516}, x), boolean({516}, part)}, {});
  x.resize(2 * 515), part.resize(515);
  check_softmax({values({2, 515}, x), boolean({515}, part)}, {.zero_empty_rows = false});
}

TEST_CASE("softmax propagates NaN and +inf to its row alone") {
  const Operand x = values({3, 5}, {1, nan, 2, 3, 4, 1, inf, 2, 3, -inf, 1, 2, 3, 4, 5});
  check_softmax({x}, {});
  check_softmax({x}, {.axis = 0});
  check_softmax({x}, {.log = true});
}

TEST_CASE("softmax names what is wrong") {
  const auto with = [](std::int64_t axis, DType dtype, const Shape& mask, DType mask_dtype) {
    return [=](Graph& graph) {
      softmax(graph.input("x", {2, 3}, dtype), {.axis = axis, .mask = graph.input("m", mask, mask_dtype)});
    };
  };
  check_error(with(2, DType::f32, {3}, DType::boolean), {"softmax", "axis 2", "[2,3]", "softmax.cpp"});
  check_error(with(-3, DType::f32, {3}, DType::boolean), {"softmax", "axis -3"});
  check_error(with(0, DType::i32, {3}, DType::boolean), {"softmax", "i32"});
  check_error(with(0, DType::f32, {3}, DType::f32), {"softmax", "mask", "f32", "not boolean"});
  check_error(with(0, DType::f32, {4}, DType::boolean), {"softmax", "mask [4]", "[2,3]"});
  check_error(with(0, DType::f32, {1, 2, 3}, DType::boolean), {"softmax", "mask [1,2,3]"});
  check_error([](Graph& graph) { log_softmax(graph.input("x", {2, 3}), {.axis = 5}); }, {"log_softmax", "axis 5"});
  for (const float temperature : {0.0f, -1.0f, static_cast<float>(nan), static_cast<float>(inf), 1e-39f})
    check_error([=](Graph& graph) { softmax(graph.input("x", {2}), {.temperature = temperature}); }, {"softmax", "temperature"});
  check_error([](Graph& graph) { softmax(graph.input("x", {})); }, {"softmax", "axis -1"});
}

}  // namespace fovea::test
