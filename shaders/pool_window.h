#ifndef FOVEA_POOL_WINDOW_H
#define FOVEA_POOL_WINDOW_H
#include "lib/shared.h"
#include "pool_kind.h"

FOVEA_SHADER_BEGIN

#define POOL_COLUMNS 4  // outputs along x that an invocation computes

#define POOL_WINDOW_SPEC(X) \
  X(0, WG, 128) \
  X(1, KIND, 0) X(2, INDICES, 0) X(3, COUNT_PAD, 0) /* as in pool.h */ \
  X(4, KZ, 1) X(5, KY, 1) X(6, KX, 1)    /* kernel */ \
  X(7, SZ, 1) X(8, SY, 1) X(9, SX, 1)    /* stride */ \
  X(10, DZ, 1) X(11, DY, 1) X(12, DX, 1) /* dilation */ \
  X(13, BEGIN_X, 0) /* padding */ \
  X(14, VEC, 0)     /* rows of x have a multiple of 4 elements: four a load */ \
  X(15, VEC_OUT, 0) /* and those of y: four a store */ \
  X(16, POWER, 0)   /* lp: p, which is 1, 2, 3 or 4 */
FOVEA_SPEC(PoolWindowSpec, POOL_WINDOW_SPEC)

// Three spatial axes, z y x, absent ones of extent 1. begin, end: padding.
struct PoolWindowParams {
  uint n;        // invocations: rows of the output times groups of columns
  uint columns;  // groups of columns of a row
  uint size[3], out_size[3], begin[3], end[3];
  uint divisor;  // average: 0 is the count
};

FOVEA_SHADER_END
#endif
