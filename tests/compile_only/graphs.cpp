// Graphs of the sizes that models have, which would take long to run and longer to check: fovea-pipelines makes their
// pipelines beside those of tests/ops and tests/nn.

#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"

#include <array>

namespace fovea::test {
namespace {

// Never called: nothing runs.
constexpr auto no_reference = [](const auto& in) { return in; };

// Operand data is never read.
Operand zeros(Shape shape, DType dtype = DType::f32) { return {Array<double>(shape), dtype, dtype == DType::f32}; }

// Forward with each kernel of `op`, and the gradient with each of `backward`, where that is an operator.
void make(const char* op, const std::vector<Operand>& in, const std::function<Tensor(const std::vector<Tensor>&)>& build,
          const char* backward = "") {
  const Build graph = [&](Graph&, const std::vector<Tensor>& tensors) { return std::vector{build(tensors)}; };
  check(op, in, graph, no_reference);
  check_gradient(in, graph, no_reference, {.f16 = true, .kernels_of = backward});
}

}  // namespace

TEST_CASE("attention: heads of 64 to 256, few and many queries, every kind of mask") {
  for (const std::int64_t D : {64, 128, 256})
    for (const std::int64_t Lq : {1, 130}) {
      const std::vector<Operand> qkv{zeros({1, 4, Lq, D}), zeros({1, 2, 200, D}), zeros({1, 2, 200, D})};
      const auto plain = [&](AttentionDesc desc) {
        make("attention", qkv, [=](const std::vector<Tensor>& t) { return attention(t[0], t[1], t[2], desc); }, "attention_backward");
      };
      plain({});
      if (Lq > 1) plain({.causal = true, .softcap = 30});
      for (const DType dtype : {DType::f32, DType::boolean}) {
        std::vector<Operand> masked = qkv;
        masked.push_back(zeros({1, 1, Lq, 200}, dtype));
        make("attention", masked, [](const std::vector<Tensor>& t) { return attention(t[0], t[1], t[2], {.mask = t[3]}); }, "attention_backward");
      }
    }
}

TEST_CASE("attention: neighbourhoods of heads of 64 and 128, with a bias and without") {
  for (const std::int64_t D : {64, 128}) {
    const Neighbourhood window{.queries = {24, 32}, .radius = {3, 3}};
    const std::vector<Operand> qkv{zeros({1, 4, 768, D}), zeros({1, 2, 768, D}), zeros({1, 2, 768, D}), zeros({4, 7, 7})};
    make("attention", {qkv.begin(), qkv.end() - 1}, [&](const std::vector<Tensor>& t) { return attention(t[0], t[1], t[2], {.neighbourhood = window}); }, "attention_backward");
    make("attention", qkv, [&](const std::vector<Tensor>& t) {
      Neighbourhood biased = window;
      biased.bias = t[3];
      return attention(t[0], t[1], t[2], {.neighbourhood = biased});
    }, "attention_backward");
  }
}

TEST_CASE("matmul: square, tall, wide, a vector, with bias and activation") {
  for (const auto& [M, N, K] : {std::array<std::int64_t, 3>{512, 512, 512}, {4096, 64, 64}, {16, 1024, 1024}, {1, 1024, 1024}, {64, 64, 8192}}) {
    make("matmul", {zeros({M, K}), zeros({K, N})}, [](const std::vector<Tensor>& t) { return matmul(t[0], t[1]); });
    make("matmul", {zeros({M, K}), zeros({N, K}), zeros({N})},
         [](const std::vector<Tensor>& t) { return unary(Unary::gelu, matmul(t[0], t[1], {.transpose_b = true}) + t[2]); });
  }
}

TEST_CASE("conv2d: the layers of a residual network") {
  struct Layer {
    std::int64_t C, O, size, kernel, stride, groups;
  };
  for (const Layer& l : {Layer{3, 64, 64, 7, 2, 1}, {64, 64, 56, 3, 1, 1}, {64, 128, 56, 3, 2, 1}, {64, 256, 56, 1, 1, 1}, {96, 96, 28, 3, 1, 96}, {256, 2, 14, 7, 1, 1}})
    make("conv2d", {zeros({1, l.C, l.size, l.size}), zeros({l.O, l.C / l.groups, l.kernel, l.kernel}), zeros({l.O})}, [&](const std::vector<Tensor>& t) {
      const std::int64_t pad = l.kernel / 2;
      return unary(Unary::relu, conv2d(t[0], t[1], {.stride = {l.stride, l.stride}, .padding = {pad, pad, pad, pad}, .groups = l.groups, .bias = t[2]}));
    });
}

TEST_CASE("rows of thousands: softmax, reductions, sorting, running sums") {
  const std::vector<Operand> rows{zeros({64, 4096})};
  make("softmax", rows, [](const std::vector<Tensor>& t) { return softmax(t[0]); });
  for (const Reduce op : {Reduce::sum, Reduce::max, Reduce::logsumexp, Reduce::variance})
    for (const std::int64_t axis : {0, 1})
      make("reduce", rows, [=](const std::vector<Tensor>& t) { return reduce(op, t[0], {.axes = {axis}}); });
  make("cumulative_sum", rows, [](const std::vector<Tensor>& t) { return cumulative_sum(t[0], {.axis = 1}); });
}

}  // namespace fovea::test
