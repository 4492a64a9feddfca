// The step back of a recurrent cell: from the gradient of the state after it, those of the gates and, but for what goes
// through the product, of the state before it. Values are the tape's (recurrent.h), derivatives by the chain rule:
//   lstm  dc += dh·o·(1-tanh²c'), the gates i: dc·g·i(1-i), f: dc·c·f(1-f), g: dc·i·(1-g²), o: dh·tanh(c')·o(1-o); dc·f
//   gru   h' = n + k(h-n): n: dh(1-k)(1-n²), r of n's hidden part, z: dh(h-n)·k(1-k), r: dn·hidden·r(1-r); dh·k
// Where the sequence had ended the gates' gradients are 0 and the state's pass.
//
// One invocation an element of the state.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant DTYPE f32 f16 bf16
#include "recurrent.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { RecurrentParams p; };
layout(set = 0, binding = 0) readonly buffer Tape { STORE_T tape[]; };
layout(set = 0, binding = 1) readonly buffer DOut { STORE_T d_out[]; };
layout(set = 0, binding = 2) readonly buffer DH { STORE_T d_h[]; };  // SECOND: the state's, as FIRST left it
layout(set = 0, binding = 3) readonly buffer DC { STORE_T d_c[]; };  // SECOND: of r·h
layout(set = 0, binding = 4) readonly buffer Lengths { int lengths[]; };
layout(set = 0, binding = 5) writeonly buffer DHidden { STORE_T d_hidden[]; };  // [T,B,G·H], of the hidden parts
layout(set = 0, binding = 6) writeonly buffer DGates { STORE_T d_gates[]; };    // [B, FIRST_GATES·H], for the product
layout(set = 0, binding = 7) writeonly buffer DHTo { STORE_T d_h_to[]; };
// lstm: of c; gru: [T,B,G·H], of the inputs' parts; FIRST: [B,H], of n's gate, for the product that makes d(r·h)
layout(set = 0, binding = 8) writeonly buffer DMore { STORE_T d_more[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint b = i / p.H, j = i % p.H, row = p.row + b;
  uint of_tape = row * RECURRENT_TAPE_PARTS(CELL) * p.H + j, of_all = row * RECURRENT_GATES(CELL) * p.H + j;
  uint of_step = b * RECURRENT_FIRST_GATES(CELL) * p.H + j;
#define PART(part) LOAD(tape, of_tape + (part) * p.H)
#define GIVE(gate, x) \
  { \
    float given = ended ? 0.0 : x; \
    STORE(d_hidden, of_all + (gate) * p.H, given); \
    if ((gate) < RECURRENT_FIRST_GATES(CELL)) STORE(d_gates, of_step + (gate) * p.H, given); \
  }
  bool ended = LENGTHS != 0 && int(p.t) >= lengths[b];

  float passed = (p.arrives & RECURRENT_D_H) != 0u ? LOAD(d_h, i) : 0.0, dh = passed;
  if ((p.arrives & RECURRENT_D_OUT) != 0u) dh += LOAD(d_out, i + p.row * p.H);
  if (CELL == CELL_LSTM) {
    float in_gate = PART(0), forget = PART(1), g = PART(2), o = PART(3), c = PART(4);
    float t = tanh_safe(forget * c + in_gate * g), c_passed = (p.arrives & RECURRENT_D_C) != 0u ? LOAD(d_c, i) : 0.0;
    float dc = c_passed + dh * o * (1.0 - t * t);
    GIVE(0, dc * g * in_gate * (1.0 - in_gate));
    GIVE(1, dc * c * forget * (1.0 - forget));
    GIVE(2, dc * in_gate * (1.0 - g * g));
    GIVE(3, dh * t * o * (1.0 - o));
    STORE(d_more, i, ended ? c_passed : dc * forget);
    if (LENGTHS != 0) STORE(d_h_to, i, ended ? passed : 0.0);
  } else if (CELL == CELL_GRU || CELL == CELL_GRU_RESET_FIRST) {
    float r = PART(0), k = PART(1), n = PART(2), h = PART(RECURRENT_TAPE_PARTS(CELL) - 1);
    if (STAGE == RECURRENT_SECOND) {
      float d_reset = LOAD(d_c, i);
      GIVE(0, d_reset * h * r * (1.0 - r));
      STORE(d_h_to, i, ended ? passed : passed + d_reset * r);
      return;
    }
    float dn = dh * (1.0 - k) * (1.0 - n * n), dz = dh * (h - n) * k * (1.0 - k);
    GIVE(1, Z_TAKES != 0 ? -dz : dz);
    STORE(d_h_to, i, ended ? passed : dh * k);
    if (CELL == CELL_GRU) {
      float dr = dn * PART(3) * r * (1.0 - r);
      GIVE(0, dr);
      GIVE(2, dn * r);
      STORE(d_more, of_all, ended ? 0.0 : dr);
      STORE(d_more, of_all + p.H, ended ? 0.0 : Z_TAKES != 0 ? -dz : dz);
      STORE(d_more, of_all + 2 * p.H, ended ? 0.0 : dn);
    } else {
      GIVE(2, dn);
      STORE(d_more, i, ended ? 0.0 : dn);
    }
  } else {
    float y = PART(0);
    GIVE(0, CELL == CELL_RNN_TANH ? dh * (1.0 - y * y) : y > 0.0 ? dh : 0.0);
    if (LENGTHS != 0) STORE(d_h_to, i, ended ? passed : 0.0);
  }
}
