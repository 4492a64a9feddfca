// Recurrent cells and their scans: checks, and what surrounds the scan of one direction.

#include "nn/call.hpp"
#include "ops/recurrent.hpp"

#include <algorithm>

namespace fovea {

const char* to_string(Cell cell) {
  static constexpr const char* names[] = {"rnn_tanh", "rnn_relu", "lstm", "gru", "gru_reset_first"};
  return enum_name(names, cell);
}
const char* to_string(GruUpdate update) {
  static constexpr const char* names[] = {"z_keeps", "z_takes"};
  return enum_name(names, update);
}

namespace nn {
namespace {

// The letters of the gates in the order in which the kernels have them; of cells with one gate none.
std::string_view letters_of(Cell cell) {
  if (cell == Cell::lstm) return "ifgo";
  return cell == Cell::gru || cell == Cell::gru_reset_first ? "rzn" : "";
}

bool check_weights(const Call& call, Cell cell, const CellWeights& weights, std::int64_t inputs, std::int64_t h) {
  const std::string_view letters = letters_of(cell);
  if (!weights.gates.empty() && !std::is_permutation(weights.gates.begin(), weights.gates.end(), letters.begin(), letters.end()))
    return call.refuse("gates \"", weights.gates, "\" are no order of \"", letters, '"');
  const float forget_bias = weights.forget_bias.value_or(0);
  if (forget_bias != 0 && cell != Cell::lstm) return call.refuse("forget_bias is ", forget_bias, ", and it has no f");
  if (!call.is_finite("forget_bias", forget_bias)) return false;
  const std::int64_t gates = ops::gates_of(cell) * h;
  if (!call.is_known("update", weights.update)) return false;
  if (weights.update != GruUpdate::z_keeps && cell < Cell::gru)
    return call.refuse("its weights are made for ", to_string(weights.update), ", and it has no z");
  return call.has_shape("the input weight", weights.input, {gates, inputs}) &&
         call.has_shape("the hidden weight", weights.hidden, {gates, h}) &&
         call.may_have_shape("the input bias", weights.input_bias, {gates}) &&
         call.may_have_shape("the hidden bias", weights.hidden_bias, {gates});
}

// What errors call the layer.
const char* name_of(Cell cell, const char* function) { return is_enumerator(cell) ? to_string(cell) : function; }

bool check_rank(const Call& call, const char* what, Tensor x, int rank) {
  return call.is_float(what, x) &&
         (x.shape().rank() == rank || call.refuse(what, ' ', to_string(x.shape()), " has rank ", x.shape().rank(), ", not ", rank));
}

// The gates along the first axis in the kernels' order; an absent tensor stays absent.
Tensor in_order(Tensor x, Cell cell, std::string_view gates, CallSite site) {
  const std::string_view letters = letters_of(cell);
  if (!x || gates.empty() || gates == letters) return x;
  const std::int64_t h = x.dim(0) / static_cast<std::int64_t>(letters.size());
  std::vector<Tensor> parts;
  for (char letter : letters) {
    const auto at = static_cast<std::int64_t>(gates.find(letter));
    parts.push_back(slice(x, {.axis = 0, .start = at * h, .stop = (at + 1) * h}, site));
  }
  return concat(parts, 0, site);
}

// The input bias with the forget bias.
Tensor with_forget_bias(const Call& call, Cell cell, Tensor bias, const CellWeights& weights) {
  const bool begins = cell == Cell::lstm && !weights.input_bias && !weights.hidden_bias;
  const float forget_bias = weights.forget_bias.value_or(begins ? 1.0f : 0.0f);
  if (forget_bias == 0) return bias;
  const std::int64_t h = weights.hidden.dim(1);
  std::vector<float> values(static_cast<std::size_t>(4 * h), 0);
  std::fill_n(values.begin() + h, h, forget_bias);
  const Term added = ops::in(weights.input.dtype(), {ops::constant(*weights.input.graph(), {4 * h}, values, call.site), call.site});
  return bias ? (Term{bias, call.site} + added).tensor : added.tensor;
}

// One direction of one layer over x [T,B,I]: out, last h, and of lstm the last c.
std::vector<Tensor> scan(const Call& call, Cell cell, Tensor x, const CellWeights& weights, const CellState& from,
                         Tensor lengths = {}, bool reverse = false) {
  const auto ordered = [&](Tensor of_gates) { return in_order(of_gates, cell, weights.gates, call.site); };
  const Tensor bias = with_forget_bias(call, cell, ordered(weights.input_bias), weights);
  const Tensor gates = linear(x, ordered(weights.input), bias, Activation::none, call.site);
  return ops::recurrent_scan({gates, ordered(weights.hidden), ordered(weights.hidden_bias), from.h, from.c, lengths},
                             {.cell = cell, .update = weights.update, .reverse = reverse}, call.site);
}

bool check_layers(const Call& call, Cell cell, Tensor x, std::span<const RecurrentLayer> layers, const RecurrentDesc& desc) {
  if (!call.is_known("cell", cell) || !check_rank(call, "x", x, 3)) return false;
  if (layers.empty()) return call.refuse("no layer is given");
  const std::int64_t batch = x.dim(desc.batch_first ? 0 : 1), steps = x.dim(desc.batch_first ? 1 : 0);
  if (steps == 0) return call.refuse("x ", to_string(x.shape()), " has no step");
  if (!check_rank(call, "the hidden weight", layers[0].forward.hidden, 2)) return false;
  const std::int64_t h = layers[0].forward.hidden.dim(1);
  const bool both = static_cast<bool>(layers[0].backward.hidden);
  std::int64_t inputs = x.dim(2);
  for (const RecurrentLayer& layer : layers) {
    if (static_cast<bool>(layer.backward.hidden) != both) return call.refuse("some layers read both ways and some do not");
    if (layer.backward.input && !both) return call.refuse("a layer has an input weight for the way back, and no hidden one");
    if (!check_weights(call, cell, layer.forward, inputs, h)) return false;
    if (both && !check_weights(call, cell, layer.backward, inputs, h)) return false;
    inputs = both ? 2 * h : h;
  }
  const Shape states{static_cast<std::int64_t>(layers.size()) * (both ? 2 : 1), batch, h};
  if (!call.may_have_shape("h", desc.h, states) || !call.may_have_shape("c", desc.c, states)) return false;
  if (desc.c && cell != Cell::lstm) return call.refuse("c is given, and ", to_string(cell), " has none");
  if (!desc.lengths) return true;
  if (!call.is_i32("lengths", desc.lengths)) return false;
  return desc.lengths.shape() == Shape{batch} ||
         call.refuse("lengths are ", to_string(desc.lengths.shape()), ", not ", to_string(Shape{batch}));
}

// x [T,B,I] with zeros past the end of each sequence: whatever stands there, no product meets it.
Tensor without_padding(const Call& call, Tensor x, Tensor lengths) {
  const Term step{ops::iota_i32(*x.graph(), {x.dim(0), 1, 1}), call.site};
  const Term length = shaped(Term{lengths, call.site}, {1, x.dim(1), 1});
  return choose(of(Binary::less, step, length), Term{x, call.site}, 0).tensor;
}

// Lengths of one step, or of none where the mask is false.
Tensor one_or_none(const Call& call, Tensor mask) {
  ir::Graph& graph = *mask.graph();
  return select(mask, ops::constant_i32(graph, 1), ops::constant_i32(graph, 0), call.site);
}

// States [B,H] as [layers·directions, B, H].
Tensor stacked(const std::vector<Tensor>& states, CallSite site) {
  const Tensor rows = states.size() == 1 ? states[0] : concat(states, 0, site);
  return reshape(rows, {static_cast<std::int64_t>(states.size()), states[0].dim(0), states[0].dim(1)}, site);
}

}  // namespace
}  // namespace nn

CellState recurrent_cell(Cell cell, Tensor x, const CellState& state, const CellWeights& weights, const CellDesc& desc, CallSite site) {
  const nn::Call call(nn::name_of(cell, "recurrent_cell"),
                      {x, state.h, state.c, weights.input, weights.hidden, weights.input_bias, weights.hidden_bias, desc.mask}, site);
  const CellState refused{call.nothing(), cell == Cell::lstm ? call.nothing() : Tensor()};
  if (!call.is_known("cell", cell) || !nn::check_rank(call, "x", x, 2) || !nn::check_rank(call, "h", state.h, 2)) return refused;
  const Shape& h = state.h.shape();
  if (!call.has_shape("h", state.h, {x.dim(0), h[1]}) || !nn::check_weights(call, cell, weights, x.dim(1), h[1])) return refused;
  if (cell == Cell::lstm && !call.has_shape("c", state.c, h)) return refused;
  if (desc.mask && !call.is_boolean("the mask", desc.mask, {x.dim(0)})) return refused;
  Tensor step = reshape(x, {1, x.dim(0), x.dim(1)}, site), steps;  // a sample's are one, or none
  if (desc.mask) steps = nn::one_or_none(call, desc.mask), step = nn::without_padding(call, step, steps);
  const std::vector<Tensor> after = nn::scan(call, cell, step, weights, state, steps);
  return {after[1], cell == Cell::lstm ? after[2] : Tensor()};
}

RecurrentResult recurrent(Cell cell, Tensor x, std::span<const RecurrentLayer> layers, const RecurrentDesc& desc, CallSite site) {
  std::vector<Tensor> operands{x, desc.h, desc.c, desc.lengths};
  for (const RecurrentLayer& layer : layers)
    for (const CellWeights* weights : {&layer.forward, &layer.backward})
      operands.insert(operands.end(), {weights->input, weights->hidden, weights->input_bias, weights->hidden_bias});
  const nn::Call call(nn::name_of(cell, "recurrent"), operands, site);
  const bool has_c = cell == Cell::lstm;
  if (!nn::check_layers(call, cell, x, layers, desc)) return {call.nothing(), call.nothing(), has_c ? call.nothing() : Tensor()};
  if (desc.batch_first) x = transpose(x, 0, 1, site);
  if (desc.lengths) x = nn::without_padding(call, x, desc.lengths);
  const std::int64_t batch = x.dim(1), h = layers[0].forward.hidden.dim(1);
  const Tensor zeros = desc.h && (desc.c || !has_c) ? Tensor() : broadcast_to(scalar(x, 0, site), {batch, h}, site);
  std::vector<Tensor> last_h, last_c;
  const auto first = [&](Tensor states) {  // of the direction that comes next
    const auto i = static_cast<std::int64_t>(last_h.size());
    return states ? reshape(slice(states, {.axis = 0, .start = i, .stop = i + 1}, site), {batch, h}, site) : zeros;
  };
  for (const RecurrentLayer& layer : layers) {
    std::vector<Tensor> outs;
    for (const CellWeights* weights : {&layer.forward, &layer.backward}) {
      if (!weights->hidden) continue;
      const CellState from{first(desc.h), has_c ? first(desc.c) : Tensor()};
      const std::vector<Tensor> scanned = nn::scan(call, cell, x, *weights, from, desc.lengths, weights == &layer.backward);
      outs.push_back(scanned[0]);
      last_h.push_back(scanned[1]);
      if (has_c) last_c.push_back(scanned[2]);
    }
    x = outs.size() == 1 ? outs[0] : concat(outs, 2, site);
  }
  return {desc.batch_first ? transpose(x, 0, 1, site) : x, nn::stacked(last_h, site), has_c ? nn::stacked(last_c, site) : Tensor()};
}

RecurrentResult recurrent(Cell cell, Tensor x, std::initializer_list<RecurrentLayer> layers, const RecurrentDesc& desc,
                          CallSite site) {
  return recurrent(cell, x, std::span(layers.begin(), layers.size()), desc, site);
}

}  // namespace fovea
