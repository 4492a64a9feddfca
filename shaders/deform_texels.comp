// The gradient of x: every texel gathers what the samples around it took, d[n,(c,t),l] · mask · bilinear weight.
//
// Samples come sorted by cell, those of one cell in their own order, so that a texel finds those of its four cells by
// bisection and adds them up in the same order every time. One lane a texel of DEFORM_CHANNELS channels.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "deform.h"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { DeformParams p; };
layout(set = 0, binding = 0) readonly buffer D { float d[]; };
layout(set = 0, binding = 1) readonly buffer Offset { float offset[]; };
layout(set = 0, binding = 2) readonly buffer Mask { float mask[]; };
layout(set = 0, binding = 3) readonly buffer Cells { int cells[]; };  // sorted, [N·G, list]
layout(set = 0, binding = 4) readonly buffer Order { uint order[]; };
layout(set = 0, binding = 5) writeonly buffer DX { float d_x[]; };
#include "lib/deform.glsl"

void main() {
  uint n = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (n >= p.n) return;
  uint plane = p.H * p.W, blocks = (p.C + DEFORM_CHANNELS - 1) / DEFORM_CHANNELS;
  uint texel = n % plane, block = n / plane % blocks, group = n / plane / blocks;
  uint taps = p.KH * p.KW, pixels = p.HO * p.WO, first = group * p.list;
  float sum[DEFORM_CHANNELS];
  [[unroll]] for (uint c = 0; c < DEFORM_CHANNELS; ++c) sum[c] = 0.0;

  for (uint k = 0; k < 4; ++k) {  // the texel is the cell's lower right, lower left, upper right, upper left one
    int cell = int((texel / p.W + k / 2) * (p.W + 1) + texel % p.W + k % 2);
    uint j = 0, end = p.list;
    while (j < end) {
      uint middle = (j + end) / 2;
      if (cells[first + middle] < cell)
        j = middle + 1;
      else
        end = middle;
    }
    for (; j < p.list; ++j) {
      if (cells[first + j] != cell) break;
      uint at = order[first + j], t = at / pixels, l = at % pixels;
      Sample s = sample_of(group, t, l);
      float weight = (k / 2 == 0 ? s.ly : 1.0 - s.ly) * (k % 2 == 0 ? s.lx : 1.0 - s.lx) * s.mask;
      [[unroll]] for (uint c = 0; c < DEFORM_CHANNELS; ++c) {
        uint channel = group * p.C + min(block * DEFORM_CHANNELS + c, p.C - 1);
        sum[c] += weight * d[(channel * taps + t) * pixels + l];
      }
    }
  }
  [[unroll]] for (uint c = 0; c < DEFORM_CHANNELS; ++c)
    if (block * DEFORM_CHANNELS + c < p.C) d_x[(group * p.C + block * DEFORM_CHANNELS + c) * plane + texel] = sum[c];
}
