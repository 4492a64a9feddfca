#include "ir/graph.hpp"

#include "base/enum_name.hpp"

#include <algorithm>
#include <cstring>
#include <string_view>

namespace fovea::ir {

ValueId Graph::add_constant(Type type, std::vector<std::byte> data, CallSite site) {
  constants.push_back(std::move(data));
  return add_value({type, ValueKind::constant, none, static_cast<std::uint32_t>(constants.size() - 1), {}, site});
}

std::string shape_fault(const Shape& shape) {
  if (!shape.valid()) {
    const bool negative = to_string(shape).find('-') != std::string::npos;
    return negative ? cat("the shape ", to_string(shape), " has a negative extent")
                    : cat("the shape has ", to_string(shape), ", and ", max_rank, " are the most");
  }
  Shape factors = shape;
  for (int axis = 0; axis < shape.rank(); ++axis) factors[axis] = std::max<std::int64_t>(shape[axis], 1);
  return factors.elements() > max_elements ? cat("the extents ", to_string(shape), " multiply to more than 2^60") : "";
}

NodeId Graph::add_node(Node node, const std::vector<Type>& types) {
  const auto id = static_cast<NodeId>(nodes.size());
  for (std::uint32_t slot = 0; slot < types.size(); ++slot)
    node.outputs.push_back(add_value({types[slot], ValueKind::result, id, slot, {}}));
  nodes.push_back(std::move(node));
  return id;
}

ValueId Graph::extend_node(NodeId id, Attrs attrs, const Type& type) {
  const auto slot = static_cast<std::uint32_t>(nodes[id].outputs.size());
  const ValueId value = add_value({type, ValueKind::result, id, slot, {}});
  nodes[id].outputs.push_back(value);
  nodes[id].attrs = std::move(attrs);
  return value;
}

void Graph::fail(std::string message, CallSite site, ErrorCode code) {
  if (error) return;
  if (site.line > 0) message += ' ' + to_string(site);
  error = Error{code, std::move(message)};
}

std::string to_string(CallSite site) {
  std::string_view file = site.file;
  if (const auto slash = file.find_last_of("/\\"); slash != file.npos) file.remove_prefix(slash + 1);
  return cat('(', file, ':', site.line, ')');
}

}  // namespace fovea::ir

namespace fovea {

namespace {

Tensor add_named(ir::Graph& graph, std::string_view what, std::string_view name, const Shape& shape, DType dtype,
                 ir::ValueKind kind, CallSite site) {
  const auto refuse = [&](const auto&... why) {
    graph.fail(cat(what, " \"", name, "\": ", why...), site);
    return Tensor(&graph, ir::none);
  };
  if (graph.error) return Tensor(&graph, ir::none);
  if (name.empty()) return refuse("the name is empty");
  for (const ir::Value& value : graph.values)
    if (value.name == name) return refuse("there is already an input or parameter of this name");
  if (const std::string fault = ir::shape_fault(shape); !fault.empty()) return refuse(fault);
  if (!is_enumerator(dtype)) return refuse(no_enumerator("the type", dtype));
  return {&graph, graph.add_value({{shape, dtype}, kind, ir::none, 0, std::string(name), site})};
}

Tensor add_constant(ir::Graph& graph, const Shape& shape, DType dtype, std::span<const std::byte> data, CallSite site) {
  if (graph.error) return Tensor(&graph, ir::none);
  const auto have = static_cast<std::int64_t>(data.size() / 4);
  std::string fault = ir::shape_fault(shape);
  if (fault.empty() && shape.elements() != have)
    fault = cat("shape ", to_string(shape), " needs ", shape.elements(), " elements, and ", have, " were given");
  if (!fault.empty()) {
    graph.fail(cat("constant: ", fault), site);
    return Tensor(&graph, ir::none);
  }
  return {&graph, graph.add_constant({shape, dtype}, {data.begin(), data.end()}, site)};
}

}  // namespace

Graph::Graph() : ir_(std::make_unique<ir::Graph>()) {}
Graph::~Graph() = default;
Graph::Graph(Graph&&) noexcept = default;
Graph& Graph::operator=(Graph&&) noexcept = default;

Tensor Graph::input(std::string_view name, Shape shape, DType dtype, CallSite site) {
  return add_named(*ir_, "input", name, shape, dtype, ir::ValueKind::input, site);
}
Tensor Graph::parameter(std::string_view name, Shape shape, DType dtype, CallSite site) {
  return add_named(*ir_, "parameter", name, shape, dtype, ir::ValueKind::parameter, site);
}
Tensor Graph::constant(Shape shape, std::span<const float> data, CallSite site) {
  return add_constant(*ir_, shape, DType::f32, std::as_bytes(data), site);
}
Tensor Graph::constant(Shape shape, std::span<const std::int32_t> data, CallSite site) {
  return add_constant(*ir_, shape, DType::i32, std::as_bytes(data), site);
}
Tensor Graph::constant(Shape shape, std::initializer_list<float> data, CallSite site) {
  return constant(shape, std::span(data.begin(), data.size()), site);
}
Tensor Graph::constant(Shape shape, std::initializer_list<std::int32_t> data, CallSite site) {
  return constant(shape, std::span(data.begin(), data.size()), site);
}

void Graph::output(std::string_view name, Tensor value, CallSite site) {
  const auto refuse = [&](const auto&... why) { ir_->fail(cat("output \"", name, "\": ", why...), site); };
  if (ir_->error) return;
  if (!value) return refuse("the tensor is ", ir::absent);
  if (value.graph() != ir_.get()) return refuse("the tensor is of another graph");
  if (name.empty()) return refuse("the name is empty");
  for (const ir::Output& output : ir_->outputs)
    if (output.name == name) return refuse("there is already an output of this name");
  for (const ir::Value& other : ir_->values)
    if (other.name == name) return refuse("there is already an input or parameter of this name");
  ir_->outputs.push_back({std::string(name), value.id()});
}

void Graph::update(Tensor parameter, Tensor value, CallSite site) {
  if (ir_->error) return;
  if (!parameter || parameter.graph() != ir_.get() || ir_->value(parameter.id()).kind != ir::ValueKind::parameter)
    return ir_->fail("update: the first tensor is no parameter of this graph", site);
  const ir::Value& target = ir_->value(parameter.id());
  const auto refuse = [&](const auto&... why) { ir_->fail(cat("update \"", target.name, "\": ", why...), site); };
  if (!value || value.graph() != ir_.get()) return refuse("the value is absent or of another graph");
  if (value.shape() != target.type.shape || value.dtype() != target.type.dtype)
    return refuse("the value is ", to_string(value.dtype()), to_string(value.shape()), ", the parameter ",
                  to_string(target.type.dtype), to_string(target.type.shape));
  for (const ir::Output& output : ir_->outputs)
    if (output.updates == parameter.id()) return refuse("the parameter already has an update");
  ir_->outputs.push_back({target.name, value.id(), parameter.id()});
}

const std::optional<Error>& Graph::error() const { return ir_->error; }

}  // namespace fovea
