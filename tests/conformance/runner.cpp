#include "tests/conformance/runner.hpp"

#include "tests/conformance/adapter.hpp"
#include "tests/conformance/compare.hpp"
#include <fovea/plan.hpp>

#include <algorithm>
#include <map>
#include <optional>

namespace fovea::conformance {
namespace {

// The outputs by name. Errors: the graph's, the compiler's, the device's.
Result<std::map<std::string, Value>> run_graph(Context& context, const Case& from, CaseGraph& graph) {
  Result<Plan> plan = context.compile(graph.graph(), {.poison_arena = true});
  if (!plan) return plan.error();
  std::map<std::string, std::vector<std::byte>> storage;
  for (const auto& [name, tensor] : graph.operands()) {
    Result<std::vector<std::byte>> bytes = io::to_storage(*from.tensors.find(name), tensor.dtype());
    if (!bytes) return bytes.error();
    storage.emplace(name, std::move(*bytes));
  }
  std::vector<PortData> inputs;
  for (const auto& [name, bytes] : storage) inputs.push_back({name, bytes});
  Result<std::vector<std::vector<std::byte>>> results = plan->run(inputs);
  if (!results) return results.error();

  std::map<std::string, Value> values;
  std::size_t next = 0;
  for (const Port& port : plan->ports()) {
    if (port.role != Port::Role::output) continue;
    values.emplace(port.name, Value{port.shape, port.dtype, std::move((*results)[next++])});
  }
  return values;
}

void compare_outputs(const Case& from, const std::map<std::string, Value>& values, bool gradients, Outcome& outcome) {
  for (const io::StoredTensor& expected : from.tensors.tensors()) {
    if (!expected.name.starts_with("out.") && !(gradients && expected.name.starts_with("grad."))) continue;
    const auto got = values.find(expected.name);
    if (got == values.end()) {
      outcome.lines.push_back(expected.name + ": not produced");
      continue;
    }
    const auto wrong = compare(expected, got->second, from.tolerance(expected.name));
    if (wrong) outcome.lines.push_back(expected.name + *wrong);
  }
  for (const auto& [name, value] : values) {
    if (from.tensors.find(name) == nullptr) outcome.lines.push_back(name + ": the case expects no such output");
  }
}

}  // namespace

Outcome run_case(Context& context, const Case& from, const TakeMessages& take_messages) {
  const Adapter* adapter = find_adapter(from.op);
  if (adapter == nullptr) return {Status::skipped, {"no operator for " + from.op}};
  CaseGraph whole(from), forward(from);  // the second where an operator has no gradient
  adapter->build(whole);
  if (whole.skipped()) return {Status::skipped, {*whole.skipped()}};
  whole.differentiate();
  const std::optional<Error> error = whole.graph().error();
  const bool no_gradient = error && error->code == ErrorCode::unsupported && error->message.starts_with("grad: ");
  if (no_gradient) adapter->build(forward);
  CaseGraph& graph = no_gradient ? forward : whole;

  Outcome outcome;
  if (graph.problem()) {
    outcome.lines.push_back(*graph.problem());
  } else {
    Result<std::map<std::string, Value>> values = run_graph(context, from, graph);
    if (values) {
      compare_outputs(from, *values, !no_gradient, outcome);
    } else {
      outcome.lines.push_back(values.error().message);
    }
  }
  for (const std::string& message : take_messages()) outcome.lines.push_back(message);
  if (!outcome.lines.empty())
    outcome.status = Status::failed;
  else if (no_gradient)
    outcome = {Status::skipped, {"the outputs are right; " + error->message}};
  return outcome;
}

}  // namespace fovea::conformance
