// One product for CPU drivers: no shared memory, no barriers. Each lane makes TI x TJ results in registers; its TI rows of
// the lane operand are its own, and the TJ rows of the other operand are the same for the whole workgroup, so that their
// loads have uniform addresses. The lanes lie along the longer side (SWAP), four items of a lane are the components of a
// vec4, and four steps of k are loaded at a time.
//
// GFLOP/s on two cores, by processor time:        lavapipe 26 (1024³)   22 (384³)   25 (256³)   SwiftShader (192³)
//   matmul_tile, the GPU's shape                           18              2.9
//   TI x TJ = 4 x 16, taken where loads are cheap          50               16           9            4.5
//   8 x 8, taken where loads and compiling are costly      34               18          13            5.3
//   8 x 12                                                 36               22          12            5.7
//   12 x 12, taken where loads are costly                  38               24          12            6.2
//   4 x 16 by scalar loads (N = 1023, b [K,N])             25
// 16 steps of k at a time instead of 4 are no faster and compile twice as long.
//
// Operands by address on lavapipe 26, milliseconds of processor time for 1024³, b [N,K] (bound, 4 x 16: 116): 4 x 16 92, 4 x 24 75,
// 4 x 32 66, 4 x 48 58, 4 x 64 51, which compiles in 0.6 s in place of 0.25; 8 x 16 90, 8 x 32 62. What a lane loads costs most: rows
// of a power of two fall into one set of a cache. As pairs of 64-bit words it costs the same.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant OPERANDS bound address
#pragma variant DTYPE f32 f16 bf16
#include "matmul.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#ifdef OPERANDS_address
#include "lib/addresses.glsl"
#define MATMUL_ADDRESSES ElementsIn a_at, b_at;
#endif
FOVEA_SPEC(MatmulRowSpec, MATMUL_ROW_SPEC)
#include "lib/matmul.glsl"

layout(local_size_x_id = 0) in;

// Every buffer by elements and by fours.
layout(set = 0, binding = 0) readonly buffer A { STORE_T a[]; };
layout(set = 0, binding = 0) readonly buffer A4 { STORE_T4 a4[]; };
layout(set = 0, binding = 1) readonly buffer B { STORE_T b[]; };
layout(set = 0, binding = 1) readonly buffer B4 { STORE_T4 b4[]; };
#ifdef OPERANDS_address
#define A_ONE(i) LOAD(a_at.x, i)
#define B_ONE(i) LOAD(b_at.x, i)
#define A_QUAD(i) LOAD_QUAD(QuadsIn(uint64_t(a_at)).x, i)
#define B_QUAD(i) LOAD_QUAD(QuadsIn(uint64_t(b_at)).x, i)
#else
#define A_ONE(i) LOAD(a, i)
#define B_ONE(i) LOAD(b, i)
#define A_QUAD(i) LOAD4(a4, i)
#define B_QUAD(i) LOAD4(b4, i)
#endif
layout(set = 0, binding = 3) writeonly buffer Y4 { STORE_T4 y4[]; };
layout(set = 0, binding = 3) writeonly buffer Partial { float partial[]; };
layout(set = 0, binding = 3) writeonly buffer Partial4 { vec4 partial4[]; };

void store(uint at, float sum, uint bias_at) {
  if (PARTIAL != 0) partial[at] = sum;
  else STORE(y, at, finish(sum, bias_at));
}
// Four columns of row m; what lies past M or N is left out.
void store4(uint rows, uint m, uint n, uint bias_base, vec4 sums) {
  if (m >= p.M || n >= p.N) return;
  uint at = (rows + m) * p.N + n, bias_at = bias_base + m * p.bias_m + n * BIAS_N;
  if (STORE_VEC != 0) {
    if (PARTIAL != 0) partial4[at / 4] = sums;
    else STORE4(y4, at / 4, vec4(finish(sums.x, bias_at), finish(sums.y, bias_at + BIAS_N),
                                 finish(sums.z, bias_at + 2 * BIAS_N), finish(sums.w, bias_at + 3 * BIAS_N)));
  } else {
    store(at, sums.x, bias_at);
    if (n + 1 < p.N) store(at + 1, sums.y, bias_at + BIAS_N);
    if (n + 2 < p.N) store(at + 2, sums.z, bias_at + 2 * BIAS_N);
    if (n + 3 < p.N) store(at + 3, sums.w, bias_at + 3 * BIAS_N);
  }
}

void main() {
  uint group = FLAT_GROUP;
  if (group >= p.groups) return;
  uint I = SWAP == 0 ? p.M : p.N, J = SWAP == 0 ? p.N : p.M;
  uint tiles_i = (I + WG * TI - 1) / (WG * TI), tiles_j = (J + TJ - 1) / TJ;
  uint j0 = group % tiles_j * TJ;
  group /= tiles_j;
  uint i0 = (group % tiles_i * WG + gl_LocalInvocationID.x) * TI;
  group /= tiles_i;
  uint batch = group % p.batches, k = group / p.batches * p.k_part, k_end = min(k + p.k_part, p.K);
  Base base = base_of(batch);

  vec4 acc[TI / 4 * TJ];  // [iq][j]: .xyzw are the four lane items of a quad
  [[unroll]] for (uint t = 0; t < TI / 4 * TJ; ++t) acc[t] = vec4(0.0);

  // By blocks of 4x4: row r of a block is item r where k is the fast axis, and the r-th k where the items are.
  uint k_quads = k + (k_end - k) / 4 * 4;
  if (VEC != 0 && k < k_quads) {
    uint a_quad[TI], b_quad[TJ];
    [[unroll]] for (uint i = 0; i < TI; ++i)
      a_quad[i] = (base.a + (LANE_K_FAST != 0 ? min(i0 + i, I - 1) * p.K + k : (k + i % 4) * I + min(i0 + i / 4 * 4, I - 4))) / 4;
    [[unroll]] for (uint j = 0; j < TJ; ++j)
      b_quad[j] = (base.b + (UNIFORM_K_FAST != 0 ? min(j0 + j, J - 1) * p.K + k : (k + j % 4) * J + min(j0 + j / 4 * 4, J - 4))) / 4;
    uint a_step = LANE_K_FAST != 0 ? 1 : I, b_step = UNIFORM_K_FAST != 0 ? 1 : J, a_plus = 0, b_plus = 0;
    do {  // a `for` would run its body once more with every lane masked on CPU drivers
      vec4 lane[TI];  // [iq][k]
      [[unroll]] for (uint i = 0; i < TI; i += 4) {
        vec4 x0 = A_QUAD(a_quad[i] + a_plus), x1 = A_QUAD(a_quad[i + 1] + a_plus);
        vec4 x2 = A_QUAD(a_quad[i + 2] + a_plus), x3 = A_QUAD(a_quad[i + 3] + a_plus);
        lane[i] = LANE_K_FAST != 0 ? vec4(x0.x, x1.x, x2.x, x3.x) : x0;
        lane[i + 1] = LANE_K_FAST != 0 ? vec4(x0.y, x1.y, x2.y, x3.y) : x1;
        lane[i + 2] = LANE_K_FAST != 0 ? vec4(x0.z, x1.z, x2.z, x3.z) : x2;
        lane[i + 3] = LANE_K_FAST != 0 ? vec4(x0.w, x1.w, x2.w, x3.w) : x3;
      }
      [[unroll]] for (uint j = 0; j < TJ; ++j) {
        vec4 q = B_QUAD(b_quad[j] + b_plus);
        [[unroll]] for (uint i = 0; i < TI; i += 4) {
          uint t = i / 4 * TJ;
          if (UNIFORM_K_FAST != 0) {
            acc[t + j] += lane[i] * q.x;
            acc[t + j] += lane[i + 1] * q.y;
            acc[t + j] += lane[i + 2] * q.z;
            acc[t + j] += lane[i + 3] * q.w;
          } else {
            acc[t + j / 4 * 4] += lane[i + j % 4] * q.x;
            acc[t + j / 4 * 4 + 1] += lane[i + j % 4] * q.y;
            acc[t + j / 4 * 4 + 2] += lane[i + j % 4] * q.z;
            acc[t + j / 4 * 4 + 3] += lane[i + j % 4] * q.w;
          }
        }
      }
      k += 4;
      a_plus += a_step;
      b_plus += b_step;
    } while (k < k_quads);
  }

  if (k < k_end) {
    uint a_item = LANE_K_FAST != 0 ? p.K : 1, a_step = LANE_K_FAST != 0 ? 1 : I;
    uint b_item = UNIFORM_K_FAST != 0 ? p.K : 1, b_step = UNIFORM_K_FAST != 0 ? 1 : J;
    do {
      uint a_k = base.a + k * a_step, b_k = base.b + k * b_step;
      vec4 lane[TI / 4];
      [[unroll]] for (uint i = 0; i < TI; i += 4)
        lane[i / 4] = vec4(A_ONE(a_k + min(i0 + i, I - 1) * a_item), A_ONE(a_k + min(i0 + i + 1, I - 1) * a_item),
                           A_ONE(a_k + min(i0 + i + 2, I - 1) * a_item), A_ONE(a_k + min(i0 + i + 3, I - 1) * a_item));
      [[unroll]] for (uint j = 0; j < TJ; ++j) {
        float q = B_ONE(b_k + min(j0 + j, J - 1) * b_item);
        [[unroll]] for (uint i = 0; i < TI / 4; ++i) acc[i * TJ + j] += lane[i] * q;
      }
    } while (++k < k_end);
  }

  uint rows = group * p.M;  // group: (part of K, batch), and y is [parts, batches, M, N]
  if (TJ == 1) {  // one row or one column
    uint step = SWAP == 0 ? p.bias_m : BIAS_N;
    [[unroll]] for (uint i = 0; i < TI; ++i)
      if (i0 + i < I) store(group * I + i0 + i, acc[i / 4][i % 4], base.bias + (i0 + i) * step);
    return;
  }
  [[unroll]] for (uint i = 0; i < TI; i += 4)
    [[unroll]] for (uint j = 0; j < TJ; j += 4) {
      uint t = i / 4 * TJ + j, m = i0 + i, n = j0 + j;
      vec4 s0 = acc[t], s1 = acc[t + 1], s2 = acc[t + 2], s3 = acc[t + 3];
      if (SWAP == 0) {
        store4(rows, m, n, base.bias, vec4(s0.x, s1.x, s2.x, s3.x));
        store4(rows, m + 1, n, base.bias, vec4(s0.y, s1.y, s2.y, s3.y));
        store4(rows, m + 2, n, base.bias, vec4(s0.z, s1.z, s2.z, s3.z));
        store4(rows, m + 3, n, base.bias, vec4(s0.w, s1.w, s2.w, s3.w));
      } else {
        store4(rows, n, m, base.bias, s0);
        store4(rows, n + 1, m, base.bias, s1);
        store4(rows, n + 2, m, base.bias, s2);
        store4(rows, n + 3, m, base.bias, s3);
      }
    }
}
