// dq_i = scale Σ_j ds_ij k_j, and the pairs' weights and ds for attention_backward_keys  (lib/attention_backward.glsl)
//
// The gradient in one walk, for drivers that run shaders on a CPU: five products, of which these two launches make three. A lane owns a
// row of queries. The first launch walks the keys, which all lanes read by addresses that they share, makes w and ds and stores them
// (lib/attention_pairs.glsl), and their sums, by which ds is corrected. The second makes dq from what is stored. What the keys sum over
// the rows is made by attention_backward_keys, from the same numbers, in lanes that own keys. Rows come in as many launches as keep
// what is stored within bounds. Each sum is made by one lane in one order.
//
// Shares of the processor time on lavapipe 26.1.6, and what was tried: docs/performance.md, "The gradient in one walk".
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant WEIGHTS whole dropped
#pragma variant DTYPE f32 f16 bf16
#define ATTENTION_BACKWARD
#define STATS_ARE_SUMMED (MODE == ATTENTION_QUERIES_SUM)
#define ATTENTION_STATE 9
#define ATTENTION_ADDRESSES ElementsIn k_at, v_at; ElementsOut d_q_at; FloatQuads pairs_at;
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/attention.glsl"
#include "lib/attention_backward.glsl"
#include "lib/attention_pairs.glsl"

layout(set = 0, binding = 6) writeonly buffer DQ { STORE_T d_q[]; };      // by its address
layout(set = 0, binding = 7) writeonly buffer DStats { vec4 d_stats[]; };
layout(set = 0, binding = 8) buffer Pairs { vec4 pairs[]; };              // by its address

#define EACH_KEY [[unroll]] for (uint j = 0; j < KEYS; ++j)
#define EACH_QUAD(n) [[unroll]] for (uint i = 0; i < n; ++i)
// By components: dot() keeps CPU drivers from one fused multiply-add a product.
#define ADD_DOT(sum, a, b) sum += a.x * b.x, sum += a.y * b.y, sum += a.z * b.z, sum += a.w * b.w

// Of the tile's keys first, ..., first + KEYS - 1, for the lane's own row: 8 bytes a store, half as many as of 4.
void store_pairs(uint64_t tile, uint first, float weight[KEYS], float d_score[KEYS]) {
  EACH_KEY {
    uint64_t to = pair_at(tile, first + j, gl_LocalInvocationID.x);
    Longs(to).x[0] = packUint2x32(floatBitsToUint(vec2(weight[j], d_score[j])));
  }
}

// The rows that a workgroup owns, and the one of this lane.
struct Rows {
  uint pair, row, number;
  bool exists;    // else the last row again, whose pairs are 0
  uvec2 keys;     // that have tiles
  uint64_t tiles;
};
Rows own_rows() {
  uint pair = p.pages + FLAT_GROUP / p.row_blocks;
  // The last rows first: under a causal mask they take longest.
  uint block = p.row_blocks - 1 - FLAT_GROUP % p.row_blocks, first = p.page + block * WG, last = min(first + WG, p.rows) - 1;
  uint own = first + gl_LocalInvocationID.x, row = min(own, last);
  uint64_t tiles = tile_of(tiles_of(uint64_t(pairs_at), pair - p.pages), block, 0);
  return Rows(pair, row, pair * p.rows + row, own <= last, keys_with_tiles(pair, first, last), tiles);
}

void make_pairs() {
  Rows own = own_rows();
  uint pair = own.pair, number = own.number;
  QueryRow at = query_row(pair, own.row);
  vec3 stat = vec3(stats[STATS * number], stats[STATS * number + 1], 1.0);
  ExactSum weights = ExactSum(0.0, 0.0), slack = ExactSum(0.0, 0.0);  // Σ w and Σ ds
  if (own.keys.x < own.keys.y) {
    vec4 q[QUADS], d_out[V_QUADS];
    EACH_QUAD(QUADS) q[i] = load_q(number, i);
    EACH_QUAD(V_QUADS) d_out[i] = load_d_out(number, i);
    uint j0 = own.keys.x;
    do {  // a `for` would run its body once more with every lane masked on CPU drivers
      float product[KEYS], d_weight[KEYS];
      uint64_t k_rows[KEYS], v_rows[KEYS];
      EACH_KEY {
        product[j] = d_weight[j] = 0.0;
        uint key = pair * p.keys + min(j0 + j, p.keys - 1);  // past the end: the last key again, whose pairs are 0
        k_rows[j] = row_at(uint64_t(k_at), key, D);
        v_rows[j] = row_at(uint64_t(v_at), key, DV);
      }
      EACH_QUAD(QUADS) EACH_KEY {
        vec4 x = load_row_at(k_rows[j], i, D);
        ADD_DOT(product[j], q[i], x);
      }
      EACH_QUAD(V_QUADS) EACH_KEY {
        vec4 x = load_row_at(v_rows[j], i, DV);
        ADD_DOT(d_weight[j], d_out[i], x);
      }
      float sum_w = 0.0, sum_ds = 0.0;
      EACH_KEY {
        bool visible = own.exists && j0 + j < p.keys && in_band(at, j0 + j);
        Pair found = pair_of(product[j], d_weight[j], at, min(j0 + j, p.keys - 1), stat, visible);
        sum_w += found.weight, sum_ds += found.d_score;
        product[j] = stored_weight(found), d_weight[j] = found.d_score;
      }
      add(weights, sum_w), add(slack, sum_ds);
      store_pairs(own.tiles + j0 / WG * TILE_STEP, j0 % WG, product, d_weight);
      j0 += KEYS;
    } while (j0 < own.keys.y);
  }
  float sum = weights.value, factor = sum == 0.0 ? 0.0 : 1.0 / sum;
  float excess = sum == 0.0 ? 0.0 : slack.value * factor - stats[STATS * number + 2];
  if (NORMALIZE == 0) factor = 1.0, excess = 0.0;
  if (!own.exists) return;
  d_stats[SUMMED_STATS * number] = vec4(stat.x, stat.y + excess, factor, excess);
  if (RANGED) d_stats[SUMMED_STATS * number + 1] = vec4(vec2(at.range), 0.0, 0.0);
}

void sum_queries() {
  Rows own = own_rows();
  vec4 stat = summed_stats[SUMMED_STATS * own.number];  // as make_pairs left it
  float factor = stat.z, excess = stat.w;
  vec4 sum_q[QUADS];
  EACH_QUAD(QUADS) sum_q[i] = vec4(0.0);
  if (own.keys.x < own.keys.y) {
    uint j0 = own.keys.x;
    do {
      float d_score[KEYS];
      uint64_t k_rows[KEYS], tile = own.tiles + j0 / WG * TILE_STEP;
      EACH_KEY {
        k_rows[j] = row_at(uint64_t(k_at), own.pair * p.keys + min(j0 + j, p.keys - 1), D);
        float w[WG], ds[WG];
        [[unroll]] for (uint l = 0; l < WG; ++l) {
          vec2 stored = load_pair(tile, j0 % WG + j, l);
          w[l] = stored.x, ds[l] = stored.y;
        }
        d_score[j] = by_lane(ds) - excess * weight_of(by_lane(w));
      }
      EACH_QUAD(QUADS) EACH_KEY sum_q[i] += d_score[j] * load_row_at(k_rows[j], i, D);
      j0 += KEYS;
    } while (j0 < own.keys.y);
  }
  bool care = false;
  if (FORBIDS) EACH_QUAD(QUADS) care = care || not_finite(sum_q[i]);
  if (care) {  // the row again, with nothing of k where a pair is excluded
    EACH_QUAD(QUADS) sum_q[i] = vec4(0.0);
    for (uint j = own.keys.x; j < min(own.keys.y, p.keys); ++j) {
      vec2 stored = load_pair(own.tiles + j / WG * TILE_STEP, j % WG, gl_LocalInvocationID.x);
      float w = stored.x, ds = stored.y;
      uint64_t k_row = row_at(uint64_t(k_at), own.pair * p.keys + j, D);
      if (!is_excluded(w, ds)) EACH_QUAD(QUADS) sum_q[i] += (ds - excess * weight_of(w)) * load_row_at(k_row, i, D);
    }
  }
  uint64_t to = row_at(uint64_t(d_q_at), own.number, D);
  if (own.exists) EACH_QUAD(QUADS) store_row_at(to, i, D, sum_q[i] * (factor * p.scale));
}

void main() {
  if (FLAT_GROUP >= p.pairs * p.row_blocks) return;
  if (MODE == ATTENTION_QUERIES_PAIRS) make_pairs();
  else sum_queries();
}
