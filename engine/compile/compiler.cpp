#include "compile/compiler.hpp"

#include "compile/passes.hpp"

#include <algorithm>

namespace fovea::compile {

namespace {

std::vector<External> externals_of(const ir::Graph& graph) {
  std::vector<External> externals;
  const auto add = [&](const std::string& name, ExternalRole role, const ir::Type& type) {
    externals.push_back({name, role, type.shape, type.dtype, storage_bytes(type).value_or(4)});
  };
  for (const ir::Value& value : graph.values) {
    if (value.kind == ir::ValueKind::input) add(value.name, ExternalRole::input, value.type);
    if (value.kind == ir::ValueKind::parameter) add(value.name, ExternalRole::parameter, value.type);
  }
  for (const ir::Output& output : graph.outputs) {
    if (output.updates == ir::none) {
      add(output.name, ExternalRole::output, graph.value(output.value).type);
      continue;
    }
    const auto parameter = std::find_if(externals.begin(), externals.end(), [&](const External& e) { return e.name == output.name; });
    parameter->updated = true;
  }
  return externals;
}

std::string label_of(const ir::Graph& graph, const ir::Node& node) {
  std::string label = node.op->name;
  if (const std::string attrs = node.attrs.text(); !attrs.empty()) label += cat(" {", attrs, '}');
  for (const ir::Output& output : graph.outputs)
    if (std::find(node.outputs.begin(), node.outputs.end(), output.value) != node.outputs.end()) label += ' ' + output.name;
  if (node.site.line > 0) label += ' ' + ir::to_string(node.site);
  return label;
}

// Binds the launch's operands to their places. An unused binding repeats a used one of the same access, so that it
// brings no hazard of its own.
std::vector<Binding> bindings_of(const ir::Graph& graph, const Layout& layout, const Step& step, const ops::Launch& launch) {
  using Kind = ops::LaunchOperand::Kind;
  const ir::Node& node = graph.nodes[step.node];
  std::vector<Binding> bindings;
  for (const ops::LaunchOperand& operand : launch.operands) {
    Binding binding{{}, operand.access != ops::Access::write, operand.access != ops::Access::read};
    if (operand.kind == Kind::input) binding.range = layout.values[storage_root(graph, node.inputs[operand.index])];
    if (operand.kind == Kind::output) binding.range = layout.values[storage_root(graph, node.outputs[operand.index])];
    if (operand.kind == Kind::scratch) binding.range = layout.scratch[step.node][operand.index];
    bindings.push_back(binding);
  }
  for (std::size_t i = 0; i < bindings.size(); ++i) {
    if (launch.operands[i].kind != Kind::none) continue;
    const bool writes = launch.operands[i].access != ops::Access::read;
    std::size_t like = bindings.size();
    for (std::size_t k = bindings.size(); k-- > 0;)
      if (launch.operands[k].kind != Kind::none && (like == bindings.size() || bindings[k].write == writes)) like = k;
    bindings[i] = {bindings[like].range, false, false};
  }
  return bindings;
}

void emit(const ir::Graph& graph, const std::vector<Choice>& choices, const std::vector<Step>& steps, const Layout& layout,
          Program& program) {
  for (const Step& step : steps) {
    const ir::Node& node = graph.nodes[step.node];
    const Choice& choice = choices[step.node];
    const ops::Launch& launch = choice.plan.launches[step.launch];
    Dispatch& dispatch = program.dispatches.emplace_back();
    dispatch.shader = launch.shader;
    dispatch.keeps = launch.keeps;
    dispatch.constants = launch.constants;
    dispatch.push = launch.push;
    dispatch.addresses = launch.addresses;
    dispatch.push.resize(launch.push_bytes());
    dispatch.bindings = bindings_of(graph, layout, step, launch);
    dispatch.groups = launch.groups;
    dispatch.label = label_of(graph, node);
    dispatch.kernel = choice.kernel->name;
    dispatch.choice = choice.why;
    dispatch.level = step.level;
    if (step.launch == 0 && node.op->flops) dispatch.flops = node.op->flops({graph, node});
    for (const Binding& binding : dispatch.bindings)
      if (binding.read || binding.write) dispatch.bytes += binding.range.size;
  }
}

std::vector<std::byte> constants_of(const ir::Graph& graph, const Layout& layout) {
  std::vector<std::byte> bytes;
  for (ir::ValueId id = 0; id < graph.values.size(); ++id) {
    const ir::Value& value = graph.value(id);
    if (value.kind != ir::ValueKind::constant) continue;
    const BufferRange& range = layout.values[id];
    bytes.resize(std::max<std::size_t>(bytes.size(), range.offset + range.size));
    std::copy(graph.constants[value.slot].begin(), graph.constants[value.slot].end(),
              bytes.begin() + static_cast<std::ptrdiff_t>(range.offset));
  }
  return bytes;
}

// What the arena would hold if nothing were made again; 0 where nothing is.
std::uint64_t arena_without_repetitions(const ir::Graph& graph, DeviceCaps caps, const CompileOptions& options,
                                        const Tuning& tuning) {
  const auto repeats = [](const ir::Node& node) { return node.repeats != ir::none; };
  if (std::none_of(graph.nodes.begin(), graph.nodes.end(), repeats)) return 0;
  caps.max_allocation = UINT64_MAX;  // it need not fit: that may be why
  const auto program = compile(without_repetitions(graph), caps, options, tuning);
  return program ? program->arena_bytes : 0;
}

}  // namespace

Result<ir::Graph> lower(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options) {
  if (auto failure = verify(graph)) return *failure;
  if (auto failure = check_types(graph, caps)) return *failure;
  if (auto failure = check_sizes(graph, caps)) return *failure;  // kernels may count in 32 bits

  auto lowered = decompose(graph, caps, options);
  if (!lowered) return lowered.error();
  ir::Graph work = std::move(*lowered);  // every node is a view or has a kernel
  if (options.fuse) work = fuse(work, caps);
  work = materialize_outputs(work);  // every output owns its bytes
  if (auto failure = verify(work)) return *failure;
  if (auto failure = check_sizes(work, caps)) return *failure;
  return work;
}

Result<Program> compile(const ir::Graph& graph, const DeviceCaps& caps, const CompileOptions& options, const Tuning& tuning) {
  const auto lowered = lower(graph, caps, options);
  if (!lowered) return lowered.error();
  const ir::Graph& work = *lowered;
  const auto choices = select(work, caps, options, tuning);
  if (!choices) return choices.error();
  const std::vector<Step> steps = schedule(work, *choices);  // launches in order

  Program program;
  program.externals = externals_of(work);
  const auto layout = alias(work, *choices, steps, program, caps, options.alias);
  if (!layout) return layout.error();
  program.arena_bytes = layout->arena_bytes;
  program.arena_lower_bound = layout->lower_bound;
  program.arena_unaliased_bytes = layout->unaliased_bytes;
  program.arena_held_bytes = arena_without_repetitions(graph, caps, options, tuning);
  program.constants = constants_of(work, *layout);
  emit(work, *choices, steps, *layout, program);
  place_barriers(program);
  return program;
}

}  // namespace fovea::compile
