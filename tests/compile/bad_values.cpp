// Extents and attributes that a caller can get wrong, for every function of the public headers that has any: a row each, with
// what the error must say. (Operands that are absent or of another type: bad_calls.cpp.)

#include "tests/support/declared.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <limits>
#include <set>
#include <string>
#include <vector>

using namespace fovea;

namespace {

constexpr float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
constexpr std::int64_t far = std::int64_t{1} << 40;
template <class Enum>
constexpr Enum none = static_cast<Enum>(99);

// Inputs by shape and type.
struct Source {
  Graph graph{};
  int count = 0;
  Tensor make(const Shape& shape, DType dtype) { return graph.input("i" + std::to_string(count++), shape, dtype); }
  Tensor operator()(const Shape& shape) { return make(shape, DType::f32); }
  Tensor i32(const Shape& shape) { return make(shape, DType::i32); }
  Tensor boolean(const Shape& shape) { return make(shape, DType::boolean); }
};

struct Row {
  const char* function;
  std::function<void(Source& x)> call;
  std::vector<std::string> texts;
};

const std::vector<Row>& rows() {
  static const std::vector<Row> table{
      // ops.hpp
      {"attention", [](Source& x) { attention(x({2, 3, 4}), x({1, 2, 3, 4}), x({1, 2, 3, 4})); }, {"q", "[2,3,4]"}},
      {"attention", [](Source& x) { attention(x({1, 4, 3, 8}), x({1, 3, 3, 8}), x({1, 3, 3, 8})); }, {"3", "4"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 7}), x({1, 2, 3, 8})); }, {"7", "8"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 5, 8}), x({1, 2, 4, 8})); }, {"5", "4"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.mask = x.boolean({3, 4})}); }, {"mask", "[3,4]"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.window_left = -2}); }, {"-2"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.softcap = -1}); }, {"softcap", "-1"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.scale = nan}); }, {"scale", "nan"}},
      {"attention_full", [](Source& x) { attention_full(x({1, 2, 3, 8}), x({2, 2, 3, 8}), x({1, 2, 3, 8})); }, {"attention", "2"}},
      {"softmax", [](Source& x) { softmax(x({2, 3}), {.axis = 2}); }, {"softmax", "axis 2", "[2,3]"}},
      {"softmax", [](Source& x) { softmax(x({2, 3}), {.mask = x.boolean({2})}); }, {"softmax", "mask", "[2]"}},
      {"log_softmax", [](Source& x) { log_softmax(x({2, 3}), {.axis = -3}); }, {"log_softmax", "axis -3"}},
      {"sparsemax", [](Source& x) { sparsemax(x({2, 3}), {.axis = 2}); }, {"sparsemax", "axis 2"}},
      {"entmax15", [](Source& x) { entmax15(x({2, 3}), {.mask = x.boolean({4})}); }, {"entmax15", "mask", "[4]"}},
      {"rotary_embedding", [](Source& x) { rotary_embedding(x({2, 4}), x({2, 3}), x({2, 3})); }, {"rotary_embedding", "[2,3]", "[2,4]"}},
      {"matmul", [](Source& x) { matmul(x({2, 3}), x({4, 5})); }, {"matmul", "3", "4"}},
      {"matmul", [](Source& x) { matmul(x({}), x({4, 5})); }, {"matmul"}},
      {"matmul", [](Source& x) { matmul(x({2, 3, 4}), x({3, 4, 5})); }, {"matmul", "[2,3,4]", "[3,4,5]"}},
      {"linear", [](Source& x) { linear(x({2, 3}), x({4, 5})); }, {"linear", "3", "5"}},
      {"einsum", [](Source& x) { einsum("ij,jk->ik", {x({2, 3}), x({4, 5})}); }, {"einsum", "j", "3", "4"}},
      {"einsum", [](Source& x) { einsum("ii->i", {x({2, 2})}); }, {"einsum", "i"}},
      {"einsum", [](Source& x) { einsum("ij", {x({2, 2}), x({2, 2})}); }, {"einsum", "2"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 4, 3, 3})); }, {"conv2d", "4", "3"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 3, 3, 3}), {.stride = {0, 1}}); }, {"conv2d", "stride 0"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 3, 6, 3})); }, {"conv2d", "6", "5"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 3, 3, 3}), {.bias = x({3})}); }, {"conv2d", "bias", "[3]"}},
      {"binary", [](Source& x) { binary(Binary::add, x({2, 3}), x({4})); }, {"add", "[2,3]", "[4]"}},
      {"select", [](Source& x) { select(x.boolean({2}), x({3}), x({3})); }, {"select", "[2]", "[3]"}},
      {"cast", [](Source& x) { cast(x({2}), DType::bf16); }, {"bf16"}},
      {"reduce", [](Source& x) { reduce(Reduce::sum, x({2, 3}), {.axes = {2}}); }, {"reduce sum", "axis 2", "[2,3]"}},
      {"reduce", [](Source& x) { reduce(Reduce::max, x({2, 3}), {.axes = {0, -2}}); }, {"reduce max", "axis -2", "twice"}},
      {"reduce", [](Source& x) { reduce(Reduce::argmax, x({2, 0})); }, {"reduce argmax", "[2,0]", "empty"}},
      {"reshape", [](Source& x) { reshape(x({2, 3}), {4, 2}); }, {"reshape", "[2,3]", "[4,2]"}},
      {"reshape", [](Source& x) { reshape(x({2, 3}), {-1, -1}); }, {"reshape", "-1"}},
      {"reshape", [](Source& x) { reshape(x({2, 3}), {-2, 3}); }, {"reshape", "-2"}},
      {"permute", [](Source& x) { permute(x({2, 3}), {0}); }, {"permute", "1", "[2,3]"}},
      {"permute", [](Source& x) { permute(x({2, 3}), {0, 0}); }, {"permute", "axis 0", "twice"}},
      {"transpose", [](Source& x) { transpose(x({2, 3}), 0, 2); }, {"transpose", "axis 2"}},
      {"broadcast_to", [](Source& x) { broadcast_to(x({2, 3}), {2, 4}); }, {"broadcast_to", "[2,3]", "[2,4]"}},
      {"slice", [](Source& x) { slice(x({2, 3}), {.axis = 2}); }, {"slice", "axis 2"}},
      {"slice", [](Source& x) { slice(x({2, 3}), {.step = 0}); }, {"slice", "step"}},
      {"split", [](Source& x) { split(x({2, 3}), {1, 2}, 2); }, {"split", "axis 2", "[2,3]"}},
      {"split", [](Source& x) { split(x({2, 3}), {4, -1}, 1); }, {"split", "do not sum", "3"}},
      {"split", [](Source& x) { split(x({2, 3}), {-1, 4}, 1); }, {"split", "size -1"}},
      {"split", [](Source& x) { split(x({2, 3}), {1, 1}, 1); }, {"split", "do not sum", "axis 1", "[2,3]"}},
      {"split", [](Source& x) { split(x({2, 3}), {std::numeric_limits<std::int64_t>::max(), 4}, 1); }, {"split", "do not sum"}},
      {"split", [](Source& x) { split(x({2, 3}), 2, 1); }, {"split", "2 pieces", "axis 1", "[2,3]"}},
      {"split", [](Source& x) { split(x({2, 3}), 0, 1); }, {"split", "0 pieces"}},
      {"split", [](Source& x) { split(x({2, 0}), far, 1); }, {"split", "1099511627776 pieces"}},
      {"split", [](Source& x) { split(x({2, 3}), 3, -3); }, {"split", "axis -3"}},
      {"concat", [](Source& x) { concat({x({2, 3}), x({2, 4})}, 0); }, {"concat", "3", "4"}},
      {"concat", [](Source& x) { concat({x({2, 3})}, 2); }, {"concat", "axis 2"}},
      {"pad", [](Source& x) { pad(x({2, 3}), {.amounts = {{0, -4}}}); }, {"pad", "4", "3"}},
      {"pad", [](Source& x) { pad(x({2, 3}), {.amounts = {{3, 0}}, .mode = PadMode::reflect}); }, {"pad", "reflect", "3"}},
      {"pad", [](Source& x) { pad(x({3}), {.amounts = {{1, 0}, {0, 0}}}); }, {"pad", "2 axes", "[3]"}},
      {"unfold", [](Source& x) { unfold(x({1, 2, 3, 3}), {.kernel = {4, 1}}); }, {"unfold", "axis 2", "4"}},
      {"unfold", [](Source& x) { unfold(x({1, 2, 3, 3}), {.stride = {1, 0}}); }, {"unfold", "stride 0"}},
      {"fold", [](Source& x) { fold(x({1, 7, 4}), {.size = {3, 3}, .kernel = {2, 2}}); }, {"fold", "7", "4"}},
      {"fold", [](Source& x) { fold(x({1, 8, 5}), {.size = {3, 3}, .kernel = {2, 2}}); }, {"fold", "5 windows", "2 x 2"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.align = none<CausalAlign>}); }, {"attention", "align is enumerator 99"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.window_right = -3}); }, {"attention", "window_right is -3"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.softcap = nan}); }, {"attention", "softcap is nan"}},
      {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 3, 8}), x({1, 2, 3, 8}), {.scale = infinity}); }, {"attention", "scale is inf"}},
      {"matmul", [](Source& x) { matmul(x({2, 3}), x({3, 4}), {.alpha = nan}); }, {"matmul", "alpha is nan"}},
      {"matmul", [](Source& x) { matmul(x({2, 3}), x({3, 4}), {.beta = nan}); }, {"matmul", "beta is nan"}},
      {"matmul", [](Source& x) { matmul(x({2, 3}), x({3, 4}), {.alpha = -infinity}); }, {"matmul", "alpha is -inf"}},
      {"matmul", [](Source& x) { matmul(x({2, 3}), x({3, 4}), {.activation = none<Activation>}); }, {"matmul", "the activation is enumerator 99"}},
      {"linear", [](Source& x) { linear(x({2, 3}), x({4, 3}), {}, none<Activation>); }, {"linear", "the activation is enumerator 99"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 3, 3, 3}), {.activation = none<Activation>}); }, {"conv2d", "the activation is enumerator 99"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 3, 3, 3}), {.padding = {0, -1, 0, 0}}); }, {"conv2d", "padding -1"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 3, 3, 3}), {.dilation = {0, 1}}); }, {"conv2d", "dilation 0"}},
      {"conv2d", [](Source& x) { conv2d(x({1, 3, 5, 5}), x({2, 3, 3, 3}), {.groups = 0}); }, {"conv2d", "groups 0"}},
      {"unary", [](Source& x) { unary(none<Unary>, x({2})); }, {"unary", "op is enumerator 99"}},
      {"binary", [](Source& x) { binary(none<Binary>, x({2}), x({2})); }, {"binary", "op is enumerator 99"}},
      {"binary", [](Source& x) { binary(Binary::add, {}, x.i32({2})); }, {"add", "operand 0 is absent"}},
      {"cast", [](Source& x) { cast(x({2}), none<DType>); }, {"cast", "the type is enumerator 99"}},
      {"reduce", [](Source& x) { reduce(none<Reduce>, x({2, 3})); }, {"reduce", "op is enumerator 99"}},
      {"reduce", [](Source& x) { reduce(Reduce::max, x({2, 3}), {.ties = none<Ties>}); }, {"reduce max", "ties is enumerator 99"}},
      {"reduce", [](Source& x) { reduce(Reduce::variance, x({2, 3}), {.correction = nan}); }, {"reduce variance", "correction is nan"}},
      {"reduce", [](Source& x) { reduce(Reduce::variance, x({2, 3}), {.correction = -infinity}); }, {"reduce variance", "correction is -inf"}},
      {"broadcast_to", [](Source& x) { broadcast_to(x({1, 3}), {-2, 3}); }, {"broadcast_to", "[-2,3]"}},
      {"pad", [](Source& x) { pad(x({2, 3}), {.amounts = {{1, 1}}, .mode = none<PadMode>}); }, {"pad", "mode is enumerator 99"}},
      {"pad", [](Source& x) { pad(x({2, 3}), {.amounts = {{1, far}}}); }, {"pad", "amount 1099511627776"}},
      {"unfold", [](Source& x) { unfold(x({1, 2, 3, 3}), {.kernel = {0, 1}}); }, {"unfold", "kernel 0"}},
      {"unfold", [](Source& x) { unfold(x({1, 2, 3, 3}), {.dilation = {1, -1}}); }, {"unfold", "dilation -1"}},
      {"unfold", [](Source& x) { unfold(x({1, 2, 3, 3}), {.padding = {0, 0, far, 0}}); }, {"unfold", "padding 1099511627776"}},
      {"fold", [](Source& x) { fold(x({1, 8, 4}), {.size = {-1, 3}, .kernel = {2, 2}}); }, {"fold", "size -1"}},
      // ops/conv.hpp
      {"conv", [](Source& x) { conv(x({1, 3, 5}), x({2, 3, 3}), {.groups = 2}); }, {"conv", "groups 2", "3"}},
      {"conv", [](Source& x) { conv(x({1, 3, 5}), x({2, 3, 3}), {.stride = {1, 1}}); }, {"conv", "stride", "2"}},
      {"conv_transpose", [](Source& x) { conv_transpose(x({1, 3, 5}), x({4, 2, 3})); }, {"conv_transpose", "4", "3"}},
      {"conv_transpose", [](Source& x) { conv_transpose(x({1, 3, 2}), x({3, 2, 2}), {.padding_begin = {4}}); }, {"conv_transpose", "axis 2"}},
      {"deform_conv2d", [](Source& x) { deform_conv2d(x({1, 2, 4, 4}), x({1, 7, 3, 3}), x({3, 2, 2, 2})); }, {"deform_conv2d", "7"}},
      {"deform_conv2d", [](Source& x) { deform_conv2d(x({1, 2, 4, 4}), x({1, 8, 3, 3}), x({3, 2, 2, 2}), {.offset_groups = 3}); }, {"deform_conv2d", "3"}},
      {"conv", [](Source& x) { conv(x({1, 3, 5}), x({2, 3, 3}), {.padding_mode = none<PadMode>}); }, {"conv", "padding_mode is enumerator 99"}},
      {"conv", [](Source& x) { conv(x({1, 3, 5}), x({2, 3, 3}), {.stride = {0}}); }, {"conv", "stride 0"}},
      {"conv", [](Source& x) { conv(x({1, 3, 5}), x({2, 3, 3}), {.padding_end = {-1}}); }, {"conv", "padding_end -1"}},
      {"conv", [](Source& x) { conv(x({1, 3, 5}), x({2, 3, 3}), {.dilation = {far}}); }, {"conv", "dilation 1099511627776"}},
      {"conv_transpose", [](Source& x) { conv_transpose(x({1, 3, 5}), x({3, 2, 3}), {.stride = {2}, .output_padding = {2}}); }, {"conv_transpose", "output_padding 2 of axis 2", "stride 2", "dilation 1"}},
      {"conv_transpose", [](Source& x) { conv_transpose(x({1, 3, 5}), x({3, 2, 3}), {.output_padding = {-1}}); }, {"conv_transpose", "output_padding -1"}},
      {"conv_transpose", [](Source& x) { conv_transpose(x({1, 3, 5}), x({3, 2, 3}), {.groups = 0}); }, {"conv_transpose", "groups 0"}},
      {"deform_conv2d", [](Source& x) { deform_conv2d(x({1, 2, 4, 4}), x({1, 8, 3, 3}), x({3, 2, 2, 2}), {.stride = {1, 0}}); }, {"deform_conv2d", "stride 0"}},
      {"deform_conv2d", [](Source& x) { deform_conv2d(x({1, 2, 4, 4}), x({1, 8, 3, 3}), x({3, 2, 2, 2}), {.offset_groups = 0}); }, {"deform_conv2d", "offset_groups 0"}},
      // ops/index.hpp
      {"index_select", [](Source& x) { index_select(x({2, 3}), x.i32({1}), 2); }, {"index_select", "axis 2"}},
      {"index_select", [](Source& x) { index_select(x({1, 1, 1, 1, 1}), x.i32({1, 1, 1, 1, 1}), 0); }, {"index_select", "9 axes"}},
      {"gather", [](Source& x) { gather(x({2, 3}), x.i32({2, 4}), 0); }, {"gather", "axis 1", "[2,4]"}},
      {"gather", [](Source& x) { gather(x({2, 3}), x.i32({2}), 0); }, {"gather", "[2]", "[2,3]"}},
      {"take_along", [](Source& x) { take_along(x({2, 3}), x.i32({2, 2}), 0); }, {"take_along", "axis 1", "[2,2]"}},
      {"gather_nd", [](Source& x) { gather_nd(x({2, 3}), x.i32({4, 3})); }, {"gather_nd", "3", "[2,3]"}},
      {"embedding", [](Source& x) { embedding(x({2, 3, 4}), x.i32({2})); }, {"embedding", "[2,3,4]"}},
      {"embedding", [](Source& x) { embedding(x({2, 3}), x.i32({2}), {.padding_index = 2}); }, {"embedding", "2"}},
      {"scatter_add", [](Source& x) { scatter_add(x({2, 3}), x.i32({2, 4}), x({2, 4}), 0); }, {"scatter_add", "axis 1", "[2,4]"}},
      {"scatter_add", [](Source& x) { scatter_add(x({2, 3}), x.i32({2, 3}), x({2, 2}), 0); }, {"scatter_add", "[2,2]"}},
      {"scatter", [](Source& x) { scatter(x({2, 3}), x.i32({2, 3}), x({2, 3}), 2); }, {"scatter", "axis 2"}},
      {"index_add", [](Source& x) { index_add(x({2, 3}), x.i32({2}), x({2, 4}), 0); }, {"index_add", "[2,4]", "[2,3]"}},
      {"index_add", [](Source& x) { index_add(x({2, 3}), x.i32({2}), x({2, 3}), -3); }, {"index_add", "axis -3"}},
      {"segment_sum", [](Source& x) { segment_sum(x({2, 3}), x.i32({2}), -1); }, {"segment_sum", "-1"}},
      {"segment_sum", [](Source& x) { segment_sum(x({2, 3}), x.i32({3}), 2); }, {"segment_sum", "[3]", "[2,3]"}},
      {"one_hot", [](Source& x) { one_hot(x.i32({2}), -1); }, {"one_hot", "depth -1"}},
      {"sort", [](Source& x) { sort(x({2, 3}), {.axis = 2}); }, {"sort", "axis 2"}},
      {"argsort", [](Source& x) { argsort(x({2, 3}), {.axis = -3}); }, {"sort", "axis -3"}},
      {"top_k", [](Source& x) { top_k(x({2, 3}), {.k = 4}); }, {"top_k", "4", "3"}},
      {"top_k", [](Source& x) { top_k(x({2, 3}), {.k = -1}); }, {"top_k"}},
      {"cumulative_sum", [](Source& x) { cumulative_sum(x({2, 3}), {.axis = 2}); }, {"cumulative_sum", "axis 2"}},
      {"flip", [](Source& x) { flip(x({2, 3}), {2}); }, {"flip", "axis 2"}},
      {"flip", [](Source& x) { flip(x({2, 3}), {1, -1}); }, {"flip", "twice"}},
      {"reverse_sequence", [](Source& x) { reverse_sequence(x({2, 3}), x.i32({3})); }, {"reverse_sequence", "[3]"}},
      {"reverse_sequence", [](Source& x) { reverse_sequence(x({2, 3}), x.i32({2}), {.sequence_axis = 0}); }, {"reverse_sequence", "0"}},
      {"embedding", [](Source& x) { embedding(x({2, 3}), x.i32({2}), {.padding_index = -3}); }, {"embedding", "-3", "2 rows"}},
      {"segment_sum", [](Source& x) { segment_sum(x({2, 3}), x.i32({2}), far); }, {"segment_sum", "1099511627776"}},
      {"one_hot", [](Source& x) { one_hot(x.i32({2}), far); }, {"one_hot", "depth 1099511627776"}},
      // ops/random.hpp
      {"random", [](Source& x) { random(Random::normal, x.i32({5}), {2}); }, {"random", "[5]"}},
      {"random", [](Source& x) { random(Random::normal, x.i32({6}), {2}, {.stream = -1}); }, {"random", "stream -1"}},
      {"bernoulli", [](Source& x) { bernoulli(x.i32({6}), {2}, 2); }, {"bernoulli", "2"}},
      {"bernoulli", [](Source& x) { bernoulli(x.i32({6}), {2}, nan); }, {"bernoulli", "nan"}},
      {"categorical", [](Source& x) { categorical(x({}), x.i32({6})); }, {"categorical"}},
      {"gumbel_softmax", [](Source& x) { gumbel_softmax(x({2, 3}), x.i32({6}), {.temperature = 0}); }, {"gumbel_softmax", "temperature 0"}},
      {"clamp", [](Source& x) { clamp(x({2}), 1, 0); }, {"clamp", "low 1", "high 0"}},
      {"clamp", [](Source& x) { clamp(x({2}), std::numeric_limits<float>::quiet_NaN(), 0); }, {"clamp", "low nan"}},
      {"elu", [](Source& x) { elu(x({2}), std::numeric_limits<float>::quiet_NaN()); }, {"elu", "alpha is nan"}},
      {"glu", [](Source& x) { glu(x({2, 3})); }, {"glu", "axis -1", "[2,3]", "odd"}},
      {"glu", [](Source& x) { glu(x({2, 4}), 2); }, {"glu", "axis 2"}},
      {"maxout", [](Source& x) { maxout(x({2, 4}), 3); }, {"maxout", "3 pieces", "[2,4]"}},
      {"maxout", [](Source& x) { maxout(x({2, 4}), 0); }, {"maxout", "0 pieces"}},
      {"attention", [](Source& x) { attention(x({1, 1, 2, 4}), x({1, 1, 3, 4}), x({1, 1, 3, 4}), {.dropout = 1, .dropout_state = x.i32({6})}); }, {"attention", "dropout is 1"}},
      {"attention", [](Source& x) { attention(x({1, 1, 2, 4}), x({1, 1, 3, 4}), x({1, 1, 3, 4}), {.dropout = 0.5f}); }, {"attention", "dropout is 0.5", "no random state"}},
      {"attention", [](Source& x) { attention(x({1, 1, 2, 4}), x({1, 1, 3, 4}), x({1, 1, 3, 4}), {.dropout = 0.5f, .dropout_state = x.i32({5})}); }, {"attention", "random state", "i32[5]"}},
      {"recurrent_cell", [](Source& x) { recurrent_cell(Cell::gru, x({2, 3}), {x({2, 4})}, {.input = x({12, 3}), .hidden = x({12, 4}), .gates = "rzz"}); }, {"gru", "gates \"rzz\"", "\"rzn\""}},
      {"recurrent_cell", [](Source& x) { recurrent_cell(Cell::gru, x({2, 3}), {x({2, 4})}, {.input = x({12, 3}), .hidden = x({12, 4}), .forget_bias = 1}); }, {"gru", "forget_bias is 1"}},
      {"dropout", [](Source& x) { dropout(x({2, 3}), x.i32({6}), -0.5f); }, {"dropout", "-0.5"}},
      {"dropout", [](Source& x) { dropout(x({2, 3}), x.i32({6}), nan); }, {"dropout", "nan"}},
      {"random", [](Source& x) { random(none<Random>, x.i32({6}), {2}); }, {"random", "kind is enumerator 99"}},
      {"random", [](Source& x) { random(Random::uniform, x.i32({6}), {2}, {.stream = far}); }, {"random uniform", "stream 1099511627776"}},
      {"gumbel_softmax", [](Source& x) { gumbel_softmax(x({2, 3}), x.i32({6}), {.temperature = infinity}); }, {"gumbel_softmax", "temperature inf"}},
      {"gumbel_softmax", [](Source& x) { gumbel_softmax(x({2, 3}), x.i32({6}), {.temperature = nan}); }, {"gumbel_softmax", "temperature nan"}},
      // ops/spatial.hpp
      {"pool", [](Source& x) { pool(Pool::max, x({2, 3}), {.kernel = {2}}); }, {"pool", "[2,3]"}},
      {"pool", [](Source& x) { pool(Pool::average, x({1, 2, 4}), {.kernel = {0}}); }, {"pool", "0"}},
      {"pool", [](Source& x) { pool(Pool::average, x({1, 2, 4}), {.kernel = {5}}); }, {"pool", "5", "4"}},
      {"pool", [](Source& x) { pool(Pool::lp, x({1, 2, 4}), {.kernel = {2}, .p = nan}); }, {"pool", "nan"}},
      {"max_pool_with_indices", [](Source& x) { max_pool_with_indices(x({1, 2, 4}), {.kernel = {2}, .stride = {-1}}); }, {"pool", "-1"}},
      {"adaptive_pool", [](Source& x) { adaptive_pool(Pool::max, x({1, 2, 4}), {-2}); }, {"pool", "-2"}},
      {"adaptive_max_pool_with_indices", [](Source& x) { adaptive_max_pool_with_indices(x({1, 2}), {1}); }, {"pool", "[1,2]"}},
      {"global_pool", [](Source& x) { global_pool(Pool::lp, x({1, 2, 4}), -1); }, {"global_pool", "-1"}},
      {"max_unpool", [](Source& x) { max_unpool(x({1, 2, 2}), x.i32({1, 2, 3}), {.kernel = {2}}, {4}); }, {"max_unpool", "[1,2,2]"}},
      {"max_unpool", [](Source& x) { max_unpool(x({1, 2, 2}), x.i32({1, 2, 2}), {.kernel = {2}}, {0}); }, {"max_unpool", "0"}},
      {"grid_sample", [](Source& x) { grid_sample(x({1, 2, 4, 4}), x({1, 3, 3, 3})); }, {"grid_sample", "3 coordinates"}},
      {"grid_sample", [](Source& x) { grid_sample(x({1, 2, 4, 4}), x({2, 3, 3, 2})); }, {"grid_sample", "2", "1"}},
      {"grid_sample", [](Source& x) { grid_sample(x({1, 2, 4, 4, 4}), x({1, 3, 3, 3, 3}), {.interpolation = Interpolation::cubic}); }, {"grid_sample", "cubic"}},
      {"affine_grid", [](Source& x) { affine_grid(x({1, 3, 3}), {1, 2, 4, 4}); }, {"affine_grid", "[1,3,3]"}},
      {"affine_grid", [](Source& x) { affine_grid(x({1, 2, 3}), {1, 2, 4}); }, {"affine_grid", "3 extents"}},
      {"projective_grid", [](Source& x) { projective_grid(x({1, 2, 3}), {1, 2, 4, 4}); }, {"projective_grid", "[1,2,3]"}},
      {"thin_plate_grid", [](Source& x) { thin_plate_grid(x({1, 3, 2}), {{0, 0}, {0.5, 0.5}, {1, 1}}, {1, 2, 4, 4}); }, {"thin_plate_grid", "line"}},
      {"thin_plate_grid", [](Source& x) { thin_plate_grid(x({1, 4, 2}), {{-1, -1}, {1, -1}, {0, 1}}, {1, 2, 4, 4}); }, {"thin_plate_grid", "[1,4,2]"}},
      {"box_grid", [](Source& x) { box_grid(x({1, 3}), {1, 2, 4, 4}); }, {"box_grid", "[1,3]"}},
      {"roi_align", [](Source& x) { roi_align(x({1, 2, 4, 4}), x({3, 4}), x.i32({2}), {}); }, {"roi_align", "[2]"}},
      {"roi_align", [](Source& x) { roi_align(x({1, 2, 4, 4}), x({3, 4}), x.i32({3}), {.bins = {0, 1}}); }, {"roi_align", "0"}},
      {"roi_align", [](Source& x) { roi_align(x({1, 2, 4, 4}), x({3, 4}), x.i32({3}), {.samples = 256}); }, {"roi_align", "256"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.scale = {0}}); }, {"resize", "0"}},
      {"resize", [](Source& x) { resize(x({4}), {.size = {2, 2}}); }, {"resize", "2", "[4]"}},
      {"pool", [](Source& x) { pool(none<Pool>, x({1, 2, 4, 4}), {.kernel = {2, 2}}); }, {"pool", "kind is enumerator 99"}},
      {"pool", [](Source& x) { pool(Pool::lp, x({1, 2, 4, 4}), {.kernel = {2, 2}, .p = nan}); }, {"lp_pool", "p nan"}},
      {"pool", [](Source& x) { pool(Pool::lp, x({1, 2, 4, 4}), {.kernel = {2, 2}, .p = -1}); }, {"lp_pool", "p -1"}},
      {"pool", [](Source& x) { pool(Pool::lp, x({1, 2, 4, 4}), {.kernel = {2, 2}, .p = infinity}); }, {"lp_pool", "p inf"}},
      {"pool", [](Source& x) { pool(Pool::average, x({1, 2, 4, 4}), {.kernel = {2, 2}, .divisor = -1}); }, {"average_pool", "divisor -1"}},
      {"pool", [](Source& x) { pool(Pool::max, x({1, 2, 4, 4}), {.kernel = {2, far}}); }, {"max_pool", "kernel 1099511627776"}},
      {"adaptive_pool", [](Source& x) { adaptive_pool(none<Pool>, x({1, 2, 4, 4}), {2, 2}); }, {"adaptive_pool", "kind is enumerator 99"}},
      {"adaptive_pool", [](Source& x) { adaptive_pool(Pool::average, x({1, 2, 4, 4}), {2, -2}); }, {"adaptive_average_pool", "extent -2"}},
      {"global_pool", [](Source& x) { global_pool(none<Pool>, x({1, 2, 4, 4})); }, {"global_pool", "kind is enumerator 99"}},
      {"global_pool", [](Source& x) { global_pool(Pool::lp, x({1, 2, 4, 4}), nan); }, {"global_pool", "p nan"}},
      {"max_unpool", [](Source& x) { max_unpool(x({1, 2, 2}), x.i32({1, 2, 2}), {.kernel = {2}}, {-4}); }, {"max_unpool", "-4"}},
      {"max_unpool", [](Source& x) { max_unpool(x({1, 2, 2}), x.i32({1, 2, 2}), {.kernel = {far}}, {4}); }, {"max_unpool", "kernel 1099511627776"}},
      {"grid_sample", [](Source& x) { grid_sample(x({1, 2, 4, 4}), x({1, 3, 3, 2}), {.interpolation = none<Interpolation>}); }, {"grid_sample", "interpolation is enumerator 99"}},
      {"grid_sample", [](Source& x) { grid_sample(x({1, 2, 4, 4}), x({1, 3, 3, 2}), {.padding = none<SamplePadding>}); }, {"grid_sample", "padding is enumerator 99"}},
      {"affine_grid", [](Source& x) { affine_grid(x({1, 2, 3}), {1, 2, -4, 4}); }, {"affine_grid", "[1,2,-4,4]"}},
      {"thin_plate_grid", [](Source& x) { thin_plate_grid(x({1, 3, 2}), {{-1, -1}, {1, nan}, {0, 1}}, {1, 2, 4, 4}); }, {"thin_plate_grid", "control point 1 is (1, nan)"}},
      {"thin_plate_grid", [](Source& x) { thin_plate_grid(x({1, 3, 2}), {{-1, -1}, {1, -1}, {0, infinity}}, {1, 2, 4, 4}); }, {"thin_plate_grid", "control point 2 is (0, inf)"}},
      {"thin_plate_grid", [](Source& x) { thin_plate_grid(x({1, 3, 2}), {{-1, -1}, {1, -1}, {0, 1}}, {1, 2, far, far}); }, {"thin_plate_grid", "3 control points", "2^30"}},
      {"roi_align", [](Source& x) { roi_align(x({1, 2, 4, 4}), x({3, 4}), x.i32({3}), {.scale = 0}); }, {"roi_align", "scale 0"}},
      {"roi_align", [](Source& x) { roi_align(x({1, 2, 4, 4}), x({3, 4}), x.i32({3}), {.scale = nan}); }, {"roi_align", "scale nan"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.size = {-1, 2}}); }, {"resize", "extent -1 of axis 2"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.size = {2, far}}); }, {"resize", "extent 1099511627776 of axis 3"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.scale = {1, -1}}); }, {"resize", "scale -1 of axis 3"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.scale = {nan}}); }, {"resize", "scale nan"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.scale = {infinity}}); }, {"resize", "scale inf"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.size = {2, 2}, .interpolation = Interpolation::nearest, .antialias = true}); }, {"resize", "antialias", "nearest"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.size = {2, 2}, .interpolation = Interpolation::cubic, .cubic_a = nan}); }, {"resize", "cubic_a is nan"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.size = {2, 2}, .interpolation = none<Interpolation>}); }, {"resize", "interpolation is enumerator 99"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.size = {2, 2}, .coordinates = none<ResizeCoordinates>}); }, {"resize", "coordinates is enumerator 99"}},
      {"resize", [](Source& x) { resize(x({1, 2, 4, 4}), {.size = {2, 2}, .rounding = none<ResizeRounding>}); }, {"resize", "rounding is enumerator 99"}},
      // ops/additive.hpp
      {"additive_score", [](Source& x) { additive_score(x({2, 3, 4}), x({2, 5, 4}), x({3})); }, {"additive_score", "v has 3 features", "q has 4"}},
      {"additive_score", [](Source& x) { additive_score(x({2, 3, 4}), x({2, 5, 3}), x({4})); }, {"additive_score", "k has 3", "axis 2"}},
      {"additive_score", [](Source& x) { additive_score(x({3, 4}), x({5, 4}), x({4}), {Unary::sigmoid}); }, {"additive_score", "sigmoid"}},
      {"feature_attention", [](Source& x) { feature_attention(x({3, 4}), x({5, 4}), x({6, 4})); }, {"feature_attention", "6", "5"}},
      {"feature_attention", [](Source& x) { feature_attention(x({3, 4}), x({5, 4}), x({5, 4}), {.scale = 0}); }, {"feature_attention", "scale is 0"}},
      {"feature_attention", [](Source& x) { feature_attention(x({3, 4}), x({5, 4}), x({5, 4}), {.mask = x.boolean({3, 4})}); },
       {"feature_attention", "[3,4]", "[3,5]"}},
      {"additive_score", [](Source& x) { additive_score(x({3, 4}), x({5, 4}), x({4}), {none<Unary>}); }, {"additive_score", "the activation is enumerator 99"}},
      {"feature_attention", [](Source& x) { feature_attention(x({3, 4}), x({5, 4}), x({5, 4}), {.activation = none<Unary>}); }, {"feature_attention", "the activation is enumerator 99"}},
      {"feature_attention", [](Source& x) { feature_attention(x({3, 4}), x({5, 4}), x({5, 4}), {.side = none<KeySide>}); }, {"feature_attention", "side is enumerator 99"}},
      {"feature_attention", [](Source& x) { feature_attention(x({3, 4}), x({5, 4}), x({5, 4}), {.scale = nan}); }, {"feature_attention", "scale is nan"}},
      // ops/window.hpp
      {"dynamic_conv1d", [](Source& x) { dynamic_conv1d(x({2, 5, 4}), x({3, 3})); }, {"dynamic_conv1d", "3 heads", "4 channels"}},
      {"dynamic_conv1d_mask", [](Source& x) { dynamic_conv1d_mask(x({1}), std::int64_t{1} << 40, 3); }, {"dynamic_conv1d_mask", "1099511627776 positions"}},
      {"dynamic_conv1d_mask", [](Source& x) { dynamic_conv1d_mask(x({1}), 4, 3, {3}); }, {"dynamic_conv1d_mask", "offset 3"}},
      {"local_window", [](Source& x) { local_window(x.i32({2, 3}), 5, {.half_width = -1}); }, {"local_window", "half_width -1"}},
      {"local_gather", [](Source& x) { local_gather(x({2, 5}), {x.i32({1, 3, 3}), x.boolean({1, 3, 3})}); }, {"local_gather", "1 samples", "x 2"}},
      {"gaussian_window", [](Source& x) { gaussian_window(x({2, 3}), x.i32({3}), x({2, 1}), nan); }, {"gaussian_window", "sigma nan"}},
      {"dynamic_conv1d", [](Source& x) { dynamic_conv1d(x({2, 5, 4}), x({2, 3}), {.offset = 3}); }, {"dynamic_conv1d", "offset 3"}},
      {"local_window", [](Source& x) { local_window(x.i32({2, 3}), -1); }, {"local_window", "length -1"}},
      {"gaussian_window", [](Source& x) { gaussian_window(x({2, 3}), x.i32({3}), x({2, 1}), 0); }, {"gaussian_window", "sigma 0"}},
      {"gaussian_window", [](Source& x) { gaussian_window(x({2, 3}), x.i32({3}), x({2, 1}), infinity); }, {"gaussian_window", "sigma inf"}},
      // loss.hpp
      {"cross_entropy", [](Source& x) { cross_entropy(x({2, 3}), x.i32({3})); }, {"cross_entropy", "[3]"}},
      {"cross_entropy", [](Source& x) { cross_entropy(x({2, 3}), x.i32({2}), {.axis = 2}); }, {"cross_entropy", "axis 2"}},
      {"cross_entropy", [](Source& x) { cross_entropy(x({2, 3}), x.i32({2}), {.label_smoothing = 2}); }, {"cross_entropy", "2"}},
      {"nll_loss", [](Source& x) { nll_loss(x({2, 3}), x.i32({2}), {.weight = x({2})}); }, {"nll_loss", "weight", "[2]"}},
      {"binary_cross_entropy", [](Source& x) { binary_cross_entropy(x({2, 3}), x({3, 2})); }, {"binary_cross_entropy", "[3,2]"}},
      {"binary_cross_entropy_with_logits", [](Source& x) { binary_cross_entropy_with_logits(x({2, 3}), x({2, 3}), {.weight = x({4})}); },
       {"binary_cross_entropy_with_logits", "[4]"}},
      {"mse_loss", [](Source& x) { mse_loss(x({2, 3}), x({3})); }, {"mse_loss", "[3]"}},
      {"l1_loss", [](Source& x) { l1_loss(x({2, 3}), x({2})); }, {"l1_loss", "[2]"}},
      {"smooth_l1_loss", [](Source& x) { smooth_l1_loss(x({2}), x({2}), 0); }, {"smooth_l1_loss", "0"}},
      {"huber_loss", [](Source& x) { huber_loss(x({2}), x({2}), -1); }, {"huber_loss", "-1"}},
      {"hinge_loss", [](Source& x) { hinge_loss(x({2}), x({3})); }, {"hinge_loss", "[3]"}},
      {"kl_loss", [](Source& x) { kl_loss(x({2}), x({3})); }, {"kl_loss", "[3]"}},
      {"dice_loss", [](Source& x) { dice_loss(x({}), x({})); }, {"dice_loss"}},
      {"reinforce_loss", [](Source& x) { reinforce_loss(x({2, 3}), x.i32({2}), x({3})); }, {"reinforce_loss", "[3]"}},
      {"cross_entropy", [](Source& x) { cross_entropy(x({2, 3}), x.i32({2}), {.reduction = none<Reduction>}); }, {"cross_entropy", "reduction is enumerator 99"}},
      {"cross_entropy", [](Source& x) { cross_entropy(x({2, 3}), x.i32({2}), {.label_smoothing = nan}); }, {"cross_entropy", "smoothing nan"}},
      {"cross_entropy", [](Source& x) { cross_entropy(x({2, 3}), x.i32({2}), {.ignore_index = far}); }, {"cross_entropy", "ignore_index is 1099511627776"}},
      {"nll_loss", [](Source& x) { nll_loss(x({2, 3}), x.i32({2}), {.reduction = none<Reduction>}); }, {"nll_loss", "reduction is enumerator 99"}},
      {"nll_loss", [](Source& x) { nll_loss(x({2, 3}), x.i32({2}), {.ignore_index = -far}); }, {"nll_loss", "ignore_index is -1099511627776"}},
      {"binary_cross_entropy", [](Source& x) { binary_cross_entropy(x({2}), x({2}), {.reduction = none<Reduction>}); }, {"binary_cross_entropy", "reduction is enumerator 99"}},
      {"binary_cross_entropy_with_logits", [](Source& x) { binary_cross_entropy_with_logits(x({2}), x({2}), {.reduction = none<Reduction>}); }, {"binary_cross_entropy_with_logits", "reduction is enumerator 99"}},
      {"mse_loss", [](Source& x) { mse_loss(x({2}), x({2}), {.reduction = none<Reduction>}); }, {"mse_loss", "reduction is enumerator 99"}},
      {"l1_loss", [](Source& x) { l1_loss(x({2}), x({2}), {.reduction = none<Reduction>}); }, {"l1_loss", "reduction is enumerator 99"}},
      {"hinge_loss", [](Source& x) { hinge_loss(x({2}), x({2}), 1, {.reduction = none<Reduction>}); }, {"hinge_loss", "reduction is enumerator 99"}},
      {"kl_loss", [](Source& x) { kl_loss(x({2}), x({2}), {.reduction = none<Reduction>}); }, {"kl_loss", "reduction is enumerator 99"}},
      {"smooth_l1_loss", [](Source& x) { smooth_l1_loss(x({2}), x({2}), 1, {.reduction = none<Reduction>}); }, {"smooth_l1_loss", "reduction is enumerator 99"}},
      {"smooth_l1_loss", [](Source& x) { smooth_l1_loss(x({2}), x({2}), nan); }, {"smooth_l1_loss", "is nan"}},
      {"smooth_l1_loss", [](Source& x) { smooth_l1_loss(x({2}), x({2}), infinity); }, {"smooth_l1_loss", "is inf"}},
      {"huber_loss", [](Source& x) { huber_loss(x({2}), x({2}), 1, {.reduction = none<Reduction>}); }, {"huber_loss", "reduction is enumerator 99"}},
      {"huber_loss", [](Source& x) { huber_loss(x({2}), x({2}), nan); }, {"huber_loss", "is nan"}},
      {"huber_loss", [](Source& x) { huber_loss(x({2}), x({2}), infinity); }, {"huber_loss", "is inf"}},
      {"dice_loss", [](Source& x) { dice_loss(x({2, 3}), x({2, 3}), 1, {.reduction = none<Reduction>}); }, {"dice_loss", "reduction is enumerator 99"}},
      {"reinforce_loss", [](Source& x) { reinforce_loss(x({2, 3}), x.i32({2}), x({2}), {.reduction = none<Reduction>}); }, {"reinforce_loss", "reduction is enumerator 99"}},
      {"reinforce_loss", [](Source& x) { reinforce_loss(x({2, 3}), x.i32({2}), x({2}), {.entropy = nan}); }, {"reinforce_loss", "entropy is nan"}},
      // normalization.hpp
      {"standardize", [](Source& x) { standardize(x({2, 3}), {2}); }, {"standardize", "axis 2"}},
      {"layer_norm", [](Source& x) { layer_norm(x({2, 3}), {.axes = 3}); }, {"layer_norm", "3"}},
      {"layer_norm", [](Source& x) { layer_norm(x({2, 3}), {.eps = -1}); }, {"layer_norm", "eps is -1"}},
      {"layer_norm", [](Source& x) { layer_norm(x({2, 3}), {.eps = nan}); }, {"layer_norm", "eps is nan"}},
      {"layer_norm", [](Source& x) { layer_norm(x({2, 3}), {.weight = x({2})}); }, {"layer_norm", "weight", "[2]"}},
      {"rms_norm", [](Source& x) { rms_norm(x({2, 3}), {.axes = -1}); }, {"rms_norm", "-1"}},
      {"group_norm", [](Source& x) { group_norm(x({2, 4, 3}), {.groups = 3}); }, {"group_norm", "3", "4"}},
      {"group_norm", [](Source& x) { group_norm(x({2, 4, 3}), {.groups = 0}); }, {"group_norm", "0"}},
      {"instance_norm", [](Source& x) { instance_norm(x({2, 4, 3}), {.bias = x({3})}); }, {"instance_norm", "bias", "[3]"}},
      {"batch_norm", [](Source& x) { batch_norm(x({2, 4, 3}), x({3}), x({4})); }, {"batch_norm", "mean", "[3]"}},
      {"batch_norm_train", [](Source& x) { batch_norm_train(x({2, 4}), x({4}), x({4}), {.momentum = 2}); }, {"batch_norm", "momentum is 2"}},
      {"batch_norm_train", [](Source& x) { batch_norm_train(x({1, 4}), x({4}), x({4})); }, {"batch_norm", "[1,4]"}},
      {"normalize", [](Source& x) { normalize(x({2, 3}), {.p = 0}); }, {"normalize", "0"}},
      {"normalize", [](Source& x) { normalize(x({2})); }, {"normalize", "axis 1"}},
      {"standardize", [](Source& x) { standardize(x({2, 3}), {1, -1}); }, {"standardize", "axis -1 is named twice"}},
      {"standardize", [](Source& x) { standardize(x({2, 3}), {1}, nan); }, {"standardize", "eps is nan"}},
      {"rms_norm", [](Source& x) { rms_norm(x({2, 3}), {.eps = infinity}); }, {"rms_norm", "eps is inf"}},
      {"group_norm", [](Source& x) { group_norm(x({2, 4, 3}), {.groups = 2, .eps = -1}); }, {"group_norm", "eps is -1"}},
      {"instance_norm", [](Source& x) { instance_norm(x({2, 4, 3}), {.eps = nan}); }, {"instance_norm", "eps is nan"}},
      {"batch_norm", [](Source& x) { batch_norm(x({2, 4, 3}), x({4}), x({4}), {.eps = nan}); }, {"batch_norm", "eps is nan"}},
      {"batch_norm_train", [](Source& x) { batch_norm_train(x({2, 4}), x({4}), x({4}), {.momentum = nan}); }, {"batch_norm", "momentum is nan"}},
      {"normalize", [](Source& x) { normalize(x({2, 3}), {.p = nan}); }, {"normalize", "p is nan"}},
      {"normalize", [](Source& x) { normalize(x({2, 3}), {.eps = nan}); }, {"normalize", "eps is nan"}},
      {"normalize", [](Source& x) { normalize(x({2, 3}), {.axes = {0, 0}}); }, {"normalize", "axis 0 is named twice"}},
      // recurrent.hpp
      {"recurrent_cell", [](Source& x) { recurrent_cell(Cell::gru, x({2, 3}), {x({2, 4})}, {x({8, 3}), x({12, 4})}); }, {"gru", "[8,3]", "[12,3]"}},
      {"recurrent_cell", [](Source& x) { recurrent_cell(Cell::lstm, x({2, 3}), {x({2, 4})}, {x({16, 3}), x({16, 4})}); }, {"lstm", "c is absent"}},
      {"recurrent", [](Source& x) { recurrent(Cell::rnn_tanh, x({4, 2, 3}), {}); }, {"rnn_tanh", "no layer"}},
      {"recurrent_cell", [](Source& x) { recurrent_cell(none<Cell>, x({2, 3}), {x({2, 4})}, {x({4, 3}), x({4, 4})}); }, {"recurrent_cell", "cell is enumerator 99"}},
      {"recurrent_cell", [](Source& x) { recurrent_cell(Cell::gru, x({2, 3}), {x({2, 4})}, {.input = x({12, 3}), .hidden = x({12, 4}), .update = none<GruUpdate>}); }, {"gru", "update is enumerator 99"}},
      {"recurrent_cell", [](Source& x) { recurrent_cell(Cell::lstm, x({2, 3}), {x({2, 4}), x({2, 4})}, {.input = x({16, 3}), .hidden = x({16, 4}), .update = GruUpdate::z_takes}); }, {"lstm", "z_takes"}},
      {"recurrent", [](Source& x) { recurrent(none<Cell>, x({4, 2, 3}), {{.forward = {x({4, 3}), x({4, 4})}}}); }, {"recurrent", "cell is enumerator 99"}},
      {"recurrent", [](Source& x) { recurrent(Cell::gru, x({4, 2, 3}), {{.forward = {.input = x({12, 3}), .hidden = x({12, 4}), .update = none<GruUpdate>}}}); }, {"gru", "update is enumerator 99"}},
      // optimizer.hpp
      {"sgd", [](Source& x) { sgd(x({2}), x({2}), x({2}), x({}), {.momentum = nan}); }, {"sgd", "momentum is nan"}},
      {"sgd", [](Source& x) { sgd(x({2}), x({2}), x({2}), x({})); }, {"sgd", "a buffer is given"}},
      {"adam", [](Source& x) { adam(x({2}), x({2}), {x({2}), x({2})}, x({}), x({}), {.beta1 = 2}); }, {"adam", "beta1 is 2"}},
      {"adam", [](Source& x) { adam(x({2}), x({2}), {x({2}), x({2})}, x({}), x({}), {.beta2 = 1}); }, {"adam", "beta2 is 1"}},
      {"adam", [](Source& x) { adam(x({2}), x({2}), {x({2}), x({2})}, x({}), x({}), {.eps = -1}); }, {"adam", "eps is -1"}},
      {"hinge_loss", [](Source& x) { hinge_loss(x({2}), x({2}), nan); }, {"hinge_loss", "margin is nan"}},
      {"dice_loss", [](Source& x) { dice_loss(x({2, 3, 4}), x({2, 3, 4}), -1); }, {"dice_loss", "smooth is -1"}},
      {"sgd", [](Source& x) { sgd(x({2}), x({3}), {}, x({})); }, {"sgd", "[3]"}},
      {"sgd", [](Source& x) { sgd(x({2}), x({2}), {}, x({}), {.momentum = 0.9f}); }, {"sgd", "momentum"}},
      {"adam", [](Source& x) { adam(x({2}), x({2}), {x({2}), x({2})}, x({3}), x({})); }, {"adam", "[3]"}},
      {"rmsprop", [](Source& x) { rmsprop(x({2}), x({2}), {x({2})}, x({}), {.centered = true}); }, {"rmsprop", "mean"}},
      {"adadelta", [](Source& x) { adadelta(x({2}), x({2}), {x({2}), x({1})}, x({})); }, {"adadelta", "[1]"}},
      {"clip_by_global_norm", [](Source& x) { clip_by_global_norm({x({2})}, -1); }, {"clip_by_global_norm", "-1"}},
      {"clip_by_value", [](Source& x) { clip_by_value({x({2})}, -1); }, {"clip_by_value", "-1"}},
      {"sgd", [](Source& x) { sgd(x({2}), x({2}), {}, x({}), {.weight_decay = nan}); }, {"sgd", "weight decay is nan"}},
      {"sgd", [](Source& x) { sgd(x({2}), x({2}), x({2}), x({}), {.momentum = 0.9f, .dampening = infinity}, x({})); }, {"sgd", "dampening is inf"}},
      {"adam", [](Source& x) { adam(x({2}), x({2}), {x({2}), x({2})}, x({}), x({}), {.weight_decay = infinity}); }, {"adam", "weight decay is inf"}},
      {"rmsprop", [](Source& x) { rmsprop(x({2}), x({2}), {x({2})}, x({}), {.alpha = nan}); }, {"rmsprop", "alpha is nan"}},
      {"rmsprop", [](Source& x) { rmsprop(x({2}), x({2}), {x({2})}, x({}), {.eps = nan}); }, {"rmsprop", "eps is nan"}},
      {"rmsprop", [](Source& x) { rmsprop(x({2}), x({2}), {x({2})}, x({}), {.momentum = -1}); }, {"rmsprop", "momentum is -1"}},
      {"adadelta", [](Source& x) { adadelta(x({2}), x({2}), {x({2}), x({2})}, x({}), {.rho = nan}); }, {"adadelta", "rho is nan"}},
      {"adadelta", [](Source& x) { adadelta(x({2}), x({2}), {x({2}), x({2})}, x({}), {.eps = -1}); }, {"adadelta", "eps is -1"}},
      {"clip_by_global_norm", [](Source& x) { clip_by_global_norm({x({2})}, nan); }, {"clip_by_global_norm", "nan"}},
      {"clip_by_value", [](Source& x) { clip_by_value({x({2})}, nan); }, {"clip_by_value", "nan"}},
      // autodiff.hpp
      {"grad", [](Source& x) { const Tensor in = x({2}); grad(in, {in}); }, {"grad", "[2]"}},
      {"grad", [](Source& x) { const Tensor in = x({2}); grad(in, {in}, {.seed = x({3})}); }, {"grad", "[3]", "[2]"}},
      {"straight_through", [](Source& x) { straight_through(x({2}), x({3})); }, {"straight_through", "[2]", "[3]"}},
      {"custom_gradient", [](Source& x) {
         const Tensor in = x({2}), y = custom_gradient(in, {in}, [](Tensor d) { return std::vector{d, d}; });
         grad(reduce(Reduce::sum, y), {in});
       }, {"custom_gradient", "2", "1"}},
  };
  return table;
}

// Nothing but operands, and every shape of them is right.
const std::set<std::string> shapeless{"unary", "scalar", "stop_gradient"};

}  // namespace

TEST_CASE("extents and attributes that are wrong are refused, with the values") {
  for (const Row& row : rows()) {
    CAPTURE(std::string(row.function));
    Source source;
    row.call(source);
    const std::string message = source.graph.error() ? source.graph.error()->message : std::string();
    CHECK_MESSAGE(!message.empty(), "accepted: ", row.texts[0]);
    if (message.empty()) continue;
    for (const std::string& text : row.texts) CHECK_MESSAGE(message.find(text) != std::string::npos, "\"", text, "\" is not in: ", message);
    CHECK_MESSAGE(message.find("bad_values.cpp") != std::string::npos, "no place in: ", message);
  }
}

TEST_CASE("every function of the public headers has a row") {
  std::set<std::string> covered = shapeless;
  for (const Row& row : rows()) covered.insert(row.function);
  for (const std::string& name : fovea::test::declared_functions()) CHECK_MESSAGE(covered.count(name) == 1, name, " has no row");
}
