// One product by tiles in shared memory, for GPUs: a workgroup makes BM x BN results from turns of BK, each invocation
// TM x TN of them in registers. An invocation's rows and columns lie BM/TM and BN/TN apart, so that neighbours read
// neighbouring shared words and write neighbouring results.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "matmul.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
FOVEA_SPEC(MatmulTileSpec, MATMUL_TILE_SPEC)
#include "lib/matmul.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) readonly buffer A { STORE_T a[]; };
layout(set = 0, binding = 1) readonly buffer B { STORE_T b[]; };
layout(set = 0, binding = 3) writeonly buffer Partial { float partial[]; };

// [k][m] and [k][n]; rows padded by one word, so that writing along k does not hit one bank.
shared float a_tile[BK * (BM + 1)];
shared float b_tile[BK * (BN + 1)];

void main() {
  uint group = FLAT_GROUP, lane = gl_LocalInvocationID.x;
  if (group >= p.groups) return;  // the whole workgroup
  uint tiles_m = (p.M + BM - 1) / BM, tiles_n = (p.N + BN - 1) / BN;
  uint n0 = group % tiles_n * BN;
  group /= tiles_n;
  uint m0 = group % tiles_m * BM;
  group /= tiles_m;
  uint k0 = group / p.batches * p.k_part, k_end = min(k0 + p.k_part, p.K);
  Base base = base_of(group % p.batches);
  uint row = lane / (BN / TN), column = lane % (BN / TN);

  float acc[TM * TN];
  [[unroll]] for (uint t = 0; t < TM * TN; ++t) acc[t] = 0.0;
  for (uint k = k0; k < k_end; k += BK) {
    // Past the edges both operands are 0: they add nothing, and a NaN there is not read.
    [[unroll]] for (uint t = 0; t < BM * BK / WG; ++t) {
      uint e = t * WG + lane, i = A_TRANSPOSED != 0 ? e % BM : e / BK, j = A_TRANSPOSED != 0 ? e / BM : e % BK;
      uint m = m0 + i, kk = k + j;
      float x = 0.0;
      if (m < p.M && kk < k_end) x = LOAD(a, base.a + (A_TRANSPOSED != 0 ? kk * p.M + m : m * p.K + kk));
      a_tile[j * (BM + 1) + i] = x;
    }
    [[unroll]] for (uint t = 0; t < BN * BK / WG; ++t) {
      uint e = t * WG + lane, i = B_TRANSPOSED != 0 ? e / BK : e % BN, j = B_TRANSPOSED != 0 ? e % BK : e / BN;
      uint n = n0 + i, kk = k + j;
      float x = 0.0;
      if (n < p.N && kk < k_end) x = LOAD(b, base.b + (B_TRANSPOSED != 0 ? n * p.K + kk : kk * p.N + n));
      b_tile[j * (BN + 1) + i] = x;
    }
    barrier();
    [[unroll]] for (uint j = 0; j < BK; ++j) {
      float x[TM];
      [[unroll]] for (uint i = 0; i < TM; ++i) x[i] = a_tile[j * (BM + 1) + row + i * (BM / TM)];
      [[unroll]] for (uint c = 0; c < TN; ++c) {
        float w = b_tile[j * (BN + 1) + column + c * (BN / TN)];
        [[unroll]] for (uint i = 0; i < TM; ++i) acc[i * TN + c] += x[i] * w;
      }
    }
    barrier();
  }

  [[unroll]] for (uint i = 0; i < TM; ++i)
    [[unroll]] for (uint c = 0; c < TN; ++c) {
      uint m = m0 + row + i * (BM / TM), n = n0 + column + c * (BN / TN);
      if (m < p.M && n < p.N) {
        uint at = (group * p.M + m) * p.N + n;  // group: (part of K, batch)
        if (PARTIAL != 0)
          partial[at] = acc[i * TN + c];
        else
          STORE(y, at, finish(acc[i * TN + c], base.bias + m * p.bias_m + n * BIAS_N));
      }
    }
}
