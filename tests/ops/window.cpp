#include "compile/compiler.hpp"
#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

template <class T>
bool exists(T position, std::int64_t length) {
  return position >= 0 && position < static_cast<T>(length);
}

Operand i32(Shape shape, std::vector<double> data) { return values(shape, std::move(data), DType::i32); }

}  // namespace

TEST_CASE("windows around centres, also those that reach out of the sequence or stand outside it") {
  for (std::int64_t D : {0, 1, 3})
    for (bool with_lengths : {false, true}) {
      std::vector<Operand> inputs{i32({2, 5}, {0, 3, 6, -4, 11, 1, 2, -2147483648.0, 2147483647.0, 4})};
      if (with_lengths) inputs.push_back(i32({2}, {4, 90}));
      check("elementwise", inputs,
            [&](Graph&, const std::vector<Tensor>& in) {
              const auto window = local_window(in[0], 7, {.half_width = D, .lengths = with_lengths ? in[1] : Tensor()});
              return std::vector{window.positions, window.valid};
            },
            [&](const auto& in) {
              auto positions = in[0], valid = in[0];
              positions = std::decay_t<decltype(positions)>(Shape{2, 5, 2 * D + 1});
              valid = positions;
              for (std::int64_t i = 0; i < positions.size(); ++i) {
                const std::int64_t row = i / (2 * D + 1), sample = row / 5;
                auto at = static_cast<std::int64_t>(in[0][row]) + i % (2 * D + 1) - D;
                const std::int64_t length = with_lengths ? std::min<std::int64_t>(7, static_cast<std::int64_t>(in[1][sample])) : 7;
                valid[i] = exists(at, length);
                at = static_cast<std::int32_t>(static_cast<std::uint32_t>(at));  // wraps as i32 does: outside either way
                positions[i] = static_cast<std::decay_t<decltype(in[0][0])>>(at);
              }
              return std::vector{positions, valid};
            },
            {.exact = true});
    }
}

TEST_CASE("local_gather takes what is there, zeros for the rest, and adds up the gradient") {
  const Operand centre = i32({2, 4}, {0, 2, 2, 6, -3, 5, 4, 1}), lengths = i32({2}, {7, 4});
  for (const Shape& x : {Shape{2, 7}, {2, 7, 3}, {2, 7, 2, 3}}) {
    const auto build = [](Graph&, const std::vector<Tensor>& in) {
      return std::vector{local_gather(in[0], local_window(in[1], 7, {.half_width = 2, .lengths = in[2]}))};
    };
    const auto reference = [](const auto& in) {
      const auto& from = in[0];
      std::vector<std::int64_t> extents{2, 4, 5};
      std::int64_t inner = 1;
      for (int axis = 2; axis < from.shape.rank(); ++axis) extents.push_back(from.shape[axis]), inner *= from.shape[axis];
      std::decay_t<decltype(from)> y{Shape(extents)};
      for (std::int64_t i = 0; i < y.size(); ++i) {
        const std::int64_t row = i / inner / 5, sample = row / 4, at = static_cast<std::int64_t>(in[1][row]) + i / inner % 5 - 2;
        if (exists(at, static_cast<std::int64_t>(in[2][sample]))) y[i] = from[(sample * 7 + at) * inner + i % inner];
      }
      return std::vector{y};
    };
    check("gather", {random(x), centre, lengths}, build, reference, {.exact = true});
    check_gradient({random(x), centre, lengths}, build, reference);
  }
}

TEST_CASE("what lies behind a sample's length is not read: not even NaN times zero") {
  Operand x = random({1, 4, 2});
  x.array[3 * 2] = x.array[2 * 2 + 1] = std::numeric_limits<double>::quiet_NaN();
  check("gather", {x, i32({1, 1}, {1}), i32({1}, {2})},
        [](Graph&, const std::vector<Tensor>& in) {
          return std::vector{local_gather(in[0], local_window(in[1], 4, {.half_width = 2, .lengths = in[2]}))};
        },
        [](const auto& in) {
          std::decay_t<decltype(in[0])> y{Shape{1, 1, 5, 2}};
          for (std::int64_t i = 0; i < 4; ++i) y[2 + i] = in[0][i];
          return std::vector{y};
        },
        {.exact = true});
}

TEST_CASE("gaussian_window: weights fall off around a real centre, which has a gradient") {
  const auto reference = [](const auto& in) {
    auto y = in[0];
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const auto at = unflatten(i, y.shape);
      const auto distance = in[1][broadcast_offset(at, in[1].shape)] - in[2][broadcast_offset(at, in[2].shape)];
      y[i] = in[0][i] * std::exp(-distance * distance / 2 / 2.25f);
    }
    return std::vector{y};
  };
  const auto build = [](Graph&, const std::vector<Tensor>& in) { return std::vector{gaussian_window(in[0], in[1], in[2], 1.5f)}; };
  for (const Operand& positions : {random_i32({2, 3, 5}, -2, 8), random_i32({5}, 0, 5), random({3, 5}, 0, 5)})
    for (const Shape& centre : {Shape{2, 3, 1}, {3, 1}, {}})
      // exp is within 3 + 2|x| ulp.
      check("elementwise", {random({2, 3, 5}, 0, 1), positions, random(centre, 0, 6, 2)}, build, reference,
            {.extra_ulps = 64, .gradient = true});
  Operand far = random({1, 1, 2}, 0, 1);  // weightless, not NaN
  check("elementwise", {far, i32({2}, {0, 2147483647}), values({1}, {0})}, build, reference);
}

TEST_CASE("gaussian_window is one launch") {
  Graph graph;
  const Tensor p = graph.input("p", {2, 3, 5}), positions = graph.input("s", {2, 3, 5}, DType::i32), centre = graph.input("c", {2, 3});
  graph.output("y", gaussian_window(p, positions, reshape(centre, {2, 3, 1}), 2));
  const auto program = compile::compile(graph.ir(), DeviceCaps{}, {});
  REQUIRE(program);
  CHECK(program->dispatches.size() == 1);
}

// Luong's local-p: p = (S_b - 1)·sigmoid(.), a window about floor(p), the softmax over its valid keys, the Gaussian about p
// itself, and the sum of values. The window is a constant to the gradient. normLocalAttn: the Gaussian on the scores.
TEST_CASE("local-p attention as a whole, and its gradients") {
  constexpr std::int64_t B = 2, Q = 3, S = 9, E = 4, D = 2;
  for (bool on_scores : {false, true}) {
    const auto build = [=](Graph& graph, const std::vector<Tensor>& in) {
      const Tensor q = in[0], keys = in[1], vals = in[2], lengths = in[4];
      const Tensor last = reshape(cast(lengths, DType::f32), {B, 1}) - 1.0f;
      const Tensor p = last * unary(Unary::sigmoid, in[3]), centre = reshape(p, {B, Q, 1});
      const auto window = local_window(cast(unary(Unary::floor, p), DType::i32), S, {.half_width = D, .lengths = lengths});
      const Tensor near = local_gather(keys, window);  // [B,Q,2D+1,E]
      Tensor scores = reshape(matmul(near, reshape(q, {B, Q, E, 1})), {B, Q, 2 * D + 1});
      if (on_scores) scores = gaussian_window(scores, window.positions, centre, D / 2.0f);
      Tensor weights = softmax(scores, {.mask = window.valid});
      if (!on_scores) weights = gaussian_window(weights, window.positions, centre, D / 2.0f);
      const Tensor context = matmul(reshape(weights, {B, Q, 1, 2 * D + 1}), local_gather(vals, window));
      static_cast<void>(graph);
      return std::vector{reshape(context, {B, Q, E}), weights};
    };
    const auto reference = [=](const auto& in) {
      using T = std::decay_t<decltype(in[0][0])>;
      Array<T> context{Shape{B, Q, E}}, all{Shape{B, Q, 2 * D + 1}};
      for (std::int64_t b = 0; b < B; ++b)
        for (std::int64_t i = 0; i < Q; ++i) {
          const T p = (in[4][b] - 1) / (1 + std::exp(-in[3].at({b, i})));
          const auto middle = static_cast<std::int64_t>(std::floor(p));
          const std::int64_t first = std::max<std::int64_t>(middle - D, 0);
          const std::int64_t end = std::min(middle + D + 1, static_cast<std::int64_t>(in[4][b]));
          T total = 0;
          const auto gauss = [&](std::int64_t s) { return std::exp(-(static_cast<T>(s) - p) * (static_cast<T>(s) - p) / 2); };
          const auto weight = [&](std::int64_t s) {
            T score = 0;
            for (std::int64_t e = 0; e < E; ++e) score += in[0].at({b, i, e}) * in[1].at({b, s, e});
            return std::exp(on_scores ? score * gauss(s) : score);
          };
          for (std::int64_t s = first; s < end; ++s) total += weight(s);
          for (std::int64_t s = first; s < end; ++s) {
            const T a = weight(s) / total * (on_scores ? T(1) : gauss(s));
            all.at({b, i, s - middle + D}) = a;
            for (std::int64_t e = 0; e < E; ++e) context.at({b, i, e}) += a * in[2].at({b, s, e});
          }
        }
      return std::vector{context, all};
    };
    const std::vector<Operand> inputs{random({B, Q, E}), random({B, S, E}, -1, 1, 2), random({B, S, E}, -1, 1, 3),
                                      random({B, Q}, -2, 2, 4), i32({B}, {S, 5})};
    check("softmax", inputs, build, reference, {.f16 = false, .extra_ulps = 64});  // two exp and a division
    check_gradient(inputs, build, reference, {.ulps = 256});
  }
}

// Luong's local-m: the window stands at the query's own position.
TEST_CASE("local-m attention is attention within a window") {
  constexpr std::int64_t B = 2, L = 7, E = 4, D = 2;
  std::vector<double> centres;
  for (std::int64_t i = 0; i < B * L; ++i) centres.push_back(static_cast<double>(i % L));
  const auto build = [=](Graph&, const std::vector<Tensor>& in) {
    const auto window = local_window(in[2], L, {.half_width = D});
    const Tensor near = local_gather(in[1], window);
    const Tensor scores = reshape(matmul(near, reshape(in[0], {B, L, E, 1})), {B, L, 2 * D + 1});
    const Tensor weights = reshape(softmax(scores, {.mask = window.valid}), {B, L, 1, 2 * D + 1});
    return std::vector{reshape(matmul(weights, near), {B, L, E})};
  };
  const auto reference = [=](const auto& in) {
    auto y = in[0];
    for (std::int64_t b = 0; b < B; ++b)
      for (std::int64_t i = 0; i < L; ++i) {
        std::vector<std::decay_t<decltype(y[0])>> weights;
        const std::int64_t first = std::max<std::int64_t>(i - D, 0), end = std::min(i + D + 1, L);
        auto total = y[0] - y[0];
        for (std::int64_t s = first; s < end; ++s) {
          auto score = total - total;
          for (std::int64_t e = 0; e < E; ++e) score += in[0].at({b, i, e}) * in[1].at({b, s, e});
          weights.push_back(std::exp(score));
          total += weights.back();
        }
        for (std::int64_t e = 0; e < E; ++e) {
          y.at({b, i, e}) = 0;
          for (std::int64_t s = first; s < end; ++s) y.at({b, i, e}) += weights[static_cast<std::size_t>(s - first)] / total * in[1].at({b, s, e});
        }
      }
    return std::vector{y};
  };
  const std::vector<Operand> inputs{random({B, L, E}), random({B, L, E}, -1, 1, 2), i32({B, L}, centres)};
  check("gather", inputs, build, reference, {.f16 = false, .extra_ulps = 64, .gradient = true});
}

TEST_CASE("windows name what is wrong") {
  const auto window = [](Shape centre, DType dtype, std::int64_t length, std::int64_t D, Shape lengths = {}, DType of_lengths = DType::i32) {
    return [=](Graph& graph) {
      LocalWindowDesc desc{.half_width = D};
      if (lengths.rank() > 0) desc.lengths = graph.input("lengths", lengths, of_lengths);
      local_window(graph.input("c", centre, dtype), length, desc);
    };
  };
  check_error(window({2, 3}, DType::f32, 5, 1), {"local_window", "centre is f32", "window.cpp"});
  check_error(window({3}, DType::i32, 5, 1), {"local_window", "[3]", "[B,Lq]"});
  check_error(window({2, 3}, DType::i32, -1, 1), {"local_window", "length -1"});
  check_error(window({2, 3}, DType::i32, 5, -1), {"local_window", "half_width -1"});
  check_error(window({2, 3}, DType::i32, 5, 1, {3}), {"local_window", "i32[3]", "i32[2]"});
  check_error(window({2, 3}, DType::i32, 5, 1, {2}, DType::f32), {"local_window", "f32[2]", "i32[2]"});

  const auto gathered = [](Shape x, Shape positions, DType of_positions = DType::i32, DType of_valid = DType::boolean) {
    return [=](Graph& graph) { local_gather(graph.input("x", x), {graph.input("s", positions, of_positions), graph.input("v", positions, of_valid)}); };
  };
  check_error(gathered({4}, {2, 3, 5}), {"local_gather", "x [4]", "[B,L,...]"});
  check_error(gathered({2, 4, 1, 1, 1, 1, 1, 1}, {2, 3, 5}), {"local_gather", "at most 7 axes"});
  check_error(gathered({2, 4}, {2, 3, 5}, DType::f32), {"local_gather", "f32[2,3,5]"});
  check_error(gathered({2, 4}, {2, 3, 5}, DType::i32, DType::i32), {"local_gather", "valid i32[2,3,5]"});
  check_error(gathered({2, 4}, {2, 3}), {"local_gather", "[2,3]"});
  check_error(gathered({2, 4}, {1, 3, 5}), {"local_gather", "1 samples", "x 2"});
  check_error([](Graph& graph) { local_gather(graph.input("x", {2, 3}), {}); }, {"local_gather", "operand 1 is absent"});

  const auto gaussian = [](Shape p, Shape s, Shape c, float sigma, DType of_p = DType::f32, DType of_s = DType::i32, DType of_c = DType::f32) {
    return [=](Graph& graph) { gaussian_window(graph.input("p", p, of_p), graph.input("s", s, of_s), graph.input("c", c, of_c), sigma); };
  };
  check_error(gaussian({2, 3}, {3}, {2, 1}, 1, DType::i32), {"gaussian_window", "p is i32"});
  check_error(gaussian({2, 3}, {3}, {2, 1}, 1, DType::f32, DType::boolean), {"gaussian_window", "positions are boolean"});
  check_error(gaussian({2, 3}, {3}, {2, 1}, 1, DType::f32, DType::i32, DType::i32), {"gaussian_window", "centre is i32"});
  check_error(gaussian({2, 3}, {4}, {2, 1}, 1), {"gaussian_window", "positions [4]", "p [2,3]"});
  check_error(gaussian({2, 3}, {3}, {2}, 1), {"gaussian_window", "centre [2]", "p [2,3]"});
  for (float sigma : {0.0f, -1.0f, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    check_error(gaussian({2, 3}, {3}, {2, 1}, sigma), {"gaussian_window", "sigma"});
}

}  // namespace fovea::test
