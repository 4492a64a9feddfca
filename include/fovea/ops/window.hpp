#pragma once
// Bands and local windows over sequences: what attends to its neighbours alone. Included by ops.hpp, whose conventions
// hold. T is a length, and nothing here makes a tensor of T x T.

#include <fovea/tensor.hpp>

#include <cstdint>
#include <optional>

namespace fovea {

// ---- Lightweight and dynamic convolution --------------------------------------------------------------------------

struct DynamicConvDesc {
  // Tap j of position i is position i + j - offset. Absent: floor(k/2), about i; k - 1 is causal.
  std::optional<std::int64_t> offset{};
};
// y[b,i,c] = sum over taps j of weight[b,i,h,j] · x[b,i+j-offset,c], zeros around x. x [B,T,C]; head h has the C/H channels
// from h·C/H on. weight [H,k] (lightweight), [T,H,k] or [B,T,H,k] (dynamic), the axes before H broadcasting; take the
// softmax over the taps first. Columns of x are never stored. (Wu et al. 2019, eq. 3-4)
// Errors: extents that do not fit, H that does not divide C, an offset outside [0, k).
Tensor dynamic_conv1d(Tensor x, Tensor weight, const DynamicConvDesc& desc = {}, CallSite site = CallSite::here());
// Which of k taps of T positions are inside the sequence: a boolean constant [T,1,k] in `like`'s graph. As the mask of the
// softmax over weights [...,T,H,k] (broadcast_to first where they are [H,k]), the taps inside share the mass of those outside;
// without it theirs is lost (fairseq's renorm_padding). Errors: as of dynamic_conv1d.
Tensor dynamic_conv1d_mask(Tensor like, std::int64_t T, std::int64_t k, const DynamicConvDesc& desc = {},
                           CallSite site = CallSite::here());

// ---- Local windows ------------------------------------------------------------------------------------------------

struct LocalWindowDesc {
  std::int64_t half_width = 1;  // D >= 0: a window is centre - D .. centre + D
  Tensor lengths{};             // i32 [B]: keys that each sample has; absent: all of them
};
struct LocalWindow {
  Tensor positions;  // i32 [B,Lq,2D+1]: which keys, also those that do not exist
  Tensor valid;      // boolean [B,Lq,2D+1]: in [0, length), for the softmax's mask
};
// The window of keys around each query's centre, i32 [B,Lq]; of several heads: B is theirs too. Luong's local-m has query
// i's own position as its centre; local-p the floor of a predicted one, from which gaussian_window takes the gradient.
// (Luong, Pham & Manning 2015, section 3.2) Errors: extents that do not fit, half_width outside [0, 2^20].
LocalWindow local_window(Tensor centre, std::int64_t length, const LocalWindowDesc& desc = {}, CallSite site = CallSite::here());
// x [B,length,...] at the positions of the window -> [B,Lq,2D+1,...]; zeros where there is no such key of x. Any type; the
// gradient adds up what each key gave. `length` of the window and of x are the same. Errors: a window of another B, or whose
// positions and validity differ in shape; x of rank 1 or 8.
Tensor local_gather(Tensor x, const LocalWindow& window, CallSite site = CallSite::here());
// p·exp(-(s - c)²/2σ²), not normalised again: positions s, i32 or float, and centre c, float, broadcast to p. Differentiable
// in p, s and c: dL/dc = sum of g·y·(s - c)/σ². One launch. On weights it is local-p; on scores before the softmax the
// variant normLocalAttn of the authors' code. (Luong, Pham & Manning 2015, eq. 10) Errors: operands that do not broadcast to
// p, sigma that is not positive and finite.
Tensor gaussian_window(Tensor p, Tensor positions, Tensor centre, float sigma, CallSite site = CallSite::here());

}  // namespace fovea
