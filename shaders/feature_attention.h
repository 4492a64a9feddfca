// What feature_attention and its gradient share with C++.
#ifndef FOVEA_FEATURE_ATTENTION_H
#define FOVEA_FEATURE_ATTENTION_H
#include "lib/additive.h"
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define FEATURE_ATTENTION_AXES 6  // leading ones

// Values of SIDE: whose sums a lane makes.
#define FEATURE_ATTENTION_QUERIES 0
#define FEATURE_ATTENTION_KEYS 1

#define FEATURE_ATTENTION_SPEC(X) \
  X(0, WG, 64) \
  X(1, A, 64)        /* features */ \
  X(2, ROWS, 1)      /* rows of its side a lane */ \
  X(3, KEYS, 4)      /* keys a step */ \
  X(4, ACTIVATION, 0) \
  X(5, MASK, 0)      /* binding 3 is a mask of words */ \
  X(6, STATS, 0)     /* binding 5 takes what the gradient needs */ \
  X(7, AXES, 0)      /* leading axes of the mask, after merging */ \
  X(8, SIDE, 0)      /* of the gradient */
FOVEA_SPEC(FeatureAttentionSpec, FEATURE_ATTENTION_SPEC)

struct FeatureAttentionParams {
  uint groups, queries, keys;
  float scale;
  int band_low, band_high;  // query i sees keys i + band_low <= j <= i + band_high
  uint mask_i, mask_j;      // elements from one query, key to the next
  uint extents[FEATURE_ATTENTION_AXES], mask_strides[FEATURE_ATTENTION_AXES];  // of the leading axes, outermost first
};

FOVEA_SHADER_END
#endif
