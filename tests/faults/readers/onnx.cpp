// The bytes: 2 of the model's size and 2 of the input's, most significant last; then model, input and output.

#include "tests/conformance/onnx/fold.hpp"
#include "tests/conformance/onnx/read.hpp"
#include "tests/faults/readers/reader.hpp"

#include <map>

using namespace fovea;
using namespace fovea::conformance;

namespace {

// As onnx/graph.cpp does: the shapes and constants that are known, node by node.
void fold(const Case& one) {
  std::map<std::string, Integers> known;
  for (const io::StoredTensor& tensor : one.tensors.tensors()) {
    if (!tensor.name.starts_with("in.") || tensor.shape.elements() > 64) continue;
    const Result<std::vector<std::int32_t>> values = io::to_i32(tensor);
    if (values) known[tensor.name.substr(3)] = {tensor.shape, {values->begin(), values->end()}};
  }
  for (const OnnxNode& node : one.nodes) {
    std::vector<const Integers*> in;
    for (const std::string& name : node.inputs)
      if (const auto at = known.find(name); at != known.end()) in.push_back(&at->second);
    if (in.size() != node.inputs.size() || node.outputs.size() != 1) continue;
    if (auto folded = fold_onnx(node, in)) {
      test::require(folded->values.size() == static_cast<std::size_t>(folded->shape.elements()), "what is folded has its shape");
      known[node.outputs[0]] = std::move(*folded);
    }
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  const std::span<const std::byte> all = test::bytes_of(data + 4, size - 4);
  const std::size_t model = std::min<std::size_t>(data[0] + 256u * data[1], all.size());
  const std::size_t input = std::min<std::size_t>(data[2] + 256u * data[3], all.size() - model);
  const NamedBytes inputs[] = {{"input", all.subspan(model, input)}};
  const NamedBytes outputs[] = {{"output", all.subspan(model + input)}};
  const Result<Case> read = parse_onnx_case({"model", all.first(model)}, std::span(inputs).first(input > 0), outputs);
  if (!read) {
    test::require(read.error().code == ErrorCode::io, "an error of a file");
    return 0;
  }
  for (const io::StoredTensor& tensor : read->tensors.tensors())
    test::require(tensor.bytes.size() == static_cast<std::size_t>(tensor.shape.elements()) * io::size_of(tensor.type), "a tensor has the bytes of its shape");
  fold(*read);
  return 0;
}
