// Any chain of elementwise operations as one launch: a straight-line program over registers, given as specialisation
// constants, so that the driver compiles it to plain arithmetic.
#ifndef FOVEA_ELEMENTWISE_H
#define FOVEA_ELEMENTWISE_H
#include "lib/shared.h"

FOVEA_SHADER_BEGIN

// Instruction codes. Registers are 32-bit words; F: floats, I: signed integers, B: booleans (0 or 1).
#define ELEMENTWISE_CODES(X) \
  X(CODE_COPY, 0) X(CODE_NEG, 1) X(CODE_ABS, 2) X(CODE_SIGN, 3) X(CODE_EXP, 4) X(CODE_LOG, 5) X(CODE_SQRT, 6) \
  X(CODE_RSQRT, 7) X(CODE_RECIPROCAL, 8) X(CODE_SQUARE, 9) X(CODE_SIN, 10) X(CODE_COS, 11) X(CODE_TANH, 12) \
  X(CODE_SIGMOID, 13) X(CODE_RELU, 14) X(CODE_GELU, 15) X(CODE_GELU_TANH, 16) X(CODE_SILU, 17) \
  X(CODE_SOFTPLUS, 18) X(CODE_ELU, 19) X(CODE_MISH, 20) X(CODE_HARDSWISH, 21) X(CODE_HARDSIGMOID, 22) \
  X(CODE_ERF, 23) X(CODE_FLOOR, 24) X(CODE_CEIL, 25) X(CODE_ROUND, 26) X(CODE_NOT, 27) X(CODE_EXP2, 28) \
  X(CODE_LOG2, 29) \
  X(CODE_ADD, 32) X(CODE_SUB, 33) X(CODE_MUL, 34) X(CODE_DIV, 35) X(CODE_POW, 36) X(CODE_MIN, 37) X(CODE_MAX, 38) \
  X(CODE_EQUAL, 39) X(CODE_NOT_EQUAL, 40) X(CODE_LESS, 41) X(CODE_LESS_EQUAL, 42) X(CODE_GREATER, 43) \
  X(CODE_GREATER_EQUAL, 44) X(CODE_AND, 45) X(CODE_OR, 46) X(CODE_LEAKY_RELU, 47) X(CODE_MOD, 48) \
  X(CODE_SELECT, 64) X(CODE_F_TO_I, 65) X(CODE_I_TO_F, 66) X(CODE_F_TO_B, 67) X(CODE_B_TO_F, 68) X(CODE_I_TO_B, 69) \
  X(CODE_I_NEG, 80) X(CODE_I_ABS, 81) X(CODE_I_SIGN, 82) X(CODE_I_SQUARE, 83) X(CODE_I_RELU, 84) \
  X(CODE_I_ADD, 96) X(CODE_I_SUB, 97) X(CODE_I_MUL, 98) X(CODE_I_DIV, 99) X(CODE_I_MIN, 100) X(CODE_I_MAX, 101) \
  X(CODE_I_EQUAL, 102) X(CODE_I_NOT_EQUAL, 103) X(CODE_I_LESS, 104) X(CODE_I_LESS_EQUAL, 105) \
  X(CODE_I_GREATER, 106) X(CODE_I_GREATER_EQUAL, 107) X(CODE_I_MOD, 108)
#ifdef __cplusplus
#define FOVEA_CODE(name, value) inline constexpr uint name = value;
#else
#define FOVEA_CODE(name, value) const uint name = value;
#endif
ELEMENTWISE_CODES(FOVEA_CODE)
#undef FOVEA_CODE

// An instruction word: code | a << 8 | b << 16 | c << 24. A register number: inputs, then scalars, then results.
#define ELEMENTWISE_INPUTS 4
#define ELEMENTWISE_SCALARS 4
#define ELEMENTWISE_STEPS 8
#define ELEMENTWISE_FIRST_SCALAR 4
#define ELEMENTWISE_FIRST_RESULT 8
#define ELEMENTWISE_REGISTERS 16
// Words of the push constants: extents of all axes but the outermost, as divisors; the strides of each input; scalars.
#define ELEMENTWISE_WORDS 31

#define ELEMENTWISE_SPEC(X) \
  X(0, WG, 128) X(1, RANK, 1) X(2, DIVISOR_WORDS, 1) X(3, INPUTS, 1) X(4, SCALARS, 0) X(5, STEPS, 1) \
  X(6, HALF_INPUTS, 0) /* bit i: input i is f16 */ X(7, HALF_OUTPUT, 0) \
  X(8, STEP0, 0) X(9, STEP1, 0) X(10, STEP2, 0) X(11, STEP3, 0) X(12, STEP4, 0) X(13, STEP5, 0) X(14, STEP6, 0) \
  X(15, STEP7, 0) X(16, BFLOAT_INPUTS, 0) /* bit i: input i is bf16 */ X(17, BFLOAT_OUTPUT, 0)
FOVEA_SPEC(ElementwiseSpec, ELEMENTWISE_SPEC)

struct ElementwiseParams {
  uint n;  // elements of the output
  uint words[ELEMENTWISE_WORDS];
};

FOVEA_SHADER_END
#endif
