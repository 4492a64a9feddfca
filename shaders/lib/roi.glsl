// Where a region's samples lie and which texels they touch: what roi_align and its gradient share. Include after
// roi_align.h.
#ifndef FOVEA_ROI_GLSL
#define FOVEA_ROI_GLSL

layout(set = 0, binding = 1) readonly buffer Rois { float rois[]; };
layout(set = 0, binding = 2) readonly buffer Batch { uint batch[]; };

// Bin b of one axis reaches from start + b·bin on; `count` samples in it, `step_` apart.
struct RoiAxis {
  float start, bin, step_;
  uint count;
};

RoiAxis roi_axis(uint roi, uint axis) {
  float offset = ALIGNED != 0 ? 0.5 : 0.0;
  RoiAxis along;
  along.start = rois[4 * roi + axis] * p.scale - offset;
  float reach = rois[4 * roi + 2 + axis] * p.scale - offset - along.start;
  if (ALIGNED == 0) reach = max(reach, 1.0);
  along.bin = reach / float(p.bins[axis]);
  along.count = p.samples != 0 ? p.samples : uint(clamp(ceil(along.bin), 0.0, float(ROI_MOST_SAMPLES)));
  along.step_ = along.bin / float(max(along.count, 1u));
  return along;
}

float sample_place(RoiAxis along, uint bin, uint i) { return along.start + float(bin) * along.bin + (float(i) + 0.5) * along.step_; }

// The two texels about a place, and the weight of the upper one. A place more than one texel outside touches none.
struct RoiTaps {
  uint low, high;
  float upper;
  bool inside;
};

RoiTaps roi_taps(float at, uint size) {
  RoiTaps taps;
  taps.inside = at >= -1.0 && at <= float(size);
  at = clamp(at, 0.0, float(size - 1));
  taps.low = min(uint(at), size - 1);
  taps.high = min(taps.low + 1, size - 1);
  taps.upper = at - float(taps.low);
  return taps;
}

#endif
