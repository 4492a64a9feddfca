// Reverse-mode differentiation: from the loss back over the nodes in reverse order, each adding to the gradients of its
// operands. A node without a gradient of its own is differentiated through its decomposition.

#include "compile/checkpoints.hpp"
#include "ops/vjp.hpp"

#include <fovea/autodiff.hpp>

#include <algorithm>
#include <map>

namespace fovea {

namespace ops {

// One sweep. Ids refer to the graph as it grows; what is appended is never swept itself.
class Backward {
 public:
  // Differentiates nodes first..last for `targets`. `keep`: by value, what not to recompute; empty: nothing is.
  Backward(ir::Graph& graph, ir::NodeId first, ir::NodeId last, std::span<const Tensor> targets, CallSite site,
           std::vector<bool> keep, int depth)
      : graph_(graph), first_(first), last_(last), site_(site), recompute_(!keep.empty()), depth_(depth), keep_(std::move(keep)) {
    active_.assign(graph.values.size(), false);
    for (Tensor target : targets) active_[target.id()] = true;
    for (ir::NodeId n = first; n < last; ++n) {
      const ir::Node& node = graph.nodes[n];
      bool any = false;
      for (std::size_t i = 0; i < node.inputs.size(); ++i) any = any || flows(node, i);
      for (ir::ValueId out : node.outputs) active_[out] = active_[out] || (any && is_float(out));
    }
  }

  void seed(Tensor value, Tensor gradient) { add(value.id(), gradient); }

  void run() {
    for (ir::NodeId n = last_; n-- > first_ && !graph_.error;) visit(n);
  }

  // Absent where the seeds do not depend on it.
  Tensor gradient(Tensor value) const {
    const auto found = gradients_.find(value.id());
    return found == gradients_.end() ? Tensor() : found->second;
  }

 private:
  bool is_float(ir::ValueId id) const { return ir::is_float(graph_.value(id).type.dtype); }
  bool flows(const ir::Node& node, std::size_t i) const {
    const ir::ValueId in = node.inputs[i];
    return i >= node.op->first_differentiable && in != ir::none && active_[in] && is_float(in);
  }

  void add(ir::ValueId id, Tensor gradient) {
    Tensor& sum = gradients_[id];
    sum = sum ? binary(Binary::add, sum, gradient, place_) : gradient;
  }

  void visit(ir::NodeId n) {
    Vjp vjp(graph_, graph_.nodes[n]);
    place_ = vjp.site;
    const ir::Node& node = vjp.node_;
    bool arrives = false, wanted = false;
    for (ir::ValueId out : node.outputs) {
      vjp.d_out_.push_back(gradient({&graph_, out}));
      arrives = arrives || vjp.d_out_.back();
    }
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      vjp.wanted_.push_back(flows(node, i));
      wanted = wanted || vjp.wanted_[i];
    }
    if (!arrives || !wanted) return;
    for (Tensor d : vjp.d_out_)
      if (d) now_ = d.id();
    vjp.d_in_.resize(node.inputs.size());
    vjp.held_ = [this](ir::ValueId id) { return held(id); };
    vjp.add_result_ = [&](ir::Attrs attrs, const ir::Type& type) { return add_result(n, vjp, std::move(attrs), type); };
    if (!(node.op->vjp && node.op->vjp(vjp)) && !through_decomposition(vjp)) {
      graph_.fail(cat("grad: ", node.op->name, ' ', ir::to_string(node.site), " has no gradient: ",
                      node.op->no_gradient ? node.op->no_gradient : "it is not written yet"), site_, ErrorCode::unsupported);
      return;
    }
    if (graph_.error) return;
    for (std::size_t i = 0; i < node.inputs.size(); ++i)
      if (vjp.wanted_[i] && vjp.d_in_[i]) {
        const ir::Type& type = graph_.value(node.inputs[i]).type;
        add(node.inputs[i], cast(sum_to(vjp.d_in_[i], type.shape, place_), type.dtype, place_));
      }
  }

  bool through_decomposition(Vjp& vjp) {
    constexpr int most = 8;  // decompositions nest a few deep; more is a cycle
    const ir::Node& node = vjp.node_;
    if (!node.op->decompose || depth_ == most) return false;
    std::vector<Tensor> in, out(node.outputs.size()), targets;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      in.push_back(vjp.in(i));
      if (vjp.wanted_[i]) targets.push_back(in[i]);
    }
    const auto first = static_cast<ir::NodeId>(graph_.nodes.size());
    Builder builder{graph_, node.site};
    if (!node.op->decompose(builder, {graph_, node}, in, out) || graph_.error) return false;
    Backward inner(graph_, first, static_cast<ir::NodeId>(graph_.nodes.size()),
                   targets, site_, {}, depth_ + 1);
    for (std::size_t i = 0; i < out.size(); ++i)
      if (vjp.d_out_[i]) inner.seed(out[i], vjp.d_out_[i]);
    inner.run();
    std::vector<Tensor> given;  // an operand used twice gets its gradient once
    for (std::size_t i = 0; i < in.size(); ++i) {
      if (!vjp.wanted_[i] || std::find(given.begin(), given.end(), in[i]) != given.end()) continue;
      vjp.d_in_[i] = inner.gradient(in[i]);
      given.push_back(in[i]);
    }
    return true;
  }

  // Whether a value is made of draws and constants alone, element by element: less to draw again than to keep.
  bool drawn(ir::ValueId id) const {
    const ir::Value& value = graph_.value(id);
    if (value.kind != ir::ValueKind::result) return false;
    const ir::Node& node = graph_.nodes[value.producer];
    if (node.op == &random_op) return true;
    if (node.op != &elementwise_op) return false;
    const auto constant = [&](ir::ValueId in) { return graph_.value(in).kind == ir::ValueKind::constant; };
    return std::all_of(node.inputs.begin(), node.inputs.end(), [&](ir::ValueId in) { return constant(in) || drawn(in); }) &&
           !std::all_of(node.inputs.begin(), node.inputs.end(), constant);
  }

  // A forward value as the way back may read it: itself, or the copy made for that.
  Tensor held(ir::ValueId id) {
    const ir::Value& value = graph_.value(id);
    if (value.kind != ir::ValueKind::result || value.producer >= last_) return {&graph_, id};
    const bool again = (recompute_ && !keep_[id]) || (depth_ == 0 && drawn(id));
    if (!again) return {&graph_, id};
    if (const auto found = copies_.find(id); found != copies_.end()) return {&graph_, found->second};
    const ir::Node& node = graph_.nodes[value.producer];
    std::vector<Tensor> in;
    for (ir::ValueId input : node.inputs) in.push_back(input == ir::none ? Tensor() : held(input));
    const std::vector<Tensor> out = append(*node.op, in, node.attrs, node.site);
    if (graph_.error) return {&graph_, ir::none};
    graph_.nodes.back().after = now_;  // not before the way back has come here
    graph_.nodes.back().repeats = value.producer;
    for (std::size_t i = 0; i < node.outputs.size(); ++i) copies_[node.outputs[i]] = out[i].id();
    return {&graph_, copies_[id]};
  }

  Tensor add_result(ir::NodeId n, Vjp& vjp, ir::Attrs attrs, const ir::Type& type) {
    const ir::ValueId first = graph_.nodes[n].outputs[0], added = graph_.extend_node(n, attrs, type);
    if (recompute_) keep_.resize(graph_.values.size(), false), keep_[added] = keep_[first];
    if (const auto copy = copies_.find(first); copy != copies_.end())
      copies_[added] = graph_.extend_node(graph_.value(copy->second).producer, std::move(attrs), type);
    vjp.d_out_.emplace_back();
    return held(added);
  }

  ir::Graph& graph_;
  const ir::NodeId first_, last_;
  const CallSite site_;
  const bool recompute_;
  const int depth_;
  std::vector<bool> keep_;
  CallSite place_{};              // of the node in hand
  ir::ValueId now_ = ir::none;    // the gradient that has just arrived
  std::vector<bool> active_;      // by value: a float that depends on a target
  std::map<ir::ValueId, Tensor> gradients_;
  std::map<ir::ValueId, ir::ValueId> copies_;
};

}  // namespace ops

namespace {

// What is wrong with the call; empty when nothing is.
std::string fault_of(Tensor loss, std::span<const Tensor> targets, const GradDesc& desc) {
  if (!loss) return cat("the loss is ", ir::absent);
  if (!ir::is_float(loss.dtype())) return cat("the loss is ", to_string(loss.dtype()), ", not ", ir::float_types);
  if (desc.seed) {
    if (desc.seed.graph() != loss.graph()) return "the seed is of another graph";
    if (desc.seed.shape() != loss.shape() || desc.seed.dtype() != loss.dtype())
      return cat("the seed is ", to_string(desc.seed.dtype()), to_string(desc.seed.shape()), " and the loss ",
                 to_string(loss.dtype()), to_string(loss.shape()));
  } else if (loss.shape().elements() != 1) {
    return cat("the loss ", to_string(loss.shape()), " has ", loss.shape().elements(),
               " elements; give a seed, or reduce it to one");
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!targets[i] || targets[i].graph() != loss.graph()) return cat("tensor ", i, " is absent or of another graph");
    if (!ir::is_float(targets[i].dtype())) return cat("tensor ", i, " is ", to_string(targets[i].dtype()), ", not ", ir::float_types);
  }
  if (!desc.keep.empty() && !desc.recompute) return "there are tensors to keep, and recompute is false: all are kept";
  for (Tensor kept : desc.keep)
    if (!kept || kept.graph() != loss.graph()) return "a tensor to keep is absent or of another graph";
  return {};
}

}  // namespace

std::vector<Tensor> grad(Tensor loss, std::span<const Tensor> targets, const GradDesc& desc, CallSite site) {
  std::vector<Tensor> result(targets.size()), operands{loss, desc.seed};
  operands.insert(operands.end(), targets.begin(), targets.end());
  const auto present = std::find_if(operands.begin(), operands.end(), [](Tensor t) { return static_cast<bool>(t); });
  if (present == operands.end()) return result;  // no graph to tell
  ir::Graph& graph = *present->graph();
  for (Tensor& one : result) one = {&graph, ir::none};
  if (graph.error) return result;
  if (const std::string fault = fault_of(loss, targets, desc); !fault.empty()) {
    for (Tensor operand : operands)
      if (operand) operand.graph()->fail(cat("grad: ", fault), site);  // of several graphs, each
    return result;
  }
  const ir::Value& last = graph.value(loss.id());
  const ir::NodeId end = last.kind == ir::ValueKind::result ? last.producer + 1 : 0;
  const Tensor seed = desc.seed ? desc.seed : ops::filled(graph, last.type, 1, site);
  std::vector<bool> keep;
  if (desc.recompute) keep = compile::kept_values(graph, end, targets, desc.keep);
  ops::Backward backward(graph, 0, end, targets, site, std::move(keep), 0);
  backward.seed(loss, seed);
  backward.run();
  if (graph.error) return result;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const Tensor found = backward.gradient(targets[i]);
    result[i] = found ? found : ops::filled(graph, graph.value(targets[i].id()).type, 0, site);
  }
  return result;
}

std::vector<Tensor> grad(Tensor loss, std::initializer_list<Tensor> targets, const GradDesc& desc, CallSite site) {
  return grad(loss, std::span(targets.begin(), targets.size()), desc, site);
}

}  // namespace fovea
