// fovea-test-coverage: goes through tests/ops and tests/nn without a device and notes the graphs that they compare on one.
// Fails for an operator, a kernel or a shader whose results no test compares with a reference, for an operator with a gradient that no test compares with finite differences, and for a graph's Program with a barrier too
// few or one too many.
// `fovea-test-coverage --executed FILE...`: of what tests on drivers wrote (FOVEA_TEST_EXECUTED), fails for a kernel and for a shader that
// ran on none.
#define DOCTEST_CONFIG_IMPLEMENT
#include "compile/compiler.hpp"
#include "ops/attention.hpp"
#include "tests/support/everything.hpp"
#include "tests/support/hazards.hpp"
#include "tests/support/kernels.hpp"
#include "tests/support/run.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::test {

namespace {

std::set<std::string> compared_operators, compared_kernels, compared_shaders, differentiated_operators;  // kernels as "operator=kernel"
std::size_t programs = 0, barriers = 0;
std::set<std::string> races;

// Between them they take every kernel: all features, the limits of common devices, and beside a graphics card a processor, and one
// whose shuffles are costly.
std::vector<DeviceCaps> devices() {
  DeviceCaps caps;
  give_everything(caps);
  caps.max_storage_buffers = 16;
  std::vector<DeviceCaps> all;
  for (const auto& [type, size] : {std::pair{DeviceType::discrete, 32u}, {DeviceType::cpu, 8u}}) {
    caps.type = type;
    caps.subgroup_size = caps.min_subgroup_size = caps.max_subgroup_size = size;
    all.push_back(caps);
  }
  caps.costly_shuffles = true;
  all.push_back(caps);
  return all;
}

// By value: what the outputs are computed from.
std::vector<bool> needed_values(const ir::Graph& graph) {
  std::vector<bool> needed(graph.values.size());
  for (const ir::Output& output : graph.outputs) needed[output.value] = true;
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node)
    if (std::any_of(node->outputs.begin(), node->outputs.end(), [&](ir::ValueId out) { return needed[out]; }))
      for (const ir::ValueId in : node->inputs)
        if (in != ir::none) needed[in] = true;
  return needed;
}

// Nothing races, and without any one of the barriers something would.
void hold_barriers(compile::Program program) {
  ++programs;
  for (const std::string& hazard : find_hazards(program)) races.insert(hazard);
  for (compile::Dispatch& dispatch : program.dispatches) {
    if (!dispatch.barrier_before) continue;
    ++barriers;
    dispatch.barrier_before = false;
    if (find_hazards(program).empty()) races.insert("nothing needs the barrier before " + to_text(program, dispatch));
    dispatch.barrier_before = true;
  }
}

void note_compared(const Graph& graph, const CompileOptions& options) {
  bool taken = false;
  for (const DeviceCaps& caps : devices()) {
    const Result<compile::Program> program = compile::compile(graph.ir(), caps, options);
    if (!program) continue;
    taken = true;
    hold_barriers(*program);
    for (const compile::Dispatch& dispatch : program->dispatches) {
      compared_operators.insert(operator_of(dispatch));
      compared_kernels.insert(kernel_of(dispatch));
      compared_shaders.insert(dispatch.shader->name);
    }
  }
  if (!taken) return;
  // Those that are views, or consist of others, launch nothing of their own.
  const std::vector<bool> needed = needed_values(graph.ir());
  for (const ir::Node& node : graph.ir().nodes)
    if (node.op->kernels.empty() && needed[node.outputs[0]]) compared_operators.insert(node.op->name);
}

bool flows(const ir::Graph& graph, const ir::Node& node, std::size_t i) {
  return i >= node.op->first_differentiable && node.inputs[i] != ir::none && ir::is_float(graph.value(node.inputs[i]).type.dtype);
}

void note_on_the_way(const ir::Graph& graph, std::span<const Tensor> to, std::span<const Tensor> from);

// A node without a gradient of its own: the gradient goes through what it decomposes into.
void note_inside(const ir::Graph& graph, const ir::Node& node, const std::vector<bool>& depends) {
  ir::Graph inside;
  std::vector<Tensor> in, out(node.outputs.size()), from;
  for (std::size_t i = 0; i < node.inputs.size(); ++i) {
    if (node.inputs[i] == ir::none) {
      in.emplace_back();
      continue;
    }
    in.emplace_back(&inside, inside.add_value({graph.value(node.inputs[i]).type, ir::ValueKind::input, ir::none, 0, {}}));
    if (flows(graph, node, i) && depends[node.inputs[i]]) from.push_back(in.back());
  }
  ops::Builder builder{inside, node.site};
  if (node.op->decompose(builder, {graph, node}, in, out) && !inside.error) note_on_the_way(inside, out, from);
}

// Attention's own gradient leaves it to the decomposition where the weights are a result.
bool goes_inside(const ir::Node& node) {
  return node.op->decompose && (!node.op->vjp || (node.op == &ops::attention_op && node.attrs.as<ops::AttentionAttrs>().weights));
}

// The operators through which a gradient goes on its way from some values to others.
void note_on_the_way(const ir::Graph& graph, std::span<const Tensor> to, std::span<const Tensor> from) {
  std::vector<bool> depends(graph.values.size()), matters(graph.values.size());
  for (Tensor value : from) depends[value.id()] = true;
  for (Tensor value : to)
    if (value) matters[value.id()] = true;
  for (const ir::Node& node : graph.nodes)
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (flows(graph, node, i) && depends[node.inputs[i]])
        for (const ir::ValueId out : node.outputs) depends[out] = ir::is_float(graph.value(out).type.dtype);
  for (auto node = graph.nodes.rbegin(); node != graph.nodes.rend(); ++node) {
    if (std::none_of(node->outputs.begin(), node->outputs.end(), [&](ir::ValueId out) { return depends[out] && matters[out]; })) continue;
    differentiated_operators.insert(node->op->name);
    for (std::size_t i = 0; i < node->inputs.size(); ++i)
      if (flows(graph, *node, i)) matters[node->inputs[i]] = true;
    if (goes_inside(*node)) note_inside(graph, *node, depends);
  }
}

void note_differentiated(const Graph& graph, Tensor loss, std::span<const Tensor> targets) { note_on_the_way(graph.ir(), {&loss, 1}, targets); }

constexpr CompileOnly hooks{.compared = note_compared, .differentiated = note_differentiated};

std::vector<std::string> faults() {
  std::vector<std::string> all(races.begin(), races.end());
  for (const ops::OpDef* op : ops::all_ops()) {
    const std::string name = op->name;
    if (!compared_operators.contains(name)) all.push_back(name + ": no test compares its results with a reference");
    for (const ops::Kernel& kernel : op->kernels)
      if (!compared_kernels.contains(name + '=' + kernel.name)) all.push_back(name + '=' + kernel.name + ": no test compares this kernel's results");
    if (!op->no_gradient && !differentiated_operators.contains(name))
      all.push_back(name + ": no test compares its gradient with finite differences");
  }
  for (const ShaderInfo& shader : shader_table())
    if (!compared_shaders.contains(shader.name)) all.push_back(std::string(shader.name) + ": no test compares what this shader makes");
  return all;
}

int report_executed(std::span<char* const> files) {
  std::set<std::string> executed;
  for (const char* path : files) {
    std::ifstream file(path);
    for (std::string line; std::getline(file, line);) executed.insert(line);
  }
  int missing = 0;
  const auto demand = [&](const std::string& line) {
    if (executed.contains(line)) return;
    ++missing;
    std::printf("FAILED %s has run on no driver\n", line.c_str());
  };
  std::size_t kernels = 0;
  for (const ops::OpDef* op : ops::all_ops()) {
    kernels += op->kernels.size();
    for (const ops::Kernel& kernel : op->kernels) demand(std::string(op->name) + '=' + kernel.name);
  }
  for (const ShaderInfo& shader : shader_table()) demand(std::string("shader ") + shader.name);
  std::printf("of %zu kernels and %zu shaders %d have not run\n", kernels, shader_table().size(), missing);
  return missing != 0;
}

}  // namespace

const CompileOnly* const compile_only = &hooks;

}  // namespace fovea::test

int main(int argc, char** argv) {
  using namespace fovea::test;
  if (argc > 1 && std::string_view(argv[1]) == "--executed") return report_executed({argv + 2, argv + argc});
  doctest::Context tests(argc, argv);
  const int failed = tests.run();
  if (tests.shouldExit()) return failed;
  const std::vector<std::string> missing = faults();
  for (const std::string& fault : missing) std::printf("FAILED %s\n", fault.c_str());
  std::printf("%zu operators and %zu kernels are compared, %zu operators' gradients; %zu barriers of %zu programs; %zu gaps\n",
              compared_operators.size(), compared_kernels.size(), differentiated_operators.size(), barriers, programs, missing.size());
  return failed != 0 || !missing.empty();
}
