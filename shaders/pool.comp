// Max, average and Lp pooling over up to three spatial axes: y[o] = reduce over the window of x.
//
// One lane an output. The taps of the window that lie inside the input are a range on each axis, found before the loops,
// which then test nothing. max: first of equals in scan order, NaN wins. lp: (sum |x|^p)^(1/p).
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "pool.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { PoolParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 2) writeonly buffer Index { int index[]; };

// Window `o` of one axis: input position of tap t is start + t·dilation, inside the input for first <= t < last.
// counted: taps inside the padded input, for the divisor.
struct Taps {
  int start;
  uint first, last, counted;
};

uint ceil_quotient(int a, uint b) { return a <= 0 ? 0 : (uint(a) + b - 1) / b; }

Taps taps_of(uint o, uint axis) {
  Taps taps;
  uint size = p.size[axis];
  if (ADAPTIVE != 0) {  // floor(o·size/out) .. ceil((o+1)·size/out)
    uint out_size = p.out_size[axis], from = o * size / out_size;
    taps.start = int(from);
    taps.first = 0;
    taps.last = ((o + 1) * size + out_size - 1) / out_size - from;
    taps.counted = taps.last;
    return taps;
  }
  uint d = p.dilation[axis], k = p.kernel[axis];
  taps.start = int(o * p.stride[axis]) - int(p.begin[axis]);
  taps.first = min(ceil_quotient(-taps.start, d), k);
  taps.last = min(ceil_quotient(int(size) - taps.start, d), k);
  taps.counted = min(ceil_quotient(int(size + p.end[axis]) - taps.start, d), k);
  return taps;
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint rest = i;
  Taps tx = taps_of(rest % p.out_size[2], 2);
  rest /= p.out_size[2];
  Taps ty = taps_of(rest % p.out_size[1], 1);
  rest /= p.out_size[1];
  Taps tz = taps_of(rest % p.out_size[0], 0);
  uint plane = rest / p.out_size[0] * (p.size[0] * p.size[1] * p.size[2]);
  uvec3 d = ADAPTIVE != 0 ? uvec3(1) : uvec3(p.dilation[0], p.dilation[1], p.dilation[2]);

  float result = KIND == POOL_MAX ? NEGATIVE_INFINITY : 0.0;
  uint best = 0xffffffffu;
  for (uint z = tz.first; z < tz.last; ++z) {
    uint at_z = uint(tz.start + int(z * d.x)) * p.size[1];
    for (uint v = ty.first; v < ty.last; ++v) {
      uint at_y = (at_z + uint(ty.start + int(v * d.y))) * p.size[2];
      for (uint u = tx.first; u < tx.last; ++u) {
        uint at = at_y + uint(tx.start + int(u * d.z));
        float value = LOAD(x, plane + at);
        if (KIND == POOL_MAX) {
          bool takes = best == 0xffffffffu || value > result || (is_nan(value) && !is_nan(result));
          result = takes ? value : result;
          best = takes ? at : best;
        } else if (KIND == POOL_AVERAGE) {
          result += value;
        } else {
          float a = abs(value);
          result += p.p == 1.0 ? a : pow_c(a, p.p);
        }
      }
    }
  }
  if (KIND == POOL_AVERAGE) {
    uint inside = (tx.last - min(tx.first, tx.last)) * (ty.last - min(ty.first, ty.last)) * (tz.last - min(tz.first, tz.last));
    uint count = p.divisor != 0 ? p.divisor : COUNT_PAD != 0 ? tx.counted * ty.counted * tz.counted : inside;
    result /= float(count);
  }
  if (KIND == POOL_LP) result = p.p == 1.0 ? result : p.p == 2.0 ? sqrt(result) : pow_c(result, 1.0 / p.p);
  STORE(y, i, result);
  if (INDICES != 0) index[i] = int(best);
}
