// With de_ij the gradient of the scores and x_ij[a] = q_i[a] + k_j[a], for the rows i of the owned side:
//   dq_i[a] = v[a] Σ_j de_ij act'(x_ij[a]),  and its part of dv[a]: Σ_j de_ij act(x_ij[a])
// and for dk_j, which owns the other side, the same with the names changed.
//
// The activations are made again, so that no Lq x Lk x A tensor exists. A lane owns four features of ROWS rows and walks
// the other side: neighbouring lanes read neighbouring features, and de_ij has a uniform address. Each sum is made by one
// lane in one order: two runs agree bit for bit.
// One feature a lane took 1.6 times as long on lavapipe 26 (8,64,64,256).
// PARTIAL: few rows leave most of a device idle, so groups take parts of the other side each, and additive_score_sum adds the
// parts up in their order: [parts, 2, rows, A], first the sums with act', then those with act. On two cores, lavapipe 26:
// 2.0 times as fast for one row of 65,536 others and 64 features, and no gain below 16,384 or where groups fill the cores.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "additive_score.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/rows.glsl"
#include "lib/additive.glsl"
#include "lib/additive_score.glsl"

layout(set = 0, binding = 3) readonly buffer DE { STORE_T d_e[]; };
layout(set = 0, binding = 4) writeonly buffer DOwned { STORE_T d_owned[]; };
layout(set = 0, binding = 4) writeonly buffer DOwned4 { STORE_T4 d_owned4[]; };
layout(set = 0, binding = 5) writeonly buffer DV { float d_v[]; };  // or the parts
FOVEA_ROW_STORER(store_d_owned, d_owned, d_owned4, A)

void store_sums(uint row, uint quad, vec4 sums) {
  [[unroll]] for (uint c = 0; c < 4; ++c)
    if (4 * quad + c < A) d_v[row * A + 4 * quad + c] = sums[c];
}

void main() {
  uint group = FLAT_GROUP;
  if (group >= p.groups) return;
  uint lane_blocks = (QUADS + WG - 1) / WG, owned_blocks = (p.owned + ROWS - 1) / ROWS;
  uint lane = group % lane_blocks * WG + gl_LocalInvocationID.x, quad = min(lane, QUADS - 1);
  group /= lane_blocks;
  uint first = group % owned_blocks * ROWS;
  group /= owned_blocks;
  uint in_turn = group % p.parts, batch = group / p.parts;
  uint d_at[ROWS];
  vec4 own[ROWS], d_row[ROWS], part[ROWS];
  EACH_ROW {
    uint row = min(first + r, p.owned - 1);  // past the end: the last row again, not stored
    own[r] = load_owned(batch * p.owned + row, quad);
    d_at[r] = batch * p.owned * p.others + row * p.owned_step;
    d_row[r] = part[r] = vec4(0.0);
  }
  uint last = min(p.others, (in_turn + 1) * p.part);
  for (uint j = in_turn * p.part; j < last; ++j) {
    vec4 x = load_other(batch * p.others + j, quad);
    EACH_ROW {
      vec4 z = own[r] + x, y = activations_of(z);
      float d = LOAD(d_e, d_at[r] + j * p.other_step);
      d_row[r] += d * vec4(slope_of(z.x, y.x), slope_of(z.y, y.y), slope_of(z.z, y.z), slope_of(z.w, y.w));
      part[r] += d * y;
    }
  }
  if (lane >= QUADS) return;
  vec4 weight = load_v(batch % p.heads, quad);
  EACH_ROW if (first + r < p.owned) {
    uint row = batch * p.owned + first + r;
    if (PARTIAL != 0) {
      if (D_ROWS != 0) store_sums(2 * in_turn * p.rows + row, quad, d_row[r]);
      if (D_V != 0) store_sums((2 * in_turn + 1) * p.rows + row, quad, part[r]);
    } else {
      if (D_ROWS != 0) store_d_owned(row, quad, weight * d_row[r]);
      if (D_V != 0) store_sums(row, quad, part[r]);
    }
  }
}
