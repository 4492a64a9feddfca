#pragma once
// Pooling, sampling and resizing. Included by ops.hpp, whose conventions hold.

#include <fovea/tensor.hpp>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <vector>

namespace fovea {

// ---- Pooling ------------------------------------------------------------------------------------------------------

enum class Pool : std::uint8_t {
  max,      // padding counts as -inf; NaN wins; the first of equals in scan order takes the gradient
  average,
  lp,       // (sum |x|^p)^(1/p) (ONNX LpPool); no gradient at x = 0, nor of a window of zeros
};
const char* to_string(Pool kind);
// Windows over the last 1, 2 or 3 axes of x [N,C,...]; every array is of that length.
struct PoolDesc {
  std::vector<std::int64_t> kernel{};
  std::vector<std::int64_t> stride{};         // empty: the kernel
  std::vector<std::int64_t> padding_begin{};  // empty: 0
  std::vector<std::int64_t> padding_end{};    // empty: as padding_begin
  std::vector<std::int64_t> dilation{};       // empty: 1
  bool ceil_mode = false;          // round the output extent up
  // average: padding counts in the divisor, the part beyond the padded input never does. ONNX's default; PyTorch's is true.
  bool count_include_pad = false;
  std::int64_t divisor = 0;        // average: divide by this instead; 0: the count
  float p = 2;                     // lp; > 0, finite
};
// f32, f16 or bf16 -> [N,C,...], extents floor((in + begin + end - dilation·(k-1) - 1)/stride) + 1, or ceil(...) + 1; in either mode
// a last window that would start in the padding behind, at in + begin or later, is dropped.
// Errors: a rank other than the axes' + 2, arrays of different lengths, attributes out of range, a window that reaches
// further than the padded input, padding that a whole window fits into.
Tensor pool(Pool kind, Tensor x, const PoolDesc& desc, CallSite site = CallSite::here());
struct MaxPoolResult {
  Tensor values;
  Tensor indices;  // i32: flat index of the maximum within its own [D,H,W] plane of x
};
MaxPoolResult max_pool_with_indices(Tensor x, const PoolDesc& desc, CallSite site = CallSite::here());
// Window i covers floor(i·in/out) .. ceil((i+1)·in/out): output extents as given, -1 keeps the input's. Errors: a rank other
// than the extents' + 2, a negative extent, an empty axis.
Tensor adaptive_pool(Pool kind, Tensor x, std::span<const std::int64_t> output, CallSite site = CallSite::here());
Tensor adaptive_pool(Pool kind, Tensor x, std::initializer_list<std::int64_t> output, CallSite site = CallSite::here());
MaxPoolResult adaptive_max_pool_with_indices(Tensor x, std::span<const std::int64_t> output, CallSite site = CallSite::here());
MaxPoolResult adaptive_max_pool_with_indices(Tensor x, std::initializer_list<std::int64_t> output, CallSite site = CallSite::here());
// One window over all spatial axes, extents 1. By log-sum-exp: reduce(Reduce::logsumexp, x, {.axes = {2, 3}, .keep_dims = true}).
// Errors: a rank below 3, p that is not positive and finite.
Tensor global_pool(Pool kind, Tensor x, float p = 2, CallSite site = CallSite::here());
// The values of max pooling back at their maxima, zeros elsewhere: x and indices (i32, as max_pool_with_indices gives
// them) are of the pooled shape, `window` is that of the pooling and `output` the spatial extents it was of. Where several
// windows share a maximum their values are summed (PyTorch keeps one of them); an index outside its own window counts
// for nothing. Errors: extents that do not fit, an output of which pooling has other extents than x. (Zeiler, Taylor & Fergus 2011)
Tensor max_unpool(Tensor x, Tensor indices, const PoolDesc& window, std::span<const std::int64_t> output,
                  CallSite site = CallSite::here());
Tensor max_unpool(Tensor x, Tensor indices, const PoolDesc& window, std::initializer_list<std::int64_t> output,
                  CallSite site = CallSite::here());

// ---- Sampling -----------------------------------------------------------------------------------------------------

enum class Interpolation : std::uint8_t { nearest, linear, cubic };  // grid_sample: nearest takes halves to even, cubic is 2-D alone, a = -0.75
enum class SamplePadding : std::uint8_t { zeros, border, reflection };
const char* to_string(Interpolation interpolation);
const char* to_string(SamplePadding padding);
struct GridSampleDesc {
  Interpolation interpolation = Interpolation::linear;
  SamplePadding padding = SamplePadding::zeros;
  // true: -1 and 1 are the centres of the corner texels; false: their outer edges (PyTorch's and ONNX's default).
  bool align_corners = false;
};
// x [N,C,H,W], grid [N,Ho,Wo,2] of (x,y) in [-1,1] -> [N,C,Ho,Wo]; or x [N,C,D,H,W], grid [N,Do,Ho,Wo,3] of (x,y,z).
// A texel outside counts as zero (zeros), or the coordinate is clipped to the picture (border) or folded at its edges
// (reflection) first; cubic clips or folds each of its texels instead. x is f32, f16 or bf16, the grid f32 or as x,
// coordinates f32. A NaN coordinate is outside, or clipped to texel 0; cubic gives NaN for NaN and infinity.
// The gradient of a coordinate at a texel's centre is the one to its right; it is 0 where the coordinate is clipped, on the
// edge too, changes sign with every fold, and nearest has none.
// Errors: extents that do not fit, an empty picture, cubic in 3-D. (Jaderberg et al. 2015, eq. 3-5; Keys 1981)
Tensor grid_sample(Tensor x, Tensor grid, const GridSampleDesc& desc = {}, CallSite site = CallSite::here());

struct AffineGridDesc {
  bool align_corners = false;
};
// theta [N,2,3] and size {N,C,H,W} -> [N,H,W,2]; theta [N,3,4] and {N,C,D,H,W} -> [N,D,H,W,3]:
// grid = theta · (x, y(, z), 1) over the target's normalised coordinates. glm.hpp makes a theta of a GLM matrix.
// Error: theta of another shape than the size asks for. (Jaderberg et al. 2015, eq. 1)
Tensor affine_grid(Tensor theta, const Shape& size, const AffineGridDesc& desc = {}, CallSite site = CallSite::here());

// The following grids are of [N,C,H,W] pictures, [N,H,W,2] of their operand's type; desc as of affine_grid. Errors:
// an operand of another shape, a size that is not of 4 extents.
// theta [N,3,3]: (x, y) = (theta_1·p, theta_2·p) / theta_3·p over p = (x, y, 1); a divisor below 1e-6 in magnitude becomes 1e-6
// of its sign, and then has no gradient. (Jaderberg et al. 2015)
Tensor projective_grid(Tensor theta, const Shape& size, const AffineGridDesc& desc = {}, CallSite site = CallSite::here());
// The thin-plate spline that takes `control` points (x,y), K of them in [-1,1], to `source` [N,K,2]: a product with a matrix
// [H·W,K] made here. Errors: control points on a line, or not of finite numbers; a matrix of more than 2^30 elements.
// (Bookstein 1989; Jaderberg et al. 2015)
Tensor thin_plate_grid(Tensor source, const std::vector<std::array<double, 2>>& control, const Shape& size,
                       const AffineGridDesc& desc = {}, CallSite site = CallSite::here());
// box [N,4]: (x0, y0, x1, y1) in [-1,1], over which the pixels are spread; what sampling there crops.
Tensor box_grid(Tensor box, const Shape& size, const AffineGridDesc& desc = {}, CallSite site = CallSite::here());

struct RoiAlignDesc {
  std::array<std::int64_t, 2> bins{1, 1};  // rows, columns of the result
  float scale = 1;                         // of the regions' coordinates to x's pixels; > 0, finite
  std::int64_t samples = 0;                // an axis and bin, up to 255; 0: one for each pixel that the bin begins
  bool aligned = false;                    // true: pixel centres are at halves (ONNX half_pixel); false: regions of >= 1 pixel
  bool maximum = false;                    // the largest weighted texel among the samples instead of their average (ONNX max)
};
// x [N,C,H,W], rois f32 [R,4] of (x0,y0,x1,y1), batch i32 [R]: the picture of each -> [R,C,bins]. Samples are bilinear; one
// more than a pixel outside x is 0, as is a region of a picture that x does not have. The gradient is of x alone: regions
// are constants; of a maximum the first of equals takes it. Errors: extents that do not fit, an empty picture, bins outside
// [1, 2^14], samples or scale out of range. (He et al. 2017, section 3; ONNX RoiAlign)
Tensor roi_align(Tensor x, Tensor rois, Tensor batch, const RoiAlignDesc& desc, CallSite site = CallSite::here());

// ---- Resizing -----------------------------------------------------------------------------------------------------

// Where pixel i of the result stands in x, along an axis of n pixels that becomes m = s·n (ONNX Resize).
enum class ResizeCoordinates : std::uint8_t {
  half_pixel,            // (i + 1/2)/s - 1/2 (PyTorch's align_corners = false, its nearest-exact)
  half_pixel_symmetric,  // the same about the middle, for a scale that does not give whole pixels
  pytorch_half_pixel,    // half_pixel, and 0 where m = 1
  align_corners,         // i·(n-1)/(m-1), 0 where m = 1
  asymmetric,            // i/s (PyTorch's nearest, with rounding floor)
};
const char* to_string(ResizeCoordinates coordinates);
enum class ResizeRounding : std::uint8_t { prefer_floor, prefer_ceil, floor, ceil };  // of nearest; prefer_: of halves
const char* to_string(ResizeRounding rounding);
struct ResizeDesc {
  // Of the last 1, 2 or 3 axes: extents of the result, or scales, of which floor(scale·extent) follows. With both, the
  // scales give the coordinates, and the extents are those products rounded down or to the nearest. An extent of 0 makes an
  // empty result.
  std::vector<std::int64_t> size{};
  std::vector<double> scale{};
  Interpolation interpolation = Interpolation::linear;
  ResizeCoordinates coordinates = ResizeCoordinates::half_pixel;
  ResizeRounding rounding = ResizeRounding::prefer_floor;
  bool antialias = false;        // where an axis shrinks, its kernel is stretched by as much; not of nearest
  bool exclude_outside = false;  // pixels outside x weigh nothing and the others share; otherwise the edge is repeated
  double cubic_a = -0.75;        // PyTorch with antialias: -0.5
};
// x [..., n1, n2] -> [..., m1, m2]: interpolation along each axis. Its gradient is the exact adjoint.
// Errors: x not f32, f16 or bf16, fewer axes than extents, an empty axis, a scale that is not positive, extents that are not those
// of the scales, antialias of nearest, a cubic_a that is not finite. (Keys 1981 for cubic)
Tensor resize(Tensor x, const ResizeDesc& desc, CallSite site = CallSite::here());

}  // namespace fovea
