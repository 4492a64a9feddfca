// attention as the chain it stands for: product, soft-cap, mask, softmax, product, with the scores stored. For head sizes
// that no kernel takes, for weights as a result, and as what the fused kernels are measured against.

#include "ops/attention.hpp"
#include "ops/compose.hpp"

#include <limits>

namespace fovea::ops {
namespace {

// [Lq,Lk], true where query i may see key j: i + low <= j <= i + high. Made of two columns and a row of numbers.
Tensor band_mask(ir::Graph& graph, const AttentionShape& shape, const AttentionBand& band, CallSite site) {
  const Tensor key = iota_i32(graph, {1, shape.Lk});
  const Tensor low = iota_i32(graph, {shape.Lq, 1}, band.low), high = iota_i32(graph, {shape.Lq, 1}, band.high);
  return binary(Binary::logical_and, binary(Binary::greater_equal, key, low, site),
                binary(Binary::less_equal, key, high, site), site);
}

// weights · v, where a weight of 0 takes nothing of v, be it NaN or infinite. The finite part of v is summed, and beside
// it ones for its +inf and NaN, and ones for its -inf and NaN: what those sums touch becomes infinite, or NaN by both.
Tensor sum_of_seen(Tensor weights, Tensor v, CallSite site) {
  const auto number = [&](float value) { return scalar(v, value, site); };
  const float most = std::numeric_limits<float>::max(), infinity = std::numeric_limits<float>::infinity();
  const Tensor below = binary(Binary::less_equal, v, number(most), site);
  const Tensor above = binary(Binary::greater_equal, v, number(-most), site);
  const Tensor finite = select(binary(Binary::logical_and, below, above, site), v, number(0), site);
  const Tensor up = select(below, number(0), number(1), site), down = select(above, number(0), number(1), site);
  const Tensor sums = matmul(weights, concat({finite, up, down}, 3, site), {}, site);
  const auto part = [&](std::int64_t n) {
    return slice(sums, {.axis = 3, .start = n * v.dim(3), .stop = (n + 1) * v.dim(3)}, site);
  };
  const auto where_touched = [&](Tensor sum, float value) {
    return select(binary(Binary::greater, sum, number(0), site), number(value), number(0), site);
  };
  const Tensor raised = binary(Binary::add, part(0), where_touched(part(1), infinity), site);
  return binary(Binary::add, raised, where_touched(part(2), -infinity), site);
}

// [P,Hk,page,D] by the table [B,M] -> [B,Hk,M·page,D]
Tensor out_of_pages(Tensor pages, Tensor table, CallSite site) {
  const Tensor apart = permute(index_select(pages, clamp_i32(table, pages.dim(0) - 1, site), 0, site), {0, 2, 1, 3, 4}, site);
  return reshape(apart, {apart.dim(0), apart.dim(1), apart.dim(2) * apart.dim(3), apart.dim(4)}, site);
}

}  // namespace

Tensor dropped(Tensor weights, const AttentionAttrs& attrs, Tensor state, CallSite site) {
  if (attrs.dropout == 0) return weights;
  Shape drawn = weights.shape();  // rows by fours, of which a draw gives as many numbers
  const std::int64_t keys = drawn[3];
  drawn[3] = (keys + 3) / 4 * 4;
  const float keep = 1 - attrs.dropout;
  const Tensor all = bernoulli(state, drawn, keep, {attrs.stream}, site);
  const Tensor kept = slice(all, {.axis = 3, .start = 0, .stop = keys}, site);
  const Tensor raised = binary(Binary::mul, weights, scalar(weights, 1 / keep, site), site);
  return select(kept, raised, scalar(weights, 0, site), site);
}

Tensor is_finite(Tensor x, CallSite site) {
  const float most = std::numeric_limits<float>::max();
  return binary(Binary::logical_and, binary(Binary::less_equal, x, scalar(x, most, site), site),
                binary(Binary::greater_equal, x, scalar(x, -most, site), site), site);
}

Tensor attention_weights(Tensor scores, const AttentionAttrs& attrs, CallSite site) {
  if (attrs.normalize) return softmax(scores, {.axis = -1, .zero_empty_rows = true}, site);
  const Tensor excluded = binary(Binary::equal, scores, scalar(scores, -std::numeric_limits<float>::infinity(), site), site);
  return select(excluded, scalar(scores, 0, site), scores, site);
}

Tensor with_factor(Tensor x, Tensor excluded, const ModCall& call) {
  if (!call.mod || !facts_of(call.mod).factors) return x;
  return select(excluded, scalar(x, 0, call.site), binary(Binary::mul, x, mod_factor(call, x), call.site), call.site);
}

Tensor attention_scores(Builder& builder, const AttentionShape& shape, const AttentionAttrs& attrs, std::span<const Tensor> in,
                        Tensor ranges, std::span<const Tensor> buffers, Tensor& capped) {
  const CallSite site = builder.site;
  // Scores stay in f32 whatever the storage, as they do in the fused kernels.
  const auto wide = [&](Tensor x) { return cast(x, DType::f32, site); };
  const std::int64_t rows = shape.heads_a_key_head() * shape.Lq;  // of the queries that share a key head
  const std::int64_t grouped_q[] = {shape.B, shape.Hk, rows, shape.D}, apart[] = {shape.B, shape.H, shape.Lq, shape.Lk};

  const Tensor product = matmul(reshape(wide(in[0]), grouped_q, site), wide(in[1]), {.transpose_b = true, .alpha = attrs.scale}, site);
  Tensor scores = reshape(product, apart, site);
  if (attrs.softcap > 0) {
    const Tensor cap = scalar(scores, attrs.softcap, site);
    scores = binary(Binary::mul, unary(Unary::tanh, binary(Binary::div, scores, cap, site), site), cap, site);
  }
  capped = scores;
  if (attrs.mod) scores = mod_scores(mod_call(attrs, shape, buffers, site), scores);
  const auto forbid_where_not = [&](Tensor allowed) {
    scores = select(allowed, scores, scalar(scores, -std::numeric_limits<float>::infinity(), site), site);
  };
  if (in.size() > 3 && in[3]) {
    const Tensor mask = attrs.grids.biased ? bias_of_pairs(in[3], attrs.grids, site) : in[3];
    if (mask.dtype() == DType::boolean)
      forbid_where_not(mask);
    else
      scores = binary(Binary::add, scores, wide(mask), site);
  }
  if (attrs.grids) forbid_where_not(neighbourhood_mask(builder.graph, attrs.grids, site));
  if (const AttentionBand band = band_of(attrs, shape); !band.open)
    forbid_where_not(band_mask(builder.graph, shape, band, site));
  if (ranges) {
    const Tensor key = iota_i32(builder.graph, {1, shape.Lk});
    const auto end = [&](std::int64_t n) { return slice(ranges, {.axis = -1, .start = n, .stop = n + 1}, site); };
    forbid_where_not(binary(Binary::logical_and, binary(Binary::greater_equal, key, end(0), site), binary(Binary::less, key, end(1), site), site));
  }
  return scores;
}

bool decompose_attention(Builder& builder, const NodeView& node, std::span<const Tensor> operands, std::span<Tensor> out) {
  std::vector<Tensor> in(operands.begin(), operands.end());
  for (Tensor* x : {&in[1], &in[2]}) {
    if (in.size() > attention_pages && in[attention_pages]) *x = out_of_pages(*x, in[attention_pages], builder.site);
    if (node.attrs<AttentionAttrs>().quantized != Quantized::none) *x = dequantize_rows(*x, node.attrs<AttentionAttrs>().quantized, builder.site);
  }
  const AttentionShape shape(node);
  const auto& attrs = node.attrs<AttentionAttrs>();
  const CallSite site = builder.site;
  const DType dtype = node.in(0).dtype;
  const std::int64_t grouped_p[] = {shape.B, shape.Hk, shape.heads_a_key_head() * shape.Lq, shape.Lk};
  const std::int64_t result[] = {shape.B, shape.H, shape.Lq, shape.Dv};
  Tensor capped;
  const std::span<const Tensor> buffers = std::span<const Tensor>(in).subspan(std::min<std::size_t>(in.size(), attention_buffers));
  const Tensor ranges = in.size() > attention_ranges ? in[attention_ranges] : Tensor();
  const Tensor scores = attention_scores(builder, shape, attrs, in, ranges, buffers, capped);
  const Tensor weights = attention_weights(scores, attrs, site);
  const bool excludes = attention_excludes(attrs, shape, ranges || (in.size() > 3 && in[3]));
  const Tensor none = binary(Binary::equal, weights, scalar(weights, 0, site), site);
  const Tensor used = with_factor(dropped(weights, attrs, in.size() > 4 ? in[4] : Tensor(), site), none, mod_call(attrs, shape, buffers, site));
  const Tensor grouped = reshape(used, grouped_p, site), v = cast(in[2], DType::f32, site);
  const Tensor sum = excludes ? sum_of_seen(grouped, v, site) : matmul(grouped, v, {}, site);
  std::size_t next = 0;
  out[next++] = cast(reshape(sum, result, site), dtype, site);
  if (attrs.lse) {
    const Tensor lse = reduce(Reduce::logsumexp, scores, {.axes = {-1}}, site);
    const auto number = [&](float value) { return scalar(lse, value, site); };
    const Tensor infinite = binary(Binary::equal, lse, number(std::numeric_limits<float>::infinity()), site);
    out[next++] = select(infinite, number(std::numeric_limits<float>::quiet_NaN()), lse, site);
  }
  if (attrs.weights) out[next++] = cast(weights, dtype, site);
  return true;
}

}  // namespace fovea::ops
