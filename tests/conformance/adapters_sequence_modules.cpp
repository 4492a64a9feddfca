// Attention of sequence models (additive, multiplicative, pointer, co-attention), generalized attention, grouping.
// The formulas are the corpus's (attribute `formula`); parameters bear the names of the sources.

#include "tests/conformance/compose.hpp"

#include <cmath>
#include <limits>

namespace fovea::conformance {
namespace {

// score = Va tanh(Wa q + Ua k)
void bahdanau(CaseGraph& graph) {
  if (graph.has("in.mask")) return graph.skip("Bahdanau attention with a mask");
  const Tensor keys = graph.in("k");
  const Tensor query = fully_connected(graph, "Wa", graph.in("q")), projected = fully_connected(graph, "Ua", keys);
  const Tensor weights = softmax(weighed_scores(graph, "Va", query, projected));
  graph.out("w", weights);
  graph.out("context", matmul(weights, keys));
}

// hidden [1,B,H], enc [T,B,H]; score h·(W e + b).
void luong(CaseGraph& graph) {
  const std::string method = graph.attrs().object("config").text("method");
  if (method != "general") return graph.skip("Luong attention, method " + method);
  const Tensor enc = permute(graph.in("enc"), {1, 0, 2}), hidden = permute(graph.in("hidden"), {1, 0, 2});
  const Tensor weights = softmax(matmul(hidden, fully_connected(graph, "attn", enc), {.transpose_b = true}));
  graph.out("w", weights);
  graph.out("context", matmul(weights, enc));
}

// u_j = V·tanh(W h + C ctx_j), masked places (true) to -inf; the context layer is a convolution of length 1.
void pointer_attention(CaseGraph& graph) {
  const Tensor h = graph.in("h"), kernel = graph.weight("context_linear.weight");
  const Tensor context =
      linear(graph.in("ctx"), reshape(kernel, {kernel.dim(0), kernel.dim(1)}), graph.weight("context_linear.bias"));
  const Tensor query = reshape(fully_connected(graph, "input_linear", h), {h.dim(0), 1, -1});
  Tensor scores = reshape(additive_score(query, context, graph.weight("V")), {h.dim(0), -1});
  scores = select(graph.in("mask"), scalar(scores, -std::numeric_limits<float>::infinity()), scores);
  const Tensor alpha = softmax(scores);
  graph.out("alpha", alpha);
  graph.out("hidden", reduce(Reduce::sum, context * reshape(alpha, {h.dim(0), -1, 1}), {.axes = {1}}));
}

void show_attend_tell(CaseGraph& graph) {
  const Tensor enc = graph.in("enc"), h = graph.in("h");
  const Tensor query = reshape(fully_connected(graph, "decoder_att", h), {h.dim(0), 1, -1});
  const Tensor keys = fully_connected(graph, "encoder_att", enc);
  const Tensor alpha = softmax(reshape(weighed_scores(graph, "full_att", query, keys, Unary::relu), {h.dim(0), -1}));
  graph.out("alpha", alpha);
  graph.out("context", reduce(Reduce::sum, enc * reshape(alpha, {h.dim(0), -1, 1}), {.axes = {1}}));
}

// C = Q W_b V; H_v = tanh(W_v V + (W_q Qᵀ) C), H_q = tanh(W_q Qᵀ + (W_v V) Cᵀ); V [B,d,N], Q [B,T,d].
void parallel_coattention(CaseGraph& graph) {
  const Tensor v = graph.in("V"), q = graph.in("Q");
  const Tensor affinity = matmul(matmul(q, graph.weight("W_b")), v);
  const Tensor from_v = matmul(graph.weight("W_v"), v), from_q = matmul(graph.weight("W_q"), q, {.transpose_b = true});
  const auto weights = [&](Tensor hidden, const char* name) {
    return softmax(matmul(graph.weight(name), tanh(hidden), {.transpose_a = true}));
  };
  const Tensor a_v = weights(from_v + matmul(from_q, affinity), "w_hv");
  const Tensor a_q = weights(from_q + matmul(from_v, affinity, {.transpose_b = true}), "w_hq");
  graph.out("v", reshape(matmul(a_v, v, {.transpose_b = true}), {v.dim(0), v.dim(1)}));
  graph.out("q", reshape(matmul(a_q, q), {q.dim(0), q.dim(2)}));
}

// loc = sigmoid(fc2 tanh(fc1 x))
void attention_proposal(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const Tensor hidden = tanh(fully_connected(graph, "fc1", reshape(x, {x.dim(0), -1})));
  graph.out("y", sigmoid(fully_connected(graph, "fc2", hidden)));
}

// ---- Generalized attention ----------------------------------------------------------------------------------------

// fc(sin and cos of distances between queries and keys, which are `stride` apart)/sqrt2, by head:
// [heads,queries,keys,D].
Tensor geometric_features(CaseGraph& graph, const char* layer, std::int64_t queries, std::int64_t keys,
                          std::int64_t stride, std::int64_t heads) {
  const Tensor weight = graph.weight(layer);
  const std::int64_t half = weight.dim(1) / 2;  // of the embedding: sines, then cosines
  std::vector<float> embedding;
  for (std::int64_t i = 0; i < queries; ++i) {
    for (std::int64_t j = 0; j < keys; ++j) {
      for (std::int64_t e = 0; e < 2 * half; ++e) {
        const double wave = std::pow(1000.0, static_cast<double>(e % half) / static_cast<double>(half));
        const double angle = static_cast<double>(i - j * stride) / wave;
        embedding.push_back(static_cast<float>(e < half ? std::sin(angle) : std::cos(angle)));
      }
    }
  }
  const Tensor features = linear(graph.constant({queries, keys, 2 * half}, embedding), weight);
  const Tensor by_head = permute(reshape(features, {queries, keys, heads, -1}), {2, 0, 1, 3});
  return by_head / std::sqrt(2.0f);
}

// The terms of the energy that positions make: [x1xx] q·r and [xxx1] v·r, r = r_x + r_y. Each r lives on one axis of
// queries and keys; the sum spreads over [N or 1, heads, rows·columns of queries, rows·columns of keys].
Tensor position_energy(CaseGraph& graph, Tensor q, const Shape& picture, const Shape& keys, std::int64_t stride) {
  const std::int64_t heads = graph.attrs().object("config").integer("num_heads", 1);
  const std::int64_t h = picture[2], w = picture[3], kh = keys[2], kw = keys[3];
  const Tensor rx = geometric_features(graph, "appr_geom_fc_x.weight", w, kw, stride, heads);
  const Tensor ry = geometric_features(graph, "appr_geom_fc_y.weight", h, kh, stride, heads);
  const Tensor rows = reshape(q, {q.dim(0), heads, h, w, q.dim(3)});
  const Tensor columns = permute(rows, {0, 1, 3, 2, 4});
  const Tensor across = permute(matmul(columns, rx, {.transpose_b = true}), {0, 1, 3, 2, 4});  // [N,heads,h,w,kw]
  const Tensor down = matmul(rows, ry, {.transpose_b = true});                                 // [N,heads,h,w,kh]
  const Tensor both = reshape(across, {-1, heads, h, w, 1, kw}) + reshape(down, {-1, heads, h, w, kh, 1});
  return reshape(both, {-1, heads, h * w, kh * kw});
}

// energy = [1xxx] q·k + [x1xx] q·r + [xx1x] u·k + [xxx1] v·r
void generalized_attention(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  const std::int64_t stride = config.integer("kv_stride", 2), heads = config.integer("num_heads", 1);
  if (config.integer("q_stride", 1) != 1) return graph.skip("generalized attention with strided queries");
  const std::string type = config.text("attention_type");
  const Tensor x = graph.in("x");
  const std::int64_t n = x.dim(0), h = x.dim(2), w = x.dim(3);
  const Tensor source = slice(slice(x, {.axis = 2, .step = stride}), {.axis = 3, .step = stride});
  const auto tokens = [&](const char* name, Tensor from) {  // [N,heads,places,D]
    return permute(reshape(conv(graph, name, from), {n, heads, -1, from.dim(2) * from.dim(3)}), {0, 1, 3, 2});
  };
  const auto by_head = [&](const char* name) { return reshape(graph.weight(name), {1, heads, 1, -1}); };
  Tensor energy;
  const auto add = [&](Tensor term) { energy = energy ? energy + term : term; };
  if (type[0] == '1') {
    add(matmul(tokens("query_conv", x), tokens("key_conv", source), {.transpose_b = true}));
  }
  if (type[2] == '1') add(matmul(by_head("appr_bias"), tokens("key_conv", source), {.transpose_b = true}));
  if (type[1] == '1') add(position_energy(graph, tokens("query_conv", x), x.shape(), source.shape(), stride));
  if (type[3] == '1') {
    const Tensor bias = by_head("geom_bias");
    const Tensor spread = broadcast_to(bias, {1, heads, h * w, bias.dim(3)});
    add(position_energy(graph, spread, x.shape(), source.shape(), stride));
  }
  const Tensor mixed = matmul(softmax(energy), tokens("value_conv", source));
  const Tensor all = broadcast_to(mixed, {n, heads, h * w, mixed.dim(3)});  // u·k alone is the same for every query
  const Tensor y = reshape(permute(all, {0, 1, 3, 2}), {n, -1, h, w});
  graph.out("y", conv(graph, "proj_conv", y) * graph.weight("gamma") + x);
}

// ---- Channel grouping ---------------------------------------------------------------------------------------------

// M_i = sigmoid(sum_c d_i[c]·X_c), parts P_i[c] = sum X_c·M_i; two losses keep the maps compact and apart.
void channel_grouping(CaseGraph& graph) {
  const Tensor x = graph.in("X");
  const std::int64_t b = x.dim(0), c = x.dim(1), h = x.dim(2), w = x.dim(3);
  const std::int64_t count = graph.attrs().object("config").integer("N", 1);
  const Tensor pooled = reshape(mean_space(x), {b, c}), flat = flatten_space(x);
  std::vector<Tensor> maps;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::string index = std::to_string(i);
    const Tensor hidden = tanh(fully_connected(graph, "fc1." + index, pooled));
    const Tensor d = reshape(sigmoid(fully_connected(graph, "fc2." + index, hidden)), {b, 1, c});
    maps.push_back(sigmoid(matmul(d, flat)));
  }
  const Tensor masks = concat(maps, 1);  // [B,N,HW]
  graph.out("masks", reshape(masks, {b, count, h, w}));
  graph.out("parts", matmul(masks, flat, {.transpose_b = true}));

  std::vector<float> columns, rows;
  for (std::int64_t i = 0; i < h * w; ++i) {
    columns.push_back(static_cast<float>(i % w));
    rows.push_back(static_cast<float>(i / w));
  }
  // The peak's place, picked from the ramps by comparing with the maximum's number.
  const Tensor peak = reduce(Reduce::argmax, masks, {.axes = {2}, .keep_dims = true});
  std::vector<std::int32_t> numbers;
  for (std::int64_t i = 0; i < h * w; ++i) numbers.push_back(static_cast<std::int32_t>(i));
  const Tensor is_peak = binary(Binary::equal, graph.constant({h * w}, numbers), peak);
  const auto squared_distance = [&](const std::vector<float>& values) {
    const Tensor ramp = graph.constant({h * w}, values);
    const Tensor center = sum(select(is_peak, ramp, scalar(ramp, 0)), {2});
    return unary(Unary::square, ramp - center);
  };
  const Tensor distance = squared_distance(columns) + squared_distance(rows);
  const Tensor dis = reduce(Reduce::sum, masks * distance, {.axes = {1, 2}});

  Tensor div;
  for (std::size_t i = 0; i < maps.size(); ++i) {
    Tensor other;
    for (std::size_t k = 0; k < maps.size(); ++k) {
      if (k != i) other = other ? binary(Binary::max, other, maps[k]) : maps[k];
    }
    const Tensor term = reduce(Reduce::sum, maps[i] * (other - 0.02f), {.axes = {1, 2}});
    div = div ? div + term : term;
  }
  graph.out("dis", dis);
  graph.out("div", div);
  graph.out("lcng", dis + div * 2.0f);
}

constexpr Adapter adapters[] = {
    {"APN", attention_proposal},
    {"Bahdanau", bahdanau},
    {"GeneralizedAttention", generalized_attention},
    {"Luong", luong},
    {"MACNN_grouping", channel_grouping},
    {"ParallelCoAttention", parallel_coattention},
    {"PointerAttention", pointer_attention},
    {"ShowAttendTell", show_attend_tell},
};

}  // namespace

std::span<const Adapter> sequence_module_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
