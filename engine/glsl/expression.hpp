#pragma once
// Expressions of GLSL, and their derivatives as text.

#include <fovea/result.hpp>

#include <cstddef>
#include <functional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::glsl {

struct Expression {
  enum class Kind { number, name, call, prefix, infix, choice } kind = Kind::number;
  std::string text;  // of a number, a name, a function or an operator
  std::vector<Expression> operands;
  std::size_t number = 0;  // of a call: which of the text's calls it is, in reading order
};

// Numbers, names, calls, operators without side effects, ?: and parentheses; no members, no arrays.
// Error: what stands where something else should.
Result<Expression> parse(std::string_view text);

// In parentheses throughout. `flat`: both sides of ?:, && and || are computed, and one is taken: no branch. (Nothing here has side
// effects, and lanes that differ in a branch take both of its sides anyway.)
std::string to_text(const Expression& expression, bool flat = false);

// Every node, outermost first.
void visit(const Expression& expression, const std::function<void(const Expression&)>& see);

// The derivative by the nodes that `is_variable` names; empty text: 0. What truncates (int(), floor(), comparisons) has 0, and so
// have functions of whole numbers, `of_integers`.
// Error: the name of a function that has no known derivative and one of the variables among its operands.
Result<std::string> derivative(const Expression& expression, const std::set<std::string>& of_integers,
                               const std::function<bool(const Expression&)>& is_variable, bool flat = false);

}  // namespace fovea::glsl
