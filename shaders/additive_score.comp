// e_ij = Σ_a v[a] act(q_i[a] + k_j[a])
//
// A lane owns OWN rows of the longer side and makes their scores with ROWS rows of the other one, which are the same for
// the whole workgroup: their loads and those of v have uniform addresses, and OWN + ROWS + 1 loads serve 4 OWN ROWS sums.
// No shared memory: the activation, not loading, takes the time.
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

layout(set = 0, binding = 3) writeonly buffer E { STORE_T e[]; };

#define EACH_OWN [[unroll]] for (uint o = 0; o < OWN; ++o)

void main() {
  uint group = FLAT_GROUP;
  if (group >= p.groups) return;
  uint other_blocks = (p.others + ROWS - 1) / ROWS, owned_blocks = (p.owned + WG * OWN - 1) / (WG * OWN);
  uint first = group % other_blocks * ROWS;
  group /= other_blocks;
  uint lane = group % owned_blocks * (WG * OWN) + gl_LocalInvocationID.x, batch = group / owned_blocks;
  vec4 sum[OWN][ROWS];
  EACH_OWN EACH_ROW sum[o][r] = vec4(0.0);
  for (uint i = 0; i < QUADS; ++i) {  // past A: v is 0
    vec4 x[OWN], weight = load_v(batch % p.heads, i);
    EACH_OWN x[o] = load_owned(batch * p.owned + min(lane + o * WG, p.owned - 1), i);
    EACH_ROW {
      vec4 y = load_other(batch * p.others + min(first + r, p.others - 1), i);
      EACH_OWN sum[o][r] += weight * activations_of(x[o] + y);
    }
  }
  EACH_OWN if (lane + o * WG < p.owned) EACH_ROW if (first + r < p.others)
    STORE(e, batch * p.owned * p.others + (lane + o * WG) * p.owned_step + (first + r) * p.other_step,
          (sum[o][r].x + sum[o][r].y) + (sum[o][r].z + sum[o][r].w));
}
