#pragma once
// The texts of attention's kernels, and of what they include. CMake generates the table.

#include <string_view>

namespace fovea::glsl {

// By path below shaders/: "attention_row.comp", "lib/dtype.glsl". Empty: there is none.
std::string_view kernel_source(std::string_view path);

}  // namespace fovea::glsl
