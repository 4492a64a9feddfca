// Attention: PyTorch's functional form and module, the variants of the zoo, ONNX.

#include "tests/conformance/compose.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea::conformance {
namespace {

void sdpa(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  AttentionDesc desc{.mask = graph.optional_in("mask"), .causal = attrs.flag("is_causal")};
  if (attrs.has("scale")) desc.scale = static_cast<float>(attrs.number("scale", 0));
  desc.return_lse = graph.wants("lse");
  desc.return_weights = graph.wants("p");
  const AttentionResult result = attention_full(graph.in("q"), graph.in("k"), graph.in("v"), desc);
  graph.out("y", result.out);
  if (desc.return_lse) graph.out("lse", result.lse);
  if (desc.return_weights) graph.out("p", result.weights);
}

void run_variant(CaseGraph& graph, AttentionDesc desc) {
  desc.return_lse = graph.wants("lse");
  const AttentionResult result = attention_full(graph.in("q"), graph.in("k"), graph.in("v"), desc);
  graph.out("y", result.out);
  if (desc.return_lse) graph.out("lse", result.lse);
}

// score += (j - i)·2^(-8(h+1)/H)
void alibi(CaseGraph& graph) {
  const std::int64_t heads = graph.attrs().integer("H", 1), lq = graph.attrs().integer("L", 0),
                     lk = graph.attrs().integer("S", 0);
  std::vector<float> bias;
  for (std::int64_t h = 0; h < heads; ++h) {
    const double slope = std::exp2(-8.0 * static_cast<double>(h + 1) / static_cast<double>(heads));
    for (std::int64_t i = 0; i < lq; ++i) {
      for (std::int64_t j = 0; j < lk; ++j) bias.push_back(static_cast<float>(static_cast<double>(j - i) * slope));
    }
  }
  run_variant(graph, {.mask = graph.constant({heads, lq, lk}, bias)});
}

// score += bias[h, j - i + L - 1]: row i of the bias is a window of the table.
void relative_bias(CaseGraph& graph) {
  const std::int64_t lq = graph.attrs().integer("L", 0), lk = graph.attrs().integer("S", 0);
  const Tensor table = graph.in("bias");
  std::vector<Tensor> rows;
  for (std::int64_t i = 0; i < lq; ++i) {
    rows.push_back(reshape(part(table, 1, lq - 1 - i, lk), {table.dim(0), 1, lk}));
  }
  run_variant(graph, {.mask = concat(rows, 1)});
}

void causal_bottom_right(CaseGraph& graph) {
  run_variant(graph, {.causal = true, .align = CausalAlign::bottom_right});
}

void softcap(CaseGraph& graph) {
  run_variant(graph, {.softcap = static_cast<float>(graph.attrs().number("cap", 0))});
}

void window(CaseGraph& graph) {
  run_variant(graph,
              {.window_left = graph.attrs().integer("left", -1), .window_right = graph.attrs().integer("right", -1)});
}

void multihead_module(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const bool batch_first = attrs.flag("batch_first");
  const auto batched = [&](Tensor x) { return batch_first ? x : transpose(x, 0, 1); };
  const MultiheadResult result =
      multihead(graph, "", batched(graph.in("q")), batched(graph.in("k")), batched(graph.in("v")),
                {.heads = attrs.integer("num_heads", 1),
                 .blocked = graph.optional_in("attn_mask"),
                 .key_padding = graph.optional_in("key_padding_mask"),
                 .add_zero = attrs.flag("add_zero_attn")},
                attrs.flag("need_weights"));
  graph.out("y", batched(result.out));
  if (!attrs.flag("need_weights")) return;
  graph.out("w",
            attrs.flag("average_attn_weights") ? reduce(Reduce::mean, result.weights, {.axes = {1}}) : result.weights);
}

// ---- ONNX ---------------------------------------------------------------------------------------------------------

constexpr float minus_infinity = -std::numeric_limits<float>::infinity();

struct OnnxAttention {
  Tensor q, k, v;  // [B,H,L,D]
  std::int64_t past = 0;
  Tensor mask;  // broadcasts to [B,H,Lq,Lk]; boolean or added
};

// Which keys a query may see by position: causality and windows relative to `offset`, keys beyond the end of a
// sequence. Null where every pair is allowed.
Tensor position_mask(CaseGraph& graph, const OnnxAttention& in, const Attrs& attrs) {
  const bool causal = attrs.flag("is_causal");
  const std::int64_t left = attrs.integer("left_window_size", -1), right = attrs.integer("right_window_size", -1);
  const std::vector<std::int64_t> ends = graph.onnx_integers(6);
  if (!causal && left < 0 && right < 0 && ends.empty()) return {};
  const std::int64_t lq = in.q.dim(2), lk = in.k.dim(2), batch = ends.empty() ? 1 : in.q.dim(0);
  std::vector<std::int32_t> allowed;
  for (std::int64_t b = 0; b < batch; ++b) {
    const std::int64_t end = ends.empty() ? lk : ends[static_cast<std::size_t>(b)];
    const std::int64_t offset = ends.empty() ? in.past : end - lq;
    for (std::int64_t i = 0; i < lq; ++i) {
      for (std::int64_t j = 0; j < lk; ++j) {
        const std::int64_t p = i + offset;
        allowed.push_back(j < end && (!causal || j <= p) && (left < 0 || j >= p - left) &&
                          (right < 0 || j <= p + right));
      }
    }
  }
  return graph.mask({batch, 1, lq, lk}, allowed);
}

// The mask operand, filled up to all keys, together with the mask of positions.
Tensor combined_mask(CaseGraph& graph, Tensor given, Tensor positions, std::int64_t lk) {
  if (!given) return positions;
  if (const std::int64_t missing = lk - given.dim(-1); missing > 0 && given.dim(-1) != 1) {
    std::vector<std::int64_t> shape = extents(given);
    shape.back() = missing;
    const Shape rest{std::span<const std::int64_t>(shape)};
    const auto count = static_cast<std::size_t>(rest.elements());
    const Tensor forbidden = given.dtype() == DType::boolean
                                 ? graph.mask(rest, std::vector<std::int32_t>(count, 0))
                                 : graph.constant(rest, std::vector<float>(count, minus_infinity));
    given = concat({given, forbidden}, given.shape().rank() - 1);
  }
  if (!positions) return given;
  if (given.dtype() == DType::boolean) return binary(Binary::logical_and, given, positions);
  return select(positions, given, scalar(given, minus_infinity));
}

// The scores that the node gives beside its result: 0 raw, 1 after the soft cap, 2 after the mask.
Tensor materialised_scores(const OnnxAttention& in, float scale, float cap, std::int64_t mode) {
  const std::int64_t b = in.q.dim(0), h = in.q.dim(1), hk = in.k.dim(1), lq = in.q.dim(2), lk = in.k.dim(2);
  const Tensor grouped = reshape(in.q, {b, hk, h / hk, lq, in.q.dim(3)});
  const Tensor keys = reshape(in.k, {b, hk, 1, lk, in.k.dim(3)});
  Tensor scores = reshape(matmul(grouped, keys, {.transpose_b = true, .alpha = scale}), {b, h, lq, lk});
  if (mode >= 1 && cap > 0) scores = tanh(scores / cap) * cap;
  if (mode < 2 || !in.mask) return scores;
  if (in.mask.dtype() == DType::boolean) return select(in.mask, scores, scalar(scores, minus_infinity));
  return scores + in.mask;
}

OnnxAttention read_onnx_attention(CaseGraph& graph, const Attrs& attrs) {
  OnnxAttention in{.q = graph.onnx(0), .k = graph.onnx(1), .v = graph.onnx(2), .mask = {}};
  if (in.q.shape().rank() == 3) {
    in.q = split_heads(in.q, attrs.integer("q_num_heads", 1));
    in.k = split_heads(in.k, attrs.integer("kv_num_heads", 1));
    in.v = split_heads(in.v, attrs.integer("kv_num_heads", 1));
  }
  if (graph.has_onnx(4)) {
    in.past = graph.onnx(4).dim(2);
    in.k = concat({graph.onnx(4), in.k}, 2);
    in.v = concat({graph.onnx(5), in.v}, 2);
  }
  in.mask = combined_mask(graph, graph.onnx(3), position_mask(graph, in, attrs), in.k.dim(2));
  return in;
}

void onnx_attention(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const bool packed = graph.onnx(0).shape().rank() == 3;
  const OnnxAttention in = read_onnx_attention(graph, attrs);
  const auto scale = static_cast<float>(attrs.number("scale", 1 / std::sqrt(static_cast<double>(in.q.dim(3)))));
  const auto cap = static_cast<float>(attrs.number("softcap", 0));
  const std::int64_t mode = attrs.integer("qk_matmul_output_mode", 0);
  const AttentionResult result = attention_full(
      in.q, in.k, in.v,
      {.mask = in.mask, .scale = scale, .softcap = cap, .return_weights = graph.wants_onnx(3) && mode == 3});
  graph.out_onnx(0, packed ? merge_heads(result.out) : result.out);
  graph.out_onnx(1, in.k);
  graph.out_onnx(2, in.v);
  if (graph.wants_onnx(3)) {
    graph.out_onnx(3, mode == 3 ? result.weights : materialised_scores(in, scale, cap, mode));
  }
}

// The same node where causality alone decides: by the operator's own flag instead of a mask.
void onnx_attention_or_causal(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const bool plain = attrs.flag("is_causal") && attrs.integer("left_window_size", -1) < 0 &&
                     attrs.integer("right_window_size", -1) < 0 && !graph.has_onnx(3) && !graph.has_onnx(4) &&
                     !graph.has_onnx(6) && !graph.wants_onnx(3) && graph.onnx(0).shape().rank() == 4;
  if (!plain) return onnx_attention(graph);
  AttentionDesc desc{.causal = true, .softcap = static_cast<float>(attrs.number("softcap", 0))};
  if (attrs.has("scale")) desc.scale = static_cast<float>(attrs.number("scale", 0));
  graph.out_onnx(0, attention(graph.onnx(0), graph.onnx(1), graph.onnx(2), desc));
}

void softmax_case(CaseGraph& graph) {
  Tensor x = graph.in("x");
  if (graph.attrs().has("temperature")) x = x / static_cast<float>(graph.attrs().number("temperature", 1));
  graph.out("y", softmax(x, {.axis = graph.attrs().integer("dim", -1)}));
}

void log_softmax_case(CaseGraph& graph) {
  graph.out("y", log_softmax(graph.in("x"), {.axis = graph.attrs().integer("dim", -1)}));
}

// Before opset 13: over the axes from `axis` on together.
template <class F>
void onnx_over_axis(CaseGraph& graph, const F& f) {
  const Tensor x = graph.onnx(0);
  const Attrs& attrs = graph.onnx_attrs();
  if (graph.onnx_opset() >= 13) return graph.out_onnx(0, f(x, attrs.integer("axis", -1)));
  std::vector<std::int64_t> shape = extents(x);
  const std::int64_t axis = attrs.integer("axis", 1), rank = x.shape().rank();
  shape.resize(static_cast<std::size_t>(std::clamp<std::int64_t>(axis < 0 ? axis + rank : axis, 0, rank)));
  shape.push_back(-1);
  graph.out_onnx(0, reshape(f(reshape(x, shape), -1), extents(x)));
}

void onnx_softmax(CaseGraph& graph) {
  onnx_over_axis(graph, [](Tensor x, std::int64_t axis) { return softmax(x, {.axis = axis}); });
}

void onnx_log_softmax(CaseGraph& graph) {
  onnx_over_axis(graph, [](Tensor x, std::int64_t axis) { return log_softmax(x, {.axis = axis}); });
}

constexpr Adapter adapters[] = {
    {"MultiheadAttention", multihead_module},
    {"attention.alibi", alibi},
    {"attention.causal_br", causal_bottom_right},
    {"attention.relbias", relative_bias},
    {"attention.softcap", softcap},
    {"attention.window", window},
    {"log_softmax", log_softmax_case},
    {"onnx.Attention", onnx_attention_or_causal, 3},
    {"onnx.LogSoftmax", onnx_log_softmax},
    {"onnx.Softmax", onnx_softmax},
    {"scaled_dot_product_attention", sdpa},
    {"softmax", softmax_case},
};

}  // namespace

std::span<const Adapter> attention_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
