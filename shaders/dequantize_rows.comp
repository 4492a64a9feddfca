// What a row's codes stand for: scale code, or least + scale code. A lane four elements.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "quantize_rows.h"
#include "lib/quantized.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { QuantizeRowsParams p; };
layout(set = 0, binding = 0) readonly buffer X { int x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { float y[]; };

FOVEA_QUANTIZED_LOADER(load, x, p.size)

void main() {
  uint lane = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (lane >= p.n) return;
  uint quads = p.size / 4;
  vec4 value = load(lane / quads, lane % quads);
  for (uint n = 0; n < 4; ++n) y[4 * lane + n] = value[n];
}
