#pragma once
// The GLSL that attention's kernels include as "attention_mod.glsl", made of an author's texts.

#include "ops/attention_mod.hpp"

namespace fovea::glsl {

struct ModText {
  ops::ModFacts facts;
  std::string glsl;
};

// The texts by the numbers that glslang's messages give: `#line 2 1` is line 2 of text_names[1].
inline constexpr const char* text_names[] = {"functions", "score_mod", "mask_mod", "factor_mod", "score_slope"};

// `flat`: expressions without branches; else as the author wrote them. Error: a buffer's name, axes or dtype.
Result<ModText> mod_text(const AttentionModDesc& desc, bool flat);

// Names as the author wrote them, in a message about generated text.
std::string author_names(const AttentionModDesc& desc, std::string message);

}  // namespace fovea::glsl
