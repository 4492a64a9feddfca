#pragma once
// Shaders from an author's text, by the glslang library. A library of its own, fovea::glsl, beside the engine.

#include <fovea/attention_mod.hpp>

namespace fovea::glsl {

// Checks the texts and makes the derivatives; each kernel is compiled when a graph first needs it. Equal descriptions share
// what is compiled, from any thread. Errors (invalid_argument): a buffer whose name, axes or dtype is wrong; what the compiler
// says of the texts, each message with the text's name and the author's own line: "attention_mod: score_mod:2: 'slop' :
// no matching overloaded function found".
Result<AttentionMod> compile(const AttentionModDesc& desc);

}  // namespace fovea::glsl
