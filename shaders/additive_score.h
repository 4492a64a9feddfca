// What additive_score and its gradient share with C++.
#ifndef FOVEA_ADDITIVE_SCORE_H
#define FOVEA_ADDITIVE_SCORE_H
#include "lib/additive.h"
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// One side is owned: of additive_score the longer one, of its gradient that of the rows summed for.
#define ADDITIVE_SCORE_SPEC(X) \
  X(0, WG, 64) \
  X(1, A, 64)          /* features */ \
  X(2, ROWS, 1)        /* additive_score: rows of the other side a lane; its gradient: of the owned side */ \
  X(3, OWN, 1)         /* additive_score: rows of the owned side a lane */ \
  X(4, ACTIVATION, 0) \
  X(5, D_ROWS, 0)      /* of the gradient: binding 4 takes that of the owned rows */ \
  X(6, D_V, 0)         /* of the gradient: binding 5 takes each owned row's part of that of v */ \
  X(7, PARTIAL, 0)     /* of the gradient: binding 5 takes sums over parts of the other side, for additive_score_sum */
FOVEA_SPEC(AdditiveScoreSpec, ADDITIVE_SCORE_SPEC)

struct AdditiveScoreParams {
  uint groups;
  uint owned, others;            // rows of a batch
  uint owned_step, other_step;   // from one row to the next in the scores
  uint heads;                    // vectors v; batch b has number b % heads
  uint parts, part;              // of the gradient: parts of the other side, 1 without PARTIAL, and rows of one
  uint rows;                     // owned rows of all batches
};

FOVEA_SHADER_END
#endif
