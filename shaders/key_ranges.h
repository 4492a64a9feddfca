#ifndef FOVEA_KEY_RANGES_H
#define FOVEA_KEY_RANGES_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// What lengths and starts are clamped to: sums of three of them and of a window stay within 32 bits.
#define KEY_RANGES_MOST 536870912

#define KEY_RANGES_SPEC(X) \
  X(0, WG, 128) \
  X(1, PACKED, 0)        /* starts of the sequences of one axis, not lengths by batch */ \
  X(2, BOTTOM_RIGHT, 0)
FOVEA_SPEC(KeyRangesSpec, KEY_RANGES_SPEC)

struct KeyRangesParams {
  uint rows, queries;  // rows: ranges in all
  uint starts, steps;  // how many starts, and steps of a search among them
  int low, high;       // query at p sees keys p + low <= j <= p + high
};

FOVEA_SHADER_END
#endif
