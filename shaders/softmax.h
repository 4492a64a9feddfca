#ifndef FOVEA_SOFTMAX_H
#define FOVEA_SOFTMAX_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define SOFTMAX_SPEC(X) \
  X(0, WG, 128) \
  X(1, LANES, 128) /* invocations that share a row: WG (rows in turn) or 1 */ \
  X(2, MASK, 0)    /* binding 1 is a mask of words */ \
  X(3, LOG, 0)     /* log-softmax */ \
  X(4, ZERO_EMPTY, 0) /* a row of -inf alone gives zeros */
FOVEA_SPEC(SoftmaxSpec, SOFTMAX_SPEC)

// x is [outer, n, inner] and the softmax runs along n.
struct SoftmaxParams {
  uint rows;  // outer * inner
  uint n;
  uint inner;
};

FOVEA_SHADER_END
#endif
