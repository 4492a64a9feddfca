// The verifier, and the text forms of graph and program.

#include "compile/passes.hpp"

#include <fovea/graph.hpp>

namespace fovea {

namespace ir {

namespace {

std::string value_text(const Graph& graph, ValueId id) {
  if (id == none) return "-";
  const Value& value = graph.value(id);
  return value.name.empty() ? cat('%', id) : cat('%', value.name);
}

const char* kind_text(ValueKind kind) {
  return kind == ValueKind::input ? "input" : kind == ValueKind::parameter ? "parameter" : "constant";
}

}  // namespace

std::string to_text(const Graph& graph) {
  std::string text;
  const auto type_text = [](const Type& type) { return cat(to_string(type.dtype), to_string(type.shape)); };
  for (ValueId id = 0; id < graph.values.size(); ++id)
    if (const Value& value = graph.value(id); value.kind != ValueKind::result)
      text += cat(value_text(graph, id), " = ", kind_text(value.kind), " : ", type_text(value.type), '\n');
  for (const Node& node : graph.nodes) {
    std::string line, types;
    for (ValueId id : node.outputs) {
      line += (line.empty() ? "" : ", ") + value_text(graph, id);
      types += (types.empty() ? "" : ", ") + type_text(graph.value(id).type);
    }
    line += cat(" = ", node.op->name, '(');
    for (std::size_t i = 0; i < node.inputs.size(); ++i) line += (i ? ", " : "") + value_text(graph, node.inputs[i]);
    line += ')';
    if (const std::string attrs = node.attrs.text(); !attrs.empty()) line += cat(" {", attrs, '}');
    text += cat(line, " : ", types, node.site.line > 0 ? "  " + to_string(node.site) : std::string(), '\n');
  }
  for (const Output& output : graph.outputs)
    text += cat(output.updates == none ? "output " : "update ", output.name, " = ", value_text(graph, output.value), '\n');
  return text;
}

}  // namespace ir

std::string Graph::to_text() const { return ir::to_text(*ir_); }

namespace compile {

Failure verify(const ir::Graph& graph) {
  if (graph.error) return graph.error;
  const auto defect = [](const auto&... what) { return Error{ErrorCode::internal, cat("verify: ", what...)}; };
  if (graph.outputs.empty()) return Error{ErrorCode::invalid_argument, "compile: the graph has no output"};
  for (const ir::Output& output : graph.outputs)
    if (output.value >= graph.values.size()) return defect("output ", output.name, " has no value");
  for (const ir::Output& output : graph.outputs)
    if (output.updates != ir::none && (graph.value(output.updates).kind != ir::ValueKind::parameter ||
                                       graph.value(output.updates).type != graph.value(output.value).type))
      return defect("the update of ", output.name, " does not fit it");
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) {
    const ir::Node& node = graph.nodes[n];
    if (!node.op) return defect("node ", n, " has no operator");
    if (node.outputs.empty()) return defect("node ", n, " (", node.op->name, ") has no output");
    for (ir::ValueId out : node.outputs) {
      if (out >= graph.values.size() || graph.value(out).producer != n) return defect("node ", n, " does not own %", out);
      for (ir::ValueId in : node.inputs)
        if (in != ir::none && in >= out) return defect("node ", n, " (", node.op->name, ") reads %", in, " before it is made");
    }
  }
  for (ir::ValueId id = 0; id < graph.values.size(); ++id) {
    const ir::Value& value = graph.value(id);
    if (value.kind == ir::ValueKind::constant && value.slot >= graph.constants.size()) return defect("constant %", id, " has no data");
    if (!value.type.shape.valid()) return defect("%", id, " has an invalid shape");
  }
  return std::nullopt;
}

namespace {

std::string value_text(const ir::Graph& graph, ir::ValueId id) {
  const ir::Value& value = graph.value(id);
  if (!value.name.empty()) return cat('"', value.name, '"');
  if (value.kind == ir::ValueKind::constant) return "a constant";
  return cat("the result of ", graph.nodes[value.producer].op->name);
}

// " (model.cpp:41)", or nothing.
std::string place_text(const ir::Graph& graph, ir::ValueId id) {
  const ir::Value& value = graph.value(id);
  const CallSite site = value.kind == ir::ValueKind::result ? graph.nodes[value.producer].site : value.site;
  return site.line > 0 ? ' ' + ir::to_string(site) : std::string();
}

}  // namespace

Failure check_sizes(const ir::Graph& graph, const DeviceCaps& caps) {
  const auto live = live_nodes(graph);
  for (ir::ValueId id = 0; id < graph.values.size(); ++id) {
    const ir::Value& value = graph.value(id);
    if (value.kind == ir::ValueKind::result && !live[value.producer]) continue;
    const auto bytes = storage_bytes(value.type);
    if (bytes && *bytes <= caps.max_storage_range) continue;
    return Error{ErrorCode::unsupported,
                 cat("compile: ", value_text(graph, id), ' ', to_string(value.type.dtype), to_string(value.type.shape), " takes ",
                     bytes ? cat(*bytes) : std::string("more than 2^56"), " bytes, and ", caps.device_name, " binds at most ",
                     caps.max_storage_range, " bytes (maxStorageBufferRange)", place_text(graph, id))};
  }
  return std::nullopt;
}

Failure check_types(const ir::Graph& graph, const DeviceCaps& caps) {
  if (caps.storage16) return std::nullopt;
  const auto live = live_nodes(graph);
  for (ir::ValueId id = 0; id < graph.values.size(); ++id) {
    const ir::Value& value = graph.value(id);
    if (size_of(value.type.dtype) != 2 || (value.kind == ir::ValueKind::result && !live[value.producer])) continue;
    return Error{ErrorCode::unsupported,
                 cat("compile: ", value_text(graph, id), " is ", to_string(value.type.dtype), ", and ", caps.device_name,
                     " lacks storageBuffer16BitAccess, or the host did not enable it", place_text(graph, id))};
  }
  return std::nullopt;
}

}  // namespace compile
}  // namespace fovea
