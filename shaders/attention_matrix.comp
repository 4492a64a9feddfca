// y = softmax(scale q kᵀ + mask) v on matrix units: f16 operands, f32 sums. For GPUs; right wherever a subgroup multiplies matrices.
//
// A subgroup owns ROWS tiles of M query rows, whose q and whose sum of values it holds as matrices; the subgroups of a workgroup
// walk the keys together, KEYS at a time, through shared memory. Scores pass through shared memory to the lanes, of which
// SUBGROUP / M share a row of each tile, and come back as weights, rounded to f16 (Kernel::rounding). A factor of a row reaches its
// sums as a matrix whose columns are alike: loaded with a stride of 0.
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
#pragma variant WEIGHTS whole dropped ranged
#pragma variant DTYPE f16
#define ATTENTION_STATE 6
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/online_softmax.glsl"
#include "lib/attention.glsl"
#include "lib/matrix.glsl"
#include "lib/attention_matrix.glsl"

const uint LANES_A_ROW = SUBGROUP / MATRIX_M, KEYS_A_LANE = KEYS / LANES_A_ROW;
const uint SCORE_PITCH = KEYS + 4, WEIGHT_PITCH = KEYS + 8;

shared float scores[SUBGROUPS * MATRIX_M * SCORE_PITCH];     // of one tile of each subgroup; and results on their way out
shared float16_t weights[TILE_ROWS * WEIGHT_PITCH];
shared float factors[TILE_ROWS];

void attend(uint group) {
  uint pair = group / p.row_blocks;
  // The last rows first: under a causal mask they take longest.
  uint owner = p.row_blocks - 1 - group % p.row_blocks, first = owner * TILE_ROWS;
  uint last = min(first + TILE_ROWS, p.rows) - 1;
  uint base = gl_SubgroupID * OWN_ROWS, one = gl_SubgroupID * MATRIX_M;  // where the subgroup's rows begin, all and one tile of them
  uint own_of_one = one + gl_SubgroupInvocationID / LANES_A_ROW;
  uint own[ROWS], part = gl_SubgroupInvocationID % LANES_A_ROW;
  QueryRow at[ROWS];
  OnlineSoftmax state[ROWS];
  EACH_TILE {
    own[r] = tile_row(own_of_one, r);
    at[r] = query_row(pair, placed(min(first + own[r], last)));
    state[r] = online_softmax_start();
  }

  forget_stains();
  A_MATRIX q[ROWS * D_STEPS];
  LOAD_QUERIES(q, pair, first, last)
  SUMS sum[ROWS * V_TILES];
  [[unroll]] for (uint n = 0; n < ROWS * V_TILES; ++n) sum[n] = SUMS(0.0);

  KeyRange keys = visible_keys(pair, first, last);
  Walk walk = walk_of(pair, owner, first, last, keys.begin, keys.end, p.keys, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, KEYS);
    uint j0 = step.at;
    EACH_TILE enter(at[r], step);
    barrier();  // the tile's last readers are done
    load_keys_and_values(pair, j0, n + 1);
    barrier();
    SUMS product[ROWS * KEY_TILES];
    MULTIPLY_KEYS(product, q)

    bool stained = FORBIDS && not_finite_step == n + 1, moved = false;
    uint seen_keys[ROWS];  // of the lane's, by bits
    EACH_TILE {
      seen_keys[r] = 0;
      [[unroll]] for (uint t = 0; t < KEY_TILES; ++t)
        coopMatStore(product[r * KEY_TILES + t], scores, one * SCORE_PITCH + t * MATRIX_N, SCORE_PITCH, ROW_MAJOR);
      subgroup_wrote();
      float score[KEYS_A_LANE], to = state[r].m;
      [[unroll]] for (uint j = 0; j < KEYS_A_LANE; ++j) {
        uint key = j0 + j * LANES_A_ROW + part;
        float s = changed(capped(scores[own_of_one * SCORE_PITCH + j * LANES_A_ROW + part] * p.scale), at[r], min(key, p.keys - 1));
        score[j] = key < p.keys && in_band(at[r], key) ? s : NEGATIVE_INFINITY;
        to = max(to, score[j]);
      }
      [[unroll]] for (uint d = 1; d < LANES_A_ROW; d *= 2) to = max(to, subgroupShuffleXor(to, d));
      float keep = raise_to(state[r], to);
      moved = moved || keep != 1.0;
      [[unroll]] for (uint j = 0; j < KEYS_A_LANE; ++j) {
        float weight = weight_of(state[r], score[j]);
        state[r].l += weight;
        weight = used(weight, at[r], min(j0 + j * LANES_A_ROW + part, p.keys - 1));
        if (FORBIDS && weight != 0.0) seen_keys[r] |= 1u << j;
        weights[own[r] * WEIGHT_PITCH + j * LANES_A_ROW + part] = float16_t(weight);
      }
      if (part == 0) factors[own[r]] = keep;
      subgroup_wrote();  // and has read the scores
    }

    if (subgroupAny(moved)) EACH_TILE {
      SUMS kept_of_rows;
      coopMatLoad(kept_of_rows, factors, base + r * MATRIX_M, 0, COLUMN_MAJOR);
      [[unroll]] for (uint t = 0; t < V_TILES; ++t) sum[r * V_TILES + t] = sum[r * V_TILES + t] * kept_of_rows;
    }
    if (stained) {
      EACH_TILE for (uint j = 0; j < KEYS_A_LANE; ++j) if ((seen_keys[r] >> j & 1u) != 0u) note_stains(own[r], j * LANES_A_ROW + part);
      clear_not_finite();
    }
    A_MATRIX w[ROWS * KEY_STEPS];
    EACH_TILE [[unroll]] for (uint j = 0; j < KEY_STEPS; ++j)
      coopMatLoad(w[r * KEY_STEPS + j], weights, (base + r * MATRIX_M) * WEIGHT_PITCH + j * MATRIX_K, WEIGHT_PITCH, ROW_MAJOR);
    ADD_VALUES(sum, w)
  }

  EACH_TILE {
    settle(state[r]);
    [[unroll]] for (uint d = 1; d < LANES_A_ROW; d *= 2) state[r].l += subgroupShuffleXor(state[r].l, d);
    if (part == 0) factors[own[r]] = nothing_seen(state[r]) ? 0.0 : 1.0 / state[r].l;
    if (LSE != 0 && part == 0 && first + own[r] <= last) lse[pair * p.rows + placed(first + own[r])] = log_sum_exp(state[r]);
  }
  subgroup_wrote();
  EACH_TILE {
    SUMS shares;
    coopMatLoad(shares, factors, base + r * MATRIX_M, 0, COLUMN_MAJOR);
    [[unroll]] for (uint t = 0; t < V_TILES; ++t) {
      coopMatStore(sum[r * V_TILES + t] * shares, scores, one * SCORE_PITCH, SCORE_PITCH, ROW_MAJOR);
      subgroup_wrote();
      for (uint e = gl_SubgroupInvocationID; e < MATRIX_M * MATRIX_N; e += SUBGROUP) {
        uint row = one + e / MATRIX_N, at_row = first + tile_row(row, r), column = t * MATRIX_N + e % MATRIX_N;
        if (at_row > last || column >= DV) continue;
        float result = scores[row * SCORE_PITCH + e % MATRIX_N];
        if (FORBIDS) result += stain(tile_row(row, r), column);
        STORE(y, (pair * p.rows + placed(at_row)) * DV + column, result);
      }
      subgroup_wrote();
    }
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) attend(FLAT_GROUP);  // the whole workgroup
}
