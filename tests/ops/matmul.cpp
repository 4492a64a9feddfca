#include "tests/support/activation.hpp"
#include "tests/support/check.hpp"

#include <limits>
#include <string>

namespace fovea::test {
namespace {

struct Flags {
  bool transpose_a = false, transpose_b = false;
  Activation activation = Activation::none;
  float alpha = 1, beta = 1;
};

// The definition, element by element: y[..., m, n] = activation(alpha * sum over k of a[..., m, k] b[..., k, n] + beta * bias).
template <class T>
Array<T> reference(const std::vector<Array<T>>& in, const Flags& flags, const Shape& out) {
  const Array<T>&a = in[0], &b = in[1];
  const bool row = a.shape.rank() == 1, column = b.shape.rank() == 1;
  const std::int64_t K = row ? a.dim(0) : a.dim(flags.transpose_a ? -2 : -1);
  Array<T> y(out);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    std::vector<std::int64_t> index = unflatten(i, out);
    const std::int64_t n = column ? 0 : index.back();
    if (!column) index.pop_back();
    const std::int64_t m = row ? 0 : index.back();
    if (!row) index.pop_back();
    // Positions in an operand [..., rows, columns] that broadcasts over `index`.
    const auto at = [&](const Array<T>& x, std::int64_t r, std::int64_t c, bool transposed) {
      if (x.shape.rank() == 1) return x[r + c];
      std::vector<std::int64_t> place = index;
      place.push_back(transposed ? c : r);
      place.push_back(transposed ? r : c);
      std::vector<std::int64_t> own(place.end() - x.shape.rank(), place.end());
      std::int64_t offset = 0;
      for (int axis = 0; axis < x.shape.rank(); ++axis) {
        const bool batch = axis < x.shape.rank() - 2;
        offset = offset * x.shape[axis] + (batch && x.shape[axis] == 1 ? 0 : own[static_cast<std::size_t>(axis)]);
      }
      return x[offset];
    };
    T sum = 0;
    for (std::int64_t k = 0; k < K; ++k) sum += at(a, m, k, flags.transpose_a) * at(b, k, n, flags.transpose_b);
    T value = static_cast<T>(flags.alpha) * sum;
    if (in.size() > 2) value += static_cast<T>(flags.beta) * in[2][broadcast_offset(unflatten(i, out), in[2].shape)];
    y[i] = activated(flags.activation, value);
  }
  return y;
}

void check_matmul(const std::vector<Operand>& in, const Shape& out, const Flags& flags = {}, bool f16 = true, bool gradient = false) {
  INFO(to_string(in[0].array.shape), flags.transpose_a ? "ᵀ x " : " x ", to_string(in[1].array.shape),
       flags.transpose_b ? "ᵀ -> " : " -> ", to_string(out), " ", std::string(to_string(flags.activation)));
  // An activation adds an exponential (3 + 2|x| ulp) and a division (2.5 ulp).
  const double extra = flags.activation == Activation::none ? 4 : 16;
  check(
      "matmul", in,
      [&](Graph&, const auto& x) {
        const MatmulDesc desc{flags.transpose_a, flags.transpose_b, x.size() > 2 ? x[2] : Tensor(), flags.activation, flags.alpha, flags.beta};
        return std::vector{matmul(x[0], x[1], desc)};
      },
      [&](const auto& x) { return std::vector{reference(x, flags, out)}; }, {.f16 = f16, .extra_ulps = extra, .gradient = gradient});
}

void check_sizes(std::int64_t M, std::int64_t N, std::int64_t K, bool ta = false, bool tb = false, bool f16 = true) {
  check_matmul({random(ta ? Shape{K, M} : Shape{M, K}, -1, 1, 1), random(tb ? Shape{N, K} : Shape{K, N}, -1, 1, 2)}, {M, N},
               {.transpose_a = ta, .transpose_b = tb}, f16);
}

}  // namespace

TEST_CASE("matmul: every layout, with fast axes that are and are not multiples of four, lanes along either side") {
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      check_sizes(9, 6, 7, ta, tb);
      check_sizes(12, 8, 8, ta, tb);
      check_sizes(8, 12, 10, ta, tb);
    }
}

TEST_CASE("matmul: gradients of every layout, of vectors, of operands that broadcast, of bias and activation") {
  for (bool ta : {false, true})
    for (bool tb : {false, true}) {
      const Flags flags{.transpose_a = ta, .transpose_b = tb, .alpha = 0.5f};
      check_matmul({random(ta ? Shape{5, 3} : Shape{3, 5}), random(tb ? Shape{4, 5} : Shape{5, 4}, -1, 1, 2)}, {3, 4}, flags, true, true);
      check_matmul({random(ta ? Shape{2, 5, 3} : Shape{2, 3, 5}), random(tb ? Shape{4, 5} : Shape{5, 4}, -1, 1, 2)}, {2, 3, 4}, flags, false, true);
      check_matmul({random(ta ? Shape{2, 1, 5, 3} : Shape{2, 1, 3, 5}), random(tb ? Shape{3, 4, 5} : Shape{3, 5, 4}, -1, 1, 2)}, {2, 3, 3, 4}, flags, false, true);
    }
  check_matmul({random({5}), random({5, 4}, -1, 1, 2)}, {4}, {}, false, true);
  check_matmul({random({3, 5}), random({5}, -1, 1, 2)}, {3}, {}, false, true);
  check_matmul({random({5}), random({5}, -1, 1, 2)}, {}, {}, false, true);
  check_matmul({random({2, 3, 5}), random({5}, -1, 1, 2)}, {2, 3}, {}, false, true);
  for (Activation activation : {Activation::relu, Activation::sigmoid, Activation::tanh, Activation::gelu, Activation::gelu_tanh, Activation::silu})
    check_matmul({random({3, 5}), random({5, 4}, -1, 1, 2), random({4}, -1, 1, 3)}, {3, 4}, {.activation = activation}, activation == Activation::gelu, true);
}

TEST_CASE("matmul: sizes 0 and 1 on each axis; an empty sum is zero") {
  for (std::int64_t M : {0, 1, 3})
    for (std::int64_t N : {0, 1, 5}) check_sizes(M, N, 0);
  check_sizes(0, 3, 4);
  check_sizes(3, 0, 4);
  check_sizes(1, 1, 1);
  check_sizes(1, 5, 7);
  check_sizes(5, 1, 7);
  check_sizes(5, 7, 1, true, true);
  check_sizes(1, 9, 8, true, false);
  check_sizes(9, 1, 8, false, true);
  check_matmul({random({2, 0}), random({0, 3}), random({3})}, {2, 3}, {.activation = Activation::relu, .alpha = 2});
}

TEST_CASE("matmul: sizes past one workgroup on every axis") {
  check_sizes(130, 75, 40);
  check_sizes(75, 130, 33, false, true, false);
}

TEST_CASE("matmul: leading axes broadcast") {
  const auto checked = [](Shape a, Shape b, Shape out) { check_matmul({random(a, -1, 1, 3), random(b, -1, 1, 4)}, out); };
  checked({4, 3, 8}, {8, 6}, {4, 3, 6});        // batches merge into rows
  checked({3, 8}, {4, 8, 6}, {4, 3, 6});
  checked({4, 1, 8}, {8, 6}, {4, 1, 6});        // batches become rows
  checked({4, 1, 8}, {4, 8, 6}, {4, 1, 6});
  checked({2, 1, 3, 8}, {3, 8, 5}, {2, 3, 3, 5});
  checked({2, 1, 3, 8}, {1, 3, 8, 5}, {2, 3, 3, 5});
  checked({2, 3, 1, 4, 5}, {3, 2, 5, 3}, {2, 3, 2, 4, 3});
  checked({2, 1, 3, 1, 2, 1, 2, 4}, {1, 2, 1, 2, 1, 2, 4, 3}, {2, 2, 3, 2, 2, 2, 2, 3});  // six axes that do not merge
  checked({0, 3, 8}, {8, 6}, {0, 3, 6});
  checked({0, 3, 8}, {1, 8, 6}, {0, 3, 6});
}

TEST_CASE("matmul: transposed operands in batches") {
  check_matmul({random({3, 8, 5}), random({3, 6, 8})}, {3, 5, 6}, {.transpose_a = true, .transpose_b = true});
  check_matmul({random({3, 8, 1}), random({8, 6})}, {3, 1, 6}, {.transpose_a = true});  // a column is a row
  check_matmul({random({3, 8, 4}), random({8, 6})}, {3, 4, 6}, {.transpose_a = true});
  check_matmul({random({3, 1, 4}), random({1, 6})}, {3, 4, 6}, {.transpose_a = true});
}

TEST_CASE("matmul: a rank-1 operand is a row or a column, and its axis is dropped") {
  const auto checked = [](Shape a, Shape b, Shape out) { check_matmul({random(a, -1, 1, 5), random(b, -1, 1, 6)}, out); };
  checked({7}, {7}, {});
  checked({7}, {7, 3}, {3});
  checked({4, 7}, {7}, {4});
  checked({2, 4, 8}, {8}, {2, 4});
  checked({8}, {2, 8, 3}, {2, 3});
  check_matmul({random({8}), random({2, 3, 8})}, {2, 3}, {.transpose_b = true});
  check_matmul({random({2, 8, 3}), random({8}), random({3})}, {2, 3}, {.transpose_a = true});
  check_matmul({random({8}), random({2, 8, 3}), random({2, 1})}, {2, 3});
  check_matmul({random({2, 4, 8}), random({8}), random({4})}, {2, 4}, {.activation = Activation::tanh});
}

TEST_CASE("matmul: the bias is any shape that broadcasts to the result") {
  const Operand a = random({2, 5, 8}, -1, 1, 7), b = random({2, 8, 6}, -1, 1, 8), shared = random({8, 6}, -1, 1, 9);
  for (const Shape& bias : {Shape{}, Shape{1}, Shape{6}, Shape{5, 1}, Shape{5, 6}, Shape{1, 6}, Shape{2, 1, 1}, Shape{2, 1, 6},
                            Shape{2, 5, 1}, Shape{2, 5, 6}, Shape{1, 5, 6}}) {
    check_matmul({a, b, random(bias, -1, 1, 10)}, {2, 5, 6});
    check_matmul({a, shared, random(bias, -1, 1, 11)}, {2, 5, 6}, {.alpha = -0.5f});
  }
}

TEST_CASE("matmul: beta scales a bias of any shape, and nothing where there is none") {
  const Operand a = random({2, 5, 7}), b = random({7, 6}, -1, 1, 2);
  for (const Shape& bias : {Shape{2, 5, 6}, Shape{6}, Shape{5, 1}, Shape{}})
    for (const float beta : {-0.5f, 0.0f})
      check_matmul({a, b, random(bias, -1, 1, 3)}, {2, 5, 6}, {.alpha = 2, .beta = beta});
  check_matmul({random({2, 3}), random({3, 2}, -1, 1, 2), random({2}, -1, 1, 3)}, {2, 2}, {.activation = Activation::tanh, .beta = 3}, true, true);
  check_matmul({random({2, 300}), random({300, 3}, -1, 1, 2), random({2, 3}, -1, 1, 3)}, {2, 3}, {.beta = -2});  // K split
  check_matmul({a, b}, {2, 5, 6}, {.beta = 4});
}

TEST_CASE("matmul: what is fused behind a product that has a beta and no bias is not scaled by it") {
  check("matmul", {random({3, 4}), random({4, 5}, -1, 1, 2), random({5}, -1, 1, 3)},
        [](Graph&, const auto& x) { return std::vector{matmul(x[0], x[1], {.beta = 4}) + x[2]}; },
        [](const auto& x) { return std::vector{reference(x, {}, {3, 5})}; });
}

TEST_CASE("matmul: every activation after alpha and bias") {
  for (Activation activation : all_activations)
    check_matmul({random({6, 8}, -2, 2, 12), random({8, 4}, -2, 2, 13), random({4}, -1, 1, 14)}, {6, 4},
                 {.activation = activation, .alpha = 0.75f}, activation == Activation::gelu);
}

TEST_CASE("matmul: K far past what one invocation may loop over on some drivers") {
  check_matmul({random({2, 70001}, 0, 1, 15), random({70001, 3}, 0, 1, 16), random({3}, -1, 1, 17)}, {2, 3},
               {.activation = Activation::relu, .alpha = 0x1p-10f});
  check_matmul({random({1100000}, 0, 1, 20), random({1100000}, 0, 1, 21)}, {}, {}, false);
}

TEST_CASE("matmul: more batches than a device takes workgroups on one axis") {
  CompileOptions row;
  row.force_kernel = {"matmul=matmul_row"};  // the others fold their workgroups alike and take long
  check("matmul", {random({65537, 1, 2}), random({65537, 2, 1})},
        [](Graph&, const auto& in) { return std::vector{matmul(in[0], in[1])}; },
        [](const auto& in) { return std::vector{reference(in, {}, {65537, 1, 1})}; }, {.f16 = false, .compile = row});
}

TEST_CASE("matmul: NaN and infinity propagate, and only where they belong") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::numeric_limits<double>::quiet_NaN();
  Operand a = random({5, 6}, 0.5, 1, 22), b = random({6, 5}, 0.5, 1, 23);
  a.array.at({1, 2}) = inf, a.array.at({3, 5}) = nan, a.array.at({4, 0}) = -inf, b.array.at({0, 4}) = 0;
  for (Activation activation : {Activation::none, Activation::relu, Activation::sigmoid})
    check_matmul({a, b}, {5, 5}, {.activation = activation});
}

TEST_CASE("matmul: a bias and an activation that follow are taken into the same launch, with the same result") {
  check("matmul", {random({2, 6, 8}), random({8, 5}), random({6, 5})},
        [](Graph&, const auto& in) { return std::vector{unary(Unary::silu, in[2] + matmul(in[0], in[1]))}; },
        [](const auto& in) { return std::vector{reference(in, {.activation = Activation::silu}, {2, 6, 5})}; }, {.extra_ulps = 16});
}

TEST_CASE("matmul refuses what does not fit, with axis and values") {
  const auto refused = [](Shape a, Shape b, Flags flags, std::vector<std::string> texts) {
    check_error([&](Graph& graph) {
      matmul(graph.input("a", a), graph.input("b", b), {.transpose_a = flags.transpose_a, .transpose_b = flags.transpose_b});
    }, texts);
  };
  refused({2, 3}, {4, 5}, {}, {"matmul: K differs: a [2,3] has 3 on axis 1, b [4,5] has 4 on axis 0", "matmul.cpp:"});
  refused({2, 3}, {4, 5}, {.transpose_a = true, .transpose_b = true}, {"has 2 on axis 0", "has 5 on axis 1"});
  refused({3}, {4}, {}, {"K differs: a [3] has 3 on axis 0, b [4] has 4 on axis 0"});
  refused({}, {4}, {}, {"a has rank 0"});
  refused({4}, {}, {}, {"b has rank 0"});
  refused({4}, {4, 5}, {.transpose_a = true}, {"transpose_a needs a matrix, and a is [4]"});
  refused({5, 4}, {4}, {.transpose_b = true}, {"transpose_b needs a matrix, and b is [4]"});
  refused({2, 3, 4}, {3, 4, 5}, {}, {"the leading axes of a [2,3,4] and b [3,4,5] do not broadcast"});

  const auto refused_bias = [](Shape bias, std::vector<std::string> texts) {
    check_error([&](Graph& graph) {
      matmul(graph.input("a", {2, 3}), graph.input("b", {3, 4}), {.bias = graph.input("bias", bias)});
    }, texts);
  };
  refused_bias({2}, {"bias [2] does not broadcast to the result [2,4]"});
  refused_bias({1, 2, 4}, {"bias [1,2,4] does not broadcast to the result [2,4]"});
  check_error([](Graph& graph) { matmul(graph.input("a", {2, 3}, DType::i32), graph.input("b", {3, 4})); },
              {"a is i32, not f32, f16 or bf16"});
  check_error([](Graph& graph) { matmul(graph.input("a", {2, 3}), graph.input("b", {3, 4}, DType::f16)); },
              {"a is f32 and b is f16; cast one of them"});
  check_error([](Graph& graph) {
    matmul(graph.input("a", {2, 3}), graph.input("b", {3, 4}), {.bias = graph.input("bias", {4}, DType::boolean)});
  }, {"the bias is boolean"});
}

TEST_CASE("linear is x·weightᵀ + bias on the last axis") {
  const auto build = [](Graph&, const auto& in) {
    return std::vector{linear(in[0], in[1], in.size() > 2 ? in[2] : Tensor(), Activation::silu)};
  };
  const auto checked = [&](const std::vector<Operand>& in, Shape out) {
    check("matmul", in, build, [&](const auto& x) {
      return std::vector{reference(x, {.transpose_b = true, .activation = Activation::silu}, out)};
    }, {.extra_ulps = 16});
  };
  checked({random({2, 3, 8}), random({5, 8}), random({5})}, {2, 3, 5});
  checked({random({8}), random({5, 8}), random({5})}, {5});
  checked({random({3, 7}), random({5, 7})}, {3, 5});
  checked({random({0, 8}), random({5, 8}), random({5})}, {0, 5});
}

TEST_CASE("linear refuses other weights and biases by its own name") {
  const auto refused = [](Shape x, Shape weight, Shape bias, std::vector<std::string> texts) {
    check_error([&](Graph& graph) {
      linear(graph.input("x", x), graph.input("weight", weight), graph.input("bias", bias));
    }, texts);
  };
  refused({}, {5, 8}, {5}, {"linear: x has rank 0"});
  refused({2, 8}, {8}, {5}, {"linear: the weight is [8], not [N,K]"});
  refused({2, 7}, {5, 8}, {5}, {"linear: x [2,7] has 7 on its last axis, the weight [5,8] has K = 8"});
  refused({2, 8}, {5, 8}, {8}, {"linear: the bias is [8], not [5]"});
  refused({2, 8}, {5, 8}, {5, 1}, {"linear: the bias is [5,1], not [5]"});
}

}  // namespace fovea::test
