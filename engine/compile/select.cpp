// Choosing kernels, and rewriting what none of them takes.

#include "compile/passes.hpp"

#include <algorithm>

namespace fovea::compile {

namespace {

// Limits that every launch must keep, whatever the kernel. Empty: it does.
std::string launch_fault(const ops::Launch& launch, const DeviceCaps& caps) {
  if (!launch.shader) return "its shader is not in this build";
  if (const char* missing = find_missing_feature(caps, *launch.shader))
    return cat(launch.shader->name, " needs ", missing, ", which the device lacks or the host did not enable");
  if (launch.operands.size() > caps.max_storage_buffers)
    return cat("needs ", launch.operands.size(), " storage buffers and the device has ", caps.max_storage_buffers);
  const std::size_t push_bytes = launch.push_bytes() + 8 * launch.addresses.size();
  if (push_bytes > caps.max_push_bytes)
    return cat("needs ", push_bytes, " bytes of push constants and the device has ", caps.max_push_bytes);
  for (std::size_t axis = 0; axis < 3; ++axis)
    if (launch.groups[axis] > caps.max_group_count[axis])
      return cat("needs ", launch.groups[axis], " workgroups on one axis and the device allows ", caps.max_group_count[axis]);
  return {};
}

}  // namespace

std::string choose_kernel(const ops::NodeView& node, const DeviceCaps& caps, std::string_view forced, Choice& choice) {
  std::vector<const ops::Kernel*> kernels;
  for (const ops::Kernel& kernel : node.node.op->kernels) kernels.push_back(&kernel);
  std::stable_partition(kernels.begin(), kernels.end(),
                        [&](const ops::Kernel* kernel) { return !kernel->prefers || kernel->prefers(node, caps); });
  std::string why;
  for (const ops::Kernel* candidate : kernels) {
    const ops::Kernel& kernel = *candidate;
    if (!forced.empty() && forced != kernel.name) continue;
    std::string fault;
    if (!kernel.supports(node, caps)) {
      fault = "does not take these shapes, types or attributes on this device";
    } else {
      choice.kernel = &kernel;
      choice.plan = {};
      kernel.plan(node, caps, choice.plan);
      for (const ops::Launch& launch : choice.plan.launches)
        if (fault.empty()) fault = launch_fault(launch, caps);
    }
    if (fault.empty()) return {};
    why += cat(why.empty() ? "" : "; ", kernel.name, ' ', fault);
  }
  choice = {};
  return why.empty() ? "it has no such kernel" : why;
}

std::string_view forced_kernel(const CompileOptions& options, const ops::OpDef& op) {
  for (std::string_view pair : options.force_kernel) {
    const auto equals = pair.find('=');
    if (pair.substr(0, equals) == op.name) return pair.substr(equals + 1);
  }
  return {};
}

namespace {

Error no_kernel(const ops::NodeView& node, const DeviceCaps& caps, const std::string& why) {
  std::string types;
  for (std::size_t i = 0; i < node.inputs(); ++i)
    types += cat(i ? ", " : "", node.has(i) ? cat(to_string(node.in(i).dtype), to_string(node.in(i).shape)) : "-");
  return {ErrorCode::unsupported, cat(node.node.op->name, '(', types, "): no kernel on ", caps.device_name, ": ", why, ' ',
                                      ir::to_string(node.node.site))};
}

Failure check_forced(const CompileOptions& options) {
  for (std::string_view pair : options.force_kernel) {
    const auto equals = pair.find('=');
    const ops::OpDef* op = ops::find_op(pair.substr(0, equals));
    bool known = op && equals != pair.npos && pair.substr(equals + 1) == "decompose" && op->decompose;
    if (op && equals != pair.npos)
      for (const ops::Kernel& kernel : op->kernels) known = known || pair.substr(equals + 1) == kernel.name;
    if (known) continue;
    std::string choice = op ? "" : "no operator has that name";
    if (op)
      for (const ops::Kernel& kernel : op->kernels) choice += cat(choice.empty() ? "" : ", ", op->name, '=', kernel.name);
    if (op && op->decompose) choice += cat(choice.empty() ? "" : ", ", op->name, "=decompose");
    return Error{ErrorCode::invalid_argument,
                 cat("force_kernel: \"", pair, "\" is not operator=kernel of this build; ", choice)};
  }
  return std::nullopt;
}

}  // namespace

Result<ir::Graph> decompose(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options) {
  if (auto failure = check_forced(options)) return *failure;
  constexpr int most_rounds = 16;  // decompositions nest a few deep; more is a cycle
  ir::Graph current = rewrite(graph, [](const ops::NodeView&, std::span<const Tensor>, std::span<Tensor>) { return false; });
  for (int round = 0; round < most_rounds; ++round) {
    bool changed = false;
    Failure failure;
    ir::Graph next;
    ir::Graph rewritten = rewrite(current, [&](const ops::NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
      const ops::OpDef& op = *node.node.op;
      if (failure || op.is_view) return false;
      const std::string_view forced = forced_kernel(options, op);
      ops::Builder builder{*in[0].graph(), node.node.site};
      const auto decomposes = [&] { return op.decompose && op.decompose(builder, node, in, out); };
      if (forced == "decompose" && decomposes()) return changed = true;
      Choice choice;
      const std::string why = choose_kernel(node, caps, forced == "decompose" ? "" : forced, choice);
      if (why.empty()) return false;
      if (forced.empty() && decomposes()) return changed = true;
      failure = no_kernel(node, caps, why);
      return false;
    }, std::move(next));
    if (failure) return *failure;
    if (rewritten.error) return *rewritten.error;
    current = std::move(rewritten);
    if (!changed) return current;
  }
  return Error{ErrorCode::internal, "decompose: an operator's decomposition leads back to itself"};
}

Result<std::vector<Choice>> select(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options) {
  std::vector<Choice> choices(graph.nodes.size());
  const auto live = live_nodes(graph);
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) {
    const ir::Node& node = graph.nodes[n];
    if (!live[n] || node.op->is_view) continue;
    const ops::NodeView view{graph, node};
    const std::string_view forced = forced_kernel(options, *node.op);
    const std::string why = choose_kernel(view, caps, forced == "decompose" ? "" : forced, choices[n]);
    if (!why.empty()) return no_kernel(view, caps, why);
  }
  return choices;
}

}  // namespace fovea::compile
