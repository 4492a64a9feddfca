// What additive_score and its gradient do alike: rows of both sides by fours. After additive_score.h, rows.glsl and
// additive.glsl.
#ifndef FOVEA_ADDITIVE_SCORE_GLSL
#define FOVEA_ADDITIVE_SCORE_GLSL

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { AdditiveScoreParams p; };
layout(set = 0, binding = 0) readonly buffer Owned { STORE_T owned[]; };
layout(set = 0, binding = 0) readonly buffer Owned4 { QUAD_T owned4[]; };
layout(set = 0, binding = 1) readonly buffer Other { STORE_T other[]; };
layout(set = 0, binding = 1) readonly buffer Other4 { QUAD_T other4[]; };
layout(set = 0, binding = 2) readonly buffer V { STORE_T v[]; };
layout(set = 0, binding = 2) readonly buffer V4 { QUAD_T v4[]; };
FOVEA_ROW_LOADER(load_owned, owned, owned4, A)
FOVEA_ROW_LOADER(load_other, other, other4, A)
FOVEA_ROW_LOADER(load_v, v, v4, A)

const uint QUADS = (A + 3) / 4;
#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)

vec4 activations_of(vec4 x) { return vec4(activation_of(x.x), activation_of(x.y), activation_of(x.z), activation_of(x.w)); }

#endif
