// One product on matrix units: f16 operands, f32 sums. For GPUs; right wherever a subgroup multiplies matrices.
//
// SM x SN subgroups make BM x BN results from turns of BK, each TM x TN matrices of them. Operands pass through shared memory as
// they lie in memory: a transposed one is loaded column by column.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_shader_subgroup_basic : require
#pragma requires GL_KHR_cooperative_matrix
#pragma use_vulkan_memory_model
#pragma variant DTYPE f16
#include "matmul.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
FOVEA_SPEC(MatmulMatrixSpec, MATMUL_MATRIX_SPEC)
#include "lib/matmul.glsl"
#include "lib/matrix.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) readonly buffer A { float16_t a[]; };
layout(set = 0, binding = 0) readonly buffer A4 { uvec2 a4[]; };
layout(set = 0, binding = 1) readonly buffer B { float16_t b[]; };
layout(set = 0, binding = 1) readonly buffer B4 { uvec2 b4[]; };
layout(set = 0, binding = 3) writeonly buffer Partial { float partial[]; };

const uint BM = SM * TM * MATRIX_M, BN = SN * TN * MATRIX_N;
// Rows in shared memory as in memory, in vec4s, with 16 bytes that keep them on different banks.
const uint A_ROWS = A_TRANSPOSED != 0 ? BK : BM, A_PITCH = (A_TRANSPOSED != 0 ? BM : BK) / 4 + 2;
const uint B_ROWS = B_TRANSPOSED != 0 ? BN : BK, B_PITCH = (B_TRANSPOSED != 0 ? BK : BN) / 4 + 2;
const uint SUM_PITCH = MATRIX_N + 4;

shared f16vec4 a_tile[A_ROWS * A_PITCH];
shared f16vec4 b_tile[B_ROWS * B_PITCH];
shared float sums[SM * SN * MATRIX_M * SUM_PITCH];  // a matrix of each subgroup, on its way out

// The tile of rows [row0, rows) and columns [column0, columns) of a matrix whose rows are `length` apart; past both zeros.
#define FILL_OPERAND(tile, TILE_ROWS, PITCH, view, view4, first, row0, rows, column0, columns, length)          \
  for (uint n = gl_LocalInvocationID.x; n < TILE_ROWS * PITCH; n += WG) {                                    \
    uint row = row0 + n / PITCH, column = column0 + n % PITCH * 4, at = first + row * length + column;       \
    f16vec4 x = f16vec4(0.0);                                                                                \
    if (row < rows && n % PITCH < PITCH - 2) {                                                               \
      if (VEC != 0) {                                                                                        \
        if (column < columns) {                                                                              \
          uvec2 words = view4[at / 4];                                                                       \
          x = f16vec4(unpackFloat2x16(words.x), unpackFloat2x16(words.y));                                   \
        }                                                                                                    \
      } else {                                                                                               \
        [[unroll]] for (uint e = 0; e < 4; ++e) if (column + e < columns) x[e] = view[at + e];               \
      }                                                                                                      \
    }                                                                                                        \
    tile[n] = x;                                                                                             \
  }

#define EACH_M [[unroll]] for (uint i = 0; i < TM; ++i)
#define EACH_N [[unroll]] for (uint j = 0; j < TN; ++j)

void main() {
  uint group = FLAT_GROUP;
  if (group >= p.groups) return;  // the whole workgroup
  uint tiles_m = (p.M + BM - 1) / BM, tiles_n = (p.N + BN - 1) / BN;
  uint n0 = group % tiles_n * BN;
  group /= tiles_n;
  uint m0 = group % tiles_m * BM;
  group /= tiles_m;
  uint k0 = group / p.batches * p.k_part, k_end = min(k0 + p.k_part, p.K);
  Base base = base_of(group % p.batches);
  uint own_m = gl_SubgroupID / SN * (TM * MATRIX_M), own_n = gl_SubgroupID % SN * (TN * MATRIX_N);

  SUMS sum[TM * TN];
  [[unroll]] for (uint t = 0; t < TM * TN; ++t) sum[t] = SUMS(0.0);
  for (uint k = k0; k < k_end; k += BK) {
    if (A_TRANSPOSED != 0)
      FILL_OPERAND(a_tile, A_ROWS, A_PITCH, a, a4, base.a, k, k_end, m0, p.M, p.M)
    else
      FILL_OPERAND(a_tile, A_ROWS, A_PITCH, a, a4, base.a, m0, p.M, k, k_end, p.K)
    if (B_TRANSPOSED != 0)
      FILL_OPERAND(b_tile, B_ROWS, B_PITCH, b, b4, base.b, n0, p.N, k, k_end, p.K)
    else
      FILL_OPERAND(b_tile, B_ROWS, B_PITCH, b, b4, base.b, k, k_end, n0, p.N, p.N)
    barrier();
    [[unroll]] for (uint kk = 0; kk < BK; kk += MATRIX_K) {
      A_MATRIX x[TM];
      EACH_M {
        uint m = own_m + i * MATRIX_M;
        if (A_TRANSPOSED != 0)
          coopMatLoad(x[i], a_tile, kk * A_PITCH + m / 4, A_PITCH, COLUMN_MAJOR);
        else
          coopMatLoad(x[i], a_tile, m * A_PITCH + kk / 4, A_PITCH, ROW_MAJOR);
      }
      EACH_N {
        B_MATRIX w;
        uint n = own_n + j * MATRIX_N;
        if (B_TRANSPOSED != 0)
          coopMatLoad(w, b_tile, n * B_PITCH + kk / 4, B_PITCH, COLUMN_MAJOR);
        else
          coopMatLoad(w, b_tile, kk * B_PITCH + n / 4, B_PITCH, ROW_MAJOR);
        EACH_M sum[i * TN + j] = coopMatMulAdd(x[i], w, sum[i * TN + j]);
      }
    }
    barrier();
  }

  uint first = gl_SubgroupID * MATRIX_M * SUM_PITCH;
  EACH_M EACH_N {
    coopMatStore(sum[i * TN + j], sums, first, SUM_PITCH, ROW_MAJOR);
    subgroup_wrote();
    for (uint e = gl_SubgroupInvocationID; e < MATRIX_M * MATRIX_N; e += SUBGROUP) {
      uint m = m0 + own_m + i * MATRIX_M + e / MATRIX_N, n = n0 + own_n + j * MATRIX_N + e % MATRIX_N;
      if (m < p.M && n < p.N) {
        uint at = (group * p.M + m) * p.N + n;  // group: (part of K, batch)
        float result = sums[first + e / MATRIX_N * SUM_PITCH + e % MATRIX_N];
        if (PARTIAL != 0)
          partial[at] = result;
        else
          STORE(y, at, finish(result, base.bias + m * p.bias_m + n * BIAS_N));
      }
    }
    subgroup_wrote();
  }
}
