#include "tests/conformance/fuzz/maker.hpp"

#include "tests/conformance/fuzz/interpret.hpp"

#include <algorithm>
#include <cmath>

namespace fovea::conformance {

namespace {

constexpr std::int64_t most_elements = 2048;
constexpr std::size_t most_operations = 1 << 19;  // of the interpreter, in the whole graph

}  // namespace

Maker::Maker(std::uint32_t seed) : generator_(seed), seed_(seed) {
  // Mostly small, some past a tile's edge, and now and then none at all.
  static constexpr std::int64_t usual[] = {1, 1, 2, 3, 4, 5, 6, 7, 8, 9}, large[] = {13, 16, 17, 31, 33, 64, 65};
  for (int i = 0; i < 3; ++i) extents_.push_back(one_in(6) ? large[below(std::size(large))] : usual[below(std::size(usual))]);
  if (one_in(24)) extents_.push_back(0);
}

std::size_t Maker::pick() {
  std::vector<std::size_t> floats;
  for (std::size_t i = 0; i < recipe_.nodes.size(); ++i)
    if (recipe_.nodes[i].dtype == DType::f32) floats.push_back(i);
  return one_in(4) ? floats[below(floats.size())] : floats.back();
}

std::optional<std::size_t> Maker::pick_rank(int least, int most) {
  std::vector<std::size_t> fitting;
  for (std::size_t i = 0; i < recipe_.nodes.size(); ++i) {
    const Node& node = recipe_.nodes[i];
    if (node.dtype == DType::f32 && node.shape.rank() >= least && node.shape.rank() <= most) fitting.push_back(i);
  }
  if (fitting.empty()) return std::nullopt;
  return one_in(4) ? fitting[below(fitting.size())] : fitting.back();
}

bool Maker::within(std::size_t value, double low, double high) const {
  return std::ranges::all_of(values_[value].values, [&](Exact x) { return x.value >= low && x.value <= high; });
}

std::size_t Maker::input(std::string_view values, const Shape& shape, std::int64_t below) {
  Node node{.op = &input_operator(), .shape = shape};
  node.attributes.set("values", values);
  node.attributes.set("seed", static_cast<double>(seed_ % 1000000 * 64 + inputs_++));
  if (values == "index") node.attributes.set("below", static_cast<double>(below));
  node.dtype = dtype_of_values(node.attributes);
  recipe_.nodes.push_back(node);
  values_.push_back(input_array<double>(node));
  return recipe_.nodes.size() - 1;
}

std::size_t Maker::floats(const Shape& shape) { return input("uniform", shape); }
std::size_t Maker::booleans(const Shape& shape) { return input("chance", shape); }
std::size_t Maker::indices(const Shape& shape, std::int64_t below) { return input("index", shape, below); }

Shape Maker::broadcasting(const Shape& shape) {
  std::vector<std::int64_t> extents = extents_of(shape);
  for (std::int64_t& extent : extents)
    if (one_in(3)) extent = 1;
  if (!extents.empty() && one_in(3)) extents.erase(extents.begin());
  return shape_from(extents);
}

std::string Maker::word(const Node& node, std::string_view attribute) {
  for (const AttributeKind& kind : kinds_of(*node.op))
    if (kind.name == attribute) return std::string(kind.words[below(kind.words.size())]);
  return "";
}

// Takes a node where Fovea takes it and its values are numbers of a size to go on with.
bool Maker::append(Node node) {
  for (std::size_t i = 0; i < recipe_.nodes.size(); ++i)
    if (recipe_.nodes[i].shape.elements() > most_elements) return false;  // a new input
  recipe_.nodes.push_back(std::move(node));
  if (!complete(recipe_) || recipe_.nodes.back().shape.elements() > most_elements || recipe_.nodes.back().shape.rank() > 6) return false;
  if (operations_of(recipe_) > most_operations) return false;
  values_.push_back(apply_node(recipe_.nodes.back(), values_));
  return within(values_.size() - 1, -1e4, 1e4);
}

void Maker::tame() {
  double most = 0;
  for (const Exact& x : values_.back().values) most = std::max(most, std::abs(x.value));
  if (most < 4) return;
  Node node{.op = find_operator("scale"), .in = {recipe_.nodes.size() - 1}};
  node.attributes.set("by", std::exp2(-std::ceil(std::log2(most))));
  append(std::move(node));
}

// One more operator, if its proposal fits.
bool Maker::grow() {
  static const std::vector<const Operator*> operators = [] {
    std::vector<const Operator*> weighted = all_operators();
    for (const char* often : {"unary", "unary", "unary", "binary", "binary", "reduce", "reduce", "matmul", "attention", "conv", "pad"})
      weighted.push_back(find_operator(often));
    return weighted;
  }();
  const std::size_t before = recipe_.nodes.size();
  Node node{.op = operators[below(operators.size())]};
  if (node.op->propose(*this, node) && append(std::move(node))) {
    tame();
    return true;
  }
  recipe_.nodes.resize(before);
  values_.resize(before);
  return false;
}

Recipe Maker::make() {
  const std::size_t count = 1 + below(3), rank = below(6);
  for (std::size_t i = 0; i < count; ++i) {
    // Inputs alike, or with axes of 1, so that they meet.
    std::vector<std::int64_t> extents(rank);
    for (std::size_t axis = 0; axis < rank; ++axis)
      extents[axis] = i == 0 ? extent() : one_in(4) ? 1 : recipe_.nodes[0].shape[static_cast<int>(axis)];
    while (shape_from(extents).elements() > 512) *std::ranges::max_element(extents) = number(1, 4);
    floats(shape_from(extents));
  }
  const std::size_t most = 1 + below(12);
  std::size_t grown = 0;
  for (int tries = 0; grown < most && tries < 200; ++tries) grown += grow();
  recipe_.output = recipe_.nodes.size() - 1;
  while (one_in(4)) {
    const std::size_t also = pick();
    if (std::ranges::find(recipe_.also, also) == recipe_.also.end()) recipe_.also.push_back(also);
  }
  if (one_in(6)) recipe_.storage = seed_ % 3 == 0 ? DType::bf16 : DType::f16;
  Attributes gradient;
  gradient.set("values", "uniform");
  gradient.set("seed", static_cast<double>(seed_ % 1000000 * 64 + inputs_));
  if (one_in(3)) gradient.set("recompute", "true");
  if (!one_in(8)) recipe_.gradient = gradient;
  recipe_ = pruned(recipe_);
  if (!is_finite(evaluate<double>(recipe_, 0))) recipe_.gradient.reset();  // at a place without a slope
  return recipe_;
}

Recipe random_recipe(std::uint32_t seed) { return Maker(seed).make(); }

}  // namespace fovea::conformance
