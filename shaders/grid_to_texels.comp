// dx[n, c, texel] = sum over positions, in their order, of weight(position, texel) · dy[n, c, position]: the adjoint of
// sampling in x.
//
// One invocation a texel and a block of channels. It passes over every tile of positions whose box of texels
// (grid_bounds) does not hold the texel: no sorting, no atomics, and one order of summing. Cost: texels · tiles for the
// boxes, and texels · positions for those that hold it; a grid without any order reads all positions for each texel.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "grid_gradient.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/grid_taps.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { GridGradientParams p; };
layout(set = 0, binding = 0) readonly buffer Dy { STORE_T dy[]; };
layout(set = 0, binding = 2) readonly buffer Bounds { uint bounds[]; };
layout(set = 0, binding = 3) writeonly buffer Dx { STORE_T dx[]; };

// Several taps of one axis may be folded or clipped to the same texel.
float weight_at(uint point, uint axis, uint texel) {
  AxisTaps taps = axis_taps(LOAD_GRID(point * DIMS + axis), p.size[axis], 1);
  float weight = 0.0;
  [[unroll]] for (uint k = 0; k < AXIS_TAPS; ++k)
    if (taps.mask[k] != 0 && taps.offset[k] == texel) weight += taps.weight[k];
  return weight;
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint plane = p.size[0] * p.size[1] * p.size[2], texel = i % plane, rest = i / plane;
  uint image = rest / p.blocks, channel = rest % p.blocks * BLOCK;
  uvec3 at = uvec3(texel % p.size[0], texel / p.size[0] % p.size[1], texel / (p.size[0] * p.size[1]));
  uint count = min(BLOCK, p.channels - channel), from = (image * p.channels + channel) * p.positions;

  float sum[8];
  [[unroll]] for (uint c = 0; c < BLOCK; ++c) sum[c] = 0.0;
  for (uint tile = 0; tile < p.tiles; ++tile) {
    uint box = (image * p.tiles + tile) * GRID_BOUND_WORDS;
    bool inside = at.x >= bounds[box] && at.x <= bounds[box + 1] && at.y >= bounds[box + 2] && at.y <= bounds[box + 3];
    if (DIMS == 3) inside = inside && at.z >= bounds[box + 4] && at.z <= bounds[box + 5];
    uint end = inside ? min((tile + 1) * p.tile, p.positions) : 0;
    for (uint position = tile * p.tile; position < end; ++position) {
      uint point = image * p.positions + position;
      float weight = weight_at(point, 0, at.x);
      if (weight == 0.0) continue;
      weight *= weight_at(point, 1, at.y);
      if (DIMS == 3) weight *= weight_at(point, 2, at.z);
      if (weight == 0.0) continue;
      [[unroll]] for (uint c = 0; c < BLOCK; ++c)
        if (c < count) sum[c] += weight * LOAD(dy, from + c * p.positions + position);
    }
  }
  uint to = (image * p.channels + channel) * plane + texel;
  [[unroll]] for (uint c = 0; c < BLOCK; ++c)
    if (c < count) STORE(dx, to + c * plane, sum[c]);
}
