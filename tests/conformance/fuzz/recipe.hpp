#pragma once
// A graph as plain data: drawn from a seed, built, interpreted, printed and read again (docs/conformance.md, "Random graphs").
//
//   fovea-graph 1
//   %0 = input() {values = uniform, seed = 7} : f32[2,3]
//   %1 = softmax(%0) {axis = 1} : f32[2,3]
//   output %1, %0
//   gradient {values = uniform, seed = 8}

#include "tests/support/array.hpp"
#include <fovea/graph.hpp>
#include <fovea/result.hpp>
#include <fovea/tensor.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::conformance {

struct Operator;

// A number, a list of numbers, or a word.
struct Attribute {
  std::string name, word{};
  std::vector<double> numbers{};
  bool list = false;
  bool operator==(const Attribute&) const = default;
};

// Attributes that are absent have the default that fovea's own descriptions have.
struct Attributes {
  std::vector<Attribute> all{};  // in the order of the operator's description

  const Attribute* find(std::string_view name) const;
  double number(std::string_view name, double otherwise) const;
  std::int64_t integer(std::string_view name, std::int64_t otherwise) const;
  std::vector<std::int64_t> integers(std::string_view name) const;  // empty when absent
  std::string word(std::string_view name, std::string_view otherwise) const;
  bool flag(std::string_view name) const { return word(name, "false") == "true"; }
  void set(std::string_view name, double number);
  void set(std::string_view name, const std::vector<std::int64_t>& numbers);
  void set(std::string_view name, std::string_view word);
  bool operator==(const Attributes&) const = default;

 private:
  Attribute& slot(std::string_view name);
};

// One value: an input, or an operator's result.
struct Node {
  const Operator* op = nullptr;
  std::vector<std::size_t> in{};  // earlier nodes
  Attributes attributes{};
  Shape shape{};
  DType dtype = DType::f32;
  bool operator==(const Node&) const = default;
};

struct Recipe {
  DType storage = DType::f32;  // of all floating values but inputs and the result, which are f32: f32, f16 or bf16
  std::vector<Node> nodes{};
  std::size_t output = 0;
  std::vector<std::size_t> also{};  // values that are outputs besides, forward alone; none twice
  // Of the output's elements, weighted by these values: the gradients of the inputs, all but integers and booleans. Absent:
  // forward alone. `recompute` as GradDesc has it.
  std::optional<Attributes> gradient{};
  bool operator==(const Recipe&) const = default;

  bool is_input(std::size_t node) const;
  // An input of floats that `output` depends on.
  bool is_differentiated(std::size_t node) const;
};

// What an input holds, by its attributes `values` and `seed`: the same numbers everywhere, and of a smaller tensor the first
// of a larger one's. uniform: multiples of 2^-10 in [-2, 2), which f16 holds; whole: -2, -1, 0, 1, 2; one: 1;
// index: i32, most of them in [0, below), some counted from the end, and few out of range; chance: boolean, 3 of 4 true.
std::vector<double> values_of(const Attributes& attributes, std::int64_t count);
DType dtype_of_values(const Attributes& attributes);

std::string to_text(const Recipe& recipe);
// Errors: what is not understood, and what Fovea refuses; they name the line: "line 3: softmax: axis 4 is out of range ...".
Result<Recipe> parse_recipe(std::string_view text);

// Appends the recipe to a graph, in which `inputs` stand for its input nodes, in their order: its output, and those it has
// besides. The graph has the error.
std::vector<Tensor> build(const Recipe& recipe, std::span<const Tensor> inputs);
// Gives every node its shape and type. Errors: what Fovea refuses, "%4: softmax: axis ...", and what is too large to interpret.
Result<void> complete(Recipe& recipe);
// Without what no output depends on.
Recipe pruned(const Recipe& recipe);

// The same graph by Fovea's public functions, for a program of one's own.
std::string to_cpp(const Recipe& recipe);

}  // namespace fovea::conformance
