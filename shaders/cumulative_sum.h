#ifndef FOVEA_CUMULATIVE_SUM_H
#define FOVEA_CUMULATIVE_SUM_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

#define CUMULATIVE_WHOLE 0   // rows
#define CUMULATIVE_TOTALS 1  // sums of chunks, to scratch
#define CUMULATIVE_STARTS 2  // what stands before each chunk, from those to other scratch
#define CUMULATIVE_CHUNKS 3  // chunks, from there on

#define CUMULATIVE_SUM_SPEC(X) X(0, WG, 128) X(1, STAGE, CUMULATIVE_WHOLE) X(2, EXCLUSIVE, 0) X(3, REVERSE, 0)
FOVEA_SPEC(CumulativeSumSpec, CUMULATIVE_SUM_SPEC)

// x is [outer, n, inner]; a row is what runs along n.
struct CumulativeSumParams {
  uint invocations;  // rows, or rows * chunks
  uint n;
  uint inner;
  uint chunk, chunks;  // elements of a chunk, chunks of a row
};

FOVEA_SHADER_END
#endif
