#ifndef FOVEA_LIB_NORMALIZE_ROWS_H
#define FOVEA_LIB_NORMALIZE_ROWS_H
#include "shared.h"

FOVEA_SHADER_BEGIN

// Where weights and biases are, and in what type.
#define NORMALIZE_ABSENT 0
#define NORMALIZE_STORED 1  // in the type of x
#define NORMALIZE_WIDE 2    // in f32

#define NORMALIZE_SPEC(X) \
  X(0, WG, 128) \
  X(1, LANES, 128)    /* invocations that share a row: a power of two, WG at most */ \
  X(2, SUBGROUPS, 1)  /* of the workgroup, where lanes meet in their operations */ \
  X(3, VEC, 0)        /* rows, and runs of a weight, are of a multiple of 4 elements: four a load */ \
  X(4, HELD, 0)       /* fours that a lane has of a row, which it keeps in registers; 0: rows are read again for each pass */ \
  X(5, CENTRED, 1)    /* 0: divided by the root of the mean square alone */ \
  X(6, WEIGHT, 0) X(7, BIAS, 0) \
  X(8, RUNS, 0)       /* a weight has a run of elements, not one */

struct NormalizeRowsParams {
  uint rows, width;
  float inverse_width;
  float eps;
  uint weights;  // of a row
  uint period;   // after so many rows they are the same again
  uint run[3];   // elements of a weight, as a divisor (lib/divide.glsl)
  uint chunks;   // of a row, where it is in several
  uint chunk;    // elements of one, the last may have fewer
};

FOVEA_SHADER_END
#endif
