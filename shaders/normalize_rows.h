#ifndef FOVEA_NORMALIZE_ROWS_H
#define FOVEA_NORMALIZE_ROWS_H
#include "lib/normalize_rows.h"

FOVEA_SHADER_BEGIN

// What a launch makes of what.
#define NORMALIZE_WHOLE 0    // rows to results
#define NORMALIZE_PARTIAL 1  // a chunk of a row to its mean and the sum of its squared deviations
#define NORMALIZE_FINISH 2   // those of a row, and a chunk, to results

#define NORMALIZE_ROWS_SPEC(X) \
  NORMALIZE_SPEC(X) \
  X(9, RESIDUAL, 0)   /* binding 3 is added to x first; not with FINISH, where it has what PARTIAL made */ \
  X(10, SUM, 0)       /* and the sum written to binding 5 */ \
  X(11, STATISTICS, 0) /* 1: the inverse deviation to binding 6; 2: the mean to binding 7, too */ \
  X(12, ACTIVATION, 0) \
  X(13, STAGE, 0)
FOVEA_SPEC(NormalizeRowsSpec, NORMALIZE_ROWS_SPEC)

FOVEA_SHADER_END
#endif
