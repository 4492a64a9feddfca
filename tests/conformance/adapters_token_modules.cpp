// Attention over tokens and windows, in the forms that published modules give it. The formulas are the corpus's
// (attribute `formula`); parameters bear the names of the sources.

#include "tests/conformance/compose.hpp"

#include <cmath>

namespace fovea::conformance {
namespace {

// x times the fused projection [3·C,C], as q, k, v of [B,H,L,D].
struct Heads {
  Tensor q, k, v;
};
Heads fused_qkv(CaseGraph& graph, const std::string& name, Tensor x, std::int64_t heads) {
  const Tensor qkv = fully_connected(graph, name, x);
  const std::int64_t c = qkv.dim(2) / 3;
  const auto one = [&](std::int64_t i) { return split_heads(part(qkv, 2, i * c, c), heads); };
  return {one(0), one(1), one(2)};
}

// timm's Attention, without the optional norms of q and k.
void vit_attention(CaseGraph& graph) {
  const Heads in = fused_qkv(graph, "qkv", graph.in("x"), graph.attrs().object("config").integer("num_heads", 1));
  graph.out("y", fully_connected(graph, "proj", merge_heads(attention(in.q, in.k, in.v))));
}

void self_attention(CaseGraph& graph) {
  const std::int64_t heads = graph.attrs().object("config").integer("h", 1);
  const auto projected = [&](const char* layer, const char* operand) {
    return split_heads(fully_connected(graph, layer, graph.in(operand)), heads);
  };
  const Tensor y = attention(projected("fc_q", "q"), projected("fc_k", "k"), projected("fc_v", "v"));
  graph.out("y", fully_connected(graph, "fc_o", merge_heads(y)));
}

// Softmax over the tokens, then shares of every memory slot.
void external_attention(CaseGraph& graph) {
  const Tensor a = softmax(fully_connected(graph, "mk", graph.in("x")), {.axis = 1});
  graph.out("y", fully_connected(graph, "mv", a / sum(a, {2})));
}

// y_t = sigmoid(q_t)·sum_s exp(k_s + w[t,s]) v_s / sum_s exp(k_s + w[t,s])
void attention_free(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t b = x.dim(0), n = x.dim(1), d = x.dim(2);
  const auto keys = [&](const char* name) { return reshape(fully_connected(graph, name, x), {b, 1, n, d}); };
  const Tensor weights = unary(Unary::exp, keys("fc_k") + reshape(graph.weight("position_biases"), {n, n, 1}));
  const Tensor mixed =
      reduce(Reduce::sum, weights * keys("fc_v"), {.axes = {2}}) / reduce(Reduce::sum, weights, {.axes = {2}});
  graph.out("y", sigmoid(fully_connected(graph, "fc_q", x)) * mixed);
}

void separable_attention(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const Tensor weights = softmax(fully_connected(graph, "fc_i", x), {.axis = 1});
  const Tensor context = sum(weights * fully_connected(graph, "fc_k", x), {1});
  graph.out("y", fully_connected(graph, "fc_o", fully_connected(graph, "fc_v", x) * context));
}

// Keys and values from a picture shrunk by a depthwise convolution; scores mixed over the heads.
void efficient_multihead(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  const std::int64_t heads = config.integer("h", 1), ratio = config.integer("ratio", 1), dk = config.integer("d_k", 1);
  const Tensor x = graph.in("q");
  const std::int64_t b = x.dim(0), c = x.dim(2);
  const Tensor q = split_heads(fully_connected(graph, "fc_q", x), heads);
  Tensor source = x;
  if (ratio > 1) {
    const Tensor map = reshape(permute(x, {0, 2, 1}), {b, c, config.integer("H", 1), config.integer("W", 1)});
    const Tensor small = conv(graph, "sr_conv", map, {.stride = ratio, .padding = ratio / 2, .groups = c});
    source = layer_norm(graph, "sr_ln", permute(flatten_space(small), {0, 2, 1}));
  }
  const Tensor k = split_heads(fully_connected(graph, "fc_k", source), heads);
  const Tensor v = split_heads(fully_connected(graph, "fc_v", source), heads);
  Tensor weights = matmul(q, k, {.transpose_b = true, .alpha = 1 / std::sqrt(static_cast<float>(dk))});
  if (graph.has("w.transform.conv.weight")) weights = conv(graph, "transform.conv", weights);
  weights = softmax(weights);
  if (graph.has("w.transform.conv.weight")) weights = group_norm(weights, {.groups = heads});
  graph.out("y", fully_connected(graph, "fc_o", merge_heads(matmul(weights, v))));
}

// phi = elu + 1; y = phi(q)(phi(k)ᵀ v)/(phi(q)·sum phi(k)); causal: sums of the keys up to the query's place.
void linear_attention(CaseGraph& graph) {
  const auto phi = [&](const char* name) { return unary(Unary::elu, graph.in(name)) + 1.0f; };
  const Tensor q = phi("q"), k = phi("k"), v = graph.in("v");
  if (graph.attrs().flag("causal")) {
    const Tensor pairs = cumulative_sum(einsum("bhld,bhle->bhlde", {k, v}), {.axis = 2}), keys = cumulative_sum(k, {.axis = 2});
    const Tensor normalizer = einsum("bhld,bhld->bhl", {q, keys});
    return graph.out("y", einsum("bhld,bhlde->bhle", {q, pairs}) / reshape(normalizer, {q.dim(0), q.dim(1), q.dim(2), 1}));
  }
  const Tensor numerator = matmul(q, matmul(k, v, {.transpose_a = true}));
  graph.out("y", numerator / matmul(q, sum(k, {2}), {.transpose_b = true}));
}

// q and k turned by the angles whose cosines and sines are given, each for both elements of its pair.
void rope_attention(CaseGraph& graph) {
  const bool halves = graph.attrs().flag("half");
  const auto once = [&](const char* name) {
    const Tensor twice = graph.in(name);
    const int last = twice.shape().rank() - 1;
    return slice(twice, {.axis = last, .stop = halves ? twice.dim(last) / 2 : twice.dim(last), .step = halves ? 1 : 2});
  };
  const Tensor cosine = once("cos"), sine = once("sin");
  const auto turned = [&](const char* name) { return rotary_embedding(graph.in(name), cosine, sine, {.interleaved = !halves}); };
  graph.out("y", attention(turned("q"), turned("k"), graph.in("v"), {.causal = true}));
}

// ---- Swin ---------------------------------------------------------------------------------------------------------

// [N,H,W,C] -> [N·windows, size², C], and back.
Tensor to_windows(Tensor x, std::int64_t s) {
  const std::int64_t n = x.dim(0), h = x.dim(1) / s, w = x.dim(2) / s, c = x.dim(3);
  return reshape(permute(reshape(x, {n, h, s, w, s, c}), {0, 1, 3, 2, 4, 5}), {n * h * w, s * s, c});
}
Tensor from_windows(Tensor windows, std::int64_t s, std::int64_t n, std::int64_t height, std::int64_t width) {
  const std::int64_t h = height / s, w = width / s, c = windows.dim(2);
  return reshape(permute(reshape(windows, {n, h, w, s, s, c}), {0, 1, 3, 2, 4, 5}), {n, height, width, c});
}

// The first `count` of an axis moved to its end.
Tensor roll(Tensor x, std::int64_t axis, std::int64_t count) {
  const std::int64_t extent = x.dim(static_cast<int>(axis));
  count = (count + extent) % extent;
  if (count == 0) return x;
  return concat({part(x, axis, count, extent - count), part(x, axis, 0, count)}, axis);
}

// -100 between places of a window that the cyclic shift brought together from different regions.
Tensor shift_mask(CaseGraph& graph, std::int64_t height, std::int64_t width, std::int64_t s, std::int64_t shift) {
  const auto region = [&](std::int64_t i, std::int64_t extent) {
    return i < extent - s ? 0 : i < extent - shift ? 1 : 2;
  };
  std::vector<float> mask;
  for (std::int64_t top = 0; top < height; top += s) {
    for (std::int64_t left = 0; left < width; left += s) {
      const auto region_at = [&](std::int64_t i) {
        return 3 * region(top + i / s, height) + region(left + i % s, width);
      };
      for (std::int64_t i = 0; i < s * s; ++i) {
        for (std::int64_t j = 0; j < s * s; ++j) mask.push_back(region_at(i) == region_at(j) ? 0.0f : -100.0f);
      }
    }
  }
  return graph.constant({(height / s) * (width / s), 1, s * s, s * s}, mask);
}

// Rows of a table by number.
Tensor rows_of(CaseGraph& graph, Tensor table, const std::vector<std::int64_t>& rows) {
  const std::vector<std::int32_t> numbers(rows.begin(), rows.end());
  return index_select(table, graph.constant({static_cast<std::int64_t>(rows.size())}, numbers));
}

void swin_attention(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  const Tensor x = graph.in("x");
  const std::int64_t n = x.dim(0), height = x.dim(1), width = x.dim(2), heads = config.integer("num_heads", 1);
  const std::int64_t s = config.integers("window_size").at(0), shift = config.integers("shift_size").at(0);
  if (height % s != 0 || width % s != 0) return graph.skip("windows that do not divide the picture");
  const Tensor windows = to_windows(roll(roll(x, 1, shift), 2, shift), s);
  const Heads in = fused_qkv(graph, "qkv", windows, heads);
  const Tensor bias =
      rows_of(graph, graph.weight("relative_position_bias_table"), graph.weight_integers("relative_position_index"));
  Tensor mask = permute(reshape(bias, {s * s, s * s, heads}), {2, 0, 1});
  if (shift > 0) {
    const Tensor apart = mask + shift_mask(graph, height, width, s, shift);
    const Shape all{n, apart.dim(0), heads, s * s, s * s};
    mask = reshape(broadcast_to(apart, all), {windows.dim(0), heads, s * s, s * s});
  }
  const Tensor y = fully_connected(graph, "proj", merge_heads(attention(in.q, in.k, in.v, {.mask = mask})));
  graph.out("y", roll(roll(from_windows(y, s, n, height, width), 1, -shift), 2, -shift));
}

// ---- Attention over the places of a picture, with relative positions ----------------------------------------------

// q [B,A,C,D]·rows of the table by the distance along the third axis, [columns] keys: [B,A,C,columns].
Tensor relative_logits(Tensor q, Tensor table, std::int64_t columns) {
  const Tensor rows = relative_rows(table, q.dim(2), columns);  // [C,columns,D]
  const Tensor by_place = permute(q, {0, 2, 1, 3});             // [B,C,A,D]
  return permute(matmul(by_place, rows, {.transpose_b = true}), {0, 2, 1, 3});
}

// The sum of both axes' logits for queries [B,h·w,D] and keys of H rows and W columns: [B,h·w,H·W].
Tensor relative_bias(CaseGraph& graph, Tensor q, std::int64_t h, std::int64_t w, std::int64_t rows,
                     std::int64_t columns) {
  const std::int64_t b = q.dim(0);
  const Tensor grid = reshape(q, {b, h, w, q.dim(2)});
  const Tensor across = relative_logits(grid, graph.weight("pos_embed.width_rel"), columns);  // [B,h,w,W]
  const Tensor down = relative_logits(permute(grid, {0, 2, 1, 3}), graph.weight("pos_embed.height_rel"), rows);
  const Tensor both = reshape(permute(down, {0, 2, 1, 3}), {b, h, w, rows, 1}) + reshape(across, {b, h, w, 1, columns});
  return reshape(both, {b, h * w, rows * columns});
}

void bottleneck_attention(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  const Tensor x = graph.in("x"), qkv = conv(graph, "qkv", x);
  const std::int64_t n = x.dim(0), h = x.dim(2), w = x.dim(3), heads = config.integer("num_heads", 1);
  const std::int64_t c = qkv.dim(1) / 3, d = c / heads;
  const auto tokens = [&](std::int64_t i) {  // [N·heads,HW,D]
    return permute(reshape(part(qkv, 1, i * c, c), {n * heads, d, h * w}), {0, 2, 1});
  };
  const Tensor q = tokens(0);
  const Tensor bias = relative_bias(graph, q, h, w, h, w);
  const auto one_head = [&](Tensor t) { return reshape(t, {n * heads, 1, t.dim(1), t.dim(2)}); };
  const Tensor y = attention(one_head(q), one_head(tokens(1)), one_head(tokens(2)), {.mask = one_head(bias)});
  graph.out("y", reshape(permute(reshape(y, {n * heads, h * w, d}), {0, 2, 1}), {n, c, h, w}));
}

// Blocks of queries see a window of keys around them; keys in the padding take part with score 0 plus position.
void halo_attention(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  const Tensor x = graph.in("x"), q_map = conv(graph, "q", x), kv_map = conv(graph, "kv", x);
  const std::int64_t n = x.dim(0), h = x.dim(2), w = x.dim(3), heads = config.integer("num_heads", 1);
  const std::int64_t block = config.integer("block_size", 1), halo = config.integer("halo_size", 0);
  const std::int64_t window = block + 2 * halo, nh = h / block, nw = w / block, b = n * heads;
  const std::int64_t d = q_map.dim(1) / heads, dkv = kv_map.dim(1) / heads;
  const Tensor q = reshape(permute(reshape(q_map, {b, d, nh, block, nw, block}), {0, 2, 4, 3, 5, 1}),
                           {b * nh * nw, 1, block * block, d});
  const Tensor columns =
      unfold(reshape(kv_map, {b, dkv, h, w}),
             {.kernel = {window, window}, .stride = {block, block}, .padding = {halo, halo, halo, halo}});
  const Tensor kv = reshape(permute(reshape(columns, {b, dkv, window * window, nh * nw}), {0, 3, 2, 1}),
                            {b * nh * nw, 1, window * window, dkv});
  const Tensor bias = relative_bias(graph, reshape(q, {b * nh * nw, block * block, d}), block, block, window, window);
  const Tensor y = attention(q, part(kv, 3, 0, d), part(kv, 3, d, dkv - d),
                             {.mask = reshape(bias, {b * nh * nw, 1, block * block, window * window})});
  const Tensor out = permute(reshape(y, {b, nh, nw, block, block, dkv - d}), {0, 5, 1, 3, 2, 4});
  graph.out("y", reshape(out, {n, heads * (dkv - d), h, w}));
}

// y = q·(content + position): keys meet values before queries meet them.
void lambda_layer(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  const Tensor x = graph.in("x"), qkv = conv(graph, "qkv", x);
  const std::int64_t n = x.dim(0), h = x.dim(2), w = x.dim(3), places = h * w;
  const std::int64_t heads = config.integer("num_heads", 1), dk = config.integer("dim_head", 1),
                     r = config.integer("r", 1);
  const std::int64_t dv = qkv.dim(1) - heads * dk - dk;
  const Tensor q_map = batch_norm(graph, "norm_q", part(qkv, 1, 0, heads * dk));
  const Tensor q = permute(reshape(q_map, {n, heads, dk, places}), {0, 1, 3, 2});
  const Tensor k = softmax(flatten_space(part(qkv, 1, heads * dk, dk)));
  const Tensor v_map = batch_norm(graph, "norm_v", part(qkv, 1, heads * dk + dk, dv));
  const Tensor v = permute(flatten_space(v_map), {0, 2, 1});  // [N,places,dv]
  const Tensor content = matmul(q, reshape(matmul(k, v), {n, 1, dk, dv}));
  // The source's 3-D convolution has depth 1: the same picture filter for every value channel.
  const std::int64_t p = r / 2;
  const Tensor volume = reshape(permute(reshape(v, {n, h, w, dv}), {0, 3, 1, 2}), {n * dv, 1, h, w});
  const Tensor filtered = conv2d(volume, reshape(graph.weight("conv_lambda.weight"), {dk, 1, r, r}),
                                 {.padding = {p, p, p, p}, .bias = graph.weight("conv_lambda.bias")});
  const Tensor lambda = permute(reshape(filtered, {n, dv, dk, places}), {0, 3, 2, 1});  // [N,places,dk,dv]
  const Tensor position = matmul(reshape(permute(q, {0, 2, 1, 3}), {n, places, heads, dk}), lambda);
  const Tensor y = content + permute(position, {0, 2, 1, 3});
  graph.out("y", reshape(permute(y, {0, 1, 3, 2}), {n, heads * dv, h, w}));
}

// CLIP's pooling: the mean stands first among the tokens, and its result is the pooled one.
void attention_pool(CaseGraph& graph) {
  const Tensor x = graph.in("x"), pixels = permute(flatten_space(x), {0, 2, 1});
  const Tensor tokens = concat({mean(pixels, {1}), pixels}, 1) + graph.weight("pos_embed");
  const Heads in = fused_qkv(graph, "qkv", tokens, graph.attrs().object("config").integer("num_heads", 1));
  const Tensor first = part(merge_heads(attention(in.q, in.k, in.v)), 1, 0, 1);
  graph.out("y", fully_connected(graph, "proj", reshape(first, {x.dim(0), -1})));
}

constexpr Adapter adapters[] = {
    {"AFT_full", attention_free},          {"Attention", vit_attention},
    {"AttentionPool2d", attention_pool},   {"BottleneckAttn", bottleneck_attention},
    {"EMSA", efficient_multihead},         {"ExternalAttention", external_attention},
    {"HaloAttn", halo_attention},          {"LambdaLayer", lambda_layer},
    {"LinearAttention", linear_attention}, {"MobileViTv2", separable_attention},
    {"SelfAttention", self_attention},     {"SwinAttention", swin_attention},
    {"rope_attention", rope_attention},
};

}  // namespace

std::span<const Adapter> token_module_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
