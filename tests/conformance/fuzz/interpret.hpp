#pragma once
// What a recipe's graph should give: naive loops in double, and how far single precision may be from them.

#include "tests/conformance/corpus.hpp"
#include "tests/conformance/fuzz/operators.hpp"

namespace fovea::conformance {

// What an input holds, noted on the tape of this thread. Booleans as operators.hpp says.
template <class Real>
test::Array<Traced<Real>> input_array(const Node& node);
// The result of one operator; `values` are those of all nodes before it.
test::Array<Exact> apply_node(const Node& node, const Arrays<Exact>& values);
// About how many steps the interpreter takes.
std::size_t operations_of(const Recipe& recipe);

struct Evaluation {
  test::Array<double> output;
  std::vector<test::Array<double>> also{};
  std::vector<std::pair<std::size_t, test::Array<double>>> gradients{};  // of the inputs that are differentiated
};
// `noise` seeds what float is off by; double is off by nothing.
template <class Real>
Evaluation evaluate(const Recipe& recipe, std::uint64_t noise);
bool is_finite(const Evaluation& evaluation);

// A case of the corpus' kind, for run_case: inputs "in.v3", the output "out.y", gradients "grad.v3". Its bounds are made as
// the corpus' are: each tensor's is the largest of 1e-6, 1e-5 of its largest magnitude, and 8 times the error that single
// precision makes in the worst of several runs.
Case make_case(const Recipe& recipe, std::string group, std::string name);

}  // namespace fovea::conformance
