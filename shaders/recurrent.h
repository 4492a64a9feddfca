// What the two kernels of recurrent_scan share: a step of a cell, and the step back.
#ifndef FOVEA_RECURRENT_H
#define FOVEA_RECURRENT_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// Cells, as recurrent.hpp numbers them; a static_assert holds them to it.
#define CELL_RNN_TANH 0
#define CELL_RNN_RELU 1
#define CELL_LSTM 2
#define CELL_GRU 3
#define CELL_GRU_RESET_FIRST 4

// Gates of a cell, and how many of them the product with h makes before any gate is known.
#define RECURRENT_GATES(cell) ((cell) == CELL_LSTM ? 4 : (cell) >= CELL_GRU ? 3 : 1)
#define RECURRENT_FIRST_GATES(cell) ((cell) == CELL_GRU_RESET_FIRST ? 2 : RECURRENT_GATES(cell))
// The tape holds of each step what the way back needs, [T,B,parts·H]; the last part is the state that the step starts from.
//   rnn              h', h
//   lstm             i, f, g, o, c, h
//   gru              r, k, n, hidden part of n's gate, h       with k what h is weighed by
//   gru_reset_first  r, k, n, h
#define RECURRENT_TAPE_PARTS(cell) \
  ((cell) == CELL_LSTM ? 6 : (cell) == CELL_GRU ? 5 : (cell) == CELL_GRU_RESET_FIRST ? 4 : 2)

// gru_reset_first takes two launches a step, with a product of H by H in between: forward r·h and then the rest, on the
// way back z and n and then r.
#define RECURRENT_WHOLE 0
#define RECURRENT_FIRST 1
#define RECURRENT_SECOND 2

#define RECURRENT_SPEC(X) \
  X(0, WG, 128) \
  X(1, CELL, CELL_LSTM) \
  X(2, STAGE, RECURRENT_WHOLE) \
  X(3, LENGTHS, 0) /* sequences end: beyond its length a state stays */ \
  X(4, Z_TAKES, 0) /* z weighs n, not h */
FOVEA_SPEC(RecurrentSpec, RECURRENT_SPEC)

// Gradients that arrive, as bits of RecurrentParams::arrives.
#define RECURRENT_D_OUT 1
#define RECURRENT_D_H 2
#define RECURRENT_D_C 4

struct RecurrentParams {
  uint n;  // B·H
  uint H;
  uint t;
  uint row;      // t·B: the step's first row of what is [T,B,...]
  uint arrives;  // backward
};

FOVEA_SHADER_END
#endif
