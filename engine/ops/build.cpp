// Appending nodes: infer, then the node; and the table of operators.

#include "ops/op_def.hpp"

#include <algorithm>

namespace fovea::ops {

namespace {

// The graph of the first present operand; the sticky error when operands belong to different ones.
ir::Graph* common_graph(const OpDef& op, std::span<const Tensor> in, CallSite site) {
  ir::Graph* graph = nullptr;
  for (const Tensor& tensor : in) {
    if (!tensor) continue;
    if (!graph) graph = tensor.graph();
    if (graph != tensor.graph()) graph->fail(cat(op.name, ": operands of two different graphs"), site);
  }
  return graph;
}

}  // namespace

std::vector<Tensor> append(const OpDef& op, std::span<const Tensor> in, ir::Attrs attrs, CallSite site) {
  ir::Graph* graph = common_graph(op, in, site);
  // Enough poisoned results for any operator: callers index the outputs they asked for.
  const auto poisoned = [&] { return std::vector<Tensor>(4, Tensor(graph, ir::none)); };
  if (!graph || graph->error) return poisoned();  // without any operand there is no graph to tell
  for (std::size_t i = 0; i < std::min(op.required_inputs, in.size()); ++i)
    if (!in[i]) {
      graph->fail(cat(op.name, ": operand ", i, " is absent"), site);
      return poisoned();
    }

  InferContext context{op.name, {}, attrs};
  ir::Node node{&op, {}, {}, attrs, site};
  for (const Tensor& tensor : in) {
    context.in.push_back(tensor ? &graph->value(tensor.id()).type : nullptr);
    node.inputs.push_back(tensor ? tensor.id() : ir::none);
  }
  op.infer(context);
  if (!context.error.empty()) {
    graph->fail(cat(context.op, ": ", context.error), site);
    return poisoned();
  }
  const ir::NodeId id = graph->add_node(std::move(node), context.out);
  std::vector<Tensor> results;
  for (ir::ValueId value : graph->nodes[id].outputs) results.emplace_back(graph, value);
  return results;
}

Tensor append_one(const OpDef& op, std::initializer_list<Tensor> in, ir::Attrs attrs, CallSite site) {
  return append(op, std::span(in.begin(), in.size()), std::move(attrs), site)[0];
}

std::span<const OpDef* const> all_ops() {
  static constexpr const OpDef* table[] = {
#define FOVEA_OP(name) &name##_op,
#include "ops/ops.def"
#undef FOVEA_OP
  };
  return table;
}

const OpDef* find_op(std::string_view name) {
  for (const OpDef* op : all_ops())
    if (name == op->name) return op;
  return nullptr;
}

const ShaderInfo* shader_for(std::string_view stem, DType dtype) {
  return find_shader(cat(stem, '.', dtype == DType::f16 ? "f16" : "f32"));
}

std::array<std::uint32_t, 3> flat_groups(std::uint64_t n, std::uint32_t size, const DeviceCaps& caps) {
  const std::uint64_t groups = ceil_div(n, size), limit = caps.max_group_count[0];
  if (groups <= limit) return {static_cast<std::uint32_t>(groups), 1, 1};
  const std::uint64_t rows = ceil_div(groups, limit);  // past the device's y limit too: the compiler reports the launch
  return {static_cast<std::uint32_t>(ceil_div(groups, rows)), static_cast<std::uint32_t>(rows), 1};
}

}  // namespace fovea::ops
