// grid[n, position] = theta[n] · (x, y(, z), 1), with (x, y, z) the position in [-1, 1].
// (Jaderberg et al. 2015, eq. 1) One invocation a position.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "affine_grid.h"
#include "lib/dtype.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { AffineGridParams p; };
layout(set = 0, binding = 0) readonly buffer Theta { STORE_T theta[]; };
layout(set = 0, binding = 1) writeonly buffer Grid { STORE_T grid[]; };

// The centre of element k of `size`: its own outer edges are -1 and 1, or with ALIGN_CORNERS those of the first and
// last centre.
float centre(uint k, uint size) {
  return float(int(2 * k + 1) - int(size)) / float(ALIGN_CORNERS != 0 ? max(size, 2u) - 1u : size);
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint column = i % p.size[0], rest = i / p.size[0], row = rest % p.size[1], slice = rest / p.size[1] % p.size[2];
  uint image = rest / (p.size[1] * p.size[2]);
  float x = centre(column, p.size[0]), y = centre(row, p.size[1]), z = centre(slice, p.size[2]);
  [[unroll]] for (uint k = 0; k < DIMS; ++k) {
    uint t = (image * DIMS + k) * (DIMS + 1);
    float sum = LOAD(theta, t + DIMS) + LOAD(theta, t) * x + LOAD(theta, t + 1) * y;
    if (DIMS == 3) sum += LOAD(theta, t + 2) * z;
    STORE(grid, i * DIMS + k, sum);
  }
}
