// Division by numbers known at launch: a multiplication and a shift, where the push constants have room for them.
// A divisor is DIVISOR_WORDS words there (engine/ops/strided.hpp: PushWords): itself, and with 3 of them multiplier and
// shift. Exact for n < 2^31 (Granlund & Montgomery 1994, "Division by invariant integers using multiplication").
#ifndef FOVEA_DIVIDE_GLSL
#define FOVEA_DIVIDE_GLSL

// Returns n mod d and leaves n / d in n.
uint split(inout uint n, uint d) {
  uint q = n / d, r = n - q * d;
  n = q;
  return r;
}
uint split(inout uint n, uint d, uint multiplier, uint shift) {
  uint high, low;
  umulExtended(n, multiplier, high, low);
  uint q = (high + n) >> shift, r = n - q * d;
  n = q;
  return r;
}

// Divisor k of those that stand at the beginning of `words`.
#define SPLIT(n, words, k) \
  (DIVISOR_WORDS == 3 ? split(n, words[3 * (k)], words[3 * (k) + 1], words[3 * (k) + 2]) : split(n, words[k]))

#endif
