#pragma once
// Optimisers as nodes of the graph: from a parameter, its gradient and the state before the step, the values after it.
// Graph::update writes them back, so that one recorded plan, replayed, trains:
//
//   const Tensor w = graph.parameter("w", shape), m = graph.parameter("w.m", shape), v = graph.parameter("w.v", shape);
//   const AdamStep next = adam(w, grad(loss, {w})[0], {m, v}, rate, step);
//   graph.update(w, next.parameter), graph.update(m, next.moments.first), graph.update(v, next.moments.second);
//
// `rate` is the learning rate, of one element and any float type: an input, so that a schedule needs no new plan. `step` is of
// one element too, 1 at the first step: an input, or a parameter updated with step + 1. State begins as zeros; it is
// computed in f32 and kept in its own type, and may be f32 where the parameter is f16 or bf16.
//
// Errors of them all: a gradient or state of another shape than the parameter, a rate or step of several elements, a number
// that is not finite or out of its range: eps, momentum and weight_decay from 0 on, alpha and rho in [0, 1], betas in [0, 1).

#include <fovea/tensor.hpp>

#include <initializer_list>
#include <span>
#include <vector>

namespace fovea {

struct SgdDesc {
  float momentum = 0, dampening = 0;
  float weight_decay = 0;
  bool nesterov = false;
};
struct SgdStep {
  Tensor parameter;
  Tensor momentum;  // absent without a momentum buffer
};
// g += decay·p; b = momentum·b + (1 - dampening)·g, at the first step g; p -= rate·b, or with nesterov
// rate·(g + momentum·b). `buffer` is b, absent where momentum is 0. (Sutskever et al. 2013; PyTorch's SGD)
// Errors: momentum without a buffer, dampening without a step, nesterov without momentum or with dampening.
SgdStep sgd(Tensor parameter, Tensor gradient, Tensor buffer, Tensor rate, const SgdDesc& desc = {}, Tensor step = {},
            CallSite site = CallSite::here());

struct AdamDesc {
  float beta1 = 0.9f, beta2 = 0.999f, eps = 1e-8f;
  float weight_decay = 0;
  bool decoupled = false;  // the decay shrinks the parameter (AdamW) instead of joining the gradient
};
struct AdamMoments {
  Tensor first, second;
};
struct AdamStep {
  Tensor parameter;
  AdamMoments moments;
};
// m = β1·m + (1-β1)·g, v = β2·v + (1-β2)·g²; p -= rate·(m/(1-β1^step))/(sqrt(v/(1-β2^step)) + eps).
// (Kingma & Ba 2015; Loshchilov & Hutter 2019)
AdamStep adam(Tensor parameter, Tensor gradient, const AdamMoments& moments, Tensor rate, Tensor step,
              const AdamDesc& desc = {}, CallSite site = CallSite::here());

struct RmspropDesc {
  float alpha = 0.99f, eps = 1e-8f;
  float momentum = 0;
  float weight_decay = 0;
  bool centered = false;
};
struct RmspropState {
  Tensor square;      // running mean of g²
  Tensor mean{};      // of g; where centered
  Tensor momentum{};  // where momentum is not 0
};
struct RmspropStep {
  Tensor parameter;
  RmspropState state;
};
// s = α·s + (1-α)·g², d = g/(sqrt(s - mean²) + eps), mean 0 unless centered; b = momentum·b + d; p -= rate·b.
// (Tieleman & Hinton 2012; Graves 2013; PyTorch's RMSprop)
RmspropStep rmsprop(Tensor parameter, Tensor gradient, const RmspropState& state, Tensor rate,
                    const RmspropDesc& desc = {}, CallSite site = CallSite::here());

struct AdadeltaDesc {
  float rho = 0.9f, eps = 1e-6f;
  float weight_decay = 0;
};
struct AdadeltaState {
  Tensor square, delta;  // running means of g² and of the squared steps
};
struct AdadeltaStep {
  Tensor parameter;
  AdadeltaState state;
};
// s = ρ·s + (1-ρ)·g², d = g·sqrt(u + eps)/sqrt(s + eps), u = ρ·u + (1-ρ)·d²; p -= rate·d. (Zeiler 2012)
AdadeltaStep adadelta(Tensor parameter, Tensor gradient, const AdadeltaState& state, Tensor rate,
                      const AdadeltaDesc& desc = {}, CallSite site = CallSite::here());

struct Clipped {
  std::vector<Tensor> gradients;
  Tensor norm;  // f32, one element: of all gradients together, before clipping
};
// All gradients by one factor, min(1, most/(norm + 1e-6)). (Pascanu, Mikolov & Bengio 2013; PyTorch's clip_grad_norm_)
// Error: most < 0. No gradient gives none, and no norm.
Clipped clip_by_global_norm(std::span<const Tensor> gradients, float most, CallSite site = CallSite::here());
Clipped clip_by_global_norm(std::initializer_list<Tensor> gradients, float most, CallSite site = CallSite::here());
// Every element into [-most, most]; NaN stays.
std::vector<Tensor> clip_by_value(std::span<const Tensor> gradients, float most, CallSite site = CallSite::here());
std::vector<Tensor> clip_by_value(std::initializer_list<Tensor> gradients, float most, CallSite site = CallSite::here());

}  // namespace fovea
