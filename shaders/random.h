#ifndef FOVEA_RANDOM_H
#define FOVEA_RANDOM_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define RANDOM_BITS 0
#define RANDOM_UNIFORM 1
#define RANDOM_NORMAL 2
#define RANDOM_GUMBEL 3

#define RANDOM_SPEC(X) X(0, WG, 128) X(1, KIND, RANDOM_UNIFORM)
FOVEA_SPEC(RandomSpec, RANDOM_SPEC)

struct RandomParams {
  uint n;
  uint stream;
};

FOVEA_SHADER_END
#endif
