#pragma once
// Convolutions over one, two or three axes, and their transposes. Part of <fovea/ops.hpp>.

#include <fovea/ops.hpp>

namespace fovea {

// Every list has one entry a spatial axis, outermost first, or none.
struct ConvDesc {
  std::vector<std::int64_t> stride{};             // none: 1
  std::vector<std::int64_t> padding_begin{};      // none: 0
  std::vector<std::int64_t> padding_end{};        // none: as padding_begin
  std::vector<std::int64_t> dilation{};           // none: 1
  PadMode padding_mode = PadMode::constant;       // zeros, or x itself around x
  std::int64_t groups = 1;                        // divides C and O
  Tensor bias{};                                  // [O]; beside weights a sample also [N,O]
};
// Cross-correlation over the last 1, 2 or 3 axes: x [N,C,...], weight [O,C/groups,kernel...] -> [N,O,...], extents
// floor((in + begin + end - dilation·(k-1) - 1)/stride) + 1 (PyTorch's conv1d to conv3d). Weights with one more axis in
// front, [N,O,C/groups,kernel...], are a sample's own (dynamic filters: Jia et al. 2016; Chen et al. 2020, eq. 3).
// Errors: extents and list lengths that do not fit, an empty window, what pad refuses.
Tensor conv(Tensor x, Tensor weight, const ConvDesc& desc = {}, CallSite site = CallSite::here());

struct ConvTransposeDesc {
  std::vector<std::int64_t> stride{};
  std::vector<std::int64_t> padding_begin{}, padding_end{};  // taken off the result; none: 0, and as padding_begin
  // Added to the extents, behind; none: 0. Below the stride or below the dilation.
  std::vector<std::int64_t> output_padding{};
  std::vector<std::int64_t> dilation{};
  std::int64_t groups = 1;
  Tensor bias{};  // [O]; beside weights a sample also [N,O]
};
// The adjoint of conv with the same weight: x [N,C,...], weight [C,O/groups,kernel...] -> [N,O,...], extents
// (in - 1)·stride + dilation·(k-1) + 1 - begin - end + output_padding (PyTorch's conv_transpose1d to conv_transpose3d).
// Weights [N,C,O/groups,kernel...] are a sample's own. Errors: as conv; a result without elements along an axis.
Tensor conv_transpose(Tensor x, Tensor weight, const ConvTransposeDesc& desc = {}, CallSite site = CallSite::here());

struct DeformConvDesc {
  std::array<std::int64_t, 2> stride{1, 1};         // y, x
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};  // top, left, bottom, right
  std::array<std::int64_t, 2> dilation{1, 1};
  std::int64_t groups = 1;         // of weights; divides C and O
  std::int64_t offset_groups = 1;  // divides C: channels that share their offsets
  Tensor mask{};                   // [N,offset_groups·kh·kw,Ho,Wo], multiplies the samples (v2); absent: ones (v1)
  Tensor bias{};                   // [O]
};
// A convolution whose taps are moved: x [N,C,H,W], offset [N,2·offset_groups·kh·kw,Ho,Wo] in pairs (y,x) of pixels,
// weight [O,C/groups,kh,kw] -> [N,O,Ho,Wo], extents as conv2d's. Taps sample bilinearly with zeros around x; an offset
// that is no number samples nothing. (Dai et al. 2017, eq. 2-4; Zhu et al. 2019, eq. 1; torchvision's deform_conv2d)
// Errors: extents that do not fit. The gradient is the same every time: texels gather in a fixed order.
Tensor deform_conv2d(Tensor x, Tensor offset, Tensor weight, const DeformConvDesc& desc = {}, CallSite site = CallSite::here());

}  // namespace fovea
