#pragma once
// Losses: compositions of reductions and elementwise operators. All are computed and returned in f32, whatever the storage.
//
// Errors of them all: a tensor that is not f32, f16 or bf16, a target or weight of another shape, a number that is not finite or out
// of its range. At their kinks, x = t of l1 and t·x = margin of hinge, they have no gradient.

#include <fovea/tensor.hpp>

#include <cstdint>

namespace fovea {

enum class Reduction : std::uint8_t {
  mean,  // over all elements (PyTorch's, not over the batch alone), or as the loss says; over none: NaN
  sum,
  none,
};
const char* to_string(Reduction reduction);

struct ClassLossDesc {
  std::int64_t axis = 1;            // of the classes, C of them
  Tensor weight{};                  // [C]: what an item of each class counts
  double label_smoothing = 0;       // in [0, 1]: so much of the target is spread evenly (Szegedy et al. 2016); not of nll
  std::int64_t ignore_index = -100; // items of this target take no part; any i32
  Reduction reduction = Reduction::mean;  // mean: over the items that take part, by weight
};
// -log softmax(logits) at the target, of PyTorch's definition in every option. `target` is i32 indices, of the logits'
// shape without the class axis, or probabilities of the logits' shape: then nothing is ignored and the mean is over items.
// An index outside [0, C) takes no part either: a device cannot refuse it. What an item that takes no part holds reaches
// neither loss nor gradient; the mean over no item is NaN.
Tensor cross_entropy(Tensor logits, Tensor target, const ClassLossDesc& desc = {}, CallSite site = CallSite::here());
// The same of log-probabilities and indices.
Tensor nll_loss(Tensor log_p, Tensor target, const ClassLossDesc& desc = {}, CallSite site = CallSite::here());

struct BinaryLossDesc {
  Tensor weight{};           // broadcasts to x: what each element counts
  Tensor positive_weight{};  // broadcasts to x: what the positive part counts; of logits alone
  Reduction reduction = Reduction::mean;
};
// -(t·log p + (1-t)·log(1-p)), logarithms no less than -100, the gradient (p-t)/max(p(1-p), 1e-12) as PyTorch has it.
Tensor binary_cross_entropy(Tensor p, Tensor target, const BinaryLossDesc& desc = {}, CallSite site = CallSite::here());
// Of p = σ(x), without overflow and without losing digits on either side.
Tensor binary_cross_entropy_with_logits(Tensor x, Tensor target, const BinaryLossDesc& desc = {},
                                        CallSite site = CallSite::here());

struct LossDesc {
  Reduction reduction = Reduction::mean;
};
Tensor mse_loss(Tensor x, Tensor target, const LossDesc& desc = {}, CallSite site = CallSite::here());  // (x-t)²
Tensor l1_loss(Tensor x, Tensor target, const LossDesc& desc = {}, CallSite site = CallSite::here());   // |x-t|
// d = |x-t|: d²/(2·beta) below beta > 0, d - beta/2 above. (Girshick 2015)
Tensor smooth_l1_loss(Tensor x, Tensor target, double beta = 1, const LossDesc& desc = {}, CallSite site = CallSite::here());
// delta times smooth_l1_loss of beta = delta. (Huber 1964)
Tensor huber_loss(Tensor x, Tensor target, double delta = 1, const LossDesc& desc = {}, CallSite site = CallSite::here());
// max(0, margin - t·x), t = 1 or -1; a rank loss is one of x = the better score - the worse.
Tensor hinge_loss(Tensor x, Tensor target, double margin = 1, const LossDesc& desc = {}, CallSite site = CallSite::here());
// t·(log t - log_p), 0 where t is 0. mean is over elements; divide the sum by the batch for the divergence itself.
Tensor kl_loss(Tensor log_p, Tensor target, const LossDesc& desc = {}, CallSite site = CallSite::here());
// 1 - (2·sum p·t + smooth)/(sum p + sum t + smooth) of each item and class of [N,C,...], sums over the axes behind those;
// mean: 1 minus the mean score of items and classes. A class that is absent and not predicted scores 1. Errors: rank below
// 3, smooth < 0. (Milletari et al. 2016, with sums of p instead of p²)
Tensor dice_loss(Tensor p, Tensor target, double smooth = 0.01, const LossDesc& desc = {}, CallSite site = CallSite::here());

struct ReinforceDesc {
  std::int64_t axis = 1;   // of the choices
  Tensor baseline{};       // broadcasts to the reward's shape; no gradient
  double entropy = 0;      // a bonus of so much entropy of the policy
  Reduction reduction = Reduction::mean;
};
// -(reward - baseline)·log softmax(logits) at the sample - entropy·H: its gradient is the score-function estimate, at the
// logits (reward - baseline)·(p - onehot). `sample` i32 and `reward` have the logits' shape without the axis; no gradient
// flows into the reward. (Williams 1992)
Tensor reinforce_loss(Tensor logits, Tensor sample, Tensor reward, const ReinforceDesc& desc = {},
                      CallSite site = CallSite::here());

}  // namespace fovea
