#pragma once
// Random graphs one after another, each as a case (docs/conformance.md, "Random graphs").

#include "tests/conformance/corpus.hpp"
#include "tests/conformance/fuzz/recipe.hpp"
#include "tests/conformance/report.hpp"
#include "tests/conformance/runner.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

namespace fovea::conformance {

struct FuzzOptions {
  double seconds = 0;  // seeds are begun until then; one at least
  std::uint32_t count = UINT32_MAX;  // of seeds, at most
  std::uint32_t seed = 1;
  bool shrink = false;
  bool storage16 = true;  // the device stores f16 and bf16; otherwise such graphs are of f32
  std::filesystem::path save{};  // a folder for <name>.graph of each failure; empty: none
  std::function<void(const std::string& title)> begin{};  // told before each graph; may be empty
};

// run_case on the device under test.
using RunCase = std::function<std::vector<CaseResult>(const Case&, const RunOptions&)>;
using Emit = std::function<void(const CaseResult&)>;

// Emits each failure, a result a seed and choice of kernels; the first of a seed has the graph among its lines. Then one
// result for all that were skipped, if any, and one for all that passed, which counts them, of group "fuzz" and named after the seeds,
// with the tensors nearest to their bounds.
void fuzz(const FuzzOptions& options, const RunOptions& run_options, const RunCase& run, const Emit& emit);

// One graph, "graph/<name>", and its failures likewise; `options.shrink` and `save` hold here too.
void run_recipe(const Recipe& recipe, const std::string& name, const FuzzOptions& options, const RunOptions& run_options,
                const RunCase& run, const Emit& emit);

// Two failures are of one kind when these are equal: without numbers, names and what else differs from graph to graph.
std::string kind_of_failure(const CaseResult& result);

}  // namespace fovea::conformance
