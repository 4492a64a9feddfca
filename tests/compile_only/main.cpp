// fovea-pipelines: on a driver that only compiles, makes every pipeline that the tests' graphs select, each kernel forced
// in turn, in f32, f16 and bf16, forward and gradient; records their commands under the validation layer; and holds what the
// driver says of the machine code to a budget. Nothing runs, and no result is read.
#define DOCTEST_CONFIG_IMPLEMENT
#include "tests/compile_only/pipelines.hpp"
#include "tests/support/check.hpp"
#include "tests/support/everything.hpp"
#include "tests/support/kernels.hpp"
#include "tests/support/run.hpp"

#include "compile/compiler.hpp"
#include "engine/api/internal.hpp"
#include "ops/op_def.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>

namespace fovea::test {

namespace {

Pipelines pipelines;
std::string device;  // device_text(); the context is gone when the tests have ended

// "Apple M1 (G13G A0), Honeykrisp Mesa 26.1.6-1, driver UUID 1120b53b..."
std::string device_text() {
  std::string text = context().device().name + ", " + context().device().driver + ", driver UUID ";
  for (const std::uint8_t byte : caps_of(context()).driver_uuid) {
    char digits[3];
    std::snprintf(digits, sizeof digits, "%02x", byte);
    text += digits;
  }
  return text;
}

// Recorded and submitted, so that validation sees barriers, bindings and limits; the driver drops what is submitted.
void record(Plan& plan) {
  std::vector<Buffer> buffers;
  for (const Port& port : plan.ports()) buffers.push_back(context().make_buffer(port.bytes, false, port.name).value());
  std::vector<PortBuffer> ports;
  for (std::size_t i = 0; i < buffers.size(); ++i) ports.push_back({plan.ports()[i].name, &buffers[i]});
  const Bindings bindings = plan.bind(ports).value();
  plan.submit(bindings).value();
  plan.wait().value();
}

// A graph that no kernel takes is: the context tells why.
bool is_wanted(const Graph& graph, const CompileOptions& options) {
  if (device.empty()) device = device_text();
  const Result<compile::Program> program = compile::compile(graph.ir(), caps_of(context()), options);
  if (!program) return true;
  ++pipelines.graphs;
  bool wanted = false;
  for (const compile::Dispatch& dispatch : program->dispatches) {
    if (!run::has_work(dispatch)) continue;
    pipelines.kernels.insert(kernel_of(dispatch));
    const auto made = pipelines.made.find({dispatch.shader->name, dispatch.kernel});
    wanted = wanted || made == pipelines.made.end() || !made->second.contains(dispatch.constants);
  }
  return wanted;
}

void note(Plan& plan) {
  record(plan);
  const run::Executor& executor = *plan.impl().core->executor;
  const compile::Program& program = executor.program();
  for (std::size_t i = 0; i < program.dispatches.size(); ++i) {
    const compile::Dispatch& dispatch = program.dispatches[i];
    if (!run::has_work(dispatch)) continue;
    const PipelineKind kind{dispatch.shader->name, dispatch.kernel};
    if (!pipelines.made[kind].insert(dispatch.constants).second) continue;
    const PipelineStatistics one = executor.statistics(i);
    worsen(pipelines.worst[kind], one);
    if (shares_in_subgroups(*dispatch.shader) && one.subgroup_size >= 0 && one.subgroup_size != caps_of(context()).subgroup_size)
      pipelines.of_other_subgroups.emplace(kind, one.subgroup_size);
    if (one.spills > 0) pipelines.spilled.emplace(kind, compile::to_text(program, dispatch));
    if (multiplies_matrices(*dispatch.shader) && executor.matrix_instructions(i) == 0) pipelines.without_matrices.insert(kind);
  }
}

// The same device with all features, and limits and subgroups as others have them: does the kernel take the graph there?
void note_refusal(const Graph& graph, const CompileOptions& options) {
  if (options.force_kernel.size() != 1 || pipelines.elsewhere.contains(options.force_kernel[0])) return;
  DeviceCaps caps = caps_of(context());
  give_everything(caps);
  for (const DeviceType type : {caps.type, DeviceType::cpu})
    for (const std::uint32_t size : {caps.subgroup_size, 8u, 32u}) {
      caps.type = type;
      caps.subgroup_size = caps.min_subgroup_size = caps.max_subgroup_size = size;
      if (compile::compile(graph.ir(), caps, options)) pipelines.elsewhere.insert(options.force_kernel[0]);
    }
}

constexpr CompileOnly hooks{is_wanted, note, note_refusal};

}  // namespace

const CompileOnly* const compile_only = &hooks;

namespace {

// Kernels of which no graph makes a pipeline; for those that another device would have taken, a line.
std::vector<std::string> kernels_never_made() {
  std::vector<std::string> faults;
  for (const ops::OpDef* op : ops::all_ops())
    for (const ops::Kernel& kernel : op->kernels) {
      const std::string name = std::string(op->name) + '=' + kernel.name;
      if (pipelines.kernels.contains(name)) continue;
      if (pipelines.elsewhere.contains(name))
        std::printf("not for this device: %s\n", name.c_str());
      else
        faults.push_back("no graph makes a pipeline of " + name);
    }
  return faults;
}

// "26.1.6" of "..., turnip Mesa driver Mesa 26.1.6-1, ..."; empty when no version of Mesa is named.
std::string mesa_version() {
  constexpr std::string_view word = "Mesa ";
  const std::size_t at = device.rfind(word);
  if (at == std::string::npos) return {};
  const std::size_t begin = at + word.size();
  return device.substr(begin, device.find_first_not_of("0123456789.", begin) - begin);
}

// Shaders that may spill on this driver: lines of driver, shader and reason.
std::set<std::string> allowed_to_spill(const std::string& driver) {
  std::set<std::string> shaders;
  std::ifstream file(FOVEA_BUDGETS "/spills.tsv");
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string of_driver, shader;
    if (words >> of_driver >> shader && driver.starts_with(of_driver)) shaders.insert(shader);
  }
  return shaders;
}

struct Options {
  std::string driver;  // "radv:navi31"
  bool write = false;
  bool part = false;  // some test cases only: neither coverage nor lines of the budget can be missed
  bool share = std::getenv("FOVEA_TEST_SHARE") != nullptr;  // of each kernel's graphs: lines of the budget can be
};

int conclude(const Options& options) {
  std::string file = options.driver + "-mesa-" + mesa_version() + ".tsv";
  std::replace(file.begin(), file.end(), ':', '-');
  const std::string path = FOVEA_BUDGETS "/" + file;
  const std::set<std::string> allowed = allowed_to_spill(options.driver);
  std::vector<std::string> faults = spilling(pipelines.worst, allowed);
  const std::size_t spills = faults.size();
  const auto add = [&](const std::vector<std::string>& more) { faults.insert(faults.end(), more.begin(), more.end()); };
  for (const auto& [kind, dispatch] : pipelines.spilled)
    if (!allowed.contains(kind.first)) faults.push_back(kind.first + " spills in " + dispatch);
  for (const auto& [kind, size] : pipelines.of_other_subgroups)
    faults.push_back(kind.first + " of " + kind.second + " runs in subgroups of " + std::to_string(size) + ", and was not planned for those");
  for (const PipelineKind& kind : pipelines.without_matrices)
    faults.push_back(kind.first + " of " + kind.second + " has no instruction of matrix units");
  if (pipelines.count() == 0) faults.push_back("the driver tells nothing of any pipeline");
  if (!options.part) add(kernels_never_made());
  std::string verdict = "no budget for this version: only spills count";
  if (options.write) {
    if (!write_budget(path, pipelines.worst)) faults.push_back(path + " cannot be written");
    verdict = "budget written: " + file;
  } else if (std::ifstream(path)) {
    const Result<Figures> budget = read_budget(path);
    std::vector<std::string> past = budget ? over_budget(pipelines.worst, *budget) : std::vector{budget.error().message};
    if (options.part || options.share) std::erase_if(past, [](const std::string& line) { return line.ends_with("no graph makes it"); });
    add(past);
    verdict = std::to_string(past.size()) + " past the budget " + file;
  }
  if (options.part)
    for (const auto& [kind, worst] : pipelines.worst)
      std::printf("%s of %s: %s\n", kind.first.c_str(), kind.second.c_str(), to_text(worst).c_str());
  for (const std::string& fault : faults) std::printf("FAILED %s\n", fault.c_str());
  std::printf("compiled (not run): %s, %s: %zu pipelines of %zu shaders from %zu graphs%s; %zu spill; %s\n", options.driver.c_str(),
              device.c_str(), pipelines.count(), pipelines.worst.size(), pipelines.graphs, options.share ? ", a share of all" : "",
              spills, verdict.c_str());
  return faults.empty() ? 0 : 1;
}

}  // namespace

}  // namespace fovea::test

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  fovea::test::Options options;
  std::vector<char*> rest{argv[0]};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--device")
      return std::puts(fovea::test::device_text().c_str()) < 0;
    else if (argument == "--write-budget")
      options.write = true;
    else if (argument[0] == '-')
      rest.push_back(argv[i]);
    else
      options.driver = argument;
  }
  options.part = rest.size() > 1;
  if (options.driver.empty() || (options.part && options.write)) {
    std::fputs(
        "usage: fovea-pipelines DRIVER[:GPU] [--write-budget | DOCTEST OPTION...], under tests/drivers.sh run DRIVER[:GPU] --\n"
        "       fovea-pipelines --device   names the device, on any driver\n",
        stderr);
    return 2;
  }
  doctest::Context tests(static_cast<int>(rest.size()), rest.data());
  tests.setOption("minimal", true);
  const int failed = tests.run();
  if (tests.shouldExit()) return failed;
  return failed | fovea::test::conclude(options);
}
