#pragma once
// What the suite says of a fault. Its own machinery speaks: the conformance runner, or a test program's test case.

#include "tests/sabotage/fault.hpp"

#include <string>

namespace fovea::sabotage {

struct Notice {
  enum class Kind { nothing, absent, numbers, sentinel, repetition, validation, structure } kind = Kind::nothing;
  std::string text;  // the first line of it
};
const char* to_string(Notice::Kind kind);

// Runs what the fault is caught by, with the fault; `n` says which change, for those of a Program. absent: there is no
// n-th change, or nothing to run, of which `text` tells.
Notice run_with(const Fault& fault, std::size_t n);
// Runs it without the fault.
Notice run_without(const Fault& fault);

}  // namespace fovea::sabotage
