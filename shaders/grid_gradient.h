// Of the three kernels of the sampler's gradient: grid_bounds, grid_to_texels, grid_to_points.
#ifndef FOVEA_GRID_GRADIENT_H
#define FOVEA_GRID_GRADIENT_H
#include "lib/shared.h"
#include "grid_kind.h"

FOVEA_SHADER_BEGIN

#define GRID_BOUND_WORDS 6  // of a tile: first and last texel along x, y, z

#define GRID_GRADIENT_SPEC(X) \
  X(0, WG, 64) X(1, DIMS, 2) X(2, INTERPOLATION, SAMPLE_LINEAR) X(3, PADDING, SAMPLE_ZEROS) \
  X(4, ALIGN_CORNERS, 0) X(5, HALF_GRID, 0) /* as in grid_sample.h */ \
  X(6, BLOCK, 1)  /* grid_to_texels: channels of an invocation, at most 8 */
FOVEA_SPEC(GridGradientSpec, GRID_GRADIENT_SPEC)

struct GridGradientParams {
  uint n;          // invocations
  uint positions;  // of the grid, an image
  uint channels, blocks;
  uint tile, tiles;  // positions in a run of them, and runs an image
  uint size[3];      // of the picture: width, height, depth (1 in 2-D)
};

FOVEA_SHADER_END
#endif
