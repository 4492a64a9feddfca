// The cell of four texels that each sample falls into, by number: (y+1)·(W+1) + x+1 of its upper left texel, and
// (H+1)·(W+1) for what falls outside. cells [N·G, taps·windows].
#version 450
#extension GL_GOOGLE_include_directive : require
#include "deform.h"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { DeformParams p; };
layout(set = 0, binding = 0) readonly buffer Offset { float offset[]; };
layout(set = 0, binding = 1) writeonly buffer Cells { int cells[]; };
const float mask[1] = float[1](1.0);
#include "lib/deform.glsl"

void main() {
  uint n = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (n >= p.n) return;
  uint pixels = p.HO * p.WO, taps = p.KH * p.KW;
  Sample s = sample_of(n / pixels / taps, n / pixels % taps, n % pixels);
  cells[n] = s.inside ? (s.y + 1) * int(p.W + 1) + s.x + 1 : int((p.H + 1) * (p.W + 1));
}
