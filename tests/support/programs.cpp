#include "tests/support/programs.hpp"

#include "weighted_sum.comp.h"

#include <cstring>

namespace fovea::test {

namespace {

constexpr ShaderInfo weighted_sum_shader{"weighted_sum", spirv_weighted_sum_comp};
constexpr std::uint32_t group_size = 64;

}  // namespace

std::uint64_t bytes_of(std::int64_t n) {
  return static_cast<std::uint64_t>(n < 1 ? 1 : n) * 4;
}

compile::Dispatch weighted_sum(std::int64_t n, std::uint32_t weight, float bias, compile::BufferRange a,
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

compile::BufferRange external_range(std::uint32_t index, std::int64_t n) {
  return {compile::BufferKind::external, index, 0, bytes_of(n)};
}
compile::BufferRange arena_range(std::uint64_t offset, std::int64_t n) {
  return {compile::BufferKind::arena, 0, offset, bytes_of(n)};
}

compile::Program two_sums(std::int64_t n) {
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

compile::Program two_sums_of_zeros(std::int64_t n) {
  compile::Program program = two_sums(n);
  program.constants.resize(bytes_of(n));
  program.dispatches[0].bindings[0].range = {compile::BufferKind::constant, 0, 0, bytes_of(n)};
  return program;
}

std::vector<float> numbers(std::int64_t n, std::uint32_t seed) {
  std::vector<float> values(static_cast<std::size_t>(n));
  for (float& value : values) value = static_cast<float>((seed = seed * 1664525u + 1013904223u) >> 22) - 512;
  return values;
}

std::vector<float> floats(std::span<const std::byte> bytes) {
  std::vector<float> values(bytes.size() / 4);
  if (!values.empty()) std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

}  // namespace fovea::test
