#pragma once
// A smaller device emulated: capabilities lowered before anything is compiled.

#include "base/device_caps.hpp"
#include "io/json.hpp"

#include <filesystem>

namespace fovea::conformance {

// Reads a file of DeviceCaps fields: {"max_shared_bytes": 16384, "max_invocations": 128, "subgroup_size": 0}.
// Errors: io's; a key that is no such field (the message lists those there are); a value of another kind.
Result<io::Json> read_limits(const std::filesystem::path& path);

// The caps with these limits, which may only take away: numbers may not rise (the alignment may not fall), features only
// turn false. A subgroup_size of 0 takes subgroup operations away; another must be one the device can be held to.
// Error: what would give more than the device has, with both values.
Result<DeviceCaps> lower(DeviceCaps caps, const io::Json& limits);

// Every field by its key, as lower() takes them.
io::Json describe(const DeviceCaps& caps);

// Whether a limit lies below the floor that Fovea's portable kernels are written for (DeviceCaps' defaults): there alone
// may an operator be refused.
bool below_floor(const DeviceCaps& caps);

}  // namespace fovea::conformance
