// find_shader(), in place of engine/base/shader_table.cpp's: the linker takes none from a library where the program has one.

#include "base/shader_table.hpp"
#include "tests/sabotage/fault.hpp"

#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace fovea {
namespace sabotage {
namespace {

namespace fs = std::filesystem;

const Fault* fault = nullptr;
std::string problem;
fs::path folder;  // a copy of shaders/ with the changed line; empty until a module is asked for

// What outlives every pipeline: a process compiles a handful.
struct Module {
  std::string name;
  std::vector<std::uint32_t> code;
  ShaderInfo info;
  const Fault* fault;
};
std::deque<Module> modules;

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

std::string source_of(const Fault& of) { return *of.source ? of.source : std::string(of.kernel) + ".comp"; }

// Changes the line in a copy of all shaders, for includes lie relative to their files.
bool change_source() {
  folder = fs::temp_directory_path() / ("fovea-sabotage-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  fs::copy(FOVEA_SHADERS, folder, fs::copy_options::recursive);
  problem = line_fault(*fault);
  if (!problem.empty()) return false;
  std::string text = read(folder / source_of(*fault));
  std::ofstream(folder / source_of(*fault), std::ios::binary) << text.replace(text.find(fault->line), std::string(fault->line).size(), fault->instead);
  return true;
}

// "attention_row.f16" and the axes of its source, `#pragma variant DTYPE f32 f16`: " -DDTYPE_f16".
std::string definitions_of(const std::string& variant, const std::string& source) {
  std::istringstream values(variant.substr(variant.find('.') == std::string::npos ? variant.size() : variant.find('.') + 1));
  std::istringstream lines(source);
  std::string definitions;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string pragma, kind, axis, value;
    words >> pragma >> kind >> axis;
    if (pragma == "#pragma" && kind == "variant" && std::getline(values, value, '.')) definitions += " -D" + axis + '_' + value;
  }
  return definitions;
}

const ShaderInfo* compile_changed(const ShaderInfo& built) {
  for (const Module& module : modules)
    if (module.fault == fault && module.name == built.name) return &module.info;
  if (!problem.empty() || (folder.empty() && !change_source())) return &built;
  const std::string name = built.name;
  const fs::path source = folder / (std::string(fault->kernel) + ".comp"), out = folder / (name + ".spv");
  const bool newer = read(source).find("#pragma requires ") != std::string::npos;  // as cmake/FoveaShaders.cmake has it
  const std::string environment = read(source).find("#pragma target vulkan1.3") != std::string::npos ? "vulkan1.3" : "vulkan1.1";
  const std::string command = std::string(newer ? FOVEA_GLSLANG_NEWER : FOVEA_GLSLANG) + " --quiet --target-env " + environment + " -I" + folder.string() +
                              definitions_of(name, read(source)) + " -o " + out.string() + ' ' + source.string();
  if (std::system(command.c_str()) != 0) {
    problem = name + ": its changed source does not compile";
    return &built;
  }
  const std::string bytes = read(out);
  Module& module = modules.emplace_back();
  module.name = name;
  module.code.resize(bytes.size() / 4);
  std::memcpy(module.code.data(), bytes.data(), bytes.size());
  module.info = {module.name.c_str(), module.code};
  module.fault = fault;
  return &module.info;
}

}  // namespace

void sabotage_shaders(const Fault* next) {
  if (!folder.empty()) fs::remove_all(folder);
  folder.clear();
  problem.clear();
  fault = next != nullptr && next->alter == nullptr ? next : nullptr;
}

std::string line_fault(const Fault& of) {
  const std::string text = read(fs::path(FOVEA_SHADERS) / source_of(of));
  const std::size_t at = text.find(of.line);
  if (at != std::string::npos && text.find(of.line, at + 1) == std::string::npos) return {};
  return source_of(of) + (at == std::string::npos ? " has no \"" : " has more than one \"") + of.line + '"';
}

std::string why_not_made() {
  if (fault != nullptr && problem.empty() && folder.empty()) return std::string("no node asks for ") + fault->kernel;
  return problem;
}

}  // namespace sabotage

const ShaderInfo* find_shader(std::string_view name) {
  for (const ShaderInfo& shader : shader_table()) {
    if (name != shader.name) continue;
    const bool changed = sabotage::fault != nullptr && name.substr(0, name.find('.')) == sabotage::fault->kernel &&
                         name.find('+') == std::string::npos;  // an author's text is not on the disk
    return changed ? sabotage::compile_changed(shader) : &shader;
  }
  return nullptr;
}

}  // namespace fovea
