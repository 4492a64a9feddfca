// Weights and biases of a row's elements. After normalize_rows.h, dtype.glsl, rows.glsl, divide.glsl and row_lanes.glsl, with the
// parameters as `p`. Bindings 1 and, without NO_BIAS, 2.
#ifndef FOVEA_ROW_WEIGHTS_GLSL
#define FOVEA_ROW_WEIGHTS_GLSL

layout(set = 0, binding = 1) readonly buffer Weight { STORE_T weight[]; };
layout(set = 0, binding = 1) readonly buffer Weight4 { QUAD_T weight4[]; };
layout(set = 0, binding = 1) readonly buffer WideWeight { float wide_weight[]; };
layout(set = 0, binding = 1) readonly buffer WideWeight4 { vec4 wide_weight4[]; };

uint first_weight;  // of the row

// Which weight belongs to element j of the row.
uint weight_of(uint j) {
  uint k = min(j, p.width - 1);
  if (RUNS != 0) split(k, p.run[0], p.run[1], p.run[2]);
  return first_weight + k;
}
#define FOVEA_ROW_WEIGHTS(name, one, KIND, narrow, narrow4, wide, wide4)      \
  float one(uint at) {                                                        \
    if (KIND == NORMALIZE_WIDE) return wide[at];                              \
    return LOAD(narrow, at);                                                  \
  }                                                                           \
  vec4 name(uint j) {                                                         \
    if (VEC != 0 && RUNS != 0) return vec4(one(weight_of(j)));                \
    if (VEC != 0) {                                                           \
      if (KIND == NORMALIZE_WIDE) return wide4[(first_weight + j) / 4];       \
      return LOAD_QUAD(narrow4, (first_weight + j) / 4);                      \
    }                                                                         \
    vec4 v;                                                                   \
    [[unroll]] for (uint i = 0; i < 4; ++i) v[i] = one(weight_of(ELEMENT(j, i))); \
    return v;                                                                 \
  }
FOVEA_ROW_WEIGHTS(weights_from, weight_at, WEIGHT, weight, weight4, wide_weight, wide_weight4)
#ifndef NO_BIAS
layout(set = 0, binding = 2) readonly buffer Bias { STORE_T bias[]; };
layout(set = 0, binding = 2) readonly buffer Bias4 { QUAD_T bias4[]; };
layout(set = 0, binding = 2) readonly buffer WideBias { float wide_bias[]; };
layout(set = 0, binding = 2) readonly buffer WideBias4 { vec4 wide_bias4[]; };
FOVEA_ROW_WEIGHTS(biases_from, bias_at, BIAS, bias, bias4, wide_bias, wide_bias4)
#endif

#endif
