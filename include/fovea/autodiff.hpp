#pragma once
// Reverse-mode differentiation. `grad` appends the nodes that compute a gradient to the graph of the loss: ordinary
// nodes, compiled, fused and differentiated like any other.

#include <fovea/tensor.hpp>

#include <functional>
#include <initializer_list>
#include <span>
#include <vector>

namespace fovea {

struct GradDesc {
  // Gradient of what is minimised with respect to `loss`, of its shape and type. Absent: 1, and loss has one element.
  Tensor seed{};
  // Trades time for memory: values that the gradient needs are computed again, from inputs, parameters, the tensors
  // differentiated for, and `keep`, instead of being held until it needs them. (Chen et al. 2016)
  // Report::arena_bytes and arena_held_bytes are the two peaks.
  bool recompute = false;
  std::vector<Tensor> keep{};  // of recompute, an error without it; empty: about sqrt(n) places of n nodes where little is alive
};

// d loss / d t for each t, of t's shape and type; t is any value of the graph: an input, a parameter, a result. Where
// the loss does not depend on t: zeros. Nothing is computed for what needs no gradient.
// Errors: a loss of several elements without a seed, a seed of another shape or type, a loss or a t that is not f32,
// f16 or bf16, an operator on the way that has no gradient (it is named, with the reason).
std::vector<Tensor> grad(Tensor loss, std::span<const Tensor> with_respect_to, const GradDesc& desc = {},
                         CallSite site = CallSite::here());
std::vector<Tensor> grad(Tensor loss, std::initializer_list<Tensor> with_respect_to, const GradDesc& desc = {},
                         CallSite site = CallSite::here());

// x, and a constant to `grad`. No copy.
Tensor stop_gradient(Tensor x, CallSite site = CallSite::here());
// The value of `value`, the gradient of `surrogate`: what arrives at the result goes on to `surrogate` as it is. Both of
// one shape and type. No copy. (Bengio, Léonard & Courville 2013)
Tensor straight_through(Tensor value, Tensor surrogate, CallSite site = CallSite::here());

// Gradients of the loss with respect to each of `inputs` (an absent Tensor: zero), from the gradient with respect to the value.
using BackwardRule = std::function<std::vector<Tensor>(Tensor d_value)>;
// The value of `value`, computed from `inputs` in any way, and a gradient of the caller's own making. No copy. Nothing goes to
// `value` itself, nor to what it depends on other than through `inputs`. The rule is kept with the graph and called within
// grad: what it captures by reference must live until then. What it returns is of its input's type, and its input's shape must
// broadcast to it; it is summed over the axes along which it is larger.
// Errors: inputs without a rule; within grad: another number of gradients than inputs, one of another graph, type or shape.
Tensor custom_gradient(Tensor value, std::span<const Tensor> inputs, BackwardRule rule, CallSite site = CallSite::here());
Tensor custom_gradient(Tensor value, std::initializer_list<Tensor> inputs, BackwardRule rule, CallSite site = CallSite::here());

}  // namespace fovea
