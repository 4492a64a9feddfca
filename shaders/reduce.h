#ifndef FOVEA_REDUCE_H
#define FOVEA_REDUCE_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// Operations, in the order of fovea::Reduce.
#define REDUCE_SUM 0
#define REDUCE_MEAN 1
#define REDUCE_MAX 2
#define REDUCE_MIN 3
#define REDUCE_PROD 4
#define REDUCE_L1 5
#define REDUCE_L2 6
#define REDUCE_SUM_SQUARE 7
#define REDUCE_LOGSUMEXP 8
#define REDUCE_LOG_SUM 9
#define REDUCE_VARIANCE 10
#define REDUCE_ARGMAX 11
#define REDUCE_ARGMIN 12

// What a launch makes of what.
#define REDUCE_WHOLE 0    // elements to results
#define REDUCE_PARTIAL 1  // elements to one state a chunk
#define REDUCE_COMBINE 2  // states to results

#define REDUCE_AXES 4   // of a kind: of eight axes no more than four stay apart after merging
#define REDUCE_WORDS 3  // of a state in scratch

#define REDUCE_SPEC(X) \
  X(0, WG, 128) \
  X(1, LANES, 128) /* invocations that share an output: WG or 1 */ \
  X(2, OP, 0) X(3, STAGE, 0) \
  X(4, KEPT, 1) X(5, REDUCED, 1) /* axes of each kind */ \
  X(6, VEC, 0) /* the innermost reduced axis is dense and every run starts and ends at a multiple of 4 elements */
FOVEA_SPEC(ReduceSpec, REDUCE_SPEC)

// Axes of a kind are outermost first and their index space is row-major: kept ones, then from REDUCE_AXES on reduced
// ones. Strides are in elements of x.
struct ReduceParams {
  uint outputs;  // the kept index space
  uint n;        // the reduced index space
  uint chunks;   // states an output; 1 when whole
  uint chunk;    // elements of a chunk, the last may be shorter
  uint extents[2 * REDUCE_AXES], strides[2 * REDUCE_AXES];
  float scale;   // mean: 1/n; variance: 1/(n - correction)
};

FOVEA_SHADER_END
#endif
