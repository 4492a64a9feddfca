#pragma once
// The conformance corpus: one case a safetensors file (tests/corpus/README.md describes them), or one of ONNX's node tests
// (onnx/read.hpp).

#include "io/json.hpp"
#include <fovea/io.hpp>

#include <cstdint>
#include <deque>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::conformance {

// A JSON object of attributes, read with a default for what is absent, null or of another kind.
class Attrs {
 public:
  Attrs() : json_(io::Json::object()) {}
  explicit Attrs(io::Json json) : json_(std::move(json)) {}

  // Present and not null.
  bool has(const char* key) const;
  double number(const char* key, double otherwise) const;
  std::int64_t integer(const char* key, std::int64_t otherwise) const;
  bool flag(const char* key, bool otherwise = false) const;  // true and false, 1 and 0
  std::string text(const char* key, std::string_view otherwise = "") const;
  // A list; a number counts as a list of one; empty when absent.
  std::vector<std::int64_t> integers(const char* key) const;
  std::vector<std::vector<std::int64_t>> integer_lists(const char* key) const;
  std::vector<std::string> texts(const char* key) const;
  Attrs object(const char* key) const;

 private:
  const io::Json* find(const char* key) const;
  io::Json json_;
};

// |got - expected| <= absolute + relative·|expected|
struct Tolerance {
  double absolute = 0, relative = 0;
};

// A case's tensors by name, with what holds their bytes.
class CaseTensors {
 public:
  CaseTensors() = default;
  CaseTensors(io::Safetensors file) : file_(std::move(file)), all_(file_->tensors().begin(), file_->tensors().end()) {}

  std::span<const io::StoredTensor> tensors() const { return all_; }
  // Null when there is none of that name.
  const io::StoredTensor* find(std::string_view name) const;
  void add(std::string name, io::ElementType type, const Shape& shape, std::vector<std::byte> bytes) {
    owned_.push_back(std::move(bytes));
    all_.push_back({std::move(name), type, shape, owned_.back()});
  }

 private:
  std::optional<io::Safetensors> file_;
  std::deque<std::vector<std::byte>> owned_;
  std::vector<io::StoredTensor> all_;
};

// A node of an ONNX graph, its operands and results by position: "" where one is left out.
struct OnnxNode {
  std::string op;          // "onnx.Relu"; of another domain "ai.onnx.preview.training.Adam"
  std::int64_t opset = 0;  // of that domain
  std::vector<std::string> inputs, outputs;
  Attrs attributes;  // of a tensor: the name that it has in the case
};

struct Case {
  std::string group, name, op;
  Attrs attrs;
  CaseTensors tensors;
  io::Json absolute;  // per tensor: "out.y" -> the absolute tolerance
  double onnx_absolute = 0, relative = 0;
  std::vector<OnnxNode> nodes{};  // of an ONNX case, each behind those whose results it takes
  std::string unsupported{};      // what the case has that Fovea has no word for: sequences, strings, branches

  std::string id() const { return group + "/" + name; }
  Tolerance tolerance(const std::string& tensor) const;
};

// Errors: io's, and metadata without "op" or with attributes that are not JSON; those of read_onnx_case.
Result<Case> load_case(const std::filesystem::path& file);

// A file of the corpus, not read yet.
struct CaseFile {
  std::filesystem::path path;
  std::string group, name;  // of its folder and its file
  std::string id() const { return group + "/" + name; }
};
// <folder>/<group>/<case>.safetensors and, where this build reads ONNX's tests, <folder>/<group>/<case>/model.onnx with
// each test_data_set_<n>, in the order of their names. Empty when there are none.
std::vector<CaseFile> find_cases(const std::filesystem::path& folder);
// What to say of a folder in which find_cases finds none: "does not exist", ...
const char* why_no_cases(const std::filesystem::path& folder);

// The groups of the corpus that none of these files belongs to; none where all files are of other groups.
std::vector<std::string> absent_groups(const std::vector<CaseFile>& files);

// `*` stands for any characters, `?` for one.
bool matches(std::string_view pattern, std::string_view text);
// Whether the pattern matches any text that begins so.
bool can_match(std::string_view pattern, std::string_view beginning);

}  // namespace fovea::conformance
