#pragma once
// What a workgroup of a shader takes of the device, read from its SPIR-V.

#include <array>
#include <cstdint>
#include <span>

namespace fovea {

struct Workgroup {
  std::array<std::uint32_t, 3> size{1, 1, 1};  // invocations
  std::uint32_t shared_bytes = 0;              // at most, by the standard layout rules of storage buffers
};

// Of a specialised module (specialize.hpp); with the constants' defaults of another.
Workgroup reflect_workgroup(std::span<const std::uint32_t> code);

}  // namespace fovea
