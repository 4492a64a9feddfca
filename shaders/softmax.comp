// y = exp(x - max x) / sum exp(x - max x) along one axis, of x times a scale; LOG: x - max x - log sum.
//
// LANES = WG: a workgroup a row, its lanes stride over n and meet in shared memory (GPUs, long dense rows) or, as one subgroup,
// in its operations (CPU drivers: dense rows, which lanes side by side read and write faster than a row each; what fits
// registers is read once and has one exponential an element).
// LANES = 1: a lane a row, no barrier (CPU drivers; short rows; rows along an outer axis, where neighbouring lanes read
// neighbouring elements). Two passes over x: maximum and sum together (online: Milakov & Gimelshein 2018, rescaled once
// a block of 16 elements), then the results.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant MEET memory subgroup
#pragma variant DTYPE f32 f16 bf16
#ifdef MEET_subgroup
#extension GL_KHR_shader_subgroup_arithmetic : require
#endif
#include "softmax.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { SoftmaxParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 0) readonly buffer X4 { STORE_T4 x4[]; };
layout(set = 0, binding = 1) readonly buffer M { uint mask[]; };
layout(set = 0, binding = 2) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 2) writeonly buffer Y4 { STORE_T4 y4[]; };

uint base = 0, mask_base = 0;  // of the row, in elements

bool takes_part(uint j) { return MASK == 0 || mask[mask_base + j * p.mask_step] != 0u; }

// Four elements of the row from j on, those that do not take part as -inf; j + 3 < n, or j < n without VEC.
vec4 load4(uint j, inout bool any) {
  vec4 v = vec4(NEGATIVE_INFINITY);
  if (VEC != 0) {
    v = LOAD4(x4, (base + j) / 4) * p.scale;
    if (MASK != 0) [[unroll]] for (uint c = 0; c < 4; ++c) {
      bool part = takes_part(j + c);
      any = any || part;
      if (!part) v[c] = NEGATIVE_INFINITY;
    }
  } else {
    [[unroll]] for (uint c = 0; c < 4; ++c) {
      uint at = min(j + c * LANES, p.n - 1);
      bool part = j + c * LANES < p.n && takes_part(at);
      any = any || part;
      float value = LOAD(x, base + at * p.step) * p.scale;
      v[c] = part ? value : NEGATIVE_INFINITY;
    }
  }
  return v;
}

float largest(vec4 v) { return max(max(v.x, v.y), max(v.z, v.w)); }
float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
// What is subtracted before exp: -inf - -inf must not arise.
float shift_of(float m) { return m == NEGATIVE_INFINITY ? 0.0 : m; }

uint largest(uvec4 v) { return max(max(v.x, v.y), max(v.z, v.w)); }
uvec4 magnitude_of(vec4 v) { return floatBitsToUint(v) & 0x7fffffffu; }

// What lanes have of a row: its maximum, the sum of exp(x - maximum), the largest magnitude, and whether something takes part.
struct Part {
  float m, sum;
  uint magnitude;
  bool any;
};

// Of all lanes.
#ifdef MEET_subgroup
Part meet(Part own, uint lane) {
  float m = subgroupMax(own.m);
  return Part(m, subgroupAdd(own.sum * exp(own.m - shift_of(m))), subgroupMax(own.magnitude), subgroupMax(uint(own.any)) != 0);
}
float sum_of_lanes(float x) { return subgroupAdd(x); }
#else
float sum_of_lanes(float x) { return x; }
shared float partial_max[WG], partial_sum[WG];
shared uint partial_any[WG], partial_magnitude[WG];
Part meet(Part own, uint lane) {
  partial_max[lane] = own.m;
  partial_sum[lane] = own.sum;
  partial_any[lane] = uint(own.any);
  partial_magnitude[lane] = own.magnitude;
  barrier();
  for (uint half_lanes = WG / 2; half_lanes > 0; half_lanes /= 2) {
    if (lane < half_lanes) {
      float a = partial_max[lane], b = partial_max[lane + half_lanes], shift = shift_of(max(a, b));
      partial_max[lane] = max(a, b);
      partial_sum[lane] = partial_sum[lane] * exp(a - shift) + partial_sum[lane + half_lanes] * exp(b - shift);
      partial_any[lane] |= partial_any[lane + half_lanes];
      partial_magnitude[lane] = max(partial_magnitude[lane], partial_magnitude[lane + half_lanes]);
    }
    barrier();
  }
  return Part(partial_max[0], partial_sum[0], partial_magnitude[0], partial_any[0] != 0);
}
#endif

void main() {
  uint row = LANES == 1 ? FLAT_GROUP * WG + gl_LocalInvocationID.x : FLAT_GROUP;
  uint lane = LANES == 1 ? 0 : gl_LocalInvocationID.x;
  if (row >= p.rows) return;  // LANES = WG: the whole workgroup
  uint rest = row;
  [[unroll]] for (uint k = 0; k < AXES; ++k) {
    uint axis = AXES - 1 - k, at = rest;
    if (axis > 0) at = rest % p.extents[axis], rest /= p.extents[axis];
    base += at * p.strides[axis];
    mask_base += at * p.mask_strides[axis];
  }

  // An invocation's share: four elements from each `first + i * hop` on. A NaN shows in the largest magnitude, taken as
  // an integer: a driver's max() may drop it, and its exp() turn it into a number.
  uint first = VEC != 0 ? 4 * lane : lane, hop = 4 * LANES;
  Part part = Part(NEGATIVE_INFINITY, 0.0, 0, MASK == 0);
  vec4 held[HELD + uint(HELD == 0)];
  [[unroll]] for (uint i = 0; i < HELD; ++i) {
    held[i] = vec4(NEGATIVE_INFINITY);
    if (i + 1 < HELD || first + i * hop < p.n) held[i] = load4(first + i * hop, part.any);
    part.magnitude = max(part.magnitude, largest(magnitude_of(held[i])));
    part.m = max(part.m, largest(held[i]));
  }
  if (HELD == 0) for (uint j = first; j < p.n; j += 4 * hop) {
    vec4 v[4];
    v[0] = load4(j, part.any);
    [[unroll]] for (uint i = 1; i < 4; ++i) {
      v[i] = vec4(NEGATIVE_INFINITY);
      if (j + i * hop < p.n) v[i] = load4(j + i * hop, part.any);
    }
    [[unroll]] for (uint i = 0; i < 4; ++i) part.magnitude = max(part.magnitude, largest(magnitude_of(v[i])));
    float before = part.m;
    part.m = max(part.m, max(max(largest(v[0]), largest(v[1])), max(largest(v[2]), largest(v[3]))));
    float shift = shift_of(part.m);
    part.sum = part.sum * exp(before - shift) +
               total((exp(v[0] - shift) + exp(v[1] - shift)) + (exp(v[2] - shift) + exp(v[3] - shift)));
  }
  if (LANES > 1) part = meet(part, lane);
  float shift = shift_of(part.m);
  if (HELD > 0) {
    vec4 sums = vec4(0.0);
    [[unroll]] for (uint i = 0; i < HELD; ++i) {
      vec4 weight = exp(held[i] - shift);
      sums += weight;
      if (LOG == 0) held[i] = weight;
    }
    part.sum = sum_of_lanes(total(sums));
  }

  // Every entry is -inf or does not take part; or one is NaN or +inf, and exp(inf - inf) makes the row NaN.
  bool nan = part.magnitude > 0x7f800000u || part.m == POSITIVE_INFINITY, vanishes = !nan && part.m == NEGATIVE_INFINITY;
  bool zeros = vanishes && (ZERO_EMPTY != 0 || !part.any), invalid = nan || (vanishes && !zeros);
  float scale = invalid ? QUIET_NAN : zeros ? 0.0 : 1.0 / part.sum;
  float subtrahend = invalid ? QUIET_NAN : zeros ? 0.0 : log(part.sum);
  [[unroll]] for (uint i = 0; i < HELD; ++i)
    if (i + 1 < HELD || first + i * hop < p.n)
      STORE4(y4, (base + first + i * hop) / 4, LOG != 0 ? (held[i] - shift) - subtrahend : held[i] * scale);
  if (HELD == 0) for (uint j = first; j < p.n; j += hop) {
    bool unused_any = true;
    vec4 v = load4(j, unused_any) - shift;
    vec4 result = LOG != 0 ? v - subtrahend : exp(v) * scale;
    if (VEC != 0) {
      STORE4(y4, (base + j) / 4, result);
    } else {
      [[unroll]] for (uint c = 0; c < 4; ++c)
        if (j + c * LANES < p.n) STORE(y, base + (j + c * LANES) * p.step, result[c]);
    }
  }
}
