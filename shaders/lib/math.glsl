// Scalar functions that GLSL lacks, or whose built-in form is not accurate or safe enough on every driver.
#ifndef FOVEA_MATH_GLSL
#define FOVEA_MATH_GLSL

// By its bits: a driver may assume that isnan(x) is false.
bool is_nan(float x) { return (floatBitsToUint(x) & 0x7fffffffu) > 0x7f800000u; }

float min_nan(float a, float b) { return is_nan(a) ? a : is_nan(b) ? b : min(a, b); }
float max_nan(float a, float b) { return is_nan(a) ? a : is_nan(b) ? b : max(a, b); }

// exp, log and their kin of what GLSL leaves to the driver: NaN, infinities, zero and below.
float exp_ieee(float x) { return is_nan(x) ? x : exp(x); }
float exp2_ieee(float x) { return is_nan(x) ? x : exp2(x); }
float log_ieee(float x) {
  if (x > 0.0) return x == uintBitsToFloat(0x7f800000u) ? x : log(x);
  return uintBitsToFloat(x == 0.0 ? 0xff800000u : 0x7fc00000u);
}
float log2_ieee(float x) {
  if (x > 0.0) return x == uintBitsToFloat(0x7f800000u) ? x : log2(x);
  return uintBitsToFloat(x == 0.0 ? 0xff800000u : 0x7fc00000u);
}

// x mod pi/2, in [-pi/4, pi/4], for |x| < 1e5; quarter: how often. pi/2 in parts of 8 bits, so that their products
// with a count below 2^16 are exact (Cody & Waite 1980).
float mod_quarter(float x, out uint quarter) {
  float k = roundEven(x * 0.63661977);
  quarter = uint(int(k));
  precise float r = ((x - k * 1.5703125) - k * 0.0004825592041015625) - k * 1.2665987014770508e-06;
  r = ((r - k * 9.89530235528946e-10) - k * 2.5579538487363607e-12) - k * 5.384581669432009e-15;
  return r;
}
// sin(x + offset * pi/2). Vulkan promises 2^-11 of its own. Polynomials: Cephes (Moshier).
float sin_quarter(float x, uint offset) {
  uint quarter;
  float r = mod_quarter(x, quarter), r2 = r * r;
  float odd = r + r * r2 * (-1.6666654611e-1 + r2 * (8.3321608736e-3 - r2 * 1.9515295891e-4));
  float even = 1.0 - 0.5 * r2 + r2 * r2 * (4.166664568298827e-2 + r2 * (-1.388731625493765e-3 + r2 * 2.443315711809948e-5));
  quarter += offset;
  float s = (quarter & 1u) != 0u ? even : odd;
  return (quarter & 2u) != 0u ? -s : s;
}
float sin_ieee(float x) {
  if (abs(x) < 1e5) return sin_quarter(x, 0);
  return abs(x) < uintBitsToFloat(0x7f800000u) ? sin(x) : uintBitsToFloat(0x7fc00000u);
}
float cos_ieee(float x) {
  if (abs(x) < 1e5) return sin_quarter(x, 1);
  return abs(x) < uintBitsToFloat(0x7f800000u) ? cos(x) : uintBitsToFloat(0x7fc00000u);
}

// No overflow for large |x|, and the series near 0 where the quotient would cancel.
float tanh_safe(float x) {
  float a = abs(x), t = exp(-2.0 * a), x2 = x * x;
  float r = a < 0.15 ? a * (1.0 + x2 * (-1.0 / 3.0 + x2 * (2.0 / 15.0 + x2 * (-17.0 / 315.0)))) : (1.0 - t) / (1.0 + t);
  return is_nan(x) ? x : (x < 0.0 ? -r : r);
}

// The same within 4 ulp at less than half the cost, for kernels that make little else: x times a quotient of polynomials in
// x², fitted to relative error 2e-8 (Lawson's weights) up to 9.02, from where on tanh is 1 in single precision.
float tanh_rational(float x) {
  float u = x * x;
  float above = (((1.3322200e-8 * u + 2.0585891e-5) * u + 3.4941874e-3) * u + 1.3379849e-1) * u + 1.0;
  float below = (((7.7633450e-7 * u + 3.2833383e-4) * u + 2.5871661e-2) * u + 4.6713164e-1) * u + 1.0;
  float r = abs(x) < 9.02 ? x * above / below : x < 0.0 ? -1.0 : 1.0;
  return is_nan(x) ? x : r;
}

float sigmoid(float x) {
  float t = exp(-abs(x));  // of NaN a number on SwiftShader
  return is_nan(x) ? x : (x < 0.0 ? t : 1.0) / (1.0 + t);
}

// log(1 + t), t >= 0, relative accuracy for small t.
float log1p_positive(float t) { return t < 0.01 ? t * (1.0 - t * (0.5 - t * (1.0 / 3.0 - t * 0.25))) : log(1.0 + t); }

float softplus(float x) { return max_nan(x, 0.0) + log1p_positive(exp(-abs(x))); }

// exp(x) - 1 with relative accuracy near 0.
float expm1(float x) {
  return abs(x) < 0.1 ? x * (1.0 + x * (0.5 + x * (1.0 / 6.0 + x * (1.0 / 24.0 + x * (1.0 / 120.0))))) : exp_ieee(x) - 1.0;
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

// relu6(x + 3) / 6
float hardsigmoid(float x) { return is_nan(x) ? x : clamp(x + 3.0, 0.0, 6.0) * (1.0 / 6.0); }

// pow as in C: x^0 and 1^y are 1 even of NaN; negative bases with whole exponents.
float pow_c(float x, float y) {
  if (y == 0.0 || x == 1.0) return 1.0;
  if (is_nan(x) || is_nan(y)) return uintBitsToFloat(0x7fc00000u);
  if (y == 1.0) return x;
  if (y == 2.0) return x * x;
  if (y == 3.0) return x * x * x;
  const float infinity = uintBitsToFloat(0x7f800000u);
  float a = abs(x), r;
  if (a == 0.0 || a == infinity || abs(y) == infinity)
    r = a == 1.0 ? 1.0 : (a > 1.0) == (y > 0.0) ? infinity : 0.0;
  else
    r = y == 0.5 ? sqrt(a) : exp2(y * log2(a));
  if ((floatBitsToUint(x) & 0x80000000u) == 0u || abs(y) == infinity) return r;
  if (floor(y) != y) return a == 0.0 || a == infinity ? r : uintBitsToFloat(0x7fc00000u);
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
