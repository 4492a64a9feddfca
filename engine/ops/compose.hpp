#pragma once
// What operators composed of others share: refusing, and constants of integers.

#include "ops/op_def.hpp"

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace fovea::ops {

// What an operator returns that appends nothing: a value of an empty shape, in a graph that has its error.
inline Tensor poisoned(Tensor like) { return {like.graph(), ir::none}; }

// Whether there is nothing to compose: an operand is absent (the graph is told), or the graph has its error already.
inline bool nothing_to_do(const char* op, std::initializer_list<Tensor> operands, CallSite site) {
  const auto present = std::find_if(operands.begin(), operands.end(), [](Tensor t) { return static_cast<bool>(t); });
  if (present == operands.end()) return true;  // no graph to tell
  std::size_t number = 0;
  for (Tensor operand : operands) {
    if (!operand) present->graph()->fail(cat(op, ": operand ", number, " is absent"), site);
    ++number;
  }
  return present->graph()->error.has_value();
}

// The sticky error of an operand's graph; nothing is appended.
template <class... Why>
Tensor refuse(Tensor operand, CallSite site, const Why&... why) {
  operand.graph()->fail(cat(why...), site);
  return poisoned(operand);
}

inline Tensor constant_i32(ir::Graph& graph, const Shape& shape, std::span<const std::int32_t> values) {
  const auto bytes = std::as_bytes(values);
  return {&graph, graph.add_constant({shape, DType::i32}, {bytes.begin(), bytes.end()})};
}
inline Tensor constant_i32(ir::Graph& graph, std::int64_t value) {
  const auto one = static_cast<std::int32_t>(value);
  return constant_i32(graph, {}, std::span(&one, 1));
}
// 0, 1, ... n-1 as a tensor of this shape.
inline Tensor iota_i32(ir::Graph& graph, const Shape& shape) {
  std::vector<std::int32_t> values(static_cast<std::size_t>(shape.elements()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = static_cast<std::int32_t>(i);
  return constant_i32(graph, shape, values);
}

}  // namespace fovea::ops
