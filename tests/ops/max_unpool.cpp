#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"

namespace fovea::test {
namespace {

// Every value goes to the place in its plane that its index names.
template <class T>
Array<T> scattered(const Array<T>& x, const Array<T>& indices, const Shape& output) {
  Array<T> y(output);
  const std::int64_t planes = output[0] * output[1], windows = x.size() / planes, places = output.elements() / planes;
  for (std::int64_t i = 0; i < x.size(); ++i) y[i / windows * places + static_cast<std::int64_t>(indices[i])] += x[i];
  return y;
}

void check_unpool(const Operand& x, std::vector<double> indices, const PoolDesc& window, std::vector<std::int64_t> output) {
  std::vector<std::int64_t> extents{x.array.dim(0), x.array.dim(1)};
  extents.insert(extents.end(), output.begin(), output.end());
  check(
      "separable", {x, values(x.array.shape, std::move(indices), DType::i32)},
      [&](Graph&, const auto& in) { return std::vector{max_unpool(in[0], in[1], window, output)}; },
      [&](const auto& in) { return std::vector{scattered(in[0], in[1], Shape(extents))}; }, {.gradient = true});
}

}  // namespace

TEST_CASE("max_unpool: values return to where they were the maximum") {
  check_unpool(random({1, 2, 2, 2}), {0, 3, 8, 15, 4, 2, 13, 11}, {.kernel = {2, 2}}, {4, 4});
  check_unpool(random({1, 1, 3}), {1, 3, 4}, {.kernel = {2}}, {7});
  // Windows overlap and share element 2: the sum of both.
  check_unpool(random({1, 1, 3}), {2, 2, 5}, {.kernel = {3}, .stride = {2}}, {7});
}

TEST_CASE("max_unpool: the gradient of max pooling is its unpooling, also when differentiated again") {
  // loss = sum w·y², y = max_pool(x): d/dx of sum v·(dloss/dx) is 2·w·v where x is a maximum.
  const Operand x = random({1, 2, 6, 5}, -2, 2), v = random({1, 2, 6, 5}, -1, 1, 7);
  const PoolDesc window{.kernel = {2, 2}, .padding_begin = {0, 1}};
  const auto gradient_times_v = [&](const auto& in) {
    using T = std::decay_t<decltype(in[0][0])>;
    T sum = 0;
    for (std::int64_t plane = 0; plane < 2; ++plane)
      for (std::int64_t oy = 0; oy < 3; ++oy)
        for (std::int64_t ox = 0; ox < 3; ++ox) {
          std::int64_t best = -1;
          for (std::int64_t k = 0; k < 4; ++k) {
            const std::int64_t at_y = 2 * oy + k / 2, at_x = 2 * ox - 1 + k % 2, at = (plane * 6 + at_y) * 5 + at_x;
            if (at_x >= 0 && at_x < 5 && (best < 0 || in[0][at] > in[0][best])) best = at;
          }
          sum += 2 * in[0][best] * in[1][best];
        }
    return std::vector{std::decay_t<decltype(in[0])>(Shape{}, {sum})};
  };
  const auto build = [&](Graph&, const std::vector<Tensor>& in) {
    const Tensor y = pool(Pool::max, in[0], window);
    return std::vector{reduce(Reduce::sum, grad(reduce(Reduce::sum, y * y), {in[0]})[0] * in[1])};
  };
  check_gradient({x, v}, build, gradient_times_v);
}

TEST_CASE("max_unpool: errors name what does not fit") {
  const auto with = [](Shape x, Shape indices, PoolDesc window, std::vector<std::int64_t> output, DType type = DType::i32) {
    return [=](Graph& graph) { max_unpool(graph.input("x", x), graph.input("indices", indices, type), window, output); };
  };
  check_error(with({1, 1, 2}, {1, 1, 2}, {.kernel = {2, 2}}, {4, 4}), {"max_unpool", "[1,1,2] is not [N,C] and 2"});
  check_error(with({1, 1, 2}, {1, 1, 2}, {.kernel = {2}}, {4, 4}), {"max_unpool", "2 extents"});
  check_error(with({1, 1, 2}, {1, 1, 3}, {.kernel = {2}}, {4}), {"max_unpool", "the indices are i32[1,1,3], not i32[1,1,2]"});
  check_error(with({1, 1, 2}, {1, 1, 2}, {.kernel = {2}}, {4}, DType::f32), {"max_unpool", "the indices are f32[1,1,2], not i32"});
  check_error(with({1, 1, 2}, {1, 1, 2}, {.kernel = {2}}, {0}), {"max_unpool", "output extent 0 of axis 2"});
  check_error(with({1, 1, 2}, {1, 1, 2}, {.kernel = {0}, .stride = {1}}, {4}), {"max_unpool", "kernel 0"});
}

}  // namespace fovea::test
