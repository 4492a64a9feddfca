#ifndef FOVEA_GRID_SAMPLE_H
#define FOVEA_GRID_SAMPLE_H
#include "lib/shared.h"
#include "grid_kind.h"

FOVEA_SHADER_BEGIN

#define GRID_SAMPLE_SPEC(X) \
  X(0, WG, 128) X(1, DIMS, 2) X(2, INTERPOLATION, SAMPLE_LINEAR) X(3, PADDING, SAMPLE_ZEROS) \
  X(4, ALIGN_CORNERS, 0) X(5, HALF_GRID, 0) /* the grid is as x, of 16 bits; else it is f32 */
FOVEA_SPEC(GridSampleSpec, GRID_SAMPLE_SPEC)

struct GridSampleParams {
  uint n;          // invocations: images * blocks * positions
  uint positions;  // of the output, an image
  uint channels;
  uint blocks, block;     // of channels: how many, channels in each but the last
  uint size[3];    // of x: width, height, depth (1 in 2-D)
};

FOVEA_SHADER_END
#endif
