#pragma once
// Which forward values a gradient that recomputes holds on to.

#include "ir/graph.hpp"

#include <span>
#include <vector>

namespace fovea::compile {

// By value id, of the graph as it is: true for everything that is no result of nodes 0..end, for `targets`, and for
// `keep`. With an empty `keep`, what is alive at about sqrt(end) cuts of the node list, each where least is within reach.
std::vector<bool> kept_values(const ir::Graph& graph, ir::NodeId end, std::span<const Tensor> targets,
                              std::span<const Tensor> keep);

}  // namespace fovea::compile
