// dx[n, c, texel] = sum over the regions of picture n, in their order, of the weights that their samples give the texel
// times dy: the adjoint of roi_align in x. MAXIMUM: of each bin, the sample and tap that won.
//
// One invocation a texel and channel. Of a region it visits the bins that reach the texel.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "roi_align.h"
#include "lib/dtype.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { RoiAlignParams p; };
layout(set = 0, binding = 0) readonly buffer Dy { STORE_T dy[]; };
layout(set = 0, binding = 3) readonly buffer Winner { int winner[]; };
layout(set = 0, binding = 4) writeonly buffer Dx { STORE_T dx[]; };
#include "lib/roi.glsl"

// [first, last) of `count` things that stand `step_` apart from `start` on and may touch a texel, one more on each side
// for rounding.
uvec2 near(uint texel, uint size, float start, float step_, uint count) {
  if (!(step_ > 1e-6)) return uvec2(0, count);
  float low = texel == 0 ? -1.0 : float(texel) - 1.0, high = texel + 1 == size ? float(size) : float(texel) + 1.0;
  float most = float(count);
  return uvec2(uint(clamp(floor((low - start) / step_) - 1.0, 0.0, most)), uint(clamp(floor((high - start) / step_) + 2.0, 0.0, most)));
}

// What a place gives the texel.
float weight_of(float place, uint texel, uint size) {
  RoiTaps taps = roi_taps(place, size);
  if (!taps.inside) return 0.0;
  return (taps.low == texel ? 1.0 - taps.upper : 0.0) + (taps.high == texel ? taps.upper : 0.0);
}

// What all samples of a bin give the texel.
float bin_weight(RoiAxis along, uint bin, uint texel, uint size) {
  uvec2 range = near(texel, size, sample_place(along, bin, 0), along.step_, along.count);
  float weight = 0.0;
  for (uint s = range.x; s < range.y; ++s) weight += weight_of(sample_place(along, bin, s), texel, size);
  return weight;
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint tx = i % p.size[0], rest = i / p.size[0];
  uint ty = rest % p.size[1];
  rest /= p.size[1];
  uint channel = rest % p.channels, image = rest / p.channels;

  float sum = 0.0;
  for (uint roi = 0; roi < p.rois; ++roi) {
    if (batch[roi] != image) continue;
    RoiAxis across = roi_axis(roi, 0), down = roi_axis(roi, 1);
    uint count = across.count * down.count;
    if (count == 0) continue;
    uvec2 rows = near(ty, p.size[1], down.start, down.bin, p.bins[1]);
    uvec2 columns = near(tx, p.size[0], across.start, across.bin, p.bins[0]);
    uint from = (roi * p.channels + channel) * p.bins[0] * p.bins[1];
    float of_roi = 0.0;
    for (uint by = rows.x; by < rows.y; ++by) {
      float weight_y = MAXIMUM != 0 ? 1.0 : bin_weight(down, by, ty, p.size[1]);
      if (weight_y == 0.0) continue;
      for (uint bx = columns.x; bx < columns.y; ++bx) {
        uint at = from + by * p.bins[0] + bx;
        float weight = 0.0;
        if (MAXIMUM == 0) {
          weight = weight_y * bin_weight(across, bx, tx, p.size[0]) / float(count);
        } else if (winner[at] >= 0) {
          uint s = uint(winner[at]) / 4, t = uint(winner[at]) % 4;
          RoiTaps x = roi_taps(sample_place(across, bx, s % across.count), p.size[0]);
          RoiTaps y = roi_taps(sample_place(down, by, s / across.count), p.size[1]);
          bool here = ((t & 1u) != 0u ? x.high : x.low) == tx && (t >= 2 ? y.high : y.low) == ty;
          if (here) weight = ((t & 1u) != 0u ? x.upper : 1.0 - x.upper) * (t >= 2 ? y.upper : 1.0 - y.upper);
        }
        of_roi += weight * LOAD(dy, at);
      }
    }
    sum += of_roi;
  }
  STORE(dx, i, sum);
}
