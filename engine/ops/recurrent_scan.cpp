// recurrent_scan: shapes, errors, and its gradient.

#include "ops/recurrent.hpp"
#include "ops/vjp.hpp"

namespace fovea::ops {

static_assert(static_cast<int>(Cell::rnn_tanh) == CELL_RNN_TANH && static_cast<int>(Cell::rnn_relu) == CELL_RNN_RELU &&
              static_cast<int>(Cell::lstm) == CELL_LSTM && static_cast<int>(Cell::gru) == CELL_GRU &&
              static_cast<int>(Cell::gru_reset_first) == CELL_GRU_RESET_FIRST);

RecurrentSizes::RecurrentSizes(const NodeView& node)
    : T(node.in(0).shape[0]), B(node.in(0).shape[1]), H(node.in(1).shape[1]) {
  const int cell = static_cast<int>(node.attrs<RecurrentAttrs>().cell);
  gates = RECURRENT_GATES(cell), first_gates = RECURRENT_FIRST_GATES(cell), tape_parts = RECURRENT_TAPE_PARTS(cell);
}

namespace {

// Where the tape stands among the scan's results.
std::size_t tape_result(Cell cell) { return cell == Cell::lstm ? 3 : 2; }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<RecurrentAttrs>();
  const Shape &gates = context.shape(scan_gates), &weight = context.shape(scan_weight);
  const DType dtype = context.dtype(scan_gates);
  const std::int64_t G = gates_of(attrs.cell);
  const auto named = [&](const auto&... why) { context.fail(to_string(attrs.cell), ": ", why...); };
  if (gates.rank() != 3 || gates[0] == 0) return named("the gates ", to_string(gates), " are not [T,B,", G, "·H] of T > 0");
  if (weight.rank() != 2 || weight[0] != G * weight[1] || gates[2] != weight[0])
    return named("the hidden weight ", to_string(weight), " is not [", G, "·H,H] of the gates' ", to_string(gates));
  const Shape state{gates[1], weight[1]};
  const std::pair<std::size_t, Shape> floats[] = {{scan_weight, weight}, {scan_bias, {weight[0]}}, {scan_h, state}, {scan_c, state}};
  static constexpr const char* names[] = {"the gates", "the hidden weight", "the hidden bias", "h", "c"};
  for (const auto& [i, shape] : floats) {
    if (!context.has(i)) continue;
    if (context.shape(i) != shape) return named(names[i], " is ", to_string(context.shape(i)), ", not ", to_string(shape));
    if (context.dtype(i) != dtype || !ir::is_float(dtype))
      return named(names[i], " is ", to_string(context.dtype(i)), " and the gates are ", to_string(dtype));
  }
  if (!context.has(scan_h)) return named("h is absent");
  if (context.has(scan_c) != (attrs.cell == Cell::lstm)) return named(context.has(scan_c) ? "c is given" : "c is absent");
  if (context.has(scan_lengths) && (context.shape(scan_lengths) != Shape{state[0]} || context.dtype(scan_lengths) != DType::i32))
    return named("lengths are ", to_string(context.dtype(scan_lengths)), to_string(context.shape(scan_lengths)), ", not i32",
                 to_string(Shape{state[0]}));
  context.out = {{{gates[0], state[0], state[1]}, dtype}, {state, dtype}};
  if (attrs.cell == Cell::lstm) context.out.push_back({state, dtype});
  if (attrs.tape) context.out.push_back({{gates[0], state[0], RECURRENT_TAPE_PARTS(static_cast<int>(attrs.cell)) * state[1]}, dtype});
}

void infer_backward(InferContext& context) {
  const auto& attrs = context.attrs.as<RecurrentAttrs>();
  const Shape &tape = context.shape(back_tape), &weight = context.shape(back_weight);
  const DType dtype = context.dtype(back_tape);
  const ir::Type gates{{tape[0], tape[1], weight[0]}, dtype}, state{{tape[1], weight[1]}, dtype};
  context.out = {gates, state};
  if (attrs.cell == Cell::lstm) context.out.push_back(state);
  if (attrs.cell == Cell::gru) context.out.push_back(gates);
}

double flops(const NodeView& node) {
  const RecurrentSizes s(node);
  return 2.0 * static_cast<double>(s.T * s.B) * static_cast<double>(s.gates * s.H * s.H);
}

// Of the weight: the gates' gradients times the states that the product read, over all steps at once.
Tensor weight_gradient(const RecurrentAttrs& attrs, Tensor d_hidden, Tensor tape, std::int64_t n, CallSite site) {
  const std::int64_t steps = tape.dim(0) * tape.dim(1);
  const auto part = [&](Tensor x, std::int64_t first, std::int64_t end) {
    const Tensor taken = slice(x, {.axis = -1, .start = first * n, .stop = end * n}, site);
    return reshape(taken, {steps, (end - first) * n}, site);
  };
  const auto product = [&](Tensor d, Tensor state) { return matmul(d, state, {.transpose_a = true}, site); };
  const std::int64_t parts = RECURRENT_TAPE_PARTS(static_cast<int>(attrs.cell));
  const Tensor h = part(tape, parts - 1, parts);
  if (attrs.cell != Cell::gru_reset_first) return product(reshape(d_hidden, {steps, d_hidden.dim(2)}, site), h);
  const Tensor reset = binary(Binary::mul, part(tape, 0, 1), h, site);
  return concat({product(part(d_hidden, 0, 2), h), product(part(d_hidden, 2, 3), reset)}, 0, site);
}

bool vjp(Vjp& vjp) {
  RecurrentAttrs attrs = vjp.attrs<RecurrentAttrs>();
  const CallSite site = vjp.site;
  const std::size_t at = tape_result(attrs.cell);
  const bool had_tape = std::exchange(attrs.tape, true);
  if (had_tape && vjp.d(at)) return false;  // a second derivative goes through the steps
  const Shape &gates = vjp.in_shape(scan_gates), &weight = vjp.in_shape(scan_weight);
  const Shape tape_shape{gates[0], gates[1], RECURRENT_TAPE_PARTS(static_cast<int>(attrs.cell)) * weight[1]};
  const Tensor tape = had_tape ? vjp.out(at) : vjp.add_result(ir::Attrs::of(attrs), {tape_shape, vjp.in_dtype(scan_gates)});
  const Tensor in[] = {tape, vjp.in(scan_weight), vjp.d(0), vjp.d(1), at == 3 ? vjp.d(2) : Tensor(), vjp.in(scan_lengths)};
  attrs.tape = false;
  const std::vector<Tensor> d = append(recurrent_scan_backward_op, in, ir::Attrs::of(attrs), site);
  vjp.give(scan_gates, attrs.cell == Cell::gru ? d[2] : d[0]);
  if (vjp.wants(scan_weight)) vjp.give(scan_weight, weight_gradient(attrs, d[0], tape, weight[1], site));
  if (vjp.wants(scan_bias)) vjp.give(scan_bias, d[0]);
  vjp.give(scan_h, d[1]);
  if (attrs.cell == Cell::lstm) vjp.give(scan_c, d[2]);
  return true;
}

}  // namespace

extern constexpr OpDef recurrent_scan_op{.name = "recurrent_scan",
                                         .infer = infer,
                                         .required_inputs = 2,
                                         .decompose = decompose_recurrent_scan,
                                         .kernels = recurrent_scan_kernels,
                                         .vjp = vjp,
                                         .flops = flops};
extern constexpr OpDef recurrent_scan_backward_op{.name = "recurrent_scan_backward",
                                                  .infer = infer_backward,
                                                  .required_inputs = 2,
                                                  .decompose = decompose_recurrent_scan_backward,
                                                  .kernels = recurrent_scan_backward_kernels,
                                                  .flops = flops};

std::vector<Tensor> recurrent_scan(const ScanOperands& operands, const RecurrentAttrs& attrs, CallSite site) {
  const Tensor in[] = {operands.gates, operands.weight, operands.bias, operands.h, operands.c, operands.lengths};
  return append(recurrent_scan_op, in, ir::Attrs::of(attrs), site);
}

}  // namespace fovea::ops
