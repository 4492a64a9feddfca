#ifndef FOVEA_SOFTMAX_H
#define FOVEA_SOFTMAX_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define SOFTMAX_AXES 7  // of the rows: all but the one that the softmax runs along

#define SOFTMAX_SPEC(X) \
  X(0, WG, 128) \
  X(1, LANES, 128) /* invocations that share a row: WG or 1 */ \
  X(2, MASK, 0)    /* binding 1 is a mask of words */ \
  X(3, LOG, 0)     /* log-softmax */ \
  X(4, ZERO_EMPTY, 0) /* a row of -inf alone gives zeros */ \
  X(5, AXES, 1)    /* of the rows, after merging */ \
  X(6, VEC, 0)     /* rows are dense, of a multiple of 4 elements: four a load */ \
  X(7, HELD, 0)    /* with VEC: fours that a lane has of a row, which it keeps in registers; 0: rows are read twice */
FOVEA_SPEC(SoftmaxSpec, SOFTMAX_SPEC)

// Row r, unravelled over `extents` (outermost first), starts at the sum of its coordinates times the strides. Strides
// are in elements; those of the mask are 0 where it broadcasts.
struct SoftmaxParams {
  uint rows;
  uint n;          // elements of a row
  uint step;       // from one to the next in x
  uint mask_step;  // and in the mask
  float scale;     // of x, before all else
  uint extents[SOFTMAX_AXES], strides[SOFTMAX_AXES], mask_strides[SOFTMAX_AXES];
};

FOVEA_SHADER_END
#endif
