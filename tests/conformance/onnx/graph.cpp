// ONNX's side of CaseGraph: nodes one after another, operands and results by position.

#include "tests/conformance/adapter.hpp"

#include <algorithm>
#include <limits>

namespace fovea::conformance {
namespace {

struct Reason {
  std::string_view op, why;
};
constexpr Reason without[] = {
    {"onnx.Acos", "no arc functions"},
    {"onnx.Asin", "no arc functions"},
    {"onnx.Atan", "no arc functions"},
    {"onnx.Bernoulli", "its numbers are those of another generator"},
    {"onnx.RandomUniformLike", "its numbers are those of another generator"},
    {"onnx.NonMaxSuppression", "the data decide the result's extents"},
    {"onnx.NonZero", "the data decide the result's extents"},
    {"onnx.Unique", "the data decide the result's extents"},
};

}  // namespace

std::optional<std::string> missing_adapter(const Case& from) {
  const auto missing = [](const std::string& op) -> std::optional<std::string> {
    if (find_adapter(op) != nullptr) return std::nullopt;
    const auto* reason = std::ranges::find(without, std::string_view(op), &Reason::op);
    return "no operator for " + op + (reason == std::end(without) ? "" : " (" + std::string(reason->why) + ")");
  };
  if (from.nodes.empty()) return missing(from.op);
  for (const OnnxNode& node : from.nodes)
    if (auto reason = missing(node.op)) return reason;
  return std::nullopt;
}

void CaseGraph::build() {
  if (!case_.unsupported.empty()) return skip(case_.unsupported);
  if (const auto missing = missing_adapter(case_)) return skip(*missing);
  if (case_.nodes.empty()) return find_adapter(case_.op)->build(*this);
  for (const OnnxNode& node : case_.nodes) {
    if (!skipped_ && !problem_) build_node(node);
  }
}

void CaseGraph::build_node(const OnnxNode& node) {
  node_ = &node;
  std::vector<const Integers*> known;
  for (const std::string& name : node.inputs) {
    if (const auto at = integers_.find(name); at != integers_.end()) known.push_back(&at->second);
  }
  if (known.size() == node.inputs.size() && node.outputs.size() == 1) {
    if (std::optional<Integers> folded = fold_onnx(node, known)) return out_onnx(0, std::move(*folded));
  }
  const Adapter& adapter = *find_adapter(node.op);
  for (std::size_t i = 0; i < adapter.operands; ++i) {
    if (!has_onnx(i)) {
      problem_ = node.op + " lacks operand " + std::to_string(i);
      return;
    }
  }
  adapter.build(*this);
}

Tensor CaseGraph::onnx(std::size_t i) {
  if (!has_onnx(i)) return {};
  const std::string& name = node_->inputs[i];
  if (const auto at = made_.find(name); at != made_.end()) return at->second;
  return in(name);
}

const io::StoredTensor* CaseGraph::onnx_stored(std::size_t i) {
  const std::string& name = node_->inputs[i];
  if (const auto at = stored_.find(name); at != stored_.end()) return require(at->second);
  if (!made_.contains(name)) return require("in." + name);
  skip(node_->op + " whose operand " + std::to_string(i) + ", a shape or the like, is computed from data");
  return nullptr;
}

std::vector<std::int64_t> CaseGraph::onnx_integers(std::size_t i) {
  if (!has_onnx(i)) return {};
  if (const auto at = integers_.find(node_->inputs[i]); at != integers_.end()) return at->second.values;
  const io::StoredTensor* stored = onnx_stored(i);
  return stored == nullptr ? std::vector<std::int64_t>() : integers_of(*stored);
}

std::vector<float> CaseGraph::onnx_floats(std::size_t i) {
  if (!has_onnx(i)) return {};
  const io::StoredTensor* stored = onnx_stored(i);
  return stored == nullptr ? std::vector<float>() : io::to_f32(*stored);
}

void CaseGraph::out_onnx(std::size_t i, Tensor value) {
  if (!wants_onnx(i)) return;
  const std::string& name = node_->outputs[i];
  made_.insert_or_assign(name, value);
  if (wants(name)) out(name, value);
}

void CaseGraph::out_onnx(std::size_t i, Integers value) {
  if (!wants_onnx(i)) return;
  std::vector<std::int32_t> narrow;
  for (std::int64_t v : value.values) {  // where it is only clamped to an axis, as the ends of slices are, this is the same
    constexpr std::int64_t least = std::numeric_limits<std::int32_t>::min(), most = std::numeric_limits<std::int32_t>::max();
    narrow.push_back(static_cast<std::int32_t>(std::clamp(v, least, most)));
  }
  out_onnx(i, constant(value.shape, narrow));
  integers_.insert_or_assign(node_->outputs[i], std::move(value));
}

void CaseGraph::out_onnx_stored(std::size_t i, const std::string& tensor) {
  if (!wants_onnx(i)) return;
  const io::StoredTensor* stored = require(tensor);
  if (stored == nullptr) return;
  if (stored->type == io::ElementType::i64 || stored->type == io::ElementType::i32)
    return out_onnx(i, Integers{stored->shape, integers_of(*stored)});
  stored_[node_->outputs[i]] = tensor;
  out_onnx(i, operand(tensor));
}

}  // namespace fovea::conformance
