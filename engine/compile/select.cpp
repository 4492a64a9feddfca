// Choosing kernels, and rewriting what none of them takes.

#include "base/closest.hpp"
#include "compile/passes.hpp"

#include <algorithm>
#include <cmath>

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

// The operator's kernels, those made for such a device first.
std::vector<const ops::Kernel*> order_of_preference(const ops::NodeView& node, const DeviceCaps& caps) {
  std::vector<const ops::Kernel*> kernels;
  for (const ops::Kernel& kernel : node.node.op->kernels) kernels.push_back(&kernel);
  std::stable_partition(kernels.begin(), kernels.end(),
                        [&](const ops::Kernel* kernel) { return !kernel->prefers || kernel->prefers(node, caps); });
  return kernels;
}

// Plans the node by this kernel. Returns why the device cannot run it so, or nothing.
std::string plan_by(const ops::Kernel& kernel, const ops::NodeView& node, const DeviceCaps& caps, Choice& choice) {
  if (!kernel.supports(node, caps)) return "does not take these shapes, types or attributes on this device";
  choice.kernel = &kernel;
  choice.plan = {};
  kernel.plan(node, caps, choice.plan);
  for (const ops::Launch& launch : choice.plan.launches)
    if (std::string fault = launch_fault(launch, caps); !fault.empty()) return fault;
  return {};
}

}  // namespace

std::vector<Choice> find_candidates(const ops::NodeView& node, const DeviceCaps& caps) {
  std::vector<Choice> candidates;
  for (const ops::Kernel* kernel : order_of_preference(node, caps))
    if (Choice choice; plan_by(*kernel, node, caps, choice).empty()) candidates.push_back(std::move(choice));
  return candidates;
}

std::string choose_kernel(const ops::NodeView& node, const DeviceCaps& caps, std::string_view forced,
                          const std::vector<KernelTime>* measured, Choice& choice) {
  std::vector<const ops::Kernel*> kernels = order_of_preference(node, caps);
  if (!forced.empty()) {
    std::erase_if(kernels, [&](const ops::Kernel* kernel) { return forced != kernel->name; });
  } else if (measured) {
    const std::string& best = best_of(*measured).kernel;
    std::stable_partition(kernels.begin(), kernels.end(), [&](const ops::Kernel* kernel) { return best == kernel->name; });
  }
  std::string faults;
  for (const ops::Kernel* kernel : kernels) {
    const std::string fault = plan_by(*kernel, node, caps, choice);
    if (fault.empty()) return {};
    faults += cat(faults.empty() ? "" : "; ", kernel->name, ' ', fault);
  }
  choice = {};
  return faults.empty() ? "it has no such kernel" : faults;
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
  return {ErrorCode::unsupported, cat(node.node.op->name, operands_text(node), ": no kernel on ", caps.device_name, ": ", why, ' ',
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
    if (!op) {
      std::vector<std::string> names;
      for (const ops::OpDef* one : ops::all_ops()) names.emplace_back(one->name);
      if (const std::string meant = closest(pair.substr(0, equals), names); !meant.empty()) choice += cat("; did you mean ", meant, "?");
    }
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
      const std::string why = choose_kernel(node, caps, forced == "decompose" ? "" : forced, nullptr, choice);
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

namespace {

// Dispatch::choice.
std::string reason_of(const ops::NodeView& node, const DeviceCaps& caps, bool forced, const std::vector<KernelTime>* measured,
                      const Choice& chosen) {
  // An author's text is compiled for every kernel that is planned with it: the others are not, to tell that there are some.
  const std::vector<ops::Launch>& launches = chosen.plan.launches;
  if (node.node.op->kernels.size() < 2 || launches.empty() || launches[0].keeps) return forced ? "forced" : "";
  const bool tuned = measured && !forced && best_of(*measured).kernel == chosen.kernel->name;
  const auto time_of = [&](const ops::Kernel& kernel) {
    for (std::size_t i = 0; tuned && i < measured->size(); ++i)
      if ((*measured)[i].kernel == kernel.name) return cat(' ', std::round((*measured)[i].microseconds * 10) / 10, " us");
    return std::string();
  };
  std::string others;
  for (const Choice& other : find_candidates(node, caps))
    if (other.kernel != chosen.kernel)
      others += cat(others.empty() ? "; others: " : ", ", other.kernel->name, time_of(*other.kernel));
  if (others.empty()) return forced ? "forced" : "";
  return (forced ? "forced" : tuned ? "tuned:" + time_of(*chosen.kernel) : "preferred") + others;
}

const std::vector<KernelTime>* find_times(const Tuning& tuning, const ops::NodeView& node) {
  if (tuning.empty() || node.node.op->kernels.size() < 2) return nullptr;
  const auto at = tuning.find(node_key(node));
  return at == tuning.end() ? nullptr : &at->second;
}

}  // namespace

Result<std::vector<Choice>> select(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options,
                                   const Tuning& tuning) {
  std::vector<Choice> choices(graph.nodes.size());
  const auto live = live_nodes(graph);
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) {
    const ir::Node& node = graph.nodes[n];
    if (!live[n] || node.op->is_view) continue;
    const ops::NodeView view{graph, node};
    std::string_view forced = forced_kernel(options, *node.op);
    if (forced == "decompose") forced = {};
    const std::vector<KernelTime>* measured = find_times(tuning, view);
    const std::string why = choose_kernel(view, caps, forced, measured, choices[n]);
    if (!why.empty()) return no_kernel(view, caps, why);
    choices[n].why = reason_of(view, caps, !forced.empty(), measured, choices[n]);
  }
  return choices;
}

}  // namespace fovea::compile
