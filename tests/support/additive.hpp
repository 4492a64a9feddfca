#pragma once
// What the tests of additive_score and feature_attention share.

#include "compile/compiler.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace fovea::test {

// The activations of additive scores in the arithmetic of T.
template <class T>
T activated(Unary activation, T x) {
  if (activation == Unary::tanh) return std::tanh(x);
  if (std::isnan(x)) return x;
  return x > T(0) ? x : activation == Unary::elu ? std::expm1(x) : T(0);
}

inline constexpr Unary additive_activations[] = {Unary::tanh, Unary::relu, Unary::elu};

// Of the program for a CPU and for a GPU with the least limits, whichever is larger.
inline std::uint64_t arena_bytes(const Graph& graph) {
  std::uint64_t most = 0;
  for (const DeviceType type : {DeviceType::cpu, DeviceType::discrete}) {
    DeviceCaps caps;
    caps.type = type;
    const auto program = compile::compile(graph.ir(), caps, {});
    REQUIRE_MESSAGE(program, program.error().message);
    most = std::max(most, program->arena_bytes);
  }
  return most;
}

}  // namespace fovea::test
