#pragma once
// What is measured: a row is one piece of work, done by Fovea in one or more ways and by its peers.

#include <fovea/fovea.hpp>

#include <functional>
#include <string>
#include <vector>

namespace bench {

// One way in which Fovea does a row's work.
struct Way {
  std::string name;
  std::function<void(fovea::Graph& graph)>
      build;                          // an input "grid" is of a turned picture, all else is random in [-1, 1)
  std::vector<std::string> forced{};  // CompileOptions::force_kernel
  double times = 1;                   // its time is multiplied by this before it is compared
};

// Fovea's choice, and the chain of operators that it stands for.
inline std::vector<Way> fused_and_not(std::function<void(fovea::Graph&)> build, std::vector<std::string> unfused) {
  return {{"fovea", build}, {"unfused", build, std::move(unfused)}};
}

struct Row {
  std::string name;       // the operator and its extents
  std::vector<Way> ways;  // the first is what all other ways, peers and limits are compared with
  // Of the first way, at least one: what the machine's limits, a matrix product and a copy, are scaled to.
  double flops = 0, bytes = 0;
  std::string work{};  // what peers are asked for (peers/README.md); empty: nothing
  bool once = false;   // a run takes long and is not repeated
};

// "8x64x64x256"
template <class... Extents>
std::string joined(Extents... extents) {
  std::string text;
  ((text += (text.empty() ? "" : "x") + std::to_string(extents)), ...);
  return text;
}

// Outputs y or, with `gradient`, the gradients of `in` by a seed that is one more input.
void put_out(fovea::Graph& graph, fovea::Tensor y, const std::vector<fovea::Tensor>& in, bool gradient);

std::vector<Row> all_rows();
std::vector<Row> attention_rows();
std::vector<Row> operator_rows();
std::vector<Row> recurrent_rows();
std::vector<Row> additive_rows();

}  // namespace bench
