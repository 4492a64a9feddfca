// y[o] = sum over the taps t of row o of weight_t · x[t], along up to three axes at once: the matrix of each axis is
// sparse and stands in a table.
//
// One lane an output, which sums its taps in scan order. CHOICE leaves out the taps that an index does not name.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "separable.h"
#include "lib/dtype.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { SeparableParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) readonly buffer Table { uint table[]; };
layout(set = 0, binding = 2) readonly buffer Index { uint index[]; };
layout(set = 0, binding = 3) writeonly buffer Y { STORE_T y[]; };

uint first_tap(uint axis, uint row) { return table[p.rows[axis] + row]; }
uint column_of(uint axis, uint tap) { return table[p.taps[axis] + 2 * tap]; }
float weight_of(uint axis, uint tap) { return uintBitsToFloat(table[p.taps[axis] + 2 * tap + 1]); }

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint ox = i % p.out_size[2], rest = i / p.out_size[2];
  uint oy = rest % p.out_size[1];
  rest /= p.out_size[1];
  uint oz = rest % p.out_size[0], plane = rest / p.out_size[0];
  uint from = plane * (p.size[0] * p.size[1] * p.size[2]);
  uint here = (oz * p.out_size[1] + oy) * p.out_size[2] + ox;
  uint end_z = first_tap(0, oz + 1), end_y = first_tap(1, oy + 1), begin_x = first_tap(2, ox), end_x = first_tap(2, ox + 1);

  float sum = 0.0;
  for (uint z = first_tap(0, oz); z < end_z; ++z) {
    float weight_z = weight_of(0, z);
    uint at_z = column_of(0, z) * p.size[1];
    for (uint v = first_tap(1, oy); v < end_y; ++v) {
      uint at_y = (at_z + column_of(1, v)) * p.size[2];
      float row = 0.0;
      for (uint u = begin_x; u < end_x; ++u) {
        uint at = at_y + column_of(2, u);
        bool taken = true;
        if (CHOICE == SEPARABLE_POINTS_HERE) taken = index[from + at] == here;
        if (CHOICE == SEPARABLE_POINTED_AT) taken = index[i] == at;
        if (taken) row += weight_of(2, u) * LOAD(x, from + at);
      }
      sum += weight_z * weight_of(1, v) * row;
    }
  }
  STORE(y, i, sum);
}
