// y[i] = x[i with index[i] along one axis], bit for bit; zero where the index is out of range.
//
// One invocation an element of y.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant UNIT half word
#ifdef UNIT_half
#extension GL_EXT_shader_16bit_storage : require
#define UNIT_T uint16_t
#else
#define UNIT_T uint
#endif
#include "gather.h"
#include "lib/divide.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { GatherParams p; };
layout(set = 0, binding = 0) readonly buffer X { UNIT_T x[]; };
layout(set = 0, binding = 1) readonly buffer Index { int index[]; };
layout(set = 0, binding = 2) writeonly buffer Y { UNIT_T y[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;

  const uint STRIDES = (RANK - 1) * DIVISOR_WORDS;
  uint rest = i, from = 0, number = 0;
  [[unroll]] for (uint k = 0; k < RANK; ++k) {
    uint axis = RANK - 1 - k;  // innermost first; the outermost takes what is left
    uint at = rest;
    if (axis > 0) at = SPLIT(rest, p.words, axis - 1);
    from += at * p.words[STRIDES + axis];
    number += at * p.words[STRIDES + RANK + axis];
  }
  int wanted = index[number];
  uint at = uint(wanted < 0 ? wanted + int(p.extent) : wanted);
  if (at < p.extent)
    y[i] = x[from + at * p.axis_stride];
  else
    y[i] = UNIT_T(0u);
}
