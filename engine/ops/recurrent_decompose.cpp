// recurrent_scan and its gradient as operators of their own, step for step: where no kernel fits, and for derivatives of
// the gradient.

#include "ops/compose.hpp"
#include "ops/recurrent.hpp"
#include "ops/term.hpp"

namespace fovea::ops {
namespace {

// What both ways share: the sizes, and what is taken of values.
struct Steps {
  Steps(const Builder& builder, const NodeView& node, Tensor lengths)
      : sizes(node), attrs(node.attrs<RecurrentAttrs>()), site(builder.site) {
    if (!lengths) return;
    const Term ends = shaped(Term{lengths, site}, {1, sizes.B, 1});
    running = of(Binary::greater, ends, {iota_i32(builder.graph, {sizes.T, 1, 1}), site}).tensor;
  }

  const RecurrentSizes sizes;
  const RecurrentAttrs& attrs;
  const CallSite site;
  Tensor running;  // [T,B,1], whether the step is one of the sequence's; absent: all are

  // Step t of [T,B,N], as [B,N].
  Term at(Tensor x, std::int64_t t) const {
    return shaped({slice(x, {.axis = 0, .start = t, .stop = t + 1}, site), site}, {x.dim(1), x.dim(2)});
  }
  // Parts first..end of the innermost axis, each H wide.
  Term parts(Term x, std::int64_t first, std::int64_t end) const {
    return {slice(x.tensor, {.axis = -1, .start = first * sizes.H, .stop = end * sizes.H}, site), site};
  }
  Term part(Term x, std::int64_t i) const { return parts(x, i, i + 1); }
  Tensor rows(Tensor x, std::int64_t first, std::int64_t end) const {
    return x ? slice(x, {.axis = 0, .start = first * sizes.H, .stop = end * sizes.H}, site) : x;
  }
  Term held(std::int64_t t, Term now, Term before) const { return running ? choose(at(running, t), now, before) : now; }
  Term zero_past_end(std::int64_t t, Term x) const { return running ? choose(at(running, t), x, 0) : x; }
  // [B,N] of every step, as [T,B,N].
  Tensor stacked(const std::vector<Tensor>& steps) const {
    return shaped({concat(steps, 0, site), site}, {sizes.T, sizes.B, steps[0].dim(1)}).tensor;
  }
  Term times(Term x, Tensor weight, bool transposed, Tensor bias = {}) const {
    return {matmul(x.tensor, weight, {.transpose_b = transposed, .bias = bias}, site), site};
  }
};

Term sigmoid(Term x) { return of(Unary::sigmoid, x); }
Term tanh(Term x) { return of(Unary::tanh, x); }

struct Stepped {
  Term h, c{};
  std::vector<Tensor> tape{};  // its parts
};

Stepped lstm_step(const Steps& steps, Term gates, Term h, Term c) {
  const Term i = sigmoid(steps.part(gates, 0)), f = sigmoid(steps.part(gates, 1));
  const Term g = tanh(steps.part(gates, 2)), o = sigmoid(steps.part(gates, 3));
  const Term next = f * c + i * g;
  return {o * tanh(next), next, {i.tensor, f.tensor, g.tensor, o.tensor, c.tensor, h.tensor}};
}

Stepped gru_step(const Steps& steps, Term x, Term h, Tensor weight, Tensor bias) {
  const bool reset_first = steps.attrs.cell == Cell::gru_reset_first;
  const std::int64_t first = steps.sizes.first_gates;
  const Term hidden = steps.times(h, steps.rows(weight, 0, first), true, steps.rows(bias, 0, first));
  const Term r = sigmoid(steps.part(x, 0) + steps.part(hidden, 0)), z = steps.part(x, 1) + steps.part(hidden, 1);
  const Term k = sigmoid(steps.attrs.update == GruUpdate::z_takes ? -z : z);
  const Term n_hidden = reset_first ? steps.times(r * h, steps.rows(weight, 2, 3), true, steps.rows(bias, 2, 3)) : steps.part(hidden, 2);
  const Term n = tanh(steps.part(x, 2) + (reset_first ? n_hidden : r * n_hidden));
  Stepped next{n + k * (h - n), {}, {r.tensor, k.tensor, n.tensor}};
  if (!reset_first) next.tape.push_back(n_hidden.tensor);
  next.tape.push_back(h.tensor);
  return next;
}

Stepped step(const Steps& steps, Term x, Term h, Term c, Tensor weight, Tensor bias) {
  if (steps.attrs.cell >= Cell::gru) return gru_step(steps, x, h, weight, bias);
  const Term gates = x + steps.times(h, weight, true, bias);
  if (steps.attrs.cell == Cell::lstm) return lstm_step(steps, gates, h, c);
  const Term next = steps.attrs.cell == Cell::rnn_tanh ? tanh(gates) : of(Unary::relu, gates);
  return {next, {}, {next.tensor, h.tensor}};
}

// The gradients of the hidden parts of the gates, of the states before the step but for what goes through the product, and
// of gru that of n's input part.
struct SteppedBack {
  std::vector<Term> gates;
  Term h{}, c{}, n_input{};
};
Term of_sigmoid(Term d, Term y) { return d * y * (1 - y); }
Term of_tanh(Term d, Term y) { return d * (1 - of(Unary::square, y)); }

SteppedBack lstm_back(const Steps& steps, Term tape, Term dh, Term dc) {
  const auto part = [&](std::int64_t k) { return steps.part(tape, k); };
  const Term i = part(0), f = part(1), g = part(2), o = part(3), c = part(4), t = tanh(f * c + i * g);
  const Term d = dc + of_tanh(dh * o, t);
  return {{of_sigmoid(d * g, i), of_sigmoid(d * c, f), of_tanh(d * i, g), of_sigmoid(dh * t, o)}, {}, d * f};
}

SteppedBack gru_back(const Steps& steps, Term tape, Term dh, Tensor weight) {
  const bool reset_first = steps.attrs.cell == Cell::gru_reset_first;
  const Term r = steps.part(tape, 0), k = steps.part(tape, 1), n = steps.part(tape, 2);
  const Term h = steps.part(tape, steps.sizes.tape_parts - 1);
  const Term dn = of_tanh(dh * (1 - k), n), keeps = of_sigmoid(dh * (h - n), k);
  const Term dz = steps.attrs.update == GruUpdate::z_takes ? -keeps : keeps;
  if (!reset_first) return {{of_sigmoid(dn * steps.part(tape, 3), r), dz, dn * r}, dh * k, {}, dn};
  const Term d_reset = steps.times(dn, steps.rows(weight, 2, 3), false);
  return {{of_sigmoid(d_reset * h, r), dz, dn}, dh * k + d_reset * r};
}

SteppedBack step_back(const Steps& steps, Term tape, Term dh, Term dc, Tensor weight) {
  if (steps.attrs.cell == Cell::lstm) return lstm_back(steps, tape, dh, dc);
  if (steps.attrs.cell >= Cell::gru) return gru_back(steps, tape, dh, weight);
  const Term y = steps.part(tape, 0);
  return {{steps.attrs.cell == Cell::rnn_tanh ? of_tanh(dh, y) : choose(of(Binary::greater, y, 0), dh, 0)}};
}

}  // namespace

bool decompose_recurrent_scan(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const Steps steps(builder, node, in[scan_lengths]);
  const std::int64_t T = steps.sizes.T;
  Term h{in[scan_h], steps.site}, c{in[scan_c], steps.site};
  std::vector<Tensor> outs(static_cast<std::size_t>(T)), tapes = outs;
  for (std::int64_t i = 0; i < T; ++i) {
    const std::int64_t t = time_of(i, steps.sizes, steps.attrs.reverse);
    const Stepped next = step(steps, steps.at(in[scan_gates], t), h, c, in[scan_weight], in[scan_bias]);
    outs[static_cast<std::size_t>(t)] = steps.zero_past_end(t, next.h).tensor;
    if (steps.attrs.tape) tapes[static_cast<std::size_t>(t)] = concat(next.tape, -1, steps.site);
    h = steps.held(t, next.h, h);
    if (c.tensor) c = steps.held(t, next.c, c);
  }
  std::size_t result = 0;
  out[result++] = steps.stacked(outs);
  out[result++] = h.tensor;
  if (c.tensor) out[result++] = c.tensor;
  if (steps.attrs.tape) out[result] = steps.stacked(tapes);
  return true;
}

bool decompose_recurrent_scan_backward(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const Steps steps(builder, node, in[back_lengths]);
  const std::int64_t T = steps.sizes.T;
  const Cell cell = steps.attrs.cell;
  const Term zero{broadcast_to(scalar(in[back_tape], 0, steps.site), {steps.sizes.B, steps.sizes.H}, steps.site), steps.site};
  const auto arrives = [&](std::uint32_t operand) { return in[operand] ? Term{in[operand], steps.site} : zero; };
  Term dh = arrives(back_d_h), dc = cell == Cell::lstm ? arrives(back_d_c) : Term{};
  std::vector<Tensor> d_hidden(static_cast<std::size_t>(T)), d_input = d_hidden;
  for (std::int64_t i = 0; i < T; ++i) {
    const std::int64_t t = time_of(i, steps.sizes, !steps.attrs.reverse);
    const Term d_all = in[back_d_out] ? dh + steps.at(in[back_d_out], t) : dh;
    SteppedBack d = step_back(steps, steps.at(in[back_tape], t), d_all, dc, in[back_weight]);
    std::vector<Tensor> of_gates;
    for (const Term& gate : d.gates) of_gates.push_back(steps.zero_past_end(t, gate).tensor);
    d_hidden[static_cast<std::size_t>(t)] = concat(of_gates, -1, steps.site);
    const Term first{concat(std::span(of_gates).first(static_cast<std::size_t>(steps.sizes.first_gates)), -1, steps.site), steps.site};
    if (cell == Cell::gru) {
      of_gates[2] = steps.zero_past_end(t, d.n_input).tensor;
      d_input[static_cast<std::size_t>(t)] = concat(of_gates, -1, steps.site);
    }
    const Term through = steps.times(first, steps.rows(in[back_weight], 0, steps.sizes.first_gates), false);
    dh = d.h.tensor || steps.running ? through + steps.held(t, d.h.tensor ? d.h : zero, dh) : through;
    if (cell == Cell::lstm) dc = steps.held(t, d.c, dc);
  }
  out[0] = steps.stacked(d_hidden);
  out[1] = dh.tensor;
  if (cell == Cell::lstm) out[2] = dc.tensor;
  if (cell == Cell::gru) out[2] = steps.stacked(d_input);
  return true;
}

}  // namespace fovea::ops
