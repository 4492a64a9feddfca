// Launch order: by level, the longest chain of launches that a launch waits for. Launches of one level are independent.
// What overwrites a parameter waits for all that read it as it was: those are earlier nodes.

#include "compile/passes.hpp"

#include <algorithm>

namespace fovea::compile {

std::vector<Step> schedule(const ir::Graph& graph, const std::vector<Choice>& choices) {
  std::vector<Step> steps;
  std::vector<std::uint32_t> ready(graph.values.size(), 0);  // the first level that may read the value
  std::vector<std::uint32_t> read(graph.values.size(), 0);   // the first level that may overwrite the value
  std::vector<ir::ValueId> overwrites(graph.values.size(), ir::none);
  for (const ir::Output& output : graph.outputs) overwrites[output.value] = output.updates;
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) {
    const ir::Node& node = graph.nodes[n];
    std::uint32_t level = node.after == ir::none ? 0 : ready[node.after];
    for (ir::ValueId in : node.inputs)
      if (in != ir::none) level = std::max(level, ready[in]);
    if (const ir::ValueId target = overwrites[node.outputs[0]]; target != ir::none) level = std::max(level, read[target]);
    if (node.op->overwrites) level = std::max(level, read[storage_root(graph, node.outputs[0])]);
    const ops::KernelPlan& plan = choices[n].plan;
    for (std::uint32_t launch = 0; launch < plan.launches.size(); ++launch) {
      if (launch > 0) ++level;
      steps.push_back({n, launch, level});
    }
    if (!plan.launches.empty()) {
      ++level;
      for (ir::ValueId in : node.inputs)
        if (in != ir::none) read[storage_root(graph, in)] = std::max(read[storage_root(graph, in)], level);
    }
    for (ir::ValueId out : node.outputs) ready[out] = level;
  }
  std::stable_sort(steps.begin(), steps.end(), [](const Step& a, const Step& b) { return a.level < b.level; });
  return steps;
}

}  // namespace fovea::compile
