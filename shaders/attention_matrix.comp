// y = softmax(scale q kᵀ + mask) v on matrix units: f16 operands, f32 sums. For GPUs; right wherever a subgroup multiplies matrices.
//
// A subgroup owns ROWS tiles of M query rows, whose q and whose sum of values it holds as matrices; the subgroups of a workgroup
// walk the keys together, KEYS at a time, through shared memory. Scores pass through shared memory to the lanes, of which
// SUBGROUP / (M ROWS) share a row, and come back as weights, rounded to f16 (Kernel::rounding). A factor of a row reaches its sums as
// a matrix whose columns are alike: loaded with a stride of 0.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#extension GL_KHR_shader_subgroup_vote : require
#pragma requires GL_KHR_cooperative_matrix
#pragma use_vulkan_memory_model
#pragma variant WEIGHTS whole dropped
#pragma variant DTYPE f16
#define ATTENTION_STATE 6
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/online_softmax.glsl"
#include "lib/attention.glsl"

const uint SUBGROUPS = WG / SUBGROUP, OWN_ROWS = MATRIX_M * ROWS, TILE_ROWS = OWN_ROWS * SUBGROUPS;
const uint LANES_A_ROW = SUBGROUP / OWN_ROWS, KEYS_A_LANE = KEYS / LANES_A_ROW;
// Rows in shared memory, in vec4s and elements: whole matrices, and 16 bytes that keep rows on different banks.
const uint D_STEPS = (D + MATRIX_K - 1) / MATRIX_K, D_PITCH = D_STEPS * MATRIX_K / 4 + 2;
const uint V_TILES = (DV + MATRIX_N - 1) / MATRIX_N, V_PITCH = V_TILES * MATRIX_N / 4 + 2;
const uint KEY_TILES = KEYS / MATRIX_N, KEY_STEPS = KEYS / MATRIX_K;
const uint SCORE_PITCH = KEYS + 4, WEIGHT_PITCH = KEYS + 8;
const uint V_AT = KEYS * D_PITCH, KV_SIZE = V_AT + KEYS * V_PITCH, Q_SIZE = TILE_ROWS * D_PITCH;

shared f16vec4 tile[KV_SIZE > Q_SIZE ? KV_SIZE : Q_SIZE];  // q, then k and v
shared float scores[TILE_ROWS * SCORE_PITCH];              // and results on their way out
shared float16_t weights[TILE_ROWS * WEIGHT_PITCH];
shared float factors[TILE_ROWS];
shared uint not_finite_step;  // the last step whose values held a NaN or an infinity, counted from 1

#define A_MATRIX coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define B_MATRIX coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#define ROW_MAJOR gl_CooperativeMatrixLayoutRowMajor
#define COLUMN_MAJOR gl_CooperativeMatrixLayoutColumnMajor
#define EACH_TILE [[unroll]] for (uint r = 0; r < ROWS; ++r)

void subgroup_wrote() {
  subgroupMemoryBarrierShared();
  subgroupBarrier();
}

// Rows [0, rows) by `pitch` vec4s of the tile from `at` on; past `quads` and `filled` rows zeros.
#define FILL_TILE(at, rows, pitch, quads, filled, loaded)                                         \
  for (uint n = gl_LocalInvocationID.x; n < (rows) * (pitch); n += WG) {                          \
    uint row = n / (pitch), quad = n % (pitch);                                                   \
    vec4 x = vec4(0.0);                                                                           \
    if (quad < (quads) && row < (filled)) x = loaded;                                             \
    tile[(at) + n] = f16vec4(x);                                                                  \
  }

void load_keys_and_values(uint pair, uint j0, uint number) {
  uint count = min(KEYS, p.keys - j0);
  FILL_TILE(0, KEYS, D_PITCH, QUADS, count, load_k(pair * p.keys + j0 + row, quad))
  for (uint n = gl_LocalInvocationID.x; n < KEYS * V_PITCH; n += WG) {
    uint row = n / V_PITCH, quad = n % V_PITCH;
    vec4 x = vec4(0.0);
    if (quad < V_QUADS && row < count) x = load_v(pair * p.keys + j0 + row, quad);
    if (FORBIDS && not_finite(x)) atomicMax(not_finite_step, number, gl_ScopeWorkgroup, 0, 0);
    tile[V_AT + n] = f16vec4(x);
  }
}

// What values that are not finite add to column c of `row`: of those that the row sees.
float stain(uint row, uint c) {
  float sum = 0.0;
  for (uint j = 0; j < KEYS; ++j) {
    float weight = float(weights[row * WEIGHT_PITCH + j]);
    vec4 x = vec4(tile[V_AT + j * V_PITCH + c / 4]);
    if (weight != 0.0 && not_finite_each(x)[c % 4]) sum += weight * x[c % 4];
  }
  return sum;
}

void attend(uint group) {
  uint pair = group / p.row_blocks;
  // The last rows first: under a causal mask they take longest.
  uint owner = p.row_blocks - 1 - group % p.row_blocks, first = owner * TILE_ROWS;
  uint last = min(first + TILE_ROWS, p.rows) - 1;
  uint base = gl_SubgroupID * OWN_ROWS;  // of the subgroup's rows in the tile
  uint own = base + gl_SubgroupInvocationID / LANES_A_ROW, part = gl_SubgroupInvocationID % LANES_A_ROW;
  QueryRow at = query_row(pair, min(first + own, last));

  FILL_TILE(0, TILE_ROWS, D_PITCH, QUADS, last + 1 - first, load_q(pair * p.rows + first + row, quad))
  if (gl_LocalInvocationID.x == 0) not_finite_step = 0;
  barrier();
  A_MATRIX q[ROWS * D_STEPS];
  EACH_TILE [[unroll]] for (uint d = 0; d < D_STEPS; ++d)
    coopMatLoad(q[r * D_STEPS + d], tile, (base + r * MATRIX_M) * D_PITCH + d * MATRIX_K / 4, D_PITCH, ROW_MAJOR);
  SUMS sum[ROWS * V_TILES];
  [[unroll]] for (uint n = 0; n < ROWS * V_TILES; ++n) sum[n] = SUMS(0.0);
  OnlineSoftmax state = online_softmax_start();

  KeyRange keys = visible_keys(first, last);
  Walk walk = walk_of(pair, owner, keys.begin, keys.end, p.keys, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    uint j0 = step_of(walk, n, KEYS).x;
    barrier();  // the tile's last readers are done
    load_keys_and_values(pair, j0, n + 1);
    barrier();
    [[unroll]] for (uint t = 0; t < KEY_TILES; ++t) {
      SUMS score[ROWS];
      EACH_TILE score[r] = SUMS(0.0);
      [[unroll]] for (uint d = 0; d < D_STEPS; ++d) {
        B_MATRIX k;
        coopMatLoad(k, tile, t * MATRIX_N * D_PITCH + d * MATRIX_K / 4, D_PITCH, COLUMN_MAJOR);
        EACH_TILE score[r] = coopMatMulAdd(q[r * D_STEPS + d], k, score[r]);
      }
      EACH_TILE coopMatStore(score[r], scores, (base + r * MATRIX_M) * SCORE_PITCH + t * MATRIX_N, SCORE_PITCH, ROW_MAJOR);
    }
    subgroup_wrote();

    float score[KEYS_A_LANE], to = state.m;
    [[unroll]] for (uint j = 0; j < KEYS_A_LANE; ++j) {
      uint key = j0 + j * LANES_A_ROW + part;
      float s = changed(capped(scores[own * SCORE_PITCH + j * LANES_A_ROW + part] * p.scale), at, min(key, p.keys - 1));
      score[j] = key < p.keys && in_band(at.query, key) ? s : NEGATIVE_INFINITY;
      to = max(to, score[j]);
    }
    [[unroll]] for (uint d = 1; d < LANES_A_ROW; d *= 2) to = max(to, subgroupShuffleXor(to, d));
    float keep = raise_to(state, to);
    bool stained = FORBIDS && not_finite_step == n + 1;
    [[unroll]] for (uint j = 0; j < KEYS_A_LANE; ++j) {
      float weight = weight_of(state, score[j]);
      state.l += weight;
      weight = used(weight, at, min(j0 + j * LANES_A_ROW + part, p.keys - 1));
      float16_t rounded = float16_t(weight);
      if (stained && weight > 0.0 && rounded == float16_t(0.0)) rounded = float16_t(5.9604645e-8);  // the least: it is seen
      weights[own * WEIGHT_PITCH + j * LANES_A_ROW + part] = rounded;
    }
    if (part == 0) factors[own] = keep;
    subgroup_wrote();

    if (subgroupAny(keep != 1.0)) EACH_TILE {
      SUMS kept_of_rows;
      coopMatLoad(kept_of_rows, factors, base + r * MATRIX_M, 0, COLUMN_MAJOR);
      [[unroll]] for (uint t = 0; t < V_TILES; ++t) sum[r * V_TILES + t] = sum[r * V_TILES + t] * kept_of_rows;
    }
    if (stained) {
      [[unroll]] for (uint t = 0; t < V_TILES; ++t) {
        for (uint e = gl_SubgroupInvocationID; e < OWN_ROWS * MATRIX_N; e += SUBGROUP) {
          uint row = base + e / MATRIX_N, column = e % MATRIX_N;
          scores[row * SCORE_PITCH + column] = stain(row, t * MATRIX_N + column);
        }
        subgroup_wrote();
        EACH_TILE {
          SUMS stains;
          coopMatLoad(stains, scores, (base + r * MATRIX_M) * SCORE_PITCH, SCORE_PITCH, ROW_MAJOR);
          sum[r * V_TILES + t] = sum[r * V_TILES + t] + stains;
        }
        subgroup_wrote();
      }
      barrier();
      for (uint e = gl_LocalInvocationID.x; e < KEYS * V_PITCH; e += WG) tile[V_AT + e] = f16vec4(finite_of(vec4(tile[V_AT + e])));
      barrier();
    }
    A_MATRIX w[ROWS * KEY_STEPS];
    EACH_TILE [[unroll]] for (uint j = 0; j < KEY_STEPS; ++j)
      coopMatLoad(w[r * KEY_STEPS + j], weights, (base + r * MATRIX_M) * WEIGHT_PITCH + j * MATRIX_K, WEIGHT_PITCH, ROW_MAJOR);
    [[unroll]] for (uint t = 0; t < V_TILES; ++t) [[unroll]] for (uint j = 0; j < KEY_STEPS; ++j) {
      B_MATRIX v;
      coopMatLoad(v, tile, V_AT + j * MATRIX_K * V_PITCH + t * MATRIX_N / 4, V_PITCH, ROW_MAJOR);
      EACH_TILE sum[r * V_TILES + t] = coopMatMulAdd(w[r * KEY_STEPS + j], v, sum[r * V_TILES + t]);
    }
  }

  settle(state);
  [[unroll]] for (uint d = 1; d < LANES_A_ROW; d *= 2) state.l += subgroupShuffleXor(state.l, d);
  if (part == 0) factors[own] = nothing_seen(state) ? 0.0 : 1.0 / state.l;
  if (LSE != 0 && part == 0 && first + own <= last) lse[pair * p.rows + first + own] = log_sum_exp(state);
  subgroup_wrote();
  [[unroll]] for (uint t = 0; t < V_TILES; ++t) {
    EACH_TILE {
      SUMS shares;
      coopMatLoad(shares, factors, base + r * MATRIX_M, 0, COLUMN_MAJOR);
      coopMatStore(sum[r * V_TILES + t] * shares, scores, (base + r * MATRIX_M) * SCORE_PITCH, SCORE_PITCH, ROW_MAJOR);
    }
    subgroup_wrote();
    for (uint e = gl_SubgroupInvocationID; e < OWN_ROWS * MATRIX_N; e += SUBGROUP) {
      uint row = base + e / MATRIX_N, column = t * MATRIX_N + e % MATRIX_N;
      if (first + row <= last && column < DV) STORE(y, (pair * p.rows + first + row) * DV + column, scores[row * SCORE_PITCH + e % MATRIX_N]);
    }
    subgroup_wrote();
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) attend(FLAT_GROUP);  // the whole workgroup
}
