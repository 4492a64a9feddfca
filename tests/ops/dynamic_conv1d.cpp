#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

// Taps outside the sequence take no part.
template <class T>
Array<T> naive(const Array<T>& x, const Array<T>& w, std::int64_t offset) {
  const std::int64_t H = w.dim(-2), k = w.dim(-1), C = x.dim(2);
  Array<T> y{x.shape};
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const auto at = unflatten(i, x.shape);
    for (std::int64_t j = 0; j < k; ++j) {
      const std::int64_t s = at[1] + j - offset;
      if (s < 0 || s >= x.dim(1)) continue;
      y[i] += w[broadcast_offset({at[0], at[1], at[2] / (C / H), j}, w.shape)] * x.at({at[0], s, at[2]});
    }
  }
  return y;
}

void check_conv(const Operand& x, const Operand& w, std::optional<std::int64_t> offset = {}, CheckOptions options = {.gradient = true}) {
  INFO(to_string(x.array.shape), ' ', to_string(w.array.shape), ' ', offset.value_or(-1));
  check("dynamic_conv1d", {x, w},
        [&](Graph&, const std::vector<Tensor>& in) { return std::vector{dynamic_conv1d(in[0], in[1], {offset})}; },
        [&](const auto& in) { return std::vector{naive(in[0], in[1], offset.value_or(in[1].dim(-1) / 2))}; }, options);
}
void check_conv(const Shape& x, const Shape& w, std::optional<std::int64_t> offset = {}, CheckOptions options = {.gradient = true}) {
  check_conv(random(x), random(w, -1, 1, 2), offset, options);
}

}  // namespace

TEST_CASE("weights a head, a position, a sample, and what broadcasts between") {
  for (const Shape& w : {Shape{2, 3}, {7, 2, 3}, {1, 2, 3}, {3, 7, 2, 3}, {1, 7, 2, 3}, {3, 1, 2, 3}, {1, 1, 2, 3}})
    check_conv({3, 7, 8}, w, {}, {.f16 = w.rank() == 4, .gradient = true});
}

TEST_CASE("about the position, causal, and between; more taps than positions") {
  for (std::int64_t offset : {0, 1, 4}) check_conv({2, 9, 6}, {2, 9, 3, 5}, offset);
  check_conv({2, 5, 4}, {2, 5, 2, 4});       // even
  check_conv({1, 3, 4}, {1, 11});            // windows reach over both ends
  check_conv({2, 3, 4}, {2, 3, 1, 7}, 6);
  check_conv({2, 6, 3}, {3, 1});             // one tap
}

TEST_CASE("channels of a head around loads of four, a head a channel, one head, and positions around blocks") {
  for (std::int64_t C : {1, 3, 4, 5, 12}) check_conv({1, 6, C}, {1, 6, 1, 3}, {}, {.f16 = C > 4, .gradient = true});
  for (std::int64_t H : {1, 2, 3, 6, 12}) check_conv({2, 5, 12}, {H, 3}, {}, {.f16 = H == 3, .gradient = true});
  for (std::int64_t T : {1, 4, 5, 64, 65, 130}) check_conv({1, T, 8}, {2, 3}, {}, {.f16 = false, .gradient = true});
}

TEST_CASE("wide enough for several groups") {
  check_conv({2, 70, 32}, {2, 70, 4, 31}, {}, {.f16 = false, .gradient = true});
  check_conv({2, 70, 32}, {32, 15}, 14, {.f16 = false, .gradient = true});
}

TEST_CASE("nothing to convolve") {
  for (const Shape& x : {Shape{0, 4, 6}, {2, 0, 6}, {2, 4, 0}}) check_conv(x, {3, 5}, {}, {.f16 = false, .gradient = true});
  check_conv({0, 4, 6}, {0, 4, 3, 5});
}

TEST_CASE("NaN and infinity reach the positions that see them, and no others") {
  Operand x = random({1, 12, 8});
  x.array[2 * 8 + 1] = std::numeric_limits<double>::quiet_NaN();
  x.array[8 * 8 + 5] = std::numeric_limits<double>::infinity();
  check_conv(x, random({1, 12, 2, 3}, 0.5, 1, 2), {}, {});
}

// The weights' gradient is derived from its decomposition, and the adjoint's from the operator itself.
TEST_CASE("gradients have gradients") {
  const auto build = [](Graph& graph, const std::vector<Tensor>& in) {
    const Tensor y = dynamic_conv1d(in[0], in[1]);
    const auto d = grad(reduce(Reduce::sum, y * y), {in[0], in[1]});
    static_cast<void>(graph);
    return std::vector{d[0], d[1]};
  };
  const auto reference = [](const auto& in) {
    const auto &x = in[0], &w = in[1];
    auto y = naive(x, w, 1);
    auto dx = x, dw = w;
    std::fill(dx.values.begin(), dx.values.end(), 0);
    std::fill(dw.values.begin(), dw.values.end(), 0);
    for (std::int64_t i = 0; i < y.size(); ++i) {
      const auto at = unflatten(i, x.shape);
      for (std::int64_t j = 0; j < 3; ++j) {
        const std::int64_t s = at[1] + j - 1, weight = broadcast_offset({at[0], at[1], at[2] / 2, j}, w.shape);
        if (s < 0 || s >= x.dim(1)) continue;
        dx.at({at[0], s, at[2]}) += 2 * y[i] * w[weight];
        dw[weight] += 2 * y[i] * x.at({at[0], s, at[2]});
      }
    }
    return std::vector{dx, dw};
  };
  for (const Shape& w : {Shape{2, 5, 2, 3}, {2, 3}}) check_gradient({random({2, 5, 4}), random(w, -1, 1, 2)}, build, reference);
}

TEST_CASE("each kernel of the weights' gradient, with one for all samples and spans of positions") {
  const Reference<double> reference = [](const std::vector<Array<double>>& in) { return std::vector{naive(in[0], in[1], 2)}; };
  const auto build = [](Graph&, const std::vector<Tensor>& in) { return std::vector{dynamic_conv1d(in[0], in[1])}; };
  for (const Shape& w : {Shape{2, 5}, {67, 2, 5}, {2, 67, 2, 5}, {2, 1, 2, 5}})
    check_gradient({random({2, 67, 8}), random(w, -1, 1, 2)}, build, reference, {.f16 = true, .kernels_of = "dynamic_conv1d_weights"});
}

// Lightweight convolution with renorm_padding: taps outside the sequence have no share of the softmax.
TEST_CASE("dynamic_conv1d_mask says which taps are inside") {
  for (const std::int64_t offset : {0, 2, 4})
    check("softmax", {random({3, 6, 8}), random({2, 5}, -1, 1, 2)},
          [&](Graph&, const std::vector<Tensor>& in) {
            const Tensor mask = dynamic_conv1d_mask(in[0], 6, 5, {offset});
            return std::vector{dynamic_conv1d(in[0], softmax(broadcast_to(in[1], {6, 2, 5}), {.mask = mask}), {offset})};
          },
          [&](const auto& in) {
            auto w = in[0];
            w = {Shape{6, 2, 5}, std::vector(60, in[0][0])};
            for (std::int64_t t = 0; t < 6; ++t)
              for (std::int64_t h = 0; h < 2; ++h) {
                auto sum = in[0][0] - in[0][0];
                for (std::int64_t j = 0; j < 5; ++j) {
                  const bool inside = t + j - offset >= 0 && t + j - offset < 6;
                  sum += w.at({t, h, j}) = inside ? std::exp(in[1].at({h, j})) : 0;
                }
                for (std::int64_t j = 0; j < 5; ++j) w.at({t, h, j}) /= sum;
              }
            return std::vector{naive(in[0], w, offset)};
          },
          {.f16 = false, .extra_ulps = 16, .gradient = true});  // exp and division
}

TEST_CASE("dynamic_conv1d names what is wrong") {
  const auto with = [](Shape x, Shape w, DynamicConvDesc desc = {}, DType x_type = DType::f32, DType w_type = DType::f32) {
    return [=](Graph& graph) { dynamic_conv1d(graph.input("x", x, x_type), graph.input("w", w, w_type), desc); };
  };
  check_error(with({2, 3}, {2, 3}), {"dynamic_conv1d", "[2,3]", "[B,T,C]", "dynamic_conv1d.cpp"});
  check_error(with({2, 3, 4}, {3}), {"weight [3]", "[B,T,H,k]"});
  check_error(with({2, 3, 4}, {1, 2, 3, 2, 3}), {"weight [1,2,3,2,3]"});
  check_error(with({2, 3, 4}, {3, 3}), {"3 heads", "4 channels"});
  check_error(with({2, 3, 4}, {0, 3}), {"0 heads"});
  check_error(with({2, 3, 4}, {2, 0}), {"[2,0]", "no taps"});
  check_error(with({2, 3, 4}, {4, 2, 3}), {"axis 0", "[4,2,3]", "is 4", "has 3"});
  check_error(with({2, 3, 4}, {5, 3, 2, 3}), {"axis 0", "is 5", "has 2"});
  check_error(with({2, 3, 4}, {2, 2, 2, 3}), {"axis 1", "is 2", "has 3"});
  check_error(with({2, 3, 4}, {2, 3}, {3}), {"offset 3", "[0, 3)"});
  check_error(with({2, 3, 4}, {2, 3}, {-1}), {"offset -1"});
  check_error(with({2, 3, 4}, {2, 3}, {}, DType::i32), {"x is i32"});
  check_error(with({2, 3, 4}, {2, 3}, {}, DType::f32, DType::f16), {"weight is f16", "x is f32"});
  check_error([](Graph& graph) { dynamic_conv1d(graph.input("x", {2, 3, 4}), {}); }, {"dynamic_conv1d", "weight", "absent"});
  const auto mask = [](std::int64_t T, std::int64_t k, DynamicConvDesc desc) {
    return [=](Graph& graph) { dynamic_conv1d_mask(graph.input("x", {1}), T, k, desc); };
  };
  check_error(mask(-1, 3, {}), {"dynamic_conv1d_mask", "-1 positions"});
  check_error(mask(4, 0, {}), {"dynamic_conv1d_mask", "0 taps"});
  check_error(mask(4, 3, {3}), {"dynamic_conv1d_mask", "offset 3", "[0, 3)"});
}

}  // namespace fovea::test
