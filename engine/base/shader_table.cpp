#include "base/shader_table.hpp"

namespace fovea {

const ShaderInfo* find_shader(std::string_view name) {
  for (const ShaderInfo& shader : shader_table())
    if (name == shader.name) return &shader;
  return nullptr;
}

}  // namespace fovea
