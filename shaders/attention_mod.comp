// What an author's text (fovea/attention_mod.hpp) makes of stored scores, an element of [B,H,Lq,Lk] a lane; where FULL_AXES
// lacks an axis, the result has 1 there. Compiled when the text is known.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma at_run_time
#define ATTENTION_MOD_BINDING 3
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { AttentionParams p; };
#include "attention_mod.glsl"  // before the buffers: a text that names one should fail here

layout(set = 0, binding = 0) readonly buffer Scores { float scores[]; };
layout(set = 0, binding = 1) readonly buffer DScores { float d_scores[]; };
layout(set = 0, binding = 2) writeonly buffer Y { uint y[]; };

void main() {
  uvec4 extents = uvec4(p.pairs / p.key_heads, p.heads, p.queries, p.keys);
  uint element = FLAT_GROUP * WG + gl_LocalInvocationID.x, rest = element;
  uvec4 at;
  [[unroll]] for (int axis = 3; axis >= 0; --axis) {
    uint extent = (FULL_AXES >> axis & 1u) != 0u ? extents[axis] : 1u;
    at[axis] = rest % extent;
    rest /= extent;
  }
  if (rest != 0u) return;
  ivec4 n = ivec4(at);
  if (MODE == ATTENTION_MOD_INDEX) {
    y[element] = uint(mod_site_index(SITE, n.x, n.y, n.z, n.w));
    return;
  }
  float x = 0.0;
  if (MODE == ATTENTION_MOD_FACTOR) {
    x = mod_factor(n.x, n.y, n.z, n.w);
  } else if (MODE == ATTENTION_MOD_SCORE) {
    x = mod_visible(n.x, n.y, n.z, n.w) ? mod_score(scores[element], n.x, n.y, n.z, n.w) : NEGATIVE_INFINITY;
  } else if (d_scores[element] != 0.0) {
    bool slope = MODE == ATTENTION_MOD_SLOPE;
    x = d_scores[element] * (slope ? mod_slope(scores[element], n.x, n.y, n.z, n.w) : mod_site(SITE, scores[element], n.x, n.y, n.z, n.w));
  }
  y[element] = floatBitsToUint(x);
}
