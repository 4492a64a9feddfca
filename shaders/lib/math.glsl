// Scalar functions that GLSL lacks, or whose built-in form is not accurate or safe enough on every driver.
#ifndef FOVEA_MATH_GLSL
#define FOVEA_MATH_GLSL

// By its bits: a driver may assume that isnan(x) is false.
bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }

float min_nan(float a, float b) { return is_nan(a) ? a : is_nan(b) ? b : min(a, b); }
float max_nan(float a, float b) { return is_nan(a) ? a : is_nan(b) ? b : max(a, b); }

// No overflow for large |x|, and the series near 0 where the quotient would cancel.
float tanh_safe(float x) {
  float a = abs(x), t = exp(-2.0 * a), x2 = x * x;
  float r = a < 0.15 ? a * (1.0 + x2 * (-1.0 / 3.0 + x2 * (2.0 / 15.0 + x2 * (-17.0 / 315.0)))) : (1.0 - t) / (1.0 + t);
  return is_nan(x) ? x : (x < 0.0 ? -r : r);
}

float sigmoid(float x) {
  float t = exp(-abs(x));
  return (x < 0.0 ? t : 1.0) / (1.0 + t);
}

// log(1 + t), t >= 0, relative accuracy for small t.
float log1p_positive(float t) { return t < 0.01 ? t * (1.0 - t * (0.5 - t * (1.0 / 3.0 - t * 0.25))) : log(1.0 + t); }

float softplus(float x) { return max_nan(x, 0.0) + log1p_positive(exp(-abs(x))); }

// exp(x) - 1 with relative accuracy near 0.
float expm1(float x) {
  return abs(x) < 0.1 ? x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0))))) : exp(x) - 1.0;
}

// erfc for x >= 0, fractional error below 1.2e-7: a Chebyshev fit (Press et al., Numerical Recipes, section 6.2).
float erfc_positive(float x) {
  float t = 1.0 / (1.0 + 0.5 * x);
  float p = 0.17087277;
  p = p * t - 0.82215223;
  p = p * t + 1.48851587;
  p = p * t - 1.13520398;
  p = p * t + 0.27886807;
  p = p * t - 0.18628806;
  p = p * t + 0.09678418;
  p = p * t + 0.37409196;
  p = p * t + 1.00002368;
  return t * exp(-x * x - 1.26551223 + t * p);
}

float erf(float x) {
  float a = abs(x), x2 = x * x;
  float series = x * 1.1283791671 *
      (1.0 + x2 * (-1.0 / 3.0 + x2 * (0.1 + x2 * (-1.0 / 42.0 + x2 * (1.0 / 216.0 + x2 * (-1.0 / 1320.0))))));
  float tail = 1.0 - erfc_positive(a);
  return is_nan(x) ? x : a < 0.5 ? series : (x < 0.0 ? -tail : tail);
}

// x Φ(x); the negative side through erfc, so that it does not cancel.
float gelu(float x) {
  float z = x * 0.70710678118;
  return abs(z) < 0.5 ? 0.5 * x * (1.0 + erf(z))
       : x < 0.0 ? 0.5 * x * erfc_positive(-z) : x * (1.0 - 0.5 * erfc_positive(z));
}
// x sigmoid(2u) = 0.5 x (1 + tanh u), u = sqrt(2/pi) (x + 0.044715 x^3).
float gelu_tanh(float x) { return x * sigmoid(1.5957691216 * (x + 0.044715 * x * x * x)); }

// pow as in C for finite arguments: negative bases with whole exponents, x^0 = 1.
float pow_c(float x, float y) {
  if (y == 0.0) return 1.0;
  if (y == 1.0) return x;
  if (y == 2.0) return x * x;
  if (y == 3.0) return x * x * x;
  if (y == 0.5) return sqrt(x);
  if (is_nan(x) || is_nan(y)) return uintBitsToFloat(0x7fc00000u);
  float r = x == 0.0 ? (y > 0.0 ? 0.0 : uintBitsToFloat(0x7f800000u)) : exp2(y * log2(abs(x)));
  bool negative = (floatBitsToUint(x) & 0x80000000u) != 0u;
  if (!negative) return r;
  if (floor(y) != y) return x == 0.0 ? r : uintBitsToFloat(0x7fc00000u);
  return mod(y, 2.0) == 1.0 ? -r : r;
}

// Activation of ops.hpp, as the epilogue of matmul and conv; the number is the enumerator's.
float activate(uint activation, float x) {
  switch (activation) {
    case 1: return max_nan(x, 0.0);
    case 2: return sigmoid(x);
    case 3: return tanh_safe(x);
    case 4: return gelu(x);
    case 5: return gelu_tanh(x);
    case 6: return x * sigmoid(x);
  }
  return x;
}

#endif
