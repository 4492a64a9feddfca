// y = act((x + r - mean)/sqrt(variance + eps)·weight + bias) along rows, or without the mean: x/sqrt(mean x² + eps).
// A weight belongs to a run of elements: one (layer_norm), or those of a channel (group_norm).
//
// Lanes share a row: a subgroup or several, which meet in subgroup operations (GPUs; CPU drivers: one subgroup, whose lanes read
// and write side by side), or any power of two of them, which meet in shared memory. LANES = 1: a lane a row, no barrier.
// What fits registers is read once.
//
// Few long rows run twice, a workgroup a chunk: chunks to their moments, which go to scratch in place of y, and these with the
// chunks again to results. Where there is a residual, the second run reads the sum.
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
layout(set = 0, binding = 3) readonly buffer Moments { vec2 moments_of_chunks[]; };
layout(set = 0, binding = 4) writeonly buffer OwnMoments { vec2 own_moments[]; };
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
uint begin, end;  // what the lanes have of it

// Four elements of x + r; what stands past the row's end is 0.
vec4 load4(uint j) {
  vec4 v = vec4(0.0);
  if (VEC != 0) {
    v = LOAD_QUAD(x4, (base + j) / 4);
    if (RESIDUAL != 0) v += LOAD_QUAD(r4, (base + j) / 4);
  } else {
    [[unroll]] for (uint i = 0; i < 4; ++i) {
      uint at = base + min(ELEMENT(j, i), end - 1);
      v[i] = LOAD(x, at);
      if (RESIDUAL != 0) v[i] += LOAD(r, at);
    }
    v = within(j, end, v);
  }
  return v;
}
#define STORE_ROW(view, view4, j, v)                                         \
  if (VEC != 0) {                                                            \
    if (inside) STORE4(view4, (base + (j)) / 4, v);                          \
  } else {                                                                   \
    [[unroll]] for (uint i = 0; i < 4; ++i)                                  \
      if (inside && ELEMENT(j, i) < end) STORE(view, base + ELEMENT(j, i), (v)[i]); \
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
  uint chunk = STAGE == NORMALIZE_WHOLE ? 0 : row % p.chunks;
  if (STAGE != NORMALIZE_WHOLE) row /= p.chunks;
  inside = row < p.rows;
  if ((LANES == 1 || LANES == WG) && !inside) return;  // LANES = WG: the whole workgroup
  row = min(row, p.rows - 1);
  base = row * p.width;
  first_weight = row % p.period * p.weights;
  begin = 0, end = p.width;
  if (STAGE != NORMALIZE_WHOLE) begin = chunk * p.chunk, end = min(begin + p.chunk, p.width);
  uint first = begin + (VEC != 0 ? 4 * lane : lane);

  vec4 held[HELD + uint(HELD == 0)];
  vec4 sums = vec4(0.0), squares = vec4(0.0);
#define SUM_HELD(at, i) held[i] = load4(at), sums += first_pass(at, held[i]);
#define SUM_READ(at, i) sums += first_pass(at, load4(at));
  float mean = 0.0, remainder = 0.0, variance = 0.0;
  float share = STAGE == NORMALIZE_PARTIAL ? 1.0 / float(end - begin) : p.inverse_width;
  if (STAGE != NORMALIZE_FINISH) {
    HELD_FOURS(SUM_HELD)
    READ_FOURS(SUM_READ)
    variance = of_all_lanes(vec2(total(sums), 0.0), 0).x * share;
  }
  if (CENTRED != 0 && STAGE != NORMALIZE_FINISH) {
    mean = variance, sums = vec4(0.0);
#define SQUARE(at, v) { vec4 deviation = within(at, end, (v) - mean); squares += deviation * deviation, sums += deviation; }
#define SQUARE_HELD(at, i) SQUARE(at, held[i])
#define SQUARE_READ(at, i) SQUARE(at, load4(at))
    HELD_FOURS(SQUARE_HELD)
    READ_FOURS(SQUARE_READ)
    vec2 moments = of_all_lanes(vec2(total(squares), total(sums)), 1) * share;
    remainder = moments.y;
    variance = moments.x - remainder * remainder;
    if (variance < 0.0) variance = 0.0;
  }
  if (STAGE == NORMALIZE_PARTIAL) {
    if (lane == 0) own_moments[row * p.chunks + chunk] = vec2(mean + remainder, variance * float(end - begin));
    return;
  }
  if (STAGE == NORMALIZE_FINISH) {
#define CHUNKS(sum, term)                                                           \
  for (uint k = lane; k < p.chunks; k += LANES) {                                   \
    vec2 of_chunk = moments_of_chunks[row * p.chunks + k];                          \
    float n = float(min(p.chunk, p.width - k * p.chunk)), off = of_chunk.x - mean;  \
    sum += term;                                                                    \
  }
    float of_lane = 0.0;
    if (CENTRED != 0) {
      CHUNKS(of_lane, n * off)
      mean = of_all_lanes(vec2(of_lane, 0.0), 0).x * p.inverse_width, of_lane = 0.0;
    }
    CHUNKS(of_lane, of_chunk.y + n * off * off)
    variance = of_all_lanes(vec2(of_lane, 0.0), 1).x * p.inverse_width;
  }
  float inverse = inversesqrt(variance + p.eps);
#define FINISH_HELD(at, i) last_pass(at, (held[i] - mean) - remainder, inverse);
#define FINISH_READ(at, i) last_pass(at, (load4(at) - mean) - remainder, inverse);
  HELD_FOURS(FINISH_HELD)
  READ_FOURS(FINISH_READ)
  if (lane == 0 && inside && begin == 0) {
    if (STATISTICS > 0) inverse_deviations[row] = inverse;
    if (STATISTICS > 1) means[row] = mean + remainder;
  }
}
