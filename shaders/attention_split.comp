// Few query rows a key head, and many keys, for GPUs: TEAM lanes take ROWS rows and one part of the keys, each every TEAM-th vec4 of
// the head, so that they read a key and a value as one run of memory, once for all of the rows. attention_merge.comp joins the parts
// of a row, which are as attention_parts.comp leaves them. No barrier.
//
// TEAM divides a subgroup; products are summed over them by shuffles.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#extension GL_KHR_shader_subgroup_basic : require
#extension GL_KHR_shader_subgroup_shuffle : require
#pragma variant WEIGHTS whole dropped ranged paged
#pragma variant DTYPE f32 f16 bf16
#define ATTENTION_PARTS
#define ATTENTION_STATE 5
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/online_softmax.glsl"
#include "lib/attention.glsl"

layout(set = 0, binding = 4) writeonly buffer Parts { vec4 parts[]; };

const uint A_QUADS = (QUADS + TEAM - 1) / TEAM, B_QUADS = (V_QUADS + TEAM - 1) / TEAM;  // vec4s a lane
#define LANE (gl_LocalInvocationID.x % TEAM)
#define QUAD (i * TEAM + LANE)
#define EACH_KEY [[unroll]] for (uint j = 0; j < KEYS; ++j)
#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)
#define EACH_A [[unroll]] for (uint i = 0; i < A_QUADS; ++i) if (QUADS % TEAM == 0 || QUAD < QUADS)
#define EACH_B [[unroll]] for (uint i = 0; i < B_QUADS; ++i) if (V_QUADS % TEAM == 0 || QUAD < V_QUADS)

float sum_over_lanes(float x) {
  [[unroll]] for (uint d = 1; d < TEAM; d *= 2) x += subgroupShuffleXor(x, d);
  return x;
}

void main() {
  uint team = (FLAT_GROUP * WG + gl_LocalInvocationID.x) / TEAM, part = team % PARTS, block = team / PARTS;
  // Past the end: the last block again, not stored, for every lane takes part in what follows.
  bool stores = block < p.pairs * p.row_blocks;
  block = min(block, p.pairs * p.row_blocks - 1);
  uint pair = block / p.row_blocks, first = block % p.row_blocks * ROWS, last = min(first + ROWS, p.rows) - 1;
  QueryRow at[ROWS];
  vec4 query[ROWS][A_QUADS], sum[ROWS][B_QUADS];
  OnlineSoftmax state[ROWS];
  EACH_ROW {
    uint row = min(first + r, last);
    at[r] = query_row(pair, row);
    EACH_A query[r][i] = load_q(pair * p.rows + row, QUAD) * p.scale;
    EACH_B sum[r][i] = vec4(0.0);
    state[r] = online_softmax_start();
  }

  // The rows' keys, in parts of whole steps: as many in every lane of a workgroup, which has one block.
  KeyRange keys = visible_keys(pair, first, last);
  uint steps = keys.begin < keys.end ? (keys.end - keys.begin + KEYS - 1) / KEYS : 0, own = (steps + PARTS - 1) / PARTS;
  for (uint n = 0; n < own; ++n) {
    uint j0 = keys.begin + (part * own + n) * KEYS, own_row[KEYS];
    EACH_KEY own_row[j] = key_row(pair, min(j0 + j, p.keys - 1));
    float score[ROWS][KEYS];
    EACH_ROW EACH_KEY score[r][j] = 0.0;
    EACH_KEY EACH_A {
      vec4 key = load_k(own_row[j], QUAD);
      EACH_ROW score[r][j] += dot(query[r][i], key);
    }
    EACH_ROW EACH_KEY {
      uint key = min(j0 + j, p.keys - 1);
      float s = capped(sum_over_lanes(score[r][j]));
      if (CHANGES) s = changed(s, at[r], key);
      score[r][j] = j0 + j < keys.end && in_band(at[r], key) ? s : NEGATIVE_INFINITY;
    }
    EACH_ROW {
      float to = state[r].m;
      EACH_KEY to = max(to, score[r][j]);
      float keep = raise_to(state[r], to);
      EACH_KEY score[r][j] = weight_of(state[r], score[r][j]);
      EACH_KEY state[r].l += score[r][j];
      EACH_KEY score[r][j] = used(score[r][j], at[r], min(j0 + j, p.keys - 1));
      EACH_B sum[r][i] *= keep;
    }
    EACH_KEY EACH_B {
      vec4 value = load_v(own_row[j], QUAD);
      EACH_ROW sum[r][i] += score[r][j] * (FORBIDS ? seen(value, score[r][j]) : seen(value, float(j0 + j < keys.end)));
    }
  }
  if (!stores) return;
  EACH_ROW if (first + r <= last) {
    settle(state[r]);
    uint to = ((pair * p.rows + first + r) * PARTS + part) * (V_QUADS + 1);
    if (LANE == 0) parts[to] = vec4(state[r].m, state[r].l, 0.0, 0.0);
    EACH_B parts[to + 1 + QUAD] = sum[r][i];
  }
}
