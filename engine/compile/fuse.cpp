// Fusion. A product takes in the addition and the activation that alone follow it; an elementwise node takes in each
// elementwise producer that it alone uses, as long as one launch can hold the merged program. What was taken in is dead.
// Last, normalised rows take in the addition that makes them.

#include "compile/passes.hpp"
#include "ops/elementwise.hpp"
#include "ops/normalize_rows.hpp"

#include <algorithm>

namespace fovea::compile {

namespace {

using ops::ElementwiseAttrs;
using ops::ElementwiseStep;

// A program under construction: operands by Tensor instead of by number.
struct Chain {
  std::vector<Tensor> inputs;
  ElementwiseAttrs attrs;
};

std::uint8_t number_of(std::vector<Tensor>& inputs, Tensor input) {
  auto found = std::find(inputs.begin(), inputs.end(), input);
  if (found == inputs.end()) found = inputs.insert(found, input);
  return static_cast<std::uint8_t>(found - inputs.begin());
}

std::uint8_t number_of_scalar(std::vector<float>& scalars, float value) {
  auto found = std::find(scalars.begin(), scalars.end(), value);
  if (found == scalars.end()) found = scalars.insert(found, value);
  return static_cast<std::uint8_t>(ELEMENTWISE_FIRST_SCALAR + (found - scalars.begin()));
}

// Appends another chain's steps; returns the register of its result.
std::uint8_t append_chain(Chain& chain, const Chain& other) {
  const std::size_t first = chain.attrs.steps.size();
  for (ElementwiseStep step : other.attrs.steps) {
    for (int i = 0; i < ops::arity(step.code); ++i) {
      std::uint8_t& operand = step.operands[static_cast<std::size_t>(i)];
      if (operand < ELEMENTWISE_FIRST_SCALAR)
        operand = number_of(chain.inputs, other.inputs[operand]);
      else if (operand < ELEMENTWISE_FIRST_RESULT)
        operand = number_of_scalar(chain.attrs.scalars, other.attrs.scalars[operand - ELEMENTWISE_FIRST_SCALAR]);
      else
        operand = static_cast<std::uint8_t>(operand + first);
    }
    chain.attrs.steps.push_back(step);
  }
  return static_cast<std::uint8_t>(ELEMENTWISE_FIRST_RESULT + chain.attrs.steps.size() - 1);
}

// `consumer` with its operand `slot` replaced by the producer's program; nothing when registers do not suffice.
std::optional<Chain> merge(const Chain& consumer, std::size_t slot, const Chain& producer, const Shape& out) {
  Chain merged;
  merged.attrs.steps.clear();
  merged.attrs.result = consumer.attrs.result;
  const std::uint8_t produced = append_chain(merged, producer);
  Chain rest = consumer;
  const std::size_t first = merged.attrs.steps.size();
  for (ElementwiseStep step : rest.attrs.steps) {
    for (int i = 0; i < ops::arity(step.code); ++i) {
      std::uint8_t& operand = step.operands[static_cast<std::size_t>(i)];
      if (operand == slot)
        operand = produced;
      else if (operand < ELEMENTWISE_FIRST_SCALAR)
        operand = number_of(merged.inputs, rest.inputs[operand]);
      else if (operand < ELEMENTWISE_FIRST_RESULT)
        operand = number_of_scalar(merged.attrs.scalars, rest.attrs.scalars[operand - ELEMENTWISE_FIRST_SCALAR]);
      else
        operand = static_cast<std::uint8_t>(operand + first);
    }
    merged.attrs.steps.push_back(step);
  }
  std::vector<Shape> shapes;
  for (const Tensor& input : merged.inputs) shapes.push_back(input.shape());
  if (!ops::fits(merged.attrs, out, shapes)) return std::nullopt;
  return merged;
}

bool is_elementwise(const ir::Node& node) { return node.op == &ops::elementwise_op; }

// A cast to a 16-bit type that is itself a step of the user's computation must round.
bool rounds(const ElementwiseAttrs& attrs) { return size_of(attrs.result) == 2 && attrs.steps.back().code == shader::CODE_COPY; }

Activation activation_of(std::uint8_t code) {
  switch (code) {
    case shader::CODE_RELU: return Activation::relu;
    case shader::CODE_SIGMOID: return Activation::sigmoid;
    case shader::CODE_TANH: return Activation::tanh;
    case shader::CODE_GELU: return Activation::gelu;
    case shader::CODE_GELU_TANH: return Activation::gelu_tanh;
    case shader::CODE_SILU: return Activation::silu;
    default: return Activation::none;
  }
}

// What an elementwise node does to its operand `slot`, when that is something a producer could do.
std::optional<ops::Follower> follower_of(const ops::NodeView& node, std::span<const Tensor> in, std::size_t slot) {
  const auto& attrs = node.attrs<ElementwiseAttrs>();
  if (attrs.steps.size() != 1 || in[slot].shape() != node.out(0).shape || in[slot].dtype() != node.out(0).dtype) return std::nullopt;
  const ElementwiseStep& step = attrs.steps[0];
  if (in.size() == 1 && activation_of(step.code) != Activation::none) return ops::Follower{.activation = activation_of(step.code)};
  if (in.size() == 2 && attrs.scalars.empty() && step.code == shader::CODE_ADD && step.operands[0] != step.operands[1])
    return ops::Follower{.added = in[1 - slot]};
  return std::nullopt;
}

// The node that makes operand `slot` in the new graph, with this elementwise node taken in; nothing when it cannot be.
std::optional<Tensor> absorbed(const ops::NodeView& node, std::span<const Tensor> in, std::size_t slot) {
  const ir::Graph& graph = *in[slot].graph();
  const ir::Value& value = graph.value(in[slot].id());
  if (value.kind != ir::ValueKind::result) return std::nullopt;
  const ir::Node& producer = graph.nodes[value.producer];
  if (!producer.op->absorb || producer.outputs.size() != 1) return std::nullopt;
  const auto follower = follower_of(node, in, slot);
  if (!follower) return std::nullopt;
  std::vector<Tensor> operands;
  for (ir::ValueId id : producer.inputs) operands.push_back(id == ir::none ? Tensor() : Tensor(in[slot].graph(), id));
  ir::Attrs attrs = producer.attrs;
  if (!producer.op->absorb({graph, producer}, *follower, operands, attrs)) return std::nullopt;
  return ops::append(*producer.op, operands, attrs, producer.site)[0];
}

// Whether this node is the sum of two tensors of the result's type, and nothing else.
bool is_plain_sum(const ir::Graph& graph, const ir::Node& node) {
  if (!is_elementwise(node) || node.inputs.size() != 2) return false;
  const auto& attrs = node.attrs.as<ElementwiseAttrs>();
  const ir::Type& type = graph.value(node.outputs[0]).type;
  return attrs.steps.size() == 1 && attrs.scalars.empty() && attrs.steps[0].code == shader::CODE_ADD &&
         attrs.steps[0].operands[0] != attrs.steps[0].operands[1] && graph.value(node.inputs[0]).type == type &&
         graph.value(node.inputs[1]).type == type;
}

bool reads(const ir::Node& node, ir::ValueId value) {
  return node.after == value || std::find(node.inputs.begin(), node.inputs.end(), value) != node.inputs.end();
}

// A residual connection, norm(x + r), is one launch; where others read the sum, too, it gives that as well, to those behind it.
// What made the sum is dead then.
ir::Graph take_residuals(ir::Graph graph) {
  const auto live = live_nodes(graph);
  const auto uses = use_counts(graph);
  bool changed = false;
  for (ir::NodeId n = 0; n < graph.nodes.size(); ++n) {
    ir::Node& node = graph.nodes[n];
    if (!live[n] || node.op != &ops::normalize_rows_op) continue;
    const ir::ValueId sum = node.inputs[ops::normalize_x];
    if (graph.value(sum).kind != ir::ValueKind::result || node.inputs[ops::normalize_residual] != ir::none) continue;
    const ir::NodeId producer = graph.value(sum).producer;
    if (!is_plain_sum(graph, graph.nodes[producer])) continue;
    bool read_before = false;
    for (ir::NodeId between = producer + 1; between < n; ++between)
      read_before = read_before || (live[between] && reads(graph.nodes[between], sum));
    if (read_before) continue;
    node.inputs[ops::normalize_x] = graph.nodes[producer].inputs[0];
    node.inputs[ops::normalize_residual] = graph.nodes[producer].inputs[1];
    changed = true;
    if (uses[sum] == 1) continue;
    auto attrs = node.attrs.as<ops::NormalizeRowsAttrs>();
    attrs.sum = true;
    node.attrs = ir::Attrs::of(attrs);
    ir::Value added;
    added.type = graph.value(sum).type, added.producer = n;
    const ir::ValueId given = graph.add_value(std::move(added));
    node.outputs.insert(node.outputs.begin() + 1, given);
    for (std::size_t slot = 1; slot < node.outputs.size(); ++slot)
      graph.value(node.outputs[slot]).slot = static_cast<std::uint32_t>(slot);
    for (ir::NodeId later = n + 1; later < graph.nodes.size(); ++later) {
      std::replace(graph.nodes[later].inputs.begin(), graph.nodes[later].inputs.end(), sum, given);
      if (graph.nodes[later].after == sum) graph.nodes[later].after = given;
    }
    for (ir::Output& output : graph.outputs)
      if (output.value == sum) output.value = given;
  }
  if (!changed) return graph;
  return rewrite(graph, [](const ops::NodeView&, std::span<const Tensor>, std::span<Tensor>) { return false; });  // ids in order
}

}  // namespace

ir::Graph fuse(const ir::Graph& graph, const DeviceCaps&) {
  const auto uses = use_counts(graph);
  // The chain of every elementwise value in the new graph, for consumers to take in. By new value id.
  std::vector<std::optional<Chain>> chains;
  return take_residuals(rewrite(graph, [&](const ops::NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
    if (!is_elementwise(node.node)) return false;
    for (std::size_t slot = 0; slot < in.size(); ++slot) {
      if (uses[node.node.inputs[slot]] != 1) continue;
      if (const auto product = absorbed(node, in, slot)) return out[0] = *product, true;
    }
    Chain chain{{in.begin(), in.end()}, node.attrs<ElementwiseAttrs>()};
    const Shape& shape = node.out(0).shape;
    for (std::size_t slot = 0; slot < in.size(); ++slot) {
      const auto place = std::find(chain.inputs.begin(), chain.inputs.end(), in[slot]);
      if (place == chain.inputs.end() || uses[node.node.inputs[slot]] != 1) continue;
      if (in[slot].id() >= chains.size() || !chains[in[slot].id()] || in[slot].shape() != shape) continue;
      const Chain& producer = *chains[in[slot].id()];
      if (rounds(producer.attrs)) continue;
      if (auto merged = merge(chain, static_cast<std::size_t>(place - chain.inputs.begin()), producer, shape)) chain = *merged;
    }
    out[0] = ops::append(ops::elementwise_op, chain.inputs, ir::Attrs::of(chain.attrs), node.node.site)[0];
    if (out[0].id() == ir::none) return true;
    chains.resize(out[0].id() + 1);
    chains[out[0].id()] = std::move(chain);
    return true;
  }));
}

}  // namespace fovea::compile
