// AttentionMod::save and load: facts and every shader, checked by a hash of both and of the engine's own attention kernels, whose
// bindings and parameters the shaders share.

#include "ops/attention_mod.hpp"

#include "base/hash.hpp"

#include <array>
#include <cstring>
#include <map>

namespace fovea {
namespace ops {
namespace {

constexpr std::string_view magic = "fovea attention mod 1\n";

std::vector<std::string> variants() {
  std::vector<std::string> names{"attention_mod", "attention_blocks"};
  for (const char* stem : {"attention_parts", "attention_split", "attention_row.shuffle", "attention_row.broadcast",
                           "attention_row.address", "attention_tile", "attention_backward.shuffle", "attention_backward.broadcast",
                           "attention_backward.uniform", "attention_backward_split", "attention_backward_mask"})
    for (const char* weights : {".whole", ".dropped", ".ranged", ".paged"}) {
      const bool forward = weights == std::string_view(".ranged") || weights == std::string_view(".paged");
      if (forward && std::string_view(stem).starts_with("attention_backward")) continue;
      for (const char* dtype : {".f32", ".f16", ".bf16"}) names.push_back(cat(stem, weights, dtype));
    }
  return names;
}

// Of a file's body and of what the mod stands in for, which stays the same while the process runs.
std::uint64_t hash_of(std::span<const std::byte> body) {
  static const std::uint64_t engine = [] {
    std::uint64_t hash = hash_bytes({});
    for (const std::string& name : variants())
      if (const ShaderInfo* shader = find_shader(name)) hash = hash_bytes(std::as_bytes(shader->code), hash);
    return hash;
  }();
  return hash_bytes(body, engine);
}

class Writer {
 public:
  void number(std::uint32_t value) {
    std::array<std::byte, 4> bytes;
    for (unsigned i = 0; i < 4; ++i) bytes[i] = static_cast<std::byte>(value >> (8 * i));
    out.insert(out.end(), bytes.begin(), bytes.end());
  }
  void text(std::string_view value) {
    number(static_cast<std::uint32_t>(value.size()));
    for (char c : value) out.push_back(static_cast<std::byte>(c));
  }
  std::vector<std::byte> out;
};

// Reads nothing past the end: what is not there is 0, empty, and `bad`.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : rest_(bytes) {}
  std::uint32_t number() {
    if (rest_.size() < 4) return fail();
    std::uint32_t value = 0;
    for (unsigned i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(rest_[i]) << (8 * i);
    rest_ = rest_.subspan(4);
    return value;
  }
  std::string text() {
    const std::uint32_t size = number();
    if (size > rest_.size()) return fail(), std::string();
    const std::string value(reinterpret_cast<const char*>(rest_.data()), size);
    rest_ = rest_.subspan(size);
    return value;
  }
  // Of elements that take at least four bytes each.
  std::uint32_t count() {
    const std::uint32_t n = number();
    return n > rest_.size() / 4 ? fail() : n;
  }
  bool bad = false;
  bool done() const { return rest_.empty(); }

 private:
  std::uint32_t fail() {
    bad = true, rest_ = {};
    return 0;
  }
  std::span<const std::byte> rest_;
};

class LoadedMod : public ModSource {
 public:
  struct Shader {
    std::vector<std::uint32_t> code;
    std::string name{};
    ShaderInfo info{};
  };
  using Shaders = std::map<std::string, Shader, std::less<>>;
  LoadedMod(ModFacts facts, Shaders shaders) : ModSource(std::move(facts)), shaders_(std::move(shaders)) {
    for (auto& [name, shader] : shaders_) {
      shader.name = mod_shader_name(name);
      shader.info = {shader.name.c_str(), shader.code};
    }
  }
  const ShaderInfo* shader(std::string_view variant) const override {
    const auto at = shaders_.find(variant);
    return at == shaders_.end() ? nullptr : &at->second.info;
  }

 private:
  Shaders shaders_;
};

void write(Writer& to, const ModFacts& facts) {
  to.text(facts.text);
  to.number(static_cast<std::uint32_t>(facts.buffers.size()));
  for (const ModBuffer& buffer : facts.buffers)
    to.text(buffer.name), to.number(static_cast<std::uint32_t>(buffer.axes)), to.number(static_cast<std::uint32_t>(buffer.dtype));
  to.number(static_cast<std::uint32_t>(facts.sites.size()));
  for (const ModSite& site : facts.sites) to.number(site.buffer), to.number(site.axes), to.number(site.of_factor);
  to.number(facts.masks), to.number(facts.factors), to.number(facts.mask_by_head);
  to.text(facts.no_gradient);
  to.number(static_cast<std::uint32_t>(facts.no_buffer_gradient.size()));
  for (const std::string& why : facts.no_buffer_gradient) to.text(why);
}

ModFacts read_facts(Reader& from) {
  ModFacts facts;
  facts.text = from.text();
  for (std::uint32_t n = from.count(); n > 0; --n) {
    ModBuffer& buffer = facts.buffers.emplace_back();
    buffer.name = from.text(), buffer.axes = static_cast<int>(from.number()), buffer.dtype = static_cast<DType>(from.number());
  }
  for (std::uint32_t n = from.count(); n > 0; --n) {
    ModSite& site = facts.sites.emplace_back();
    site.buffer = from.number(), site.axes = from.number(), site.of_factor = from.number() != 0;
  }
  facts.masks = from.number() != 0, facts.factors = from.number() != 0, facts.mask_by_head = from.number() != 0;
  facts.no_gradient = from.text();
  for (std::uint32_t n = from.count(); n > 0; --n) facts.no_buffer_gradient.push_back(from.text());
  return facts;
}

}  // namespace
}  // namespace ops

std::vector<std::byte> AttentionMod::save() const {
  if (!source_) return {};
  ops::Writer body;
  write(body, source_->facts());
  for (const std::string& name : ops::variants())
    if (const ShaderInfo* shader = source_->shader(name)) {
      body.text(name);
      body.number(static_cast<std::uint32_t>(shader->code.size()));
      for (std::uint32_t word : shader->code) body.number(word);
    }
  ops::Writer file;
  for (char c : ops::magic) file.out.push_back(static_cast<std::byte>(c));
  const std::uint64_t hash = ops::hash_of(body.out);
  file.number(static_cast<std::uint32_t>(hash)), file.number(static_cast<std::uint32_t>(hash >> 32));
  file.out.insert(file.out.end(), body.out.begin(), body.out.end());
  return std::move(file.out);
}

Result<AttentionMod> AttentionMod::load(std::span<const std::byte> bytes) {
  const auto refuse = [](const char* why) { return Error{ErrorCode::invalid_argument, cat("attention_mod: ", why)}; };
  const std::size_t head = ops::magic.size() + 8;
  if (bytes.size() < head || std::memcmp(bytes.data(), ops::magic.data(), ops::magic.size()) != 0) return refuse("these bytes are no saved modification");
  ops::Reader reader(bytes.subspan(ops::magic.size()));
  const std::uint64_t low = reader.number(), hash = low | std::uint64_t{reader.number()} << 32;
  if (hash != ops::hash_of(bytes.subspan(head)))
    return refuse("the saved modification is damaged, or of another version of Fovea: compile the texts again");
  ops::ModFacts facts = ops::read_facts(reader);
  ops::LoadedMod::Shaders shaders;
  while (!reader.bad && !reader.done()) {
    ops::LoadedMod::Shader& shader = shaders[reader.text()];
    for (std::uint32_t n = reader.count(); n > 0; --n) shader.code.push_back(reader.number());
  }
  if (reader.bad) return refuse("the saved modification ends too early");
  return AttentionMod(std::make_shared<ops::LoadedMod>(std::move(facts), std::move(shaders)));
}

}  // namespace fovea
