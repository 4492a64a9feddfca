// y_i[a] = Σ_j w_ij[a] x_j[a], w[a] = softmax over j of c act((q_i[a] + k_j[a])/c)
//
// A lane owns one feature of ROWS queries and walks the keys, KEYS at a time, with a running softmax
// (lib/online_softmax.glsl): neighbouring lanes read neighbouring features, and what a query sees is the same for all.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "feature_attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/online_softmax.glsl"
#include "lib/feature_attention.glsl"

layout(set = 0, binding = 4) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 5) writeonly buffer Stats { float stats[]; };  // of a query: A times the log-sum-exp, A times y

#define EACH_KEY [[unroll]] for (uint j = 0; j < KEYS; ++j)

void main() {
  if (FLAT_GROUP >= p.groups) return;
  Place at = place_of(FLAT_GROUP, p.queries);
  uint last = min(at.first + ROWS, p.queries) - 1;
  float inverse = 1.0 / p.scale;
  float query[ROWS], sum[ROWS];
  OnlineSoftmax state[ROWS];
  EACH_ROW {
    query[r] = LOAD(q, (at.batch * p.queries + min(at.first + r, last)) * A + at.feature);
    sum[r] = 0.0;
    state[r] = online_softmax_start();
  }
  ivec2 keys = clamp(ivec2(int(at.first) + p.band_low, int(last) + p.band_high + 1), ivec2(0), ivec2(int(p.keys)));
  uint end = uint(keys.y);
  for (uint j0 = uint(keys.x); j0 < end; j0 += KEYS) {
    float key[KEYS], value[KEYS];
    EACH_KEY {
      uint from = (at.batch * p.keys + min(j0 + j, end - 1)) * A + at.feature;
      key[j] = LOAD(k, from);
      value[j] = LOAD(x, from);
    }
    EACH_ROW {
      float score[KEYS], to = state[r].m;
      bool seen[KEYS];
      EACH_KEY {
        seen[j] = j0 + j < end && sees(at, min(at.first + r, last), min(j0 + j, end - 1));
        score[j] = seen[j] ? p.scale * activation_of((query[r] + key[j]) * inverse) : NEGATIVE_INFINITY;
        to = max(to, score[j]);
      }
      float keep = raise(state[r], to);
      sum[r] *= keep;
      EACH_KEY {
        float w = weight(state[r], score[j]);
        state[r].l += w;
        sum[r] += seen[j] ? w * value[j] : 0.0;
      }
    }
  }
  if (at.lane >= A) return;
  EACH_ROW if (at.first + r <= last) {
    settle(state[r]);
    uint row = at.batch * p.queries + at.first + r;
    float mean = nothing_seen(state[r]) ? 0.0 : sum[r] / state[r].l;
    STORE(y, row * A + at.feature, mean);
    if (STATS != 0) {
      stats[2 * row * A + at.feature] = log_sum_exp(state[r]);
      stats[2 * row * A + A + at.feature] = mean;
    }
  }
}
