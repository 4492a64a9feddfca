// d weight = sum of d·x̂ and d bias = sum of d over the elements that have them, x̂ = (x - mean)/deviation. x is
// [outer, count, run], count being that of weights.
//
// In two launches, for every driver the same sums in the same order: those of a chunk of the outer index, then those of chunks.
// LANES = 1: an invocation a weight or four neighbouring ones, so that invocations side by side read elements side by side; with
// runs, an invocation a weight. LANES = WG: a workgroup a weight, whose invocations stride over its runs.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant MEET memory subgroup
#pragma variant DTYPE f32 f16 bf16
#ifdef MEET_subgroup
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#include "normalize_rows_weights.h"
#include "lib/dtype.glsl"
#include "lib/row_lanes.glsl"
#include "lib/rows.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { NormalizeRowsWeightsParams p; };
layout(set = 0, binding = 0) readonly buffer D { STORE_T d[]; };
layout(set = 0, binding = 0) readonly buffer D4 { QUAD_T d4[]; };
layout(set = 0, binding = 1) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) readonly buffer X4 { QUAD_T x4[]; };
layout(set = 0, binding = 2) readonly buffer Inverse { float inverse_deviations[]; };
layout(set = 0, binding = 3) readonly buffer Mean { float means[]; };
layout(set = 0, binding = 4) readonly buffer Partial { float sums[]; };  // [2, count, chunks]
layout(set = 0, binding = 5) writeonly buffer Dw { float d_weight[]; };  // or those sums
layout(set = 0, binding = 6) writeonly buffer Db { float d_bias[]; };

const uint OWN = RUNS == 0 && VEC != 0 ? 4 : 1;  // weights of an invocation

vec4 of_weights = vec4(0.0), of_biases = vec4(0.0);

// With four elements of runs, or of four weights. `at` in elements.
void take4(uint at, float mean, float inverse) {
  vec4 g = LOAD_QUAD(d4, at / 4);
  of_biases += g;
  if (WEIGHT != 0) of_weights += g * ((LOAD_QUAD(x4, at / 4) - mean) * inverse);
}
void take(uint at, float mean, float inverse) {
  float g = LOAD(d, at);
  of_biases.x += g;
  if (WEIGHT != 0) of_weights.x += g * ((LOAD(x, at) - mean) * inverse);
}

void main() {
  uint item = LANES == 1 ? FLAT_GROUP * WG + gl_LocalInvocationID.x : FLAT_GROUP;
  uint lane = LANES == 1 ? 0 : gl_LocalInvocationID.x;
  uint owners = STAGE == NORMALIZE_WEIGHTS_COMBINE ? p.count : p.count / OWN;
  if (item >= owners * (STAGE == NORMALIZE_WEIGHTS_PARTIAL ? p.chunks : 1)) return;  // LANES = WG: the whole workgroup
  uint chunk = item / owners, first = item % owners * (STAGE == NORMALIZE_WEIGHTS_COMBINE ? 1 : OWN);
  if (STAGE == NORMALIZE_WEIGHTS_COMBINE) {
    for (uint k = lane; k < p.chunks; k += LANES) {
      if (WEIGHT != 0) of_weights.x += sums[first * p.chunks + k];
      if (BIAS != 0) of_biases.x += sums[(p.count + first) * p.chunks + k];
    }
  } else {
    uint begin = chunk * p.chunk, end = min(begin + p.chunk, p.outer);
    uint row = begin * (p.count / p.weights) + first / p.weights;  // of the runs at hand
    for (uint o = begin; o < end; ++o) {
      float inverse = 0.0, mean = 0.0;
      if (WEIGHT != 0) inverse = inverse_deviations[row];
      if (WEIGHT != 0 && CENTRED != 0) mean = means[row];
      uint at = (o * p.count + first) * p.width;
      if (RUNS == 0) {
        if (VEC != 0) take4(at, mean, inverse);
        else take(at, mean, inverse);
      } else if (VEC != 0) {
        for (uint j = 4 * lane; j < p.width; j += 4 * LANES) take4(at + j, mean, inverse);
      } else {
        for (uint j = lane; j < p.width; j += LANES) take(at + j, mean, inverse);
      }
      row += p.count / p.weights;
    }
  }
  if (OWN == 1 || STAGE == NORMALIZE_WEIGHTS_COMBINE) {
    vec2 both = of_all_lanes(vec2(total(of_weights), total(of_biases)), 0);
    if (lane != 0) return;
    of_weights.x = both.x, of_biases.x = both.y;
  }
  [[unroll]] for (uint i = 0; i < OWN; ++i) {
    if (STAGE == NORMALIZE_WEIGHTS_COMBINE && i > 0) continue;
    if (STAGE == NORMALIZE_WEIGHTS_PARTIAL) {
      if (WEIGHT != 0) d_weight[(first + i) * p.chunks + chunk] = of_weights[i];
      if (BIAS != 0) d_weight[(p.count + first + i) * p.chunks + chunk] = of_biases[i];
    } else {
      if (WEIGHT != 0) d_weight[first + i] = of_weights[i];
      if (BIAS != 0) d_bias[first + i] = of_biases[i];
    }
  }
}
