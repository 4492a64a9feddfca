#pragma once
// The harness: an operator's graph against its reference, on the device under test, for every kernel that takes it.

#include "tests/support/array.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

namespace fovea::test {

// The device under test, made once a process (FOVEA_DEVICE chooses); ends the process with a message when there is none.
Context& context();
// Whether it stores f16 and bf16; where there is no device (coverage/main.cpp), yes.
bool has_f16();

// Validation messages since the last call; a test case that leaves any fails (checked after each case by check()).
std::vector<std::string> take_validation_messages();

struct CheckOptions {
  // Also run with f16 and with bf16 storage where the device has them (inputs are rounded first).
  bool f16 = true;
  // Units in the last place that Vulkan's own precision rules allow beyond the reference's float error, relative to the
  // largest magnitude of the result. Say in a comment which rule: exp is 3 + 2|x| ulp, division 2.5 ulp.
  double extra_ulps = 4;
  // Relative to each result's own magnitude instead of the tensor's largest (for results of very different sizes).
  bool elementwise_scale = false;
  // Compare bit for bit: layout operators, indices.
  bool exact = false;
  // Also the gradient with respect to every f32 operand, against finite differences (tests/support/gradient.hpp).
  bool gradient = false;
  // This kernel alone, or "decompose".
  std::string kernel{};
  // Limits of a smaller device, and so on.
  CompileOptions compile{};
};

using Build = std::function<std::vector<Tensor>(Graph& graph, const std::vector<Tensor>& in)>;
template <class T>
using Reference = std::function<std::vector<Array<T>>(const std::vector<Array<T>>& in)>;

// For each storage type and for each kernel of operator `op` that takes the graph (and its decomposition, if it has
// one): compiles with that kernel forced, poisons arena and outputs with NaN, guards every buffer with sentinels, runs
// twice and compares the runs bit for bit, then compares with the double reference within
//   8 |reference in float - reference in double|max + (extra_ulps * 2^-24 + the kernel's rounding) * scale
//   + 1 ulp of the storage type.
// Fails when no kernel took it.
void check_operator(const std::string& op, const std::vector<Operand>& inputs, const Build& build,
                    const Reference<double>& reference, const Reference<float>& reference_float,
                    const CheckOptions& options = {});

// `reference` is a generic lambda: [](const auto& in) { ... } over std::vector<Array<T>>.
template <class Ref>
void check(const std::string& op, const std::vector<Operand>& inputs, const Build& build, const Ref& reference,
           const CheckOptions& options = {}) {
  check_operator(op, inputs, build, Reference<double>(reference), Reference<float>(reference), options);
}

// The graph must be refused with an error that contains every one of these texts.
void check_error(const std::function<void(Graph&)>& build, const std::vector<std::string>& texts);

}  // namespace fovea::test
