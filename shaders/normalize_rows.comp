// y = act((x + r - mean)/sqrt(variance + eps)·weight + bias) along rows, or without the mean: x/sqrt(mean x² + eps).
// A weight belongs to a run of elements: one (layer_norm), or those of a channel (group_norm).
//
// Lanes share a row: a subgroup or several, which meet in subgroup operations (GPUs; CPU drivers: one subgroup, whose lanes read
// and write side by side), or any power of two of them, which meet in shared memory. LANES = 1: a lane a row, no barrier.
// What fits registers is read once.
//
// Accuracy: the corrected two-pass algorithm (Chan, Golub & LeVeque 1983). What rounding left of the mean shows in the sum of the
// deviations, and is taken from them.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant MEET memory subgroup
#pragma variant DTYPE f32 f16 bf16
#ifdef MEET_subgroup
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#include "normalize_rows.h"
#include "lib/divide.glsl"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/row_lanes.glsl"
#include "lib/rows.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { NormalizeRowsParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 0) readonly buffer X4 { QUAD_T x4[]; };
#include "lib/row_weights.glsl"
layout(set = 0, binding = 3) readonly buffer R { STORE_T r[]; };
layout(set = 0, binding = 3) readonly buffer R4 { QUAD_T r4[]; };
layout(set = 0, binding = 4) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 4) writeonly buffer Y4 { STORE_T4 y4[]; };
layout(set = 0, binding = 5) writeonly buffer S { STORE_T s[]; };
layout(set = 0, binding = 5) writeonly buffer S4 { STORE_T4 s4[]; };
layout(set = 0, binding = 6) writeonly buffer Inverse { float inverse_deviations[]; };
layout(set = 0, binding = 7) writeonly buffer Mean { float means[]; };

// v·weight + bias, of the four from j on.
vec4 scaled(uint j, vec4 v) {
  if (WEIGHT != NORMALIZE_ABSENT) v *= weights_from(j);
  if (BIAS != NORMALIZE_ABSENT) v += biases_from(j);
  return v;
}

uint base;    // of the row, in elements
bool inside;  // it is one: lanes of a group may be left over

// Four elements of x + r; what stands past the row's end is 0.
vec4 load4(uint j) {
  vec4 v = vec4(0.0);
  if (VEC != 0) {
    v = LOAD_QUAD(x4, (base + j) / 4);
    if (RESIDUAL != 0) v += LOAD_QUAD(r4, (base + j) / 4);
  } else {
    [[unroll]] for (uint i = 0; i < 4; ++i) {
      uint at = base + min(ELEMENT(j, i), p.width - 1);
      v[i] = LOAD(x, at);
      if (RESIDUAL != 0) v[i] += LOAD(r, at);
    }
    v = within(j, p.width, v);
  }
  return v;
}
#define STORE_ROW(view, view4, j, v)                                         \
  if (VEC != 0) {                                                            \
    if (inside) STORE4(view4, (base + (j)) / 4, v);                          \
  } else {                                                                   \
    [[unroll]] for (uint i = 0; i < 4; ++i)                                  \
      if (inside && ELEMENT(j, i) < p.width) STORE(view, base + ELEMENT(j, i), (v)[i]); \
  }

// The first pass over a four: its share of the sum, or of the squares'.
vec4 first_pass(uint j, vec4 v) {
  if (SUM != 0) STORE_ROW(s, s4, j, v)
  return CENTRED != 0 ? v : v * v;
}
// The last: the result, of deviations and their factor.
void last_pass(uint j, vec4 deviation, float inverse) {
  vec4 v = scaled(j, deviation * inverse);
  if (ACTIVATION != 0) [[unroll]] for (uint i = 0; i < 4; ++i) v[i] = activate(ACTIVATION, v[i]);
  STORE_ROW(y, y4, j, v)
}

void main() {
  uint row = FLAT_GROUP * (WG / LANES) + gl_LocalInvocationID.x / LANES, lane = gl_LocalInvocationID.x % LANES;
  inside = row < p.rows;
  if ((LANES == 1 || LANES == WG) && !inside) return;  // LANES = WG: the whole workgroup
  row = min(row, p.rows - 1);
  base = row * p.width;
  first_weight = row % p.period * p.weights;
  uint first = VEC != 0 ? 4 * lane : lane;

  vec4 held[HELD + uint(HELD == 0)];
  vec4 sums = vec4(0.0), squares = vec4(0.0);
#define SUM_HELD(at, i) held[i] = load4(at), sums += first_pass(at, held[i]);
#define SUM_READ(at, i) sums += first_pass(at, load4(at));
  HELD_FOURS(SUM_HELD)
  READ_FOURS(SUM_READ)
  float mean_of_pass = of_all_lanes(vec2(total(sums), 0.0), 0).x * p.inverse_width;
  float mean = 0.0, remainder = 0.0, variance = mean_of_pass;
  if (CENTRED != 0) {
    mean = mean_of_pass, sums = vec4(0.0);
#define SQUARE(at, v) { vec4 deviation = within(at, p.width, (v) - mean); squares += deviation * deviation, sums += deviation; }
#define SQUARE_HELD(at, i) SQUARE(at, held[i])
#define SQUARE_READ(at, i) SQUARE(at, load4(at))
    HELD_FOURS(SQUARE_HELD)
    READ_FOURS(SQUARE_READ)
    vec2 moments = of_all_lanes(vec2(total(squares), total(sums)), 1) * p.inverse_width;
    remainder = moments.y;
    variance = moments.x - remainder * remainder;
    if (variance < 0.0) variance = 0.0;
  }
  float inverse = inversesqrt(variance + p.eps);
#define FINISH_HELD(at, i) last_pass(at, (held[i] - mean) - remainder, inverse);
#define FINISH_READ(at, i) last_pass(at, (load4(at) - mean) - remainder, inverse);
  HELD_FOURS(FINISH_HELD)
  READ_FOURS(FINISH_READ)
  if (lane == 0 && inside) {
    if (STATISTICS > 0) inverse_deviations[row] = inverse;
    if (STATISTICS > 1) means[row] = mean + remainder;
  }
}
