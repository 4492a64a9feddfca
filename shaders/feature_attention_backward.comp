// The weights w_ij[a] are made again from the stored log-sum-exp. With ds_ij = w_ij dy_i (x_j - y_i), for every feature:
//   dq_i = Σ_j ds_ij act'(z_ij),  dk_j = Σ_i ds_ij act'(z_ij),  dx_j = Σ_i w_ij dy_i,  z_ij = (q_i + k_j)/c
//
// A lane owns one feature of ROWS queries (dq) or keys (dk and dx) and walks the other side. Each sum is made by one lane
// in one order: two runs agree bit for bit.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "feature_attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/feature_attention.glsl"

layout(set = 0, binding = 4) readonly buffer Stats { float stats[]; };  // of a query: A times the log-sum-exp, A times y
layout(set = 0, binding = 5) readonly buffer DY { STORE_T d_y[]; };
layout(set = 0, binding = 6) writeonly buffer DA { STORE_T d_a[]; };  // dq or dk
layout(set = 0, binding = 7) writeonly buffer DX { STORE_T d_x[]; };

struct Query {
  uint number;
  float q, lse, y, d_y;
};
Query query_of(Place at, uint i) {
  uint row = at.batch * p.queries + i, stat = 2 * row * A + at.feature, element = row * A + at.feature;
  return Query(i, LOAD(q, element), stats[stat], stats[stat + A], LOAD(d_y, element));
}

struct Key {
  uint number;
  float k, x;
};
Key key_of(Place at, uint j) {
  uint element = (at.batch * p.keys + j) * A + at.feature;
  return Key(j, LOAD(k, element), LOAD(x, element));
}

// What the pair adds to the gradients of x_j, and of q_i and of k_j.
vec2 parts_of(Place at, Query query, Key key) {
  float z = (query.q + key.k) / p.scale, t = activation_of(z);
  float w = exp(p.scale * t - query.lse);
  vec2 parts = vec2(w * query.d_y, w * query.d_y * (key.x - query.y) * slope_of(z, t));
  return sees(at, query.number, key.number) ? parts : vec2(0.0);
}

void sum_over_keys(Place at) {
  uint last = min(at.first + ROWS, p.queries) - 1;
  Query own[ROWS];
  float sum[ROWS];
  EACH_ROW own[r] = query_of(at, min(at.first + r, last)), sum[r] = 0.0;
  ivec2 keys = clamp(ivec2(int(at.first) + p.band_low, int(last) + p.band_high + 1), ivec2(0), ivec2(int(p.keys)));
  for (int j = keys.x; j < keys.y; ++j) {
    Key key = key_of(at, uint(j));
    EACH_ROW sum[r] += parts_of(at, own[r], key).y;
  }
  if (at.lane < A) EACH_ROW if (at.first + r <= last)
    STORE(d_a, (at.batch * p.queries + at.first + r) * A + at.feature, sum[r]);
}

void sum_over_queries(Place at) {
  uint last = min(at.first + ROWS, p.keys) - 1;
  Key own[ROWS];
  vec2 sum[ROWS];
  EACH_ROW own[r] = key_of(at, min(at.first + r, last)), sum[r] = vec2(0.0);
  ivec2 queries = clamp(ivec2(int(at.first) - p.band_high, int(last) - p.band_low + 1), ivec2(0), ivec2(int(p.queries)));
  for (int i = queries.x; i < queries.y; ++i) {
    Query query = query_of(at, uint(i));
    EACH_ROW sum[r] += parts_of(at, query, own[r]);
  }
  if (at.lane < A) EACH_ROW if (at.first + r <= last) {
    uint element = (at.batch * p.keys + at.first + r) * A + at.feature;
    STORE(d_x, element, sum[r].x);
    STORE(d_a, element, sum[r].y);
  }
}

void main() {
  if (FLAT_GROUP >= p.groups) return;
  if (SIDE == FEATURE_ATTENTION_KEYS)
    sum_over_queries(place_of(FLAT_GROUP, p.keys));
  else
    sum_over_keys(place_of(FLAT_GROUP, p.queries));
}
