// y[o,v,q] = x[o,v,q] + sum over j with list[o,j,q] = v of updates[o,j,q], or the last of them instead, in the order of j.
//
// One invocation an element of y, which walks its line's whole list, or finds its stretch of a sorted list by bisection:
// no atomics, and the same sum every time.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "scatter.h"
#include "lib/dtype.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { ScatterParams p; };
layout(set = 0, binding = 0) readonly buffer Updates { STORE_T updates[]; };
layout(set = 0, binding = 1) readonly buffer List { int list[]; };
layout(set = 0, binding = 2) readonly buffer Order { uint order[]; };
layout(set = 0, binding = 3) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 4) writeonly buffer Y { STORE_T y[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint q = i % p.inner, outer = i / p.inner / p.extent;
  int v = int(i / p.inner % p.extent);
  uint first = SHARED != 0 ? 0 : outer * p.count * p.inner + q, hop = SHARED != 0 ? 1 : p.inner;
  uint from = outer * p.updates * p.inner + q;

  uint j = 0;
  if (SORTED != 0) {
    uint end = p.count;
    while (j < end) {
      uint middle = (j + end) / 2;
      if (list[first + middle * hop] < v)
        j = middle + 1;
      else
        end = middle;
    }
  }
  float sum = 0.0;
  if (ONTO != 0) sum = LOAD(x, i);
  for (; j < p.count; ++j) {
    int key = list[first + j * hop];
    if (SORTED != 0 && key != v) break;
    if (key == v) {
      uint at = j;
      if (SORTED != 0) at = order[first + j * hop];
      float update = LOAD(updates, from + at * p.inner);
      sum = REPLACE != 0 ? update : sum + update;
    }
  }
  STORE(y, i, sum);
}
