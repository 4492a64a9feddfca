#ifndef FOVEA_NORMALIZE_ROWS_WEIGHTS_H
#define FOVEA_NORMALIZE_ROWS_WEIGHTS_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// What a launch makes of what.
#define NORMALIZE_WEIGHTS_WHOLE 0    // elements to gradients
#define NORMALIZE_WEIGHTS_PARTIAL 1  // elements to one sum a chunk and weight
#define NORMALIZE_WEIGHTS_COMBINE 2  // these to gradients

#define NORMALIZE_ROWS_WEIGHTS_SPEC(X) \
  X(0, WG, 128) \
  X(1, LANES, 1)      /* invocations that share a weight and chunk: WG or 1 */ \
  X(2, SUBGROUPS, 1)  /* of the workgroup, where lanes meet in their operations */ \
  X(3, VEC, 0)        /* four elements a load: neighbours of a run, or those of four weights */ \
  X(4, STAGE, 0) \
  X(5, CENTRED, 1) X(6, RUNS, 0) /* of normalize_rows */ \
  X(7, WEIGHT, 0) X(8, BIAS, 0)  /* which gradients are made */
FOVEA_SPEC(NormalizeRowsWeightsSpec, NORMALIZE_ROWS_WEIGHTS_SPEC)

// x is [outer, count, run].
struct NormalizeRowsWeightsParams {
  uint outer, count;
  uint width;    // elements of a run
  uint weights;  // of a row
  uint chunks;   // of the outer index
  uint chunk;    // outer indices of one, the last may have fewer
};

FOVEA_SHADER_END
#endif
