#pragma once
// The compiled shaders, as plain data. CMake generates the table: one entry a variant ("softmax.f16") of a .comp file
// that this build's shader compiler could compile. A variant it could not compile has no entry.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

struct DeviceCaps;

struct ShaderInfo {
  const char* name;  // file stem, then the value of each axis: "attention_row.f32"
  std::span<const std::uint32_t> code;  // SPIR-V
};

std::span<const ShaderInfo> shader_table();

// The variant of this name, or null when the build left it out.
const ShaderInfo* find_shader(std::string_view name);

// What the module itself says, read from its SPIR-V.
struct ShaderReflection {
  std::vector<std::uint32_t> capabilities;  // OpCapability operands
  struct Binding {
    std::uint32_t set, binding;
    bool written;  // false: every variable at this binding is NonWritable
  };
  std::vector<Binding> bindings;            // storage buffers, sorted
  std::uint32_t push_bytes = 0;             // size of the push-constant block, 0 when there is none
  // A buffer's device address among the push constants: a member of the block that is a reference to a buffer.
  struct Address {
    std::uint32_t offset;  // in the block
    bool written;          // false: what it refers to is NonWritable
  };
  std::vector<Address> addresses;           // as they are declared
  std::vector<std::uint32_t> constant_ids;  // SpecId decorations, sorted
};
ShaderReflection reflect(std::span<const std::uint32_t> code);

// Whether its subgroups work together on matrices; whether they share values at all.
bool multiplies_matrices(const ShaderInfo& shader);
bool shares_in_subgroups(const ShaderInfo& shader);

// The first Vulkan feature that the module's capabilities need and the device does not have enabled; null: none.
const char* find_missing_feature(const DeviceCaps& caps, const ShaderInfo& shader);
inline bool supports(const DeviceCaps& caps, const ShaderInfo& shader) {
  return !find_missing_feature(caps, shader);
}

}  // namespace fovea
