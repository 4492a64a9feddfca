#include "tests/conformance/corpus.hpp"
#ifdef FOVEA_HAS_ONNX
#include "tests/conformance/onnx/read.hpp"
#endif

#include <algorithm>
#include <charconv>
#include <set>
#include <system_error>

namespace fovea::conformance {
namespace {

constexpr const char* groups[] = {
    "e2e",
    "mod_attention_to_scale",
    "mod_cbam",
    "mod_coattention",
    "mod_conv_attn",
    "mod_deformable",
    "mod_eca",
    "mod_feedback",
    "mod_gate",
    "mod_generalized_attention",
    "mod_han",
    "mod_macnn",
    "mod_memory",
    "mod_nonlocal",
    "mod_racnn",
    "mod_residual_attention",
    "mod_sca",
    "mod_se",
    "mod_seq_attention",
    "mod_sk",
    "mod_spatial",
    "mod_stn",
    "mod_token",
    "mod_window",
    "onnx_act",
    "onnx_attention",
    "onnx_conv",
    "onnx_gridsample",
    "onnx_matmul",
    "onnx_norm",
    "onnx_pool",
    "onnx_reduce",
    "onnx_resize",
    "onnx_roi_deform",
    "onnx_rotary",
    "onnx_shape",
    "onnx_softmax",
    "onnx_topk",
    "op_act",
    "op_affine_grid",
    "op_attention_variants",
    "op_conv",
    "op_deform",
    "op_grid_sample",
    "op_index",
    "op_interpolate",
    "op_loss",
    "op_matmul",
    "op_mha",
    "op_norm",
    "op_pool",
    "op_reduce",
    "op_rnn",
    "op_roi",
    "op_sdpa",
    "op_shape",
    "op_softmax",
    "op_transformer",
};

double number_of(const io::Metadata& metadata, const char* key, double otherwise) {
  const auto at = metadata.find(key);
  if (at == metadata.end()) return otherwise;
  double value = otherwise;
  std::from_chars(at->second.data(), at->second.data() + at->second.size(), value);
  return value;
}

Result<io::Json> json_of(const io::Metadata& metadata, const char* key) {
  const auto at = metadata.find(key);
  return at == metadata.end() ? io::Json::object() : io::parse_json(at->second);
}

}  // namespace

const io::Json* Attrs::find(const char* key) const {
  const auto at = json_.find(key);
  return at == json_.end() || at->is_null() ? nullptr : &*at;
}

bool Attrs::has(const char* key) const {
  return find(key) != nullptr;
}

double Attrs::number(const char* key, double otherwise) const {
  const io::Json* value = find(key);
  return value != nullptr && value->is_number() ? value->get<double>() : otherwise;
}

std::int64_t Attrs::integer(const char* key, std::int64_t otherwise) const {
  const io::Json* value = find(key);
  return value != nullptr && value->is_number_integer() ? value->get<std::int64_t>() : otherwise;
}

bool Attrs::flag(const char* key, bool otherwise) const {
  const io::Json* value = find(key);
  if (value == nullptr) return otherwise;
  return value->is_boolean() ? value->get<bool>() : integer(key, otherwise) != 0;
}

std::string Attrs::text(const char* key, std::string_view otherwise) const {
  const io::Json* value = find(key);
  return value != nullptr && value->is_string() ? value->get<std::string>() : std::string(otherwise);
}

static std::vector<std::int64_t> integers_of(const io::Json& list) {
  if (list.is_number_integer()) return {list.get<std::int64_t>()};
  std::vector<std::int64_t> values;
  if (!list.is_array()) return values;
  for (const io::Json& value : list) {
    if (value.is_number_integer()) values.push_back(value.get<std::int64_t>());
  }
  return values;
}

std::vector<std::int64_t> Attrs::integers(const char* key) const {
  const io::Json* list = find(key);
  return list == nullptr ? std::vector<std::int64_t>() : integers_of(*list);
}

std::vector<std::vector<std::int64_t>> Attrs::integer_lists(const char* key) const {
  std::vector<std::vector<std::int64_t>> lists;
  const io::Json* all = find(key);
  if (all == nullptr || !all->is_array()) return lists;
  for (const io::Json& list : *all) lists.push_back(integers_of(list));
  return lists;
}

std::vector<std::string> Attrs::texts(const char* key) const {
  std::vector<std::string> values;
  const io::Json* list = find(key);
  if (list == nullptr || !list->is_array()) return values;
  for (const io::Json& value : *list) values.push_back(value.is_string() ? value.get<std::string>() : "");
  return values;
}

Attrs Attrs::object(const char* key) const {
  const io::Json* value = find(key);
  return value != nullptr && value->is_object() ? Attrs(*value) : Attrs();
}

const io::StoredTensor* CaseTensors::find(std::string_view name) const {
  const auto at = std::ranges::find(all_, name, &io::StoredTensor::name);
  return at == all_.end() ? nullptr : &*at;
}

Tolerance Case::tolerance(const std::string& tensor) const {
  return {Attrs(absolute).number(tensor.c_str(), onnx_absolute), relative};
}

Result<Case> load_case(const std::filesystem::path& file) {
#ifdef FOVEA_HAS_ONNX
  if (is_onnx_data_set(file)) return read_onnx_case(file);
#endif
  Result<io::Safetensors> tensors = io::Safetensors::open(file);
  if (!tensors) return tensors.error();
  const auto error = [&](const std::string& what) { return Error{ErrorCode::io, file.string() + ": " + what}; };

  const io::Metadata& metadata = tensors->metadata();
  const auto op = metadata.find("op");
  if (op == metadata.end()) return error("the metadata names no 'op'");
  Result<io::Json> attrs = json_of(metadata, "attrs");
  if (!attrs) return error("'attrs' is " + attrs.error().message);
  Result<io::Json> absolute = json_of(metadata, "atol");
  if (!absolute) return error("'atol' is " + absolute.error().message);
  // The corpus's rule: 1e-4 relative, and of the ONNX cases what their metadata say.
  Case loaded{file.parent_path().filename().string(),
              file.stem().string(),
              op->second,
              Attrs(std::move(*attrs)),
              std::move(*tensors),
              std::move(*absolute),
              number_of(metadata, "atol_onnx", 1e-6),
              number_of(metadata, "rtol", 1e-4)};
  if (loaded.op.starts_with("onnx.")) {
    loaded.nodes.push_back({loaded.op, loaded.attrs.integer("opset", 0), loaded.attrs.texts("inputs"),
                            loaded.attrs.texts("outputs"), loaded.attrs.object("attributes")});
  }
  return loaded;
}

// The data sets of one of ONNX's tests.
static void find_onnx_cases([[maybe_unused]] const std::filesystem::path& test,
                            [[maybe_unused]] std::vector<CaseFile>& files) {
#ifdef FOVEA_HAS_ONNX
  for (int n = 0;; ++n) {
    const std::filesystem::path data_set = test / ("test_data_set_" + std::to_string(n));
    if (!is_onnx_data_set(data_set)) return;
    files.push_back({data_set, test.parent_path().filename().string(), onnx_case_name(data_set)});
  }
#endif
}

std::vector<CaseFile> find_cases(const std::filesystem::path& folder) {
  std::vector<CaseFile> files;
  std::error_code error;
  for (const auto& group : std::filesystem::directory_iterator(folder, error)) {
    for (const auto& file : std::filesystem::directory_iterator(group.path(), error)) {
      find_onnx_cases(file.path(), files);
      if (file.path().extension() != ".safetensors") continue;
      files.push_back({file.path(), group.path().filename().string(), file.path().stem().string()});
    }
  }
  std::sort(files.begin(), files.end(), [](const CaseFile& a, const CaseFile& b) { return a.id() < b.id(); });
  return files;
}

const char* why_no_cases(const std::filesystem::path& folder) {
  std::error_code error;
  if (!std::filesystem::exists(folder, error)) return "does not exist";
  if (!std::filesystem::is_directory(folder, error)) return "is not a folder";
  for (const auto& file : std::filesystem::directory_iterator(folder, error)) {
    if (file.path().extension() == ".safetensors")
      return "holds cases itself, as a group does: give the folder above it";
  }
#ifdef FOVEA_HAS_ONNX
  constexpr const char* none = "holds no <group>/<case>.safetensors and no <group>/<case>/model.onnx";
#else
  constexpr const char* none = "holds no <group>/<case>.safetensors (ONNX's own tests are not read by this build)";
#endif
  return error ? "cannot be read" : none;
}

std::vector<std::string> absent_groups(const std::vector<CaseFile>& files) {
  std::set<std::string> present;
  for (const CaseFile& file : files) present.insert(file.group);
  std::vector<std::string> absent;
  for (const char* group : groups) {
    if (!present.contains(group)) absent.emplace_back(group);
  }
  if (absent.size() == std::size(groups)) absent.clear();
  return absent;
}

bool matches(std::string_view pattern, std::string_view text) {
  std::size_t p = 0, t = 0;
  std::size_t star = std::string_view::npos, star_text = 0;  // the last `*`, and where its match ends so far
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      star_text = t;
    } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
      ++p, ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++star_text;
    } else {
      return false;
    }
  }
  return pattern.find_first_not_of('*', p) == std::string_view::npos;
}

bool can_match(std::string_view pattern, std::string_view beginning) {
  for (std::size_t i = 0; i < beginning.size(); ++i) {
    if (i == pattern.size()) return false;
    if (pattern[i] == '*') return true;
    if (pattern[i] != '?' && pattern[i] != beginning[i]) return false;
  }
  return true;
}

}  // namespace fovea::conformance
