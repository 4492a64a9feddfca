#pragma once
// The passes of the compiler, in the order they run, and what they work on. Each is a pure function of its arguments.

#include "compile/program.hpp"
#include "compile/tuning.hpp"
#include "ops/op_def.hpp"

#include <fovea/context.hpp>

#include <functional>
#include <optional>
#include <vector>

namespace fovea::compile {

using Failure = std::optional<Error>;

// Rebuilds a graph node by node. `emit(node, in, out)` may append anything to the new graph in place of a node and fills
// `out` with the tensors that stand for its outputs; it returns false to have the node copied as it is. Nodes that no
// output needs are left out.
using Emit = std::function<bool(const ops::NodeView& node, std::span<const Tensor> in, std::span<Tensor> out)>;
ir::Graph rewrite(const ir::Graph& graph, const Emit& emit, ir::Graph&& into = {});

// The graph as it would be if no value were made again for the way back: readers of a repetition read the first.
ir::Graph without_repetitions(const ir::Graph& graph);

// ids and types are consistent, operators are present, every output has a value.
Failure verify(const ir::Graph& graph);

// Every value that is needed fits what the device can bind.
Failure check_sizes(const ir::Graph& graph, const DeviceCaps& caps);
// The device has storage for the type of every value that is needed.
Failure check_types(const ir::Graph& graph, const DeviceCaps& caps);

// Nodes whose results no output needs: false. Values read by how many operands and outputs.
std::vector<bool> live_nodes(const ir::Graph& graph);
std::vector<std::uint32_t> use_counts(const ir::Graph& graph);
// The value whose bytes this one is: itself, or what a chain of views and of nodes that overwrite starts from.
ir::ValueId storage_root(const ir::Graph& graph, ir::ValueId value);

// Bytes of a value in a buffer, rounded up to 4, at least 4; nothing when it overflows.
std::optional<std::uint64_t> storage_bytes(const ir::Type& type);

// Every output gets bytes of its own: one that is an input, a constant, or shares another output's bytes becomes a copy.
// An update is a copy of its own into the parameter, or was made in the parameter's bytes (OpDef::overwrites).
ir::Graph materialize_outputs(const ir::Graph& graph);
// Merges elementwise nodes into the elementwise node that alone uses them, and activations into products.
ir::Graph fuse(const ir::Graph& graph, const DeviceCaps& caps);

struct Choice {
  const ops::Kernel* kernel = nullptr;
  ops::KernelPlan plan;
  std::string why;  // Dispatch::choice
};
// Every kernel that the device can run the node by, in the order of preference.
std::vector<Choice> find_candidates(const ops::NodeView& node, const DeviceCaps& caps);
// Why no kernel takes the node; empty when `choice` was filled: with the one `forced`, the only kernel to consider; without, with
// the best of those measured, if it takes the node; else with the first that does. Choice::why is left to select.
std::string choose_kernel(const ops::NodeView& node, const DeviceCaps& caps, std::string_view forced,
                          const std::vector<KernelTime>* measured, Choice& choice);
// The kernel that options.force_kernel names for an operator, or empty. "decompose" forces the decomposition
// wherever there is one; what it leads to, the operator itself too, then takes its best kernel.
std::string_view forced_kernel(const CompileOptions& options, const ops::OpDef& op);
// Rewrites nodes that no kernel takes as other operators, until every one has a kernel.
Result<ir::Graph> decompose(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options);
// The kernel of every live node; views have none.
Result<std::vector<Choice>> select(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options,
                                   const Tuning& tuning = {});

// One launch, in the order of recording.
struct Step {
  ir::NodeId node = 0;
  std::uint32_t launch = 0;  // index into Choice::plan.launches
  std::uint32_t level = 0;   // longest chain of launches that this one waits for
};
std::vector<Step> schedule(const ir::Graph& graph, const std::vector<Choice>& choices);

// Where every value and every scratch buffer lives.
struct Layout {
  std::vector<BufferRange> values;                // by ValueId; meaningful for storage roots that are used
  std::vector<std::vector<BufferRange>> scratch;  // by NodeId
  std::uint64_t arena_bytes = 0, lower_bound = 0, unaliased_bytes = 0;
};
Result<Layout> alias(const ir::Graph& graph, const std::vector<Choice>& choices, const std::vector<Step>& steps,
                     const Program& program, const DeviceCaps& caps, bool reuse);

// Sets Dispatch::barrier_before where a dispatch touches bytes that an earlier one, since the last barrier, wrote, or
// writes bytes that one read.
void place_barriers(Program& program);

}  // namespace fovea::compile
