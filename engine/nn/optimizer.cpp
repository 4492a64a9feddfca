// Optimisers: update rules as elementwise nodes.

#include "nn/call.hpp"

#include <fovea/optimizer.hpp>

#include <cmath>

namespace fovea {
namespace nn {
namespace {

bool check_scalar(const Call& call, const char* what, Tensor x) {
  return call.is_float(what, x) && (x.shape().elements() == 1 ||
                                    call.refuse(what, ' ', to_string(x.shape()), " has ", x.shape().elements(), " elements, not 1"));
}

bool check_update(const Call& call, Tensor parameter, Tensor gradient, Tensor rate) {
  return call.is_float("the parameter", parameter) && call.has_shape("the gradient", gradient, parameter.shape()) &&
         check_scalar(call, "the rate", rate);
}

// One element, as a scalar that broadcasts to anything.
Term element(const Call& call, Tensor x) { return shaped(call.real(x), {}); }

// The gradient with the decay that joins it.
Term decayed(const Call& call, Tensor gradient, Tensor parameter, double decay) {
  const Term g = call.real(gradient);
  return decay == 0 ? g : g + call.real(parameter) * decay;
}

Tensor in_type_of(Tensor old, Term now) { return in(old.dtype(), now).tensor; }

// keep·old + (1 - keep)·now
Term blend(const Call& call, double keep, Tensor old, Term now) { return call.real(old) * keep + now * (1 - keep); }

// 1 - base^step. Near step·log(base) = 0 the difference would lose its digits: there, the series -u - u²/2 - u³/6 ...
Term one_minus_power(double base, Term step) {
  if (base == 0) return step * 0 + 1;
  const Term u = step * std::log(base);
  Term series = u * (1.0 / 9) + 1;
  for (int n = 8; n >= 2; --n) series = u * series * (1.0 / n) + 1;
  return choose(of(Binary::greater, u, -0.5), -(u * series), 1 - of(Unary::exp, u));
}

// A moment's share of what it was.
bool is_beta(const Call& call, const char* what, double value) {
  return (value >= 0 && value < 1) || call.refuse(what, " is ", value, ", not in [0, 1)");
}

bool check_sgd(const Call& call, Tensor parameter, Tensor buffer, const SgdDesc& desc, Tensor step) {
  if (!call.is_not_negative("momentum", desc.momentum) || !call.is_finite("dampening", desc.dampening) ||
      !call.is_not_negative("weight decay", desc.weight_decay))
    return false;
  if (buffer && desc.momentum == 0) return call.refuse("a buffer is given, and without momentum nothing uses it");
  if (desc.momentum != 0 && !buffer) return call.refuse("momentum ", desc.momentum, " takes a buffer");
  if (desc.dampening != 0 && !step) return call.refuse("dampening ", desc.dampening, " takes the step, to leave out the first");
  if (desc.nesterov && (desc.momentum == 0 || desc.dampening != 0))
    return call.refuse("nesterov takes momentum and no dampening, not ", desc.momentum, " and ", desc.dampening);
  return call.may_have_shape("the buffer", buffer, parameter.shape()) && (!step || check_scalar(call, "the step", step));
}

}  // namespace
}  // namespace nn

using nn::Call;
using nn::Term;

SgdStep sgd(Tensor parameter, Tensor gradient, Tensor buffer, Tensor rate, const SgdDesc& desc, Tensor step, CallSite site) {
  const Call call("sgd", {parameter, gradient, buffer, rate, step}, site);
  if (!nn::check_update(call, parameter, gradient, rate) || !nn::check_sgd(call, parameter, buffer, desc, step))
    return {call.nothing(), buffer ? call.nothing() : Tensor()};
  const Term p = call.real(parameter), g = nn::decayed(call, gradient, parameter, desc.weight_decay);
  Term direction = g;
  Tensor next;
  if (buffer) {
    Term taken = g * (1 - double{desc.dampening});
    if (desc.dampening != 0) taken = choose(of(Binary::less_equal, nn::element(call, step), 1), g, taken);
    const Term b = call.real(buffer) * desc.momentum + taken;
    next = nn::in_type_of(buffer, b);
    direction = desc.nesterov ? g + b * desc.momentum : b;
  }
  return {nn::in_type_of(parameter, p - nn::element(call, rate) * direction), next};
}

AdamStep adam(Tensor parameter, Tensor gradient, const AdamMoments& moments, Tensor rate, Tensor step, const AdamDesc& desc,
              CallSite site) {
  const Call call(desc.decoupled ? "adamw" : "adam", {parameter, gradient, moments.first, moments.second, rate, step}, site);
  if (!nn::check_update(call, parameter, gradient, rate) || !nn::check_scalar(call, "the step", step) ||
      !nn::is_beta(call, "beta1", desc.beta1) || !nn::is_beta(call, "beta2", desc.beta2) ||
      !call.is_not_negative("eps", desc.eps) || !call.is_not_negative("weight decay", desc.weight_decay) ||
      !call.has_shape("the first moment", moments.first, parameter.shape()) ||
      !call.has_shape("the second moment", moments.second, parameter.shape()))
    return {call.nothing(), {call.nothing(), call.nothing()}};
  const Term lr = nn::element(call, rate), now = nn::element(call, step);
  const Term g = nn::decayed(call, gradient, parameter, desc.decoupled ? 0 : desc.weight_decay);
  Term p = call.real(parameter);
  if (desc.decoupled && desc.weight_decay != 0) p = p * (1 - lr * desc.weight_decay);
  const Term m = nn::blend(call, desc.beta1, moments.first, g);
  const Term v = nn::blend(call, desc.beta2, moments.second, of(Unary::square, g));
  const Term size = lr / nn::one_minus_power(desc.beta1, now);
  const Term spread = of(Unary::rsqrt, nn::one_minus_power(desc.beta2, now));
  const Term next = p - size * m / (of(Unary::sqrt, v) * spread + desc.eps);
  return {nn::in_type_of(parameter, next), {nn::in_type_of(moments.first, m), nn::in_type_of(moments.second, v)}};
}

RmspropStep rmsprop(Tensor parameter, Tensor gradient, const RmspropState& state, Tensor rate, const RmspropDesc& desc,
                    CallSite site) {
  const Call call("rmsprop", {parameter, gradient, state.square, state.mean, state.momentum, rate}, site);
  const auto needs = [&](const char* what, bool needed, Tensor x) {
    if (!needed) return !x || call.refuse(what, " is given, and nothing uses it");
    return call.has_shape(what, x, parameter.shape());
  };
  if (!nn::check_update(call, parameter, gradient, rate) || !call.is_share("alpha", desc.alpha) ||
      !call.is_not_negative("eps", desc.eps) || !call.is_not_negative("momentum", desc.momentum) ||
      !call.is_not_negative("weight decay", desc.weight_decay) || !needs("the mean of squares", true, state.square) ||
      !needs("the mean", desc.centered, state.mean) || !needs("the momentum", desc.momentum != 0, state.momentum))
    return {call.nothing(), {call.nothing(), state.mean ? call.nothing() : Tensor(), state.momentum ? call.nothing() : Tensor()}};
  const Term g = nn::decayed(call, gradient, parameter, desc.weight_decay);
  const Term square = nn::blend(call, desc.alpha, state.square, of(Unary::square, g));
  RmspropStep next{{}, {nn::in_type_of(state.square, square)}};
  Term spread = square;
  if (desc.centered) {
    const Term mean = nn::blend(call, desc.alpha, state.mean, g);
    next.state.mean = nn::in_type_of(state.mean, mean);
    spread = of(Binary::max, square - of(Unary::square, mean), 0);  // rounding can take it below
  }
  Term direction = g / (of(Unary::sqrt, spread) + desc.eps);
  if (desc.momentum != 0) {
    direction = call.real(state.momentum) * desc.momentum + direction;
    next.state.momentum = nn::in_type_of(state.momentum, direction);
  }
  next.parameter = nn::in_type_of(parameter, call.real(parameter) - nn::element(call, rate) * direction);
  return next;
}

AdadeltaStep adadelta(Tensor parameter, Tensor gradient, const AdadeltaState& state, Tensor rate, const AdadeltaDesc& desc,
                      CallSite site) {
  const Call call("adadelta", {parameter, gradient, state.square, state.delta, rate}, site);
  if (!nn::check_update(call, parameter, gradient, rate) || !call.is_share("rho", desc.rho) ||
      !call.is_not_negative("eps", desc.eps) || !call.is_not_negative("weight decay", desc.weight_decay) ||
      !call.has_shape("the mean of squares", state.square, parameter.shape()) ||
      !call.has_shape("the mean of squared steps", state.delta, parameter.shape()))
    return {call.nothing(), {call.nothing(), call.nothing()}};
  const Term g = nn::decayed(call, gradient, parameter, desc.weight_decay);
  const Term square = nn::blend(call, desc.rho, state.square, of(Unary::square, g));
  const Term step = of(Unary::sqrt, call.real(state.delta) + desc.eps) / of(Unary::sqrt, square + desc.eps) * g;
  const Term delta = nn::blend(call, desc.rho, state.delta, of(Unary::square, step));
  return {nn::in_type_of(parameter, call.real(parameter) - nn::element(call, rate) * step),
          {nn::in_type_of(state.square, square), nn::in_type_of(state.delta, delta)}};
}

namespace nn {
namespace {

bool check_clip(const Call& call, std::span<const Tensor> gradients, float most) {
  if (!(most >= 0)) return call.refuse("the most is ", most, ", below 0");
  for (const Tensor gradient : gradients)
    if (!call.is_float("a gradient", gradient)) return false;
  return true;
}

}  // namespace
}  // namespace nn

Clipped clip_by_global_norm(std::span<const Tensor> gradients, float most, CallSite site) {
  if (gradients.empty()) return {};
  const Call call("clip_by_global_norm", gradients, site);
  if (!nn::check_clip(call, gradients, most)) return {std::vector(gradients.size(), call.nothing()), call.nothing()};
  std::vector<Tensor> norms;
  for (const Tensor gradient : gradients) norms.push_back(reshape(reduce(Reduce::l2, cast(gradient, DType::f32, site), {}, site), {1}, site));
  const Term norm{reduce(Reduce::l2, concat(norms, 0, site), {}, site), site};
  const Term all = norm + 1e-6, limit{scalar(norm.tensor, most, site), site};
  const Term factor = of(Binary::min, limit / all, 1);
  Clipped clipped{{}, norm.tensor};
  for (const Tensor gradient : gradients) clipped.gradients.push_back(nn::in_type_of(gradient, call.real(gradient) * factor));
  return clipped;
}

Clipped clip_by_global_norm(std::initializer_list<Tensor> gradients, float most, CallSite site) {
  return clip_by_global_norm(std::span(gradients.begin(), gradients.size()), most, site);
}

std::vector<Tensor> clip_by_value(std::span<const Tensor> gradients, float most, CallSite site) {
  if (gradients.empty()) return {};
  const Call call("clip_by_value", gradients, site);
  if (!nn::check_clip(call, gradients, most)) return std::vector(gradients.size(), call.nothing());
  std::vector<Tensor> clipped;
  for (const Tensor gradient : gradients)
    clipped.push_back(of(Binary::max, of(Binary::min, Term{gradient, site}, most), -double{most}).tensor);
  return clipped;
}

std::vector<Tensor> clip_by_value(std::initializer_list<Tensor> gradients, float most, CallSite site) {
  return clip_by_value(std::span(gradients.begin(), gradients.size()), most, site);
}

}  // namespace fovea
