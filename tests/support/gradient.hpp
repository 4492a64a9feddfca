#pragma once
// Gradients on the device under test against finite differences of the double reference.

#include "tests/support/check.hpp"

#include <fovea/autodiff.hpp>

#include <string>

namespace fovea::test {

struct GradientOptions {
  // Units in the last place, relative to the sum of the magnitudes that make up the largest gradient: what the forward
  // and the backward kernels of the operator may lose together.
  double ulps = 64;
  // The least magnitude that gradients are measured against: where terms cancel to nothing, say what each may be.
  double least_scale = 0;
  // Step of the central difference, relative to max(1, |x|).
  double step = 1e-5;
  // Elements of each input that are differentiated; more are drawn at random.
  std::int64_t most = 48;
  std::vector<bool> skip{};  // inputs not differentiated for
  bool f16 = false;          // also with f16 and bf16 storage: within 8 half units of it, 2^-8 and 2^-5, of the largest gradient
  // With each kernel of this operator forced in turn, and its decomposition; one that does not take the graph is left out.
  std::string kernels_of{};
  GradDesc grad{};
  CompileOptions compile{};
};

// loss = sum of every float output times fixed random weights. `grad` of it with respect to each f32 input, compiled and
// run twice between sentinels on a poisoned arena, against (loss(x+h) - loss(x-h)) / 2h of the reference in double.
// Inputs must keep away from kinks by more than the step; those that bf16 rounds onto one are not compared.
void check_gradient(const std::vector<Operand>& inputs, const Build& build, const Reference<double>& reference,
                    const GradientOptions& options = {});

}  // namespace fovea::test
