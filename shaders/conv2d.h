#ifndef FOVEA_CONV2D_H
#define FOVEA_CONV2D_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define CONV2D_SPEC(X) \
  X(0, WG, 64) \
  X(1, BIAS, 0) \
  X(2, ACTIVATION, 0) \
  X(3, PX, 4)         /* neighbouring output pixels of a row an invocation makes */ \
  X(4, TO, 16)        /* output channels an invocation makes: 1, or a multiple of 4 and then weights are packed */ \
  X(5, KU, 1)         /* taps along x a turn: KW or 1 */ \
  X(6, STRIDE_X, 1) \
  X(7, DILATION_X, 1) \
  X(8, SHARED_COLUMNS, 0) /* load each input column of a turn once, not once a pixel and tap */ \
  X(9, STORE_VEC, 0)  /* PX and WO are multiples of 4 */ \
  X(10, TAPS, 1)      /* of KU, that a sum takes in at a time: KU or 1 */

// x [N, groups·C, H, W], weight [groups·O, C, KH, KW], y [N, groups·O, HO, WO].
struct Conv2dParams {
  uint groups;
  uint C, O;  // of one group
  uint H, W, KH, KW, HO, WO;
  uint stride_y, top, left, dilation_y;
  uint lanes;          // N · HO · ceil(WO / PX)
  uint channel_tiles;  // ceil(O / TO)
};

#define CONV2D_PACK_SPEC(X) X(0, WG, 128)

// weight [groups·O, C, taps] -> [groups, ceil(O / TO), taps, C, TO]; channels past O repeat the last one.
struct Conv2dPackParams {
  uint n;  // elements of the result
  uint C, O, taps, TO;
};

#ifdef __cplusplus
FOVEA_SPEC(Conv2dSpec, CONV2D_SPEC)
FOVEA_SPEC(Conv2dPackSpec, CONV2D_PACK_SPEC)
#endif

FOVEA_SHADER_END
#endif
