#include "tests/conformance/adapter.hpp"

#include <fovea/autodiff.hpp>

#include <cstring>

namespace fovea::conformance {

const io::StoredTensor* CaseGraph::require(const std::string& name) {
  const io::StoredTensor* tensor = case_.tensors.find(name);
  if (tensor == nullptr && !problem_) problem_ = "the case has no tensor '" + name + "'";
  return tensor;
}

Tensor CaseGraph::operand(const std::string& name) {
  if (const auto at = operands_.find(name); at != operands_.end()) return at->second;
  const io::StoredTensor* stored = require(name);
  if (stored == nullptr) return graph_.constant({}, std::vector<float>{0});
  DType dtype = DType::i32;
  if (stored->type == io::ElementType::boolean) dtype = DType::boolean;
  if (stored->type >= io::ElementType::f16) dtype = DType::f32;
  const Tensor tensor = graph_.input(name, stored->shape, dtype);
  operands_.emplace(name, tensor);
  return tensor;
}

std::vector<std::int64_t> CaseGraph::integers_at(const std::string& name) {
  const io::StoredTensor* stored = require(name);
  return stored == nullptr ? std::vector<std::int64_t>() : integers_of(*stored);
}

std::vector<std::int64_t> CaseGraph::integers_of(const io::StoredTensor& stored) {
  if (stored.type == io::ElementType::i64) {  // the ends of slices lie far beyond 32 bits
    std::vector<std::int64_t> wide(stored.bytes.size() / sizeof(std::int64_t));
    if (!wide.empty()) std::memcpy(wide.data(), stored.bytes.data(), stored.bytes.size());
    return wide;
  }
  const Result<std::vector<std::int32_t>> values = io::to_i32(stored);
  if (!values) {
    problem_ = values.error().message;
    return {};
  }
  return {values->begin(), values->end()};
}

std::vector<float> CaseGraph::floats(std::string_view name) {
  const io::StoredTensor* stored = require("in." + std::string(name));
  return stored == nullptr ? std::vector<float>() : io::to_f32(*stored);
}

void CaseGraph::out(std::string_view name, Tensor value) {
  const std::string whole = "out." + std::string(name);
  graph_.output(whole, value);
  outputs_.emplace(whole, value);
}

void CaseGraph::differentiate() {
  std::vector<std::string> names;
  std::vector<Tensor> targets;
  for (const io::StoredTensor& stored : case_.tensors.tensors()) {
    if (!stored.name.starts_with("grad.")) continue;
    const std::string of = stored.name.substr(5);
    const auto at = operands_.find(of.starts_with("w.") ? of : "in." + of);
    if (at == operands_.end()) continue;  // the comparison reports it
    names.push_back(stored.name);
    targets.push_back(at->second);
  }
  Tensor loss;
  for (const auto& [name, value] : outputs_) {
    const std::string seed = "in.d" + name.substr(4);
    if (!has(seed)) continue;
    const Tensor term = reduce(Reduce::sum, value * operand(seed));
    loss = loss ? loss + term : term;
  }
  if (!loss || targets.empty()) return;
  const std::vector<Tensor> gradients = grad(loss, targets, {.recompute = case_.attrs.flag("recompute")});
  for (std::size_t i = 0; i < names.size(); ++i) graph_.output(names[i], gradients[i]);
}

void CaseGraph::skip(std::string reason) {
  if (!skipped_) skipped_ = std::move(reason);
}

std::span<const std::span<const Adapter>> adapter_families() {
  static const std::span<const Adapter> families[] = {
      attention_adapters(),   channel_module_adapters(),  conv_adapters(),            elementwise_adapters(),
      index_adapters(),       layout_adapters(),      model_adapters(),           normalization_adapters(),
      onnx_elementwise_adapters(), onnx_index_adapters(), onnx_layer_adapters(), onnx_layout_adapters(),
      pool_adapters(),        product_adapters(),         random_graph_adapters(), recurrent_adapters(), recurrent_module_adapters(),      reduce_adapters(),
      sample_adapters(),      sequence_module_adapters(), spatial_module_adapters(),
      token_module_adapters()};
  return families;
}

const Adapter* find_adapter(std::string_view op) {
  for (const std::span<const Adapter> family : adapter_families()) {
    for (const Adapter& adapter : family) {
      if (adapter.op == op) return &adapter;
    }
  }
  return nullptr;
}

}  // namespace fovea::conformance
