#ifndef FOVEA_AFFINE_GRID_H
#define FOVEA_AFFINE_GRID_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define AFFINE_GRID_SPEC(X) X(0, WG, 128) X(1, DIMS, 2) X(2, ALIGN_CORNERS, 0)
FOVEA_SPEC(AffineGridSpec, AFFINE_GRID_SPEC)

struct AffineGridParams {
  uint n;        // positions of all images
  uint size[3];  // width, height, depth (1 in 2-D)
};

FOVEA_SHADER_END
#endif
