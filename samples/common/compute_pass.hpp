#pragma once
// One compute shader of a sample's own on a Context's device: what a host would record itself, kept small.

#include <fovea/context.hpp>
#include <fovea/result.hpp>

#include <array>
#include <cstdint>
#include <span>

namespace samples {

// Dispatches `code` (SPIR-V) with `output` at set 0, binding 0 and `push` as push constants; waits until it is done.
fovea::Result<void> run_compute_pass(const fovea::Context& context, std::span<const std::uint32_t> code,
                                     const fovea::Buffer& output, std::span<const std::byte> push,
                                     std::array<std::uint32_t, 3> groups);

}  // namespace samples
