#pragma once
// Programs made by hand, for the tests of vk and run: no operator and no compiler stands behind them.

#include "compile/program.hpp"
#include "engine/api/internal.hpp"
#include "weighted_sum.comp.h"

#include <bit>
#include <cstring>
#include <span>
#include <vector>

namespace fovea::test {

inline constexpr ShaderInfo weighted_sum_shader{"weighted_sum", spirv_weighted_sum_comp};
inline constexpr std::uint32_t group_size = 64;

inline std::uint64_t bytes_of(std::int64_t n) {
  return static_cast<std::uint64_t>(n < 1 ? 1 : n) * 4;
}

// out[i] = weight * (a[i] + b[i]) + bias
inline compile::Dispatch weighted_sum(std::int64_t n, std::uint32_t weight, float bias, compile::BufferRange a,
                                      compile::BufferRange b, compile::BufferRange out) {
  struct {
    std::uint32_t n;
    float bias;
  } const params{static_cast<std::uint32_t>(n), bias};
  compile::Dispatch dispatch;
  dispatch.shader = &weighted_sum_shader;
  dispatch.constants = {group_size, weight};
  dispatch.push.resize(sizeof(params));
  std::memcpy(dispatch.push.data(), &params, sizeof(params));
  dispatch.bindings = {{a, true, false}, {b, true, false}, {out, false, true}};
  dispatch.groups = {(static_cast<std::uint32_t>(n) + group_size - 1) / group_size, 1, 1};
  dispatch.label = "weighted_sum";
  dispatch.kernel = "weighted_sum";
  dispatch.flops = 3 * static_cast<double>(n);
  dispatch.bytes = 3 * bytes_of(n);
  return dispatch;
}

inline compile::BufferRange external_range(std::uint32_t index, std::int64_t n) {
  return {compile::BufferKind::external, index, 0, bytes_of(n)};
}
inline compile::BufferRange arena_range(std::uint64_t offset, std::int64_t n) {
  return {compile::BufferKind::arena, 0, offset, bytes_of(n)};
}

// t = 2 (a + b) + 1 in the arena, then y = 3 (t + b): the second dispatch reads what the first wrote.
inline compile::Program two_sums(std::int64_t n) {
  compile::Program program;
  program.externals = {{"a", compile::ExternalRole::input, Shape{n}, DType::f32, bytes_of(n)},
                       {"b", compile::ExternalRole::input, Shape{n}, DType::f32, bytes_of(n)},
                       {"y", compile::ExternalRole::output, Shape{n}, DType::f32, bytes_of(n)}};
  program.arena_bytes = program.arena_lower_bound = program.arena_unaliased_bytes = bytes_of(n);
  const compile::BufferRange a = external_range(0, n), b = external_range(1, n), y = external_range(2, n);
  program.dispatches = {weighted_sum(n, 2, 1, a, b, arena_range(0, n)), weighted_sum(n, 3, 0, arena_range(0, n), b, y)};
  program.dispatches[1].level = 1;
  program.dispatches[1].barrier_before = true;
  return program;
}
inline float two_sums_of(float a, float b) {
  return 3 * (2 * (a + b) + 1 + b);
}

// Small whole numbers: every sum of them is exact.
inline std::vector<float> numbers(std::int64_t n, std::uint32_t seed) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = static_cast<float>((seed = seed * 1664525u + 1013904223u) >> 22) - 512;
  return values;
}

inline std::vector<float> floats(std::span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

}  // namespace fovea::test
