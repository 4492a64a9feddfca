#ifndef FOVEA_DEFORM_H
#define FOVEA_DEFORM_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define DEFORM_CHANNELS 8  // that an invocation of deform_texels sums, at most

#define DEFORM_SPEC(X) X(0, WG, 128) X(1, MASK, 0)
FOVEA_SPEC(DeformSpec, DEFORM_SPEC)

// x [N, G·C, H, W], offset [N, G·KH·KW·2, HO, WO] of pairs (y,x), mask [N, G·KH·KW, HO, WO],
// columns [N, G·C·KH·KW, HO·WO]. All f32.
struct DeformParams {
  uint n;     // invocations
  uint G, C;  // groups of offsets, channels of one
  uint H, W, KH, KW, HO, WO;
  uint stride_y, stride_x, dilation_y, dilation_x, top, left;
  uint block;  // channels of a group an invocation takes
  uint list;   // samples of a group that deform_texels is given: all, or a piece of the sorted list
};

FOVEA_SHADER_END
#endif
