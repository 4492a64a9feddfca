// y = softmax(scale q kᵀ + mask) v, ROWS query rows a lane, KEYS keys a step, for drivers that run shaders on a CPU.
//
// Such a driver runs a lane per SIMD element: no shared memory and no barrier. A lane keeps its rows of q and of the sum of
// values in registers, and KEYS keys share one rescaling of that sum. A workgroup skips the blocks of keys that none of its
// rows may see. Keys come to the lanes
//   shuffle, broadcast: a subgroup reads one key a lane and hands it round by literal lanes, so that a load serves
//     KEYS * ROWS dot products; KEYS is the subgroup's size;
//   address: all lanes read each key by the address that they share, which needs no registers to hand round from: a lane
//     has one row, and KEYS sums in registers.
//
// GFLOP/s on two cores, B,H,L,D = 1,8,1024,64, f32 (CPU time of the process, which a busy machine disturbs least), with
// the first dispatch's compilation:                       lavapipe 22.3     25.0        26.1       SwiftShader
//   each lane reads every key itself, ROWS 2, KEYS 2        9 (1.2 s)     7 (9.4 s)   38 (0.5 s)   0.6
//   a key a lane and shuffles, ROWS 1                      30 (0.5 s)    21 (2.7 s)   45 (0.3 s)   2.2 (0.7 s)
//   ROWS 2                                                 43 (0.7 s)    26 (3.3 s)   62 (0.3 s)   3.5 (1.0 s)
//   ROWS 4                                                 56 (1.4 s)    36 (6.6 s)   76 (0.7 s)   4.2 (2.0 s)
// Against the unfused chain (attention=decompose) in one process, same shape, CPU time:
//                                                         3.7x          2.3x         2.5x         1.5x
// Loads cost most of it on 25. q and y cross in rolled loops, whose selections by literal index cost nothing beside
// the keys: unrolled loads of q took a second to compile on 25.
// By addresses on 26.1, against shuffles with ROWS 4 in one sitting: 1.67 times as fast (KEYS 8), with head size 128 1.73
// (KEYS 4). More keys a step, or rows a lane, take more code than a core's instruction cache holds.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant STREAM shuffle broadcast address
#pragma variant WEIGHTS whole dropped ranged paged
#pragma variant DTYPE f32 f16 bf16
#ifdef STREAM_broadcast
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_ballot : require
#elif defined(STREAM_shuffle)
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#endif
#define ATTENTION_STATE 6
#ifdef STREAM_address
#define ATTENTION_ADDRESSES ElementsIn q_at, k_at, v_at; ElementsOut y_at;
#endif
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/online_softmax.glsl"
#include "lib/attention.glsl"
#include "lib/lanes.glsl"

#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)
#define EACH_KEY [[unroll]] for (uint j = 0; j < KEYS; ++j)

// A step's keys, from j0 on, and quads of their rows; past the end the last key again, forbidden like all that the band
// leaves out.
#ifdef STREAM_address
const bool BY_ADDRESS = true;
#define STEP_KEYS(pair, j0)                                        \
  uint64_t k_rows[KEYS], v_rows[KEYS];                             \
  EACH_KEY {                                                       \
    uint row_of_key = key_row(pair, min(j0 + j, p.keys - 1));      \
    k_rows[j] = row_at(uint64_t(k_at), row_of_key, D);             \
    v_rows[j] = row_at(uint64_t(v_at), row_of_key, DV);            \
  }
#define SHARE_K(i)
#define SHARE_V(i)
#define K_QUAD(i, j) load_row_at(k_rows[j], i, D)
#define V_QUAD(i, j) load_row_at(v_rows[j], i, DV)
#define Q_QUAD(row, i) load_row_at(row_at(uint64_t(q_at), row, D), i, D)
#define PUT_Y(row, i, x) store_row_at(row_at(uint64_t(y_at), row, DV), i, DV, x)
#else
const bool BY_ADDRESS = false;
#define STEP_KEYS(pair, j0) uint own_key = key_row(pair, min(j0 + gl_SubgroupInvocationID, p.keys - 1));
#define SHARE_K(i) vec4 own = load_k(own_key, i);
#define SHARE_V(i)               \
  vec4 own = load_v(own_key, i); \
  if (!FORBIDS) own = seen(own, float(j0 + gl_SubgroupInvocationID < p.keys));
#define K_QUAD(i, j) of_lane(own, j)
#define V_QUAD(i, j) of_lane(own, j)
#define Q_QUAD(row, i) load_q(row, i)
#define PUT_Y(row, i, x) store_y(row, i, x)
#endif

// By an address the last key's v stands for those past the end, too, and 0 times it is not 0 where it is not finite.
const bool CARE = FORBIDS || (BY_ADDRESS && MODE != ATTENTION_STEPS_WHOLE);

// Where attend() came upon a sum that is not finite: its rows again, one a lane, with nothing of v where a weight is 0.
// To ask for that in every multiply-add took twice the time, and a branch in the loop 5 to 20%.
void attend_with_care(uint pair, uint owner, uint first, uint last, KeyRange keys) {
  for (uint r = 0; r < ROWS; ++r) {
    uint row = placed(min(first + r * WG + gl_LocalInvocationID.x, last));
    QueryRow at = query_row(pair, row);
    OnlineSoftmax state = online_softmax_start();
    vec4 sum[V_QUADS];
    [[unroll]] for (uint i = 0; i < V_QUADS; ++i) sum[i] = vec4(0.0);
    Walk walk = walk_of(pair, owner, first, last, keys.begin, keys.end, p.keys, KEYS);
    for (uint n = 0; n < walk.steps; ++n) {
      Step step = step_of(walk, n, KEYS);
      uint j0 = step.at;
      enter(at, step);
      STEP_KEYS(pair, j0)
      float score[KEYS];
      EACH_KEY score[j] = 0.0;
      [[unroll]] for (uint i = 0; i < QUADS; ++i) {
        vec4 query = Q_QUAD(pair * p.rows + row, i) * p.scale;
        SHARE_K(i)
        EACH_KEY score[j] += dot(query, K_QUAD(i, j));
      }
      float to = state.m;
      EACH_KEY {
        score[j] = changed(capped(score[j]), at, min(j0 + j, p.keys - 1));
        if (j0 + j >= p.keys || !in_band(at, j0 + j)) score[j] = NEGATIVE_INFINITY;
        to = max(to, score[j]);
      }
      float keep = raise_to(state, to);
      EACH_KEY score[j] = weight_of(state, score[j]);
      EACH_KEY state.l += score[j];
      EACH_KEY score[j] = used(score[j], at, min(j0 + j, p.keys - 1));
      [[unroll]] for (uint i = 0; i < V_QUADS; ++i) {
        SHARE_V(i)
        sum[i] *= keep;
        EACH_KEY sum[i] += score[j] * seen(V_QUAD(i, j), FORBIDS ? score[j] : float(j0 + j < p.keys));
      }
    }
    settle(state);
    [[unroll]] for (uint i = 0; i < V_QUADS; ++i)
      if (first + r * WG + gl_LocalInvocationID.x <= last) PUT_Y(pair * p.rows + row, i, result_of(state, sum[i]));
  }
}

void attend() {
  uint pair = min(FLAT_GROUP / p.row_blocks, p.pairs - 1);
  // The last rows first: under a causal mask they take longest.
  uint owner = p.row_blocks - 1 - FLAT_GROUP % p.row_blocks, first = owner * (WG * ROWS);
  uint last = min(first + WG * ROWS, p.rows) - 1;
  uint row[ROWS];
  QueryRow at[ROWS];
  vec4 query[ROWS][QUADS], sum[ROWS][V_QUADS];
  OnlineSoftmax state[ROWS];
  EACH_ROW {
    row[r] = placed(min(first + r * WG + gl_LocalInvocationID.x, last));  // past the end: the last row again, not stored
    at[r] = query_row(pair, row[r]);
    state[r] = online_softmax_start();
    [[unroll]] for (uint i = 0; i < QUADS; ++i) query[r][i] = vec4(0.0);
    [[unroll]] for (uint i = 0; i < V_QUADS; ++i) sum[r][i] = vec4(0.0);
  }
  for (uint i = 0; i < QUADS; ++i) EACH_ROW {
    vec4 x = Q_QUAD(pair * p.rows + row[r], i) * p.scale;
    [[unroll]] for (uint n = 0; n < QUADS; ++n) query[r][n] = mix(query[r][n], x, bvec4(n == i));
  }

  KeyRange keys = visible_keys(pair, first, last);
  Walk walk = walk_of(pair, owner, first, last, keys.begin, keys.end, p.keys, KEYS);
  for (uint n = 0; n < walk.steps; ++n) {
    Step step = step_of(walk, n, KEYS);
    uint j0 = step.at;
    if (out_of_range(keys, j0, KEYS)) continue;
    EACH_ROW enter(at[r], step);
    STEP_KEYS(pair, j0)
    float score[ROWS][KEYS];
    EACH_ROW EACH_KEY score[r][j] = 0.0;
    [[unroll]] for (uint i = 0; i < QUADS; ++i) {
      SHARE_K(i)
      EACH_KEY {
        vec4 x = K_QUAD(i, j);
        EACH_ROW {
          score[r][j] += query[r][i].x * x.x;
          score[r][j] += query[r][i].y * x.y;
          score[r][j] += query[r][i].z * x.z;
          score[r][j] += query[r][i].w * x.w;
        }
      }
    }
    if (SOFTCAP != 0) EACH_ROW EACH_KEY score[r][j] = capped(score[r][j]);
    if (CHANGES && !(ONLY_MOD_MASKS && step.whole)) EACH_ROW EACH_KEY score[r][j] = changed(score[r][j], at[r], min(j0 + j, p.keys - 1));
    if (j0 < keys.all_begin || j0 + KEYS > keys.all_end)
      EACH_ROW EACH_KEY if (j0 + j >= p.keys || !in_band(at[r], j0 + j)) score[r][j] = NEGATIVE_INFINITY;

    EACH_ROW {
      float to = state[r].m;
      EACH_KEY to = max(to, score[r][j]);
      float keep = raise_to(state[r], to);
      EACH_KEY score[r][j] = weight_of(state[r], score[r][j]);
      EACH_KEY state[r].l += score[r][j];
      EACH_KEY score[r][j] = used(score[r][j], at[r], min(j0 + j, p.keys - 1));
      [[unroll]] for (uint i = 0; i < V_QUADS; ++i) sum[r][i] *= keep;
    }
    [[unroll]] for (uint i = 0; i < V_QUADS; ++i) {
      SHARE_V(i)
      EACH_KEY {
        vec4 x = V_QUAD(i, j);
        EACH_ROW sum[r][i] += score[r][j] * x;
      }
    }
  }

  uint care = 0;
  EACH_ROW settle(state[r]);
  for (uint i = 0; i < V_QUADS; ++i) EACH_ROW {
    vec4 x = vec4(0.0);
    [[unroll]] for (uint n = 0; n < V_QUADS; ++n) x = mix(x, sum[r][n], bvec4(n == i));
    if (not_finite(x)) care = 1;
    if (first + r * WG + gl_LocalInvocationID.x <= last) PUT_Y(pair * p.rows + row[r], i, result_of(state[r], x));
  }
  if (LSE != 0) EACH_ROW
    if (first + r * WG + gl_LocalInvocationID.x <= last) lse[pair * p.rows + row[r]] = log_sum_exp(state[r]);
  if (CARE) {
    uint care_of_any = 0;
    EACH_KEY care_of_any |= of_lane(care, j);
    if (care_of_any != 0) attend_with_care(pair, owner, first, last, keys);
  }
}

void main() {
  if (FLAT_GROUP < p.pairs * p.row_blocks) attend();
}
