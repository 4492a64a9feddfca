// Rows of few bits (fovea/ops/quantize.hpp), where QUANTIZED says which. After lib/quantized.h.
#ifndef FOVEA_QUANTIZED_GLSL
#define FOVEA_QUANTIZED_GLSL

const uint CODES_A_WORD = QUANTIZED == QUANTIZED_INT4 ? 8 : 4, NUMBERS_A_ROW = QUANTIZED == QUANTIZED_INT4 ? 2 : 1;

// Codes 4 i to 4 i + 3 of a row, of which they lie in this word.
vec4 codes_of(int word, uint i) {
  if (QUANTIZED == QUANTIZED_INT8)
    return vec4(bitfieldExtract(word, 0, 8), bitfieldExtract(word, 8, 8), bitfieldExtract(word, 16, 8), bitfieldExtract(word, 24, 8));
  uint half_word = uint(word) >> (i % 2 * 16);
  return vec4(half_word & 15u, half_word >> 4 & 15u, half_word >> 8 & 15u, half_word >> 12 & 15u);
}

// Elements 4 i to 4 i + 3 of a row of SIZE.
#define FOVEA_QUANTIZED_LOADER(name, words, SIZE)                                               \
  vec4 name(uint row, uint i) {                                                                 \
    uint at = row * (NUMBERS_A_ROW + SIZE / CODES_A_WORD);                                      \
    vec4 codes = codes_of(words[at + NUMBERS_A_ROW + 4 * i / CODES_A_WORD], i);                 \
    float scale = intBitsToFloat(words[at]);                                                    \
    if (QUANTIZED == QUANTIZED_INT8) return scale * codes;                                      \
    return intBitsToFloat(words[at + 1]) + scale * codes;                                       \
  }

#endif
