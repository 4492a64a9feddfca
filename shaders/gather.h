#ifndef FOVEA_GATHER_H
#define FOVEA_GATHER_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define GATHER_SPEC(X) X(0, WG, 128) X(1, RANK, 1) X(2, DIVISOR_WORDS, 1)
FOVEA_SPEC(GatherSpec, GATHER_SPEC)

// Words of the push constants: extents of y but the outermost, as divisors; strides of x, 0 along the axes that the
// index walks; strides of the index.
#define GATHER_WORDS 29

struct GatherParams {
  uint n;            // elements of y
  uint extent;       // of x along the axis
  uint axis_stride;  // of x
  uint words[GATHER_WORDS];
};

FOVEA_SHADER_END
#endif
