#ifndef FOVEA_DYNAMIC_CONV1D_H
#define FOVEA_DYNAMIC_CONV1D_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// WG, taps, neighbouring positions of an invocation, channels of a load: 1 or 4.
#define DYNAMIC_CONV1D_SPEC(X) X(0, WG, 128) X(1, K, 3) X(2, ROWS, 4) X(3, VEC, 1) X(4, TRANSPOSED, 0)
// TAPS of an invocation; SUM: over its positions, to one result.
#define DYNAMIC_CONV1D_WEIGHTS_SPEC(X) X(0, WG, 128) X(1, K, 3) X(2, ROWS, 4) X(3, VEC, 1) X(4, TAPS, 4) X(5, SUM, 0)
#ifdef __cplusplus
FOVEA_SPEC(DynamicConvSpec, DYNAMIC_CONV1D_SPEC)
FOVEA_SPEC(DynamicConvWeightsSpec, DYNAMIC_CONV1D_WEIGHTS_SPEC)
#endif

struct DynamicConvParams {
  uint n;         // invocations
  uint T, C;
  uint channels;  // of a head
  uint offset;    // the first tap of position i is i - offset
  uint blocks;    // of positions
  uint weight_b, weight_t;  // strides of weight; 0: broadcasts
};

// The weights' gradient [B or 1, blocks or T, H, K].
struct DynamicConvWeightsParams {
  uint n;
  uint T, C, H;
  uint channels;
  uint offset;
  uint blocks, span;  // blocks of so many positions
  uint samples;       // summed over
};

FOVEA_SHADER_END
#endif
