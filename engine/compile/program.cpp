#include "compile/program.hpp"

#include "base/text.hpp"

#include <cstring>

namespace fovea::compile {

namespace {

const char* role_text(ExternalRole role) {
  return role == ExternalRole::input ? "input" : role == ExternalRole::parameter ? "parameter" : "output";
}

std::string range_text(const Program& program, const Binding& binding) {
  const BufferRange& range = binding.range;
  if (!binding.read && !binding.write) return "-";
  const char* access = binding.read && binding.write ? "rw " : binding.write ? "w " : "r ";
  if (range.kind == BufferKind::external) return access + program.externals[range.index].name;
  return cat(access, range.kind == BufferKind::arena ? "arena" : "constants", '[', range.offset, "..", range.offset + range.size, ')');
}

// Words in decimal; a run of zeros at the end as "0*16".
std::string words_text(std::span<const std::byte> bytes) {
  std::vector<std::uint32_t> words(bytes.size() / 4);
  if (!words.empty()) std::memcpy(words.data(), bytes.data(), words.size() * 4);
  std::size_t count = words.size();
  while (count > 0 && words[count - 1] == 0) --count;
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += cat(i ? " " : "", words[i]);
  if (count < words.size()) text += cat(count ? " " : "", "0*", words.size() - count);
  return text;
}

}  // namespace

std::string to_text(const Program& program, const Dispatch& dispatch) {
  std::string text = cat(dispatch.shader->name, '<');
  text += cat(words_text(std::as_bytes(std::span(dispatch.constants))), "> (", words_text(dispatch.push));
  for (std::uint32_t binding : dispatch.addresses) text += cat(" &", binding);
  text += ") {";
  for (std::size_t i = 0; i < dispatch.bindings.size(); ++i) text += (i ? ", " : "") + range_text(program, dispatch.bindings[i]);
  const auto& groups = dispatch.groups;
  return text + cat("} x ", groups[0], ',', groups[1], ',', groups[2], "  # ", dispatch.label);
}

std::string to_text(const Program& program) {
  std::string text = cat("arena ", program.arena_bytes, " bytes (lower bound ", program.arena_lower_bound, ", unaliased ",
                         program.arena_unaliased_bytes,
                         program.arena_held_bytes > 0 ? cat(", without recomputation ", program.arena_held_bytes) : "", "), constants ", program.constants.size(), " bytes\n");
  for (const External& external : program.externals)
    text += cat(role_text(external.role), ' ', external.name, " : ", to_string(external.dtype), to_string(external.shape),
                external.updated ? ", updated\n" : "\n");
  for (const Dispatch& dispatch : program.dispatches) {
    if (dispatch.barrier_before) text += "barrier\n";
    text += cat(dispatch.level, ": ", to_text(program, dispatch), '\n');
  }
  return text;
}

}  // namespace fovea::compile
