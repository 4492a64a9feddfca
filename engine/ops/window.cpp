// Local windows over a sequence of keys: composed of elementwise operators and one gather.

#include <fovea/ops/window.hpp>

#include "ops/compose.hpp"
#include "ops/term.hpp"

#include <cmath>

namespace fovea {
namespace {

using ir::is_float;
using ops::constant_i32;
using ops::Term;

// 0 <= position < end, where end is i32 too.
Term within(Term position, Term end) {
  const Term zero{constant_i32(*position.tensor.graph(), 0), position.site};
  return of(Binary::logical_and, of(Binary::greater_equal, position, zero), of(Binary::less, position, end));
}

}  // namespace

LocalWindow local_window(Tensor centre, std::int64_t length, const LocalWindowDesc& desc, CallSite site) {
  if (ops::nothing_to_do("local_window", {centre, desc.lengths ? desc.lengths : centre}, site)) return {ops::poisoned(centre), ops::poisoned(centre)};
  const auto refuse = [&](const auto&... why) {
    const Tensor none = ops::refuse(centre, site, "local_window: ", why...);
    return LocalWindow{none, none};
  };
  const Shape shape = centre.shape();  // a copy: the graph grows
  const std::int64_t D = desc.half_width;
  if (centre.dtype() != DType::i32) return refuse("the centre is ", to_string(centre.dtype()), ", not i32");
  if (shape.rank() != 2) return refuse("the centre ", to_string(shape), " is not [B,Lq]");
  if (length < 0 || length > INT32_MAX) return refuse("length ", length, " is not in [0, 2^31)");
  if (D < 0 || D > (1 << 20)) return refuse("half_width ", D, " is not in [0, 2^20]");
  if (desc.lengths && (desc.lengths.dtype() != DType::i32 || desc.lengths.shape() != Shape{shape[0]}))
    return refuse("lengths are ", to_string(desc.lengths.dtype()), to_string(desc.lengths.shape()), ", not i32[", shape[0], "]");
  ir::Graph& graph = *centre.graph();
  const Term steps{ops::iota_i32(graph, {2 * D + 1}, -D), site};
  const Term positions = Term{reshape(centre, {shape[0], shape[1], 1}, site), site} + steps;
  Term end{constant_i32(graph, length), site};
  if (desc.lengths) end = of(Binary::min, Term{reshape(desc.lengths, {shape[0], 1, 1}, site), site}, end);
  return {positions.tensor, within(positions, end).tensor};
}

Tensor local_gather(Tensor x, const LocalWindow& window, CallSite site) {
  if (ops::nothing_to_do("local_gather", {x, window.positions, window.valid}, site)) return ops::poisoned(x);
  const Shape shape = x.shape(), where = window.positions.shape();
  const auto refuse = [&](const auto&... why) { return ops::refuse(x, site, "local_gather: ", why...); };
  if (shape.rank() < 2 || shape.rank() == max_rank) return refuse("x ", to_string(shape), " is not [B,L,...] of at most ", max_rank - 1, " axes");
  if (window.positions.dtype() != DType::i32 || window.valid.dtype() != DType::boolean || window.valid.shape() != where || where.rank() != 3)
    return refuse("positions ", to_string(window.positions.dtype()), to_string(where), " and valid ", to_string(window.valid.dtype()),
                  to_string(window.valid.shape()), " are not i32 and boolean [B,Lq,2D+1]");
  if (where[0] != shape[0]) return refuse("the window has ", where[0], " samples and x ", shape[0]);
  ir::Graph& graph = *x.graph();
  // Samples one after another; what a window lacks is past all of them, and reads zero.
  const std::int64_t B = shape[0], L = shape[1];
  const Term positions{window.positions, site}, length{constant_i32(graph, L), site}, past{constant_i32(graph, B * L), site};
  const Term sample{ops::iota_i32(graph, {B, 1, 1}), site};
  const Term exists = of(Binary::logical_and, Term{window.valid, site}, within(positions, length));
  std::vector<std::int64_t> rows{B * L};
  for (int axis = 2; axis < shape.rank(); ++axis) rows.push_back(shape[axis]);
  return index_select(reshape(x, rows, site), choose(exists, sample * length + positions, past).tensor, 0, site);
}

Tensor gaussian_window(Tensor p, Tensor positions, Tensor centre, float sigma, CallSite site) {
  if (ops::nothing_to_do("gaussian_window", {p, positions, centre}, site)) return ops::poisoned(p);
  const auto refuse = [&](const auto&... why) { return ops::refuse(p, site, "gaussian_window: ", why...); };
  if (!is_float(p.dtype())) return refuse("p is ", to_string(p.dtype()), ", not ", ir::float_types);
  if (!is_float(centre.dtype())) return refuse("the centre is ", to_string(centre.dtype()), ", not ", ir::float_types);
  if (!is_float(positions.dtype()) && positions.dtype() != DType::i32)
    return refuse("positions are ", to_string(positions.dtype()), ", not i32, ", ir::float_types);
  for (const auto& [name, operand] : {std::pair{"positions", positions}, {"the centre", centre}})
    if (!ir::broadcasts_to(operand.shape(), p.shape()))
      return refuse(name, " ", to_string(operand.shape()), " does not broadcast to p ", to_string(p.shape()));
  if (!(sigma > 0) || std::isinf(sigma)) return refuse("sigma ", sigma, " is not a positive number");
  const auto wide = [&](Tensor t) { return in(DType::f32, Term{t, site}); };
  const Term distance = (wide(positions) - wide(centre)) * (1 / static_cast<double>(sigma));
  return in(p.dtype(), wide(p) * of(Unary::exp, of(Unary::square, distance) * -0.5)).tensor;
}

}  // namespace fovea
