// dq_i = scale Σ_j ds_ij k_j;  dk_j = scale Σ_i ds_ij q_i,  dv_j = Σ_i w_ij dO_i   (lib/attention_backward.glsl)
//
// The weights are made again from the stored log-sum-exp, so that no Lq x Lk matrix exists. (Dao et al. 2022, algorithm 4)
// A lane owns ROWS rows of queries or of keys, keeps them and their sums in registers, and walks the other side: KEYS rows at a
// time, each read by one lane of the subgroup and handed round (shuffle, for drivers that run shaders on a CPU), or one
// row that every lane reads (uniform). Each sum is made by one lane in one order: two runs agree bit for bit.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant STREAM shuffle broadcast uniform
#pragma variant WEIGHTS whole dropped
#pragma variant DTYPE f32 f16 bf16
#ifdef STREAM_broadcast
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#elif defined(STREAM_shuffle)
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#ifdef STREAM_uniform
#define OWN_LANE 0
#else
#define OWN_LANE gl_SubgroupInvocationID
#endif
#define ATTENTION_BACKWARD
#define ATTENTION_STATE 8
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/attention.glsl"
#include "lib/attention_backward.glsl"
#include "lib/lanes.glsl"

layout(set = 0, binding = 6) writeonly buffer DA { STORE_T d_a[]; };  // dq or dk
layout(set = 0, binding = 6) writeonly buffer DA4 { STORE_T4 d_a4[]; };
layout(set = 0, binding = 7) writeonly buffer DB { STORE_T d_b[]; };  // dv, or the statistics that the keys' side reads
layout(set = 0, binding = 7) writeonly buffer DB4 { STORE_T4 d_b4[]; };
layout(set = 0, binding = 7) writeonly buffer DStats { vec4 d_stats[]; };
FOVEA_ROW_STORER(store_a, d_a, d_a4, D)
FOVEA_ROW_STORER(store_b, d_b, d_b4, DV)

const bool OWNS_KEYS = SIDE == ATTENTION_BACKWARD_KEYS;
// By components: dot() keeps CPU drivers from one fused multiply-add a product.
#define ADD_DOT(sum, a, b) sum += a.x * b.x, sum += a.y * b.y, sum += a.z * b.z, sum += a.w * b.w
#define EACH_STEP [[unroll]] for (uint j = 0; j < KEYS; ++j)
#define EACH_QUAD(n) [[unroll]] for (uint i = 0; i < n; ++i)

// The owned side (a of D, b of DV) and the other: q with dO, k with v.
vec4 own_a(uint row, uint i) { return OWNS_KEYS ? load_k(row, i) : load_q(row, i); }
vec4 own_b(uint row, uint i) { return OWNS_KEYS ? load_v(row, i) : load_d_out(row, i); }
vec4 other_a(uint row, uint i) { return OWNS_KEYS ? load_q(row, i) : load_k(row, i); }
vec4 other_b(uint row, uint i) { return OWNS_KEYS ? load_d_out(row, i) : load_v(row, i); }

#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)

// A pair that is excluded has weight 0, and 0 times a NaN or an infinity would be NaN. So a row is summed without those, and
// the weights of the pairs that do see it become NaN instead.
vec4 summable(vec4 x) { return FORBIDS ? finite_of(x) : x; }

void sum_up() {
  uint pair = FLAT_GROUP / p.row_blocks;
  uint count = OWNS_KEYS ? p.keys : p.rows, others = OWNS_KEYS ? p.rows : p.keys;
  uint first = FLAT_GROUP % p.row_blocks * (WG * ROWS), last = min(first + WG * ROWS, count) - 1;
  uint own[ROWS];
  vec4 a[ROWS][QUADS], b[ROWS][V_QUADS], sum_a[ROWS][QUADS], sum_b[ROWS][V_QUADS];
  QueryRow own_at[ROWS];
  vec3 own_stat[ROWS];
  ExactSum weights[ROWS], slack[ROWS];      // Σ w and Σ ds
  vec4 sum_w[ROWS][OWNS_KEYS ? 1 : QUADS];  // Σ w k, by which the slack is taken back
  EACH_ROW {
    own[r] = placed(min(first + r * WG + gl_LocalInvocationID.x, last));  // past the end: the last row again, not stored
    EACH_QUAD(QUADS) a[r][i] = own_a(pair * count + own[r], i), sum_a[r][i] = vec4(0.0);
    EACH_QUAD(V_QUADS) b[r][i] = own_b(pair * count + own[r], i), sum_b[r][i] = vec4(0.0);
    own_at[r] = OWNS_KEYS ? key_place(own[r]) : NO_ROW;
    own_stat[r] = vec3(0.0);
    weights[r] = slack[r] = ExactSum(0.0, 0.0);
    if (!OWNS_KEYS) {
      uint at = STATS * (pair * p.rows + own[r]);
      own_at[r] = query_row(pair, own[r]);
      own_stat[r] = vec3(stats[at], stats[at + 1], 1.0);
      EACH_QUAD(QUADS) sum_w[r][i] = vec4(0.0);
    }
  }

  KeyRange keys = visible_keys(pair, first, last);
  uvec2 range = OWNS_KEYS ? visible_rows(first, last) : uvec2(keys.begin, keys.end);
  Walk walk = walk_of(pair, FLAT_GROUP % p.row_blocks, first, last, range.x, range.y, others, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, KEYS);
    uint at = step.at;
    if (!OWNS_KEYS && out_of_range(keys, at, KEYS)) continue;
    if (OWNS_KEYS && !some_see(pair, at, KEYS, first, last)) continue;
    EACH_ROW enter(own_at[r], step);
    // Past the end: the last row again, with weight 0.
    uint mine = min(at + OWN_LANE, others - 1), row = pair * others + mine;
    QueryRow my_at = NO_ROW;
    vec3 my_stat = vec3(0.0);
    if (OWNS_KEYS) my_at = query_row(pair, mine), my_stat = summed_stats[SUMMED_STATS * row].xyz;
    float product[ROWS][KEYS], d_weight[ROWS][KEYS];
    EACH_ROW EACH_STEP product[r][j] = d_weight[r][j] = 0.0;
    uint my_stain = 0;  // bit 0: this row's a holds a NaN or an infinity; bit 1: its b, which keys sum
    EACH_QUAD(QUADS) {
      vec4 read = other_a(row, i);
      if (FORBIDS && not_finite(read)) my_stain |= 1;
      EACH_STEP {
        vec4 x = of_lane(read, j);
        EACH_ROW ADD_DOT(product[r][j], a[r][i], x);
      }
    }
    EACH_QUAD(V_QUADS) {
      vec4 read = other_b(row, i);
      if (FORBIDS && OWNS_KEYS && not_finite(read)) my_stain |= 2;
      EACH_STEP {
        vec4 x = of_lane(read, j);
        EACH_ROW ADD_DOT(d_weight[r][j], b[r][i], x);
      }
    }
    EACH_STEP {
      QueryRow query = NO_ROW;
      vec3 stat = vec3(0.0);
      uint stain = FORBIDS ? of_lane(my_stain, j) : 0;
      if (OWNS_KEYS) {
        query = QueryRow(of_lane(my_at.query, j), of_lane(my_at.mask, j), of_lane(my_at.number, j), 0, 0, uvec2(0), NO_WINDOW, 0);
        if (RANGED) query.range = uvec2(of_lane(my_at.range.x, j), of_lane(my_at.range.y, j));
        if (MODIFIES) query.batch = of_lane(my_at.batch, j), query.head = of_lane(my_at.head, j);
        stat = of_lane(my_stat, j);
      }
      EACH_ROW {
        if (!OWNS_KEYS) query = own_at[r], stat = own_stat[r];
        else query.bias_line = own_at[r].bias_line;
        uint key = OWNS_KEYS ? own[r] : min(at + j, others - 1);
        bool visible = at + j < others && in_band(query, key) && (!OWNS_KEYS || is_neighbour(own_at[r], at + j));
        Pair found = pair_of(product[r][j], d_weight[r][j], query, key, stat, visible);
        product[r][j] = found.d_score * found.slope * p.scale;
        d_weight[r][j] = OWNS_KEYS ? found.used : found.weight * found.slope * p.scale;
        if (FORBIDS && found.weight != 0.0) {
          if ((stain & 1) != 0) product[r][j] = QUIET_NAN;
          if ((stain & (OWNS_KEYS ? 2 : 1)) != 0) d_weight[r][j] = QUIET_NAN;
        }
        if (!OWNS_KEYS) add(weights[r], found.weight), add(slack[r], found.d_score);
      }
    }
    EACH_QUAD(QUADS) {
      vec4 read = summable(other_a(row, i));
      EACH_STEP {
        vec4 x = of_lane(read, j);
        EACH_ROW sum_a[r][i] += product[r][j] * x;
        if (!OWNS_KEYS) EACH_ROW sum_w[r][i] += d_weight[r][j] * x;
      }
    }
    if (OWNS_KEYS) EACH_QUAD(V_QUADS) {
      vec4 read = summable(other_b(row, i));
      EACH_STEP {
        vec4 x = of_lane(read, j);
        EACH_ROW sum_b[r][i] += d_weight[r][j] * x;
      }
    }
  }
  EACH_ROW if (first + r * WG + gl_LocalInvocationID.x <= last) {
    uint row = pair * count + own[r];
    if (OWNS_KEYS) {
      EACH_QUAD(QUADS) store_a(row, i, sum_a[r][i]);
      EACH_QUAD(V_QUADS) store_b(row, i, sum_b[r][i]);
    } else {
      float sum = weights[r].value, factor = sum == 0.0 ? 0.0 : 1.0 / sum;
      float excess = sum == 0.0 ? 0.0 : slack[r].value * factor - stats[STATS * row + 2];
      if (NORMALIZE == 0) factor = 1.0, excess = 0.0;
      if (LSE != 0) EACH_QUAD(QUADS) store_a(row, i, (sum_a[r][i] - excess * sum_w[r][i]) * factor);
      d_stats[SUMMED_STATS * row] = vec4(own_stat[r].x, own_stat[r].y + excess, factor, 0.0);
      if (RANGED) d_stats[SUMMED_STATS * row + 1] = vec4(vec2(own_at[r].range), 0.0, 0.0);
    }
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) sum_up();
}
