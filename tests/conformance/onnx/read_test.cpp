// What the reader makes of ONNX's tests, whole and broken; the models are written by ONNX's own protobuf.

#include "tests/conformance/onnx/read.hpp"
#include "tests/io/folder.hpp"

#include <doctest/doctest.h>
#include <onnx/onnx_pb.h>

#include <cstring>
#include <functional>
#include <span>

using namespace fovea;
using namespace fovea::conformance;
using test::check_error;

namespace {

onnx::ValueInfoProto value(const std::string& name, int type, std::vector<std::int64_t> extents) {
  onnx::ValueInfoProto info;
  info.set_name(name);
  auto* tensor = info.mutable_type()->mutable_tensor_type();
  tensor->set_elem_type(type);
  for (std::int64_t extent : extents) tensor->mutable_shape()->add_dim()->set_dim_value(extent);
  return info;
}

onnx::TensorProto tensor(const std::string& name, std::vector<std::int64_t> extents, const std::vector<float>& values) {
  onnx::TensorProto proto;
  proto.set_name(name);
  proto.set_data_type(onnx::TensorProto::FLOAT);
  for (std::int64_t extent : extents) proto.add_dims(extent);
  proto.set_raw_data(values.data(), values.size() * sizeof(float));
  return proto;
}

// y = Elu(x), of three floats.
struct Test {
  onnx::ModelProto model;
  std::vector<onnx::TensorProto> inputs{tensor("x", {3}, {1, 2, 3})}, outputs{tensor("y", {3}, {1, 2, 3})};

  Test() {
    auto* import = model.add_opset_import();
    import->set_version(22);
    onnx::GraphProto& graph = *model.mutable_graph();
    *graph.add_input() = value("x", onnx::TensorProto::FLOAT, {3});
    *graph.add_output() = value("y", onnx::TensorProto::FLOAT, {3});
    onnx::NodeProto& node = *graph.add_node();
    node.set_op_type("Elu");
    node.add_input("x");
    node.add_output("y");
    onnx::AttributeProto& alpha = *node.add_attribute();
    alpha.set_name("alpha");
    alpha.set_type(onnx::AttributeProto::FLOAT);
    alpha.set_f(2);
  }
  onnx::GraphProto& graph() { return *model.mutable_graph(); }
  onnx::NodeProto& node() { return *graph().mutable_node(0); }
};

// The files' contents, as they would stand in a folder.
struct Files {
  std::string model;
  std::vector<std::string> inputs, outputs;

  explicit Files(const Test& test) : model(test.model.SerializeAsString()) {
    for (const auto& proto : test.inputs) inputs.push_back(proto.SerializeAsString());
    for (const auto& proto : test.outputs) outputs.push_back(proto.SerializeAsString());
  }
  Result<Case> parse() const {
    const auto named = [](const std::vector<std::string>& files, const char* kind) {
      std::vector<NamedBytes> all;
      for (const std::string& file : files) all.push_back({kind + std::to_string(all.size()) + ".pb", std::as_bytes(std::span(file))});
      return all;
    };
    return parse_onnx_case({"model.onnx", std::as_bytes(std::span(model))}, named(inputs, "input_"), named(outputs, "output_"));
  }
};

Result<Case> parse(const Test& test) {
  return Files(test).parse();
}

// The error of a test with one thing wrong.
void check_wrong(const std::function<void(Test&)>& spoil, std::initializer_list<std::string> texts) {
  Test test;
  spoil(test);
  check_error(parse(test), ErrorCode::io, texts);
}

std::string unsupported(const std::function<void(Test&)>& change) {
  Test test;
  change(test);
  const Result<Case> loaded = parse(test);
  REQUIRE_MESSAGE(static_cast<bool>(loaded), loaded.error().message);
  return loaded->unsupported;
}

}  // namespace

TEST_CASE("a test is read: its node, attributes, tensors and ONNX's tolerance") {
  const Result<Case> loaded = parse({});
  REQUIRE(loaded);
  CHECK(loaded->op == "onnx.Elu");
  CHECK(loaded->unsupported.empty());
  REQUIRE(loaded->nodes.size() == 1);
  const OnnxNode& node = loaded->nodes[0];
  CHECK(node.opset == 22);
  CHECK(node.inputs == std::vector<std::string>{"x"});
  CHECK(node.outputs == std::vector<std::string>{"y"});
  CHECK(node.attributes.number("alpha", 0) == 2);
  const io::StoredTensor* x = loaded->tensors.find("in.x");
  REQUIRE(x != nullptr);
  CHECK(x->shape == Shape{3});
  CHECK(io::to_f32(*x) == std::vector<float>{1, 2, 3});
  CHECK(loaded->tensors.find("out.y") != nullptr);
  CHECK(loaded->tolerance("out.y").absolute == 1e-7);
  CHECK(loaded->tolerance("out.y").relative == 1e-3);
}

TEST_CASE("attributes of every kind; those that are tensors become tensors of the case") {
  Test test;
  const auto add = [&](const char* name, onnx::AttributeProto::AttributeType type) -> onnx::AttributeProto& {
    onnx::AttributeProto& attribute = *test.node().add_attribute();
    attribute.set_name(name);
    attribute.set_type(type);
    return attribute;
  };
  add("i", onnx::AttributeProto::INT).set_i(-4);
  add("s", onnx::AttributeProto::STRING).set_s("same");
  auto& ints = add("ints", onnx::AttributeProto::INTS);
  ints.add_ints(1), ints.add_ints(INT64_MAX);
  add("floats", onnx::AttributeProto::FLOATS).add_floats(0.5f);
  auto& texts = add("texts", onnx::AttributeProto::STRINGS);
  texts.add_strings("a"), texts.add_strings("\xff");
  *add("t", onnx::AttributeProto::TENSOR).mutable_t() = tensor("", {}, {7});
  const Result<Case> loaded = parse(test);
  REQUIRE(loaded);
  const Attrs& attrs = loaded->nodes[0].attributes;
  CHECK(attrs.integer("i", 0) == -4);
  CHECK(attrs.text("s") == "same");
  CHECK(attrs.integers("ints") == std::vector<std::int64_t>{1, INT64_MAX});
  CHECK(attrs.texts("texts") == std::vector<std::string>{"a", "\xff"});
  const io::StoredTensor* t = loaded->tensors.find(attrs.text("t"));
  REQUIRE(t != nullptr);
  CHECK(io::to_f32(*t) == std::vector<float>{7});
}

TEST_CASE("elements that are not raw, of every type") {
  const auto read = [](int type, const std::function<void(onnx::TensorProto&)>& fill) {
    Test test;
    onnx::TensorProto x = tensor("x", {2}, {});
    x.clear_raw_data();
    x.set_data_type(type);
    fill(x);
    test.inputs[0] = x;
    *test.graph().mutable_input(0) = value("x", type, {2});
    const Result<Case> loaded = parse(test);
    REQUIRE_MESSAGE(static_cast<bool>(loaded), loaded.error().message);
    return io::to_f32(*loaded->tensors.find("in.x"));
  };
  using P = onnx::TensorProto;
  CHECK(read(P::FLOAT, [](P& x) { x.add_float_data(1.5f), x.add_float_data(-2); }) == std::vector<float>{1.5f, -2});
  CHECK(read(P::DOUBLE, [](P& x) { x.add_double_data(1.5), x.add_double_data(-2); }) == std::vector<float>{1.5f, -2});
  CHECK(read(P::INT64, [](P& x) { x.add_int64_data(5), x.add_int64_data(-2); }) == std::vector<float>{5, -2});
  CHECK(read(P::INT32, [](P& x) { x.add_int32_data(5), x.add_int32_data(-2); }) == std::vector<float>{5, -2});
  CHECK(read(P::BOOL, [](P& x) { x.add_int32_data(1), x.add_int32_data(0); }) == std::vector<float>{1, 0});
  CHECK(read(P::FLOAT16, [](P& x) { x.add_int32_data(0x3e00), x.add_int32_data(0xc000); }) == std::vector<float>{1.5f, -2});
}

TEST_CASE("an initializer needs no file, and a second node takes the first one's result") {
  Test test;
  *test.graph().add_initializer() = tensor("slope", {1}, {0.5f});
  *test.graph().add_input() = value("slope", onnx::TensorProto::FLOAT, {1});  // as older files list it
  test.node().set_output(0, "z");
  onnx::NodeProto& node = *test.graph().add_node();
  node.set_op_type("PRelu");
  node.add_input("z"), node.add_input("slope"), node.add_input("");
  node.add_output("y");
  const Result<Case> loaded = parse(test);
  REQUIRE_MESSAGE(static_cast<bool>(loaded), loaded.error().message);
  CHECK(loaded->nodes.size() == 2);
  CHECK(loaded->nodes[1].inputs == std::vector<std::string>{"z", "slope", ""});
  CHECK(loaded->tensors.find("in.slope") != nullptr);
}

TEST_CASE("a broken tensor is an error with its file") {
  check_wrong([](Test& t) { t.inputs[0] = tensor("x", {3}, {1, 2}); }, {"input_0.pb", "'x'", "8 bytes", "FLOAT[3] has 3 elements of 4"});
  check_wrong([](Test& t) { t.inputs[0].mutable_raw_data()->pop_back(); }, {"input_0.pb", "11 bytes"});
  check_wrong([](Test& t) { t.outputs[0] = tensor("y", {4}, {1, 2, 3, 4}); }, {"output_0.pb", "other extents than 'y'"});
  check_wrong([](Test& t) { t.inputs[0].set_data_type(onnx::TensorProto::DOUBLE); }, {"input_0.pb", "DOUBLE", "FLOAT"});
  const auto extents = [](std::vector<std::int64_t> list) {
    return [list](Test& t) {
      t.graph().mutable_input(0)->mutable_type()->mutable_tensor_type()->clear_shape();
      t.inputs[0] = tensor("x", list, {1, 2, 3});
    };
  };
  check_wrong(extents({-3}), {"input_0.pb", "[-3]"});
  check_wrong(extents({1, 1, 1, 1, 1, 1, 1, 1, 3}), {"input_0.pb", "9 axes"});
  check_wrong(extents({INT64_MAX}), {"input_0.pb", "9223372036854775807 elements"});
  check_wrong(extents({INT64_MAX, INT64_MAX, 16}), {"input_0.pb", "12 bytes"});  // the product overflows
  check_wrong(extents({std::int64_t{1} << 32, std::int64_t{1} << 32}), {"input_0.pb", "12 bytes"});
  check_wrong(extents({(std::int64_t{1} << 62) + 3}), {"input_0.pb", "12 bytes"});  // times 4 bytes it would be 12
  check_wrong([](Test& t) { t.inputs[0].set_data_location(onnx::TensorProto::EXTERNAL); }, {"input_0.pb", "another file"});
}

TEST_CASE("a broken graph is an error with its file") {
  check_wrong([](Test& t) { t.model.clear_graph(); }, {"model.onnx", "no graph"});
  check_wrong([](Test& t) { t.graph().clear_node(); }, {"model.onnx", "no node"});
  check_wrong([](Test& t) { t.node().set_input(0, "q"); }, {"model.onnx", "onnx.Elu takes 'q', which nothing makes"});
  check_wrong([](Test& t) { t.node().set_output(0, "x"); }, {"model.onnx", "two values are called 'x'"});
  check_wrong([](Test& t) { t.node().set_output(0, "z"); }, {"model.onnx", "no node makes the output 'y'"});
  check_wrong([](Test& t) { t.inputs.clear(); }, {"model.onnx", "input 'x' has no file input_0.pb"});
  check_wrong([](Test& t) { t.outputs.push_back(t.outputs[0]); }, {"output_1.pb", "only 1 output"});
  check_wrong([](Test& t) { *t.graph().add_input() = t.graph().input(0); t.inputs.push_back(t.inputs[0]); }, {"input_1.pb"});
}

TEST_CASE("what Fovea has no word for is told, not an error") {
  CHECK(unsupported([](Test& t) { t.graph().mutable_input(0)->mutable_type()->mutable_sequence_type(); }).find("'x' is a sequence") == 0);
  CHECK(unsupported([](Test& t) {
          *t.graph().mutable_input(0) = value("x", onnx::TensorProto::STRING, {3});
          t.inputs[0].set_data_type(onnx::TensorProto::STRING);
        }) == "a tensor of STRING");
  CHECK(unsupported([](Test& t) {
          auto& attribute = *t.node().add_attribute();
          attribute.set_name("body");
          attribute.set_type(onnx::AttributeProto::GRAPH);
        }) == "onnx.Elu with a graph of its own");
  CHECK(unsupported([](Test& t) { t.node().set_domain("com.example"); }).empty());  // its operator is missing, not its file
}

TEST_CASE("what is skipped is not read on") {
  CHECK(unsupported([](Test& t) {
          *t.graph().mutable_input(0) = value("x", onnx::TensorProto::BFLOAT16, {3});
          t.outputs[0] = tensor("y", {1}, {1});
        }) == "a tensor of BFLOAT16");
}

TEST_CASE("no prefix of a file is taken for the whole, and none ends the program") {
  const Files whole{Test()};
  for (std::size_t size = 0; size < whole.inputs[0].size(); ++size) {
    Files files = whole;
    files.inputs[0].resize(size);
    check_error(files.parse(), ErrorCode::io, {"input_0.pb"});
  }
  for (std::size_t size = 0; size < whole.model.size(); ++size) {
    Files files = whole;
    files.model.resize(size);
    const Result<Case> loaded = files.parse();  // without its last field, the opset, it is a model too
    if (!loaded) check_error(loaded, ErrorCode::io, {"model.onnx"});
  }
}

TEST_CASE("no changed byte ends the program") {
  const Files whole{Test()};
  for (int bit = 0; bit < 8; ++bit) {
    for (std::size_t i = 0; i < whole.model.size() + whole.inputs[0].size(); ++i) {
      Files files = whole;
      char& byte = i < whole.model.size() ? files.model[i] : files.inputs[0][i - whole.model.size()];
      byte = static_cast<char>(byte ^ (1 << bit));
      const Result<Case> loaded = files.parse();
      if (!loaded) CHECK_FALSE(loaded.error().message.empty());
    }
  }
}

TEST_CASE("files of a folder; a missing one, junk and a folder in its place are errors with their path") {
  const test::Folder folder;
  const auto data_set = folder / "group/test_elu/test_data_set_0", model = data_set.parent_path() / "model.onnx";
  std::filesystem::create_directories(data_set);
  const Files files{Test()};
  test::write_bytes(model, files.model);
  test::write_bytes(data_set / "output_0.pb", files.outputs[0]);
  CHECK(is_onnx_data_set(data_set));
  CHECK_FALSE(is_onnx_data_set(model));
  check_error(read_onnx_case(data_set), ErrorCode::io, {"model.onnx", "input_0.pb"});
  test::write_bytes(data_set / "input_0.pb", "junk");
  check_error(read_onnx_case(data_set), ErrorCode::io, {"input_0.pb", "is not a tensor"});
  test::write_bytes(data_set / "input_0.pb", files.inputs[0]);
  const Result<Case> loaded = read_onnx_case(data_set);
  REQUIRE(loaded);
  CHECK(loaded->id() == "group/test_elu");
  const std::vector<CaseFile> found = find_cases(folder.path());
  REQUIRE(found.size() == 1);
  CHECK(found[0].id() == "group/test_elu");
  test::write_bytes(model, "not a model");
  check_error(read_onnx_case(data_set), ErrorCode::io, {"model.onnx", "is not an ONNX model"});
  std::filesystem::remove(data_set / "input_0.pb");
  std::filesystem::create_directory(data_set / "input_0.pb");
  check_error(read_onnx_case(data_set), ErrorCode::io, {"input_0.pb", "is a folder"});
}
