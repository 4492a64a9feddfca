// d grid[n, position, axis] = sum over channels and taps of dy[n, c, position] · x[n, c, texel_t] · slope_t, the slope of
// the tap's weight along that axis. One invocation a position, channels in their order.
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
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 2) readonly buffer Dy { STORE_T dy[]; };
layout(set = 0, binding = 3) writeonly buffer D { float d[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint position = i % p.positions, image = i / p.positions, plane = p.size[0] * p.size[1] * p.size[2];

  AxisTaps taps[3];
  float slope[3][4];
  [[unroll]] for (uint axis = 0; axis < DIMS; ++axis) {
    uint stride = axis == 0 ? 1 : axis == 1 ? p.size[0] : p.size[0] * p.size[1];
    float c = LOAD_GRID(i * DIMS + axis);
    taps[axis] = axis_taps(c, p.size[axis], stride);
    axis_slopes(c, p.size[axis], slope[axis]);
  }
  vec3 sum = vec3(0.0);
  for (uint c = 0; c < p.channels; ++c) {
    uint from = (image * p.channels + c) * plane;
    vec3 change = vec3(0.0);
    [[unroll]] for (uint t = 0; t < TAPS; ++t) {
      uint kx = t % AXIS_TAPS, ky = t / AXIS_TAPS % AXIS_TAPS, kz = t / (AXIS_TAPS * AXIS_TAPS);
      uint offset = taps[0].offset[kx] + taps[1].offset[ky], mask = taps[0].mask[kx] & taps[1].mask[ky];
      float deep = 1.0;
      if (DIMS == 3) {
        offset += taps[2].offset[kz];
        mask &= taps[2].mask[kz];
        deep = taps[2].weight[kz];
      }
      float texel = uintBitsToFloat(floatBitsToUint(LOAD(x, from + offset)) & mask);
      float across = taps[0].weight[kx], down = taps[1].weight[ky];
      change.x += slope[0][kx] * down * deep * texel;
      change.y += across * slope[1][ky] * deep * texel;
      if (DIMS == 3) change.z += across * down * slope[2][kz] * texel;
    }
    sum += LOAD(dy, (image * p.channels + c) * p.positions + position) * change;
  }
  [[unroll]] for (uint axis = 0; axis < DIMS; ++axis) d[i * DIMS + axis] = sum[axis];
}
