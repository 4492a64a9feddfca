// The texels that a point of a grid touches, along one axis: what sampling and its gradients share. Include after
// grid_sample.h and math.glsl.
#ifndef FOVEA_GRID_TAPS_GLSL
#define FOVEA_GRID_TAPS_GLSL

layout(set = 0, binding = 1) readonly buffer Grid { float grid[]; };
#if STORE_BYTES == 2
layout(set = 0, binding = 1) readonly buffer GridHalf { STORE_T grid_half[]; };
#define LOAD_GRID(i) (HALF_GRID != 0 ? LOAD(grid_half, i) : grid[i])
#else
#define LOAD_GRID(i) grid[i]
#endif

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

// How the weights of axis_taps(c) change with c, tap by tap. Zero where the coordinate is clipped, at the edge too, and
// of the other sign after an odd number of folds (as PyTorch has it); nearest does not change.
void axis_slopes(float c, uint size, out float slope[4]) {
  float extent = float(size), at = texel_coordinate(c, extent), along = 0.5 * (ALIGN_CORNERS != 0 ? extent - 1.0 : extent);
  slope[0] = slope[1] = slope[2] = slope[3] = 0.0;
  if (INTERPOLATION == SAMPLE_LINEAR) {
    if (PADDING == SAMPLE_REFLECTION) {
      float low = ALIGN_CORNERS != 0 ? 0.0 : -0.5, span = ALIGN_CORNERS != 0 ? extent - 1.0 : extent;
      float turns = span > 0.0 ? floor(abs(at - low) / span) : 0.0;
      bool odd = turns - 2.0 * floor(0.5 * turns) != 0.0;
      along = span > 0.0 ? ((at < low) != odd ? -along : along) : 0.0;
      at = reflected(at, extent);
    }
    if (PADDING != SAMPLE_ZEROS && !(at > 0.0 && at < extent - 1.0)) along = 0.0;
    slope[0] = -along;
    slope[1] = along;
  } else if (INTERPOLATION == SAMPLE_CUBIC) {
    float t = at - floor(at), u = 1.0 - t;
    slope[0] = along * ((-2.25 * (1.0 + t) + 7.5) * (1.0 + t) - 6.0);
    slope[1] = along * (3.75 * t - 4.5) * t;
    slope[2] = -along * (3.75 * u - 4.5) * u;
    slope[3] = -along * ((-2.25 * (1.0 + u) + 7.5) * (1.0 + u) - 6.0);
  }
}

#endif
