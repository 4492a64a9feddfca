#ifndef FOVEA_NORMALIZE_ROWS_BACKWARD_H
#define FOVEA_NORMALIZE_ROWS_BACKWARD_H
#include "lib/normalize_rows.h"

FOVEA_SHADER_BEGIN

#define NORMALIZE_ROWS_BACKWARD_SPEC(X) \
  NORMALIZE_SPEC(X) \
  X(9, ADDED, 0) /* binding 5 is added to the gradient */
FOVEA_SPEC(NormalizeRowsBackwardSpec, NORMALIZE_ROWS_BACKWARD_SPEC)

FOVEA_SHADER_END
#endif
