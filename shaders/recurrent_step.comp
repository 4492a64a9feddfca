// One step of a recurrent cell, from the two parts of its gates: the inputs', a row of [T,B,G·H], and the state's, the
// product with h. The formulas stand in recurrent.hpp. Where a sequence has ended its state stays, and its output is 0.
//
// One invocation an element of the state.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant TAPE plain tape
#pragma variant DTYPE f32 f16 bf16
#include "recurrent.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { RecurrentParams p; };
layout(set = 0, binding = 0) readonly buffer Gates { STORE_T gates[]; };
layout(set = 0, binding = 1) readonly buffer Hidden { STORE_T hidden[]; };  // [B, FIRST_GATES·H]
layout(set = 0, binding = 2) readonly buffer H { STORE_T h[]; };
layout(set = 0, binding = 3) readonly buffer C { STORE_T c[]; };  // of gru_reset_first the product U_n·(r·h)
layout(set = 0, binding = 4) readonly buffer Lengths { int lengths[]; };
layout(set = 0, binding = 5) writeonly buffer Out { STORE_T y[]; };
layout(set = 0, binding = 6) writeonly buffer HTo { STORE_T h_to[]; };  // of STAGE_FIRST r·h
layout(set = 0, binding = 7) writeonly buffer CTo { STORE_T c_to[]; };
#ifdef TAPE_tape  // else one buffer less: as many as every device has
layout(set = 0, binding = 8) writeonly buffer Tape { STORE_T tape[]; };
#define KEEP(part, x) STORE(tape, row * RECURRENT_TAPE_PARTS(CELL) * p.H + (part) * p.H + j, x)
#else
#define KEEP(part, x)
#endif

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint b = i / p.H, j = i % p.H, row = p.row + b;
  uint of_x = row * RECURRENT_GATES(CELL) * p.H + j, of_h = b * RECURRENT_FIRST_GATES(CELL) * p.H + j;
#define FROM_X(gate) LOAD(gates, of_x + (gate) * p.H)
#define FROM_H(gate) LOAD(hidden, of_h + (gate) * p.H)
#define GATE(gate) (FROM_X(gate) + FROM_H(gate))

  float h_new, h_old = LOAD(h, i), c_new = 0.0, c_old = 0.0;
  if (CELL == CELL_LSTM) {
    c_old = LOAD(c, i);
    float in_gate = sigmoid(GATE(0)), forget = sigmoid(GATE(1)), g = tanh_safe(GATE(2)), o = sigmoid(GATE(3));
    c_new = forget * c_old + in_gate * g;
    h_new = o * tanh_safe(c_new);
    KEEP(0, in_gate);
    KEEP(1, forget);
    KEEP(2, g);
    KEEP(3, o);
    KEEP(4, c_old);
  } else if (CELL == CELL_GRU || CELL == CELL_GRU_RESET_FIRST) {
    float r = sigmoid(GATE(0));
    if (STAGE == RECURRENT_FIRST) {
      STORE(h_to, i, r * h_old);
      return;
    }
    float z = GATE(1), k = sigmoid(Z_TAKES != 0 ? -z : z), n_hidden = CELL == CELL_GRU ? FROM_H(2) : LOAD(c, i);
    float n = tanh_safe(FROM_X(2) + (CELL == CELL_GRU ? r * n_hidden : n_hidden));
    h_new = n + k * (h_old - n);
    KEEP(0, r);
    KEEP(1, k);
    KEEP(2, n);
    if (CELL == CELL_GRU) KEEP(3, n_hidden);
  } else {
    h_new = CELL == CELL_RNN_TANH ? tanh_safe(GATE(0)) : max_nan(GATE(0), 0.0);
    KEEP(0, h_new);
  }
  KEEP(RECURRENT_TAPE_PARTS(CELL) - 1, h_old);

  bool ended = LENGTHS != 0 && int(p.t) >= lengths[b];
  STORE(y, i + p.row * p.H, ended ? 0.0 : h_new);
  STORE(h_to, i, ended ? h_old : h_new);
  if (CELL == CELL_LSTM) STORE(c_to, i, ended ? c_old : c_new);
}
