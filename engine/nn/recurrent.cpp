// Recurrent cells and their scans.

#include "nn/call.hpp"

#include <fovea/recurrent.hpp>

#include <numeric>

namespace fovea {

const char* to_string(Cell cell) {
  static constexpr const char* names[] = {"rnn_tanh", "rnn_relu", "lstm", "gru", "gru_reset_first"};
  return names[static_cast<std::size_t>(cell)];
}

namespace nn {
namespace {

std::int64_t gates_of(Cell cell) {
  if (cell == Cell::lstm) return 4;
  return cell == Cell::gru || cell == Cell::gru_reset_first ? 3 : 1;
}

// The part [i·n, i·n + n) of the innermost axis.
Term gate(Term gates, std::int64_t i, std::int64_t n) {
  return {slice(gates.tensor, {.axis = -1, .start = i * n, .stop = (i + 1) * n}, gates.site), gates.site};
}
Term rows(const Call& call, Tensor x, std::int64_t first, std::int64_t end) {
  return {x ? slice(x, {.axis = 0, .start = first, .stop = end}, call.site) : x, call.site};
}

// One direction of one layer, checked and ready to step.
class Stepper {
 public:
  Stepper(const Call& call, Cell cell, const CellWeights& weights)
      : call_(call), cell_(cell), weights_(weights), h_(weights.hidden.dim(1)) {}

  // x [..., I] -> its part of the gates [..., G·H].
  Tensor project(Tensor x) const { return linear(x, weights_.input, weights_.input_bias, Activation::none, call_.site); }

  CellState step(Tensor projected, const CellState& from) const {
    const Term x{projected, call_.site}, h{from.h, call_.site};
    if (cell_ == Cell::lstm) return lstm(x + product(h, weights_.hidden, weights_.hidden_bias), from);
    if (cell_ == Cell::gru) return {gru(x, product(h, weights_.hidden, weights_.hidden_bias), h).tensor};
    if (cell_ == Cell::gru_reset_first) return {gru_reset_first(x, h).tensor};
    const Unary activation = cell_ == Cell::rnn_tanh ? Unary::tanh : Unary::relu;
    return {of(activation, x + product(h, weights_.hidden, weights_.hidden_bias)).tensor};
  }

 private:
  Term product(Term h, Tensor weight, Tensor bias) const {
    return {linear(h.tensor, weight, bias, Activation::none, call_.site), call_.site};
  }
  Term sigmoid(Term gates, std::int64_t i) const { return of(Unary::sigmoid, gate(gates, i, h_)); }

  CellState lstm(Term gates, const CellState& from) const {
    const Term c = sigmoid(gates, 1) * Term{from.c, call_.site} + sigmoid(gates, 0) * of(Unary::tanh, gate(gates, 2, h_));
    return {(sigmoid(gates, 3) * of(Unary::tanh, c)).tensor, c.tensor};
  }
  // (1-z)·n + z·h
  static Term blend(Term z, Term n, Term h) { return n + z * (h - n); }
  Term gru(Term x, Term hidden, Term h) const {
    const Term r = of(Unary::sigmoid, gate(x, 0, h_) + gate(hidden, 0, h_));
    const Term z = of(Unary::sigmoid, gate(x, 1, h_) + gate(hidden, 1, h_));
    return blend(z, of(Unary::tanh, gate(x, 2, h_) + r * gate(hidden, 2, h_)), h);
  }
  Term gru_reset_first(Term x, Term h) const {
    const auto part = [&](Tensor weights, std::int64_t first, std::int64_t end) {
      return rows(call_, weights, first * h_, end * h_).tensor;
    };
    const Term first = product(h, part(weights_.hidden, 0, 2), part(weights_.hidden_bias, 0, 2));
    const Term r = of(Unary::sigmoid, gate(x, 0, h_) + gate(first, 0, h_));
    const Term z = of(Unary::sigmoid, gate(x, 1, h_) + gate(first, 1, h_));
    const Term hidden = product(r * h, part(weights_.hidden, 2, 3), part(weights_.hidden_bias, 2, 3));
    return blend(z, of(Unary::tanh, gate(x, 2, h_) + hidden), h);
  }

  const Call& call_;
  Cell cell_;
  const CellWeights& weights_;
  std::int64_t h_;
};

bool check_weights(const Call& call, Cell cell, const CellWeights& weights, std::int64_t inputs, std::int64_t h) {
  const std::int64_t gates = gates_of(cell) * h;
  return call.has_shape("the input weight", weights.input, {gates, inputs}) &&
         call.has_shape("the hidden weight", weights.hidden, {gates, h}) &&
         call.may_have_shape("the input bias", weights.input_bias, {gates}) &&
         call.may_have_shape("the hidden bias", weights.hidden_bias, {gates});
}

bool check_rank(const Call& call, const char* what, Tensor x, int rank) {
  return call.is_float(what, x) &&
         (x.shape().rank() == rank || call.refuse(what, ' ', to_string(x.shape()), " has rank ", x.shape().rank(), ", not ", rank));
}

// A sequence: its steps in order of time, of one direction, and the state behind the last of them.
struct Scanned {
  std::vector<Tensor> out;  // by step, [B,H]
  CellState last;
};

class Scan {
 public:
  Scan(const Call& call, Cell cell, Tensor x, const RecurrentDesc& desc)
      : call_(call), cell_(cell), steps_(x.dim(0)), batch_(x.dim(1)) {
    if (!desc.lengths) return;
    std::vector<std::int32_t> numbers(static_cast<std::size_t>(steps_));
    std::iota(numbers.begin(), numbers.end(), 0);
    const Term lengths = shaped(Term{desc.lengths, call.site}, {1, batch_, 1});
    running_ = of(Binary::greater, lengths, call.numbers({steps_, 1, 1}, numbers)).tensor;
  }

  Scanned run(Tensor x, const CellWeights& weights, CellState state, bool backward) const {
    const Stepper stepper(call_, cell_, weights);
    const Tensor projected = stepper.project(x);
    Scanned scanned{std::vector<Tensor>(static_cast<std::size_t>(steps_)), {}};
    for (std::int64_t i = 0; i < steps_; ++i) {
      const std::int64_t t = backward ? steps_ - 1 - i : i;
      const CellState next = stepper.step(at(projected, t), state);
      scanned.out[static_cast<std::size_t>(t)] = next.h;
      if (!running_) {
        state = next;
        continue;
      }
      const Term running{at(running_, t), call_.site};
      const auto held = [&](Tensor now, Tensor before) { return choose(running, Term{now, call_.site}, Term{before, call_.site}).tensor; };
      scanned.out[static_cast<std::size_t>(t)] = choose(running, Term{next.h, call_.site}, 0).tensor;
      state = {held(next.h, state.h), next.c ? held(next.c, state.c) : Tensor()};
    }
    scanned.last = state;
    return scanned;
  }

 private:
  // Step t of [T,B,N], as [B,N].
  Tensor at(Tensor x, std::int64_t t) const {
    const Term step = rows(call_, x, t, t + 1);
    return shaped(step, {x.dim(1), x.dim(2)}).tensor;
  }

  const Call& call_;
  Cell cell_;
  std::int64_t steps_, batch_;
  Tensor running_;  // [T,B,1], whether the step is one of the sequence's; absent: all are
};

bool check_layers(const Call& call, Cell cell, Tensor x, std::span<const RecurrentLayer> layers, const RecurrentDesc& desc) {
  if (!check_rank(call, "x", x, 3)) return false;
  if (layers.empty()) return call.refuse("no layer is given");
  const std::int64_t batch = x.dim(desc.batch_first ? 0 : 1), steps = x.dim(desc.batch_first ? 1 : 0);
  if (steps == 0) return call.refuse("x ", to_string(x.shape()), " has no step");
  if (!check_rank(call, "the hidden weight", layers[0].forward.hidden, 2)) return false;
  const std::int64_t h = layers[0].forward.hidden.dim(1);
  const bool both = static_cast<bool>(layers[0].backward.hidden);
  std::int64_t inputs = x.dim(2);
  for (const RecurrentLayer& layer : layers) {
    if (static_cast<bool>(layer.backward.hidden) != both) return call.refuse("some layers read both ways and some do not");
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

Tensor stacked(const std::vector<Tensor>& states, CallSite site) {
  std::vector<Tensor> parts;
  for (const Tensor state : states) parts.push_back(reshape(state, {1, state.dim(0), state.dim(1)}, site));
  return concat(parts, 0, site);
}

}  // namespace
}  // namespace nn

CellState recurrent_cell(Cell cell, Tensor x, const CellState& state, const CellWeights& weights, CallSite site) {
  const nn::Call call(to_string(cell), x, site);
  const CellState refused{call.nothing(), cell == Cell::lstm ? call.nothing() : Tensor()};
  if (!nn::check_rank(call, "x", x, 2) || !nn::check_rank(call, "h", state.h, 2)) return refused;
  const Shape& h = state.h.shape();
  if (!call.has_shape("h", state.h, {x.dim(0), h[1]}) || !nn::check_weights(call, cell, weights, x.dim(1), h[1])) return refused;
  if (cell == Cell::lstm && !call.has_shape("c", state.c, h)) return refused;
  const nn::Stepper stepper(call, cell, weights);
  return stepper.step(stepper.project(x), state);
}

RecurrentResult recurrent(Cell cell, Tensor x, std::span<const RecurrentLayer> layers, const RecurrentDesc& desc, CallSite site) {
  const nn::Call call(to_string(cell), x, site);
  const bool has_c = cell == Cell::lstm;
  if (!nn::check_layers(call, cell, x, layers, desc)) return {call.nothing(), call.nothing(), has_c ? call.nothing() : Tensor()};
  if (desc.batch_first) x = transpose(x, 0, 1, site);
  const nn::Scan scan(call, cell, x, desc);
  const std::int64_t batch = x.dim(1), h = layers[0].forward.hidden.dim(1);
  std::vector<Tensor> last_h, last_c;
  const auto first = [&](Tensor states) {  // of the direction that comes next
    const auto i = static_cast<std::int64_t>(last_h.size());
    if (!states) return broadcast_to(scalar(x, 0, site), {batch, h}, site);
    return shaped(nn::rows(call, states, i, i + 1), {batch, h}).tensor;
  };
  for (const RecurrentLayer& layer : layers) {
    std::vector<std::vector<Tensor>> directions;
    for (const CellWeights* weights : {&layer.forward, &layer.backward}) {
      if (!weights->hidden) continue;
      nn::Scanned scanned = scan.run(x, *weights, {first(desc.h), has_c ? first(desc.c) : Tensor()}, weights == &layer.backward);
      last_h.push_back(scanned.last.h);
      last_c.push_back(scanned.last.c);
      directions.push_back(std::move(scanned.out));
    }
    std::vector<Tensor> outs;
    for (const std::vector<Tensor>& steps : directions) outs.push_back(nn::stacked(steps, site));
    x = outs.size() == 1 ? outs[0] : concat(outs, 2, site);
  }
  return {desc.batch_first ? transpose(x, 0, 1, site) : x, nn::stacked(last_h, site), has_c ? nn::stacked(last_c, site) : Tensor()};
}

}  // namespace fovea
