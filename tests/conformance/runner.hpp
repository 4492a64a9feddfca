#pragma once
// One case on one device.

#include "tests/conformance/corpus.hpp"
#include <fovea/context.hpp>

#include <functional>
#include <string>
#include <vector>

namespace fovea::conformance {

enum class Status { passed, failed, skipped };

struct Outcome {
  Status status = Status::passed;
  // Why it was skipped, or one line a failure: "out.y[0,2]: got 1.5, expected 1.25, bound 1e-05 (3 of 24 outside)".
  std::vector<std::string> lines;
};

// Messages of the validation layers since the last call.
using TakeMessages = std::function<std::vector<std::string>()>;

// Builds the case's graph by its adapter, with the gradients it expects, runs it and compares every "out.*" and "grad.*".
// A case without an adapter, whose adapter says so, or of which an operator has no gradient, is skipped; an output that
// the adapter does not give, and any validation message, is a failure.
Outcome run_case(Context& context, const Case& from, const TakeMessages& take_messages);

}  // namespace fovea::conformance
