// e_ij = Σ_a v[a] act(q_i[a] + k_j[a])
//
// A lane owns a row of the longer side and makes its scores with ROWS rows of the other one, which are the same for the
// whole workgroup: their loads and those of v have uniform addresses, and one load of an owned row serves 4 ROWS sums.
// No shared memory: the activation, not loading, takes the time.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16
#include "additive_score.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/rows.glsl"
#include "lib/additive.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { AdditiveScoreParams p; };
layout(set = 0, binding = 0) readonly buffer Owned { STORE_T owned[]; };
layout(set = 0, binding = 0) readonly buffer Owned4 { QUAD_T owned4[]; };
layout(set = 0, binding = 1) readonly buffer Other { STORE_T other[]; };
layout(set = 0, binding = 1) readonly buffer Other4 { QUAD_T other4[]; };
layout(set = 0, binding = 2) readonly buffer V { STORE_T v[]; };
layout(set = 0, binding = 2) readonly buffer V4 { QUAD_T v4[]; };
layout(set = 0, binding = 3) writeonly buffer E { STORE_T e[]; };
FOVEA_ROW_LOADER(load_owned, owned, owned4, A)
FOVEA_ROW_LOADER(load_other, other, other4, A)
FOVEA_ROW_LOADER(load_v, v, v4, A)

#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)

void main() {
  uint group = FLAT_GROUP;
  if (group >= p.groups) return;
  uint other_blocks = (p.others + ROWS - 1) / ROWS, owned_blocks = (p.owned + WG - 1) / WG;
  uint first = group % other_blocks * ROWS;
  group /= other_blocks;
  uint lane = group % owned_blocks * WG + gl_LocalInvocationID.x, batch = group / owned_blocks;
  uint own = batch * p.owned + min(lane, p.owned - 1);
  vec4 sum[ROWS];
  EACH_ROW sum[r] = vec4(0.0);
  for (uint i = 0; i < (A + 3) / 4; ++i) {  // past A: v is 0
    vec4 x = load_owned(own, i), weight = load_v(batch % p.heads, i);
    EACH_ROW {
      vec4 z = x + load_other(batch * p.others + min(first + r, p.others - 1), i);
      sum[r] += weight * vec4(activation_of(z.x), activation_of(z.y), activation_of(z.z), activation_of(z.w));
    }
  }
  if (lane >= p.owned) return;
  EACH_ROW if (first + r < p.others)
    STORE(e, batch * p.owned * p.others + lane * p.owned_step + (first + r) * p.other_step,
          (sum[r].x + sum[r].y) + (sum[r].z + sum[r].w));
}
