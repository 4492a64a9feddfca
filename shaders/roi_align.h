// Of roi_align, and of roi_to_texels, its way back.
#ifndef FOVEA_ROI_ALIGN_H
#define FOVEA_ROI_ALIGN_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define ROI_MOST_SAMPLES 255  // along an axis of a bin

#define ROI_ALIGN_SPEC(X) \
  X(0, WG, 64) X(1, MAXIMUM, 0) \
  X(2, WINNERS, 0) /* maximum: binding 4 takes which sample and tap it is, 4·sample + tap, or -1 */ \
  X(3, ALIGNED, 0)
FOVEA_SPEC(RoiAlignSpec, ROI_ALIGN_SPEC)

struct RoiAlignParams {
  uint n;  // elements of the result
  uint images, channels, rois;
  uint size[2], bins[2];  // x, y
  uint samples;           // an axis and bin; 0: one for each begun pixel
  float scale;
};

FOVEA_SHADER_END
#endif
