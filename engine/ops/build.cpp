// Appending nodes: infer, then the node; and the table of operators.

#include "ops/op_def.hpp"

#include <algorithm>

namespace fovea::ops {

namespace {

std::string title_of(const OpDef& op, const ir::Attrs& attrs) {
  return op.title ? op.title(attrs) : op.name;
}

std::string operand_name(const OpDef& op, std::size_t i) {
  return i < op.operands.size() && op.operands[i] ? op.operands[i] : cat("operand ", i);
}

// The graph of the first present operand. Operands of different ones are the sticky error of each: whichever graph is
// compiled tells.
ir::Graph* common_graph(const OpDef& op, std::span<const Tensor> in, const ir::Attrs& attrs, CallSite site) {
  std::size_t first = 0;
  while (first < in.size() && !in[first]) ++first;
  if (first == in.size()) return nullptr;
  ir::Graph* graph = in[first].graph();
  for (std::size_t i = first + 1; i < in.size(); ++i) {
    if (!in[i] || in[i].graph() == graph) continue;
    const std::string what = cat(title_of(op, attrs), ": ", operand_name(op, first), " and ", operand_name(op, i),
                                 " are of two different graphs");
    graph->fail(what, site);
    in[i].graph()->fail(what, site);
  }
  return graph;
}

}  // namespace

std::vector<Tensor> append(const OpDef& op, std::span<const Tensor> in, ir::Attrs attrs, CallSite site) {
  ir::Graph* graph = common_graph(op, in, attrs, site);
  // Enough poisoned results for any operator: callers index the outputs they asked for.
  const auto poisoned = [&] { return std::vector<Tensor>(4, Tensor(graph, ir::none)); };
  if (!graph || graph->error) return poisoned();  // without any operand there is no graph to tell
  for (std::size_t i = 0; i < std::min(op.required_inputs, in.size()); ++i)
    if (!in[i]) {
      graph->fail(cat(title_of(op, attrs), ": ", operand_name(op, i), " is ", ir::absent), site);
      return poisoned();
    }

  InferContext context{{}, attrs};
  ir::Node node{&op, {}, {}, attrs, site};
  for (const Tensor& tensor : in) {
    context.in.push_back(tensor ? &graph->value(tensor.id()).type : nullptr);
    node.inputs.push_back(tensor ? tensor.id() : ir::none);
  }
  op.infer(context);
  for (const ir::Type& type : context.out)
    if (const std::string fault = ir::shape_fault(type.shape); !fault.empty()) context.fail("of the result, ", fault);
  if (!context.error.empty()) {
    graph->fail(cat(title_of(op, attrs), ": ", context.error), site);
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
  return find_shader(variant_of(stem, dtype));
}

std::array<std::uint32_t, 3> flat_groups(std::uint64_t n, std::uint32_t size, const DeviceCaps& caps) {
  const std::uint64_t groups = ceil_div(n, size), limit = caps.max_group_count[0];
  if (groups <= limit) return {static_cast<std::uint32_t>(groups), 1, 1};
  const std::uint64_t rows = ceil_div(groups, limit);  // past the device's y limit too: the compiler reports the launch
  return {static_cast<std::uint32_t>(ceil_div(groups, rows)), static_cast<std::uint32_t>(rows), 1};
}

}  // namespace fovea::ops
