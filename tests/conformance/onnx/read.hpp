#pragma once
// ONNX's node tests: <test>/model.onnx, and beside it test_data_set_<n>/input_<i>.pb and output_<i>.pb, the values of the
// graph's inputs and outputs (github.com/onnx/onnx, docs/OnnxBackendTest.md).

#include "tests/conformance/corpus.hpp"

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace fovea::conformance {

// A file's content, and what errors call it.
struct NamedBytes {
  std::string name;
  std::span<const std::byte> bytes;
};

// The case of a model and the values of its inputs and outputs: tensors "in.<name>" of inputs and initializers,
// "out.<name>" of outputs, and "attr.<node>.<attribute>" of attributes. Its tolerance is that of ONNX's own runner.
// Errors (io), with the file: not protobuf, no graph, no node, a value that no node makes, two that bear one name, another
// number of files than the graph has inputs or outputs, a tensor of another type or shape than the graph says, data of
// another size than the extents take, more than max_rank extents, a negative one, data outside the file.
Result<Case> parse_onnx_case(const NamedBytes& model, std::span<const NamedBytes> inputs,
                             std::span<const NamedBytes> outputs);

// Whether it is a folder beside a model.onnx.
bool is_onnx_data_set(const std::filesystem::path& folder);
// The test's name; of another data set than the first with its number: "test_relu.1".
std::string onnx_case_name(const std::filesystem::path& data_set);
// Errors: as parse_onnx_case; files that are missing or cannot be read.
Result<Case> read_onnx_case(const std::filesystem::path& data_set);

}  // namespace fovea::conformance
