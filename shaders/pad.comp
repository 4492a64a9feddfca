// y[i] = x[map(i_0 - before_0), ...], or the constant where an index falls outside; bit for bit.
//
// One invocation an element of y. Neighbouring axes without padding are merged first.
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
#include "pad.h"
#include "lib/divide.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { PadParams p; };
layout(set = 0, binding = 0) readonly buffer X { UNIT_T x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { UNIT_T y[]; };

// The index in [0, n) that stands at j, n > 0. reflect: -n < j < 2n - 1. A constant stands at none outside.
int mapped(int j, int n) {
  if (MODE == PAD_CONSTANT) return j;
  if (MODE == PAD_REFLECT) return n - 1 - abs(n - 1 - abs(j));
  if (MODE == PAD_CIRCULAR) return j >= 0 ? j % n : n - 1 - (-1 - j) % n;
  return clamp(j, 0, n - 1);
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;

  const uint EXTENTS = (RANK - 1) * DIVISOR_WORDS, BEFORE = EXTENTS + RANK, STRIDES = BEFORE + RANK;
  uint rest = i, from = p.x_from;
  bool inside = true;
  [[unroll]] for (uint k = 0; k < RANK; ++k) {
    uint axis = RANK - 1 - k;  // innermost first; the outermost takes what is left
    uint at = rest;
    if (axis > 0) at = SPLIT(rest, p.words, axis - 1);
    if ((PADDED >> axis & 1u) != 0u) {
      int j = int(at - p.words[BEFORE + axis]), n = int(p.words[EXTENTS + axis]);
      inside = inside && j >= 0 && j < n;
      at = uint(mapped(j, n));
    }
    from += k == 0 ? at : at * p.words[STRIDES + axis];
  }
  uint fill = FILL;  // a variable: SPIR-V 1.3 cannot convert a specialisation constant to 16 bits
  if (MODE == PAD_CONSTANT && !inside)
    y[i] = UNIT_T(fill);
  else
    y[i] = x[from];
}
