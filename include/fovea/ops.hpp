#pragma once
// Every operator: one Desc aggregate, one documented function. A mistake becomes the graph's first error (graph.hpp). A number
// cast to an enumeration that has none such is one, everywhere; a call without any present operand has no graph to tell, does
// nothing, and returns an absent Tensor.
//
// Letters: B batch, N images, C channels, H W height and width, L sequence length, D head size. All tensors are dense
// and row-major. "Broadcasting" is NumPy's: aligned at the innermost axis, extents equal or 1. Storage is f32, f16 or
// bf16 (16-bit types accumulate in f32 and round once); operands of one operator share the dtype unless said otherwise.

#include <fovea/attention_mod.hpp>
#include <fovea/ops/index.hpp>
#include <fovea/ops/neighbourhood.hpp>
#include <fovea/ops/quantize.hpp>
#include <fovea/ops/random.hpp>
#include <fovea/ops/spatial.hpp>  // pooling, sampling, resizing
#include <fovea/ops/window.hpp>
#include <fovea/tensor.hpp>

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

// ---- Attention ----------------------------------------------------------------------------------------------------

enum class CausalAlign : std::uint8_t {
  top_left,      // query i sees keys j <= i, whatever the lengths (PyTorch is_causal)
  bottom_right,  // query i sees keys j <= i + Lk - Lq (queries are the last ones of the key sequence)
};
const char* to_string(CausalAlign align);

struct AttentionDesc {
  // boolean: true = attend. f32, or as q: added to the scaled score; -inf excludes (both: select(mask, bias, -inf)). Broadcasts to [B,H,Lq,Lk].
  Tensor mask{};
  bool causal = false;
  CausalAlign align = CausalAlign::top_left;
  // Query i sees only keys p-left <= j <= p+right with p = i (top_left) or i + Lk - Lq (bottom_right); -1: open.
  std::int64_t window_left = -1, window_right = -1;
  std::optional<float> scale{};  // of q·k; absent: 1/sqrt(D)
  float softcap = 0;             // c > 0: scaled scores become c·tanh(score/c), before the mask. 0: off
  // Each weight is dropped with this probability, in [0, 1), else divided by 1 - dropout. Which ones follows from the state
  // (i32 [6], ops/random.hpp), and is made again for the gradient. lse and the returned weights are those before it.
  float dropout = 0;
  Tensor dropout_state{};
  std::int64_t dropout_stream = 0;  // 0 up to 2^31 - 1; one of its own, as of every draw
  // i32: query i sees only keys begin <= j < end, besides all else that excludes; of (begin, end). Broadcasts to [B,H,Lq,2]; ends
  // are clamped to [0, Lk], and an empty range sees nothing. Read on the device at every run; blocks of keys outside of the ranges
  // of all rows of a workgroup are not walked. serving.hpp makes them of lengths and of packed sequences.
  Tensor key_ranges{};
  // Queries and keys on grids, and of those a window around each query. Beside it causal, the windows, a mask and mod keep to the
  // numbers i and j; neither key_ranges nor pages.
  Neighbourhood neighbourhood{};
  // Keys in pages: i32 [B,M], of which page_table[b,n] is the page with the keys n·page up to (n+1)·page of item b. k and v are then
  // [P,Hk,page,D] and [P,Hk,page,Dv], pages of all items in any order, and Lk = M·page. Read at every run; a number that is no
  // page counts as the nearest, and key_ranges keep rows from what is not filled. Neither gradient nor dropout. (Kwon et al. 2023)
  Tensor page_table{};
  // k and v are words (ops/quantize.hpp), i32 [B,Hk,Lk,W], which kernels take apart where they read them; D, and with int4 Dv too,
  // is a multiple of the codes a word. No gradient.
  Quantized quantized = Quantized::none;
  // An author's GLSL for score, visibility and weight (attention_mod.hpp), and the tensors it reads, in its order.
  AttentionMod mod{};
  std::vector<Tensor> mod_buffers{};
  // false: the weights are the scores themselves, after mod and masks, and 0 where a key is excluded: 1/N and sigmoid attention.
  bool normalize = true;
  bool return_lse = false;       // also log-sum-exp of the masked scores, natural log
  bool return_weights = false;   // also the softmax weights; computes and stores them all
};
struct AttentionResult {
  Tensor out;      // [B,H,Lq,Dv]
  Tensor lse;      // [B,H,Lq], f32; -inf for a row with nothing to attend to. Absent unless asked for
  Tensor weights;  // [B,H,Lq,Lk]. Absent unless asked for
};
// softmax(scale·q·kᵀ + mask)·v, never storing the Lq×Lk scores, forward and in the gradient, unless weights are asked for. But head
// sizes D or Dv above 256 run as a chain of operators that stores them, both ways, and so does the gradient of a gradient.
// f16 operands may be multiplied by matrix units, summed in f32; the weights are then rounded to f16 before they meet v.
// q [B,H,Lq,D], k [B,Hk,Lk,D], v [B,Hk,Lk,Dv]; Hk divides H and query head h reads key head h / (H/Hk).
// A row that may attend to nothing gives zeros. (Vaswani et al. 2017, eq. 1; online form: Milakov & Gimelshein 2018)
// A key that causal, a window, a range or a boolean mask excludes contributes nothing, whatever k and v hold. An additive -inf
// excludes by IEEE: v may hold anything, and a score of NaN or +inf becomes NaN. A row with a score of NaN or +inf is NaN
// in every result. (An infinity in v beside a weight that underflows to 0 may be taken or left.)
// Gradients keep to that: what an excluded key or the query of a row holds reaches no gradient but its own rows', and what a row
// sees that is no number makes all of its gradients NaN. (With return_weights they are IEEE's, of the stored scores.)
// Errors: ranks other than 4, extents that do not fit (the axis is named), a mask or ranges that do not broadcast,
// window < -1, softcap < 0, a softcap or scale that is not finite, dropout outside [0, 1) or without a state, buffers that are
// not what mod declares, return_lse without normalize, a table of another shape, no pages, dropout beside pages,
// words that do not fit head sizes, grids of other than Lq queries and Lk keys, a radius below 0, a radius or an offset past 2^28,
// a neighbourhood beside ranges or pages, a bias of another shape or beside a mask.
AttentionResult attention_full(Tensor q, Tensor k, Tensor v, const AttentionDesc& desc = {}, CallSite site = CallSite::here());
// The first result alone.
Tensor attention(Tensor q, Tensor k, Tensor v, const AttentionDesc& desc = {}, CallSite site = CallSite::here());

struct SoftmaxDesc {
  std::int64_t axis = -1;
  // boolean, broadcasts to x: true = take part. A row with nothing to take part gives zeros.
  Tensor mask{};
  // Rows whose entries are all -inf: false gives NaN as IEEE and PyTorch do, true gives zeros as attention does.
  bool zero_empty_rows = false;
  float temperature = 1;  // > 0: x is divided by it first
};
// exp(x - max) / sum exp(x - max) along one axis. What is masked, and a row of zeros, takes no gradient.
// Errors: axis out of range, a mask that does not broadcast, a temperature that is not positive and finite.
Tensor softmax(Tensor x, const SoftmaxDesc& desc = {}, CallSite site = CallSite::here());
// Its logarithm, x - max - log sum exp(x - max): -inf where softmax's mask and its rule for empty rows give zero.
Tensor log_softmax(Tensor x, const SoftmaxDesc& desc = {}, CallSite site = CallSite::here());

struct SparsemaxDesc {
  std::int64_t axis = -1;
  Tensor mask{};  // boolean, broadcasts to x: true = take part. A row with nothing to take part gives zeros
  bool zero_empty_rows = false;  // as softmax's
};
// The nearest point of the simplex: max(x - t, 0), t such that the axis sums to 1. What is zero takes no gradient.
// Errors: axis out of range, a mask that does not broadcast. (Martins & Astudillo 2016, alg. 1)
Tensor sparsemax(Tensor x, const SparsemaxDesc& desc = {}, CallSite site = CallSite::here());
// Between softmax and sparsemax: max(x/2 - t, 0)², t likewise. (Peters, Niculae & Martins 2019, alg. 2)
Tensor entmax15(Tensor x, const SparsemaxDesc& desc = {}, CallSite site = CallSite::here());

struct RotaryDesc {
  bool interleaved = false;  // pairs are neighbours (x0,x1), (x2,x3), ...; else element k and k + R/2
};
// Turns pairs of elements of x [..., L, D] by angles: cosine and sine [..., L, R/2] broadcast to x's leading axes; R <= D,
// and elements from R on stay as they are. By position: index_select the rows of a table first. ONNX RotaryEmbedding.
// Errors: cosines and sines of two shapes, of more than D/2 columns, or that do not broadcast. (Su et al. 2021, eq. 34)
Tensor rotary_embedding(Tensor x, Tensor cosine, Tensor sine, const RotaryDesc& desc = {}, CallSite site = CallSite::here());

// ---- Products -----------------------------------------------------------------------------------------------------

enum class Activation : std::uint8_t { none, relu, sigmoid, tanh, gelu, gelu_tanh, silu };
const char* to_string(Activation activation);

struct MatmulDesc {
  bool transpose_a = false, transpose_b = false;  // of the last two axes
  Tensor bias{};                                  // broadcasts to the result; added before the activation
  Activation activation = Activation::none;
  float alpha = 1;                                // scales the product, before the bias; finite
  float beta = 1;                                 // scales the bias; finite
};
// a [..., M, K] · b [..., K, N] -> [..., M, N]; leading axes broadcast. Rank-1 operands are a row (a) or a column (b)
// and their axis is dropped from the result (NumPy's matmul). alpha·a·b + beta·c of BLAS: c is the bias.
// Errors: operands of two types, rank 0, K that differs, leading axes or a bias that do not broadcast, transpose of a rank-1
// operand, alpha or beta that is not finite.
Tensor matmul(Tensor a, Tensor b, const MatmulDesc& desc = {}, CallSite site = CallSite::here());
// x [..., K], weight [N, K], bias [N] or absent -> [..., N]: x·weightᵀ + bias (PyTorch's Linear). Errors: other shapes.
Tensor linear(Tensor x, Tensor weight, Tensor bias = {}, Activation activation = Activation::none,
              CallSite site = CallSite::here());
// "bij,bjk->bik": each operand's axes by letter; letters that the result lacks are summed over. Without "->" the result has
// the letters that stand once, in the order of the alphabet (NumPy). Products are made two by two from the left, each a
// sum, a permutation and a matmul. Errors: ellipses and a letter twice in one operand, extents that differ.
Tensor einsum(std::string_view equation, std::span<const Tensor> operands, CallSite site = CallSite::here());
Tensor einsum(std::string_view equation, std::initializer_list<Tensor> operands, CallSite site = CallSite::here());

struct Conv2dDesc {
  std::array<std::int64_t, 2> stride{1, 1};    // y, x; >= 1
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};  // top, left, bottom, right; zeros
  std::array<std::int64_t, 2> dilation{1, 1};  // >= 1
  std::int64_t groups = 1;                     // divides C and O
  Tensor bias{};                               // [O]
  Activation activation = Activation::none;
};
// Cross-correlation. x [N,C,H,W], weight [O,C/groups,kh,kw] -> [N,O,Ho,Wo],
// Ho = floor((H + top + bottom - dilation·(kh-1) - 1)/stride) + 1. Errors: extents that do not fit, a window that reaches
// further than the padded picture, attributes out of range.
Tensor conv2d(Tensor x, Tensor weight, const Conv2dDesc& desc = {}, CallSite site = CallSite::here());

// ---- Elementwise --------------------------------------------------------------------------------------------------

enum class Unary : std::uint8_t {
  neg, abs, sign, exp, log, sqrt, rsqrt, reciprocal, square, sin, cos, tanh, sigmoid, relu, gelu, gelu_tanh, silu,
  softplus, elu, mish, hardswish, hardsigmoid, erf, floor, ceil, round, logical_not, exp2, log2
};
const char* to_string(Unary op);
// round: half to even (no gradient, as floor, ceil and sign). relu, abs: no gradient at 0. gelu: x·Φ(x) with erf; gelu_tanh:
// Hendrycks & Gimpel's tanh form. hardsigmoid: relu6(x+3)/6, no gradient at ±3; hardswish: x·hardsigmoid(x). elu: alpha 1.
// softplus: log(1+eˣ), without overflow. logical_not: boolean. sin, cos: full accuracy for |x| < 1e5, beyond it the driver's.
// i32 accepts neg, abs, sign, square, relu; boolean accepts logical_not. Error: another type.
Tensor unary(Unary op, Tensor x, CallSite site = CallSite::here());

enum class Binary : std::uint8_t {
  add, sub, mul, div, pow, min, max, equal, not_equal, less, less_equal, greater, greater_equal, logical_and,
  logical_or, leaky_relu, mod
};
const char* to_string(Binary op);
// Broadcasting. Comparisons give boolean; logical_* take and give boolean; min and max propagate NaN, and of equals a takes
// the gradient: min(max(x, low), high), a clamp, passes it on the closed interval; pow is the C
// function; mod has the sign of the divisor and is exact for |a/b| < 2^24; leaky_relu is x < 0 ? slope·x : x (PReLU), whose
// gradient at 0 is the slope's. i32: all but pow, leaky_relu; div truncates toward zero.
// Errors: operands of two types or of one that the operator lacks, shapes that do not broadcast.
Tensor binary(Binary op, Tensor a, Tensor b, CallSite site = CallSite::here());
// condition ? a : b, broadcasting; condition is boolean. Errors: a and b of two types, shapes that do not broadcast.
Tensor select(Tensor condition, Tensor a, Tensor b, CallSite site = CallSite::here());
// Floats to bf16 round to the nearest, ties to even: past the largest to infinity, and NaN stays NaN. Floats to i32 truncate toward
// zero and saturate, NaN gives 0; to boolean: x != 0.
Tensor cast(Tensor x, DType to, CallSite site = CallSite::here());
// min(max(x, low), high); the gradient passes on the closed interval. Error: low above high, or NaN.
Tensor clamp(Tensor x, float low, float high, CallSite site = CallSite::here());
// x > 0 ? x : alpha·(eˣ - 1). Error: alpha that is not finite. (Clevert, Unterthiner & Hochreiter 2016)
Tensor elu(Tensor x, float alpha, CallSite site = CallSite::here());
// a·sigmoid(b) of the two halves a, b along an axis. Errors: axis out of range, an odd extent. (Dauphin et al. 2017)
Tensor glu(Tensor x, std::int64_t axis = -1, CallSite site = CallSite::here());
// The largest of each `pieces` neighbours along an axis; the first of equals takes the gradient. Errors: axis out of range,
// an extent that `pieces` does not divide, rank 8. (Goodfellow et al. 2013)
Tensor maxout(Tensor x, std::int64_t pieces, std::int64_t axis = -1, CallSite site = CallSite::here());
// A scalar constant of rank 0, to combine by broadcasting.
Tensor scalar(Tensor like, float value, CallSite site = CallSite::here());

// A Tensor and the place of the expression it stands in, so that `a + b` in an error names the caller's line.
struct Operand {
  Operand(Tensor tensor, CallSite here = CallSite::here()) : value(tensor), site(here) {}
  Tensor value;
  CallSite site;
};
Tensor operator+(Operand a, Tensor b);
Tensor operator-(Operand a, Tensor b);
Tensor operator*(Operand a, Tensor b);
Tensor operator/(Operand a, Tensor b);
Tensor operator+(Operand a, float b);
Tensor operator-(Operand a, float b);
Tensor operator*(Operand a, float b);
Tensor operator/(Operand a, float b);
Tensor operator-(Operand a);

// ---- Reductions ---------------------------------------------------------------------------------------------------

enum class Reduce : std::uint8_t { sum, mean, max, min, prod, l1, l2, sum_square, logsumexp, log_sum, variance, argmax, argmin };
const char* to_string(Reduce op);
enum class Ties : std::uint8_t {
  first,  // the first of equals, or of NaNs, takes all of the gradient (PyTorch's max along an axis)
  share,  // equals take equal parts; all of a row with a NaN become NaN (PyTorch's amax)
};
const char* to_string(Ties ties);
struct ReduceDesc {
  std::vector<std::int64_t> axes{};  // empty: all of them
  bool keep_dims = false;
  // variance: divides by max(n - correction, 0), any finite number (PyTorch, whose default is 1). Of n <= correction the
  // quotient is IEEE's: infinity, or NaN where all elements are equal.
  double correction = 1;
  Ties ties = Ties::first;           // max, min: where the gradient goes
  Tensor mask{};                     // boolean, broadcasts to x: true = take part
};
// Over no elements: sum, l1, l2, sum_square 0; prod 1; max -inf; min +inf; logsumexp, log_sum -inf; mean, variance NaN.
// argmax/argmin: i32, the first of equals or of NaNs, counted row-major over the reduced axes; error over an empty axis.
// max, min propagate NaN. With a mask the reduction is over what takes part, whatever stands elsewhere; argmax and argmin of
// a row in which nothing does are the number of its elements, one past the end.
// l1 has none at 0, l2 none of a row of zeros, logsumexp none of a row of -inf.
// Errors: axis out of range or named twice, a mask that does not broadcast, correction that is not finite.
Tensor reduce(Reduce op, Tensor x, const ReduceDesc& desc = {}, CallSite site = CallSite::here());

// ---- Layout -------------------------------------------------------------------------------------------------------
// Any type; every bit arrives as it left.

// Same elements in the same order; one extent may be -1. No copy. Errors: element counts differ, two extents of -1, more
// than 8 axes.
Tensor reshape(Tensor x, std::span<const std::int64_t> shape, CallSite site = CallSite::here());
Tensor reshape(Tensor x, std::initializer_list<std::int64_t> shape, CallSite site = CallSite::here());
// Axis i of the result is axis order[i] of x; negative counts from the end. Errors: an axis out of range, missing or twice.
Tensor permute(Tensor x, std::initializer_list<int> order, CallSite site = CallSite::here());
Tensor permute(Tensor x, std::span<const int> order, CallSite site = CallSite::here());
// Swaps two axes; negative count from the end. Error: axis out of range.
Tensor transpose(Tensor x, int axis_a, int axis_b, CallSite site = CallSite::here());
// Repeats axes of extent 1 up to `shape`. Error: x does not broadcast to it.
Tensor broadcast_to(Tensor x, const Shape& shape, CallSite site = CallSite::here());

struct SliceDesc {
  std::int64_t axis = 0;
  std::int64_t start = 0;                                        // negative: from the end; clamped to the axis
  std::int64_t stop = std::numeric_limits<std::int64_t>::max();  // exclusive; negative: from the end; clamped
  std::int64_t step = 1;                                         // not 0; negative walks backwards (NumPy)
};
// start, start + step, ... before stop, as Python's x[start:stop:step]. Walking backwards, the default stop is past the
// first element: {.start = -1, .step = -1} reverses the axis. Nothing in range gives an empty axis. Errors: axis out of
// range, step 0.
Tensor slice(Tensor x, const SliceDesc& desc, CallSite site = CallSite::here());
// x cut along `axis` into pieces of these extents, in order: what concat puts together again. Errors: axis out of range, a
// negative extent, extents whose sum is not x's. After an error there are as many pieces, of nothing.
std::vector<Tensor> split(Tensor x, std::span<const std::int64_t> sizes, std::int64_t axis, CallSite site = CallSite::here());
std::vector<Tensor> split(Tensor x, std::initializer_list<std::int64_t> sizes, std::int64_t axis, CallSite site = CallSite::here());
// Into so many equal ones. Errors: axis out of range, an extent that `pieces` does not divide, pieces outside [1, 2^16].
std::vector<Tensor> split(Tensor x, std::int64_t pieces, std::int64_t axis, CallSite site = CallSite::here());
// Errors: types or extents that differ, but for the extent along `axis`; axis out of range. Of no tensor at all: an absent
// one, and no error, as there is no graph to tell.
Tensor concat(std::span<const Tensor> parts, std::int64_t axis, CallSite site = CallSite::here());
Tensor concat(std::initializer_list<Tensor> parts, std::int64_t axis, CallSite site = CallSite::here());

enum class PadMode : std::uint8_t { constant, reflect, replicate, circular };
const char* to_string(PadMode mode);
struct PadDesc {
  // {before, after} for the innermost axes: the last pair is the innermost axis. Negative crops.
  std::vector<std::array<std::int64_t, 2>> amounts{};
  PadMode mode = PadMode::constant;
  float value = 0;  // of constant
};
// Crops come first, and what is left is padded. reflect does not repeat the edge and needs amounts below the extent;
// circular may go around more than once; a constant is converted to x's type, as cast does. Errors: amounts for more axes
// than x has, crops of more than there is, reflect by an extent or more, an empty axis to repeat.
Tensor pad(Tensor x, const PadDesc& desc, CallSite site = CallSite::here());

struct UnfoldDesc {
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};  // top, left, bottom, right; zeros
};
// im2col: x [N,C,H,W] -> [N, C·kh·kw, Ho·Wo], extents as conv2d's (PyTorch's unfold). Errors: a rank other than 4, a window
// that reaches further than the padded picture, attributes out of range.
Tensor unfold(Tensor x, const UnfoldDesc& desc, CallSite site = CallSite::here());
struct FoldDesc {
  std::array<std::int64_t, 2> size{1, 1};  // H, W of the result
  std::array<std::int64_t, 2> kernel{1, 1}, stride{1, 1}, dilation{1, 1};
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};  // of the windows, which is dropped
};
// col2im, the adjoint of unfold: x [N, C·kh·kw, Ho·Wo], f32, f16 or bf16 -> [N,C,H,W], overlapping windows summed (PyTorch's
// fold). Errors: columns that do not divide by the taps, another number of windows than the size has.
Tensor fold(Tensor x, const FoldDesc& desc, CallSite site = CallSite::here());

}  // namespace fovea

// The families with headers of their own.
#include <fovea/ops/additive.hpp>
#include <fovea/ops/conv.hpp>
