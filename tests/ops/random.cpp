#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/philox.hpp"
#include "tests/support/run.hpp"

#include <cmath>
#include <numbers>

namespace fovea::test {
namespace {

template <class T>
T drawn(Random kind, const Array<T>& state, std::int64_t stream, std::int64_t i) {
  if (kind == Random::bits) return static_cast<T>(static_cast<std::int32_t>(word(state, stream, i)));
  const double u = uniform_of(word(state, stream, i));
  if (kind == Random::uniform) return static_cast<T>(u);
  if (kind == Random::gumbel) return -std::log(-std::log(static_cast<T>(u)));
  const T radius = std::sqrt(-2 * std::log(static_cast<T>(uniform_of(word(state, stream, i / 2 * 2)))));
  const T angle = 2 * std::numbers::pi_v<T> * static_cast<T>(uniform_of(word(state, stream, i / 2 * 2 + 1)));
  return radius * (i % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

Operand state_of(std::vector<double> words) { return values({6}, std::move(words), DType::i32); }

void check_draw(Random kind, const Shape& shape, std::vector<double> state, std::int64_t stream) {
  INFO(to_string(kind), ' ', to_string(shape), " stream ", stream);
  // Of sin, cos and log in f32: absolute errors of a few 2^-24 of what they multiply, below 6 here.
  check(
      "random", {state_of(std::move(state))},
      [&](Graph&, const auto& in) { return std::vector{random(kind, in[0], shape, {stream})}; },
      [&](const auto& in) {
        std::decay_t<decltype(in[0])> y(shape);
        for (std::int64_t i = 0; i < y.size(); ++i) y[i] = drawn(kind, in[0], stream, i);
        return std::vector{y};
      },
      {.f16 = false, .extra_ulps = 8, .exact = kind == Random::bits || kind == Random::uniform});
}

// One result of a graph over inputs "x" (if given) and "state".
template <class Make>
Array<double> run_with(const std::vector<double>& state, const Operand* x, const Make& make) {
  Graph graph;
  std::vector<Bytes> bytes;
  const Tensor data = x ? graph.input("x", x->array.shape, x->dtype) : Tensor();
  if (x) bytes.push_back(encode(x->array, x->dtype));
  bytes.push_back(encode(state_of(state).array, DType::i32));
  graph.output("y", make(data, graph.input("state", {6}, DType::i32)));
  REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
  auto plan = context().compile(graph, {.poison_arena = true});
  REQUIRE_MESSAGE(plan, plan.error().message);
  const Run run = run_guarded(*plan, bytes);
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
  return run.outputs[0];
}

const std::vector<double> some_state{12345, 678, 0, 0, 3, 0};

}  // namespace

TEST_CASE("the published vectors of Philox-4x32-10" * doctest::skip(compiles_only())) {
  // Random123's kat_vectors: counter, key, result.
  const std::uint32_t known[3][10] = {
      {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
      {0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
      {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}};
  for (const auto& row : known) {
    const auto as_i32 = [&](int k) { return static_cast<double>(static_cast<std::int32_t>(row[k])); };
    const Array<double> got = run_with({as_i32(4), as_i32(5), as_i32(0), as_i32(1), as_i32(2), as_i32(3)}, nullptr,
                                       [](Tensor, Tensor state) { return random(Random::bits, state, {4}); });
    for (int k = 0; k < 4; ++k) CHECK(got[k] == as_i32(6 + k));
  }
}

TEST_CASE("draws of every size and stream") {
  for (Random kind : {Random::bits, Random::uniform, Random::normal, Random::gumbel})
    for (std::int64_t n : {1, 2, 3, 4, 5, 1000}) check_draw(kind, {n}, {7, 11, 0, 0, 1000 + static_cast<double>(n), 2}, n % 3);
  check_draw(Random::uniform, {3, 0, 2}, some_state, 0);
  check_draw(Random::normal, {3, 5, 7}, some_state, 2147483647);
  check_draw(Random::bits, {5, 4}, {-1, -2, -1, -1, -3, 5}, 1);  // the counter's words wrap one by one
}

TEST_CASE("a plan draws anew when the state changes, and the same when it does not" * doctest::skip(compiles_only())) {
  Graph graph;
  graph.output("y", random(Random::uniform, graph.input("state", {6}, DType::i32), {64}));
  auto plan = context().compile(graph);
  REQUIRE_MESSAGE(plan, plan.error().message);
  const auto draw = [&](double step) {
    auto state = some_state;
    state[4] = step;
    return run_guarded(*plan, {encode(state_of(state).array, DType::i32)}).outputs[0].values;
  };
  CHECK(draw(1) == draw(1));
  CHECK(draw(1) != draw(2));
}

TEST_CASE("streams of one state are different numbers" * doctest::skip(compiles_only())) {
  const auto draw = [](std::int64_t stream) {
    return run_with(some_state, nullptr, [&](Tensor, Tensor state) { return random(Random::uniform, state, {64}, {stream}); }).values;
  };
  CHECK(draw(0) != draw(1));
}

TEST_CASE("bernoulli and categorical come up as often as they should" * doctest::skip(compiles_only())) {
  constexpr std::int64_t n = 20000;
  const auto near = [](double count, double p) { return std::abs(count - n * p) < 4 * std::sqrt(n * p * (1 - p)); };
  double heads = 0;
  for (double value : run_with(some_state, nullptr, [](Tensor, Tensor state) { return bernoulli(state, {n}, 0.3f); }).values) heads += value;
  CHECK(near(heads, 0.3));
  const double p[] = {0.1, 0.2, 0.7};
  std::vector<double> logits;
  for (std::int64_t i = 0; i < n; ++i)
    for (double share : p) logits.push_back(std::log(share) + 5);
  const Operand rows = values({n, 3}, logits);
  double counts[3] = {};
  for (double choice : run_with(some_state, &rows, [](Tensor x, Tensor state) { return categorical(x, state); }).values) {
    REQUIRE(choice >= 0);
    REQUIRE(choice < 3);
    counts[static_cast<std::size_t>(choice)] += 1;
  }
  for (std::size_t k = 0; k < 3; ++k) CHECK(near(counts[k], p[k]));
}

TEST_CASE("normal numbers have mean 0 and deviation 1, and one draw of many stays finite" * doctest::skip(compiles_only())) {
  double sum = 0, squares = 0;
  const auto drawn = run_with(some_state, nullptr, [](Tensor, Tensor state) { return random(Random::normal, state, {40'000}); }).values;
  for (double z : drawn) {
    REQUIRE(std::isfinite(z));
    sum += z, squares += z * z;
  }
  CHECK(std::abs(sum / 40'000) < 4 / 200.0);
  CHECK(std::abs(squares / 40'000 - 1) < 4 * std::sqrt(2.0) / 200.0);
}

TEST_CASE("dropout: zeros or scaled, the gradient through the same mask") {
  for (float p : {0.0f, 0.25f, 1.0f}) {
    const auto reference = [&](const auto& in) {
      auto y = in[0];
      for (std::int64_t i = 0; i < y.size(); ++i)
        y[i] = uniform_of(word(in[1], 3, i)) < 1 - p ? y[i] / (1 - p) : 0;
      return std::vector{y};
    };
    check("elementwise", {random({6, 50}), state_of(some_state)},
          [&](Graph&, const auto& in) { return std::vector{dropout(in[0], in[1], p, {3})}; }, reference, {.gradient = true});
  }
}

TEST_CASE("gumbel_softmax: soft, and hard with the soft gradient") {
  const auto soft = [](const auto& in) {
    auto y = in[0];
    using T = std::decay_t<decltype(y[0])>;
    for (std::int64_t row = 0; row < 6; ++row) {
      T sum = 0;
      for (std::int64_t k = 0; k < 5; ++k) {
        const std::int64_t i = row * 5 + k;
        sum += y[i] = std::exp((in[0][i] + drawn(Random::gumbel, in[1], 2, i)) / T(0.5));
      }
      for (std::int64_t k = 0; k < 5; ++k) y[row * 5 + k] /= sum;
    }
    return std::vector{y};
  };
  const auto make = [](bool hard) {
    return [=](Graph&, const std::vector<Tensor>& in) { return std::vector{gumbel_softmax(in[0], in[1], {.temperature = 0.5f, .hard = hard, .stream = 2})}; };
  };
  const std::vector<Operand> in{random({6, 5}), state_of(some_state)};
  check("softmax", in, make(false), soft, {.f16 = false, .extra_ulps = 64, .gradient = true});
  check_gradient(in, make(true), soft);
  check("random", in, make(true), [&](const auto& arrays) {
    auto y = soft(arrays);
    for (std::int64_t row = 0; row < 6; ++row) {
      std::int64_t most = 0;
      for (std::int64_t k = 1; k < 5; ++k)
        if (y[0][row * 5 + k] > y[0][row * 5 + most]) most = k;
      for (std::int64_t k = 0; k < 5; ++k) y[0][row * 5 + k] = k == most;
    }
    return y;
  }, {.f16 = false, .exact = true});
}

TEST_CASE("a mask: what takes no part is never chosen, and a row without any chooses the end") {
  const Operand mask = values({3, 5}, {0, 1, 1, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0}, DType::boolean);
  const auto part = [](const auto& in, std::int64_t i) { return in[2][i % 15] != 0; };
  const auto noisy = [](const auto& in, std::int64_t i) { return in[0][i] + drawn(Random::gumbel, in[1], 2, i); };
  const std::vector<Operand> in{random({2, 3, 5}), state_of(some_state), mask};
  const auto chosen = [&](const auto& arrays, std::int64_t row) {
    std::int64_t most = 5;
    for (std::int64_t k = 0; k < 5; ++k) {
      if (!part(arrays, row * 5 + k)) continue;
      if (most == 5 || noisy(arrays, row * 5 + k) > noisy(arrays, row * 5 + most)) most = k;
    }
    return most;
  };
  check("random", in, [](Graph&, const std::vector<Tensor>& t) { return std::vector{categorical(t[0], t[1], {.mask = t[2], .stream = 2})}; },
        [&](const auto& arrays) {
          std::decay_t<decltype(arrays[0])> y({2, 3});
          for (std::int64_t row = 0; row < 6; ++row) y[row] = static_cast<std::decay_t<decltype(y[0])>>(chosen(arrays, row));
          return std::vector{y};
        },
        {.f16 = false, .exact = true});
  const auto soft = [&](const auto& arrays) {
    auto y = arrays[0];
    using T = std::decay_t<decltype(y[0])>;
    for (std::int64_t row = 0; row < 6; ++row) {
      T sum = 0;
      for (std::int64_t k = 0; k < 5; ++k) sum += y[row * 5 + k] = part(arrays, row * 5 + k) ? std::exp(noisy(arrays, row * 5 + k)) : 0;
      for (std::int64_t k = 0; k < 5; ++k) y[row * 5 + k] = sum == 0 ? 0 : y[row * 5 + k] / sum;
    }
    return std::vector{y};
  };
  const auto make = [](bool hard) {
    return [=](Graph&, const std::vector<Tensor>& t) { return std::vector{gumbel_softmax(t[0], t[1], {.hard = hard, .mask = t[2], .stream = 2})}; };
  };
  check("softmax", in, make(false), soft, {.f16 = false, .extra_ulps = 64, .gradient = true});
  check("random", in, make(true), [&](const auto& arrays) {
    auto y = arrays[0];
    for (std::int64_t i = 0; i < y.size(); ++i) y[i] = chosen(arrays, i / 5) == i % 5;
    return std::vector{y};
  }, {.f16 = false, .exact = true});
}

TEST_CASE("drawing names what is wrong") {
  const auto state = [](Graph& g, Shape shape = {6}, DType dtype = DType::i32) { return g.input("s", shape, dtype); };
  check_error([&](Graph& g) { random(Random::normal, state(g, {4}), {3}); }, {"random normal", "i32[4], not i32[6]", "random.cpp"});
  check_error([&](Graph& g) { random(Random::bits, state(g, {6}, DType::f32), {3}); }, {"random bits", "f32[6]"});
  check_error([&](Graph& g) { random(Random::uniform, state(g), {3}, {-1}); }, {"random uniform", "stream -1"});
  check_error([&](Graph& g) { random(Random::uniform, state(g), {3, -1}); }, {"random uniform", "negative extent"});
  check_error([&](Graph& g) { bernoulli(state(g), {3}, 1.5f); }, {"bernoulli", "probability 1.5"});
  check_error([&](Graph& g) { dropout(g.input("x", {3}), state(g), -0.5f); }, {"dropout", "p -0.5"});
  check_error([&](Graph& g) { gumbel_softmax(g.input("x", {3}), state(g), {.temperature = 0}); }, {"gumbel_softmax", "temperature 0"});
  check_error([&](Graph& g) { categorical(g.input("x", {2, 3}), state(g), {.mask = g.input("m", {2}, DType::boolean)}); }, {"categorical", "mask [2]", "[2,3]"});
  check_error([&](Graph& g) { gumbel_softmax(g.input("x", {3}), state(g), {.mask = g.input("m", {3})}); }, {"gumbel_softmax", "the mask is f32"});
}

}  // namespace fovea::test
