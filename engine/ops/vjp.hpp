#pragma once
// What an operator's gradient is made of, and what gradients of many operators share.

#include "ops/op_def.hpp"

#include <fovea/ops.hpp>

#include <functional>

namespace fovea::ops {

// One node on the way back: vector-Jacobian products are appended to its graph with the public operators.
class Vjp {
 public:
  // The forward node. Values are those of in() and out(), never the node's own ids: they may have been recomputed.
  const ir::Node& node() const { return node_; }
  template <class T>
  const T& attrs() const {
    return node_.attrs.as<T>();
  }
  std::size_t inputs() const { return node_.inputs.size(); }
  bool has(std::size_t i) const { return i < node_.inputs.size() && node_.inputs[i] != ir::none; }
  Tensor in(std::size_t i) { return has(i) ? held_(node_.inputs[i]) : Tensor(); }
  Tensor out(std::size_t i = 0) { return held_(node_.outputs[i]); }
  const Shape& in_shape(std::size_t i) const { return graph.value(node_.inputs[i]).type.shape; }
  DType in_dtype(std::size_t i) const { return graph.value(node_.inputs[i]).type.dtype; }

  // The loss's gradient with respect to result i; absent where none arrives.
  Tensor d(std::size_t i = 0) const { return d_out_[i]; }
  // Whether operand i is one that the caller differentiates for, or on the way to one.
  bool wants(std::size_t i) const { return i < wanted_.size() && wanted_[i]; }
  // The gradient with respect to operand i. It may be larger than the operand along axes that broadcast, and of
  // another float type. An operand that gets nothing has gradient zero.
  void give(std::size_t i, Tensor gradient) { d_in_[i] = gradient; }

  // Changes the attributes of the forward node so that it has one more result, the last; returns its value.
  Tensor add_result(ir::Attrs attrs, const ir::Type& type) { return add_result_(std::move(attrs), type); }

  ir::Graph& graph;
  const CallSite site;  // of the forward node

 private:
  friend class Backward;
  Vjp(ir::Graph& g, const ir::Node& node) : graph(g), site(node.site), node_(node) {}

  const ir::Node& node_;
  std::vector<Tensor> d_out_, d_in_;
  std::vector<bool> wanted_;
  std::function<Tensor(ir::ValueId)> held_;
  std::function<Tensor(ir::Attrs, const ir::Type&)> add_result_;
};

// Sums over the axes along which x is larger than `shape`, which broadcasts to x's: the adjoint of broadcasting.
Tensor sum_to(Tensor x, const Shape& shape, CallSite site);
// Zeros or another value of this type, one element in the graph.
Tensor filled(ir::Graph& graph, const ir::Type& type, float value, CallSite site);
// d · activation'(z), from z or, where that is enough, from y = activation(z); `z` is asked for only if needed.
Tensor activation_vjp(Activation activation, Tensor d, Tensor y, const std::function<Tensor()>& z, CallSite site);
// d · op'(x) where y = op(x).
Tensor unary_vjp(Unary op, Tensor d, Tensor x, Tensor y, CallSite site);

}  // namespace fovea::ops
