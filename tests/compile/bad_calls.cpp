// What a caller can get wrong with operands, for every function of the public headers that appends to a graph: from one right
// call of each, which stands below or in the function's own tests/ops/*.cpp, operands that are absent, of another type, of another graph, of any shape. Each is refused with text that
// names the function and the caller's line, and what is accepted compiles. (Extents and attributes: bad_values.cpp.)

#include "compile/compiler.hpp"
#include "tests/support/rows.hpp"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

using namespace fovea;
using namespace fovea::test::rows;

namespace {

const Rows standing{{
    // ops.hpp
    {"attention", {real({1, 2, 3, 4}), real({1, 2, 5, 4}), real({1, 2, 5, 4}), maybe({DType::boolean, {3, 5}, {DType::i32}})},
     [](auto& in) { attention(in[0], in[1], in[2], {.mask = in[3]}); }},
    {"attention_full", {real({1, 2, 3, 4}), real({1, 2, 5, 4}), real({1, 2, 5, 4})},
     [](auto& in) { attention_full(in[0], in[1], in[2], {.return_lse = true}); }, "attention"},
    {"softmax", {real({2, 3}), maybe(boolean({3}))}, [](auto& in) { softmax(in[0], {.mask = in[1]}); }},
    {"log_softmax", {real({2, 3})}, [](auto& in) { log_softmax(in[0]); }},
    {"clamp", {real({2, 3})}, [](auto& in) { clamp(in[0], 0, 1); }},
    {"elu", {real({2, 3})}, [](auto& in) { elu(in[0], 1); }},
    {"glu", {real({2, 4})}, [](auto& in) { glu(in[0]); }},
    {"maxout", {real({2, 4})}, [](auto& in) { maxout(in[0], 2); }},
    {"sparsemax", {real({2, 3}), maybe(boolean({3}))}, [](auto& in) { sparsemax(in[0], {.mask = in[1]}); }},
    {"entmax15", {real({2, 3}), maybe(boolean({3}))}, [](auto& in) { entmax15(in[0], {.mask = in[1]}); }},
    {"rotary_embedding", {real({2, 3, 4}), real({3, 2}), real({3, 2})}, [](auto& in) { rotary_embedding(in[0], in[1], in[2]); }},
    {"matmul", {real({2, 3}), real({3, 4}), maybe(real({4}))}, [](auto& in) { matmul(in[0], in[1], {.bias = in[2]}); }},
    {"linear", {real({2, 3}), real({4, 3}), maybe(real({4}))}, [](auto& in) { linear(in[0], in[1], in[2]); }},
    {"einsum", {real({2, 3}), real({3, 4})}, [](auto& in) { einsum("ij,jk->ik", {in[0], in[1]}); }},
    {"conv2d", {real({1, 2, 4, 4}), real({3, 2, 2, 2}), maybe(real({3}))}, [](auto& in) { conv2d(in[0], in[1], {.bias = in[2]}); }},
    {"unary", {real({2})}, [](auto& in) { unary(Unary::exp, in[0]); }, "exp"},
    {"binary", {real({2}), real({2})}, [](auto& in) { binary(Binary::add, in[0], in[1]); }, "add"},
    {"select", {boolean({2}), real({2}), real({2})}, [](auto& in) { select(in[0], in[1], in[2]); }},
    {"cast", {any({2})}, [](auto& in) { cast(in[0], DType::i32); }},
    {"scalar", {any({2})}, [](auto& in) { scalar(in[0], 1); }},
    {"reduce", {real({2, 3})}, [](auto& in) { reduce(Reduce::sum, in[0]); }},
    {"reshape", {any({2, 3})}, [](auto& in) { reshape(in[0], {6}); }},
    {"permute", {any({2, 3})}, [](auto& in) { permute(in[0], {1, 0}); }},
    {"transpose", {any({2, 3})}, [](auto& in) { transpose(in[0], 0, 1); }},
    {"broadcast_to", {any({1, 3})}, [](auto& in) { broadcast_to(in[0], {2, 3}); }},
    {"slice", {any({2, 3})}, [](auto& in) { slice(in[0], {.axis = 1, .start = 1}); }},
    {"split", {any({2, 3})}, [](auto& in) { split(in[0], {1, 2}, 1); }},
    {"concat", {real({2, 3}), real({2, 3})}, [](auto& in) { concat({in[0], in[1]}, 1); }},
    {"pad", {any({2, 3})}, [](auto& in) { pad(in[0], {.amounts = {{1, 1}}}); }},
    {"unfold", {any({1, 2, 4, 4})}, [](auto& in) { unfold(in[0], {.kernel = {2, 2}}); }},
    // ops/conv.hpp
    {"conv", {real({1, 2, 5}), real({3, 2, 2}), maybe(real({3}))}, [](auto& in) { conv(in[0], in[1], {.bias = in[2]}); }},
    {"conv_transpose", {real({1, 2, 5}), real({2, 3, 2}), maybe(real({3}))}, [](auto& in) { conv_transpose(in[0], in[1], {.bias = in[2]}); }},
    {"deform_conv2d", {real({1, 2, 4, 4}), real({1, 8, 3, 3}), real({3, 2, 2, 2}), maybe(real({1, 4, 3, 3})), maybe(real({3}))},
     [](auto& in) { deform_conv2d(in[0], in[1], in[2], {.mask = in[3], .bias = in[4]}); }},
    // ops/index.hpp
    {"index_select", {any({4, 3}), index({2})}, [](auto& in) { index_select(in[0], in[1]); }},
    {"gather", {any({4, 3}), index({2, 3})}, [](auto& in) { gather(in[0], in[1], 0); }},
    {"take_along", {any({4, 3}), index({2, 1})}, [](auto& in) { take_along(in[0], in[1], 0); }},
    {"gather_nd", {any({4, 3}), index({5, 2})}, [](auto& in) { gather_nd(in[0], in[1]); }},
    {"embedding", {any({4, 3}), index({5})}, [](auto& in) { embedding(in[0], in[1]); }},
    {"scatter_add", {real({4, 3}), index({2, 3}), real({2, 3})}, [](auto& in) { scatter_add(in[0], in[1], in[2], 0); }},
    {"scatter", {real({4, 3}), index({2, 3}), real({2, 3})}, [](auto& in) { scatter(in[0], in[1], in[2], 0); }},
    {"index_add", {real({4, 3}), index({2}), real({2, 3})}, [](auto& in) { index_add(in[0], in[1], in[2]); }},
    {"segment_sum", {real({4, 3}), index({4})}, [](auto& in) { segment_sum(in[0], in[1], 2); }},
    {"one_hot", {index({3})}, [](auto& in) { one_hot(in[0], 4); }},
    {"sort", {number({2, 3})}, [](auto& in) { sort(in[0]); }},
    {"argsort", {number({2, 3})}, [](auto& in) { argsort(in[0]); }, "sort"},
    {"top_k", {number({2, 3})}, [](auto& in) { top_k(in[0], {.k = 2}); }},
    {"cumulative_sum", {real({2, 3})}, [](auto& in) { cumulative_sum(in[0]); }},
    {"flip", {any({2, 3})}, [](auto& in) { flip(in[0], {1}); }},
    {"reverse_sequence", {any({2, 3}), index({2})}, [](auto& in) { reverse_sequence(in[0], in[1]); }},
    // ops/random.hpp
    {"random", {index({6})}, [](auto& in) { random(Random::uniform, in[0], {2, 3}); }},
    {"bernoulli", {index({6})}, [](auto& in) { bernoulli(in[0], {2, 3}, 0.5f); }},
    {"categorical", {real({2, 3}), index({6})}, [](auto& in) { categorical(in[0], in[1]); }},
    {"gumbel_softmax", {real({2, 3}), index({6})}, [](auto& in) { gumbel_softmax(in[0], in[1]); }},
    {"dropout", {real({2, 3}), index({6})}, [](auto& in) { dropout(in[0], in[1], 0.5f); }},
    // ops/spatial.hpp
    {"pool", {real({1, 2, 4, 4})}, [](auto& in) { pool(Pool::max, in[0], {.kernel = {2, 2}}); }},
    {"max_pool_with_indices", {real({1, 2, 4, 4})}, [](auto& in) { max_pool_with_indices(in[0], {.kernel = {2, 2}}); }, "pool"},
    {"adaptive_pool", {real({1, 2, 4, 4})}, [](auto& in) { adaptive_pool(Pool::max, in[0], {2, 2}); }, "pool"},
    {"adaptive_max_pool_with_indices", {real({1, 2, 4, 4})}, [](auto& in) { adaptive_max_pool_with_indices(in[0], {2, 2}); }, "pool"},
    {"global_pool", {real({1, 2, 4, 4})}, [](auto& in) { global_pool(Pool::max, in[0]); }},
    {"max_unpool", {real({1, 2, 2, 2}), index({1, 2, 2, 2})}, [](auto& in) { max_unpool(in[0], in[1], {.kernel = {2, 2}}, {4, 4}); }},
    {"grid_sample", {real({1, 2, 4, 4}), real({1, 3, 3, 2})}, [](auto& in) { grid_sample(in[0], in[1]); }},
    {"affine_grid", {real({1, 2, 3})}, [](auto& in) { affine_grid(in[0], {1, 2, 4, 4}); }},
    {"projective_grid", {real({1, 3, 3})}, [](auto& in) { projective_grid(in[0], {1, 2, 4, 4}); }},
    {"thin_plate_grid", {real({1, 3, 2})}, [](auto& in) { thin_plate_grid(in[0], {{-1, -1}, {1, -1}, {0, 1}}, {1, 2, 4, 4}); }},
    {"box_grid", {real({1, 4})}, [](auto& in) { box_grid(in[0], {1, 2, 4, 4}); }},
    {"roi_align", {real({1, 2, 4, 4}), real({3, 4}), index({3})}, [](auto& in) { roi_align(in[0], in[1], in[2], {.bins = {2, 2}}); }},
    {"resize", {real({1, 2, 4, 4})}, [](auto& in) { resize(in[0], {.size = {6, 6}}); }},
    // ops/additive.hpp
    {"additive_score", {real({2, 3, 4}), real({2, 5, 4}), real({4})}, [](auto& in) { additive_score(in[0], in[1], in[2]); }},
    {"feature_attention", {real({2, 3, 4}), real({2, 5, 4}), real({2, 5, 4}), maybe(boolean({3, 5}))},
     [](auto& in) { feature_attention(in[0], in[1], in[2], {.mask = in[3]}); }},
    // ops/window.hpp
    {"dynamic_conv1d", {real({2, 5, 4}), real({2, 3})}, [](auto& in) { dynamic_conv1d(in[0], in[1]); }},
    {"dynamic_conv1d_mask", {any({2})}, [](auto& in) { dynamic_conv1d_mask(in[0], 5, 3); }},
    {"local_window", {index({2, 3}), maybe(index({2}))}, [](auto& in) { local_window(in[0], 5, {.lengths = in[1]}); }},
    {"local_gather", {any({2, 5, 4}), index({2, 3, 3}), boolean({2, 3, 3})}, [](auto& in) { local_gather(in[0], {in[1], in[2]}); }},
    {"gaussian_window", {real({2, 3}), number({3}), real({2, 1})}, [](auto& in) { gaussian_window(in[0], in[1], in[2], 1); }},
    // loss.hpp
    {"cross_entropy", {real({2, 3}), {DType::i32, {2}, {DType::boolean}}, maybe(real({3}))}, [](auto& in) { cross_entropy(in[0], in[1], {.weight = in[2]}); }},
    {"nll_loss", {real({2, 3}), index({2}), maybe(real({3}))}, [](auto& in) { nll_loss(in[0], in[1], {.weight = in[2]}); }},
    {"binary_cross_entropy", {real({2, 3}), real({2, 3}), maybe(real({3}))}, [](auto& in) { binary_cross_entropy(in[0], in[1], {.weight = in[2]}); }},
    {"binary_cross_entropy_with_logits", {real({2, 3}), real({2, 3}), maybe(real({3})), maybe(real({3}))},
     [](auto& in) { binary_cross_entropy_with_logits(in[0], in[1], {.weight = in[2], .positive_weight = in[3]}); }},
    {"mse_loss", {real({2, 3}), real({2, 3})}, [](auto& in) { mse_loss(in[0], in[1]); }},
    {"l1_loss", {real({2, 3}), real({2, 3})}, [](auto& in) { l1_loss(in[0], in[1]); }},
    {"smooth_l1_loss", {real({2, 3}), real({2, 3})}, [](auto& in) { smooth_l1_loss(in[0], in[1]); }},
    {"huber_loss", {real({2, 3}), real({2, 3})}, [](auto& in) { huber_loss(in[0], in[1]); }},
    {"hinge_loss", {real({2, 3}), real({2, 3})}, [](auto& in) { hinge_loss(in[0], in[1]); }},
    {"kl_loss", {real({2, 3}), real({2, 3})}, [](auto& in) { kl_loss(in[0], in[1]); }},
    {"dice_loss", {real({2, 3, 4}), real({2, 3, 4})}, [](auto& in) { dice_loss(in[0], in[1]); }},
    {"reinforce_loss", {real({2, 3}), index({2}), real({2}), maybe(real({2}))},
     [](auto& in) { reinforce_loss(in[0], in[1], in[2], {.baseline = in[3]}); }},
    // normalization.hpp
    {"standardize", {real({2, 3})}, [](auto& in) { standardize(in[0], {1}); }},
    {"layer_norm", {real({2, 3}), maybe(real({3})), maybe(real({3}))}, [](auto& in) { layer_norm(in[0], {.weight = in[1], .bias = in[2]}); }},
    {"rms_norm", {real({2, 3}), maybe(real({3})), maybe(real({3}))}, [](auto& in) { rms_norm(in[0], {.weight = in[1], .bias = in[2]}); }},
    {"group_norm", {real({2, 4, 3}), maybe(real({4})), maybe(real({4}))}, [](auto& in) { group_norm(in[0], {.groups = 2, .weight = in[1], .bias = in[2]}); }},
    {"instance_norm", {real({2, 4, 3}), maybe(real({4})), maybe(real({4}))}, [](auto& in) { instance_norm(in[0], {.weight = in[1], .bias = in[2]}); }},
    {"batch_norm", {real({2, 4, 3}), real({4}), real({4}), maybe(real({4})), maybe(real({4}))},
     [](auto& in) { batch_norm(in[0], in[1], in[2], {.weight = in[3], .bias = in[4]}); }},
    {"batch_norm_train", {real({2, 4, 3}), real({4}), real({4}), maybe(real({4})), maybe(real({4}))},
     [](auto& in) { batch_norm_train(in[0], in[1], in[2], {.weight = in[3], .bias = in[4]}); }},
    {"normalize", {real({2, 3})}, [](auto& in) { normalize(in[0]); }},
    // recurrent.hpp
    {"recurrent_cell", {real({2, 3}), real({2, 5}), real({5, 3}), real({5, 5}), maybe(real({5})), maybe(real({5}))},
     [](auto& in) { recurrent_cell(Cell::rnn_tanh, in[0], {in[1]}, {in[2], in[3], in[4], in[5]}); }, "rnn_tanh"},
    {"recurrent", {real({4, 2, 3}), real({5, 3}), real({5, 5}), maybe(real({5})), maybe(real({1, 2, 5})), maybe(index({2}))},
     [](auto& in) { recurrent(Cell::rnn_tanh, in[0], {{.forward = {in[1], in[2], in[3]}}}, {.h = in[4], .lengths = in[5]}); }, "rnn_tanh"},
    // optimizer.hpp
    {"sgd", {real({2, 3}), real({2, 3}), real({2, 3}), real({})}, [](auto& in) { sgd(in[0], in[1], in[2], in[3], {.momentum = 0.9f}); }},
    {"adam", {real({2, 3}), real({2, 3}), real({2, 3}), real({2, 3}), real({}), real({})},
     [](auto& in) { adam(in[0], in[1], {in[2], in[3]}, in[4], in[5]); }},
    {"rmsprop", {real({2, 3}), real({2, 3}), real({2, 3}), real({})}, [](auto& in) { rmsprop(in[0], in[1], {in[2]}, in[3]); }},
    {"adadelta", {real({2, 3}), real({2, 3}), real({2, 3}), real({2, 3}), real({})}, [](auto& in) { adadelta(in[0], in[1], {in[2], in[3]}, in[4]); }},
    {"clip_by_global_norm", {real({2, 3}), real({4})}, [](auto& in) { clip_by_global_norm(in, 1); }},
    {"clip_by_value", {real({2, 3}), real({4})}, [](auto& in) { clip_by_value({in[0], in[1]}, 1); }},
    // autodiff.hpp
    {"grad", {real({}), real({2}), maybe(real({}))}, [](auto& in) { grad(in[0], {in[1]}, {.seed = in[2]}); }},
    {"stop_gradient", {any({2})}, [](auto& in) { stop_gradient(in[0]); }},
    {"straight_through", {any({2}), any({2})}, [](auto& in) { straight_through(in[0], in[1]); }},
    {"custom_gradient", {any({2}), any({2})}, [](auto& in) { custom_gradient(in[0], {in[1]}, [](Tensor d) { return Tensors{d}; }); }},
}, {}};

// The call's inputs; `change` may alter operand i, or leave it out by returning false.
Tensors inputs(Graph& graph, const RightCall& call, const std::function<bool(std::size_t i, Slot&)>& change) {
  Tensors in;
  for (std::size_t i = 0; i < call.operands.size(); ++i) {
    Slot operand = call.operands[i];
    in.push_back(change(i, operand) ? graph.input("i" + std::to_string(i), operand.shape, operand.dtype) : Tensor());
  }
  return in;
}

std::string message_of(const Graph& graph) { return graph.error() ? graph.error()->message : std::string(); }

void check_names(const RightCall& call, const Graph& graph) {
  const std::string name = call.named ? call.named : call.function, message = message_of(graph);
  CHECK_MESSAGE(!message.empty(), "accepted");
  if (message.empty()) return;
  CHECK_MESSAGE(message.find(name) != std::string::npos, "\"", name, "\" is not in: ", message);
  CHECK_MESSAGE(message.find(call.file) != std::string::npos, "no place in: ", message);
}

}  // namespace

TEST_CASE("a right call is accepted") {
  for (const RightCall& call : right_calls()) {
    CAPTURE(std::string(call.function));
    for (bool optional : {true, false}) {
      Graph graph;
      call.make(inputs(graph, call, [&](std::size_t, Slot& operand) { return optional || !operand.optional; }));
      CHECK(message_of(graph) == "");
    }
  }
}

TEST_CASE("an absent operand is refused, and without any operand nothing happens") {
  for (const RightCall& call : right_calls()) {
    CAPTURE(std::string(call.function));
    for (std::size_t absent = 0; absent < call.operands.size(); ++absent) {
      if (call.operands[absent].optional || call.operands.size() == 1) continue;
      CAPTURE(absent);
      Graph graph;
      call.make(inputs(graph, call, [&](std::size_t i, Slot&) { return i != absent; }));
      check_names(call, graph);
    }
    call.make(Tensors(call.operands.size()));
  }
}

TEST_CASE("an operand of another type is refused") {
  for (const RightCall& call : right_calls()) {
    CAPTURE(std::string(call.function));
    for (std::size_t changed = 0; changed < call.operands.size(); ++changed)
      for (DType wrong : call.operands[changed].wrong) {
        CAPTURE(changed);
        CAPTURE(std::string(to_string(wrong)));
        Graph graph;
        call.make(inputs(graph, call, [&](std::size_t i, Slot& operand) {
          if (i == changed) operand.dtype = wrong;
          return true;
        }));
        check_names(call, graph);
        CHECK_MESSAGE(message_of(graph).find(to_string(wrong)) != std::string::npos, "no ", to_string(wrong), " in: ", message_of(graph));
      }
  }
}

TEST_CASE("an operand of two graphs is refused by both") {
  for (const RightCall& call : right_calls()) {
    if (call.operands.size() < 2 || call.operands[1].optional) continue;
    CAPTURE(std::string(call.function));
    Graph graph, other;
    Tensors in = inputs(graph, call, [](std::size_t, Slot&) { return true; });
    in[1] = other.input("elsewhere", call.operands[1].shape, call.operands[1].dtype);
    call.make(in);
    check_names(call, graph);
    check_names(call, other);
  }
}

TEST_CASE("concat of no tensor has no graph to tell: the result is absent") { CHECK(!concat({}, 0)); }

TEST_CASE("whatever the operands' shapes: refused with the function's name, or accepted and compiled") {
  const Shape shapes[] = {{}, {0}, {1}, {7}, {0, 3}, {2, 0}, {3, 2}, {1, 1, 1}, {2, 0, 3}, {1, 2, 0, 4}, {2, 3, 1, 2}, {1, 2, 1, 1, 3}, {1, 1, 1, 1, 1, 1, 1, 1}};
  for (const RightCall& call : right_calls()) {
    CAPTURE(std::string(call.function));
    for (std::size_t changed = 0; changed < call.operands.size(); ++changed)
      for (const Shape& shape : shapes) {
        CAPTURE(changed);
        CAPTURE(to_string(shape));
        Graph graph;
        call.make(inputs(graph, call, [&](std::size_t i, Slot& operand) {
          if (i == changed) operand.shape = shape;
          return true;
        }));
        if (graph.error()) {
          check_names(call, graph);
          continue;
        }
        ir::Graph& nodes = graph.ir();
        std::size_t outputs = 0;
        for (ir::ValueId id = 0; id < nodes.values.size(); ++id)
          if (nodes.value(id).producer != ir::none) graph.output("o" + std::to_string(outputs++), Tensor(&nodes, id));
        if (outputs == 0) continue;  // a constant, or an operand itself
        const auto program = compile::compile(nodes, DeviceCaps{}, {});
        CHECK_MESSAGE(program, program.error().message);
      }
  }
}
