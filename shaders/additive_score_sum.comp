// The last step of additive_score_backward with PARTIAL: the parts' sums added up in their order, an element a lane.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "additive_score.h"
#include "lib/dtype.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { AdditiveScoreParams p; };
layout(set = 0, binding = 0) readonly buffer Parts { float sums[]; };  // [parts, 2, rows, A]
layout(set = 0, binding = 1) readonly buffer V { STORE_T v[]; };
layout(set = 0, binding = 2) writeonly buffer DOwned { STORE_T d_owned[]; };
layout(set = 0, binding = 3) writeonly buffer DV { float d_v[]; };

void main() {
  uint n = FLAT_GROUP * WG + gl_LocalInvocationID.x, total = p.rows * A;
  if (n >= total) return;
  float d_row = 0.0, part = 0.0;
  for (uint k = 0; k < p.parts; ++k) {
    if (D_ROWS != 0) d_row += sums[2 * k * total + n];
    if (D_V != 0) part += sums[(2 * k + 1) * total + n];
  }
  uint batch = n / A / p.owned;
  if (D_ROWS != 0) STORE(d_owned, n, LOAD(v, batch % p.heads * A + n % A) * d_row);
  if (D_V != 0) d_v[n] = part;
}
