// A random graph as a case: its text is an attribute, its inputs are operands.

#include "tests/conformance/adapter.hpp"
#include "tests/conformance/fuzz/recipe.hpp"

namespace fovea::conformance {
namespace {

void random_graph(CaseGraph& graph) {
  const Recipe recipe = parse_recipe(graph.attrs().text("graph")).value();  // printed by make_case
  std::vector<Tensor> inputs;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i)
    if (recipe.is_input(i)) inputs.push_back(graph.in("v" + std::to_string(i)));
  const std::vector<Tensor> outputs = build(recipe, inputs);
  graph.out("y", outputs[0]);
  for (std::size_t i = 0; i < recipe.also.size(); ++i) graph.out("v" + std::to_string(recipe.also[i]), outputs[i + 1]);
}

constexpr Adapter adapters[] = {{"random graph", random_graph}};

}  // namespace

std::span<const Adapter> random_graph_adapters() { return adapters; }

}  // namespace fovea::conformance
