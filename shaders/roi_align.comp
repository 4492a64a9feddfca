// y[r, c, v, u]: the average, or the largest weighted texel, over a bin's samples, each a bilinear interpolation of the
// region's picture (He et al. 2017, section 3; ONNX RoiAlign). One invocation an element.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "roi_align.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { RoiAlignParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 3) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 4) writeonly buffer Winner { int winner[]; };
#include "lib/roi.glsl"

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint bx = i % p.bins[0], rest = i / p.bins[0];
  uint by = rest % p.bins[1];
  rest /= p.bins[1];
  uint channel = rest % p.channels, roi = rest / p.channels, image = batch[roi];
  RoiAxis across = roi_axis(roi, 0), down = roi_axis(roi, 1);
  uint from = (min(image, p.images - 1) * p.channels + channel) * p.size[0] * p.size[1];

  float sum = 0.0, best = 0.0;
  int who = -1;
  bool any = false;
  uint count = image < p.images ? across.count * down.count : 0;
  for (uint s = 0; s < count; ++s) {
    RoiTaps tx = roi_taps(sample_place(across, bx, s % across.count), p.size[0]);
    RoiTaps ty = roi_taps(sample_place(down, by, s / across.count), p.size[1]);
    bool inside = tx.inside && ty.inside;
    [[unroll]] for (uint t = 0; t < 4; ++t) {
      uint column = (t & 1u) != 0u ? tx.high : tx.low, row = t >= 2 ? ty.high : ty.low;
      float weight = ((t & 1u) != 0u ? tx.upper : 1.0 - tx.upper) * (t >= 2 ? ty.upper : 1.0 - ty.upper);
      float value = inside ? weight * LOAD(x, from + row * p.size[0] + column) : 0.0;
      sum += value;
      bool takes = !any || value > best || (is_nan(value) && !is_nan(best));
      best = takes ? value : best;
      who = takes ? (inside ? int(4 * s + t) : -1) : who;
      any = true;
    }
  }
  STORE(y, i, MAXIMUM != 0 ? best : sum / float(max(count, 1u)));
  if (WINNERS != 0) winner[i] = who;
}
