// y[p,i,j] = sum of x[p,(u,v),(a,b)] over the windows (a,b) and their taps (u,v) that stand on the pixel:
//   i = a·sy + u·dy - top, j = b·sx + v·dx - left
//
// One lane a pixel, which gathers its taps in order: no two lanes write one place, and the sum is the same every time.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "fold.h"
#include "lib/dtype.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { FoldParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { STORE_T y[]; };

void main() {
  uint n = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (n >= p.n) return;
  uint i = n / p.W % p.H + p.top, j = n % p.W + p.left, plane = n / (p.H * p.W) * (KH * KW);
  float sum = 0.0;
  for (uint u = 0; u < KH && u * DILATION_Y <= i; ++u) {
    uint from_y = i - u * DILATION_Y, a = from_y / STRIDE_Y;
    if (a * STRIDE_Y != from_y || a >= p.HO) continue;
    for (uint v = 0; v < KW && v * DILATION_X <= j; ++v) {
      uint from_x = j - v * DILATION_X, b = from_x / STRIDE_X;
      if (b * STRIDE_X == from_x && b < p.WO) sum += LOAD(x, ((plane + u * KW + v) * p.HO + a) * p.WO + b);
    }
  }
  STORE(y, n, sum);
}
