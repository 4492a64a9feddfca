// y[n, c, position] = sum over taps t of weight_t · x[n, c, texel_t], the texels around the point that the grid names
// there (Jaderberg et al. 2015, eq. 3-5; coordinates, padding and the cubic kernel as PyTorch's grid_sample has them).
//
// One invocation a position and a block of channels: texels and weights are found once and serve every channel.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16
#include "grid_sample.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { GridSampleParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) readonly buffer Grid { float grid[]; };
#ifdef DTYPE_f16
layout(set = 0, binding = 1) readonly buffer GridHalf { float16_t grid_half[]; };
#define LOAD_GRID(i) (HALF_GRID != 0 ? float(grid_half[i]) : grid[i])
#else
#define LOAD_GRID(i) grid[i]
#endif
layout(set = 0, binding = 2) writeonly buffer Y { STORE_T y[]; };

const uint AXIS_TAPS = INTERPOLATION == SAMPLE_NEAREST ? 1 : INTERPOLATION == SAMPLE_LINEAR ? 2 : 4;
const uint TAPS = AXIS_TAPS * AXIS_TAPS * (DIMS == 3 ? AXIS_TAPS : 1);

// The texels that a coordinate touches along one axis. Offsets are inside x whatever the coordinate; a texel outside
// has mask 0 and counts as zero.
struct AxisTaps {
  float weight[4];
  uint offset[4], mask[4];
};

// In texels: texel k has its centre at k.
float texel_coordinate(float c, float size) {
  return ALIGN_CORNERS != 0 ? (c + 1.0) * 0.5 * (size - 1.0) : ((c + 1.0) * size - 1.0) * 0.5;
}

// Folded back and forth between the centres (ALIGN_CORNERS) or the outer edges of the first and last texel.
float reflected(float at, float size) {
  float low = ALIGN_CORNERS != 0 ? 0.0 : -0.5, span = ALIGN_CORNERS != 0 ? size - 1.0 : size;
  float way = abs(at - low);
  if (span == 0.0 || (floatBitsToUint(way) & 0x7fffffffu) >= 0x7f800000u) return 0.0;
  float turns = floor(way / span), rest = way - turns * span;
  return (turns - 2.0 * floor(0.5 * turns) != 0.0 ? span - rest : rest) + low;
}

float padded(float at, float size) {
  if (PADDING == SAMPLE_ZEROS) return at;
  if (PADDING == SAMPLE_REFLECTION) at = reflected(at, size);
  return is_nan(at) ? 0.0 : clamp(at, 0.0, size - 1.0);
}

// Keys' cubic with a = -3/4, for distances up to 1 and from 1 to 2.
float cubic_near(float d) { return (1.25 * d - 2.25) * d * d + 1.0; }
float cubic_far(float d) { return ((-0.75 * d + 3.75) * d - 6.0) * d + 3.0; }

AxisTaps axis_taps(float c, uint size, uint stride) {
  AxisTaps taps;
  float extent = float(size), at = texel_coordinate(c, extent);
  if (INTERPOLATION != SAMPLE_CUBIC) {
    at = padded(at, extent);
    at = is_nan(at) ? -100.0 : clamp(at, -100.0, extent + 100.0);  // outside stays outside
  }
  float first = INTERPOLATION == SAMPLE_NEAREST ? roundEven(at) : floor(at), t = at - first;
  if (INTERPOLATION == SAMPLE_NEAREST) {
    taps.weight[0] = 1.0;
  } else if (INTERPOLATION == SAMPLE_LINEAR) {
    taps.weight[0] = 1.0 - t;
    taps.weight[1] = t;
  } else {
    taps.weight[0] = cubic_far(1.0 + t);
    taps.weight[1] = cubic_near(t);
    taps.weight[2] = cubic_near(1.0 - t);
    taps.weight[3] = cubic_far(2.0 - t);
    first -= 1.0;
  }
  [[unroll]] for (uint k = 0; k < AXIS_TAPS; ++k) {
    float texel = first + float(k);
    if (INTERPOLATION == SAMPLE_CUBIC) texel = padded(texel, extent);
    taps.mask[k] = texel >= 0.0 && texel <= extent - 1.0 ? 0xffffffffu : 0u;
    texel = clamp(texel, 0.0, extent - 1.0);
    taps.offset[k] = stride * min(uint(max(int(texel + 0.5), 0)), size - 1u);  // a NaN may become any integer
  }
  return taps;
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint position = i % p.positions, rest = i / p.positions;
  uint image = rest / p.blocks, channel = rest % p.blocks * p.block;

  uint g = (image * p.positions + position) * DIMS;
  AxisTaps across = axis_taps(LOAD_GRID(g), p.size[0], 1), down = axis_taps(LOAD_GRID(g + 1), p.size[1], p.size[0]);
  AxisTaps deep;
  if (DIMS == 3) deep = axis_taps(LOAD_GRID(g + 2), p.size[2], p.size[0] * p.size[1]);
  float weight[16];
  uint offset[16], mask[16];
  [[unroll]] for (uint t = 0; t < TAPS; ++t) {
    uint kx = t % AXIS_TAPS, ky = t / AXIS_TAPS % AXIS_TAPS, kz = t / (AXIS_TAPS * AXIS_TAPS);
    weight[t] = across.weight[kx] * down.weight[ky];
    offset[t] = across.offset[kx] + down.offset[ky];
    mask[t] = across.mask[kx] & down.mask[ky];
    if (DIMS == 3) {
      weight[t] *= deep.weight[kz];
      offset[t] += deep.offset[kz];
      mask[t] &= deep.mask[kz];
    }
  }

  uint plane = p.size[0] * p.size[1] * p.size[2];
  uint from = (image * p.channels + channel) * plane, to = (image * p.channels + channel) * p.positions + position;
  uint count = min(p.block, p.channels - channel);
  for (uint c = 0; c < count; ++c) {
    float sum = 0.0;
    // An outside texel is no number at all: its mask must hide an infinity that stands where its offset points.
    [[unroll]] for (uint t = 0; t < TAPS; ++t)
      sum += weight[t] * uintBitsToFloat(floatBitsToUint(LOAD(x, from + offset[t])) & mask[t]);
    STORE(y, to, sum);
    from += plane;
    to += p.positions;
  }
}
