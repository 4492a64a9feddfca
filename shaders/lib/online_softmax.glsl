// softmax(s)·v over keys that come in blocks, without storing the scores: a running maximum m, the running sum l of
// exp(s - m), and whatever is accumulated with the same weights. (Milakov & Gimelshein 2018, algorithm 3)
//
// For each block:  float to = max over the block's scores and state.m;
//                  float keep = raise(state, to);      // what was accumulated is multiplied by it
//                  weight(state, s) for each score;    // added to state.l by the caller
// At the end:      settle(state), and then          normalized(state, accumulated), log_sum_exp(state).
//
// A forbidden key has the score -inf and weight 0. m starts at the least finite number instead of -inf, so that no
// difference is -inf - -inf, and a score of that very number (a finite mask on every key) still weighs 1. A score of NaN
// or +inf makes l and with it the row NaN, whatever the driver's max() and exp() make of it: the sum of all s - m tells.
#ifndef FOVEA_ONLINE_SOFTMAX_GLSL
#define FOVEA_ONLINE_SOFTMAX_GLSL

struct OnlineSoftmax {
  float m, l, differences;
};

OnlineSoftmax online_softmax_start() { return OnlineSoftmax(uintBitsToFloat(0xff7fffffu), 0.0, 0.0); }

float raise(inout OnlineSoftmax state, float to) {
  float keep = exp(state.m - to);
  state.m = to;
  state.l *= keep;
  return keep;
}

float weight(inout OnlineSoftmax state, float score) {
  float difference = score - state.m;  // <= 0 or NaN
  state.differences += difference;
  return exp(difference);
}

void settle(inout OnlineSoftmax state) {
  if (is_nan(state.differences)) state.l = QUIET_NAN;
}

// l is 0 only where every key was forbidden, for the largest score weighs 1. Such a row gives zeros.
bool nothing_seen(OnlineSoftmax state) { return state.l == 0.0; }
vec4 normalized(OnlineSoftmax state, vec4 sum) { return nothing_seen(state) ? vec4(0.0) : sum * (1.0 / state.l); }
float log_sum_exp(OnlineSoftmax state) { return nothing_seen(state) ? NEGATIVE_INFINITY : state.m + log_ieee(state.l); }

#endif
