// dk_j = scale Σ_i ds_ij q_i, dv_j = Σ_i w_ij dO_i, from the pairs that attention_backward_queries left  (lib/attention_pairs.glsl)
//
// Two plain products. A lane owns a key and its sums, and the rows of q and dO are read by addresses that all lanes share. What the
// rows of the launches before have summed is read first, and what this one has is left for the next.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant WEIGHTS whole dropped
#pragma variant DTYPE f32 f16 bf16
#define ATTENTION_BACKWARD
#define STATS_ARE_SUMMED true
#define ATTENTION_STATE 9
#define ATTENTION_ADDRESSES ElementsIn q_at, d_out_at; ElementsOut d_k_at, d_v_at; FloatQuads pairs_at;
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/attention.glsl"
#include "lib/attention_backward.glsl"
#include "lib/attention_pairs.glsl"

// By their addresses.
layout(set = 0, binding = 6) writeonly buffer DKeys { STORE_T d_k[]; };
layout(set = 0, binding = 7) writeonly buffer DValues { STORE_T d_v[]; };
layout(set = 0, binding = 8) buffer Pairs { vec4 pairs[]; };

#define EACH_QUAD(n) [[unroll]] for (uint i = 0; i < n; ++i)
#define EACH_ROW [[unroll]] for (uint r = 0; r < KEYS; ++r)

vec4 sum_k[QUADS], sum_v[V_QUADS];

void start(uint64_t sums) {
  EACH_QUAD(QUADS) sum_k[i] = vec4(0.0);
  EACH_QUAD(V_QUADS) sum_v[i] = vec4(0.0);
  if (is_first_launch()) return;
  EACH_QUAD(QUADS) sum_k[i] = FloatQuads(sums).x[i];
  EACH_QUAD(V_QUADS) sum_v[i] = FloatQuads(sums).x[QUADS + i];
}

// The launch's blocks of rows [x, y) beyond which none sees one of the keys first..last.
uvec2 blocks_that_see(uint first, uint last) {
  uvec2 rows = visible_rows(first, last);
  return uvec2(max(rows.x, p.page) - p.page, min(max(rows.y, p.page) - p.page + WG - 1, p.row_blocks * WG)) / WG;
}
bool has_tiles(uint pair, uint block, uint key) {
  uint first = p.page + block * WG;
  uvec2 keys = keys_with_tiles(pair, first, min(first + WG, p.rows) - 1);
  return key >= keys.x && key < keys.y;
}

void sum_up() {
  uint key_blocks = padded_keys() / WG, own = FLAT_GROUP / key_blocks, pair = p.pages + own;
  uint first_key = FLAT_GROUP % key_blocks * WG, key = first_key + gl_LocalInvocationID.x;
  uvec2 blocks = blocks_that_see(first_key, min(first_key + WG, p.keys) - 1);
  if (blocks.x >= blocks.y && !is_first_launch() && !is_last_launch()) return;
  uint64_t sums = sums_of(uint64_t(pairs_at), own, key), tiles = tiles_of(uint64_t(pairs_at), own);
  start(sums);
  if (blocks.x < blocks.y) {
    const uint steps_a_block = WG / KEYS;
    uint n = blocks.x * steps_a_block;
    do {  // a `for` would run its body once more with every lane masked on CPU drivers
      uint block = n / steps_a_block, r0 = n % steps_a_block * KEYS;
      if (has_tiles(pair, block, first_key)) {
        uint64_t tile = tile_of(tiles, block, first_key / WG), q_rows[KEYS], d_out_rows[KEYS];
        float weight[KEYS], d_score[KEYS];
        EACH_ROW {
          uint number = pair * p.rows + min(p.page + block * WG + r0 + r, p.rows - 1);  // past the end: the last, pairs of 0
          q_rows[r] = row_at(uint64_t(q_at), number, D);
          d_out_rows[r] = row_at(uint64_t(d_out_at), number, DV);
          vec4 stat = summed_stats[SUMMED_STATS * number];
          float w[WG], ds[WG];
          [[unroll]] for (uint l = 0; l < WG; ++l) {
            vec2 pair_of_row = load_pair(tile, l, r0 + r);
            w[l] = pair_of_row.x, ds[l] = pair_of_row.y;
          }
          float stored = by_lane(w);
          d_score[r] = (by_lane(ds) - stat.w * weight_of(stored)) * stat.z;
          weight[r] = used_of(stored) * stat.z;
        }
        EACH_QUAD(QUADS) EACH_ROW sum_k[i] += d_score[r] * load_row_at(q_rows[r], i, D);
        EACH_QUAD(V_QUADS) EACH_ROW sum_v[i] += weight[r] * load_row_at(d_out_rows[r], i, DV);
      }
      ++n;
    } while (n < blocks.y * steps_a_block);
  }
  bool care = false;
  if (FORBIDS) {
    EACH_QUAD(QUADS) care = care || not_finite(sum_k[i]);
    EACH_QUAD(V_QUADS) care = care || not_finite(sum_v[i]);
  }
  if (care) {  // the key again, with nothing of q and dO where a pair is excluded
    start(sums);
    for (uint n = blocks.x * WG; n < blocks.y * WG; ++n) {
      vec2 both = vec2(0.0);
      if (has_tiles(pair, n / WG, first_key)) both = load_pair(tile_of(tiles, n / WG, first_key / WG), key % WG, n % WG);
      float stored = both.x, ds = both.y;
      if (is_excluded(stored, ds)) continue;
      uint number = pair * p.rows + min(p.page + n, p.rows - 1);
      vec4 stat = summed_stats[SUMMED_STATS * number];
      float d_score = (ds - stat.w * weight_of(stored)) * stat.z, weight = used_of(stored) * stat.z;
      EACH_QUAD(QUADS) sum_k[i] += d_score * load_row_at(row_at(uint64_t(q_at), number, D), i, D);
      EACH_QUAD(V_QUADS) sum_v[i] += weight * load_row_at(row_at(uint64_t(d_out_at), number, DV), i, DV);
    }
  }
  if (!is_last_launch()) {
    EACH_QUAD(QUADS) FloatQuads(sums).x[i] = sum_k[i];
    EACH_QUAD(V_QUADS) FloatQuads(sums).x[QUADS + i] = sum_v[i];
  } else if (key < p.keys) {
    uint64_t d_k = row_at(uint64_t(d_k_at), pair * p.keys + key, D), d_v = row_at(uint64_t(d_v_at), pair * p.keys + key, DV);
    EACH_QUAD(QUADS) store_row_at(d_k, i, D, sum_k[i] * p.scale);
    EACH_QUAD(V_QUADS) store_row_at(d_v, i, DV, sum_v[i]);
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * (padded_keys() / WG)) sum_up();
}
