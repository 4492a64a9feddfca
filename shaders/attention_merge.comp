// Joins the parts of attention_parts.comp, a lane a vec4 of a result: with M the largest m, each part counts exp(m - M) times.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/online_softmax.glsl"
#include "lib/rows.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { AttentionParams p; };
layout(set = 0, binding = 0) readonly buffer Parts { vec4 parts[]; };
layout(set = 0, binding = 1) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 1) writeonly buffer Y4 { STORE_T4 y4[]; };
layout(set = 0, binding = 2) writeonly buffer Lse { float lse[]; };

const uint V_QUADS = (DV + 3) / 4;
FOVEA_ROW_STORER(store_y, y, y4, DV)

void main() {
  uint lane = FLAT_GROUP * WG + gl_LocalInvocationID.x, quad = lane % V_QUADS, number = lane / V_QUADS;
  if (number >= p.pairs * p.rows) return;
  uint size = V_QUADS + 1, first = number * PARTS * size;
  OnlineSoftmax whole = online_softmax_start();
  for (uint n = 0; n < PARTS; ++n) whole.m = max(whole.m, parts[first + n * size].x);
  vec4 sum = vec4(0.0);
  for (uint n = 0; n < PARTS; ++n) {
    vec4 state = parts[first + n * size];
    float counts = NORMALIZE != 0 ? exp(state.x - whole.m) : 1.0;
    whole.l += state.y * counts;
    sum += parts[first + n * size + 1 + quad] * counts;
  }
  store_y(number, quad, NORMALIZE != 0 ? normalized(whole, sum) : sum);
  if (LSE != 0 && quad == 0) lse[number] = log_sum_exp(whole);
}
