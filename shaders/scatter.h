#ifndef FOVEA_SCATTER_H
#define FOVEA_SCATTER_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define SCATTER_SPEC(X) \
  X(0, WG, 128) X(1, REPLACE, 0) /* else add */ \
  X(2, SHARED, 0) /* one list of indices for every line */ \
  X(3, SORTED, 0) /* the list is sorted, and `order` says where its entries stood */ \
  X(4, ONTO, 0)   /* x, not zeros */
FOVEA_SPEC(ScatterSpec, SCATTER_SPEC)

// Tensors as [outer, axis, inner].
struct ScatterParams {
  uint n;        // elements of y
  uint extent;   // of y along the axis
  uint inner;
  uint count;    // indices a line
  uint updates;  // extent of the updates along the axis
};

FOVEA_SHADER_END
#endif
