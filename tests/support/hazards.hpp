#pragma once
// What a compiled Program lets race: nothing runs, and no driver or layer stands behind it.

#include "compile/program.hpp"

#include <string>
#include <vector>

namespace fovea::test {

// A line for each two dispatches that no barrier separates though they touch the same bytes and one of them writes these:
// read after write, write after read, write after write. One for each dispatch, too, that touches by another binding what
// it writes itself. What is written is what the shader's code does not declare read-only, whatever the Program says of it.
std::vector<std::string> find_hazards(const compile::Program& program);

}  // namespace fovea::test
