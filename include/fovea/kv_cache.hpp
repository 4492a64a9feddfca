#pragma once
// Keys and values kept from step to step, in parameters that the application binds once.

#include <fovea/tensor.hpp>

namespace fovea {

// The cache with new rows in it: result[b,h,position + r] = rows[b,h,r], and all else is cache's. cache [B,Hk,S,D], rows
// [B,Hk,n,D] of its type, any; position i32 [], or [B] with one for each batch item. A row whose place would lie before 0 or from
// S on is dropped. Every bit arrives as it left.
// As a parameter's update it is in place: with graph.update(cache, cache_append(cache, ...)) the rows are written into the
// parameter's own buffer, and nothing is copied; what reads the result (attention) reads that buffer. So may a chain of them.
// Where something that comes later in the graph reads the cache as it was, and for any other value, it works on a copy.
// Errors: ranks other than 4, another type, extents that do not fit (the axis is named), a position of another shape.
//   const Tensor k = cache_append(k_cache, k_new, length), v = cache_append(v_cache, v_new, length);
//   const Tensor longer = length + graph.constant({}, {n});
//   const Tensor y = attention(q, k, v, {.key_ranges = key_ranges(longer, {.queries = n, .causal = true})});
//   graph.update(k_cache, k), graph.update(v_cache, v);
Tensor cache_append(Tensor cache, Tensor rows, Tensor position, CallSite site = CallSite::here());
// The same into pages [P,Hk,page,D], for AttentionDesc::page_table: row r of item b is its key t = position + r, and goes to row
// t % page of page page_table[b, t / page]; page_table i32 [B,M]. Rows whose key lies outside of [0, M·page), or whose page is none,
// are dropped. Of rows that the table sends to one place, any may stand. No gradient.
// Errors: as above.
Tensor page_append(Tensor pages, Tensor rows, Tensor position, Tensor page_table, CallSite site = CallSite::here());

}  // namespace fovea
