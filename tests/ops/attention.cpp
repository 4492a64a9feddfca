// Attention against its definition, every feature alone and together, on every kernel and on the unfused chain.

#include "tests/support/attention.hpp"
#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <cmath>
#include <limits>

using namespace fovea;
using namespace fovea::test;

namespace {

struct Sizes {
  std::int64_t B = 1, H = 1, Hk = 1, Lq = 5, Lk = 7, D = 8, Dv = 8;
  bool f16 = true;
};

std::vector<test::Operand> operands(const Sizes& s) {
  return {random({s.B, s.H, s.Lq, s.D}, -1, 1, 1), random({s.B, s.Hk, s.Lk, s.D}, -1, 1, 2),
          random({s.B, s.Hk, s.Lk, s.Dv}, -1, 1, 3)};
}

// Checks out and lse (fused kernels take it), or all three results (the chain alone does). inputs: q, k, v.
void check_inputs(std::vector<test::Operand> inputs, AttentionDesc desc, std::optional<test::Operand> mask = {},
                  bool weights = false, bool f16 = true) {
  if (mask) inputs.push_back(*mask);
  const bool boolean_mask = mask && mask->dtype == DType::boolean;
  desc.return_lse = true;
  desc.return_weights = weights;
  CheckOptions options;
  options.f16 = f16;
  options.extra_ulps = 64;  // Vulkan allows exp 3 + 2|x| ulp; scores here stay below 16
  check("attention", inputs,
        [&](Graph&, const std::vector<Tensor>& in) {
          AttentionDesc with = desc;
          if (mask) with.mask = in[3];
          const AttentionResult result = attention_full(in[0], in[1], in[2], with);
          std::vector<Tensor> out{result.out, result.lse};
          if (weights) out.push_back(result.weights);
          return out;
        },
        [&](const auto& in) {
          auto all = naive_attention(in, desc, boolean_mask);
          if (!weights) all.pop_back();
          return all;
        },
        options);
}

void check_attention(const Sizes& sizes, AttentionDesc desc = {}, std::optional<test::Operand> mask = {}, bool weights = false) {
  check_inputs(operands(sizes), desc, std::move(mask), weights, sizes.f16);
}

test::Operand additive(Shape shape, double forbidden_share) {
  test::Operand mask = random(shape, -2, 2, 5);
  const test::Operand drop = random_boolean(shape, forbidden_share, 6);
  for (std::size_t i = 0; i < drop.array.values.size(); ++i)
    if (drop.array.values[i] != 0) mask.array.values[i] = -HUGE_VAL;
  return mask;
}

}  // namespace

TEST_CASE("lengths of one, odd, past every tile, and none") {
  for (const auto& [Lq, Lk] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 70}, {5, 7}, {33, 65}, {64, 64}, {130, 257}, {3, 0}, {0, 5}})
    check_attention({.H = 2, .Hk = 2, .Lq = Lq, .Lk = Lk});
}

TEST_CASE("head sizes that are multiples of four and not, and values of another size") {
  // Large ones are slow to compile, and f16 differs from f32 in the load and the store alone.
  for (const std::int64_t D : {1, 3, 20, 64, 256})
    check_attention({.Lq = 9, .Lk = 11, .D = D, .Dv = D, .f16 = D <= 64});
  check_attention({.Lq = 70, .Lk = 11, .D = 4, .Dv = 128, .f16 = false});
  if (compiles_only())  // the registers of many rows
    for (const std::int64_t D : {64, 128}) check_attention({.Lq = 70, .Lk = 35, .D = D, .Dv = D});
  check_attention({.Lq = 9, .Lk = 11, .D = 12, .Dv = 3});
  check_attention({.Lq = 9, .Lk = 11, .D = 5, .Dv = 36});
}

TEST_CASE("head sizes past 256 run as the unfused chain") { check_attention({.Lq = 4, .Lk = 6, .D = 300, .Dv = 260}); }

TEST_CASE("grouped-query heads read the key head of their group") {
  check_attention({.B = 2, .H = 6, .Hk = 2, .Lq = 5, .Lk = 9});
  check_attention({.B = 2, .H = 4, .Hk = 1, .Lq = 7, .Lk = 3}, {.causal = true});
}

TEST_CASE("blocks of rows that span heads of a group see what each head's band allows") {
  const Sizes sizes{.H = 4, .Hk = 1, .Lq = 17, .Lk = 90};
  check_attention(sizes, {.causal = true, .align = CausalAlign::bottom_right});
  check_attention(sizes, {.align = CausalAlign::bottom_right, .window_left = 3, .window_right = 2});
  check_attention({.H = 4, .Hk = 1, .Lq = 90, .Lk = 90}, {.causal = true, .window_left = 3});
}

TEST_CASE("a window open to one side") {
  check_attention({.Lq = 70, .Lk = 150}, {.window_left = 3});
  check_attention({.H = 2, .Lq = 70, .Lk = 150}, {.window_right = 3});
}

TEST_CASE("a window of any width is no wider than the keys") {
  for (const CausalAlign align : {CausalAlign::top_left, CausalAlign::bottom_right})
    for (const auto& [Lq, Lk] : {std::pair<std::int64_t, std::int64_t>{5, 3}, {3, 11}})
      for (const std::int64_t width : {std::int64_t{14}, std::int64_t{1} << 31, INT64_MAX}) {
        check_attention({.Lq = Lq, .Lk = Lk}, {.align = align, .window_left = width});
        check_attention({.Lq = Lq, .Lk = Lk}, {.align = align, .window_right = width});
        check_attention({.Lq = Lq, .Lk = Lk}, {.causal = true, .align = align, .window_left = width, .window_right = width});
      }
}

TEST_CASE("causal from the top left and the bottom right, and windows") {
  for (const CausalAlign align : {CausalAlign::top_left, CausalAlign::bottom_right})
    for (const auto& [Lq, Lk] : {std::pair<std::int64_t, std::int64_t>{20, 20}, {9, 70}, {70, 9}}) {
      check_attention({.H = 2, .Hk = 2, .Lq = Lq, .Lk = Lk}, {.causal = true, .align = align});
      check_attention({.Lq = Lq, .Lk = Lk}, {.align = align, .window_left = 3, .window_right = 2});
      check_attention({.Lq = Lq, .Lk = Lk}, {.causal = true, .align = align, .window_left = 0});
      check_attention({.Lq = Lq, .Lk = Lk}, {.align = align, .window_right = 40});
    }
}

TEST_CASE("boolean and additive masks, however they broadcast") {
  const Sizes sizes{.B = 2, .H = 2, .Hk = 2, .Lq = 6, .Lk = 10};
  for (const Shape& shape : {Shape{2, 2, 6, 10}, Shape{1, 2, 6, 10}, Shape{2, 1, 1, 10}, Shape{6, 10}, Shape{10}, Shape{6, 1}, Shape{}}) {
    check_attention(sizes, {}, random_boolean(shape, 0.7));
    check_attention(sizes, {.causal = true}, additive(shape, 0.2));
  }
}

TEST_CASE("masks a head and a batch under grouped queries") {
  const Sizes sizes{.B = 2, .H = 6, .Hk = 2, .Lq = 5, .Lk = 10};
  for (const Shape& shape : {Shape{2, 6, 5, 10}, Shape{1, 6, 1, 10}, Shape{2, 1, 5, 1}}) {
    check_attention(sizes, {}, random_boolean(shape, 0.7));
    check_attention(sizes, {}, additive(shape, 0.2));
  }
}

TEST_CASE("an additive mask in f32 goes with f16 operands") {
  test::Operand mask = additive({6, 10}, 0.2);
  mask.follows = false;
  check_attention({.Lq = 6, .Lk = 10}, {}, mask);
}

TEST_CASE("scale and soft-cap, alone and with masks") {
  check_attention({}, {.scale = 0.0f});
  check_attention({}, {.scale = -0.7f});
  check_attention({.D = 16}, {.scale = 3.0f, .softcap = 2.0f});
  check_attention({.Lq = 12, .Lk = 12}, {.causal = true, .softcap = 1.5f}, random_boolean({12, 12}, 0.8));
}

TEST_CASE("the weights are a result on request, and sum to one or to zero") {
  check_attention({.B = 2, .H = 4, .Hk = 2, .Lq = 6, .Lk = 9}, {.causal = true, .softcap = 3}, random_boolean({9}, 0.5), true);
  check_attention({.Lq = 4, .Lk = 5}, {}, additive({4, 5}, 0.3), true);
}

TEST_CASE("a fully masked row yields zeros, not NaN, and the log-sum-exp of nothing") {
  const double no = -HUGE_VAL;
  check_attention({.Lq = 2, .Lk = 3}, {}, values({2, 3}, {0, 0, 0, 1, 0, 1}, DType::boolean));
  check_attention({.Lq = 2, .Lk = 3}, {}, values({2, 3}, {no, no, no, 0, no, 1}));
  check_attention({.Lq = 6, .Lk = 2}, {.causal = true, .align = CausalAlign::bottom_right});
}

TEST_CASE("a large finite mask on every key of a row changes nothing") {
  auto inputs = operands({.Lq = 3, .Lk = 5});
  inputs.push_back(values({3, 1}, {-10000, 0, 10000}));
  inputs.back().follows = false;
  CheckOptions options;
  options.extra_ulps = 20000;  // a score near 1e4 keeps 24 - 13 bits behind the point
  options.f16 = false;
  check("attention", inputs,
        [](Graph&, const std::vector<Tensor>& in) { return std::vector<Tensor>{attention(in[0], in[1], in[2], {.mask = in[3]})}; },
        [](const auto& in) {
          auto three = in;
          three.pop_back();
          auto all = naive_attention(three, {}, false);
          all.resize(1);
          return all;
        },
        options);
}

// ---- NaN and infinity ---------------------------------------------------------------------------------------------

namespace {

const double not_a_number = std::nan(""), infinity = HUGE_VAL;

struct Element {
  std::size_t operand;  // q, k, v
  std::int64_t row, column;
  double value;
};
std::vector<test::Operand> operands_with(const Sizes& sizes, const std::vector<Element>& elements) {
  auto inputs = operands(sizes);
  for (const Element& element : elements) inputs[element.operand].array.at({0, 0, element.row, element.column}) = element.value;
  return inputs;
}

}  // namespace

TEST_CASE("NaN in a row of q stays in that row, and is its log-sum-exp") {
  check_inputs(operands_with({.Lq = 3, .Lk = 5}, {{0, 1, 2, not_a_number}}), {});
  check_inputs(operands_with({.Lq = 3, .Lk = 5}, {{0, 1, 2, not_a_number}}), {.causal = true});
}

TEST_CASE("NaN and infinity in the values reach the columns they stand in") {
  for (const std::int64_t Lk : {1, 11, 64, 65})
    check_inputs(operands_with({.Lq = 3, .Lk = Lk, .Dv = 6}, {{2, Lk - 1, 0, infinity}, {2, Lk - 1, 1, not_a_number}, {2, 0, 2, -infinity},
                                                              {2, 0, 3, infinity}, {2, Lk - 1, 3, -infinity}}), {});
}

TEST_CASE("NaN in one head's keys and values stays out of the head before it") {
  for (const std::int64_t Lk : {1, 11, 65}) {
    auto inputs = operands({.H = 2, .Hk = 2, .Lq = 3, .Lk = Lk});
    inputs[1].array.at({0, 1, 0, 0}) = inputs[2].array.at({0, 1, 0, 1}) = not_a_number;
    check_inputs(inputs, {});
  }
}

TEST_CASE("a key that causal, a window or a mask excludes contributes nothing, whatever it holds") {
  const std::vector<Element> bad_values{{2, 4, 0, not_a_number}, {2, 4, 1, infinity}, {2, 4, 2, -infinity}, {2, 2, 1, -infinity}, {2, 9, 3, infinity}};
  std::vector<Element> bad = bad_values;
  bad.insert(bad.end(), {{1, 4, 0, not_a_number}, {1, 2, 1, infinity}});
  for (const Sizes& sizes : {Sizes{.Lq = 12, .Lk = 11}, Sizes{.H = 3, .Lq = 33, .Lk = 70, .D = 6, .Dv = 5}}) {
    const Shape scores{sizes.Lq, sizes.Lk};
    check_inputs(operands_with(sizes, bad), {.causal = true});
    check_inputs(operands_with(sizes, bad), {.window_left = 1, .window_right = 3});
    check_inputs(operands_with(sizes, bad), {}, random_boolean(scores, 0.6));
    check_inputs(operands_with(sizes, bad), {.causal = true}, random_boolean({1, sizes.Lk}, 0.6), true);
    check_inputs(operands_with(sizes, bad_values), {}, additive(scores, 0.4));
  }
  // In a later block of keys, and past the first 32 elements of a value.
  const std::vector<Element> late{{2, 40, 1, infinity}, {2, 40, 36, not_a_number}, {2, 69, 38, -infinity}};
  check_inputs(operands_with({.Lq = 70, .Lk = 70, .Dv = 40}, late), {.causal = true});
}

TEST_CASE("a score of +inf makes its row NaN, in the log-sum-exp too; +inf and NaN outdo an additive -inf") {
  check_inputs(operands({.Lq = 3, .Lk = 3}), {}, values({3, 3}, {0, infinity, 0, 0, 0, 0, -infinity, 0, infinity}));
  check_inputs(operands_with({.Lq = 5, .Lk = 70}, {{1, 2, 1, infinity}}), {});
  check_inputs(operands_with({.Lq = 2, .Lk = 4}, {{1, 3, 1, not_a_number}}), {}, values({2, 4}, {0, 0, 0, -infinity, 0, 0, 0, 0}));
}

TEST_CASE("65,536 keys are summed whole") { check_attention({.Lq = 2, .Lk = 65536 + 3, .D = 4, .Dv = 4}); }

TEST_CASE("what does not fit is named") {
  const auto refused = [](Shape q, Shape k, Shape v, const AttentionDesc& desc, std::vector<std::string> texts) {
    check_error([&](Graph& graph) { attention(graph.input("q", q), graph.input("k", k), graph.input("v", v), desc); }, texts);
  };
  refused({8, 5, 4}, {1, 8, 5, 4}, {1, 8, 5, 4}, {}, {"attention: q has shape [8,5,4], not [B,H,Lq,D]"});
  refused({1, 8, 5, 4}, {1, 3, 5, 4}, {1, 3, 5, 4}, {}, {"k has 3 heads (axis 1), which does not divide q's 8", "(attention.cpp:"});
  refused({1, 8, 5, 4}, {1, 8, 5, 4}, {1, 4, 5, 4}, {}, {"v has 4 heads (axis 1) and k has 8"});
  refused({1, 8, 5, 4}, {2, 8, 5, 4}, {1, 8, 5, 4}, {}, {"k has batch 2 (axis 0) and q has 1"});
  refused({1, 8, 5, 4}, {1, 8, 6, 4}, {1, 8, 5, 4}, {}, {"v has 5 keys (axis 2) and k has 6"});
  refused({1, 8, 5, 4}, {1, 8, 5, 3}, {1, 8, 5, 4}, {}, {"k has head size 3 (axis 3) and q has 4"});
  refused({1, 1, 5, 4}, {1, 1, 5, 4}, {1, 1, 5, 4}, {.window_left = -2}, {"window_left is -2"});
  refused({1, 1, 5, 4}, {1, 1, 5, 4}, {1, 1, 5, 4}, {.window_right = -7}, {"window_right is -7"});
  refused({1, 1, 5, 4}, {1, 1, 5, 4}, {1, 1, 5, 4}, {.softcap = -1}, {"softcap is -1"});
  refused({1, 1, 5, 4}, {1, 1, 5, 4}, {1, 1, 5, 4}, {.softcap = HUGE_VALF}, {"softcap is inf"});
  refused({1, 1, 5, 4}, {1, 1, 5, 4}, {1, 1, 5, 4}, {.softcap = std::nanf("")}, {"softcap is nan"});
  refused({1, 1, 5, 4}, {1, 1, 5, 4}, {1, 1, 5, 4}, {.scale = -HUGE_VALF}, {"scale is -inf, not a finite number"});
  refused({1, 1, 5, 4}, {1, 1, 5, 4}, {1, 1, 5, 4}, {.scale = std::nanf("")}, {"scale is nan"});
  check_error([](Graph& graph) {
    const Tensor x = graph.input("x", {1, 2, 5, 4});
    attention(x, x, x, {.mask = graph.input("m", {3, 5}, DType::boolean)});
  }, {"mask [3,5] does not broadcast to [B,H,Lq,Lk] = [1,2,5,5]"});
  check_error([](Graph& graph) {
    const Tensor x = graph.input("x", {1, 2, 5, 4});
    attention(x, x, x, {.mask = graph.input("m", {5, 5}, DType::i32)});
  }, {"the mask is i32"});
  check_error([](Graph& graph) { attention(graph.input("q", {1, 1, 2, 2}, DType::i32), graph.input("k", {1, 1, 2, 2}), graph.input("v", {1, 1, 2, 2})); },
              {"q is i32, not f32, f16 or bf16"});
  check_error([](Graph& graph) { attention(graph.input("q", {1, 1, 2, 2}), graph.input("k", {1, 1, 2, 2}, DType::f16), graph.input("v", {1, 1, 2, 2})); },
              {"k is f16 and q is f32"});
  check_error([](Graph& graph) { attention(graph.input("q", {1, 1, 2, 2}), Tensor(), graph.input("v", {1, 1, 2, 2})); }, {"attention: k is absent"});
}
