#pragma once
// One case on one device.

#include "compile/program.hpp"
#include "tests/conformance/corpus.hpp"
#include "tests/conformance/report.hpp"
#include <fovea/context.hpp>

#include <functional>
#include <string>
#include <vector>

namespace fovea::conformance {

struct RunOptions {
  // "operator=kernel" pairs: the case runs once with each that its operators take, and is skipped where they take none.
  // Empty: as the device chooses.
  std::vector<std::string> variants{};
  // As the device chooses, and then with every kernel (and decomposition) of each operator that the chosen program holds,
  // where it takes them and gives another program.
  bool all_variants = false;
  int runs = 2;  // that must give the same bits
  bool poison_shared = false;  // shared memory is NaN before a shader's own code
  // The limits in force are below the floor that every device has: what is refused for them is skipped, not failed.
  bool below_floor = false;
  bool timestamps = false;  // the device's queue has them
  std::uint64_t budget_ns = 0;  // for each dispatch: one that takes longer fails its case; 0: none
  std::function<void(compile::Program&)> alter{};  // what becomes of a compiled Program before it runs; null: nothing
};

// Messages of the validation layers since the last call.
using TakeMessages = std::function<std::vector<std::string>()>;

// Builds the case's graph by its adapter, with the gradients it expects, runs it between sentinels on poisoned memory and
// compares every "out.*" and "grad.*". At least one result. A case without an adapter, whose adapter says so, or of which
// an operator has no gradient, is skipped; an output that the adapter does not give, and any validation message, is a
// failure.
std::vector<CaseResult> run_case(Context& context, const Case& from, const RunOptions& options,
                                 const TakeMessages& take_messages);

// Error: a pair that names no kernel of this build.
Result<void> check_variant(const std::string& variant);

}  // namespace fovea::conformance
