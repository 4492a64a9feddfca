// Weights in the order conv2d_direct reads them: the output channels of a tile innermost, so that four come at a load.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "conv2d.h"
#include "lib/dtype.glsl"
FOVEA_SPEC(Conv2dPackSpec, CONV2D_PACK_SPEC)

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { Conv2dPackParams p; };
layout(set = 0, binding = 0) readonly buffer Weight { STORE_T weight[]; };
layout(set = 0, binding = 1) writeonly buffer Packed { STORE_T packed_weight[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x, rest = i;
  if (i >= p.n) return;
  uint o = rest % p.TO;
  rest /= p.TO;
  uint c = rest % p.C;
  rest /= p.C;
  uint tap = rest % p.taps;
  rest /= p.taps;
  uint tiles = (p.O + p.TO - 1) / p.TO;
  o = min(rest % tiles * p.TO + o, p.O - 1);
  packed_weight[i] = weight[((rest / tiles * p.O + o) * p.C + c) * p.taps + tap];
}
