// What a sample's place and mask give to the loss, from d of its columns, summed over the channels of its group:
//   d_offset.y = sum mask · d · dx/dy,   d_offset.x = sum mask · d · dx/dx,   d_mask = sum d · x sampled there
#version 450
#extension GL_GOOGLE_include_directive : require
#include "deform.h"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { DeformParams p; };
layout(set = 0, binding = 0) readonly buffer D { float d[]; };
layout(set = 0, binding = 1) readonly buffer X { float x[]; };
layout(set = 0, binding = 2) readonly buffer Offset { float offset[]; };
layout(set = 0, binding = 3) readonly buffer Mask { float mask[]; };
layout(set = 0, binding = 4) writeonly buffer DOffset { float d_offset[]; };
layout(set = 0, binding = 5) writeonly buffer DMask { float d_mask[]; };
#include "lib/deform_texels.glsl"

void main() {
  uint n = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (n >= p.n) return;
  uint taps = p.KH * p.KW, pixels = p.HO * p.WO;
  uint l = n % pixels, t = n / pixels % taps, group = n / pixels / taps;
  Sample s = sample_of(group, t, l);
  Cell cell = cell_of(s);
  float along_y = 0.0, along_x = 0.0, value = 0.0;
  for (uint c = 0; c < p.C; ++c) {
    uint channel = group * p.C + c;
    vec4 v = texels(cell, channel * (p.H * p.W));
    float g = d[(channel * taps + t) * pixels + l];
    vec2 rows = mix(v.xz, v.yw, s.lx);  // upper, lower
    along_y += g * (rows.y - rows.x);
    along_x += g * mix(v.y - v.x, v.w - v.z, s.ly);
    value += g * mix(rows.x, rows.y, s.ly);
  }
  uint pair = 2 * (group * taps + t) * pixels + l;
  d_offset[pair] = s.mask * along_y;
  d_offset[pair + pixels] = s.mask * along_x;
  d_mask[n] = value;
}
