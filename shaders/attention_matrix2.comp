// y = softmax(scale q kᵀ + mask) v on matrix units whose sums are reduced along rows, passed through functions element by element and
// converted into operands (GL_NV_cooperative_matrix2): attention_matrix, of which scores and weights stay in registers.
//
// What a row has one of (its maximum, its sum) is a matrix whose columns are alike, but for sums until they are reduced at the end.
// A function is given its element's row and column; from them it has the query and the key.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_NV_cooperative_matrix2 : require
#pragma target vulkan1.3
#pragma requires GL_NV_cooperative_matrix2
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

float larger(const in float a, const in float b) { return max(a, b); }
float added(const in float a, const in float b) { return a + b; }

// ---- Functions of elements (row, column, element, ...): `first` is the number of the tile's row 0, `last` that of the last row ------

QueryRow query_at(uint pair, uint row, uint last) { return query_row(pair, placed(min(row, last))); }

// `j`: of the tile's column 0 in the step, which begins at `step_at`.
float score_of(const in uint row, const in uint column, const in float product, const in uint pair, const in uint first, const in uint last, const in uint j, const in uint step_at, const in uint step_line, const in uint step_column) {
  uint key = step_at + j + column;
  QueryRow at = query_at(pair, first + row, last);
  enter(at, Step(step_at, false, step_line, step_column));
  float score = changed(capped(product * p.scale), at, min(key, p.keys - 1));
  return key < p.keys && in_band(at, key) ? score : NEGATIVE_INFINITY;
}
float larger_of(const in uint row, const in uint column, const in float a, const in float b) { return max(a, b); }
float kept_of(const in uint row, const in uint column, const in float m, const in float to) {
  OnlineSoftmax state = OnlineSoftmax(m, 0.0, 0.0);
  return raise_to(state, to);
}
float weight_at(const in uint row, const in uint column, const in float score, const in float m) {
  OnlineSoftmax state = OnlineSoftmax(m, 0.0, 0.0);
  return weight_of(state, score);
}
float differences_of(const in uint row, const in uint column, const in float before, const in float score, const in float m) {
  OnlineSoftmax state = OnlineSoftmax(m, 0.0, before);
  weight_of(state, score);
  return state.differences;
}
float used_at(const in uint row, const in uint column, const in float weight, const in uint pair, const in uint first, const in uint last, const in uint j0) {
  return used(weight, query_at(pair, first + row, last), min(j0 + column, p.keys - 1));
}
float stained_by(const in uint row, const in uint column, const in float weight, const in uint own, const in uint j) {
  if (weight != 0.0) note_stains(own + row, j + column);
  return weight;
}
OnlineSoftmax settled(float m, float l, float differences) {
  OnlineSoftmax state = OnlineSoftmax(m, l, differences);
  settle(state);
  return state;
}
float share_of(const in uint row, const in uint column, const in float m, const in float l, const in float differences) {
  OnlineSoftmax state = settled(m, l, differences);
  return nothing_seen(state) ? 0.0 : 1.0 / state.l;
}
float put_lse(const in uint row, const in uint column, const in float m, const in float l, const in float differences, const in uint pair, const in uint first, const in uint last) {
  if (column == 0 && first + row <= last) lse[pair * p.rows + placed(first + row)] = log_sum_exp(settled(m, l, differences));
  return m;
}
float put_result(const in uint row, const in uint column, const in float result, const in uint pair, const in uint first, const in uint last, const in uint own, const in uint j) {
  if (first + row <= last && j + column < DV)
    STORE(y, (pair * p.rows + placed(first + row)) * DV + j + column, FORBIDS ? result + stain(own + row, j + column) : result);
  return result;
}

void attend(uint group) {
  uint pair = group / p.row_blocks;
  // The last rows first: under a causal mask they take longest.
  uint owner = p.row_blocks - 1 - group % p.row_blocks, first = owner * TILE_ROWS;
  uint last = min(first + TILE_ROWS, p.rows) - 1;

  forget_stains();
  A_MATRIX q[ROWS * D_STEPS];
  LOAD_QUERIES(q, pair, first, last)
  SUMS sum[ROWS * V_TILES], m[ROWS], l[ROWS], differences[ROWS];
  [[unroll]] for (uint n = 0; n < ROWS * V_TILES; ++n) sum[n] = SUMS(0.0);
  uint own[ROWS];  // where the subgroup's tiles begin among the workgroup's rows
  EACH_TILE {
    m[r] = SUMS(online_softmax_start().m), l[r] = SUMS(0.0), differences[r] = SUMS(0.0);
    own[r] = tile_row(gl_SubgroupID * MATRIX_M, r);
  }

  KeyRange keys = visible_keys(pair, first, last);
  Walk walk = walk_of(pair, owner, first, last, keys.begin, keys.end, p.keys, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, KEYS);
    uint j0 = step.at;
    barrier();  // the tile's last readers are done
    load_keys_and_values(pair, j0, n + 1);
    barrier();
    SUMS score[ROWS * KEY_TILES];
    MULTIPLY_KEYS(score, q)

    bool stained = FORBIDS && not_finite_step == n + 1;
    A_MATRIX w[ROWS * KEY_TILES];
    EACH_TILE {
      SUMS largest = m[r], to, keep;
      [[unroll]] for (uint t = 0; t < KEY_TILES; ++t) {
        coopMatPerElementNV(score[r * KEY_TILES + t], score[r * KEY_TILES + t], score_of, pair, first + own[r], last, t * MATRIX_N, j0, step.line, step.column);
        coopMatPerElementNV(largest, largest, larger_of, score[r * KEY_TILES + t]);
      }
      coopMatReduceNV(to, largest, gl_CooperativeMatrixReduceRowNV, larger);
      coopMatPerElementNV(keep, m[r], kept_of, to);
      m[r] = to;
      l[r] = l[r] * keep;
      [[unroll]] for (uint t = 0; t < V_TILES; ++t) sum[r * V_TILES + t] = sum[r * V_TILES + t] * keep;
      [[unroll]] for (uint t = 0; t < KEY_TILES; ++t) {
        SUMS weight;
        coopMatPerElementNV(differences[r], differences[r], differences_of, score[r * KEY_TILES + t], to);
        coopMatPerElementNV(weight, score[r * KEY_TILES + t], weight_at, to);
        l[r] = l[r] + weight;
        coopMatPerElementNV(weight, weight, used_at, pair, first + own[r], last, j0 + t * MATRIX_N);
        if (stained) coopMatPerElementNV(weight, weight, stained_by, own[r], t * MATRIX_N);
        w[r * KEY_TILES + t] = A_MATRIX(weight);
      }
    }
    if (stained) clear_not_finite();
    ADD_VALUES(sum, w)
  }

  if (FORBIDS) barrier();  // all stains are noted
  EACH_TILE {
    SUMS whole, settling, share;
    coopMatReduceNV(whole, l[r], gl_CooperativeMatrixReduceRowNV, added);
    coopMatReduceNV(settling, differences[r], gl_CooperativeMatrixReduceRowNV, added);
    if (LSE != 0) coopMatPerElementNV(m[r], m[r], put_lse, whole, settling, pair, first + own[r], last);
    coopMatPerElementNV(share, m[r], share_of, whole, settling);
    [[unroll]] for (uint t = 0; t < V_TILES; ++t) {
      SUMS result = sum[r * V_TILES + t] * share;
      coopMatPerElementNV(result, result, put_result, pair, first + own[r], last, own[r], t * MATRIX_N);
    }
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) attend(FLAT_GROUP);  // the whole workgroup
}
