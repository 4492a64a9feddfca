// The activation of a sum of query and key, and its derivative by x and y = act(x). After math.glsl and the constant ACTIVATION.
#ifndef FOVEA_ADDITIVE_GLSL
#define FOVEA_ADDITIVE_GLSL

float activation_of(float x) {
  if (ACTIVATION == ADDITIVE_TANH) return tanh_rational(x);
  return x > 0.0 ? x : ACTIVATION == ADDITIVE_ELU ? expm1(x) : is_nan(x) ? x : 0.0;
}

float slope_of(float x, float y) {
  if (ACTIVATION == ADDITIVE_TANH) return 1.0 - y * y;
  return x > 0.0 ? 1.0 : ACTIVATION == ADDITIVE_ELU ? y + 1.0 : 0.0;
}

#endif
