// A value under a gradient of the caller's own making: a view of it, whose other operands are what the gradient goes to.

#include "ops/compose.hpp"
#include "ops/vjp.hpp"

#include <fovea/autodiff.hpp>

namespace fovea {
namespace ops {
namespace {

struct CustomGradientAttrs {
  BackwardRule rule{};
  static constexpr std::size_t undescribed = 1;  // nothing tells what a function does
};
template <class F>
void describe(const CustomGradientAttrs&, F&&) {}

void infer(InferContext& context) { context.out = {*context.in[0]}; }

bool vjp(Vjp& vjp) {
  if (vjp.inputs() == 1) return true;
  const std::vector<Tensor> gradients = vjp.attrs<CustomGradientAttrs>().rule(vjp.d());
  if (gradients.size() + 1 != vjp.inputs()) {
    vjp.graph.fail(cat("custom_gradient: the rule returned ", gradients.size(), " gradients for ", vjp.inputs() - 1, " inputs"),
                   vjp.site);
    return true;
  }
  for (std::size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i] || !vjp.wants(i + 1)) continue;
    if (gradients[i].graph() != &vjp.graph) {
      for (ir::Graph* graph : {&vjp.graph, gradients[i].graph()})
        graph->fail(cat("custom_gradient: the gradient of input ", i, " is of another graph than the input"), vjp.site);
      return true;
    }
    if (gradients[i].dtype() != vjp.in_dtype(i + 1)) {
      vjp.graph.fail(cat("custom_gradient: the gradient of input ", i, " is ", to_string(gradients[i].dtype()), " and the input ",
                         to_string(vjp.in_dtype(i + 1))), vjp.site);
      return true;
    }
    if (!ir::broadcasts_to(vjp.in_shape(i + 1), gradients[i].shape())) {
      vjp.graph.fail(cat("custom_gradient: the gradient of input ", i, " is ", to_string(gradients[i].shape()),
                         ", to which its shape ", to_string(vjp.in_shape(i + 1)), " does not broadcast"), vjp.site);
      return true;
    }
    vjp.give(i + 1, gradients[i]);
  }
  return true;
}

}  // namespace

extern constexpr OpDef custom_gradient_op{
    .name = "custom_gradient", .infer = infer, .vjp = vjp, .first_differentiable = 1, .is_view = true};

}  // namespace ops

Tensor custom_gradient(Tensor value, std::span<const Tensor> inputs, BackwardRule rule, CallSite site) {
  for (Tensor input : inputs)
    if (ops::nothing_to_do("custom_gradient", {value, input}, site)) return ops::poisoned(value);
  if (!rule && !inputs.empty())
    return ops::refuse(value, site, "custom_gradient: there are ", inputs.size(), " inputs and no rule for their gradients");
  std::vector<Tensor> in{value};
  in.insert(in.end(), inputs.begin(), inputs.end());
  return ops::append(ops::custom_gradient_op, in, ir::Attrs::of(ops::CustomGradientAttrs{std::move(rule)}), site)[0];
}

Tensor custom_gradient(Tensor value, std::initializer_list<Tensor> inputs, BackwardRule rule, CallSite site) {
  return custom_gradient(value, std::span(inputs.begin(), inputs.size()), std::move(rule), site);
}

Tensor stop_gradient(Tensor x, CallSite site) { return custom_gradient(x, {}, {}, site); }

Tensor straight_through(Tensor value, Tensor surrogate, CallSite site) {
  if (ops::nothing_to_do("straight_through", {value, surrogate}, site)) return ops::poisoned(value);
  if (value.shape() != surrogate.shape() || value.dtype() != surrogate.dtype())
    return ops::refuse(value, site, "straight_through: the value is ", to_string(value.dtype()), to_string(value.shape()),
                       " and the surrogate ", to_string(surrogate.dtype()), to_string(surrogate.shape()));
  return custom_gradient(value, {surrogate}, [](Tensor d) { return std::vector{d}; }, site);
}

}  // namespace fovea
