#pragma once
// Attention of sequences whose lengths are data: padded batches, packed sequences, and keys and values kept from step to step.
// Lengths, starts and positions are i32 tensors that kernels read at every run: they may change without compiling or recording
// anew, and none makes a kernel touch memory outside its operands.

#include <fovea/ops.hpp>

#include <cstdint>

namespace fovea {

// ---- Ranges of keys -----------------------------------------------------------------------------------------------
// For AttentionDesc::key_ranges, which needs no causal and no window beside them.

struct KeyRangesDesc {
  std::int64_t queries = 1;  // rows: of each batch item, or of the packed axis
  // As AttentionDesc's, but within each sequence: query i of its Lq and its Lk keys stands at i (top_left), or at i + Lk - Lq,
  // as FlashAttention has it from version 2.1 on and as new queries at the end of a cache do.
  bool causal = false;
  CausalAlign align = CausalAlign::bottom_right;
  std::int64_t window_left = -1, window_right = -1;
};
// lengths i32 [B], of which item b has the keys 0 up to lengths[b] and `queries` queries -> i32 [B,1,queries,2]. For a padded
// batch without causal and window one query does for all: [B,1,1,2] broadcasts.
// Errors: lengths of another rank or type, queries outside [0, 2^29], window < -1.
Tensor key_ranges(Tensor lengths, const KeyRangesDesc& desc = {}, CallSite site = CallSite::here());
// Sequences one behind another along one axis, without padding: q [1,H,Tq,D], k [1,Hk,Tk,D], v likewise, and sequence s has the
// queries query_starts[s] <= t < query_starts[s + 1] and those keys of key_starts (FlashAttention's and PyTorch's cu_seqlens_q and
// cu_seqlens_k): i32 [n + 1], not decreasing -> i32 [1,1,queries,2], with `queries` = Tq. A sequence may be empty; rows before the
// first start and from the last one on belong to none, and see nothing.
// Errors: as above, and starts of different extents, or of none.
Tensor packed_key_ranges(Tensor query_starts, Tensor key_starts, const KeyRangesDesc& desc, CallSite site = CallSite::here());

}  // namespace fovea
