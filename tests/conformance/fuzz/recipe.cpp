#include "tests/conformance/fuzz/recipe.hpp"

#include "tests/conformance/fuzz/operators.hpp"
#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>

namespace fovea::conformance {

// ---- Attributes ---------------------------------------------------------------------------------------------------

const Attribute* Attributes::find(std::string_view name) const {
  const auto at = std::ranges::find(all, name, &Attribute::name);
  return at == all.end() ? nullptr : &*at;
}

double Attributes::number(std::string_view name, double otherwise) const {
  const Attribute* found = find(name);
  return found && found->numbers.size() == 1 ? found->numbers[0] : otherwise;
}

std::int64_t Attributes::integer(std::string_view name, std::int64_t otherwise) const {
  const Attribute* found = find(name);
  return found && found->numbers.size() == 1 ? static_cast<std::int64_t>(found->numbers[0]) : otherwise;
}

std::vector<std::int64_t> Attributes::integers(std::string_view name) const {
  const Attribute* found = find(name);
  if (!found) return {};
  return {found->numbers.begin(), found->numbers.end()};
}

std::string Attributes::word(std::string_view name, std::string_view otherwise) const {
  const Attribute* found = find(name);
  return std::string(found ? found->word : otherwise);
}

Attribute& Attributes::slot(std::string_view name) {
  const auto at = std::ranges::find(all, name, &Attribute::name);
  Attribute& found = at == all.end() ? all.emplace_back() : *at;
  found = {.name = std::string(name)};
  return found;
}

void Attributes::set(std::string_view name, double number) { slot(name).numbers = {number}; }

void Attributes::set(std::string_view name, const std::vector<std::int64_t>& numbers) {
  Attribute& attribute = slot(name);
  attribute.list = true;
  attribute.numbers.assign(numbers.begin(), numbers.end());
}

void Attributes::set(std::string_view name, std::string_view word) { slot(name).word = word; }

// ---- Operators ----------------------------------------------------------------------------------------------------

const Operator& input_operator() {
  static constexpr Operator input{
      .name = "input",
      .least = 0,
      .most = 0,
      .attributes = "values::uniform|whole|one|index|chance seed below",
      .propose = [](Maker&, Node&) { return false; },
      .build = [](const Node&, std::span<const Tensor>) { return Tensor(); },
      .reference = [](const Node& node, const auto& in) { return ArrayOf<decltype(in)>(node.shape); },
      .cpp = ""};
  return input;
}

std::vector<const Operator*> all_operators() {
  std::vector<const Operator*> all;
  for (const auto family : {elementwise_operators(), reducing_operators(), layout_operators(), index_operators(), product_operators(),
                            spatial_operators(), picture_operators()})
    for (const Operator& op : family) all.push_back(&op);
  return all;
}

const Operator* find_operator(std::string_view name) {
  if (name == input_operator().name) return &input_operator();
  for (const Operator* op : all_operators())
    if (op->name == name) return op;
  return nullptr;
}

static std::vector<std::string_view> split(std::string_view text, char by) {
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(by), text.size());
    parts.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return parts;
}

std::vector<AttributeKind> kinds_of(const Operator& op) {
  std::vector<AttributeKind> kinds;
  for (const std::string_view text : split(op.attributes, ' ')) {
    const std::size_t colon = text.find(':'), last = text.rfind(':');
    AttributeKind& kind = kinds.emplace_back();
    kind.name = text.substr(0, colon);
    kind.list = kind.name.ends_with("[]");
    if (kind.list) kind.name.remove_suffix(2);
    if (colon == text.npos) continue;
    kind.type = text.substr(colon, last - colon);
    if (!kind.type.empty()) kind.type.remove_prefix(1);
    kind.words = split(text.substr(last + 1), '|');
  }
  return kinds;
}

Shape common_shape(const Shape& a, const Shape& b) {
  std::vector<std::int64_t> extents(static_cast<std::size_t>(std::max(a.rank(), b.rank())), 1);
  for (std::size_t i = 1; i <= extents.size(); ++i) {
    const auto at = [&](const Shape& s) { return static_cast<int>(i) <= s.rank() ? s.at(-static_cast<int>(i)) : 1; };
    extents[extents.size() - i] = at(a) == 1 ? at(b) : at(a);
  }
  return shape_from(extents);
}

// ---- Recipes ------------------------------------------------------------------------------------------------------

bool Recipe::is_input(std::size_t node) const { return nodes[node].op == &input_operator(); }

// What these depend on.
static std::vector<bool> reached(const Recipe& recipe, std::vector<std::size_t> from) {
  std::vector<bool> needed(recipe.nodes.size());
  for (const std::size_t node : from) needed[node] = true;
  for (std::size_t i = recipe.nodes.size(); i-- > 0;)
    for (const std::size_t operand : recipe.nodes[i].in) needed[operand] = needed[operand] || needed[i];
  return needed;
}

bool Recipe::is_differentiated(std::size_t node) const {
  return is_input(node) && nodes[node].dtype == DType::f32 && reached(*this, {output})[node];
}

DType dtype_of_values(const Attributes& attributes) {
  const std::string kind = attributes.word("values", "uniform");
  return kind == "index" ? DType::i32 : kind == "chance" ? DType::boolean : DType::f32;
}

// SplitMix64 (Steele, Lea & Flood 2014), as a function of the seed and the element.
static std::uint64_t bits_of(std::uint64_t seed, std::uint64_t element) {
  std::uint64_t z = (seed << 32) + (element + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

std::vector<double> values_of(const Attributes& attributes, std::int64_t count) {
  const std::string kind = attributes.word("values", "uniform");
  const auto seed = static_cast<std::uint64_t>(attributes.integer("seed", 0));
  const std::int64_t below = std::max<std::int64_t>(attributes.integer("below", 1), 0);
  std::vector<double> values;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::uint64_t bits = bits_of(seed, static_cast<std::uint64_t>(i)), chance = bits >> 32 & 15;
    const auto low = static_cast<std::int64_t>(bits & 0xfffffff);
    double value = 1;  // one
    if (kind == "uniform") value = static_cast<double>(low & 4095) / 1024 - 2;
    if (kind == "whole") value = static_cast<double>(low % 5 - 2);
    if (kind == "chance") value = chance < 12;
    if (kind == "index") {
      const std::int64_t at = below > 0 ? low % below : 0;
      value = static_cast<double>(chance == 0 ? below + at : chance < 3 ? at - below : at);
    }
    values.push_back(value);
  }
  return values;
}

std::vector<Tensor> build(const Recipe& recipe, std::span<const Tensor> inputs) {
  std::vector<Tensor> made;
  std::size_t next = 0;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    const Node& node = recipe.nodes[i];
    if (recipe.is_input(i)) {
      const Tensor x = inputs[next++];
      made.push_back(x.dtype() == DType::f32 ? cast(x, recipe.storage) : x);
      continue;
    }
    std::vector<Tensor> in;
    for (const std::size_t operand : node.in) in.push_back(made[operand]);
    made.push_back(node.op->build(node, in));
  }
  std::vector<Tensor> outputs{cast(made[recipe.output], DType::f32)};
  for (const std::size_t also : recipe.also) outputs.push_back(cast(made[also], DType::f32));
  return outputs;
}

Result<void> complete(Recipe& recipe) {
  constexpr std::int64_t most_elements = 1 << 16;  // the interpreter is naive
  Graph graph;
  std::vector<Tensor> made;
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    Node& node = recipe.nodes[i];
    const auto refuse = [&](const std::string& why) { return Error{ErrorCode::invalid_argument, "%" + std::to_string(i) + ": " + why}; };
    std::vector<Tensor> in;
    for (const std::size_t operand : node.in) in.push_back(made[operand]);
    if (recipe.is_input(i)) {
      made.push_back(graph.input("v" + std::to_string(i), node.shape, dtype_of_values(node.attributes)));
    } else {
      made.push_back(node.op->build(node, in));
    }
    if (graph.error()) return refuse(graph.error()->message);
    node.shape = made.back().shape();
    node.dtype = made.back().dtype();
    if (!recipe.is_input(i) && node.dtype != DType::f32) return refuse(std::string("the result is ") + to_string(node.dtype) + ", not f32");
    if (node.shape.elements() > most_elements)
      return refuse("of " + std::to_string(node.shape.elements()) + " elements; a graph that is interpreted has " +
                    std::to_string(most_elements) + " at most");
  }
  return {};
}

Recipe pruned(const Recipe& recipe) {
  std::vector<std::size_t> outputs = recipe.also;
  outputs.push_back(recipe.output);
  const std::vector<bool> needed = reached(recipe, outputs);
  Recipe result = recipe;
  result.nodes.clear();
  std::vector<std::size_t> number(recipe.nodes.size());
  for (std::size_t i = 0; i < recipe.nodes.size(); ++i) {
    if (!needed[i]) continue;
    number[i] = result.nodes.size();
    Node& node = result.nodes.emplace_back(recipe.nodes[i]);
    for (std::size_t& operand : node.in) operand = number[operand];
  }
  result.output = number[recipe.output];
  for (std::size_t& also : result.also) also = number[also];
  return result;
}

}  // namespace fovea::conformance
