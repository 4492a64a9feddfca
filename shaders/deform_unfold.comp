// columns[n,(c,t),l] = mask[n,g,t,l] · x[n,c] sampled bilinearly at (window l's tap t) + offset[n,g,t,l], with zeros
// around x (Dai et al. 2017, eq. 2 and 3; Zhu et al. 2019, eq. 1). g: the group of offsets that channel c belongs to.
//
// One lane a tap of a window, for `block` channels: neighbouring lanes take neighbouring windows.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "deform.h"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { DeformParams p; };
layout(set = 0, binding = 0) readonly buffer X { float x[]; };
layout(set = 0, binding = 1) readonly buffer Offset { float offset[]; };
layout(set = 0, binding = 2) readonly buffer Mask { float mask[]; };
layout(set = 0, binding = 3) writeonly buffer Columns { float columns[]; };
#include "lib/deform_texels.glsl"

void main() {
  uint n = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (n >= p.n) return;
  uint taps = p.KH * p.KW, pixels = p.HO * p.WO, blocks = (p.C + p.block - 1) / p.block;
  uint l = n % pixels, t = n / pixels % taps, block = n / pixels / taps % blocks, group = n / pixels / taps / blocks;
  Sample s = sample_of(group, t, l);
  Cell cell = cell_of(s);
  vec4 weight = vec4((1.0 - s.ly) * (1.0 - s.lx), (1.0 - s.ly) * s.lx, s.ly * (1.0 - s.lx), s.ly * s.lx);
  uint last = min(p.C, (block + 1) * p.block);
  for (uint c = block * p.block; c < last; ++c) {
    uint channel = group * p.C + c;
    columns[(channel * taps + t) * pixels + l] = s.mask * dot(weight, texels(cell, channel * (p.H * p.W)));
  }
}
