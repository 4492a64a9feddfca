#ifndef FOVEA_SORT_H
#define FOVEA_SORT_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define SORT_RUN 32  // elements that are sorted by counting

#define SORT_SPEC(X) \
  X(0, WG, 128) X(1, MERGE, 0) /* two runs into one; else the first runs, from x */ \
  X(2, LAST, 0)       /* what comes out is the result */ \
  X(3, DESCENDING, 0) X(4, INTEGER, 0) X(5, BFLOAT, 0) /* halves are bf16, not f16 */
FOVEA_SPEC(SortSpec, SORT_SPEC)

// x is [outer, n, inner]; a row is what runs along n. Scratch holds, for each row, `runs` runs of `slots` places, of which
// run r uses the first min(slots, n - r * covers).
struct SortParams {
  uint invocations;
  uint n;
  uint inner;
  uint keep;    // elements of a row that come out, the first ones
  uint covers;  // elements of x that a run stands for: one that comes in with MERGE, one that goes out without
  uint runs, slots;            // that come in (MERGE)
  uint next_runs, next_slots;  // that go out
};

FOVEA_SHADER_END
#endif
