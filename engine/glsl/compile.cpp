// fovea::glsl::compile: an author's texts, and the kernels that include them, through the glslang library.

#include <fovea/glsl.hpp>

#include "glsl/kernel_sources.hpp"
#include "glsl/mod_text.hpp"

#include <glslang/Public/ResourceLimits.h>
#include <glslang/Public/ShaderLang.h>
#include <glslang/SPIRV/GlslangToSpv.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <sstream>

namespace fovea::glsl {
namespace {

constexpr const char* mod_include = "attention_mod.glsl";

// `#include`s of the kernels: the library's own copies, and the author's text.
class Includer : public ::glslang::TShader::Includer {
 public:
  explicit Includer(const std::string& mod) : mod_(mod) {}
  IncludeResult* includeLocal(const char* name, const char* from, std::size_t) override {
    if (std::string_view(name) == mod_include) return new IncludeResult(name, mod_.data(), mod_.size(), nullptr);
    // Beside the file that includes it, or in the folder above it.
    const std::string folder(from, std::string_view(from).rfind('/') == std::string_view::npos ? 0 : std::string_view(from).rfind('/') + 1);
    for (const std::string& path : {folder + name, std::string(name)})
      if (const std::string_view text = kernel_source(path); !text.empty()) return new IncludeResult(path, text.data(), text.size(), nullptr);
    return nullptr;
  }
  void releaseInclude(IncludeResult* result) override { delete result; }

 private:
  const std::string& mod_;
};

// "ERROR: 1:2: 'slop' : no matching overloaded function found" of the author's own lines as "score_mod:2: 'slop' : ...".
std::string readable(const std::string& log) {
  std::istringstream lines(log);
  std::string result;
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view error = "ERROR: ";
    if (line.rfind(error, 0) != 0 || line.find("compilation errors") != std::string::npos) continue;
    line.erase(0, error.size());
    const std::size_t colon = line.find(':');
    const std::string number = line.substr(0, colon);
    if (colon != std::string::npos && number.size() == 1 && number[0] >= '0' && number[0] < '0' + static_cast<char>(std::size(text_names)))
      line = text_names[number[0] - '0'] + line.substr(colon);
    result += (result.empty() ? "" : "; ") + line;
  }
  return result.empty() ? log : result;
}

// "attention_row.shuffle.whole.f32" -> the file's text with WEIGHTS_whole and DTYPE_f32 defined, as its pragmas say.
Result<std::vector<std::uint32_t>> compile_variant(std::string_view variant, const std::string& mod) {
  std::istringstream words{std::string(variant)};
  std::string stem, word, preamble = "#define ATTENTION_MOD\n";
  std::getline(words, stem, '.');
  const std::string file = stem + ".comp";
  const std::string_view text = kernel_source(file);
  if (text.empty()) return Error{ErrorCode::internal, cat("no kernel ", stem)};
  std::istringstream lines{std::string(text)};
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view pragma = "#pragma variant ";
    if (line.rfind(pragma, 0) != 0) continue;
    if (!std::getline(words, word, '.')) return Error{ErrorCode::internal, cat(variant, " names too few variants")};
    preamble += cat("#define ", line.substr(pragma.size(), line.find(' ', pragma.size()) - pragma.size()), '_', word, '\n');
  }
  ::glslang::TShader shader(EShLangCompute);
  const char* string = text.data();
  const int length = static_cast<int>(text.size());
  const char* name = file.c_str();
  shader.setStringsWithLengthsAndNames(&string, &length, &name, 1);
  shader.setPreamble(preamble.c_str());
  shader.setEnvInput(::glslang::EShSourceGlsl, EShLangCompute, ::glslang::EShClientVulkan, 100);
  shader.setEnvClient(::glslang::EShClientVulkan, ::glslang::EShTargetVulkan_1_1);
  shader.setEnvTarget(::glslang::EShTargetSpv, ::glslang::EShTargetSpv_1_3);
  const auto messages = static_cast<EShMessages>(EShMsgSpvRules | EShMsgVulkanRules);
  Includer includer(mod);
  if (!shader.parse(GetDefaultResources(), 450, false, messages, includer)) return Error{ErrorCode::invalid_argument, readable(shader.getInfoLog())};
  ::glslang::TProgram program;
  program.addShader(&shader);
  if (!program.link(messages)) return Error{ErrorCode::invalid_argument, readable(program.getInfoLog())};
  std::vector<unsigned> code;
  ::glslang::SpvOptions options;
  options.disableOptimizer = true;
  ::glslang::GlslangToSpv(*program.getIntermediate(EShLangCompute), code, &options);
  return std::vector<std::uint32_t>(code.begin(), code.end());
}

class CompiledMod : public ops::ModSource {
 public:
  explicit CompiledMod(ModText text) : ModSource(std::move(text.facts)), glsl_(std::move(text.glsl)) {}

  const ShaderInfo* shader(std::string_view variant) const override {
    const std::lock_guard lock(mutex_);
    const auto [at, is_new] = shaders_.try_emplace(std::string(variant));
    Shader& made = at->second;
    if (is_new) {
      if (Result<std::vector<std::uint32_t>> code = compile_variant(variant, glsl_); code) made.code = std::move(*code);
      else error_ = code.error();
      made.name = ops::mod_shader_name(variant);
      made.info = {made.name.c_str(), made.code};
    }
    return made.code.empty() ? nullptr : &made.info;
  }
  Error last_error() const { return error_; }

 private:
  struct Shader {
    std::vector<std::uint32_t> code;  // empty: it does not compile
    std::string name;
    ShaderInfo info{};
  };
  const std::string glsl_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, Shader, std::less<>> shaders_;  // nodes keep their addresses
  mutable Error error_;
};

}  // namespace

Result<AttentionMod> compile(const AttentionModDesc& desc) {
  static const bool ready = ::glslang::InitializeProcess();
  if (!ready) return Error{ErrorCode::internal, "glslang cannot be initialised"};
  Result<ModText> as_written = mod_text(desc, false);
  if (!as_written) return as_written.error();

  const std::string glsl = as_written->glsl;
  // Equal texts make equal GLSL, and share what is compiled as long as one of them lives.
  static std::mutex mutex;
  static std::map<std::string, std::weak_ptr<const ops::ModSource>> known;
  {
    const std::lock_guard lock(mutex);
    std::erase_if(known, [](const auto& entry) { return entry.second.expired(); });
    if (const auto at = known.find(glsl); at != known.end())
      if (auto source = at->second.lock()) return AttentionMod(std::move(source));
  }
  auto made = std::make_shared<CompiledMod>(std::move(*as_written));
  if (!made->shader("attention_mod"))
    return Error{made->last_error().code, cat("attention_mod: ", author_names(desc, made->last_error().message))};
  if (Result<ModText> flat = mod_text(desc, true); flat)
    if (auto without_branches = std::make_shared<CompiledMod>(std::move(*flat)); without_branches->shader("attention_mod")) made = without_branches;
  const std::lock_guard lock(mutex);
  known.insert_or_assign(glsl, made);
  return AttentionMod(made);
}

}  // namespace fovea::glsl
