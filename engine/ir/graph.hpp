#pragma once
// The intermediate representation: values, the nodes that make them, and the outputs, in the order they were made.
// A node's inputs always have smaller ids than its outputs, so the node list is in topological order.

#include <fovea/graph.hpp>

#include "ir/attrs.hpp"

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace fovea::ops {
struct OpDef;
}

namespace fovea::ir {

using ValueId = std::uint32_t;
using NodeId = std::uint32_t;
inline constexpr std::uint32_t none = UINT32_MAX;  // an optional operand not given; a value without a producer

enum class ValueKind : std::uint8_t { input, parameter, constant, result };

// The types that have gradients and that kernels compute with in f32.
inline bool is_float(DType dtype) { return dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16; }
inline constexpr const char* float_types = "f32, f16 or bf16";

// The elements of any shape, its zeros counted as 1: what sizes in bytes, strides and sums of a few extents are made of then
// fits 64 bits.
inline constexpr std::int64_t max_elements = std::int64_t{1} << 60;
// Why no tensor can have this shape; empty: one can.
std::string shape_fault(const Shape& shape);

struct Type {
  Shape shape;
  DType dtype = DType::f32;
  bool operator==(const Type&) const = default;
};

struct Value {
  Type type;
  ValueKind kind = ValueKind::result;
  NodeId producer = none;  // of a result
  std::uint32_t slot = 0;  // result: which output of its producer; constant: index into Graph::constants
  std::string name;        // of an input or parameter
  CallSite site{};         // of an input, parameter or constant; a result has its producer's
};

struct Node {
  const ops::OpDef* op = nullptr;
  std::vector<ValueId> inputs;  // `none` where an optional operand is absent
  std::vector<ValueId> outputs;
  Attrs attrs;
  CallSite site;
  ValueId after = none;  // runs after this value is made, though it does not read it
  NodeId repeats = none;  // the node whose results it makes again, for the way back
};

struct Output {
  std::string name;
  ValueId value = none;
  ValueId updates = none;  // the parameter whose bytes it overwrites, after all that reads them; its name is the parameter's
};

struct Graph {
  std::deque<Value> values;  // appending leaves references to them, and to nodes, valid
  std::deque<Node> nodes;
  std::vector<Output> outputs;
  std::vector<std::vector<std::byte>> constants;
  std::optional<Error> error;  // the first mistake; nothing is appended after it

  Value& value(ValueId id) { return values[id]; }
  const Value& value(ValueId id) const { return values[id]; }

  ValueId add_value(Value value) {
    values.push_back(std::move(value));
    return static_cast<ValueId>(values.size() - 1);
  }
  ValueId add_constant(Type type, std::vector<std::byte> data, CallSite site = {});
  // Appends a node whose outputs have these types; returns its id.
  NodeId add_node(Node node, const std::vector<Type>& types);
  // Gives a node other attributes and one more result, its last; returns the result.
  ValueId extend_node(NodeId id, Attrs attrs, const Type& type);
  // Records the first error, with the caller's place: "message (file:line)".
  void fail(std::string message, CallSite site, ErrorCode code = ErrorCode::invalid_argument);
};

// How errors say that a tensor is no value of any graph. Where it came from cannot be told: no graph was there to note it.
inline constexpr const char* absent = "absent (default-made, or the result of an operator that was given only such)";

// "(model.cpp:41)": the file without its folders.
std::string to_string(CallSite site);

// One line a value, as Graph::to_text promises.
std::string to_text(const Graph& graph);

}  // namespace fovea::ir
