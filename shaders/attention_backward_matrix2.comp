// The gradients of attention_backward_matrix on matrix units whose sums are reduced along rows, passed through functions element by
// element and converted into operands (GL_NV_cooperative_matrix2): products and the factors made of them stay in registers.
//
// What a row has one of is a matrix whose columns are alike, but for sums until they are reduced at the end.
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
#pragma variant WEIGHTS whole dropped
#pragma variant DTYPE f16
#define ATTENTION_BACKWARD
#define ATTENTION_STATE 8
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/attention.glsl"
#include "lib/attention_backward.glsl"
#include "lib/matrix.glsl"
#include "lib/attention_backward_matrix.glsl"

float larger(const in float a, const in float b) { return max(a, b); }
float added_up(const in float a, const in float b) { return a + b; }

// ---- Functions of elements (row, column, element, ...) ---------------------------------------------------------------
// The tile's row 0 is the owned row `first`, of which `last` is the last; its column 0 row `j` of the step, which begins at `step`:
// the first other row, and its line and column in a neighbourhood's grid.

Pair found_at(uint row, uint column, float product, float d_weight, uint pair, uint first, uint last, uint j, uvec3 step) {
  uint others = OWNS_KEYS ? p.rows : p.keys, other = step.x + j + column, mine = min(other, others - 1);
  uint own = placed(min(first + row, last)), key = OWNS_KEYS ? own : mine;
  QueryRow query = query_row(pair, OWNS_KEYS ? mine : own), own_key = OWNS_KEYS ? key_place(own) : NO_ROW;
  if (OWNS_KEYS) {
    enter(own_key, Step(step.x, false, step.y, step.z));
    query.bias_line = own_key.bias_line;
  } else {
    enter(query, Step(step.x, false, step.y, step.z));
  }
  vec3 stat;
  if (OWNS_KEYS)
    stat = summed_stats[SUMMED_STATS * (pair * p.rows + mine)].xyz;
  else
    stat = vec3(stats[STATS * (pair * p.rows + own)], stats[STATS * (pair * p.rows + own) + 1], 1.0);
  bool visible = other < others && in_band(query, key) && (!OWNS_KEYS || is_neighbour(own_key, other));
  return pair_of(product, d_weight, query, key, stat, visible);
}
float a_factor_of(const in uint row, const in uint column, const in float product, const in float d_weight, const in uint pair, const in uint first, const in uint last, const in uint j, const in uint at, const in uint line, const in uint of_line) {
  Pair found = found_at(row, column, product, d_weight, pair, first, last, j, uvec3(at, line, of_line));
  return FORBIDS && found.weight != 0.0 && (stained[j + column] & 1u) != 0u ? QUIET_NAN : found.d_score * found.slope;
}
float b_factor_of(const in uint row, const in uint column, const in float product, const in float d_weight, const in uint pair, const in uint first, const in uint last, const in uint j, const in uint at, const in uint line, const in uint of_line) {
  Pair found = found_at(row, column, product, d_weight, pair, first, last, j, uvec3(at, line, of_line));
  if (FORBIDS && found.weight != 0.0 && (stained[j + column] & (OWNS_KEYS ? 2u : 1u)) != 0u) return QUIET_NAN;
  return OWNS_KEYS ? found.used : found.weight * found.slope;
}
float weight_of_pair(const in uint row, const in uint column, const in float product, const in float d_weight, const in uint pair, const in uint first, const in uint last, const in uint j, const in uint at, const in uint line, const in uint of_line) {
  return found_at(row, column, product, d_weight, pair, first, last, j, uvec3(at, line, of_line)).weight;
}
float d_score_of_pair(const in uint row, const in uint column, const in float product, const in float d_weight, const in uint pair, const in uint first, const in uint last, const in uint j, const in uint at, const in uint line, const in uint of_line) {
  return found_at(row, column, product, d_weight, pair, first, last, j, uvec3(at, line, of_line)).d_score;
}
float largest_of(const in uint row, const in uint column, const in float most, const in float factor) { return max(most, abs(factor)); }
// By what a row's factors are divided before they are f16: their largest, or 1 where that scales nothing.
float scale_of(const in uint row, const in uint column, const in float most) { return most > 0.0 && most < POSITIVE_INFINITY ? most : 1.0; }
// An exact sum of two matrices, value and rest, of which each function gives one.
float value_after(const in uint row, const in uint column, const in float value, const in float rest, const in float x) {
  ExactSum sum = ExactSum(value, rest);
  add(sum, x);
  return sum.value;
}
float rest_after(const in uint row, const in uint column, const in float rest, const in float value, const in float x) {
  ExactSum sum = ExactSum(value, rest);
  add(sum, x);
  return sum.rest;
}
float factor_of_row(float weights) { return weights == 0.0 ? 0.0 : 1.0 / weights; }
float excess_of_row(float weights, float slack, uint own_row) {
  return weights == 0.0 ? 0.0 : slack * factor_of_row(weights) - stats[STATS * own_row + 2];
}
float factor_at(const in uint row, const in uint column, const in float weights) { return factor_of_row(weights) * p.scale; }
float excess_at(const in uint row, const in uint column, const in float weights, const in float slack, const in uint pair, const in uint first, const in uint last) {
  return excess_of_row(weights, slack, pair * p.rows + placed(min(first + row, last))) * factor_of_row(weights) * p.scale;
}
float put_stats(const in uint row, const in uint column, const in float weights, const in float slack, const in uint pair, const in uint first, const in uint last) {
  if (column == 0 && first + row <= last) {
    uint own_row = pair * p.rows + placed(first + row);
    vec2 stat = vec2(stats[STATS * own_row], stats[STATS * own_row + 1]);
    d_stats[SUMMED_STATS * own_row] = vec4(stat + vec2(0.0, excess_of_row(weights, slack, own_row)), factor_of_row(weights), 0.0);
    if (RANGED) d_stats[SUMMED_STATS * own_row + 1] = vec4(vec2(row_range(pair, first + row)), 0.0, 0.0);
  }
  return weights;
}
float put_a(const in uint row, const in uint column, const in float result, const in uint pair, const in uint first, const in uint last, const in uint j) {
  uint count = OWNS_KEYS ? p.keys : p.rows;
  if (first + row <= last && j + column < D) STORE(d_a, (pair * count + placed(first + row)) * D + j + column, result);
  return result;
}
float put_b(const in uint row, const in uint column, const in float result, const in uint pair, const in uint first, const in uint last, const in uint j) {
  if (first + row <= last && j + column < DV) STORE(d_b, (pair * p.keys + placed(first + row)) * DV + j + column, result);
  return result;
}

// The factors of all other rows in the step, as operands, and by what each row of them was divided.
#define FACTORS(factor_of, x_factors, scales)                                                                                     \
  {                                                                                                                               \
    SUMS factor[OTHER_TILES], most = SUMS(0.0);                                                                                   \
    [[unroll]] for (uint t = 0; t < OTHER_TILES; ++t) {                                                                           \
      coopMatPerElementNV(factor[t], product[t], factor_of, d_weight[t], pair, own, last, t * MATRIX_N, at, step.line, step.column);\
      coopMatPerElementNV(most, most, largest_of, factor[t]);                                                                     \
    }                                                                                                                             \
    coopMatReduceNV(scales, most, gl_CooperativeMatrixReduceRowNV, larger);                                                       \
    coopMatPerElementNV(scales, scales, scale_of);                                                                                \
    [[unroll]] for (uint t = 0; t < OTHER_TILES; ++t) x_factors[t] = A_MATRIX(factor[t] / scales);                                \
  }
#define ADD_EXACTLY(value, rest, pair_function)                                                                                   \
  {                                                                                                                               \
    SUMS term, before = value;                                                                                                    \
    coopMatPerElementNV(term, product[t], pair_function, d_weight[t], pair, own, last, t * MATRIX_N, at, step.line, step.column);  \
    coopMatPerElementNV(value, before, value_after, rest, term);                                                                  \
    coopMatPerElementNV(rest, rest, rest_after, before, term);                                                                    \
  }

void sum_up(uint group) {
  uint pair = group / p.row_blocks, count = OWNS_KEYS ? p.keys : p.rows, others = OWNS_KEYS ? p.rows : p.keys;
  uint owner = group % p.row_blocks, first = owner * TILE_ROWS, last = min(first + TILE_ROWS, count) - 1;
  uint base = gl_SubgroupID * MATRIX_M, own = first + base;  // where the subgroup's rows begin, among the workgroup's and all

  A_MATRIX a[D_STEPS], b[V_STEPS];
  LOAD_OWN(a, b, pair, count, first, last, base)

  SUMS sum_a[D_TILES], sum_b[B_TILES];  // owning queries, sum_b is Σ w k, by which the slack is taken back
  [[unroll]] for (uint t = 0; t < D_TILES; ++t) sum_a[t] = SUMS(0.0);
  [[unroll]] for (uint t = 0; t < B_TILES; ++t) sum_b[t] = SUMS(0.0);
  // Σ w and Σ ds of each column's keys
  SUMS weights = SUMS(0.0), weights_rest = SUMS(0.0), slack = SUMS(0.0), slack_rest = SUMS(0.0);

  KeyRange keys = visible_keys(pair, first, last);
  uvec2 range = OWNS_KEYS ? visible_rows(first, last) : uvec2(keys.begin, keys.end);
  Walk walk = walk_of(pair, owner, first, last, range.x, range.y, others, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, KEYS);
    uint at = step.at;
    if (OWNS_KEYS && !some_see(pair, at, KEYS, first, last)) continue;
    LOAD_OTHERS(pair, others, at)
    SUMS product[OTHER_TILES], d_weight[OTHER_TILES], scales;
    [[unroll]] for (uint t = 0; t < OTHER_TILES; ++t) MULTIPLY_OTHERS(product[t], d_weight[t], a, b, t)
    if (!OWNS_KEYS) [[unroll]] for (uint t = 0; t < OTHER_TILES; ++t) {
      ADD_EXACTLY(weights, weights_rest, weight_of_pair)
      ADD_EXACTLY(slack, slack_rest, d_score_of_pair)
    }
    A_MATRIX x_factors[OTHER_TILES];
    FACTORS(a_factor_of, x_factors, scales)
    ADD_FACTORS(sum_a, D_TILES, x_factors, scales, 0, D_PITCH)
    FACTORS(b_factor_of, x_factors, scales)
    ADD_FACTORS(sum_b, B_TILES, x_factors, scales, B_FACTORS_AT, B_FACTORS_PITCH)
  }

  if (OWNS_KEYS) {
    [[unroll]] for (uint t = 0; t < D_TILES; ++t) {
      sum_a[t] = sum_a[t] * p.scale;
      coopMatPerElementNV(sum_a[t], sum_a[t], put_a, pair, own, last, t * MATRIX_N);
    }
    [[unroll]] for (uint t = 0; t < B_TILES; ++t) coopMatPerElementNV(sum_b[t], sum_b[t], put_b, pair, own, last, t * MATRIX_N);
    return;
  }
  SUMS all_weights, all_slack, factors, excesses;
  coopMatReduceNV(all_weights, weights, gl_CooperativeMatrixReduceRowNV, added_up);
  coopMatReduceNV(all_slack, slack, gl_CooperativeMatrixReduceRowNV, added_up);
  coopMatPerElementNV(factors, all_weights, put_stats, all_slack, pair, own, last);
  if (LSE == 0) return;
  coopMatPerElementNV(factors, all_weights, factor_at);
  coopMatPerElementNV(excesses, all_weights, excess_at, all_slack, pair, own, last);
  [[unroll]] for (uint t = 0; t < D_TILES; ++t) {
    sum_a[t] = sum_a[t] * factors - sum_b[t] * excesses;
    coopMatPerElementNV(sum_a[t], sum_a[t], put_a, pair, own, last, t * MATRIX_N);
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) sum_up(FLAT_GROUP);  // the whole workgroup
}
