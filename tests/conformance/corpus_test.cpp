#include "tests/conformance/corpus.hpp"

#include "tests/conformance/adapter.hpp"
#include "tests/io/folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <set>

using namespace fovea;
using namespace fovea::conformance;

namespace {

const std::filesystem::path corpus = FOVEA_CORPUS;

Attrs attrs_of(const char* json) {
  return Attrs(*io::parse_json(json));
}

void write_case(const std::filesystem::path& path, const io::Metadata& metadata) {
  const std::array<float, 2> values{1, 2};
  const std::array tensors{io::StoredTensor{"in.x", io::ElementType::f32, {2}, std::as_bytes(std::span(values))}};
  REQUIRE(io::write_safetensors(path, tensors, metadata));
}

}  // namespace

TEST_CASE("globs") {
  CHECK(matches("*", "op_sdpa/basic"));
  CHECK(matches("op_sdpa/*", "op_sdpa/basic"));
  CHECK(matches("*causal*", "op_sdpa/causal_sq"));
  CHECK(matches("op_?dpa/b*c", "op_sdpa/basic"));
  CHECK(matches("*a*a*", "banana"));
  CHECK(matches("", ""));
  CHECK_FALSE(matches("op_sdpa", "op_sdpa/basic"));
  CHECK_FALSE(matches("*basic?", "op_sdpa/basic"));
  CHECK_FALSE(matches("", "a"));
  CHECK_FALSE(matches("a*b", "ac"));
}

TEST_CASE("attributes of another kind, null and absent ones give the default") {
  const Attrs attrs =
      attrs_of(R"({"i":3,"f":0.5,"t":true,"one":1,"n":null,"s":"x","l":[1,2],"a":["p",""],"o":{"k":7}})");
  CHECK(attrs.integer("i", 0) == 3);
  CHECK(attrs.integer("f", 9) == 9);
  CHECK(attrs.number("i", 0) == 3);
  CHECK(attrs.number("n", 2.5) == 2.5);
  CHECK(attrs.flag("t"));
  CHECK(attrs.flag("one"));
  CHECK(attrs.flag("absent", true));
  CHECK_FALSE(attrs.has("n"));
  CHECK(attrs.text("s") == "x");
  CHECK(attrs.text("i", "d") == "d");
  CHECK(attrs.integers("l") == std::vector<std::int64_t>{1, 2});
  CHECK(attrs.integers("i") == std::vector<std::int64_t>{3});
  CHECK(attrs.integers("absent").empty());
  CHECK(attrs.texts("a") == std::vector<std::string>{"p", ""});
  CHECK(attrs.object("o").integer("k", 0) == 7);
  CHECK_FALSE(attrs.object("s").has("k"));
}

TEST_CASE("a case's tolerance is its own, that of an ONNX case the node's") {
  const test::Folder folder;
  write_case(folder / "a.safetensors", {{"op", "relu"}, {"attrs", "{}"}, {"atol", R"({"out.y":3e-5})"}});
  Result<Case> loaded = load_case(folder / "a.safetensors");
  REQUIRE(loaded);
  CHECK(loaded->name == "a");
  CHECK(loaded->tolerance("out.y").absolute == 3e-5);
  CHECK(loaded->tolerance("out.y").relative == 1e-4);
  CHECK(loaded->tolerance("out.z").absolute == 1e-6);
  write_case(folder / "b.safetensors", {{"op", "onnx.Relu"}, {"rtol", "1e-3"}, {"atol_onnx", "1e-7"}});
  loaded = load_case(folder / "b.safetensors");
  REQUIRE(loaded);
  CHECK(loaded->tolerance("out.y").absolute == 1e-7);
  CHECK(loaded->tolerance("out.y").relative == 1e-3);
}

TEST_CASE("a case that cannot be read is an error with its file") {
  const test::Folder folder;
  write_case(folder / "a.safetensors", {});
  test::check_error(load_case(folder / "a.safetensors"), ErrorCode::io, {"a.safetensors", "no 'op'"});
  write_case(folder / "a.safetensors", {{"op", "relu"}, {"attrs", "{"}});
  test::check_error(load_case(folder / "a.safetensors"), ErrorCode::io, {"a.safetensors", "'attrs' is not JSON"});
}

TEST_CASE("a folder without cases is told from one that is not there, a file, and a group") {
  const test::Folder folder;
  const auto why = [&](const char* name) { return std::string(why_no_cases(folder / name)); };
  CHECK(why("none") == "does not exist");
  std::filesystem::create_directories(folder / "corpus/group");
  CHECK(why("corpus").starts_with("holds no <group>/<case>.safetensors"));
  write_case(folder / "corpus/group/a.safetensors", {{"op", "relu"}});
  CHECK(why("corpus/group/a.safetensors") == "is not a folder");
  CHECK(why("corpus/group").find("give the folder above") != std::string::npos);
  CHECK(find_cases(folder / "corpus/group").empty());
  CHECK(find_cases(folder / "corpus").size() == 1);
}

TEST_CASE("a glob can match what begins as it does, up to its first star") {
  CHECK(can_match("op_softmax/*", "op_softmax/"));
  CHECK(can_match("*_rows", "onnx_act/"));
  CHECK(can_match("o?_s*", "op_softmax/"));
  CHECK(can_match("op_softmax/rows", "op_softmax/"));
  CHECK_FALSE(can_match("op_softmax/*", "onnx_softmax/"));
  CHECK_FALSE(can_match("op_soft", "op_softmax/"));
}

TEST_CASE("the corpus kept here is whole") {
  const std::vector<CaseFile> files = find_cases(corpus);
  CHECK(files.size() == 240);
  for (const std::string& group : absent_groups(files)) CHECK_MESSAGE(group.starts_with("onnx_"), group);
  for (const CaseFile& file : files) {
    const Result<Case> loaded = load_case(file.path);
    REQUIRE_MESSAGE(static_cast<bool>(loaded), file.id());
    const auto outputs = std::count_if(loaded->tensors.tensors().begin(), loaded->tensors.tensors().end(),
                                       [](const io::StoredTensor& t) { return t.name.starts_with("out."); });
    CHECK_MESSAGE(outputs > 0, file.id());
  }
}

TEST_CASE("no operator has two adapters") {
  std::set<std::string> seen;
  for (const std::span<const Adapter> family : adapter_families()) {
    for (const Adapter& adapter : family) CHECK_MESSAGE(seen.insert(adapter.op).second, adapter.op);
  }
}
