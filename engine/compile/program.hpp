#pragma once
// The result of compiling: a list of dispatches and barriers over one arena. Plain data; no Vulkan, no graph.

#include "base/shader_table.hpp"

#include <fovea/tensor.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace fovea::compile {

enum class BufferKind : std::uint8_t {
  arena,     // transient values, aliased by lifetime; index is 0
  constant,  // Program::constants, uploaded once; index is 0
  external,  // Program::externals[index]: bound by the caller
};

struct BufferRange {
  BufferKind kind = BufferKind::arena;
  std::uint32_t index = 0;
  std::uint64_t offset = 0;  // bytes, a multiple of DeviceCaps::storage_alignment
  std::uint64_t size = 0;    // bytes, a multiple of 4, at least 4
  bool operator==(const BufferRange&) const = default;
};

enum class ExternalRole : std::uint8_t { input, parameter, output };

// A buffer that the caller binds at every run.
struct External {
  std::string name;
  ExternalRole role = ExternalRole::input;
  Shape shape;
  DType dtype = DType::f32;
  std::uint64_t bytes = 0;  // least size of the bound range: elements x element size, rounded up to 4, at least 4
  bool updated = false;     // a parameter that the program writes, after all that reads it as it was
};

struct Binding {
  BufferRange range;
  bool read = true;
  bool write = false;
};

// One compute dispatch. Binding i of descriptor set 0 is bindings[i]; a binding that the launch does not use repeats
// another range of the same dispatch, read-only.
struct Dispatch {
  const ShaderInfo* shader = nullptr;
  std::shared_ptr<const void> keeps;     // what the shader lives in, where that is not the build
  std::vector<std::uint32_t> constants;  // value of constant_id i
  std::vector<std::byte> push;
  std::vector<Binding> bindings;
  // Bindings whose device addresses the shader takes, too: they follow `push`, whose size is then a multiple of 8. What the
  // shader does through an address is within what the binding says, so that barriers hold for it as they stand.
  std::vector<std::uint32_t> addresses;
  std::array<std::uint32_t, 3> groups{1, 1, 1};

  std::string label;         // "attention y (model.cpp:41)": operator, value, caller
  std::string kernel;        // the kernel's name, "attention_row"
  std::string choice;        // DispatchReport::choice
  std::uint32_t level = 0;   // dispatches of one level are independent of each other
  bool barrier_before = false;  // one compute -> compute memory barrier separates it from all that came before
  double flops = 0;
  std::uint64_t bytes = 0;   // read and written, each operand once

  std::size_t push_bytes() const { return push.size() + 8 * addresses.size(); }
};

struct Program {
  std::vector<External> externals;
  std::vector<std::byte> constants;
  std::vector<Dispatch> dispatches;  // in the order they are recorded
  std::uint64_t arena_bytes = 0;         // achieved peak
  std::uint64_t arena_lower_bound = 0;   // most bytes alive at any one level
  std::uint64_t arena_unaliased_bytes = 0;  // what separate buffers would take
  std::uint64_t arena_held_bytes = 0;       // the peak if the way back made nothing again (GradDesc::recompute); 0: it does not
};

// "softmax.f32<128 0> (64 100) {r x, w arena[0..256)} x 64,1,1  # softmax (model.cpp:41)": shader, constants, push words
// (and "&2" for the address of binding 2), bindings, groups, label.
std::string to_text(const Program& program, const Dispatch& dispatch);
// The text that golden tests compare: a header, then one line a dispatch or barrier.
std::string to_text(const Program& program);

}  // namespace fovea::compile
