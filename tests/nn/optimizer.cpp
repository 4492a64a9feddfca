#include <fovea/optimizer.hpp>

#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <cmath>
#include <cstring>
#include <functional>

namespace fovea::test {
namespace {

constexpr int steps = 4;

// A parameter and its state, as they go through the published rule in double: one element.
struct Point {
  double p, a = 0, b = 0, c = 0;
};
using Rule = std::function<void(Point& at, double g, double rate, int step)>;
// One step of the graph: parameter, gradient, rate, step, and state; the new parameter and state.
using Step = std::function<std::vector<Tensor>(Tensor p, Tensor g, Tensor rate, Tensor step, const std::vector<Tensor>& state)>;

// `steps` steps in one graph, each from the results of the one before, against the rule for each element.
void check_rule(const Step& graph_step, std::size_t states, const Rule& rule) {
  std::vector<Operand> operands{random({5, 3}, -1, 1), random({5, 3}, -2, 2, 2), values({1}, {0.05})};
  operands[1].array.values[4] = 0;  // a gradient of zero, from a state of zero
  check("elementwise", operands,
        [&](Graph& graph, const std::vector<Tensor>& t) {
          const Tensor zero = broadcast_to(scalar(t[0], 0), {5, 3});
          std::vector<Tensor> now{t[0]};
          now.resize(1 + states, zero);
          for (int i = 1; i <= steps; ++i) {
            const float number[] = {static_cast<float>(i)};
            const std::vector<Tensor> state(now.begin() + 1, now.end());
            now = graph_step(now[0], t[1] * static_cast<float>(i), t[2], graph.constant({}, number), state);
          }
          return now;
        },
        [&](const auto& in) {
          std::vector<std::decay_t<decltype(in[0])>> out(1 + states, in[0]);
          using T = std::decay_t<decltype(in[0][0])>;
          for (std::int64_t k = 0; k < in[0].size(); ++k) {
            Point at{static_cast<double>(in[0][k])};
            for (int i = 1; i <= steps; ++i) rule(at, i * static_cast<double>(in[1][k]), static_cast<double>(in[2][0]), i);
            const double all[] = {at.p, at.a, at.b, at.c};
            for (std::size_t s = 0; s < out.size(); ++s) out[s][k] = static_cast<T>(all[s]);
          }
          return out;
        },
        // Each step divides (2.5 ulp), takes a root (3) and an exponential of small numbers (3); the steps add up.
        {.f16 = false, .extra_ulps = 64});
}

}  // namespace

TEST_CASE("sgd: plain, with decay, momentum, dampening, nesterov") {
  check_rule([](Tensor p, Tensor g, Tensor rate, Tensor, const auto&) { return std::vector{sgd(p, g, {}, rate, {.weight_decay = 0.1f}).parameter}; },
             0, [](Point& at, double g, double rate, int) { at.p -= rate * (g + 0.1f * at.p); });
  for (const bool nesterov : {false, true})
    for (const float dampening : {0.0f, 0.4f}) {
      if (nesterov && dampening != 0) continue;
      const SgdDesc desc{.momentum = 0.9f, .dampening = dampening, .weight_decay = 0.1f, .nesterov = nesterov};
      check_rule(
          [&](Tensor p, Tensor g, Tensor rate, Tensor step, const auto& state) {
            const SgdStep next = sgd(p, g, state[0], rate, desc, step);
            return std::vector{next.parameter, next.momentum};
          },
          1,
          [&](Point& at, double g, double rate, int step) {
            g += 0.1f * at.p;
            at.a = step == 1 ? g : 0.9f * at.a + (1 - dampening) * g;
            at.p -= rate * (nesterov ? g + 0.9f * at.a : at.a);
          });
    }
}

TEST_CASE("adam and adamw, with decay") {
  for (const bool decoupled : {false, true})
    check_rule(
        [&](Tensor p, Tensor g, Tensor rate, Tensor step, const auto& state) {
          const AdamStep next = adam(p, g, {state[0], state[1]}, rate, step, {.weight_decay = 0.1f, .decoupled = decoupled});
          return std::vector{next.parameter, next.moments.first, next.moments.second};
        },
        2,
        [&](Point& at, double g, double rate, int step) {
          const double beta1 = 0.9f, beta2 = 0.999f;
          if (decoupled) at.p -= rate * 0.1f * at.p;
          if (!decoupled) g += 0.1f * at.p;
          at.a = beta1 * at.a + (1 - beta1) * g;
          at.b = beta2 * at.b + (1 - beta2) * g * g;
          at.p -= rate * (at.a / (1 - std::pow(beta1, step))) / (std::sqrt(at.b / (1 - std::pow(beta2, step))) + 1e-8f);
        });
}

TEST_CASE("adam's bias correction keeps its digits at every step") {
  std::vector<double> numbers{1, 2, 5, 6, 50, 400, 600, 1e4, 1e6};
  const auto n = static_cast<std::int64_t>(numbers.size());
  check("elementwise", {values({n}, numbers)},
        [&](Graph& graph, const std::vector<Tensor>& t) {
          // With m = g and v = g² = 1 kept as they are, p moves by the corrections alone.
          std::vector<Tensor> moved;
          const float one[] = {1}, zero[] = {0};
          for (std::int64_t i = 0; i < n; ++i) {
            const Tensor ones = graph.constant({1}, one), step = slice(t[0], {.start = i, .stop = i + 1});
            moved.push_back(adam(graph.constant({1}, zero), ones, {ones, ones}, ones, step).parameter);
          }
          return std::vector{concat(moved, 0)};
        },
        [](const auto& in) {
          auto out = in[0];
          for (auto& step : out.values) {
            const double t = static_cast<double>(step);
            step = static_cast<std::decay_t<decltype(step)>>(
                -(1 / (1 - std::pow(double{0.9f}, t))) / (std::sqrt(1 / (1 - std::pow(double{0.999f}, t))) + 1e-8f));
          }
          return std::vector{out};
        },
        {.f16 = false, .extra_ulps = 32, .elementwise_scale = true});
}

TEST_CASE("rmsprop, centered and with momentum") {
  check_rule(
      [](Tensor p, Tensor g, Tensor rate, Tensor, const auto& state) {
        const RmspropStep next = rmsprop(p, g, {state[0]}, rate, {.eps = 0.01f, .weight_decay = 0.1f});
        return std::vector{next.parameter, next.state.square};
      },
      1,
      [](Point& at, double g, double rate, int) {
        g += 0.1f * at.p;
        at.a = 0.99f * at.a + (1 - double{0.99f}) * g * g;
        at.p -= rate * g / (std::sqrt(at.a) + 0.01f);
      });
  check_rule(
      [](Tensor p, Tensor g, Tensor rate, Tensor, const auto& state) {
        const RmspropStep next = rmsprop(p, g, {state[0], state[1], state[2]}, rate, {.eps = 0.01f, .momentum = 0.5f, .centered = true});
        return std::vector{next.parameter, next.state.square, next.state.mean, next.state.momentum};
      },
      3,
      [](Point& at, double g, double rate, int) {
        at.a = 0.99f * at.a + (1 - double{0.99f}) * g * g;
        at.b = 0.99f * at.b + (1 - double{0.99f}) * g;
        at.c = 0.5 * at.c + g / (std::sqrt(at.a - at.b * at.b) + 0.01f);
        at.p -= rate * at.c;
      });
}

TEST_CASE("adadelta") {
  check_rule(
      [](Tensor p, Tensor g, Tensor rate, Tensor, const auto& state) {
        const AdadeltaStep next = adadelta(p, g, {state[0], state[1]}, rate, {.eps = 1e-3f, .weight_decay = 0.1f});
        return std::vector{next.parameter, next.state.square, next.state.delta};
      },
      2,
      [](Point& at, double g, double rate, int) {
        g += 0.1f * at.p;
        at.a = 0.9f * at.a + (1 - double{0.9f}) * g * g;
        const double d = std::sqrt(at.b + 1e-3f) / std::sqrt(at.a + 1e-3f) * g;
        at.b = 0.9f * at.b + (1 - double{0.9f}) * d * d;
        at.p -= rate * d;
      });
}

TEST_CASE("clipping by the norm of all gradients, and by value") {
  for (const float most : {0.5f, 100.0f, 0.0f}) {
    CAPTURE(most);
    check("reduce", {random({5, 3}, -2, 2), random({7}, -2, 2, 2)},
          [&](Graph&, const std::vector<Tensor>& t) {
            const Clipped clipped = clip_by_global_norm(t, most);
            const auto by_value = clip_by_value(t, most);
            return std::vector{clipped.gradients[0], clipped.gradients[1], clipped.norm, by_value[0], by_value[1]};
          },
          [&](const auto& in) {
            std::decay_t<decltype(in[0])> norm(Shape{1});
            using T = std::decay_t<decltype(norm[0])>;
            for (const auto& array : in)
              for (const T value : array.values) norm[0] += value * value;
            norm[0] = std::sqrt(norm[0]);
            auto out = in;
            for (auto& array : out)
              for (T& value : array.values) value *= std::min(T(1), T(most) / (norm[0] + T(1e-6)));
            norm.shape = {};
            out.push_back(norm);
            for (auto array : in) {
              for (T& value : array.values) value = std::min(std::max(value, -T(most)), T(most));
              out.push_back(array);
            }
            return out;
          },
          {.extra_ulps = 16});
  }
}

namespace {

Buffer buffer_of(const std::vector<float>& values, std::string_view name) {
  Buffer buffer = context().make_buffer(4 * values.size(), true, name).value();
  std::memcpy(buffer.data(), values.data(), 4 * values.size());
  return buffer;
}
std::vector<float> floats_of(const Buffer& buffer) {
  std::vector<float> values(buffer.size() / 4);
  std::memcpy(values.data(), buffer.data(), buffer.size());
  return values;
}

}  // namespace

TEST_CASE("one recorded plan, replayed 50 times, trains a regression as a double loop does" * doctest::skip(compiles_only())) {
  constexpr std::int64_t rows = 9, columns = 5;
  const Operand x = random({rows, columns}, -1, 1, 3), y = random({rows}, -1, 1, 4);
  Graph graph;
  const Tensor weight = graph.parameter("weight", {columns}), m = graph.parameter("m", {columns}), v = graph.parameter("v", {columns});
  const Tensor step = graph.parameter("step", {}), rate = graph.input("rate", {});
  const Tensor error = matmul(graph.input("x", {rows, columns}), weight) - graph.input("y", {rows});
  const Tensor loss = reduce(Reduce::mean, unary(Unary::square, error));
  const AdamStep next = adam(weight, grad(loss, {weight})[0], {m, v}, rate, step);
  graph.output("loss", loss);
  graph.output("before", weight);
  graph.update(weight, next.parameter), graph.update(m, next.moments.first), graph.update(v, next.moments.second);
  graph.update(step, step + 1.0f);
  Result<Plan> plan = context().compile(graph, {.poison_arena = true});
  REQUIRE_MESSAGE(plan, plan.error().message);
  CHECK(plan->find_port("weight")->updated);
  CHECK_FALSE(plan->find_port("rate")->updated);

  const auto as_floats = [](const Operand& operand) { return std::vector<float>(operand.array.values.begin(), operand.array.values.end()); };
  const std::vector<float> start{0.5f, -0.25f, 0.125f, 0, 1}, zeros(columns);
  Buffer of_weight = buffer_of(start, "weight"), of_m = buffer_of(zeros, "m"), of_v = buffer_of(zeros, "v"), of_step = buffer_of({1}, "step");
  Buffer of_rate = buffer_of({0.05f}, "rate"), of_x = buffer_of(as_floats(x), "x"), of_y = buffer_of(as_floats(y), "y");
  Buffer of_loss = buffer_of({0}, "loss"), of_before = buffer_of(zeros, "before");
  const std::vector<PortBuffer> ports{{"weight", &of_weight}, {"m", &of_m}, {"v", &of_v}, {"step", &of_step}, {"rate", &of_rate},
                                      {"x", &of_x}, {"y", &of_y}, {"loss", &of_loss}, {"before", &of_before}};
  std::vector<PortBuffer> shared = ports;
  shared[1].buffer = &of_weight;
  const Result<Bindings> refused = plan->bind(shared);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("updated parameter 'weight' shares bytes with 'm'") != std::string::npos);
  const Bindings bindings = plan->bind(ports).value();

  std::vector<double> p(start.begin(), start.end()), first(columns), second(columns), before;
  double loss_before = 0, loss_after = 0;
  const double beta1 = 0.9f, beta2 = 0.999f;
  for (int t = 1; t <= 50; ++t) {
    plan->submit(bindings).value();
    before = p;
    std::vector<double> g(columns);
    loss_after = 0;
    for (std::int64_t i = 0; i < rows; ++i) {
      double e = -y.array[i];
      for (std::int64_t j = 0; j < columns; ++j) e += x.array.at({i, j}) * p[static_cast<std::size_t>(j)];
      loss_after += e * e / rows;
      for (std::int64_t j = 0; j < columns; ++j) g[static_cast<std::size_t>(j)] += 2 * e * x.array.at({i, j}) / rows;
    }
    if (t == 1) loss_before = loss_after;
    for (std::size_t j = 0; j < columns; ++j) {
      first[j] = beta1 * first[j] + (1 - beta1) * g[j];
      second[j] = beta2 * second[j] + (1 - beta2) * g[j] * g[j];
      p[j] -= double{0.05f} * (first[j] / (1 - std::pow(beta1, t))) / (std::sqrt(second[j] / (1 - std::pow(beta2, t))) + 1e-8f);
    }
  }
  plan->wait().value();
  CHECK(loss_after < 0.5 * loss_before);  // it learns
  // 50 steps, each of a few roundings of numbers around 1.
  const auto close = [](const Buffer& got, const std::vector<double>& want) {
    const std::vector<float> values = floats_of(got);
    for (std::size_t j = 0; j < want.size(); ++j) CHECK(std::abs(static_cast<double>(values[j]) - want[j]) < 50 * 16 * 0x1p-24);
  };
  close(of_weight, p);
  close(of_before, before);  // an output of the parameter is what it held before the update
  close(of_m, first);
  close(of_v, second);
  close(of_loss, {loss_after});
  CHECK(floats_of(of_step)[0] == 51);
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("two parameters change places" * doctest::skip(compiles_only())) {
  Graph graph;
  const Tensor a = graph.parameter("a", {3}), b = graph.parameter("b", {3}), c = graph.parameter("c", {3});
  graph.update(a, b), graph.update(b, a), graph.update(c, reshape(reshape(c, {3, 1}), {3}));
  graph.output("old_b", b);
  Plan plan = context().compile(graph).value();
  Buffer of_a = buffer_of({1, 2, 3}, "a"), of_b = buffer_of({4, 5, 6}, "b"), of_c = buffer_of({7, 8, 9}, "c"), old_b = buffer_of({0, 0, 0}, "old_b");
  const PortBuffer ports[] = {{"a", &of_a}, {"b", &of_b}, {"c", &of_c}, {"old_b", &old_b}};
  const Bindings bindings = plan.bind(ports).value();
  for (int i = 0; i < 3; ++i) plan.submit(bindings).value();
  plan.wait().value();
  CHECK(floats_of(of_a) == std::vector<float>{4, 5, 6});
  CHECK(floats_of(of_b) == std::vector<float>{1, 2, 3});
  CHECK(floats_of(of_c) == std::vector<float>{7, 8, 9});
  CHECK(floats_of(old_b) == std::vector<float>{4, 5, 6});
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("updates and optimisers name what is wrong") {
  const auto w = [](Graph& g) { return g.parameter("w", {3}); };
  check_error([&](Graph& g) { const Tensor x = g.input("x", {3}); g.update(x, x); }, {"update: the first tensor is no parameter", "optimizer.cpp"});
  check_error([&](Graph& g) { g.update(w(g), g.input("x", {4})); }, {"update \"w\": the value is f32[4], the parameter f32[3]"});
  check_error([&](Graph& g) { g.update(w(g), {}); }, {"update \"w\": the value is absent"});
  check_error([&](Graph& g) { const Tensor p = w(g); g.update(p, p + 1.0f), g.update(p, p); }, {"update \"w\": the parameter already has an update"});
  check_error([&](Graph& g) { sgd(w(g), g.input("g", {4}), {}, g.input("r", {})); }, {"sgd: the gradient is [4], not [3]", "optimizer.cpp"});
  check_error([&](Graph& g) { sgd(w(g), g.input("g", {3}), {}, g.input("r", {2})); }, {"sgd: the rate [2] has 2 elements"});
  check_error([&](Graph& g) { sgd(w(g), g.input("g", {3}), {}, g.input("r", {}), {.momentum = 0.9f}); }, {"sgd: momentum 0.9 takes a buffer"});
  check_error([&](Graph& g) { sgd(w(g), g.input("g", {3}), g.input("b", {3}), g.input("r", {}), {.momentum = 0.9f, .dampening = 0.5f}); }, {"sgd: dampening 0.5 takes the step"});
  check_error([&](Graph& g) { sgd(w(g), g.input("g", {3}), {}, g.input("r", {}), {.nesterov = true}); }, {"sgd: nesterov takes momentum"});
  check_error([&](Graph& g) { const Tensor p = w(g); adam(p, p, {p, {}}, g.input("r", {}), g.input("t", {})); }, {"adam: the second moment is absent"});
  check_error([&](Graph& g) { const Tensor p = w(g); rmsprop(p, p, {p}, g.input("r", {}), {.centered = true}); }, {"rmsprop: the mean is absent"});
  check_error([&](Graph& g) { const Tensor p = w(g); rmsprop(p, p, {p, p}, g.input("r", {})); }, {"rmsprop: the mean is given, and nothing uses it"});
  check_error([&](Graph& g) { const Tensor p = w(g); adadelta(p, p, {g.input("s", {2}), p}, g.input("r", {})); }, {"adadelta: the mean of squares is [2], not [3]"});
  check_error([&](Graph& g) { const Tensor p = w(g); clip_by_global_norm(std::span(&p, 1), -1); }, {"clip_by_global_norm: the most is -1"});
}

}  // namespace fovea::test
