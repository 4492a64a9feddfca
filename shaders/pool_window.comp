// Max, average and Lp pooling over small windows: y[o] = reduce over the window of x.
//
// An invocation computes four neighbouring outputs of a row and loads each row of x that they need once, four elements
// a load where rows allow it. The window is known to the compiler: columns are unrolled and stay in registers, taps
// outside the input are the neutral element and cost no branch.
// max: first of equals in scan order, NaN wins. lp: (sum |x|^p)^(1/p).
// Between taps there is mix() and all() but no ?: and &&: unrolled, each of those is a branch, of which some compilers
// take minutes.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "pool_window.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { PoolWindowParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 0) readonly buffer X4 { STORE_T4 x4[]; };
layout(set = 0, binding = 1) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 1) writeonly buffer Y4 { STORE_T4 y4[]; };
layout(set = 0, binding = 2) writeonly buffer Index { int index[]; };

const uint COLUMNS = POOL_COLUMNS;
// Columns loaded: with VEC from a multiple of four on, LEAD before the first that is needed.
const uint LEAD = VEC != 0 ? (4 - BEGIN_X % 4) % 4 : 0;
const uint SPAN = LEAD + (COLUMNS - 1) * SX + (KX - 1) * DX + 1;
const uint LOADS = (SPAN + 3) / 4;
#define NEUTRAL (KIND == POOL_MAX ? NEGATIVE_INFINITY : 0.0)

// The first tap of a window from `start` on, `step` apart, that stands at 0 or behind.
int first_tap(int start, uint step_) { return start >= 0 ? 0 : (int(step_) - 1 - start) / int(step_); }
// Taps that stand in [low, high), where low is 0 or far before `start`.
uint taps_within(int start, uint taps, uint step_, int low, int high) {
  int first = low < 0 ? 0 : first_tap(start, step_), last = start >= high ? 0 : (high - start + int(step_) - 1) / int(step_);
  return uint(max(min(last, int(taps)) - first, 0));
}

// Order of floats as order of integers: NaN is the largest, and -0 is 0.
uint key_of(float v) {
  uint bits = floatBitsToUint(v);
  bits = mix(bits, 0u, bits == 0x80000000u);
  uint key = mix(bits | 0x80000000u, ~bits, bits >= 0x80000000u);
  return mix(key, 0xffffffffu, (bits & 0x7fffffffu) > 0x7f800000u);
}
float float_of_key(uint key) {
  return uintBitsToFloat(key == 0xffffffffu ? 0x7fc00000u : key >= 0x80000000u ? key & 0x7fffffffu : ~key);
}

// Four columns of a row from x = `column` on, which is a multiple of four with VEC.
vec4 load4(uint row, int column, bool row_inside) {
  int width = int(p.size[2]);
  vec4 v = vec4(NEUTRAL);
  if (VEC != 0) {
    bool inside = all(bvec2(row_inside, uint(column) < uint(width)));
    v = mix(v, LOAD4(x4, (row + uint(clamp(column, 0, width - 4))) / 4), bvec4(inside));
  } else {
    [[unroll]] for (uint c = 0; c < 4; ++c) {
      int at = column + int(c);
      bool inside = all(bvec2(row_inside, uint(at) < uint(width)));
      float loaded = LOAD(x, row + uint(clamp(at, 0, width - 1)));
      v[c] = mix(v[c], loaded, inside);
    }
  }
  return v;
}

float result_of(float total, uint count) {
  if (KIND == POOL_AVERAGE) return count == 0 ? QUIET_NAN : total / float(count);
  if (KIND == POOL_LP) return POWER == 1 ? total : POWER == 2 ? sqrt(total) : POWER == 4 ? sqrt(sqrt(total)) : pow_c(total, 1.0 / 3.0);
  return total;
}

float power(float a) {
  if (POWER == 1) return a;
  if (POWER == 2) return a * a;
  if (POWER == 3) return a * a * a;
  return (a * a) * (a * a);
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint row_out = i / p.columns, column_out = (i - row_out * p.columns) * COLUMNS, rest = row_out;
  uint oy = rest % p.out_size[1];
  rest /= p.out_size[1];
  uint oz = rest % p.out_size[0], plane_rows = rest / p.out_size[0] * p.size[0] * p.size[1];
  int start_z = int(oz * SZ) - int(p.begin[0]), start_y = int(oy * SY) - int(p.begin[1]);
  int start_x = int(column_out * SX) - int(BEGIN_X) - int(LEAD);

  float total[COLUMNS];
  uint magnitude[COLUMNS], best[COLUMNS];  // with INDICES: key of the largest and where it stands
  [[unroll]] for (uint o = 0; o < COLUMNS; ++o) {
    total[o] = NEUTRAL;
    magnitude[o] = 0;
    best[o] = 0xffffffffu;
    if (INDICES != 0) {  // -inf alone: the first tap; no tap at all: -1
      int begin_x = start_x + int(LEAD + o * SX);
      uint taps = taps_within(start_z, KZ, DZ, 0, int(p.size[0])) * taps_within(start_y, KY, DY, 0, int(p.size[1])) *
                  taps_within(begin_x, KX, DX, 0, int(p.size[2]));
      int z = start_z + first_tap(start_z, DZ) * int(DZ), v = start_y + first_tap(start_y, DY) * int(DY);
      uint at = (uint(z) * p.size[1] + uint(v)) * p.size[2] + uint(begin_x + first_tap(begin_x, DX) * int(DX));
      best[o] = taps == 0 ? best[o] : at;
      magnitude[o] = key_of(NEGATIVE_INFINITY);
    }
  }
  for (uint t = 0; t < KZ * KY; ++t) {
    int z = start_z + int(t / KY * DZ), v = start_y + int(t % KY * DY);
    bool row_inside = all(bvec2(uint(z) < p.size[0], uint(v) < p.size[1]));
    uint row_in = uint(clamp(z, 0, int(p.size[0]) - 1)) * p.size[1] + uint(clamp(v, 0, int(p.size[1]) - 1));
    float columns[4 * LOADS];
    uint keys[4 * LOADS];
    [[unroll]] for (uint k = 0; k < LOADS; ++k) {
      vec4 four = load4((plane_rows + row_in) * p.size[2], start_x + int(4 * k), row_inside);
      [[unroll]] for (uint c = 0; c < 4; ++c) columns[4 * k + c] = four[c];
    }
    if (INDICES != 0)
      [[unroll]] for (uint c = 0; c < 4 * LOADS; ++c) keys[c] = key_of(columns[c]);
    [[unroll]] for (uint u = 0; u < KX; ++u) {
      [[unroll]] for (uint o = 0; o < COLUMNS; ++o) {
        uint at = LEAD + o * SX + u * DX;
        float value = columns[at];
        if (KIND == POOL_AVERAGE) {
          total[o] += value;
        } else if (KIND == POOL_LP) {
          total[o] += power(abs(value));
        } else if (INDICES != 0) {
          bool takes = keys[at] > magnitude[o];
          magnitude[o] = mix(magnitude[o], keys[at], takes);
          best[o] = mix(best[o], row_in * p.size[2] + uint(start_x + int(at)), takes);
        } else {
          // A NaN shows in the largest magnitude, taken as an integer; max() may drop it.
          total[o] = max(total[o], value);
          magnitude[o] = max(magnitude[o], floatBitsToUint(value) & 0x7fffffffu);
        }
      }
    }
  }

  uint first = row_out * p.out_size[2] + column_out;
  uint count_zy = 1;
  if (KIND == POOL_AVERAGE && p.divisor == 0) {
    int low = COUNT_PAD != 0 ? -0x40000000 : 0;  // the padding before counts whole, that behind up to `end`
    int end_z = int(p.size[0] + (COUNT_PAD != 0 ? p.end[0] : 0)), end_y = int(p.size[1] + (COUNT_PAD != 0 ? p.end[1] : 0));
    count_zy = taps_within(start_z, KZ, DZ, low, end_z) * taps_within(start_y, KY, DY, low, end_y);
  }
  vec4 results;
  [[unroll]] for (uint o = 0; o < COLUMNS; ++o) {
    uint count = p.divisor;
    if (KIND == POOL_AVERAGE && p.divisor == 0) {
      int low = COUNT_PAD != 0 ? -0x40000000 : 0, end_x = int(p.size[2] + (COUNT_PAD != 0 ? p.end[2] : 0));
      count = count_zy * taps_within(start_x + int(LEAD + o * SX), KX, DX, low, end_x);
    }
    results[o] = result_of(total[o], count);
    if (INDICES != 0)
      results[o] = float_of_key(magnitude[o]);
    else if (KIND == POOL_MAX)
      results[o] = magnitude[o] > 0x7f800000u ? QUIET_NAN : results[o];
  }
  if (VEC_OUT != 0) STORE4(y4, first / 4, results);
  [[unroll]] for (uint o = 0; o < COLUMNS; ++o)
    if (column_out + o < p.out_size[2]) {
      if (VEC_OUT == 0) STORE(y, first + o, results[o]);
      if (INDICES != 0) index[first + o] = int(best[o]);
    }
}
