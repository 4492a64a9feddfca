#pragma once
// Elements by number: gather, scatter, order, running sums. Included by ops.hpp.
//
// Indices are i32. A negative index counts from the end of its axis; one that is out of range even so reads zero and
// writes nowhere: no index makes a kernel touch memory outside its operands.
//
// Errors of them all: an axis out of range, an index that is not i32, an operand of another type than is said, or of
// another than x's.

#include <fovea/tensor.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>

namespace fovea {

// ---- Gather -------------------------------------------------------------------------------------------------------
// Any type; every bit arrives as it left. The gradient adds up what each element gave, as scatter_add does.

// y[..., i..., ...] = x[..., index[i...], ...] along `axis`, whose place the axes of `index` take (ONNX Gather, PyTorch's
// index_select with an index of any rank). Error: a result of more than 8 axes.
Tensor index_select(Tensor x, Tensor index, std::int64_t axis = 0, CallSite site = CallSite::here());
// y[i,j,k] = x[i,index[i,j,k],k] for axis 1 (PyTorch's gather, ONNX GatherElements). y has index's shape: as many axes
// as x, none longer than x's but `axis`. Error: another rank or a longer axis (it is named).
Tensor gather(Tensor x, Tensor index, std::int64_t axis, CallSite site = CallSite::here());
// The same, with x and index broadcasting along the other axes (NumPy's take_along_axis). Error: they do not.
Tensor take_along(Tensor x, Tensor index, std::int64_t axis, CallSite site = CallSite::here());
// x [a,b,...], index [..., m] of the leading m axes of x -> [..., rest of x's axes] (ONNX GatherND without batch axes).
// Errors: an index of rank 0, m above x's rank, a result of more than 8 axes.
Tensor gather_nd(Tensor x, Tensor index, CallSite site = CallSite::here());

struct EmbeddingDesc {
  std::optional<std::int64_t> padding_index{};  // this row gets no gradient; negative counts from the end
};
// Rows of weight [V,D] by index [...] -> [...,D] (PyTorch's embedding). Errors: a weight of another rank, a padding index
// out of range, an index of 8 axes.
Tensor embedding(Tensor weight, Tensor index, const EmbeddingDesc& desc = {}, CallSite site = CallSite::here());

// ---- Scatter ------------------------------------------------------------------------------------------------------
// f32, f16 and bf16. Deterministic: every element of the result looks for what belongs to it and takes it in the order of the
// index, without atomics, so two runs agree bit for bit; there is no other mode. Cost: indices of more than 32 along the axis
// are sorted first (see sort); then log2(indices) steps an element of the result and one an update.

// x, plus updates[i,j,k] at [i,index[i,j,k],k] for axis 1 (PyTorch's scatter_add). updates has index's shape: as many
// axes as x, none longer than x's but `axis`. Error: another shape.
Tensor scatter_add(Tensor x, Tensor index, Tensor updates, std::int64_t axis, CallSite site = CallSite::here());
// The same, but updates replace; of several for one element the last stands, and takes the gradient alone.
Tensor scatter(Tensor x, Tensor index, Tensor updates, std::int64_t axis, CallSite site = CallSite::here());
// x, plus slice i of updates along `axis` at index[i]: index [n], updates as x but for n along the axis (PyTorch's
// index_add). Error: another shape.
Tensor index_add(Tensor x, Tensor index, Tensor updates, std::int64_t axis = 0, CallSite site = CallSite::here());
// Result s along `axis`, s < segments, is the sum of the slices i of x with ids[i] = s, in any order of ids. An id that is
// negative or no segment adds nothing (JAX's segment_sum). Errors: ids that are not one a slice, segments outside [0, 2^31).
Tensor segment_sum(Tensor x, Tensor ids, std::int64_t segments, std::int64_t axis = 0, CallSite site = CallSite::here());
// index [...] -> f32 [..., depth]: 1 at the index, 0 elsewhere. A negative index gives zeros, as one past the end does.
// Errors: a depth outside [0, 2^30], an index of 8 axes.
Tensor one_hot(Tensor index, std::int64_t depth, CallSite site = CallSite::here());

// ---- Order --------------------------------------------------------------------------------------------------------
// f32, f16, bf16, i32. NaN is the largest of all, -0 equals 0, and of equals the lower index comes first, ascending or not.

struct Sorted {
  Tensor values;
  Tensor indices;  // i32, along the axis. The gradient goes through the values to the elements that they are
};
struct SortDesc {
  std::int64_t axis = -1;
  bool descending = false;
};
// Runs of 32 by counting, then merged two by two: log2(n/32) + 1 launches, log2(n) steps an element in each.
Sorted sort(Tensor x, const SortDesc& desc = {}, CallSite site = CallSite::here());
// The indices alone.
Tensor argsort(Tensor x, const SortDesc& desc = {}, CallSite site = CallSite::here());

struct TopKDesc {
  std::int64_t k = 1;  // 0 up to the extent
  std::int64_t axis = -1;
  bool largest = true;  // first the largest; false: first the smallest
};
// The first k of the sorted axis. As sort, but no run ever holds more than k. Error: k outside [0, extent].
Sorted top_k(Tensor x, const TopKDesc& desc = {}, CallSite site = CallSite::here());

struct CumulativeSumDesc {
  std::int64_t axis = -1;
  bool exclusive = false;  // without the element itself
  bool reverse = false;    // from the end of the axis
};
// y[j] = x[0] + ... + x[j] along the axis; f32, f16 and bf16, summed in f32 and in that order. Error: another type.
Tensor cumulative_sum(Tensor x, const CumulativeSumDesc& desc = {}, CallSite site = CallSite::here());

// Each of these axes read backwards; any type. Error: an axis named twice.
Tensor flip(Tensor x, std::span<const std::int64_t> axes, CallSite site = CallSite::here());
Tensor flip(Tensor x, std::initializer_list<std::int64_t> axes, CallSite site = CallSite::here());
struct ReverseSequenceDesc {
  std::int64_t batch_axis = 0, sequence_axis = 1;
};
// The first lengths[b] elements along the sequence axis of sample b backwards, the rest as they are; lengths i32 [B], at
// most the extent counts (ONNX ReverseSequence). Errors: both axes one, lengths of another shape or type.
Tensor reverse_sequence(Tensor x, Tensor lengths, const ReverseSequenceDesc& desc = {}, CallSite site = CallSite::here());

}  // namespace fovea
