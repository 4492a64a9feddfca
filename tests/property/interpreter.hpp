#pragma once
// Random graphs with an interpreter beside them: each node knows how to append itself to a Fovea graph and how to compute
// itself by naive loops, in double or in float.

#include "tests/support/array.hpp"

#include <fovea/fovea.hpp>

#include <functional>
#include <random>
#include <string>
#include <vector>

namespace fovea::test {

class RandomGraph {
 public:
  // 1 to 3 inputs of up to 5 axes and 2 to 12 nodes; the same graph for the same seed everywhere.
  explicit RandomGraph(std::uint32_t seed);

  const std::vector<Array<double>>& inputs() const { return inputs_; }
  Shape output_shape() const { return values_.back().shape; }
  std::string text() const;  // a line a node

  // The last node.
  template <class T>
  Array<T> run(const std::vector<Array<T>>& inputs) const;
  Tensor build(const std::vector<Tensor>& inputs) const;

 private:
  template <class T>
  using Arrays = std::vector<Array<T>>;
  struct Node {
    std::vector<std::size_t> in;  // inputs first, then nodes
    std::string text;
    std::function<Tensor(const std::vector<Tensor>&)> build;
    std::function<Array<double>(const Arrays<double>&)> in_double;
    std::function<Array<float>(const Arrays<float>&)> in_float;
  };
  template <class Build, class Reference>
  bool add(std::vector<std::size_t> in, std::string text, const Build& build, const Reference& reference);

  std::size_t below(std::size_t n) { return generator_() % n; }
  std::size_t pick();  // a value, the recent ones more often
  const Shape& shape_of(std::size_t value) const { return values_[value].shape; }
  int axis_of(std::size_t value) { return static_cast<int>(below(static_cast<std::size_t>(shape_of(value).rank()))); }

  bool add_unary();
  bool add_binary();
  bool add_quotient();
  bool add_select();
  bool add_reduce();
  bool add_softmax();
  bool add_matmul();
  bool add_attention();
  bool add_layout();
  bool add_slice();
  bool add_pad();
  bool add_concat();
  bool add_pool();
  bool add_cumulative_sum();
  void tame();  // keeps magnitudes near 1

  std::mt19937 generator_;
  std::vector<Array<double>> inputs_, values_;
  std::vector<Node> nodes_;
};

}  // namespace fovea::test
