#pragma once
// A fused kernel and the chain it stands for, to be measured beside each other.

#include <fovea/fovea.hpp>

#include <functional>
#include <string>
#include <vector>

namespace bench {

struct Pair {
  std::string name;  // the operator and its extents
  std::function<void(fovea::Graph& graph)> build;
  std::vector<std::string> unfused;  // what is forced on the other side
  double flops;
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

std::vector<Pair> attention_pairs();
std::vector<Pair> recurrent_pairs();
std::vector<Pair> additive_pairs();

}  // namespace bench
