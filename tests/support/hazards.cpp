#include "tests/support/hazards.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <span>

namespace fovea::test {

namespace {

struct Touch {
  compile::BufferRange range;
  bool written;
};

// By binding; those that the shader does not declare, or the launch does not use, are left out.
std::vector<Touch> touches_of(const compile::Dispatch& dispatch) {
  struct Known {
    ShaderReflection shader;
    std::shared_ptr<const void> keeps;  // so that no other shader has its address
  };
  static std::map<const ShaderInfo*, Known> known;
  if (!known.contains(dispatch.shader)) known[dispatch.shader] = {reflect(dispatch.shader->code), dispatch.keeps};
  std::vector<Touch> touches;
  for (const ShaderReflection::Binding& binding : known[dispatch.shader].shader.bindings) {
    const compile::Binding& bound = dispatch.bindings.at(binding.binding);
    if (bound.read || bound.write) touches.push_back({bound.range, binding.written});
  }
  return touches;
}

bool meet(const compile::BufferRange& a, const compile::BufferRange& b) {
  if (a.kind != b.kind || a.index != b.index) return false;
  return std::max(a.offset, b.offset) < std::min(a.offset + a.size, b.offset + b.size);
}

// "read after write"; null: they may run together.
const char* conflict(const Touch& first, const Touch& second) {
  if ((!first.written && !second.written) || !meet(first.range, second.range)) return nullptr;
  return !first.written ? "write after read" : second.written ? "write after write" : "read after write";
}

const char* conflict(std::span<const Touch> first, std::span<const Touch> second) {
  for (const Touch& a : first)
    for (const Touch& b : second)
      if (const char* kind = conflict(a, b)) return kind;
  return nullptr;
}

const char* conflict_within(std::span<const Touch> touches) {
  for (std::size_t i = 0; i < touches.size(); ++i)
    if (const char* kind = conflict(touches.subspan(i, 1), touches.subspan(i + 1))) return kind;
  return nullptr;
}

}  // namespace

std::vector<std::string> find_hazards(const compile::Program& program) {
  std::vector<std::string> hazards;
  std::vector<std::pair<const compile::Dispatch*, std::vector<Touch>>> together;  // what runs since the last barrier
  for (const compile::Dispatch& dispatch : program.dispatches) {
    if (dispatch.barrier_before) together.clear();
    const std::vector<Touch> touches = touches_of(dispatch);
    if (const char* kind = conflict_within(touches)) hazards.push_back(std::string(kind) + " within " + to_text(program, dispatch));
    for (const auto& [earlier, touched] : together)
      if (const char* kind = conflict(touched, touches))
        hazards.push_back(std::string(kind) + ": no barrier between " + to_text(program, *earlier) + " and " + to_text(program, dispatch));
    together.emplace_back(&dispatch, touches);
  }
  return hazards;
}

}  // namespace fovea::test
