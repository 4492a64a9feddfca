#ifndef FOVEA_SEPARABLE_H
#define FOVEA_SEPARABLE_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define SEPARABLE_ALL 0
#define SEPARABLE_POINTS_HERE 1
#define SEPARABLE_POINTED_AT 2

#define SEPARABLE_SPEC(X) X(0, WG, 128) X(1, CHOICE, SEPARABLE_ALL)
FOVEA_SPEC(SeparableSpec, SEPARABLE_SPEC)

// Three axes, z y x, absent ones of extent 1.
struct SeparableParams {
  uint n;  // elements of the output
  uint size[3], out_size[3];
  // Where an axis begins in the table: first taps of its rows and the end of the last, then column and weight of each tap.
  uint rows[3], taps[3];
};

FOVEA_SHADER_END
#endif
