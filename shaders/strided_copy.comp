// y[y_from + sum i_k y_stride_k] = x[x_from + sum i_k x_stride_k] over all indices i, bit for bit.
//
// One invocation a unit: 16 bytes where both sides are contiguous and aligned, else a word or a half. Halves move as
// integers, so that no conversion touches the payload of a NaN.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant UNIT half word quad
#include "strided_copy.h"
#include "lib/divide.glsl"

#if defined(UNIT_half)
#extension GL_EXT_shader_16bit_storage : require
#define UNIT_T uint16_t
#elif defined(UNIT_quad)
#define UNIT_T uvec4
#else
#define UNIT_T uint
#endif

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { StridedCopyParams p; };
layout(set = 0, binding = 0) readonly buffer X { UNIT_T x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { UNIT_T y[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;

  const uint STRIDES = (RANK - 1) * DIVISOR_WORDS;
  uint rest = i, from = p.x_from, to = DENSE != 0 ? i : p.y_from;
  [[unroll]] for (uint k = 0; k < RANK; ++k) {
    uint axis = RANK - 1 - k;  // innermost first; the outermost takes what is left
    uint at = rest;
    if (axis > 0) at = SPLIT(rest, p.words, axis - 1);
    from += at * p.words[STRIDES + axis];
    if (DENSE == 0) to += at * p.words[STRIDES + RANK + axis];
  }
  y[to] = x[from];
}
