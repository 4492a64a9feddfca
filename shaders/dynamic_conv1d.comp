// y[b,i,c] = sum over taps j < K of w[b,i,h,j] · x[b,i+j-offset,c], head h of channel c; x is zero outside.
// TRANSPOSED, its adjoint: y[b,i,c] = sum of w[b,s,h,j] · x[b,s,c] over the positions s and taps j that meet at i.
//
// An invocation computes ROWS neighbouring positions of VEC neighbouring channels of a head: it loads each position of x
// once, and every weight serves all its channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "dynamic_conv1d.h"
#include "lib/dtype.glsl"
FOVEA_SPEC(DynamicConvSpec, DYNAMIC_CONV1D_SPEC)

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { DynamicConvParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 0) readonly buffer X4 { STORE_T4 x4[]; };
layout(set = 0, binding = 1) readonly buffer W { STORE_T w[]; };
layout(set = 0, binding = 2) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 2) writeonly buffer Y4 { STORE_T4 y4[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint lanes = p.C / VEC, c = i % lanes * VEC, rest = i / lanes;
  uint t = rest % p.blocks * ROWS, b = rest / p.blocks;
  uint from = b * p.T * p.C + c, weights = b * p.weight_b + c / p.channels * K;

  // Step m meets position t + m - offset of x, which is tap m - r of row r.
  uint begin = p.offset > t ? p.offset - t : 0, end = min(ROWS + K - 1, p.T + p.offset - t);
  vec4 sum[ROWS];
  [[unroll]] for (uint r = 0; r < ROWS; ++r) sum[r] = vec4(0.0);
  for (uint m = begin; m < end; ++m) {
    uint s = t + m - p.offset, at = from + s * p.C;
    vec4 value = vec4(0.0);
    if (VEC == 4) value = LOAD4(x4, at / 4);
    else value.x = LOAD(x, at);
    [[unroll]] for (uint r = 0; r < ROWS; ++r) {
      uint j = m - r;  // wraps below 0
      if (j >= K || t + r >= p.T) continue;
      uint weight_at = weights + (TRANSPOSED != 0 ? s * p.weight_t + K - 1 - j : (t + r) * p.weight_t + j);
      sum[r] += LOAD(w, weight_at) * value;
    }
  }
  [[unroll]] for (uint r = 0; r < ROWS; ++r) {
    if (t + r >= p.T) continue;
    uint at = from + (t + r) * p.C;
    if (VEC == 4) STORE4(y4, at / 4, sum[r]);
    else STORE(y, at, sum[r].x);
  }
}
