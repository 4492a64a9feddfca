// ONNX's layers beside those that have a counterpart in other corpora: recurrence, losses, dropout, unpooling.

#include "tests/conformance/compose.hpp"

#include <algorithm>

namespace fovea::conformance {
namespace {

// ---- Normalisations -----------------------------------------------------------------------------------------------

// x / (bias + alpha/size·sum)^beta, the sum of x² over `size` channels around each.
void lrn_node(CaseGraph& graph) {
  const Attrs& attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  const std::int64_t size = attrs.integer("size", 1), before = (size - 1) / 2, channels = x.dim(1);
  const Tensor squares = reshape(unary(Unary::square, x), {x.dim(0), 1, channels, -1});
  const Tensor sums = pool(Pool::average, squares, {.kernel = {size, 1},
                                                    .stride = {1, 1},
                                                    .padding_begin = {before, 0},
                                                    .padding_end = {size - 1 - before, 0},
                                                    .divisor = 1});
  const Tensor scale = reshape(sums, extents(x)) * static_cast<float>(attrs.number("alpha", 1e-4) / static_cast<double>(size)) +
                       static_cast<float>(attrs.number("bias", 1));
  graph.out_onnx(0, x / binary(Binary::pow, scale, scalar(x, static_cast<float>(attrs.number("beta", 0.75)))));
}

// (x - mean)/(deviation + 1e-9)
void mean_variance_node(CaseGraph& graph) {
  std::vector<std::int64_t> axes = graph.onnx_attrs().integers("axes");
  if (axes.empty()) axes = {0, 2, 3};
  graph.out_onnx(0, standardize(graph.onnx(0), axes, 1e-18f).value);
}

// Of inference; training draws numbers of its own unless it drops nothing.
void dropout_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const std::vector<float> ratio = graph.onnx_floats(1), training = graph.onnx_floats(2);
  if (!training.empty() && training[0] != 0 && (ratio.empty() || ratio[0] != 0))
    return graph.skip("Dropout in training: its numbers are those of another generator");
  graph.out_onnx(0, reshape(x, extents(x)));
  graph.out_onnx(1, broadcast_to(graph.mask({}, {1}), x.shape()));
}

// ---- Losses -------------------------------------------------------------------------------------------------------

ClassLossDesc loss_desc(CaseGraph& graph) {
  const Attrs& attrs = graph.onnx_attrs();
  const std::string reduction = attrs.text("reduction", "mean");
  ClassLossDesc desc{.weight = graph.onnx(2),
                     .reduction = reduction == "none" ? Reduction::none : reduction == "sum" ? Reduction::sum : Reduction::mean};
  if (attrs.has("ignore_index")) desc.ignore_index = attrs.integer("ignore_index", 0);
  return desc;
}
void nll_node(CaseGraph& graph) {
  graph.out_onnx(0, nll_loss(graph.onnx(0), graph.onnx(1), loss_desc(graph)));
}
void cross_entropy_node(CaseGraph& graph) {
  graph.out_onnx(0, cross_entropy(graph.onnx(0), graph.onnx(1), loss_desc(graph)));
  if (graph.wants_onnx(1)) graph.out_onnx(1, log_softmax(graph.onnx(0), {.axis = 1}));
}

// ---- Pictures -----------------------------------------------------------------------------------------------------

// The operator before Resize.
void upsample_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const std::vector<float> scales = graph.onnx_floats(1);
  if (scales.size() != static_cast<std::size_t>(x.shape().rank()) || scales.size() < 3) return graph.skip("Upsample with scales in attributes");
  const bool nearest = graph.onnx_attrs().text("mode", "nearest") == "nearest";
  graph.out_onnx(0, resize(x, {.scale = {scales.begin() + 2, scales.end()},
                               .interpolation = nearest ? Interpolation::nearest : Interpolation::linear,
                               .coordinates = ResizeCoordinates::asymmetric,
                               .rounding = ResizeRounding::floor}));
}

// Output extents of an operand, or those that the windows cover.
void max_unpool_node(CaseGraph& graph) {
  const Attrs& attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  PoolDesc window{.kernel = attrs.integers("kernel_shape"), .stride = attrs.integers("strides")};
  const std::size_t axes = window.kernel.size();
  if (axes != static_cast<std::size_t>(x.shape().rank() - 2) || attrs.has("pads")) return graph.skip("MaxUnpool with padding");
  if (window.stride.empty()) window.stride.assign(axes, 1);
  // The indices count in the extents that the windows cover, whatever the result's.
  std::vector<std::int64_t> covered = {x.dim(0), x.dim(1)};
  for (std::size_t i = 0; i < axes; ++i) covered.push_back((x.dim(static_cast<int>(i) + 2) - 1) * window.stride[i] + window.kernel[i]);
  const Shape shape{std::span<const std::int64_t>(covered)};
  const Tensor indices = graph.onnx(1) - plane_offsets(graph, shape);
  Tensor y = max_unpool(x, indices, window, std::span(covered).subspan(2));
  if (const std::vector<std::int64_t> size = graph.onnx_integers(2); size.size() == covered.size()) {
    PadDesc desc;
    for (std::size_t i = 0; i < size.size(); ++i) desc.amounts.push_back({0, size[i] - covered[i]});
    y = pad(y, desc);
  }
  graph.out_onnx(0, y);
}

// ---- Recurrence ---------------------------------------------------------------------------------------------------

// Blocks of rows [G·H, ...] in another order.
Tensor reordered(Tensor x, const std::vector<std::int64_t>& order) {
  if (!x || order.size() < 2) return x;
  const std::int64_t rows = x.dim(0) / static_cast<std::int64_t>(order.size());
  std::vector<Tensor> parts;
  for (std::int64_t gate : order) parts.push_back(part(x, 0, gate * rows, rows));
  return concat(parts, 0);
}

// Direction d of [D, rows, ...]; ONNX's gates are i,o,f,c of LSTM and z,r,h of GRU.
CellWeights onnx_weights(CaseGraph& graph, std::int64_t d, const std::vector<std::int64_t>& order) {
  const auto pick = [&](Tensor x) {
    std::vector<std::int64_t> shape = extents(x);
    shape.erase(shape.begin());
    return reshape(part(x, 0, d, 1), shape);
  };
  CellWeights weights{reordered(pick(graph.onnx(1)), order), reordered(pick(graph.onnx(2)), order), {}, {}};
  weights.forget_bias = 0;
  if (!graph.has_onnx(3)) return weights;
  const Tensor both = pick(graph.onnx(3));
  const std::int64_t half = both.dim(0) / 2;
  weights.input_bias = reordered(part(both, 0, 0, half), order);
  weights.hidden_bias = reordered(part(both, 0, half, half), order);
  return weights;
}

// X [T,B,I] and its results [T,D,B,H] and [D,B,H], or with layout 1 B first.
void run_recurrent(CaseGraph& graph, Cell cell, const std::vector<std::int64_t>& order) {
  const Attrs& attrs = graph.onnx_attrs();
  if (attrs.has("clip") || attrs.flag("input_forget")) return graph.skip("recurrence with clipped or coupled gates");
  if (cell == Cell::lstm && graph.has_onnx(7)) return graph.skip("LSTM with peepholes");
  const bool batch_first = attrs.flag("layout"), backward = attrs.text("direction") == "reverse", both = attrs.text("direction") == "bidirectional";
  const auto states_first = [&](Tensor x) { return x && batch_first ? transpose(x, 0, 1) : x; };
  Tensor x = batch_first ? transpose(graph.onnx(0), 0, 1) : graph.onnx(0);
  const Tensor lengths = graph.onnx(4);
  const auto reversed = [&](Tensor t) {
    return lengths ? reverse_sequence(t, lengths, {.batch_axis = 1, .sequence_axis = 0}) : flip(t, {0});
  };
  RecurrentLayer layer{onnx_weights(graph, 0, order), {}};
  if (both) layer.backward = onnx_weights(graph, 1, order);
  if (backward) x = reversed(x);
  const RecurrentResult result = recurrent(cell, x, std::vector{layer}, {.h = states_first(graph.onnx(5)), .c = states_first(graph.onnx(6)), .lengths = lengths});
  const std::int64_t directions = both ? 2 : 1;
  Tensor y = backward ? reversed(result.out) : result.out;
  y = reshape(y, {y.dim(0), y.dim(1), directions, y.dim(2) / directions});
  graph.out_onnx(0, batch_first ? permute(y, {1, 0, 2, 3}) : permute(y, {0, 2, 1, 3}));
  graph.out_onnx(1, states_first(result.h));
  if (result.c) graph.out_onnx(2, states_first(result.c));
}

// Whether the activations are these, as often as there are directions, or the default.
bool activations_are(const Attrs& attrs, const std::vector<std::string>& names) {
  const std::vector<std::string> given = attrs.texts("activations");
  for (std::size_t i = 0; i < given.size(); ++i)
    if (given[i] != names[i % names.size()]) return false;
  return true;
}

void lstm_node(CaseGraph& graph) {
  if (!activations_are(graph.onnx_attrs(), {"Sigmoid", "Tanh", "Tanh"})) return graph.skip("LSTM with other activations");
  run_recurrent(graph, Cell::lstm, {0, 2, 3, 1});
}
void gru_node(CaseGraph& graph) {
  if (!activations_are(graph.onnx_attrs(), {"Sigmoid", "Tanh"})) return graph.skip("GRU with other activations");
  run_recurrent(graph, graph.onnx_attrs().flag("linear_before_reset") ? Cell::gru : Cell::gru_reset_first, {1, 0, 2});
}
void rnn_node(CaseGraph& graph) {
  const bool tanh = activations_are(graph.onnx_attrs(), {"Tanh"});
  if (!tanh && !activations_are(graph.onnx_attrs(), {"Relu"})) return graph.skip("RNN with other activations");
  run_recurrent(graph, tanh ? Cell::rnn_tanh : Cell::rnn_relu, {0});
}

constexpr Adapter adapters[] = {
    {"onnx.Dropout", dropout_node},
    {"onnx.GRU", gru_node, 3},
    {"onnx.LRN", lrn_node},
    {"onnx.LSTM", lstm_node, 3},
    {"onnx.MaxUnpool", max_unpool_node, 2},
    {"onnx.MeanVarianceNormalization", mean_variance_node},
    {"onnx.NegativeLogLikelihoodLoss", nll_node, 2},
    {"onnx.RNN", rnn_node, 3},
    {"onnx.SoftmaxCrossEntropyLoss", cross_entropy_node, 2},
    {"onnx.Upsample", upsample_node, 2},
};

}  // namespace

std::span<const Adapter> onnx_layer_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
