// The box of texels that the positions [tile·t, tile·(t+1)) of a grid touch. One invocation a tile.
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
layout(set = 0, binding = 0) writeonly buffer Bounds { uint bounds[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint image = i / p.tiles, begin = i % p.tiles * p.tile, end = min(begin + p.tile, p.positions);
  uvec3 low = uvec3(0xffffffffu), high = uvec3(0u);
  if (DIMS == 2) low.z = 0;
  for (uint position = begin; position < end; ++position) {
    [[unroll]] for (uint axis = 0; axis < DIMS; ++axis) {
      AxisTaps taps = axis_taps(LOAD_GRID((image * p.positions + position) * DIMS + axis), p.size[axis], 1);
      [[unroll]] for (uint k = 0; k < AXIS_TAPS; ++k) {
        low[axis] = min(low[axis], taps.mask[k] != 0 ? taps.offset[k] : 0xffffffffu);
        high[axis] = max(high[axis], taps.offset[k] & taps.mask[k]);
      }
    }
  }
  [[unroll]] for (uint axis = 0; axis < 3; ++axis) {
    bounds[i * GRID_BOUND_WORDS + 2 * axis] = low[axis];
    bounds[i * GRID_BOUND_WORDS + 2 * axis + 1] = high[axis];
  }
}
