#include "compile/checkpoints.hpp"

#include "compile/passes.hpp"

#include <algorithm>
#include <cmath>

namespace fovea::compile {

namespace {

// The node that reads the value last, for every value; its own producer where none does.
std::vector<ir::NodeId> last_readers(const ir::Graph& graph, ir::NodeId end) {
  std::vector<ir::NodeId> last(graph.values.size(), 0);
  for (ir::NodeId n = 0; n < end; ++n) {
    for (ir::ValueId in : graph.nodes[n].inputs)
      if (in != ir::none) last[in] = n;
    for (ir::ValueId out : graph.nodes[n].outputs) last[out] = n;
  }
  return last;
}

// Results of nodes up to `cut` that nodes behind it read.
std::vector<ir::ValueId> crossing(const ir::Graph& graph, ir::NodeId cut, const std::vector<ir::NodeId>& last) {
  std::vector<ir::ValueId> values;
  for (ir::NodeId n = 0; n <= cut; ++n)
    for (ir::ValueId out : graph.nodes[n].outputs)
      if (last[out] > cut) values.push_back(out);
  return values;
}

}  // namespace

std::vector<bool> kept_values(const ir::Graph& graph, ir::NodeId end, std::span<const Tensor> targets,
                              std::span<const Tensor> keep) {
  std::vector<bool> kept(graph.values.size(), false);
  for (ir::ValueId id = 0; id < graph.values.size(); ++id) {
    const ir::Value& value = graph.value(id);
    kept[id] = value.kind != ir::ValueKind::result || value.producer >= end;
  }
  for (Tensor tensor : targets) kept[tensor.id()] = true;
  for (Tensor tensor : keep) kept[tensor.id()] = true;
  if (!keep.empty() || end == 0) return kept;

  const auto last = last_readers(graph, end);
  // Bytes alive behind each node.
  std::vector<double> alive(end, 0);
  for (ir::NodeId n = 0; n < end; ++n)
    for (ir::ValueId out : graph.nodes[n].outputs)
      for (ir::NodeId at = n; at < last[out]; ++at)
        alive[at] += static_cast<double>(storage_bytes(graph.value(out).type).value_or(0));
  const auto segments = static_cast<ir::NodeId>(std::lround(std::sqrt(static_cast<double>(end))));
  for (ir::NodeId k = 1; k < segments; ++k) {
    const ir::NodeId middle = end * k / segments, reach = end / segments / 2;
    const auto from = alive.begin() + static_cast<std::ptrdiff_t>(middle - std::min(middle, reach));
    const auto to = alive.begin() + static_cast<std::ptrdiff_t>(std::min(end - 1, middle + reach + 1));
    if (from >= to) continue;
    const auto cut = static_cast<ir::NodeId>(std::min_element(from, to) - alive.begin());
    for (ir::ValueId value : crossing(graph, cut, last)) kept[value] = true;
  }
  return kept;
}

}  // namespace fovea::compile
