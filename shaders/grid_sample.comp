// y[n, c, position] = sum over taps t of weight_t · x[n, c, texel_t], the texels around the point that the grid names
// there (Jaderberg et al. 2015, eq. 3-5; coordinates, padding and the cubic kernel as PyTorch's grid_sample has them).
//
// One invocation a position and a block of channels: texels and weights are found once and serve every channel.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "grid_sample.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/grid_taps.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { GridSampleParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 2) writeonly buffer Y { STORE_T y[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint position = i % p.positions, rest = i / p.positions;
  uint image = rest / p.blocks, channel = rest % p.blocks * p.block;

  uint g = (image * p.positions + position) * DIMS;
  AxisTaps across = axis_taps(LOAD_GRID(g), p.size[0], 1), down = axis_taps(LOAD_GRID(g + 1), p.size[1], p.size[0]);
  AxisTaps deep;
  if (DIMS == 3) deep = axis_taps(LOAD_GRID(g + 2), p.size[2], p.size[0] * p.size[1]);
  float weight[16];
  uint offset[16], mask[16];
  [[unroll]] for (uint t = 0; t < TAPS; ++t) {
    uint kx = t % AXIS_TAPS, ky = t / AXIS_TAPS % AXIS_TAPS, kz = t / (AXIS_TAPS * AXIS_TAPS);
    weight[t] = across.weight[kx] * down.weight[ky];
    offset[t] = across.offset[kx] + down.offset[ky];
    mask[t] = across.mask[kx] & down.mask[ky];
    if (DIMS == 3) {
      weight[t] *= deep.weight[kz];
      offset[t] += deep.offset[kz];
      mask[t] &= deep.mask[kz];
    }
  }

  uint plane = p.size[0] * p.size[1] * p.size[2];
  uint from = (image * p.channels + channel) * plane, to = (image * p.channels + channel) * p.positions + position;
  uint count = min(p.block, p.channels - channel);
  for (uint c = 0; c < count; ++c) {
    float sum = 0.0;
    // An outside texel is no number at all: its mask must hide an infinity that stands where its offset points.
    [[unroll]] for (uint t = 0; t < TAPS; ++t)
      sum += weight[t] * uintBitsToFloat(floatBitsToUint(LOAD(x, from + offset[t])) & mask[t]);
    STORE(y, to, sum);
    from += plane;
    to += p.positions;
  }
}
