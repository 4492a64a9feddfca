#pragma once
// Shared memory that holds NaN before a shader writes it.

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace fovea {

// The specialised module, of which each workgroup first fills its shared variables: floats with NaN, integers with 0x7fffffff (or
// what fits of that), booleans with true; then a barrier. Where a shader reads what none of its invocations wrote, results change.
// A module without shared variables comes back as it is; nullopt: it holds one of a type or size that is not known here.
std::optional<std::vector<std::uint32_t>> poison_shared(std::span<const std::uint32_t> code);

}  // namespace fovea
