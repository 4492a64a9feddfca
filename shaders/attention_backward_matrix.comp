// The gradients of attention_backward.comp on matrix units: f16 operands, f32 sums. For GPUs; right wherever a subgroup multiplies
// matrices.
//
// A subgroup owns M rows of queries or of keys, holds them and their sums as matrices, and walks the other side with the rest of its
// workgroup, KEYS rows at a time, through shared memory. Products pass through shared memory to the lanes, of which SUBGROUP / M
// share a row, and what they make of them comes back as matrices in f16. Each row of those is divided by its largest magnitude, by
// which what it adds is multiplied again: a loss that makes gradients small leaves them as many bits as one that does not.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_EXT_shader_explicit_arithmetic_types_float16 : require
#extension GL_KHR_memory_scope_semantics : require
#extension GL_KHR_cooperative_matrix : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#pragma requires GL_KHR_cooperative_matrix
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

const uint LANES_A_ROW = SUBGROUP / MATRIX_M, OTHERS_A_LANE = KEYS / LANES_A_ROW;
const uint PRODUCT_PITCH = KEYS + 4, FACTOR_PITCH = KEYS + 8;

shared float products[TILE_ROWS * PRODUCT_PITCH];   // q·k; and results on their way out
shared float d_weights[TILE_ROWS * PRODUCT_PITCH];  // dO·v
shared float16_t a_factors[TILE_ROWS * FACTOR_PITCH];  // of other rows' a: ds
shared float16_t b_factors[TILE_ROWS * FACTOR_PITCH];  // of other rows' b: w; owning queries, of their a: w
shared float a_scales[TILE_ROWS], b_scales[TILE_ROWS];

// The largest of the lanes that share a row, or 1 where it scales nothing.
float scale_of(float most) {
  [[unroll]] for (uint d = 1; d < LANES_A_ROW; d *= 2) most = max(most, subgroupShuffleXor(most, d));
  return most > 0.0 && most < POSITIVE_INFINITY ? most : 1.0;
}

// Rows of results, of `width` columns, by way of `products`.
#define STORE_ROWS(sums, TILES, target, width)                                                                                    \
  [[unroll]] for (uint t = 0; t < TILES; ++t) {                                                                                   \
    coopMatStore(sums[t], products, base * PRODUCT_PITCH, PRODUCT_PITCH, ROW_MAJOR);                                               \
    subgroup_wrote();                                                                                                             \
    for (uint e = gl_SubgroupInvocationID; e < MATRIX_M * MATRIX_N; e += SUBGROUP) {                                              \
      uint row = base + e / MATRIX_N, column = t * MATRIX_N + e % MATRIX_N;                                                       \
      if (first + row <= last && column < width)                                                                                  \
        STORE(target, (pair * count + placed(first + row)) * width + column, products[row * PRODUCT_PITCH + e % MATRIX_N]);               \
    }                                                                                                                             \
    subgroup_wrote();                                                                                                             \
  }

void sum_up(uint group) {
  uint pair = group / p.row_blocks, count = OWNS_KEYS ? p.keys : p.rows, others = OWNS_KEYS ? p.rows : p.keys;
  uint owner = group % p.row_blocks, first = owner * TILE_ROWS, last = min(first + TILE_ROWS, count) - 1;
  uint base = gl_SubgroupID * MATRIX_M;  // of the subgroup's rows
  uint own = base + gl_SubgroupInvocationID / LANES_A_ROW, part = gl_SubgroupInvocationID % LANES_A_ROW;
  uint place = placed(min(first + own, last)), own_row = pair * count + place;

  A_MATRIX a[D_STEPS], b[V_STEPS];
  LOAD_OWN(a, b, pair, count, first, last, base)

  SUMS sum_a[D_TILES], sum_b[B_TILES];  // owning queries, sum_b is Σ w k, by which the slack is taken back
  [[unroll]] for (uint t = 0; t < D_TILES; ++t) sum_a[t] = SUMS(0.0);
  [[unroll]] for (uint t = 0; t < B_TILES; ++t) sum_b[t] = SUMS(0.0);
  QueryRow query = NO_ROW, own_key = OWNS_KEYS ? key_place(place) : NO_ROW;
  vec3 stat = vec3(0.0);
  ExactSum weights = ExactSum(0.0, 0.0), slack = weights;  // Σ w and Σ ds of the lane's keys
  if (!OWNS_KEYS) {
    query = query_row(pair, place);
    stat = vec3(stats[STATS * own_row], stats[STATS * own_row + 1], 1.0);
  }

  KeyRange keys = visible_keys(pair, first, last);
  uvec2 range = OWNS_KEYS ? visible_rows(first, last) : uvec2(keys.begin, keys.end);
  Walk walk = walk_of(pair, owner, first, last, range.x, range.y, others, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, KEYS);
    uint at = step.at;
    if (OWNS_KEYS && !some_see(pair, at, KEYS, first, last)) continue;
    if (OWNS_KEYS) enter(own_key, step);
    else enter(query, step);
    LOAD_OTHERS(pair, others, at)
    [[unroll]] for (uint t = 0; t < OTHER_TILES; ++t) {
      SUMS product, d_weight;
      MULTIPLY_OTHERS(product, d_weight, a, b, t)
      coopMatStore(product, products, base * PRODUCT_PITCH + t * MATRIX_N, PRODUCT_PITCH, ROW_MAJOR);
      coopMatStore(d_weight, d_weights, base * PRODUCT_PITCH + t * MATRIX_N, PRODUCT_PITCH, ROW_MAJOR);
    }
    subgroup_wrote();

    float a_factor[OTHERS_A_LANE], b_factor[OTHERS_A_LANE], a_most = 0.0, b_most = 0.0;
    [[unroll]] for (uint j = 0; j < OTHERS_A_LANE; ++j) {
      uint other = j * LANES_A_ROW + part, mine = min(at + other, others - 1), key = OWNS_KEYS ? place : mine;
      if (OWNS_KEYS) query = query_row(pair, mine), stat = summed_stats[SUMMED_STATS * (pair * others + mine)].xyz;
      if (OWNS_KEYS) query.bias_line = own_key.bias_line;
      bool visible = at + other < others && in_band(query, key) && (!OWNS_KEYS || is_neighbour(own_key, at + other));
      Pair found = pair_of(products[own * PRODUCT_PITCH + other], d_weights[own * PRODUCT_PITCH + other], query, key, stat, visible);
      if (!OWNS_KEYS) add(weights, found.weight), add(slack, found.d_score);
      a_factor[j] = found.d_score * found.slope;
      b_factor[j] = OWNS_KEYS ? found.used : found.weight * found.slope;
      if (FORBIDS && found.weight != 0.0) {
        if ((stained[other] & 1u) != 0u) a_factor[j] = QUIET_NAN;
        if ((stained[other] & (OWNS_KEYS ? 2u : 1u)) != 0u) b_factor[j] = QUIET_NAN;
      }
      a_most = max(a_most, abs(a_factor[j]));
      b_most = max(b_most, abs(b_factor[j]));
    }
    float a_scale = scale_of(a_most), b_scale = scale_of(b_most);
    [[unroll]] for (uint j = 0; j < OTHERS_A_LANE; ++j) {
      a_factors[own * FACTOR_PITCH + j * LANES_A_ROW + part] = float16_t(a_factor[j] / a_scale);
      b_factors[own * FACTOR_PITCH + j * LANES_A_ROW + part] = float16_t(b_factor[j] / b_scale);
    }
    if (part == 0) a_scales[own] = a_scale, b_scales[own] = b_scale;
    subgroup_wrote();

    A_MATRIX x_factors[OTHER_STEPS];
    SUMS scales;
    coopMatLoad(scales, a_scales, base, 0, COLUMN_MAJOR);
    [[unroll]] for (uint s = 0; s < OTHER_STEPS; ++s)
      coopMatLoad(x_factors[s], a_factors, base * FACTOR_PITCH + s * MATRIX_K, FACTOR_PITCH, ROW_MAJOR);
    ADD_FACTORS(sum_a, D_TILES, x_factors, scales, 0, D_PITCH)
    coopMatLoad(scales, b_scales, base, 0, COLUMN_MAJOR);
    [[unroll]] for (uint s = 0; s < OTHER_STEPS; ++s)
      coopMatLoad(x_factors[s], b_factors, base * FACTOR_PITCH + s * MATRIX_K, FACTOR_PITCH, ROW_MAJOR);
    ADD_FACTORS(sum_b, B_TILES, x_factors, scales, B_FACTORS_AT, B_FACTORS_PITCH)
  }

  subgroup_wrote();  // and the scales are read
  if (OWNS_KEYS) {
    [[unroll]] for (uint t = 0; t < D_TILES; ++t) sum_a[t] = sum_a[t] * p.scale;
    STORE_ROWS(sum_a, D_TILES, d_a, D)
    STORE_ROWS(sum_b, B_TILES, d_b, DV)
    return;
  }
  vec2 totals = vec2(weights.value, slack.value);
  [[unroll]] for (uint d = 1; d < LANES_A_ROW; d *= 2) totals += vec2(subgroupShuffleXor(totals.x, d), subgroupShuffleXor(totals.y, d));
  float factor = totals.x == 0.0 ? 0.0 : 1.0 / totals.x;
  float excess = totals.x == 0.0 ? 0.0 : totals.y * factor - stats[STATS * own_row + 2];
  if (part == 0) a_scales[own] = factor * p.scale, b_scales[own] = excess * factor * p.scale;
  if (part == 0 && first + own <= last) d_stats[SUMMED_STATS * own_row] = vec4(stat.xy + vec2(0.0, excess), factor, 0.0);
  if (RANGED && part == 0 && first + own <= last) d_stats[SUMMED_STATS * own_row + 1] = vec4(vec2(query.range), 0.0, 0.0);
  subgroup_wrote();
  if (LSE == 0) return;
  SUMS factors, excesses;
  coopMatLoad(factors, a_scales, base, 0, COLUMN_MAJOR);
  coopMatLoad(excesses, b_scales, base, 0, COLUMN_MAJOR);
  [[unroll]] for (uint t = 0; t < D_TILES; ++t) sum_a[t] = sum_a[t] * factors - sum_b[t] * excesses;
  STORE_ROWS(sum_a, D_TILES, d_a, D)
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) sum_up(FLAT_GROUP);  // the whole workgroup
}
