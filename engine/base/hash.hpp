#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

namespace fovea {

// FNV-1a, 64 bits: names pipelines and checks blobs; not for adversaries.
inline std::uint64_t hash_bytes(std::span<const std::byte> bytes, std::uint64_t hash = 0xcbf29ce484222325ull) {
  for (std::byte byte : bytes) hash = (hash ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3ull;
  return hash;
}

}  // namespace fovea
