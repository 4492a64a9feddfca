#ifndef FOVEA_CONV2D_H
#define FOVEA_CONV2D_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// Output channels and output pixels that one invocation computes; the shader's registers are named for them.
#define CONV2D_CHANNELS 8
#define CONV2D_PIXELS 4

#define CONV2D_SPEC(X) X(0, WG, 64) X(1, BIAS, 0) X(2, ACTIVATION, 0)
FOVEA_SPEC(Conv2dSpec, CONV2D_SPEC)

// x [N, groups·C, H, W], weight [groups·O, C, KH, KW], y [N, groups·O, HO, WO].
struct Conv2dParams {
  uint images;  // N
  uint groups;
  uint C, O;  // of one group
  uint H, W, KH, KW, HO, WO;
  uint stride_y, stride_x, top, left, dilation_y, dilation_x;
  uint channel_tiles;  // ceil(O / CONV2D_CHANNELS)
  uint pixel_tiles;    // ceil(HO·WO / (WG·CONV2D_PIXELS))
};

FOVEA_SHADER_END
#endif
