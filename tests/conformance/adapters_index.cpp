// Gather, order, running sums, rotary embedding.

#include "tests/conformance/compose.hpp"

namespace fovea::conformance {
namespace {

void gather_case(CaseGraph& graph) {
  graph.out("y", gather(graph.in("x"), graph.in("idx"), graph.attrs().integer("dim", 0)));
}

void index_select_case(CaseGraph& graph) {
  graph.out("y", index_select(graph.in("x"), graph.in("idx"), graph.attrs().integer("dim", 0)));
}

void embedding_case(CaseGraph& graph) {
  EmbeddingDesc desc;
  const std::vector<std::int64_t> padding = graph.attrs().integers("padding_idx");
  if (!padding.empty()) desc.padding_index = padding[0];
  graph.out("y", embedding(graph.in("weight"), graph.in("idx"), desc));
}

void top_k_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Sorted top = top_k(graph.in("x"), {.k = attrs.integer("k", 1),
                                           .axis = attrs.integer("dim", -1),
                                           .largest = attrs.flag("largest", true)});
  graph.out("values", top.values);
  graph.out("indices", top.indices);
}

void cumulative_sum_case(CaseGraph& graph) {
  graph.out("y", cumulative_sum(graph.in("x"), {.axis = graph.attrs().integer("dim", -1)}));
}

// x [B,H,L,D], or [B,L,H·D] with the number of heads; rows of the caches by position, or given for each position.
void onnx_rotary_embedding(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  const std::int64_t heads = attrs.integer("num_heads", 0);
  const bool flat = x.shape().rank() == 3;
  if (flat && heads == 0) return graph.skip("RotaryEmbedding of rank 3 without num_heads");
  const Tensor by_head = flat ? split_heads(x, heads) : x;
  const auto angles = [&](std::size_t i) {  // [B,1,L,R/2]
    const Tensor cache = graph.has_onnx(3) ? index_select(graph.onnx(i), graph.onnx(3)) : graph.onnx(i);
    return reshape(cache, {cache.dim(0), 1, cache.dim(1), cache.dim(2)});
  };
  const Tensor y = rotary_embedding(by_head, angles(1), angles(2), {.interleaved = attrs.flag("interleaved")});
  graph.out_onnx(0, flat ? merge_heads(y) : y);
}

void onnx_gather(CaseGraph& graph) {
  graph.out_onnx(0, index_select(graph.onnx(0), graph.onnx(1), graph.onnx_attrs().integer("axis", 0)));
}

void onnx_gather_elements(CaseGraph& graph) {
  graph.out_onnx(0, gather(graph.onnx(0), graph.onnx(1), graph.onnx_attrs().integer("axis", 0)));
}

void onnx_top_k(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const std::vector<std::int64_t> k = graph.has_onnx(1) ? graph.onnx_integers(1) : attrs.integers("k");
  const Sorted top = top_k(graph.onnx(0), {.k = k.empty() ? 0 : k[0],
                                           .axis = attrs.integer("axis", -1),
                                           .largest = attrs.flag("largest", true)});
  graph.out_onnx(0, top.values);
  graph.out_onnx(1, top.indices);
}

constexpr Adapter adapters[] = {
    {"F.embedding", embedding_case},
    {"onnx.Gather", onnx_gather, 2},
    {"onnx.GatherElements", onnx_gather_elements, 2},
    {"onnx.RotaryEmbedding", onnx_rotary_embedding, 3},
    {"onnx.TopK", onnx_top_k},
    {"torch.cumsum", cumulative_sum_case},
    {"torch.gather", gather_case},
    {"torch.index_select", index_select_case},
    {"torch.topk", top_k_case},
};

}  // namespace

std::span<const Adapter> index_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
