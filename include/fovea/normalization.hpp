#pragma once
// Normalisations. Rows that stand side by side (layer_norm, rms_norm, group_norm, instance_norm, standardize over the innermost
// axes) are one launch, which takes in the addition before it, a residual connection, and the activation behind it, and so is the
// gradient of x; the others are compositions of reductions and elementwise operators. Statistics are f32 whatever the storage, and
// take two passes, so that a large mean costs no digits; results have x's type.
// `weight` scales and `bias` shifts what was normalised; either may be absent, and be of another float type than x.
//
// Errors of them all: a tensor that is not f32, f16 or bf16, an axis out of range or named twice, weights and statistics of another
// shape, an eps that is negative or not finite, a momentum outside [0, 1].

#include <fovea/tensor.hpp>

#include <cstdint>
#include <vector>

namespace fovea {

struct Standardized {
  Tensor value;
  Tensor mean, inverse_deviation;  // f32; the axes are kept as extents of 1
};
// (x - mean)/sqrt(variance + eps) over these axes together; the variance is biased: it divides by the count.
Standardized standardize(Tensor x, const std::vector<std::int64_t>& axes, float eps = 1e-5f,
                         CallSite site = CallSite::here());

struct LayerNormDesc {
  std::int64_t axes = 1;          // how many of the innermost axes are normalised together
  Tensor weight{}, bias{};        // broadcast to x
  float eps = 1e-5f;
};
// standardize over the innermost axes of x. (Ba, Kiros & Hinton 2016)
Tensor layer_norm(Tensor x, const LayerNormDesc& desc = {}, CallSite site = CallSite::here());
// x/sqrt(mean x² + eps) over the innermost axes. (Zhang & Sennrich 2019)
Tensor rms_norm(Tensor x, const LayerNormDesc& desc = {}, CallSite site = CallSite::here());

struct GroupNormDesc {
  std::int64_t groups = 1;  // divides C
  Tensor weight{}, bias{};  // [C]
  float eps = 1e-5f;
};
// x [N,C,...]: standardize over the C/groups channels of each group and all that is inside them. (Wu & He 2018)
Tensor group_norm(Tensor x, const GroupNormDesc& desc, CallSite site = CallSite::here());
// A group a channel; `groups` is not looked at. (Ulyanov, Vedaldi & Lempitsky 2016)
Tensor instance_norm(Tensor x, const GroupNormDesc& desc = {}, CallSite site = CallSite::here());

struct BatchNormDesc {
  Tensor weight{}, bias{};  // [C]
  float eps = 1e-5f;
  // Of batch_norm_train: how much of the batch's statistics goes into the running ones (ONNX counts the other way round:
  // its momentum is 1 - this), and whether the running variance takes the unbiased one, count/(count-1) times as large,
  // as PyTorch does and ONNX does not.
  float momentum = 0.1f;
  bool unbiased = true;
};
// x [N,C,...] by given statistics [C]: (x - mean)/sqrt(variance + eps)·weight + bias. (Ioffe & Szegedy 2015)
Tensor batch_norm(Tensor x, Tensor mean, Tensor variance, const BatchNormDesc& desc = {},
                  CallSite site = CallSite::here());
struct BatchNormResult {
  Tensor out;
  Tensor mean, variance;  // the running statistics after this batch, for Graph::update or an output; no gradient
};
// By the batch's own mean and biased variance, over all axes but C. Error: a batch of one value a channel, unbiased.
BatchNormResult batch_norm_train(Tensor x, Tensor running_mean, Tensor running_variance, const BatchNormDesc& desc = {},
                                 CallSite site = CallSite::here());

struct NormalizeDesc {
  std::vector<std::int64_t> axes{1};
  double p = 2;          // of the norm, > 0; infinity: the largest magnitude
  float eps = 1e-12f;    // the least that is divided by
};
// x/max((sum |x|^p)^(1/p), eps). Where the norm is below eps nothing flows through it. (PyTorch's normalize)
Tensor normalize(Tensor x, const NormalizeDesc& desc = {}, CallSite site = CallSite::here());

}  // namespace fovea
