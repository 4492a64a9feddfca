#ifndef FOVEA_CACHE_APPEND_H
#define FOVEA_CACHE_APPEND_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define CACHE_APPEND_SPEC(X) X(0, WG, 128)
FOVEA_SPEC(CacheAppendSpec, CACHE_APPEND_SPEC)

struct CacheAppendParams {
  uint n;               // elements of the rows
  uint size, rows;      // of a row, and rows a head
  uint heads, places;   // heads a batch item, and rows of the cache a head
  uint position_b;      // positions from one batch item to the next
};

FOVEA_SHADER_END
#endif
