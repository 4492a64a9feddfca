// y = exp(x - max x) / sum exp(x - max x) along one axis of [outer, n, inner]; LOG: x - max x - log sum.
//
// LANES = WG: a workgroup a row, its lanes stride over n and meet in shared memory (GPUs, long dense rows).
// LANES = 1: a lane a row, no barrier (CPU drivers; short rows; rows along an outer axis, where neighbouring lanes read
// neighbouring elements). Three passes over x: max, sum, write. The mask has x's own shape.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16
#include "softmax.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { SoftmaxParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) readonly buffer M { uint mask[]; };
layout(set = 0, binding = 2) writeonly buffer Y { STORE_T y[]; };

shared float partial[WG];

bool takes_part(uint i) { return MASK == 0 || mask[i] != 0u; }

void main() {
  uint row = LANES == 1 ? FLAT_GROUP * WG + gl_LocalInvocationID.x : FLAT_GROUP;
  uint lane = LANES == 1 ? 0 : gl_LocalInvocationID.x;
  if (row >= p.rows) return;  // LANES = WG: the whole workgroup
  uint base = row / p.inner * p.n * p.inner + row % p.inner;

  float m = NEGATIVE_INFINITY;
  for (uint j = lane; j < p.n; j += LANES) {
    uint i = base + j * p.inner;
    if (takes_part(i)) m = max_nan(m, LOAD(x, i));
  }
  if (LANES > 1) {
    partial[lane] = m;
    barrier();
    for (uint half_lanes = WG / 2; half_lanes > 0; half_lanes /= 2) {
      if (lane < half_lanes) partial[lane] = max_nan(partial[lane], partial[lane + half_lanes]);
      barrier();
    }
    m = partial[0];
    barrier();
  }
  // A row with nothing to take part: weights 0. Without ZERO_EMPTY, a row of -inf gives NaN through -inf - -inf.
  bool empty = (ZERO_EMPTY != 0 || MASK != 0) && m == NEGATIVE_INFINITY;
  float shift = empty ? 0.0 : m;

  float sum = 0.0;
  for (uint j = lane; j < p.n; j += LANES) {
    uint i = base + j * p.inner;
    if (takes_part(i)) sum += exp(LOAD(x, i) - shift);
  }
  if (LANES > 1) {
    partial[lane] = sum;
    barrier();
    for (uint half_lanes = WG / 2; half_lanes > 0; half_lanes /= 2) {
      if (lane < half_lanes) partial[lane] += partial[lane + half_lanes];
      barrier();
    }
    sum = partial[0];
  }
  float scale = empty ? 0.0 : 1.0 / sum, log_sum = LOG != 0 ? log(sum) : 0.0;
  for (uint j = lane; j < p.n; j += LANES) {
    uint i = base + j * p.inner;
    float value = LOG != 0 ? LOAD(x, i) - shift - log_sum
                : takes_part(i) ? (empty ? 0.0 : exp(LOAD(x, i) - shift) * scale) : 0.0;
    STORE(y, i, value);
  }
}
