#pragma once
// Faults that the suite must notice: a changed line of a kernel, or a changed Program. Each is named with what catches it.

#include "compile/program.hpp"

#include <cstddef>
#include <span>
#include <string>

namespace fovea::sabotage {

struct Fault {
  const char* what;    // "the running sum is not rescaled"
  const char* kernel;  // whose module is made from the changed source: "attention_row"
  const char* line;    // text of that source, which stands there once, and what takes its place
  const char* instead;
  // A case of the corpus, "op_sdpa/basic"; or a test of tests/, "ops/random.cpp: the published vectors of Philox-4x32-10"
  const char* caught_by;
  const char* variant = "";  // of a case, "operator=kernel": else as the device chooses
  const char* source = "";   // where the line stands, "lib/online_softmax.glsl": else in <kernel>.comp
  // Instead of a kernel: makes the n-th change of this kind in a case's Program. Returns where; empty: it has no n-th.
  std::string (*alter)(compile::Program& program, std::size_t n) = nullptr;
  const char* uncaught = "";  // why nothing notices it: asserted, too
};

struct Family {
  const char* name;
  std::span<const Fault> faults;
  bool validated;  // the validation layer must be loaded; without this it is not
};

#define FAMILY(name, validated, quick) extern const std::span<const Fault> name##_faults;
#include "tests/sabotage/families.def"
#undef FAMILY

// From now on find_shader() gives the modules of the fault's kernel as its change makes them; null: as they are built.
void sabotage_shaders(const Fault* fault);
// Whether the fault's line stands once in its source; empty: it does.
std::string line_fault(const Fault& of);
// What kept the change from being made since then: the line is gone, the shader does not compile. Empty: nothing did.
std::string why_not_made();

}  // namespace fovea::sabotage
