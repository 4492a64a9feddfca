#include "tests/conformance/runner.hpp"

#include "compile/compiler.hpp"
#include "engine/api/internal.hpp"
#include "ops/op_def.hpp"
#include "tests/conformance/adapter.hpp"
#include "tests/conformance/compare.hpp"
#include "tests/support/guarded.hpp"
#include "tests/support/hazards.hpp"
#include "tests/support/kernels.hpp"
#include <fovea/plan.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <set>

namespace fovea::conformance {
namespace {

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// A case whose graph is built, in all the choices of kernels that are asked for.
class CaseRun {
 public:
  CaseRun(Context& context, const Case& from, const RunOptions& options, const TakeMessages& take_messages)
      : context_(context), case_(from), options_(options), take_messages_(take_messages), whole_(from), forward_(from) {}

  std::vector<CaseResult> run() {
    if (const auto stop = build()) return {*stop};
    if (options_.variants.empty()) run_chosen();
    for (const std::string& variant : options_.variants) run_forced(variant);
    if (!results_.empty()) return std::move(results_);
    CaseResult none = result("", Status::skipped);
    none.lines.push_back(refusals_);
    return {none};
  }

 private:
  CaseResult result(std::string variant, Status status) const {
    return {.group = case_.group, .name = case_.name, .op = case_.op, .variant = std::move(variant), .status = status};
  }

  // What stands in the way of running the case at all.
  std::optional<CaseResult> build() {
    CaseResult stop = result("", Status::skipped);
    const auto stop_with = [&](Status status, std::string why) {
      stop.status = status;
      stop.lines.push_back(std::move(why));
      return stop;
    };
    whole_.build();
    if (whole_.skipped()) return stop_with(Status::skipped, *whole_.skipped());
    whole_.differentiate();
    if (const std::optional<Error> error = whole_.graph().error();
        error && error->code == ErrorCode::unsupported && error->message.starts_with("grad: ")) {
      no_gradient_ = "the outputs are right; " + error->message;
      forward_.build();
    }
    if (graph().problem()) return stop_with(Status::failed, *graph().problem());
    return std::nullopt;
  }

  CaseGraph& graph() { return no_gradient_ ? forward_ : whole_; }

  Result<Plan> make_plan(const std::string& variant) {
    CompileOptions options{.timestamps = options_.timestamps, .poison_arena = true, .poison_shared = options_.poison_shared};
    if (!variant.empty()) options.force_kernel.push_back(variant);
    if (!options_.alter) return context_.compile(graph().graph(), options);
    Result<compile::Program> program = compile::compile(graph().graph().ir(), caps_of(context_), options);
    if (!program) return program.error();
    options_.alter(*program);
    return plan_from_program(context_, std::move(*program), options);
  }

  void run_chosen() {
    const auto start = std::chrono::steady_clock::now();
    Result<Plan> plan = make_plan("");
    if (!plan) return fail_to_compile("", plan.error());
    run_plan("", *plan, milliseconds_since(start));
    if (!options_.all_variants) return;

    std::set<std::string> programs{plan->program_text()}, operators;
    for (const DispatchReport& dispatch : plan->report().dispatches) operators.insert(test::operator_of(dispatch));
    for (const std::string& name : operators) {
      const ops::OpDef* op = ops::find_op(name);
      if (op == nullptr) continue;  // none: labels begin with an operator's name
      for (const ops::Kernel& kernel : op->kernels) run_other(name + "=" + kernel.name, programs);
      if (op->decompose) run_other(name + "=decompose", programs);
    }
  }

  // Runs the variant where the case takes it and it makes a program of its own.
  void run_other(const std::string& variant, std::set<std::string>& programs) {
    const auto start = std::chrono::steady_clock::now();
    Result<Plan> plan = make_plan(variant);
    if (!plan && plan.error().code == ErrorCode::unsupported) return;
    if (!plan) {
      fail_to_compile(variant, plan.error());
    } else if (programs.insert(plan->program_text()).second) {
      run_plan(variant, *plan, milliseconds_since(start));
    }
  }

  void run_forced(const std::string& variant) {
    const auto refuse = [&](const std::string& why) { refusals_ += (refusals_.empty() ? "" : "; ") + why; };
    const auto start = std::chrono::steady_clock::now();
    Result<Plan> plan = make_plan(variant);
    if (!plan && plan.error().code == ErrorCode::unsupported) return refuse(plan.error().message);
    if (!plan) return fail_to_compile(variant, plan.error());
    if (!holds(*plan, variant)) return refuse(variant + ": the case has no such operator");
    run_plan(variant, *plan, milliseconds_since(start));
  }

  // Whether a kernel that was forced is one that runs.
  bool holds(const Plan& plan, const std::string& variant) {
    const std::string name = variant.substr(0, variant.find('=')), kernel = variant.substr(name.size() + 1);
    if (kernel == "decompose") {
      const auto& nodes = graph().graph().ir().nodes;
      return std::any_of(nodes.begin(), nodes.end(), [&](const ir::Node& node) { return node.op->name == name; });
    }
    const fovea::Report report = plan.report();
    return std::any_of(report.dispatches.begin(), report.dispatches.end(), [&](const DispatchReport& dispatch) {
      return dispatch.kernel == kernel && test::operator_of(dispatch) == name;
    });
  }

  void fail_to_compile(const std::string& variant, const Error& error) {
    const bool refused = options_.below_floor && error.code == ErrorCode::unsupported;
    CaseResult failed = result(variant, refused ? Status::skipped : Status::failed);
    failed.lines.push_back(error.message);
    add_messages(failed);
    results_.push_back(std::move(failed));
  }

  void run_plan(const std::string& variant, Plan& plan, double compile_ms) {
    CaseResult one = result(variant, Status::passed);
    one.compile_ms = compile_ms;
    one.runs = options_.runs;
    const auto start = std::chrono::steady_clock::now();
    if (const Result<std::map<std::string, Value>> values = run_on_device(plan, one)) {
      one.run_ms = milliseconds_since(start);
      compare_outputs(*values, one);
    } else {
      one.lines.push_back(values.error().message);
    }
    const fovea::Report report = plan.report();
    one.device_ms = report.milliseconds;
    for (const DispatchReport& dispatch : report.dispatches)
      if (std::find(one.kernels.begin(), one.kernels.end(), dispatch.kernel) == one.kernels.end())
        one.kernels.push_back(dispatch.kernel);
    add_messages(one);
    for (std::string& hazard : test::find_hazards(plan.impl().core->executor->program())) one.lines.push_back(std::move(hazard));
    if (!one.lines.empty()) {
      one.status = Status::failed;
    } else if (no_gradient_) {
      one.status = Status::skipped;
      one.lines.push_back(*no_gradient_);
    }
    results_.push_back(std::move(one));
  }

  // The outputs by name. Errors: the device's. What the sentinels and the repetition tell goes to the result's lines.
  Result<std::map<std::string, Value>> run_on_device(Plan& plan, CaseResult& one) {
    std::vector<test::Bytes> inputs;
    for (const Port& port : plan.ports()) {
      if (port.role == Port::Role::output) continue;
      Result<test::Bytes> bytes = io::to_storage(*case_.tensors.find(port.name), port.dtype);
      if (!bytes) return bytes.error();
      inputs.push_back(std::move(*bytes));
    }
    Result<test::GuardedRun> run = test::run_between_sentinels(context_, plan, inputs, options_.runs, options_.budget_ns);
    if (!run) return run.error();
    one.lines.insert(one.lines.end(), run->faults.begin(), run->faults.end());
    std::map<std::string, Value> values;
    for (const Port& port : plan.ports()) {
      if (port.role != Port::Role::output) continue;
      test::Bytes& bytes = run->outputs[values.size()];
      bytes.resize(static_cast<std::size_t>(port.shape.elements()) * size_of(port.dtype));
      values.emplace(port.name, Value{port.shape, port.dtype, std::move(bytes)});
    }
    return values;
  }

  void compare_outputs(const std::map<std::string, Value>& values, CaseResult& one) {
    for (const io::StoredTensor& expected : case_.tensors.tensors()) {
      if (!expected.name.starts_with("out.") && !(!no_gradient_ && expected.name.starts_with("grad."))) continue;
      const auto got = values.find(expected.name);
      if (got == values.end()) {
        one.lines.push_back(expected.name + ": not produced");
        continue;
      }
      const Comparison found = compare(expected, got->second, case_.tolerance(expected.name));
      one.tensors.push_back({expected.name, {found.error}, {found.mean}, {found.tile}, {found.magnitude}});
      one.error.value = std::max(one.error.value, found.error);
      if (found.wrong) one.lines.push_back(expected.name + *found.wrong);
    }
    for (const auto& [name, value] : values)
      if (case_.tensors.find(name) == nullptr) one.lines.push_back(name + ": the case expects no such output");
  }

  void add_messages(CaseResult& one) {
    for (std::string& message : take_messages_()) one.lines.push_back(std::move(message));
  }

  Context& context_;
  const Case& case_;
  const RunOptions& options_;
  const TakeMessages& take_messages_;
  CaseGraph whole_, forward_;  // the second where an operator has no gradient
  std::optional<std::string> no_gradient_;
  std::vector<CaseResult> results_;
  std::string refusals_;  // of the variants asked for
};

}  // namespace

std::vector<CaseResult> run_case(Context& context, const Case& from, const RunOptions& options,
                                 const TakeMessages& take_messages) {
  return CaseRun(context, from, options, take_messages).run();
}

Result<void> check_variant(const std::string& variant) {
  Graph graph;
  graph.output("y", unary(Unary::relu, graph.input("x", {1})));
  const Result<compile::Program> program = compile::compile(graph.ir(), {}, {.force_kernel = {variant}});
  if (!program && program.error().code == ErrorCode::invalid_argument) return program.error();
  return {};
}

}  // namespace fovea::conformance
