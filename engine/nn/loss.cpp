// Losses, composed of reductions and elementwise operators.

#include "nn/call.hpp"

#include <fovea/autodiff.hpp>
#include <fovea/loss.hpp>

#include <limits>
#include <numeric>

namespace fovea {

const char* to_string(Reduction reduction) {
  static constexpr const char* names[] = {"mean", "sum", "none"};
  return enum_name(names, reduction);
}

namespace nn {
namespace {

Tensor reduced(Term losses, Reduction reduction) {
  if (reduction == Reduction::none) return losses.tensor;
  return reduce(reduction == Reduction::sum ? Reduce::sum : Reduce::mean, losses.tensor, {}, losses.site);
}

// What every loss of two tensors of one shape asks.
bool check_pair(const Call& call, const char* what, Tensor x, Tensor target, Reduction reduction) {
  return call.is_float(what, x) && call.has_shape("the target", target, x.shape()) && call.is_known("reduction", reduction);
}

// ---- Classes ------------------------------------------------------------------------------------------------------

// The classes of x [..., C, ...]: an axis, and the shape without it.
struct Classes {
  int axis = 0;
  std::int64_t count = 0;
  Shape items;      // without the axis
  Shape kept;       // with the axis as 1

  Shape along() const {  // of the classes alone, in the axis's place
    Shape shape = kept;
    for (int i = 0; i < shape.rank(); ++i) shape[i] = i == axis ? count : 1;
    return shape;
  }
};

bool find_classes(const Call& call, const char* what, Tensor x, std::int64_t axis, Classes& classes) {
  if (!call.is_float(what, x)) return false;
  const auto at = ir::normalize_axis(axis, x.shape().rank());
  if (!at) return call.refuse("axis ", axis, " is out of range for ", what, ' ', to_string(x.shape()));
  std::vector<std::int64_t> items(x.shape().extents().begin(), x.shape().extents().end());
  items.erase(items.begin() + *at);
  classes = {*at, x.shape()[*at], Shape(std::span<const std::int64_t>(items)), x.shape()};
  classes.kept[*at] = 1;
  return true;
}

bool check_indices(const Call& call, const char* what, Tensor index, const Classes& classes) {
  return call.is_i32(what, index) && (index.shape() == classes.items || call.refuse(what, " is ", to_string(index.shape()), ", not ",
                                                                                     to_string(classes.items)));
}

// Of the class axis's shape: true where the class is the item's.
Term is_class(const Call& call, Tensor index, const Classes& classes) {
  std::vector<std::int32_t> numbers(static_cast<std::size_t>(classes.count));
  std::iota(numbers.begin(), numbers.end(), 0);
  return of(Binary::equal, shaped(Term{index, call.site}, classes.kept), call.numbers(classes.along(), numbers));
}

// Sums over the class axis, which goes.
Term over_classes(Term x, const Classes& classes) { return shaped(of(Reduce::sum, x, {classes.axis}), classes.items); }

// The weights in the place of the class axis; absent: absent.
Tensor class_weights(const Call& call, Tensor weight, const Classes& classes) {
  if (!weight) return weight;
  return shaped(call.real(weight), classes.along()).tensor;
}

bool check_class_loss(const Call& call, const ClassLossDesc& desc, const Classes& classes) {
  if (!(desc.label_smoothing >= 0 && desc.label_smoothing <= 1))
    return call.refuse("label smoothing ", desc.label_smoothing, " is outside [0, 1]");
  if (desc.ignore_index < INT32_MIN || desc.ignore_index > INT32_MAX)
    return call.refuse("ignore_index is ", desc.ignore_index, ", which no i32 target can be");
  return call.is_known("reduction", desc.reduction) && call.may_have_shape("weight", desc.weight, {classes.count});
}

// Whether an item takes part: its index is a class, and not the one to ignore.
Term takes_part(const Call& call, Tensor target, const ClassLossDesc& desc, const Classes& classes) {
  const auto number = [&](std::int64_t value) {
    const auto one = static_cast<std::int32_t>(value);
    return call.numbers({}, std::span(&one, 1));
  };
  const Term index{target, call.site}, kept = of(Binary::not_equal, index, number(desc.ignore_index));
  const Term is_one = of(Binary::logical_and, of(Binary::greater_equal, index, number(0)), of(Binary::less, index, number(classes.count)));
  return shaped(of(Binary::logical_and, kept, is_one), classes.kept);
}

// Items of -log p at the target, and of -log p spread over all classes, by weight; the mean divides by the weights.
// `kept`: the items that take part.
Tensor from_indices(const Call& call, Term log_p, Tensor target, Term kept, const ClassLossDesc& desc, const Classes& classes) {
  const Term at = of(Binary::logical_and, is_class(call, target, classes), kept);
  const Tensor weight = class_weights(call, desc.weight, classes);
  const Term weighed = weight ? log_p * Term{weight, call.site} : log_p;
  Term losses = -over_classes(choose(at, weighed, 0), classes);
  const Term counts = over_classes(weight ? choose(at, call.real(broadcast_to(weight, log_p.tensor.shape(), call.site)), 0) : in(DType::f32, at), classes);
  if (desc.label_smoothing != 0) {
    const Term spread = over_classes(choose(kept, weighed, 0), classes);
    losses = losses * (1 - desc.label_smoothing) + spread * (-desc.label_smoothing / static_cast<double>(classes.count));
  }
  if (desc.reduction != Reduction::mean) return reduced(losses, desc.reduction);
  return binary(Binary::div, reduced(losses, Reduction::sum), reduced(counts, Reduction::sum), call.site);
}

Tensor from_probabilities(const Call& call, Term log_p, Tensor target, const ClassLossDesc& desc, const Classes& classes) {
  Term p = call.real(target);
  if (desc.label_smoothing != 0)
    p = p * (1 - desc.label_smoothing) + desc.label_smoothing / static_cast<double>(classes.count);
  Term terms = log_p * p;
  if (const Tensor weight = class_weights(call, desc.weight, classes)) terms = terms * Term{weight, call.site};
  return reduced(-over_classes(terms, classes), desc.reduction);
}

}  // namespace
}  // namespace nn

using nn::Call;
using nn::Term;

Tensor cross_entropy(Tensor logits, Tensor target, const ClassLossDesc& desc, CallSite site) {
  const Call call("cross_entropy", {logits, target, desc.weight}, site);
  nn::Classes classes;
  if (!nn::find_classes(call, "logits", logits, desc.axis, classes) || !nn::check_class_loss(call, desc, classes)) return call.nothing();
  const bool indices = target && target.dtype() == DType::i32;
  if (indices ? !nn::check_indices(call, "the target", target, classes) : !call.has_shape("the target", target, logits.shape()))
    return call.nothing();
  const auto log_of = [&](Term x) { return Term{log_softmax(x.tensor, {.axis = classes.axis}, site), site}; };
  const Term x = call.real(logits);
  if (!indices) return nn::from_probabilities(call, log_of(x), target, desc, classes);
  const Term kept = nn::takes_part(call, target, desc, classes);
  return nn::from_indices(call, log_of(choose(kept, x, 0)), target, kept, desc, classes);  // what is ignored may hold anything
}

Tensor nll_loss(Tensor log_p, Tensor target, const ClassLossDesc& desc, CallSite site) {
  const Call call("nll_loss", {log_p, target, desc.weight}, site);
  nn::Classes classes;
  if (!nn::find_classes(call, "log_p", log_p, desc.axis, classes) || !nn::check_class_loss(call, desc, classes) ||
      !nn::check_indices(call, "the target", target, classes))
    return call.nothing();
  if (desc.label_smoothing != 0) return call.refuse("labels are smoothed by cross_entropy"), call.nothing();
  return nn::from_indices(call, call.real(log_p), target, nn::takes_part(call, target, desc, classes), desc, classes);
}

Tensor reinforce_loss(Tensor logits, Tensor sample, Tensor reward, const ReinforceDesc& desc, CallSite site) {
  const Call call("reinforce_loss", {logits, sample, reward, desc.baseline}, site);
  nn::Classes classes;
  if (!nn::find_classes(call, "logits", logits, desc.axis, classes) || !nn::check_indices(call, "the sample", sample, classes) ||
      !call.is_finite("entropy", desc.entropy) || !call.is_known("reduction", desc.reduction) ||
      !call.has_shape("the reward", reward, classes.items) || !call.may_broadcast("the baseline", desc.baseline, classes.items))
    return call.nothing();
  const Term x = call.real(logits), log_p{log_softmax(x.tensor, {.axis = classes.axis}, site), site};
  Term advantage = call.real(reward);
  if (desc.baseline) advantage = advantage - call.real(desc.baseline);
  advantage.tensor = stop_gradient(advantage.tensor, site);
  Term losses = -(advantage * nn::over_classes(choose(nn::is_class(call, sample, classes), log_p, 0), classes));
  if (desc.entropy != 0) {
    const Term possible = of(Binary::greater, log_p, -std::numeric_limits<float>::infinity());  // 0·log 0 is 0
    const Term p{softmax(x.tensor, {.axis = classes.axis}, site), site};
    losses = losses + nn::over_classes(p * choose(possible, log_p, 0), classes) * desc.entropy;
  }
  return nn::reduced(losses, desc.reduction);
}

// ---- Elements -----------------------------------------------------------------------------------------------------

namespace nn {
namespace {

Tensor weighed(const Call& call, Term losses, const BinaryLossDesc& desc) {
  return reduced(desc.weight ? losses * call.real(desc.weight) : losses, desc.reduction);
}

// |x - t|, squared below `beta` and straight above; continuous with its slope.
Term smoothed(Term difference, double beta) {
  const Term size = of(Unary::abs, difference);
  return choose(of(Binary::less, size, beta), of(Unary::square, difference) * (0.5 / beta), size + -0.5 * beta);
}

}  // namespace
}  // namespace nn

Tensor binary_cross_entropy(Tensor p, Tensor target, const BinaryLossDesc& desc, CallSite site) {
  const Call call("binary_cross_entropy", {p, target, desc.weight}, site);
  if (!nn::check_pair(call, "p", p, target, desc.reduction) || !call.may_broadcast("weight", desc.weight, p.shape()))
    return call.nothing();
  if (desc.positive_weight) return call.refuse("a positive weight is of logits alone"), call.nothing();
  const Term x = call.real(p), t = call.real(target);
  const auto log_of = [](Term a) { return of(Binary::max, of(Unary::log, a), -100); };
  const Term yes = log_of(x), no = log_of(1 - x);
  const Term value = -(t * yes + (1 - t) * no);
  // The logarithms' own gradients are infinite at 0 and 1.
  const auto rule = [=](Tensor d) {
    const Term arriving{d, site};
    return std::vector{(arriving * (x - t) / of(Binary::max, x * (1 - x), 1e-12)).tensor, (arriving * (no - yes)).tensor};
  };
  return nn::weighed(call, {custom_gradient(value.tensor, {x.tensor, t.tensor}, rule, site), site}, desc);
}

Tensor binary_cross_entropy_with_logits(Tensor x, Tensor target, const BinaryLossDesc& desc, CallSite site) {
  const Call call("binary_cross_entropy_with_logits", {x, target, desc.weight, desc.positive_weight}, site);
  if (!nn::check_pair(call, "x", x, target, desc.reduction) || !call.may_broadcast("weight", desc.weight, x.shape()) ||
      !call.may_broadcast("the positive weight", desc.positive_weight, x.shape()))
    return call.nothing();
  const Term logit = call.real(x), t = call.real(target);
  Term yes = t * of(Unary::softplus, -logit);
  if (desc.positive_weight) yes = yes * call.real(desc.positive_weight);
  return nn::weighed(call, yes + (1 - t) * of(Unary::softplus, logit), desc);
}

Tensor mse_loss(Tensor x, Tensor target, const LossDesc& desc, CallSite site) {
  const Call call("mse_loss", {x, target}, site);
  if (!nn::check_pair(call, "x", x, target, desc.reduction)) return call.nothing();
  return nn::reduced(of(Unary::square, call.real(x) - call.real(target)), desc.reduction);
}

Tensor l1_loss(Tensor x, Tensor target, const LossDesc& desc, CallSite site) {
  const Call call("l1_loss", {x, target}, site);
  if (!nn::check_pair(call, "x", x, target, desc.reduction)) return call.nothing();
  return nn::reduced(of(Unary::abs, call.real(x) - call.real(target)), desc.reduction);
}

Tensor smooth_l1_loss(Tensor x, Tensor target, double beta, const LossDesc& desc, CallSite site) {
  const Call call("smooth_l1_loss", {x, target}, site);
  if (!nn::check_pair(call, "x", x, target, desc.reduction) || !call.is_positive("beta", beta)) return call.nothing();
  return nn::reduced(nn::smoothed(call.real(x) - call.real(target), beta), desc.reduction);
}

Tensor huber_loss(Tensor x, Tensor target, double delta, const LossDesc& desc, CallSite site) {
  const Call call("huber_loss", {x, target}, site);
  if (!nn::check_pair(call, "x", x, target, desc.reduction) || !call.is_positive("delta", delta)) return call.nothing();
  return nn::reduced(nn::smoothed(call.real(x) - call.real(target), delta) * delta, desc.reduction);
}

Tensor hinge_loss(Tensor x, Tensor target, double margin, const LossDesc& desc, CallSite site) {
  const Call call("hinge_loss", {x, target}, site);
  if (!nn::check_pair(call, "x", x, target, desc.reduction) || !call.is_finite("margin", margin)) return call.nothing();
  return nn::reduced(of(Unary::relu, margin - call.real(target) * call.real(x)), desc.reduction);
}

Tensor kl_loss(Tensor log_p, Tensor target, const LossDesc& desc, CallSite site) {
  const Call call("kl_loss", {log_p, target}, site);
  if (!nn::check_pair(call, "log_p", log_p, target, desc.reduction)) return call.nothing();
  const Term t = call.real(target), positive = of(Binary::greater, t, 0);
  const Term log_t = of(Unary::log, choose(positive, t, 1));  // no logarithm of 0, neither here nor in the gradient
  return nn::reduced(choose(positive, t * (log_t - call.real(log_p)), 0), desc.reduction);
}

Tensor dice_loss(Tensor p, Tensor target, double smooth, const LossDesc& desc, CallSite site) {
  const Call call("dice_loss", {p, target}, site);
  if (!nn::check_pair(call, "p", p, target, desc.reduction) || !call.is_not_negative("smooth", smooth)) return call.nothing();
  if (p.shape().rank() < 3) return call.refuse("p ", to_string(p.shape()), " has no axis beside batch and classes"), call.nothing();
  std::vector<std::int64_t> axes(static_cast<std::size_t>(p.shape().rank() - 2));
  std::iota(axes.begin(), axes.end(), 2);
  const auto total = [&](Term x) { return shaped(of(Reduce::sum, x, axes), {p.dim(0), p.dim(1)}); };
  const Term x = call.real(p), t = call.real(target);
  return nn::reduced(1 - (total(x * t) * 2 + smooth) / (total(x) + total(t) + smooth), desc.reduction);
}

}  // namespace fovea
