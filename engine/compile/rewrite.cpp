#include "compile/passes.hpp"

#include "ops/elementwise.hpp"

#include <algorithm>
#include <numeric>

namespace fovea::compile {

using ir::ValueId;

namespace {

// What made the value out of its first operand's bytes; null: it has its own.
const ir::Node* shares_operand(const ir::Graph& graph, ValueId value) {
  if (graph.value(value).kind != ir::ValueKind::result) return nullptr;
  const ir::Node& node = graph.nodes[graph.value(value).producer];
  return node.op->is_view || (node.op->overwrites && node.outputs[0] == value) ? &node : nullptr;
}

// A view reads one operand; more are there for its gradient.
std::span<const ValueId> operands_read(const ir::Node& node) {
  return std::span(node.inputs).first(node.op->is_view ? 1 : node.inputs.size());
}

}  // namespace

std::vector<bool> live_nodes(const ir::Graph& graph) {
  std::vector<bool> live(graph.nodes.size(), false), wanted(graph.values.size(), false);
  for (const ir::Output& output : graph.outputs) wanted[output.value] = true;
  for (std::size_t n = graph.nodes.size(); n-- > 0;) {
    const ir::Node& node = graph.nodes[n];
    for (ValueId value : node.outputs) live[n] = live[n] || wanted[value];
    if (!live[n]) continue;
    for (ValueId value : operands_read(node))
      if (value != ir::none) wanted[value] = true;
  }
  return live;
}

std::vector<std::uint32_t> use_counts(const ir::Graph& graph) {
  std::vector<std::uint32_t> uses(graph.values.size(), 0);
  const auto live = live_nodes(graph);
  for (std::size_t n = 0; n < graph.nodes.size(); ++n) {
    if (!live[n]) continue;
    const ir::Node& node = graph.nodes[n];
    for (ValueId value : operands_read(node))
      if (value != ir::none) ++uses[value];
  }
  for (const ir::Output& output : graph.outputs) ++uses[output.value];
  return uses;
}

ValueId storage_root(const ir::Graph& graph, ValueId value) {
  while (const ir::Node* node = shares_operand(graph, value)) value = node->inputs[0];
  return value;
}

std::optional<std::uint64_t> storage_bytes(const ir::Type& type) {
  const std::int64_t elements = type.shape.elements();
  if (elements > (std::int64_t{1} << 56)) return std::nullopt;
  const auto bytes = static_cast<std::uint64_t>(elements) * size_of(type.dtype);
  return bytes == 0 ? 4 : (bytes + 3) / 4 * 4;
}

ir::Graph rewrite(const ir::Graph& graph, const Emit& emit, ir::Graph&& into) {
  ir::Graph& result = into;
  std::vector<Tensor> map(graph.values.size());
  for (ValueId id = 0; id < graph.values.size(); ++id) {
    const ir::Value& value = graph.value(id);
    if (value.kind == ir::ValueKind::result) continue;
    map[id] = {&result, value.kind == ir::ValueKind::constant ? result.add_constant(value.type, graph.constants[value.slot], value.site)
                                                              : result.add_value(value)};
  }
  const auto live = live_nodes(graph);
  for (ir::NodeId n = 0; n < graph.nodes.size() && !result.error; ++n) {
    if (!live[n]) continue;
    const ir::Node& node = graph.nodes[n];
    std::vector<Tensor> in, out(node.outputs.size());
    const std::size_t first = result.nodes.size();
    for (ValueId value : node.inputs) in.push_back(value == ir::none ? Tensor() : map[value]);
    if (!emit({graph, node}, in, out)) {
      const auto copied = ops::append(*node.op, in, node.attrs, node.site);
      out.assign(copied.begin(), copied.begin() + static_cast<std::ptrdiff_t>(node.outputs.size()));
    }
    for (std::size_t i = 0; i < out.size(); ++i) map[node.outputs[i]] = out[i];
    if (node.after != ir::none && map[node.after])
      for (std::size_t made = first; made < result.nodes.size(); ++made) result.nodes[made].after = map[node.after].id();
  }
  if (!result.error)
    for (const ir::Output& output : graph.outputs) result.outputs.push_back({output.name, map[output.value].id(),
                                output.updates == ir::none ? ir::none : map[output.updates].id()});
  return std::move(into);
}

ir::Graph without_repetitions(const ir::Graph& graph) {
  ir::Graph result = graph;
  std::vector<ValueId> first(graph.values.size());
  std::iota(first.begin(), first.end(), 0);
  for (ir::Node& node : result.nodes) {
    for (ValueId& in : node.inputs)
      if (in != ir::none) in = first[in];
    if (node.repeats == ir::none) continue;
    const std::vector<ValueId>& originals = result.nodes[node.repeats].outputs;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) first[node.outputs[i]] = first[originals[i]];
    node.repeats = node.after = ir::none;  // and nothing reads it any more
  }
  for (ir::Output& output : result.outputs) output.value = first[output.value];
  return result;
}

namespace {

// Of nodes that overwrite their operand, those that may: it is a parameter that is updated, or made of one by such nodes, and
// nothing behind them reads the bytes as they were.
std::vector<bool> overwrite_in_place(const ir::Graph& graph) {
  const auto live = live_nodes(graph);
  std::vector<bool> may(graph.nodes.size(), false);
  // Whose bytes they are, and whether they are those that node `past` has not written yet.
  const auto parameter_of = [&](ValueId value) {
    while (const ir::Node* node = shares_operand(graph, value)) {
      if (node->op->overwrites && !may[graph.value(value).producer]) return ir::none;
      value = node->inputs[0];
    }
    return value;
  };
  const auto is_older = [&](ValueId value, ir::NodeId past, ValueId parameter) {
    while (const ir::Node* node = shares_operand(graph, value)) {
      const ir::NodeId producer = graph.value(value).producer;
      if (producer == past || (node->op->overwrites && producer < past && !may[producer])) return false;  // or in a copy
      value = node->inputs[0];
    }
    return value == parameter;
  };
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) {
    if (!live[n] || !graph.nodes[n].op->overwrites) continue;
    const ValueId parameter = parameter_of(graph.nodes[n].inputs[0]);
    bool updated = false, read_later = false;
    for (const ir::Output& output : graph.outputs) {
      updated = updated || (output.updates != ir::none && output.updates == parameter);
      read_later = read_later || is_older(output.value, n, parameter);
    }
    for (ir::NodeId later = n + 1; later < graph.nodes.size() && updated && !read_later; ++later)
      if (live[later])
        for (ValueId in : operands_read(graph.nodes[later])) read_later = read_later || (in != ir::none && is_older(in, n, parameter));
    may[n] = updated && !read_later;
  }
  return may;
}

}  // namespace

ir::Graph materialize_outputs(const ir::Graph& graph) {
  // Identical nodes, but one that overwrites may get a copy before it, and an output one behind it.
  const std::vector<bool> in_place = overwrite_in_place(graph);
  ir::Graph result = rewrite(graph, [&](const ops::NodeView& view, std::span<const Tensor> in, std::span<Tensor> out) {
    if (!view.node.op->overwrites || in_place[graph.value(view.node.outputs[0]).producer]) return false;
    std::vector<Tensor> own(in.begin(), in.end());
    own[0] = ops::copy(in[0]);
    const auto made = ops::append(*view.node.op, own, view.node.attrs, view.node.site);
    std::copy(made.begin(), made.end(), out.begin());
    return true;
  });
  std::vector<ValueId> claimed;
  const auto is_updated = [&](ValueId value) {
    return std::any_of(result.outputs.begin(), result.outputs.end(), [&](const ir::Output& output) { return output.updates == value; });
  };
  for (ir::Output& output : result.outputs) {
    if (output.updates != ir::none) {
      // By way of the arena where the value is itself a parameter about to be overwritten: two may change places.
      const ValueId from = storage_root(result, output.value);
      if (from != output.updates && is_updated(from)) output.value = ops::copy({&result, output.value}).id();
      continue;
    }
    ValueId root = storage_root(result, output.value);
    const bool taken = std::find(claimed.begin(), claimed.end(), root) != claimed.end();
    if (taken || result.value(root).kind != ir::ValueKind::result) {
      output.value = ops::copy({&result, output.value}).id();
      root = output.value;
    }
    claimed.push_back(root);
  }
  for (ir::Output& output : result.outputs)  // behind every reader of a parameter
    if (output.updates != ir::none && storage_root(result, output.value) != output.updates) output.value = ops::copy({&result, output.value}).id();
  return result;
}

}  // namespace fovea::compile
