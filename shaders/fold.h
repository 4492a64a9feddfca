#ifndef FOVEA_FOLD_H
#define FOVEA_FOLD_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define FOLD_SPEC(X) \
  X(0, WG, 128) X(1, STRIDE_Y, 1) X(2, STRIDE_X, 1) X(3, DILATION_Y, 1) X(4, DILATION_X, 1) X(5, KH, 1) X(6, KW, 1)
FOVEA_SPEC(FoldSpec, FOLD_SPEC)

// x [planes, KH·KW, HO·WO], y [planes, H, W].
struct FoldParams {
  uint n;  // elements of y
  uint H, W, HO, WO;
  uint top, left;
};

FOVEA_SHADER_END
#endif
