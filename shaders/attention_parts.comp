// One query row a key head, and many keys: a lane takes one row and one part of the keys, keeps the row of q and its sum of values in registers,
// and reads each key and value once. attention_merge.comp joins the parts of a row. No barrier, no subgroup operation.
//
// A part is 1 + V_QUADS vec4s: (m, l, 0, 0) and the sum of values, as lib/online_softmax.glsl has them.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
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

#define EACH_KEY [[unroll]] for (uint j = 0; j < KEYS; ++j)
#define EACH_QUAD(n) [[unroll]] for (uint i = 0; i < n; ++i)

void main() {
  uint lane = FLAT_GROUP * WG + gl_LocalInvocationID.x, part = lane % PARTS, number = lane / PARTS;
  if (number >= p.pairs * p.rows) return;
  uint pair = number / p.rows, row = number % p.rows;
  QueryRow at = query_row(pair, row);
  vec4 query[QUADS], sum[V_QUADS];
  EACH_QUAD(QUADS) query[i] = load_q(number, i) * p.scale;
  EACH_QUAD(V_QUADS) sum[i] = vec4(0.0);
  OnlineSoftmax state = online_softmax_start();

  // The row's own keys, in parts of whole steps.
  KeyRange keys = visible_keys(pair, row, row);
  uint steps = keys.begin < keys.end ? (keys.end - keys.begin + KEYS - 1) / KEYS : 0, own = (steps + PARTS - 1) / PARTS;
  for (uint n = part * own; n < min(part * own + own, steps); ++n) {
    uint j0 = keys.begin + n * KEYS;
    uint own_row[KEYS];
    EACH_KEY own_row[j] = key_row(pair, min(j0 + j, p.keys - 1));
    float score[KEYS];
    EACH_KEY {
      vec4 products = vec4(0.0);
      EACH_QUAD(QUADS) products += query[i] * load_k(own_row[j], i);
      score[j] = (products.x + products.y) + (products.z + products.w);
    }
    if (SOFTCAP != 0) EACH_KEY score[j] = capped(score[j]);
    if (CHANGES) EACH_KEY score[j] = changed(score[j], at, min(j0 + j, p.keys - 1));
    EACH_KEY if (j0 + j >= keys.end) score[j] = NEGATIVE_INFINITY;
    float to = state.m;
    EACH_KEY to = max(to, score[j]);
    float keep = raise_to(state, to);
    EACH_KEY score[j] = weight_of(state, score[j]);
    EACH_KEY state.l += score[j];
    EACH_KEY score[j] = used(score[j], at, min(j0 + j, p.keys - 1));
    EACH_QUAD(V_QUADS) {
      vec4 x = sum[i] * keep;
      EACH_KEY {
        vec4 value = load_v(own_row[j], i);
        x += score[j] * (FORBIDS ? seen(value, score[j]) : seen(value, float(j0 + j < keys.end)));
      }
      sum[i] = x;
    }
  }
  settle(state);
  uint to = lane * (V_QUADS + 1);
  parts[to] = vec4(state.m, state.l, 0.0, 0.0);
  EACH_QUAD(V_QUADS) parts[to + 1 + i] = sum[i];
}
