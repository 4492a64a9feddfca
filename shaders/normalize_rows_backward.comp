// dx = (g - mean g - x̂·mean(g·x̂))/deviation along rows, g = d·weight, x̂ = (x - mean)/deviation; without the mean, mean g is
// left out. And what is added to it: the gradient that comes by way of a residual connection.
//
// The layout of work is that of normalize_rows.comp: g and x̂ stay in registers where they fit.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant MEET memory subgroup
#pragma variant DTYPE f32 f16 bf16
#ifdef MEET_subgroup
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#include "normalize_rows_backward.h"
#include "lib/divide.glsl"
#include "lib/dtype.glsl"
#include "lib/row_lanes.glsl"
#include "lib/rows.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { NormalizeRowsParams p; };
layout(set = 0, binding = 0) readonly buffer D { STORE_T d[]; };
layout(set = 0, binding = 0) readonly buffer D4 { QUAD_T d4[]; };
#define NO_BIAS
#include "lib/row_weights.glsl"
layout(set = 0, binding = 2) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 2) readonly buffer X4 { QUAD_T x4[]; };
layout(set = 0, binding = 3) readonly buffer Inverse { float inverse_deviations[]; };
layout(set = 0, binding = 4) readonly buffer Mean { float means[]; };
layout(set = 0, binding = 5) readonly buffer Added { STORE_T added[]; };
layout(set = 0, binding = 5) readonly buffer Added4 { QUAD_T added4[]; };
layout(set = 0, binding = 6) writeonly buffer Dx { STORE_T dx[]; };
layout(set = 0, binding = 6) writeonly buffer Dx4 { STORE_T4 dx4[]; };

uint base;    // of the row, in elements
bool inside;  // it is one: lanes of a group may be left over

#define FOVEA_FOUR_LOADER(name, view, view4)                                                       \
  vec4 name(uint j) {                                                                              \
    vec4 v = vec4(0.0);                                                                            \
    if (VEC != 0) {                                                                                \
      v = LOAD_QUAD(view4, (base + j) / 4);                                                        \
    } else {                                                                                       \
      [[unroll]] for (uint i = 0; i < 4; ++i) v[i] = LOAD(view, base + min(ELEMENT(j, i), p.width - 1)); \
    }                                                                                              \
    return v;                                                                                      \
  }
FOVEA_FOUR_LOADER(d_from, d, d4)
FOVEA_FOUR_LOADER(x_from, x, x4)
FOVEA_FOUR_LOADER(added_from, added, added4)

void main() {
  uint row = FLAT_GROUP * (WG / LANES) + gl_LocalInvocationID.x / LANES, lane = gl_LocalInvocationID.x % LANES;
  inside = row < p.rows;
  if ((LANES == 1 || LANES == WG) && !inside) return;  // LANES = WG: the whole workgroup
  row = min(row, p.rows - 1);
  base = row * p.width;
  first_weight = row % p.period * p.weights;
  uint first = VEC != 0 ? 4 * lane : lane, end = p.width;
  float inverse = inverse_deviations[row], mean = 0.0;
  if (CENTRED != 0) mean = means[row];

  vec4 held_g[HELD + uint(HELD == 0)], held_x[HELD + uint(HELD == 0)];
  vec4 gs = vec4(0.0), products = vec4(0.0);
#define READ(at, g, normal)                                               \
  vec4 g = within(at, p.width, d_from(at)), normal = (x_from(at) - mean) * inverse; \
  if (WEIGHT != NORMALIZE_ABSENT) g *= weights_from(at);
#define SUM_HELD(at, i) READ(at, g, normal) gs += g, products += g * normal, held_g[i] = g, held_x[i] = normal;
#define SUM_READ(at, i) READ(at, g, normal) gs += g, products += g * normal;
  HELD_FOURS(SUM_HELD)
  READ_FOURS(SUM_READ)
  vec2 of_row = of_all_lanes(vec2(total(gs), total(products)), 0) * p.inverse_width;
  if (CENTRED == 0) of_row.x = 0.0;

#define FINISH(at, g, normal) {                                           \
    vec4 v = ((g - of_row.x) - normal * of_row.y) * inverse;              \
    if (ADDED != 0) v += added_from(at);                                  \
    if (VEC != 0) {                                                       \
      if (inside) STORE4(dx4, (base + (at)) / 4, v);                      \
    } else {                                                              \
      [[unroll]] for (uint c = 0; c < 4; ++c)                             \
        if (inside && ELEMENT(at, c) < p.width) STORE(dx, base + ELEMENT(at, c), v[c]); \
    }                                                                     \
  }
#define FINISH_HELD(at, i) FINISH(at, held_g[i], held_x[i])
#define FINISH_READ(at, i) READ(at, g, normal) FINISH(at, g, normal)
  HELD_FOURS(FINISH_HELD)
  READ_FOURS(FINISH_READ)
}
