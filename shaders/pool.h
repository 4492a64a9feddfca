#ifndef FOVEA_POOL_H
#define FOVEA_POOL_H
#include "lib/shared.h"
#include "pool_kind.h"

FOVEA_SHADER_BEGIN

#define POOL_SPEC(X) \
  X(0, WG, 128) \
  X(1, KIND, 0)        /* POOL_* */ \
  X(2, INDICES, 0)     /* binding 2 takes the flat index of the maximum in its plane */ \
  X(3, COUNT_PAD, 0)   /* average: padding counts in the divisor */ \
  X(4, ADAPTIVE, 0)    /* windows from the extents alone */
FOVEA_SPEC(PoolSpec, POOL_SPEC)

// Three spatial axes, z y x, absent ones of extent 1. begin, end: padding.
struct PoolParams {
  uint n;  // elements of the output
  uint size[3], out_size[3], kernel[3], stride[3], begin[3], end[3], dilation[3];
  uint divisor;  // average: 0 is the count
  float p;       // lp
};

FOVEA_SHADER_END
#endif
