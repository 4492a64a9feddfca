#ifndef FOVEA_CACHE_APPEND_H
#define FOVEA_CACHE_APPEND_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define CACHE_APPEND_SPEC(X) \
  X(0, WG, 128) \
  X(1, PAGED, 0)  /* the cache is pages, of which a table says whose they are */
FOVEA_SPEC(CacheAppendSpec, CACHE_APPEND_SPEC)

struct CacheAppendParams {
  uint n;               // elements of the rows
  uint size, rows;      // of a row, and rows a head
  uint heads, places;   // heads a batch item, and rows of the cache a head: of all pages of an item
  uint position_b;      // positions from one batch item to the next
  uint page, pages;     // rows a page, and pages in all
};

FOVEA_SHADER_END
#endif
