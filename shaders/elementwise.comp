// y[i] = program(a[i], b[i], c[i], d[i]) with broadcasting: any chain of elementwise operations.
//
// One invocation an element of the output. The launch's axes are collapsed first, so that dense operands cost one
// index and a bias two. STORAGE_half adds views of the same buffers as f16 and as bf16; which view an operand takes is a
// specialisation constant.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant STORAGE word half
#ifdef STORAGE_half
#extension GL_EXT_shader_16bit_storage : require
#endif
#include "elementwise.h"
#include "lib/bfloat.glsl"
#include "lib/divide.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { ElementwiseParams p; };
layout(set = 0, binding = 0) readonly buffer A { uint a[]; };
layout(set = 0, binding = 1) readonly buffer B { uint b[]; };
layout(set = 0, binding = 2) readonly buffer C { uint c[]; };
layout(set = 0, binding = 3) readonly buffer D { uint d[]; };
layout(set = 0, binding = 4) writeonly buffer Y { uint y[]; };
#ifdef STORAGE_half
layout(set = 0, binding = 0) readonly buffer AHalf { float16_t a_half[]; };
layout(set = 0, binding = 1) readonly buffer BHalf { float16_t b_half[]; };
layout(set = 0, binding = 2) readonly buffer CHalf { float16_t c_half[]; };
layout(set = 0, binding = 3) readonly buffer DHalf { float16_t d_half[]; };
layout(set = 0, binding = 4) writeonly buffer YHalf { float16_t y_half[]; };
layout(set = 0, binding = 0) readonly buffer ABfloat { uint16_t a_bfloat[]; };
layout(set = 0, binding = 1) readonly buffer BBfloat { uint16_t b_bfloat[]; };
layout(set = 0, binding = 2) readonly buffer CBfloat { uint16_t c_bfloat[]; };
layout(set = 0, binding = 3) readonly buffer DBfloat { uint16_t d_bfloat[]; };
layout(set = 0, binding = 4) writeonly buffer YBfloat { uint16_t y_bfloat[]; };
#define IS(inputs, k) (((inputs >> k) & 1u) != 0u)
#define FETCH(k, name, i)                                                 \
  (IS(HALF_INPUTS, k)     ? floatBitsToUint(float(name##_half[i]))        \
   : IS(BFLOAT_INPUTS, k) ? uint(name##_bfloat[i]) << 16                  \
                          : name[i])
#else
#define FETCH(k, name, i) name[i]
#endif

#define F(x) uintBitsToFloat(x)

uint float_result(float x) { return floatBitsToUint(x); }

uint unary(uint code, uint word) {
  float x = F(word);
  switch (code) {
    case CODE_COPY: return word;
    case CODE_NEG: return word ^ 0x80000000u;
    case CODE_ABS: return word & 0x7fffffffu;
    case CODE_SIGN: return is_nan(x) ? word : float_result(sign(x));
    case CODE_EXP: return float_result(exp_ieee(x));
    case CODE_LOG: return float_result(log_ieee(x));
    case CODE_SQRT: return float_result(sqrt(x));
    case CODE_RSQRT: return float_result(inversesqrt(x));
    case CODE_RECIPROCAL: return float_result(1.0 / x);
    case CODE_SQUARE: { precise float r = x * x; return float_result(r); }
    case CODE_SIN: return float_result(sin_ieee(x));
    case CODE_COS: return float_result(cos_ieee(x));
    case CODE_TANH: return float_result(tanh_safe(x));
    case CODE_SIGMOID: return float_result(sigmoid(x));
    case CODE_RELU: return float_result(max_nan(x, 0.0));
    case CODE_GELU: return float_result(gelu(x));
    case CODE_GELU_TANH: return float_result(gelu_tanh(x));
    case CODE_SILU: return float_result(x * sigmoid(x));
    case CODE_SOFTPLUS: return float_result(softplus(x));
    case CODE_ELU: return float_result(x > 0.0 ? x : expm1(x));
    case CODE_MISH: return float_result(x * tanh_safe(softplus(x)));
    case CODE_HARDSWISH: return float_result(x * hardsigmoid(x));
    case CODE_HARDSIGMOID: return float_result(hardsigmoid(x));
    case CODE_ERF: return float_result(erf(x));
    case CODE_FLOOR: return float_result(floor(x));
    case CODE_CEIL: return float_result(ceil(x));
    case CODE_ROUND: return float_result(roundEven(x));
    case CODE_NOT: return word != 0u ? 0u : 1u;
    case CODE_EXP2: return float_result(exp2_ieee(x));
    case CODE_LOG2: return float_result(log2_ieee(x));
    case CODE_F_TO_I:
      return is_nan(x) ? 0u : x >= 2147483648.0 ? 0x7fffffffu : x <= -2147483648.0 ? 0x80000000u : uint(int(x));
    case CODE_I_TO_F: return float_result(float(int(word)));
    case CODE_F_TO_B: return (word & 0x7fffffffu) != 0u ? 1u : 0u;
    case CODE_B_TO_F: return word != 0u ? 0x3f800000u : 0u;
    case CODE_I_TO_B: return word != 0u ? 1u : 0u;
    case CODE_I_NEG: return uint(-int(word));
    case CODE_I_ABS: return uint(abs(int(word)));
    case CODE_I_SIGN: return uint(sign(int(word)));
    case CODE_I_SQUARE: return word * word;
    case CODE_I_RELU: return uint(max(int(word), 0));
  }
  return word;
}

// a * b = high + low exactly, away from overflow (Dekker 1971).
float product(float a, float b, out float low) {
  precise float high = a * b, a_split = a * 4097.0, b_split = b * 4097.0;
  precise float a_high = a_split - (a_split - a), b_high = b_split - (b_split - b);
  precise float a_low = a - a_high, b_low = b - b_high;
  precise float rest = ((a_high * b_high - high) + a_high * b_low + a_low * b_high) + a_low * b_low;
  low = rest;
  return high;
}

// Python's and NumPy's remainder: the sign of the divisor. Exact while |x / z| < 2^24.
float mod_floor(float x, float z) {
  const float infinity = uintBitsToFloat(0x7f800000u);
  if (is_nan(x) || is_nan(z) || abs(x) == infinity || z == 0.0) return uintBitsToFloat(0x7fc00000u);
  precise float r = x;
  if (abs(z) < infinity) {
    float unit = abs(x) > 1152921504606846976.0 ? 1.0 / 1152921504606846976.0 : 1.0;  // 2^60: no overflow
    float low, high = product(trunc(x / z), z * unit, low);
    r = ((x * unit - high) - low) / unit;
    if (abs(r) >= abs(z)) r -= r < 0.0 == z < 0.0 ? z : -z;  // the quotient was one too small
  }
  return r != 0.0 && ((r < 0.0) != (z < 0.0)) ? r + z : r;
}
int mod_floor(int x, int z) {
  if (z == 0) return 0;
  int r = x - z * (x / z);
  return r != 0 && ((r < 0) != (z < 0)) ? r + z : r;
}

// precise: no fused multiply-add across the steps of a chain, which so gives the bits of its steps.
uint binary(uint code, uint u, uint v) {
  float x = F(u), z = F(v);
  int i = int(u), j = int(v);
  switch (code) {
    case CODE_ADD: { precise float r = x + z; return float_result(r); }
    case CODE_SUB: { precise float r = x - z; return float_result(r); }
    case CODE_MUL: { precise float r = x * z; return float_result(r); }
    case CODE_DIV: return float_result(x / z);
    case CODE_POW: return float_result(pow_c(x, z));
    case CODE_MIN: return float_result(min_nan(x, z));
    case CODE_MAX: return float_result(max_nan(x, z));
    case CODE_EQUAL: return uint(x == z);
    case CODE_NOT_EQUAL: return uint(!(x == z));
    case CODE_LESS: return uint(x < z);
    case CODE_LESS_EQUAL: return uint(x <= z);
    case CODE_GREATER: return uint(x > z);
    case CODE_GREATER_EQUAL: return uint(x >= z);
    case CODE_AND: return uint(u != 0u && v != 0u);
    case CODE_OR: return uint(u != 0u || v != 0u);
    case CODE_LEAKY_RELU: return float_result(x < 0.0 ? x * z : x);
    case CODE_MOD: return float_result(mod_floor(x, z));
    case CODE_I_ADD: return u + v;
    case CODE_I_SUB: return u - v;
    case CODE_I_MUL: return u * v;
    case CODE_I_DIV: return j == 0 ? 0u : uint(i / j);
    case CODE_I_MIN: return uint(min(i, j));
    case CODE_I_MAX: return uint(max(i, j));
    case CODE_I_EQUAL: return uint(i == j);
    case CODE_I_NOT_EQUAL: return uint(i != j);
    case CODE_I_LESS: return uint(i < j);
    case CODE_I_LESS_EQUAL: return uint(i <= j);
    case CODE_I_GREATER: return uint(i > j);
    case CODE_I_GREATER_EQUAL: return uint(i >= j);
    case CODE_I_MOD: return uint(mod_floor(i, j));
  }
  return u;
}

uint registers[ELEMENTWISE_REGISTERS];

uint step_result(uint word) {
  uint code = word & 0xffu, u = registers[(word >> 8) & 0xfu];
  if (code == CODE_SELECT)
    return u != 0u ? registers[(word >> 16) & 0xfu] : registers[(word >> 24) & 0xfu];
  if ((code >= CODE_ADD && code < CODE_SELECT) || code >= CODE_I_ADD)
    return binary(code, u, registers[(word >> 16) & 0xfu]);
  return unary(code, u);
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;

  const uint STRIDES = (RANK - 1) * DIVISOR_WORDS;
  uint rest = i, offsets[ELEMENTWISE_INPUTS] = uint[](0u, 0u, 0u, 0u);
  [[unroll]] for (uint k = 0; k < RANK; ++k) {
    uint axis = RANK - 1 - k;  // innermost first; the outermost takes what is left
    uint at = rest;
    if (axis > 0) at = SPLIT(rest, p.words, axis - 1);
    [[unroll]] for (uint k_in = 0; k_in < INPUTS; ++k_in)
      offsets[k_in] += at * p.words[STRIDES + k_in * RANK + axis];
  }
  registers[0] = FETCH(0, a, offsets[0]);
  if (INPUTS > 1) registers[1] = FETCH(1, b, offsets[1]);
  if (INPUTS > 2) registers[2] = FETCH(2, c, offsets[2]);
  if (INPUTS > 3) registers[3] = FETCH(3, d, offsets[3]);
  [[unroll]] for (uint s = 0; s < SCALARS; ++s)
    registers[ELEMENTWISE_FIRST_SCALAR + s] = p.words[STRIDES + INPUTS * RANK + s];

  uint result = step_result(STEP0);
#define STEP(k, word) if (STEPS > k) { registers[ELEMENTWISE_FIRST_RESULT + k - 1] = result; result = step_result(word); }
  STEP(1, STEP1) STEP(2, STEP2) STEP(3, STEP3) STEP(4, STEP4) STEP(5, STEP5) STEP(6, STEP6) STEP(7, STEP7)

#ifdef STORAGE_half
  if (HALF_OUTPUT != 0) {
    y_half[i] = float16_t(F(result));
    return;
  }
  if (BFLOAT_OUTPUT != 0) {
    y_bfloat[i] = uint16_t(bfloat_of(F(result)));
    return;
  }
#endif
  y[i] = result;
}
