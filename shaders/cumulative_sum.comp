// y[j] = sum of x[i] over i <= j along one axis; EXCLUSIVE: i < j; REVERSE: from the other end.
//
// One invocation a row, in one walk. Few long rows: one a chunk, which is summed first, starts from the sum of the chunks
// before it, and is walked then. Always in the same order.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "cumulative_sum.h"
#include "lib/dtype.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { CumulativeSumParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) readonly buffer Before { float before[]; };
layout(set = 0, binding = 2) writeonly buffer Sums { float sums[]; };
layout(set = 0, binding = 3) writeonly buffer Y { STORE_T y[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.invocations) return;
  float sum = 0.0;
  if (STAGE == CUMULATIVE_STARTS) {
    for (uint c = 0; c < p.chunks; ++c) {
      sums[i * p.chunks + c] = sum;
      sum += before[i * p.chunks + c];
    }
    return;
  }
  uint row = i / p.chunks, begin = i % p.chunks * p.chunk, end = min(begin + p.chunk, p.n);
  uint first = row / p.inner * p.n * p.inner + row % p.inner;
  if (STAGE == CUMULATIVE_CHUNKS) sum = before[i];
  for (uint j = begin; j < end; ++j) {
    uint at = first + (REVERSE != 0 ? p.n - 1 - j : j) * p.inner;
    float value = LOAD(x, at);
    if (STAGE != CUMULATIVE_TOTALS) STORE(y, at, EXCLUSIVE != 0 ? sum : sum + value);
    sum += value;
  }
  if (STAGE == CUMULATIVE_TOTALS) sums[i] = sum;
}
