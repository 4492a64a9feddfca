// What feature_attention and its gradient do alike: where a workgroup stands, which keys a query sees, the score.
// After feature_attention.h, dtype.glsl and math.glsl.
#ifndef FOVEA_FEATURE_ATTENTION_GLSL
#define FOVEA_FEATURE_ATTENTION_GLSL
#include "additive.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { FeatureAttentionParams p; };
layout(set = 0, binding = 0) readonly buffer Q { STORE_T q[]; };
layout(set = 0, binding = 1) readonly buffer K { STORE_T k[]; };
layout(set = 0, binding = 2) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 3) readonly buffer M { uint mask[]; };

#define EACH_ROW [[unroll]] for (uint r = 0; r < ROWS; ++r)

// One feature, ROWS rows from `first` on, of one batch. All but the feature is the same for the whole workgroup.
struct Place {
  uint lane, feature, first, batch, mask;
};
Place place_of(uint group, uint rows) {
  uint feature_blocks = (A + WG - 1) / WG, row_blocks = (rows + ROWS - 1) / ROWS;
  Place at;
  at.lane = group % feature_blocks * WG + gl_LocalInvocationID.x;
  at.feature = min(at.lane, A - 1);
  group /= feature_blocks;
  at.first = group % row_blocks * ROWS;
  at.batch = group / row_blocks;
  at.mask = 0;
  uint rest = at.batch;
  if (MASK != 0) [[unroll]] for (uint i = 0; i < AXES; ++i) {
    uint axis = AXES - 1 - i;
    at.mask += rest % p.extents[axis] * p.mask_strides[axis];
    rest /= p.extents[axis];
  }
  return at;
}

bool sees(Place at, uint query, uint key) {
  if (int(key) < int(query) + p.band_low || int(key) > int(query) + p.band_high) return false;
  return MASK == 0 || mask[at.mask + query * p.mask_i + key * p.mask_j] != 0u;
}

#endif
