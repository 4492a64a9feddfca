#pragma once
// Running a plan between sentinels, on poisoned outputs, several times. No test framework stands behind it.

#include <fovea/context.hpp>
#include <fovea/plan.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace fovea::test {

using Bytes = std::vector<std::byte>;

struct GuardedRun {
  std::vector<Bytes> outputs;       // of the first run, in the order of the ports, Port::bytes each
  std::vector<std::string> faults;  // "two runs differ in y"; a kind of fault at a port stands once
};

// The bytes of the inputs and parameters, in the order of the ports. Every port lies between sentinels, of which those
// behind it are bound with it, for some drivers drop accesses past the end of a binding; outputs are NaN before each run.
// Faults: a sentinel or an input that was changed, and an output of which a later run gave other bits.
// Errors: memory, the device; a dispatch that takes longer than the budget in nanoseconds, where it is not 0.
Result<GuardedRun> run_between_sentinels(Context& context, Plan& plan, std::span<const Bytes> inputs, int runs,
                                         std::uint64_t budget_ns = 0);

}  // namespace fovea::test
