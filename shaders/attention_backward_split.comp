// The gradients of attention_backward.comp with a row's head spread over lanes, for GPUs; right on any device.
//
// KEYS lanes own one row of queries or of keys; each keeps every KEYS-th vec4 of it and of its sums, so that 64 registers
// hold four rows of any head (a lane a row takes 4 D: 255 registers and memory from a head of 64 on). They walk the other side
// KEYS rows at a time: each lane has a part of KEYS products, adds up the parts of one, makes weight and slope of it, and
// all take those of all. Each sum is made in one order: two runs agree bit for bit.
// Rows of the other side are read twice, by neighbouring lanes from neighbouring addresses. Loops over them stay rolled:
// unrolled, compilers keep what they read the first time, and spill.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant WEIGHTS whole dropped
#pragma variant DTYPE f32 f16 bf16
#define ATTENTION_BACKWARD
#define ATTENTION_STATE 8
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/attention.glsl"
#include "lib/attention_backward.glsl"

layout(set = 0, binding = 6) writeonly buffer DA { STORE_T d_a[]; };  // dq or dk
layout(set = 0, binding = 6) writeonly buffer DA4 { STORE_T4 d_a4[]; };
layout(set = 0, binding = 7) writeonly buffer DB { STORE_T d_b[]; };  // dv, or the statistics that the keys' side reads
layout(set = 0, binding = 7) writeonly buffer DB4 { STORE_T4 d_b4[]; };
layout(set = 0, binding = 7) writeonly buffer DStats { vec4 d_stats[]; };
FOVEA_ROW_STORER(store_a, d_a, d_a4, D)
FOVEA_ROW_STORER(store_b, d_b, d_b4, DV)

const bool OWNS_KEYS = SIDE == ATTENTION_BACKWARD_KEYS;
const uint PITCH = WG + 1;  // lanes that read one product each meet different banks
#define LANE gl_LocalInvocationID.x
#define COLUMN (LANE % KEYS)
#define FIRST_LANE (LANE - COLUMN)  // of those that own the row
shared vec2 parts[KEYS * PITCH];    // of q·k and dO·v, [step][lane]
shared vec2 factors[WG];            // of the rows of the step

// The vec4s of a row that this lane has: its i-th is number QUAD.
const uint A_QUADS = (QUADS + KEYS - 1) / KEYS, B_QUADS = (V_QUADS + KEYS - 1) / KEYS;
#define QUAD (i * KEYS + COLUMN)
#define EACH_A [[unroll]] for (uint i = 0; i < A_QUADS; ++i) if (QUADS % KEYS == 0 || QUAD < QUADS)
#define EACH_B [[unroll]] for (uint i = 0; i < B_QUADS; ++i) if (V_QUADS % KEYS == 0 || QUAD < V_QUADS)
#define EACH_STEP [[dont_unroll]] for (uint j = 0; j < KEYS; ++j)

vec4 own_a(uint row, uint i) { return OWNS_KEYS ? load_k(row, QUAD) : load_q(row, QUAD); }
vec4 own_b(uint row, uint i) { return OWNS_KEYS ? load_v(row, QUAD) : load_d_out(row, QUAD); }
vec4 other_a(uint row, uint i) { return OWNS_KEYS ? load_q(row, QUAD) : load_k(row, QUAD); }
vec4 other_b(uint row, uint i) { return OWNS_KEYS ? load_d_out(row, QUAD) : load_v(row, QUAD); }

// A pair that is excluded has weight 0, and takes nothing of the other row, be it NaN or infinite.
vec4 taken(vec4 x, vec2 factor) { return FORBIDS && factor == vec2(0.0) ? vec4(0.0) : x; }

// Of the lanes that own the row.
vec2 sum_over_row(vec2 part) {
  barrier();
  factors[LANE] = part;
  barrier();
  vec2 sum = vec2(0.0);
  EACH_STEP sum += factors[FIRST_LANE + j];
  return sum;
}

void sum_up() {
  uint pair = FLAT_GROUP / p.row_blocks, rows_a_group = WG / KEYS;
  uint count = OWNS_KEYS ? p.keys : p.rows, others = OWNS_KEYS ? p.rows : p.keys;
  uint first = FLAT_GROUP % p.row_blocks * rows_a_group, last = min(first + rows_a_group, count) - 1;
  uint wanted = first + LANE / KEYS, own = placed(min(wanted, last)), own_row = pair * count + own;  // past the end: not stored
  vec4 a[A_QUADS], b[B_QUADS], sum_a[A_QUADS], sum_b[OWNS_KEYS ? B_QUADS : 1];
  vec4 sum_w[OWNS_KEYS ? 1 : A_QUADS];  // Σ w k, by which the slack is taken back
  EACH_A a[i] = own_a(own_row, i), sum_a[i] = vec4(0.0);
  EACH_B b[i] = own_b(own_row, i);
  QueryRow query = NO_ROW, own_key = OWNS_KEYS ? key_place(own) : NO_ROW;
  vec3 stat = vec3(0.0);
  ExactSum weights = ExactSum(0.0, 0.0), slack = weights;  // Σ w and Σ ds of the lane's keys
  if (OWNS_KEYS) {
    EACH_B sum_b[i] = vec4(0.0);
  } else {
    EACH_A sum_w[i] = vec4(0.0);
    query = query_row(pair, own);
    stat = vec3(stats[STATS * own_row], stats[STATS * own_row + 1], 1.0);
  }

  KeyRange keys = visible_keys(pair, first, last);
  uvec2 range = OWNS_KEYS ? visible_rows(first, last) : uvec2(keys.begin, keys.end);
  Walk walk = walk_of(pair, FLAT_GROUP % p.row_blocks, first, last, range.x, range.y, others, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, KEYS);
    uint at = step.at;
    if (!OWNS_KEYS && out_of_range(keys, at, KEYS)) continue;
    if (OWNS_KEYS && !some_see(pair, at, KEYS, first, last)) continue;
    if (OWNS_KEYS) enter(own_key, step);
    else enter(query, step);
    // Past the end: the last row again, with weight 0.
    EACH_STEP {
      uint row = pair * others + min(at + j, others - 1);
      vec2 part = vec2(0.0);
      EACH_A part.x += dot(a[i], other_a(row, i));
      EACH_B part.y += dot(b[i], other_b(row, i));
      parts[j * PITCH + LANE] = part;
    }
    barrier();
    vec2 product = vec2(0.0);
    EACH_STEP product += parts[COLUMN * PITCH + FIRST_LANE + j];
    uint mine = min(at + COLUMN, others - 1), key = OWNS_KEYS ? own : mine;
    if (OWNS_KEYS) query = query_row(pair, mine), stat = summed_stats[SUMMED_STATS * (pair * others + mine)].xyz;
    if (OWNS_KEYS) query.bias_line = own_key.bias_line;
    bool visible = at + COLUMN < others && in_band(query, key) && (!OWNS_KEYS || is_neighbour(own_key, at + COLUMN));
    Pair found = pair_of(product.x, product.y, query, key, stat, visible);
    if (!OWNS_KEYS) add(weights, found.weight), add(slack, found.d_score);
    float slope = found.slope * p.scale;
    factors[LANE] = vec2(found.d_score * slope, OWNS_KEYS ? found.used : found.weight * slope);
    barrier();  // and the parts are read
    EACH_STEP {
      uint row = pair * others + min(at + j, others - 1);
      vec2 factor = factors[FIRST_LANE + j];
      EACH_A {
        vec4 x = taken(other_a(row, i), factor);
        sum_a[i] += factor.x * x;
        if (!OWNS_KEYS) sum_w[i] += factor.y * x;
      }
      if (OWNS_KEYS) EACH_B sum_b[i] += factor.y * taken(other_b(row, i), factor);
    }
  }

  if (OWNS_KEYS) {
    if (wanted > last) return;
    EACH_A store_a(own_row, QUAD, sum_a[i]);
    EACH_B store_b(own_row, QUAD, sum_b[i]);
    return;
  }
  vec2 totals = sum_over_row(vec2(weights.value, slack.value));
  if (wanted > last) return;
  float factor = totals.x == 0.0 ? 0.0 : 1.0 / totals.x;
  float excess = totals.x == 0.0 ? 0.0 : totals.y * factor - stats[STATS * own_row + 2];
  if (NORMALIZE == 0) factor = 1.0, excess = 0.0;
  if (LSE != 0) EACH_A store_a(own_row, QUAD, (sum_a[i] - excess * sum_w[i]) * factor);
  if (COLUMN == 0) d_stats[SUMMED_STATS * own_row] = vec4(stat.xy + vec2(0.0, excess), factor, 0.0);
  if (RANGED && COLUMN == 0) d_stats[SUMMED_STATS * own_row + 1] = vec4(vec2(query.range), 0.0, 0.0);
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) sum_up();
}
