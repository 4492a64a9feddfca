// The last step of a product whose K was split: y = activation(alpha * sum over the parts + beta * bias), an element a lane.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "matmul.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
FOVEA_SPEC(MatmulSumSpec, MATMUL_COMMON_SPEC)
#include "lib/matmul.glsl"

layout(local_size_x_id = 0) in;
layout(set = 0, binding = 0) readonly buffer Partial { float partial[]; };

void main() {
  uint n = FLAT_GROUP * WG + gl_LocalInvocationID.x, row = n / p.N, total = p.batches * p.M * p.N;
  if (n >= total) return;
  float sum = 0.0;
  for (uint part = 0; part < p.groups; ++part) sum += partial[part * total + n];
  STORE(y, n, finish(sum, base_of(row / p.M).bias + row % p.M * p.bias_m + n % p.N * BIAS_N));
}
