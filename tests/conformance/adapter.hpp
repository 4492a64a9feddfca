#pragma once
// An adapter turns a case into a graph: it reads the case's operands and attributes and calls Fovea's public operators,
// and nothing else. One adapter an operator name, in a table a family (adapters_*.cpp).

#include "tests/conformance/corpus.hpp"
#include "tests/conformance/onnx/fold.hpp"
#include <fovea/graph.hpp>
#include <fovea/loss.hpp>
#include <fovea/normalization.hpp>
#include <fovea/ops.hpp>
#include <fovea/recurrent.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::conformance {

// The graph of one case, while its adapter builds it.
class CaseGraph {
 public:
  explicit CaseGraph(const Case& from) : case_(from) {}

  const Attrs& attrs() const { return case_.attrs; }
  const std::string& op() const { return case_.op; }

  // Whether the case has a tensor of this whole name, "in.mask", "out.lse".
  bool has(std::string_view name) const { return case_.tensors.find(name) != nullptr; }
  // The operand "in.<name>", or the parameter "w.<name>": f32; integers become i32, BOOL boolean. An error if absent.
  Tensor in(std::string_view name) { return operand("in." + std::string(name)); }
  Tensor weight(std::string_view name) { return operand("w." + std::string(name)); }
  // Absent where the case has none.
  Tensor optional_in(std::string_view name) { return has("in." + std::string(name)) ? in(name) : Tensor(); }
  Tensor optional_weight(std::string_view name) { return has("w." + std::string(name)) ? weight(name) : Tensor(); }
  // Operands "in.<name>" and parameters "w.<name>" that Fovea takes as attributes: the numbers themselves.
  std::vector<std::int64_t> integers(std::string_view name) { return integers_at("in." + std::string(name)); }
  std::vector<std::int64_t> weight_integers(std::string_view name) { return integers_at("w." + std::string(name)); }
  std::vector<float> floats(std::string_view name);
  // A tensor of the case by its whole name.
  Tensor stored(const std::string& name) { return operand(name); }

  Tensor constant(const Shape& shape, const std::vector<float>& values) { return graph_.constant(shape, values); }
  Tensor constant(const Shape& shape, const std::vector<std::int32_t>& values) {
    return graph_.constant(shape, values);
  }
  // A boolean constant.
  Tensor mask(const Shape& shape, const std::vector<std::int32_t>& values) {
    return cast(graph_.constant(shape, values), DType::boolean);
  }

  // The result to compare with "out.<name>".
  void out(std::string_view name, Tensor value);
  bool wants(std::string_view name) const { return has("out." + std::string(name)); }

  // The case needs what Fovea does not have. The first reason is kept.
  void skip(std::string reason);

  // ONNX: the node that is being built, its operands and results by position.
  bool has_onnx(std::size_t i) const { return i < node_->inputs.size() && !node_->inputs[i].empty(); }
  bool wants_onnx(std::size_t i) const { return i < node_->outputs.size() && !node_->outputs[i].empty(); }
  std::size_t onnx_operands() const { return node_->inputs.size(); }
  std::size_t onnx_results() const { return node_->outputs.size(); }
  Tensor onnx(std::size_t i);  // absent where it is left out
  // The numbers of an operand that Fovea takes as an attribute; none where it is left out. Those that come from another
  // node are known where shapes and constants alone make them (fold_onnx); otherwise the case is skipped.
  std::vector<std::int64_t> onnx_integers(std::size_t i);
  std::vector<float> onnx_floats(std::size_t i);
  void out_onnx(std::size_t i, Tensor value);
  // A result of integers that are known now.
  void out_onnx(std::size_t i, Integers value);
  // A result that is a tensor of the case, of the whole name `tensor`.
  void out_onnx_stored(std::size_t i, const std::string& tensor);
  const Attrs& onnx_attrs() const { return node_->attributes; }
  std::int64_t onnx_opset() const { return node_->opset; }

  // Appends the gradients that the case expects, of its loss: the sum of out.X times in.dX over the outputs that have one. Of
  // a case with the attribute `recompute`, as GradDesc::recompute has them.
  void differentiate();

  // Builds all of the case: by its operator's adapter, or node by node.
  void build();

  // What was built.
  Graph& graph() { return graph_; }
  const std::map<std::string, Tensor>& operands() const { return operands_; }
  const std::optional<std::string>& skipped() const { return skipped_; }
  const std::optional<std::string>& problem() const { return problem_; }

 private:
  Tensor operand(const std::string& name);
  std::vector<std::int64_t> integers_at(const std::string& name);
  std::vector<std::int64_t> integers_of(const io::StoredTensor& stored);
  const io::StoredTensor* require(const std::string& name);
  void build_node(const OnnxNode& node);
  const io::StoredTensor* onnx_stored(std::size_t i);

  const Case& case_;
  const OnnxNode* node_ = nullptr;
  std::map<std::string, Tensor> made_;        // what ONNX's nodes made, by the names of the graph
  std::map<std::string, Integers> integers_;  // and those that are known integers
  std::map<std::string, std::string> stored_; // and those that are tensors of the case
  Graph graph_;
  std::map<std::string, Tensor> operands_, outputs_;  // by whole name
  std::optional<std::string> skipped_, problem_;
};

struct Adapter {
  const char* op;
  void (*build)(CaseGraph& graph);
  std::size_t operands = 1;  // of ONNX nodes: how many must be there
};
// Null when there is none for this operator.
const Adapter* find_adapter(std::string_view op);
// Why a case has none, or nodes without; nothing where all have one.
std::optional<std::string> missing_adapter(const Case& from);

// The families.
std::span<const Adapter> attention_adapters();
std::span<const Adapter> channel_module_adapters();
std::span<const Adapter> conv_adapters();
std::span<const Adapter> elementwise_adapters();
std::span<const Adapter> index_adapters();
std::span<const Adapter> layout_adapters();
std::span<const Adapter> model_adapters();
std::span<const Adapter> normalization_adapters();
std::span<const Adapter> onnx_elementwise_adapters();
std::span<const Adapter> onnx_index_adapters();
std::span<const Adapter> onnx_layer_adapters();
std::span<const Adapter> onnx_layout_adapters();
std::span<const Adapter> pool_adapters();
std::span<const Adapter> product_adapters();
std::span<const Adapter> random_graph_adapters();
std::span<const Adapter> recurrent_adapters();
std::span<const Adapter> recurrent_module_adapters();
std::span<const Adapter> reduce_adapters();
std::span<const Adapter> sample_adapters();
std::span<const Adapter> sequence_module_adapters();
std::span<const Adapter> spatial_module_adapters();
std::span<const Adapter> token_module_adapters();
// All of them.
std::span<const std::span<const Adapter>> adapter_families();

}  // namespace fovea::conformance
