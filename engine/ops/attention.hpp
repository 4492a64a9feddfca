#pragma once
// The attention operator: its attributes, its kernels, and its unfused form. Operands q, k, v, mask (or bias), random state, key ranges, a
// table of pages, the buffers of a modification; results out, then lse and weights where they are asked for.

#include "ops/attention_mod.hpp"
#include "ops/quantized.hpp"
#include "shaders/attention.h"

#include <fovea/ops.hpp>

namespace fovea::ops {

// A Neighbourhood, whose keys' grid is no longer left out.
struct Grids {
  std::array<std::int64_t, 2> queries{}, keys{}, offset{}, radius{};
  NeighbourhoodEdge edge = NeighbourhoodEdge::clipped;
  bool biased = false;  // the mask is its bias

  explicit operator bool() const { return queries != std::array<std::int64_t, 2>{}; }  // there is one
  bool operator==(const Grids&) const = default;
  std::array<std::int64_t, 2> bias_extents() const;
};

struct AttentionAttrs {
  bool causal = false;
  CausalAlign align = CausalAlign::top_left;
  std::int64_t window_left = -1, window_right = -1;
  float scale = 0;
  float softcap = 0;
  bool lse = false, weights = false;
  float dropout = 0;
  std::int64_t stream = 0;  // of its draws
  AttentionMod mod{};
  bool normalize = true;
  Quantized quantized = Quantized::none;  // what k and v are
  Grids grids{};
};
template <class F>
void describe(const AttentionAttrs& attrs, F&& field) {
  field("causal", attrs.causal);
  field("align", attrs.align);
  field("window_left", attrs.window_left);
  field("window_right", attrs.window_right);
  field("scale", attrs.scale);
  field("softcap", attrs.softcap);
  field("lse", attrs.lse);
  field("weights", attrs.weights);
  field("dropout", attrs.dropout);
  field("stream", attrs.stream);
  field("mod", attrs.mod);
  field("normalize", attrs.normalize);
  field("quantized", attrs.quantized);
  field("queries", attrs.grids.queries);
  field("keys", attrs.grids.keys);
  field("offset", attrs.grids.offset);
  field("radius", attrs.grids.radius);
  field("edge", attrs.grids.edge);
  field("biased", attrs.grids.biased);
}

// attention_backward: operands q, k, v, mask, random state, (lse, delta, dlse) as [B,H,Lq,3] in f32, the gradient of the result, key
// ranges (then the statistics are [B,H,Lq,5], and have their ends as numbers), and the buffers; results are the gradients of q, of k
// and v, and of the mask, where they are wanted, and what each of `sites` takes.
struct AttentionBackwardAttrs {
  AttentionAttrs forward{};
  bool d_q = true, d_kv = true, d_mask = false;
  std::vector<std::int64_t> sites{};  // of the modification, from 0
};
template <class F>
void describe(const AttentionBackwardAttrs& attrs, F&& field) {
  describe(attrs.forward, field);
  field("d_q", attrs.d_q);
  field("d_kv", attrs.d_kv);
  field("d_mask", attrs.d_mask);
  field("sites", attrs.sites);
}

// The letters of ops.hpp.
struct AttentionShape {
  std::int64_t B, H, Hk, Lq, Lk, D, Dv;

  explicit AttentionShape(const NodeView& node);
  // Query heads that read one key head. Their rows lie one after another in q.
  std::int64_t heads_a_key_head() const { return Hk == 0 ? 0 : H / Hk; }
};

// Whether the device runs kernels of which a lane holds a row of q and one of y: beyond 32 numbers (12 where registers are few) that is more than a
// GPU's, and unrolled over a subgroup of keys more than Mesa's compiler for Arm's comes to an end with (500 s, heads of 64).
inline bool lane_holds_row(const AttentionShape& shape, const DeviceCaps& caps) {
  return caps.type == DeviceType::cpu || shape.D + shape.Dv <= (caps.few_registers ? 12 : 32);
}

// Query i sees keys i + low <= j <= i + high: what causal and the window leave. An open side lies beyond every key.
struct AttentionBand {
  std::int64_t low, high;
  bool open;  // every query sees every key
};
// What is wrong with an alignment or a window; empty: nothing.
std::string band_fault(CausalAlign align, std::int64_t window_left, std::int64_t window_right);
// Likewise with a table of pages of so many keys, for so many items of a batch.
std::string page_table_fault(const Shape& table, DType dtype, std::int64_t items, std::int64_t page);
AttentionBand band_of(const AttentionAttrs& attrs, const AttentionShape& shape);
// Whether a query may be kept from a key, so that what is stored there must not reach it; `masked`: by a mask or by ranges.
inline bool attention_excludes(const AttentionAttrs& attrs, const AttentionShape& shape, bool masked) {
  return masked || attrs.grids || !band_of(attrs, shape).open || (attrs.mod && facts_of(attrs.mod).masks);
}
constexpr std::uint32_t attention_ranges = 5, attention_backward_ranges = 7;    // the operand
constexpr std::uint32_t attention_pages = 6;                                    // the table of pages
constexpr std::uint32_t attention_backward_stats = 5;
constexpr std::uint32_t attention_buffers = 7, attention_backward_buffers = 8;  // the first operand that is one
inline ModCall mod_call(const AttentionAttrs& attrs, const AttentionShape& shape, std::span<const Tensor> buffers, CallSite site) {
  return {attrs.mod, {shape.B, shape.H, shape.Lq, shape.Lk}, buffers, site};
}

// ---- Neighbourhoods (attention_neighbourhood.cpp) -----------------------------------------------------------------

Grids grids_of(const Neighbourhood& neighbourhood);
// What is wrong with one of so many queries and keys, and with a bias; empty: nothing.
std::string neighbourhood_fault(const Grids& grids, std::int64_t queries, std::int64_t keys);
std::string bias_fault(const Grids& grids, const Shape& bias, std::int64_t heads);
inline std::int64_t tables_of(const Shape& bias) { return bias.rank() == 3 ? bias[0] : 1; }  // one for all heads, or one a head
double pairs_of_neighbours(const Grids& grids);  // of one head

// Steps in which a workgroup walks the keys, or the rows that share a key head: at most as many.
std::uint64_t steps_over_keys(const Grids& grids, std::int64_t keys, std::uint64_t step);
std::uint64_t steps_over_rows(const Grids& grids, std::int64_t rows, std::uint64_t step);
// The constants and parameters of a neighbourhood; and the tile of a launch that owns so many rows a workgroup, on the side and with the step of `spec`.
void set_neighbourhood(shader::AttentionSpec& spec, const Grids& grids);
void set_neighbourhood(shader::AttentionParams& params, const Grids& grids);
void set_tile(shader::AttentionSpec& spec, const Grids& grids, std::uint32_t rows);

// [Lq,Lk]: whether a pair are neighbours. [1, 1 or H,Lq,Lk]: the bias of a pair. And what that gives back, in f32.
Tensor neighbourhood_mask(ir::Graph& graph, const Grids& grids, CallSite site);
Tensor bias_of_pairs(Tensor bias, const Grids& grids, CallSite site);
Tensor bias_gradient(Tensor d_scores, const Shape& bias, const Grids& grids, CallSite site);

// ---- Kernels ------------------------------------------------------------------------------------------------------

extern const Kernel attention_kernels[7];

// What the kernels forward and backward have alike: head sizes and lengths they take, constants but for the layout of
// work, parameters but for the number of blocks. `ranges`: the operand.
bool attention_kernel_takes(const AttentionShape& shape);
shader::AttentionSpec attention_spec(const NodeView& node, const AttentionAttrs& attrs);
shader::AttentionParams attention_params(const NodeView& node, const AttentionAttrs& attrs, std::uint32_t ranges);

// The scores as f32 [B,H,Lq,Lk], after soft-cap, modification, mask, band and ranges; `capped`: before the modification.
Tensor attention_scores(Builder& builder, const AttentionShape& shape, const AttentionAttrs& attrs, std::span<const Tensor> in,
                        Tensor ranges, std::span<const Tensor> buffers, Tensor& capped);
// Their softmax, or without `normalize` themselves, 0 where a key is excluded.
Tensor attention_weights(Tensor scores, const AttentionAttrs& attrs, CallSite site);
// x times the author's factor, 0 where `excluded`.
Tensor with_factor(Tensor x, Tensor excluded, const ModCall& call);
// What dropout leaves of the weights [B,H,Lq,Lk], each times 0 or 1/(1 - dropout); all of them without dropout.
Tensor dropped(Tensor weights, const AttentionAttrs& attrs, Tensor state, CallSite site);
// The variant of a kernel's shader that these attributes need. weights: "whole", "dropped", "ranged" (of WEIGHTS).
const ShaderInfo* attention_shader(const char* stem, const char* weights, const AttentionAttrs& attrs, DType dtype);
// Neither NaN nor infinite.
Tensor is_finite(Tensor x, CallSite site);
// softmax(scale q kᵀ + mask) v with the scores stored.
bool decompose_attention(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out);

}  // namespace fovea::ops
