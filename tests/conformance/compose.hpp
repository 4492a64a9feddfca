#pragma once
// Layers composed of Fovea's public operators, by the names that a case's parameters bear: what the adapters of
// normalisations and modules share.

#include "tests/conformance/adapter.hpp"

#include <string>
#include <vector>

namespace fovea::conformance {

// ---- Layout -------------------------------------------------------------------------------------------------------

// Extents [first, last) of `x` as one list, to build shapes from.
std::vector<std::int64_t> extents(Tensor x);
// [N,C,...] -> [N,C,everything else].
Tensor flatten_space(Tensor x);
// [C] -> [1,C,1,...] of the rank of x, to broadcast over its channels.
Tensor per_channel(Tensor values, Tensor x);
// [B,L,H·D] -> [B,H,L,D], and back.
Tensor split_heads(Tensor x, std::int64_t heads);
Tensor merge_heads(Tensor x);
// Of x [N,C,...]: i32 [N,C,1,...], the number of each plane times the elements of one.
Tensor plane_offsets(CaseGraph& graph, const Shape& x);
// The part [start, start + count) of an axis.
Tensor part(Tensor x, std::int64_t axis, std::int64_t start, std::int64_t count);
// Row i of the result, i < rows, is table[columns-1-i .. 2·columns-1-i) of table [H·..., D]: what relative positions
// j - i pick from a table that begins at -(columns-1). [rows,columns,D]
Tensor relative_rows(Tensor table, std::int64_t rows, std::int64_t columns);

// ---- Reductions ---------------------------------------------------------------------------------------------------

Tensor mean(Tensor x, std::vector<std::int64_t> axes);  // keeps the axes
Tensor sum(Tensor x, std::vector<std::int64_t> axes);
Tensor maximum(Tensor x, std::vector<std::int64_t> axes);
// The mean over all but the first two axes, kept.
Tensor mean_space(Tensor x);
Tensor max_space(Tensor x);

// ---- Layers with parameters: "w.<name>.weight", "w.<name>.bias" ----------------------------------------------------

struct ConvOptions {
  std::int64_t stride = 1, padding = 0, dilation = 1, groups = 1;
};
Tensor conv(CaseGraph& graph, const std::string& name, Tensor x, const ConvOptions& options = {});
// Running statistics.
Tensor batch_norm(CaseGraph& graph, const std::string& name, Tensor x, double eps = 1e-5);
Tensor layer_norm(CaseGraph& graph, const std::string& name, Tensor x, double eps = 1e-5);
Tensor fully_connected(CaseGraph& graph, const std::string& name, Tensor x);
// The layer of one output over act(q + k): q [B,Lq,A], k [B,Lk,A] -> [B,Lq,Lk].
Tensor weighed_scores(CaseGraph& graph, const std::string& name, Tensor q, Tensor k, Unary activation = Unary::tanh);

// torch's recurrent parameters: "<prefix>weight_ih<suffix>", "<prefix>weight_hh<suffix>", and their biases.
CellWeights cell_weights(CaseGraph& graph, const std::string& prefix, const std::string& suffix);
// Layer k's suffixes are "_l<k>" and, where the case has them, "_l<k>_reverse" for the way back.
std::vector<RecurrentLayer> recurrent_layers(CaseGraph& graph, const std::string& prefix, std::int64_t layers = 1);

// torch.nn.MultiheadAttention with batch first. Masks are boolean, true = blocked, or absent.
struct MultiheadOptions {
  std::int64_t heads = 1;
  Tensor blocked{};       // broadcasts to [L,S]
  Tensor key_padding{};   // [N,S]
  bool add_zero = false;  // one more key and value of zeros
};
struct MultiheadResult {
  Tensor out;      // [N,L,E]
  Tensor weights;  // [N,H,L,S]; absent unless asked for
};
// `prefix` stands before "in_proj_weight": "" or "self_attn.".
MultiheadResult multihead(CaseGraph& graph, const std::string& prefix, Tensor q, Tensor k, Tensor v,
                          const MultiheadOptions& options, bool weights = false);

// ---- Elementwise --------------------------------------------------------------------------------------------------

inline Tensor relu(Tensor x) {
  return unary(Unary::relu, x);
}
inline Tensor sigmoid(Tensor x) {
  return unary(Unary::sigmoid, x);
}
inline Tensor tanh(Tensor x) {
  return unary(Unary::tanh, x);
}

}  // namespace fovea::conformance
