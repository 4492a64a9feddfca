// Faults of a compiled Program.

#include "tests/sabotage/fault.hpp"

#include <algorithm>
#include <utility>

namespace fovea::sabotage {
namespace {

using compile::Dispatch;
using compile::Program;

std::string drop_barrier(Program& program, std::size_t n) {
  for (Dispatch& dispatch : program.dispatches) {
    if (!dispatch.barrier_before || n-- > 0) continue;
    dispatch.barrier_before = false;
    return to_text(program, dispatch);
  }
  return {};
}

std::string drop_dispatch(Program& program, std::size_t n) {
  if (n >= program.dispatches.size()) return {};
  program.dispatches[n].groups[0] = 0;
  return to_text(program, program.dispatches[n]);
}

std::string drop_last_group(Program& program, std::size_t n) {
  for (Dispatch& dispatch : program.dispatches) {
    if (dispatch.groups[0] < 2 || dispatch.groups[1] != 1 || n-- > 0) continue;
    --dispatch.groups[0];
    return to_text(program, dispatch);
  }
  return {};
}

bool reads_from(const Dispatch& reader, const Dispatch& writer) {
  for (const compile::Binding& read : reader.bindings)
    for (const compile::Binding& write : writer.bindings)
      if (read.read && !read.write && write.write && read.range == write.range) return true;
  return false;
}

// A dispatch runs before the one whose result it reads.
std::string swap_order(Program& program, std::size_t n) {
  for (std::size_t i = 1; i < program.dispatches.size(); ++i) {
    std::size_t writer = i;
    while (writer-- > 0 && !reads_from(program.dispatches[i], program.dispatches[writer])) {}
    if (writer > i || n-- > 0) continue;
    std::swap(program.dispatches[writer], program.dispatches[i]);
    return to_text(program, program.dispatches[writer]);
  }
  return {};
}

// A value is read from where it does not stand: the arena is NaN there, or holds another.
std::string shift_operand(Program& program, std::size_t n) {
  constexpr std::uint64_t step = 256;  // a multiple of every storage alignment
  for (Dispatch& dispatch : program.dispatches)
    for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) {
      compile::BufferRange& range = dispatch.bindings[i].range;
      const auto same = [&](const compile::Binding& other) { return other.range == range; };  // i is not used, then
      if (dispatch.bindings[i].write || range.kind != compile::BufferKind::arena) continue;
      if (std::any_of(dispatch.bindings.begin(), dispatch.bindings.begin() + static_cast<std::ptrdiff_t>(i), same)) continue;
      if (range.offset + range.size + step > program.arena_bytes || n-- > 0) continue;
      range.offset += step;
      return to_text(program, dispatch);
    }
  return {};
}

constexpr Fault programs[] = {
    {"a dispatch is not recorded", "", "", "", "op_mha/self", "", "", drop_dispatch},
    {"a dispatch and the one whose result it reads change places", "", "", "", "op_mha/self", "", "", swap_order},
    {"a barrier is left out", "", "", "", "op_mha/self", "", "", drop_barrier},
    {"the last workgroup of a dispatch is not launched", "", "", "", "op_pool/max2d_dil_ceil", "", "", drop_last_group},
    {"a dispatch is not recorded", "", "", "", "op_norm/bn_train", "", "", drop_dispatch},
    {"an operand is read 256 bytes on in the arena", "", "", "", "op_norm/bn_train", "", "", shift_operand},
    {"a dispatch and the one whose result it reads change places", "", "", "", "op_rnn/lstmcell", "", "", swap_order},
};

constexpr Fault barriers[] = {
    {"a barrier is left out", "", "", "", "op_mha/self", "", "", drop_barrier},
    {"a barrier is left out", "", "", "", "op_norm/bn_train", "", "", drop_barrier},
    {"a barrier is left out", "", "", "", "op_rnn/lstmcell", "", "", drop_barrier},
    {"a barrier is left out", "", "", "", "op_index/topk", "", "", drop_barrier},
    {"a barrier is left out", "", "", "", "op_sdpa/float_bias_grad", "", "", drop_barrier},
};

}  // namespace

const std::span<const Fault> program_faults = programs;
const std::span<const Fault> barriers_faults = barriers;

}  // namespace fovea::sabotage
