#pragma once
// What was measured of kernels on a device, as plain data, and what follows from it. (Context::tune measures.)

#include "ops/op_def.hpp"

#include <fovea/tuning.hpp>

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::compile {

// By node_key: the kernels that can run such a node, in the order of preference.
using Tuning = std::map<std::string, std::vector<KernelTime>>;

// "(f32[64,32], -, i32[4])"
std::string operands_text(const ops::NodeView& node);
// All of the node that kernels see: operator, attributes, types of the operands. One line.
std::string node_key(const ops::NodeView& node);

// The fastest, where it beats the first, which is preferred, by more than what measurements scatter; otherwise the first.
// Precondition: there is one.
const KernelTime& best_of(std::span<const KernelTime> kernels);

// A node that more than one kernel can run.
struct OpenChoice {
  ir::NodeId node = 0;
  std::string key;
  std::vector<std::string> kernels;  // in the order of preference
};
// Those of a graph from lower(), in its order, each key once; without the operators that force_kernel names.
std::vector<OpenChoice> find_open_choices(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options);

// The node by itself: its operands are inputs, its results outputs.
ir::Graph isolate(const ops::NodeView& node);
// Made-up data for operand i, such that the node does as much work as it can. Empty: what it takes hangs on operands that cannot be
// made up one by one.
std::vector<std::byte> make_operand(const ops::NodeView& node, std::size_t i);

// As it is kept beside the pipelines, with which operators, kernels and shaders it was measured: another build's is an Error.
std::string to_text(const Tuning& tuning);
Result<Tuning> read_tuning(std::string_view text);

}  // namespace fovea::compile
