#pragma once
// Activations in the arithmetic of T, for the references of operators that have one as their epilogue.

#include <fovea/ops.hpp>

#include <cmath>

namespace fovea::test {

template <class T>
T activated(Activation activation, T x) {
  const T one = 1, half = T(0.5);
  switch (activation) {
    case Activation::none: return x;
    case Activation::relu: return std::isnan(x) ? x : x > 0 ? x : T(0);
    case Activation::sigmoid: return one / (one + std::exp(-x));
    case Activation::tanh: return std::tanh(x);
    case Activation::gelu: return half * x * std::erfc(-x * T(0.70710678118654752));
    case Activation::gelu_tanh: return half * x * (one + std::tanh(T(0.79788456080286536) * (x + T(0.044715) * x * x * x)));
    case Activation::silu: return x / (one + std::exp(-x));
  }
  return x;
}

inline constexpr Activation all_activations[] = {Activation::none, Activation::relu, Activation::sigmoid, Activation::tanh,
                                                 Activation::gelu, Activation::gelu_tanh, Activation::silu};

}  // namespace fovea::test
