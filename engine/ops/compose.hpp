#pragma once
// What operators composed of others share: refusing, and constants.

#include "ops/op_def.hpp"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <utility>
#include <vector>

namespace fovea::ops {

// What an operator returns that appends nothing: a value of an empty shape, in a graph that has its error.
inline Tensor poisoned(Tensor like) { return {like.graph(), ir::none}; }

// Whether there is nothing to compose: an operand is absent or of another graph (the graphs are told), or the graph has its
// error already.
inline bool nothing_to_do(const char* op, std::span<const Tensor> operands, CallSite site) {
  const auto present = std::find_if(operands.begin(), operands.end(), [](Tensor t) { return static_cast<bool>(t); });
  if (present == operands.end()) return true;  // no graph to tell
  std::size_t number = 0;
  for (Tensor operand : operands) {
    if (!operand) present->graph()->fail(cat(op, ": operand ", number, " is ", ir::absent), site);
    if (operand && operand.graph() != present->graph())
      for (ir::Graph* graph : {present->graph(), operand.graph()})
        graph->fail(cat(op, ": operand ", number, " and another are of two different graphs"), site);
    ++number;
  }
  return present->graph()->error.has_value();
}
inline bool nothing_to_do(const char* op, std::initializer_list<Tensor> operands, CallSite site) {
  return nothing_to_do(op, std::span(operands.begin(), operands.size()), site);
}

// Whether all operands are of one float type; the graph is told of the first that is not.
inline bool are_real(const char* op, std::initializer_list<std::pair<const char*, Tensor>> operands, CallSite site) {
  const DType first = operands.begin()->second.dtype();
  for (const auto& [name, operand] : operands) {
    if (!ir::is_float(operand.dtype()))
      operand.graph()->fail(cat(op, ": ", name, " is ", to_string(operand.dtype()), ", not ", ir::float_types), site);
    else if (operand.dtype() != first)
      operand.graph()->fail(cat(op, ": ", name, " is ", to_string(operand.dtype()), " and ", operands.begin()->first, " is ", to_string(first)), site);
  }
  return !operands.begin()->second.graph()->error;
}

// The sticky error of an operand's graph; nothing is appended.
template <class... Why>
Tensor refuse(Tensor operand, CallSite site, const Why&... why) {
  if (!operand) return operand;  // no graph to tell
  operand.graph()->fail(cat(why...), site);
  return poisoned(operand);
}

inline Tensor constant(ir::Graph& graph, const ir::Type& type, std::span<const std::byte> bytes, CallSite site = {}) {
  return {&graph, graph.add_constant(type, {bytes.begin(), bytes.end()}, site)};
}
inline Tensor constant(ir::Graph& graph, const Shape& shape, std::span<const float> values, CallSite site = {}) {
  return constant(graph, {shape, DType::f32}, std::as_bytes(values), site);
}
inline Tensor constant(ir::Graph& graph, const Shape& shape, std::span<const std::int32_t> values, CallSite site = {}) {
  return constant(graph, {shape, DType::i32}, std::as_bytes(values), site);
}
inline Tensor constant_i32(ir::Graph& graph, std::int64_t value) {
  const auto one = static_cast<std::int32_t>(value);
  return constant(graph, Shape{}, std::span(&one, 1));
}
// An i32 tensor, within [0, most].
inline Tensor clamp_i32(Tensor x, std::int64_t most, CallSite site) {
  ir::Graph& graph = *x.graph();
  return binary(Binary::min, binary(Binary::max, x, constant_i32(graph, 0), site), constant_i32(graph, most), site);
}
// first, first + 1, ... as a tensor of this shape.
inline Tensor iota_i32(ir::Graph& graph, const Shape& shape, std::int64_t first = 0) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(first + static_cast<std::int64_t>(i));
  return constant(graph, shape, values);
}

}  // namespace fovea::ops
