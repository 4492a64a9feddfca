// With de_ij the gradient of the scores and x_ij[a] = q_i[a] + k_j[a], for the rows i of the owned side:
//   dq_i[a] = v[a] Σ_j de_ij act'(x_ij[a]),  and its part of dv[a]: Σ_j de_ij act(x_ij[a])
// and for dk_j, which owns the other side, the same with the names changed.
//
// The activations are made again, so that no Lq x Lk x A tensor exists. A lane owns one feature of ROWS rows and walks
// the other side: neighbouring lanes read neighbouring features, and de_ij has a uniform address. Each sum is made by one
// lane in one order: two runs agree bit for bit.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16
#include "additive_score.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/additive.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { AdditiveScoreParams p; };
layout(set = 0, binding = 0) readonly buffer Owned { STORE_T owned[]; };
layout(set = 0, binding = 1) readonly buffer Other { STORE_T other[]; };
layout(set = 0, binding = 2) readonly buffer V { STORE_T v[]; };
layout(set = 0, binding = 3) readonly buffer DE { STORE_T d_e[]; };
layout(set = 0, binding = 4) writeonly buffer DOwned { STORE_T d_owned[]; };
layout(set = 0, binding = 5) writeonly buffer DV { float d_v[]; };

#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)

void main() {
  uint group = FLAT_GROUP;
  if (group >= p.groups) return;
  uint feature_blocks = (A + WG - 1) / WG, owned_blocks = (p.owned + ROWS - 1) / ROWS;
  uint lane = group % feature_blocks * WG + gl_LocalInvocationID.x, a = min(lane, A - 1);
  group /= feature_blocks;
  uint first = group % owned_blocks * ROWS, batch = group / owned_blocks;
  uint d_at[ROWS];
  float own[ROWS], d_row[ROWS], part[ROWS];
  EACH_ROW {
    uint row = min(first + r, p.owned - 1);  // past the end: the last row again, not stored
    own[r] = LOAD(owned, (batch * p.owned + row) * A + a);
    d_at[r] = batch * p.owned * p.others + row * p.owned_step;
    d_row[r] = part[r] = 0.0;
  }
  for (uint j = 0; j < p.others; ++j) {
    float x = LOAD(other, (batch * p.others + j) * A + a);
    EACH_ROW {
      float z = own[r] + x, y = activation_of(z), d = LOAD(d_e, d_at[r] + j * p.other_step);
      d_row[r] += d * slope_of(z, y);
      part[r] += d * y;
    }
  }
  if (lane >= A) return;
  float weight = LOAD(v, batch % p.heads * A + a);
  EACH_ROW if (first + r < p.owned) {
    uint at = (batch * p.owned + first + r) * A + a;
    if (D_ROWS != 0) STORE(d_owned, at, weight * d_row[r]);
    if (D_V != 0) d_v[at] = part[r];
  }
}
