// Modules that relate the places of a picture to each other: non-local blocks and their kin, and modules that crop and
// warp. The formulas are the corpus's (attribute `formula`); parameters bear the names of the sources.

#include "tests/conformance/compose.hpp"

#include <cmath>

namespace fovea::conformance {
namespace {

// [N,C,H,W] -> [N,1,HW,C]: places as the tokens of one head.
Tensor places(Tensor x) {
  return reshape(permute(flatten_space(x), {0, 2, 1}), {x.dim(0), 1, -1, x.dim(1)});
}
// The way back: [N,1,HW,C] or [N,HW,C] -> [N,C,H,W].
Tensor from_places(Tensor tokens, Tensor like) {
  const Tensor rows = reshape(tokens, {like.dim(0), like.dim(2) * like.dim(3), -1});
  return reshape(permute(rows, {0, 2, 1}), {like.dim(0), -1, like.dim(2), like.dim(3)});
}

// ---- Non-local blocks ---------------------------------------------------------------------------------------------

struct NonLocal {
  CaseGraph& graph;
  Tensor x = graph.in("x");
  bool sub_sample = graph.attrs().object("config").flag("sub_sample");

  // Keys and values are pooled 2x2 where the block sub-samples; their convolution then stands first in a sequence.
  Tensor keys(const std::string& name) const {
    return sub_sample ? pooled(conv(graph, name + ".0", x)) : conv(graph, name, x);
  }
  Tensor pooled(Tensor y) const { return sub_sample ? pool(Pool::max, y, {.kernel = {2, 2}}) : y; }
  void finish(Tensor tokens) const {
    graph.out("y", batch_norm(graph, "W.1", conv(graph, "W.0", from_places(tokens, x))) + x);
  }
};

void embedded_gaussian(CaseGraph& graph) {
  const NonLocal block{graph};
  block.finish(attention(places(conv(graph, "theta", block.x)), places(block.keys("phi")), places(block.keys("g")),
                         {.scale = 1.0f}));
}

void gaussian(CaseGraph& graph) {
  const NonLocal block{graph};
  block.finish(attention(places(block.x), places(block.pooled(block.x)), places(block.keys("g")), {.scale = 1.0f}));
}

void dot_product(CaseGraph& graph) {
  const NonLocal block{graph};
  const Tensor theta = places(conv(graph, "theta", block.x)), phi = places(block.keys("phi"));
  const Tensor f = matmul(theta, phi, {.transpose_b = true, .alpha = 1 / static_cast<float>(phi.dim(2))});
  block.finish(matmul(f, places(block.keys("g"))));
}

// f = relu(w·[theta_i, phi_j])/N: a 1x1 convolution over the plane of all pairs.
void concatenation(CaseGraph& graph) {
  const NonLocal block{graph};
  const Tensor theta = flatten_space(conv(graph, "theta", block.x)), phi = flatten_space(block.keys("phi"));
  const std::int64_t n = theta.dim(0), c = theta.dim(1), queries = theta.dim(2), keys = phi.dim(2);
  const Shape pairs{n, c, queries, keys};
  const Tensor both = concat(
      {broadcast_to(reshape(theta, {n, c, queries, 1}), pairs), broadcast_to(reshape(phi, {n, c, 1, keys}), pairs)}, 1);
  const Tensor f = relu(conv(graph, "concat_project.0", both)) / static_cast<float>(keys);
  block.finish(matmul(f, places(block.keys("g"))));
}

void non_local_timm(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const float scale = 1 / std::sqrt(static_cast<float>(x.dim(1)));  // of the input's channels
  const Tensor y = attention(places(conv(graph, "t", x)), places(conv(graph, "p", x)), places(conv(graph, "g", x)),
                             {.scale = scale});
  graph.out("y", batch_norm(graph, "norm", conv(graph, "z", from_places(y, x))) + x);
}

// ---- Dual attention and others ------------------------------------------------------------------------------------

void position_attention(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const Tensor y = attention(places(conv(graph, "query_conv", x)), places(conv(graph, "key_conv", x)),
                             places(conv(graph, "value_conv", x)), {.scale = 1.0f});
  graph.out("y", from_places(y, x) * graph.weight("gamma") + x);
}

// E = X Xᵀ, A = softmax(rowmax(E) - E), y = gamma·(A X) + x
void channel_attention(CaseGraph& graph) {
  const Tensor x = graph.in("x"), rows = flatten_space(x);
  const Tensor energy = matmul(rows, rows, {.transpose_b = true});
  const Tensor weights = softmax(maximum(energy, {2}) - energy);
  graph.out("y", reshape(matmul(weights, rows), extents(x)) * graph.weight("gamma") + x);
}

// G = A softmax(B)ᵀ, Z = G softmax over maps(V)
void double_attention(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const auto map = [&](const char* name) { return flatten_space(conv(graph, name, x)); };
  const Tensor gathered = matmul(map("convA"), softmax(map("convB"), {.axis = 2}), {.transpose_b = true});
  const Tensor spread = matmul(gathered, softmax(map("convV"), {.axis = 1}));
  graph.out("y", conv(graph, "conv_reconstruct", reshape(spread, {x.dim(0), -1, x.dim(2), x.dim(3)})));
}

// Means along rows and along columns go through one convolution, side by side.
void coordinate_attention(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t h = x.dim(2), w = x.dim(3);
  const Tensor rows = mean(x, {3}), columns = permute(mean(x, {2}), {0, 1, 3, 2});
  const Tensor joint =
      unary(Unary::hardswish, batch_norm(graph, "bn1", conv(graph, "conv1", concat({rows, columns}, 2))));
  const Tensor across = permute(part(joint, 2, h, w), {0, 1, 3, 2});
  graph.out("y", x * sigmoid(conv(graph, "conv_h", part(joint, 2, 0, h))) * sigmoid(conv(graph, "conv_w", across)));
}

void contextual_transformer(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t n = x.dim(0), c = x.dim(1), taps = 9;
  const Tensor key = relu(batch_norm(graph, "key_embed.1", conv(graph, "key_embed.0", x, {.padding = 1, .groups = 4})));
  const Tensor value = batch_norm(graph, "value_embed.1", conv(graph, "value_embed.0", x));
  const Tensor hidden =
      relu(batch_norm(graph, "attention_embed.1", conv(graph, "attention_embed.0", concat({key, x}, 1))));
  const Tensor scores = reshape(conv(graph, "attention_embed.3", hidden), {n, c, taps, -1});
  const Tensor weights = softmax(reduce(Reduce::mean, scores, {.axes = {2}}), {.axis = 2});
  graph.out("y", key + reshape(weights * flatten_space(value), extents(x)));
}

void class_residual_attention(CaseGraph& graph) {
  const Tensor scores = flatten_space(conv(graph, "fc", graph.in("x")));
  const auto share = static_cast<float>(graph.attrs().object("config").number("la", 0));
  graph.out("y", reduce(Reduce::mean, scores, {.axes = {2}}) + reduce(Reduce::max, scores, {.axes = {2}}) * share);
}

void outlook(CaseGraph& graph) {
  const Tensor x = graph.in("x");  // [N,H,W,C]
  const std::int64_t n = x.dim(0), h = x.dim(1), w = x.dim(2), c = x.dim(3);
  const std::int64_t heads = graph.attrs().object("config").integer("num_heads", 1), d = c / heads, taps = 9;
  const Tensor value = permute(fully_connected(graph, "v_pj", x), {0, 3, 1, 2});
  const Tensor windows = unfold(value, {.kernel = {3, 3}, .padding = {1, 1, 1, 1}});
  const Tensor v = permute(reshape(windows, {n, heads, d, taps, h * w}), {0, 1, 4, 3, 2});
  const Tensor scores = reshape(fully_connected(graph, "attn", x), {n, h * w, heads, taps, taps});
  const Tensor weights = softmax(permute(scores, {0, 2, 1, 3, 4}) / std::sqrt(static_cast<float>(d)));
  const Tensor columns = reshape(permute(matmul(weights, v), {0, 1, 4, 3, 2}), {n, c * taps, h * w});
  const Tensor sums = fold(columns, {.size = {h, w}, .kernel = {3, 3}, .padding = {1, 1, 1, 1}});
  graph.out("y", fully_connected(graph, "proj", permute(sums, {0, 2, 3, 1})));
}

void polarized_parallel(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t n = x.dim(0), c = x.dim(1);
  const Tensor over_space = softmax(flatten_space(conv(graph, "ch_wq", x)), {.axis = 2});
  const Tensor z = matmul(flatten_space(conv(graph, "ch_wv", x)), over_space, {.transpose_b = true});
  const Tensor widened = reshape(conv(graph, "ch_wz", reshape(z, {n, -1, 1, 1})), {n, c});
  const Tensor channel = x * reshape(sigmoid(layer_norm(graph, "ln", widened)), {n, c, 1, 1});
  const Tensor over_channels = softmax(reshape(mean_space(conv(graph, "sp_wq", x)), {n, 1, -1}));
  const Tensor map = matmul(over_channels, flatten_space(conv(graph, "sp_wv", x)));
  graph.out("y", channel + x * reshape(sigmoid(map), {n, 1, x.dim(2), x.dim(3)}));
}

void shuffle_attention(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t n = x.dim(0), c = x.dim(1), h = x.dim(2), w = x.dim(3);
  const std::int64_t groups = graph.attrs().object("config").integer("G", 1), half = c / (2 * groups);
  const Tensor grouped = reshape(x, {n * groups, 2 * half, h, w});
  const Tensor first = part(grouped, 1, 0, half), second = part(grouped, 1, half, half);
  const Tensor channel = first * sigmoid(graph.weight("cweight") * mean_space(first) + graph.weight("cbias"));
  const Tensor normed = group_norm(second, {.groups = half, .weight = graph.weight("gn.weight"), .bias = graph.weight("gn.bias")});
  const Tensor spatial = second * sigmoid(graph.weight("sweight") * normed + graph.weight("sbias"));
  const Tensor joined = reshape(concat({channel, spatial}, 1), {n, 2, c / 2, h, w});
  graph.out("y", reshape(permute(joined, {0, 2, 1, 3, 4}), extents(x)));
}

// ---- Warping and cropping -----------------------------------------------------------------------------------------

// theta near the identity: [1 0 0; 0 1 0] + offset, offset [N,6].
Tensor near_identity(CaseGraph& graph, Tensor offset) {
  return reshape(offset + graph.constant({6}, std::vector<float>{1, 0, 0, 0, 1, 0}), {offset.dim(0), 2, 3});
}

void spatial_transformer(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const Tensor features = relu(conv(graph, "conv", x, {.stride = 2, .padding = 1}));
  const Tensor theta = near_identity(graph, fully_connected(graph, "fc", reshape(features, {x.dim(0), -1})) * 0.1f);
  graph.out("theta", theta);
  graph.out("y", grid_sample(x, affine_grid(theta, x.shape())));
}

// The soft box of half-width tl around (tx, ty), from loc [N,3]; edges fall off as a sigmoid of slope k. [N,1,H,W]
Tensor boxcar(CaseGraph& graph, Tensor loc, std::int64_t height, std::int64_t width) {
  const auto k = static_cast<float>(graph.attrs().number("k", 10));
  const std::int64_t n = loc.dim(0);
  const auto ramp = [&](std::int64_t count, const Shape& shape) {
    std::vector<float> values;
    for (std::int64_t i = 0; i < count; ++i) values.push_back(static_cast<float>(i));
    return graph.constant(shape, values);
  };
  const Tensor half = reshape(part(loc, 1, 2, 1), {n, 1, 1, 1});
  const auto edge = [&](Tensor position, std::int64_t column) {
    const Tensor center = reshape(part(loc, 1, column, 1), {n, 1, 1, 1});
    return sigmoid((position - (center - half)) * k) - sigmoid((position - (center + half)) * k);
  };
  return edge(ramp(width, {width}), 0) * edge(ramp(height, {height, 1}), 1);
}

void attention_crop_mask(CaseGraph& graph) {
  const Tensor x = graph.in("x"), mask = boxcar(graph, graph.in("loc"), x.dim(2), x.dim(3));
  graph.out("mask", reshape(mask, {x.dim(0), x.dim(2), x.dim(3)}));
  graph.out("y", x * mask);
}

// The masked picture sampled at columns tx + tl·u and rows ty + tl·u, u from -1 to 1, in pixels.
void attention_crop_resize(CaseGraph& graph) {
  const Tensor x = graph.in("x"), loc = graph.in("loc");
  const std::int64_t n = x.dim(0), size = graph.attrs().integer("out", 1);
  std::vector<float> u;
  for (std::int64_t i = 0; i < size; ++i)
    u.push_back(static_cast<float>(2.0 * static_cast<double>(i) / static_cast<double>(size - 1) - 1));
  const Tensor half = reshape(part(loc, 1, 2, 1), {n, 1, 1});
  const auto coordinates = [&](std::int64_t column, const Shape& along, std::int64_t extent) {
    const Tensor center = reshape(part(loc, 1, column, 1), {n, 1, 1});
    const Tensor pixels = center + half * graph.constant(along, u);
    const Tensor normalized = pixels * (2 / static_cast<float>(extent - 1)) - 1.0f;
    return reshape(broadcast_to(normalized, {n, size, size}), {n, size, size, 1});
  };
  const Tensor grid = concat({coordinates(0, {1, size}, x.dim(3)), coordinates(1, {size, 1}, x.dim(2))}, 3);
  graph.out("y", grid_sample(x * boxcar(graph, loc, x.dim(2), x.dim(3)), grid,
                             {.padding = SamplePadding::border, .align_corners = true}));
}

void source_crop(CaseGraph& graph) {
  graph.skip("a crop whose extents depend on the data");
}

// Values sampled at given places of several levels, weighed and summed.
void multi_scale_deformable(CaseGraph& graph) {
  const Tensor value = graph.in("value"), loc = graph.in("loc"), weights = graph.in("weights");
  const std::int64_t n = value.dim(0), heads = value.dim(2), d = value.dim(3);
  const std::int64_t queries = loc.dim(1), levels = loc.dim(3), points = loc.dim(4);
  const std::vector<std::vector<std::int64_t>> shapes = graph.attrs().integer_lists("spatial_shapes");
  std::int64_t start = 0;
  Tensor y;
  for (std::int64_t level = 0; level < levels; ++level) {
    const std::vector<std::int64_t>& extent = shapes.at(static_cast<std::size_t>(level));
    const std::int64_t h = extent.at(0), w = extent.at(1);
    const Tensor map = reshape(permute(part(value, 1, start, h * w), {0, 2, 3, 1}), {n * heads, d, h, w});
    start += h * w;
    const auto of_level = [&](Tensor x,
                              std::int64_t last) {  // [N,L,heads,levels,points,last] -> [N·heads,L,points,last]
      const Tensor one = reshape(part(x, 3, level, 1), {n, queries, heads, points, last});
      return reshape(permute(one, {0, 2, 1, 3, 4}), {n * heads, queries, points, last});
    };
    const Tensor sampled = grid_sample(map, of_level(loc, 2) * 2.0f - 1.0f);
    const Tensor weight = reshape(of_level(weights, 1), {n * heads, 1, queries, points});
    const Tensor term = reduce(Reduce::sum, sampled * weight, {.axes = {3}});
    y = y ? y + term : term;
  }
  graph.out("y", permute(reshape(y, {n, heads * d, queries}), {0, 2, 1}));
}

// One score head on every scale; softmax over the scales at every place.
void attention_to_scale(CaseGraph& graph) {
  const Tensor f0 = graph.in("f0");
  std::vector<Tensor> features, scores;
  for (int s = 0; graph.has("in.f" + std::to_string(s)); ++s) {
    const auto resized = [&](Tensor x) { return s == 0 ? x : resize(x, {.size = {f0.dim(2), f0.dim(3)}}); };
    const Tensor f = graph.in("f" + std::to_string(s));
    features.push_back(resized(f));
    scores.push_back(resized(conv(graph, "score", f)));
  }
  const Tensor hidden = relu(conv(graph, "att1", concat(features, 1), {.padding = 1}));
  const Tensor weights = softmax(conv(graph, "att2", hidden), {.axis = 1});
  Tensor y;
  for (std::size_t s = 0; s < scores.size(); ++s) {
    const Tensor term = scores[s] * part(weights, 1, static_cast<std::int64_t>(s), 1);
    y = y ? y + term : term;
  }
  graph.out("w", weights);
  graph.out("y", y);
}

constexpr Adapter adapters[] = {
    {"A2_DoubleAttention", double_attention},
    {"AttentionCropMask", attention_crop_mask},
    {"AttentionCropResize", attention_crop_resize},
    {"AttentionToScale", attention_to_scale},
    {"CSRA", class_residual_attention},
    {"CoT", contextual_transformer},
    {"CoordAtt", coordinate_attention},
    {"DANet_CAM", channel_attention},
    {"DANet_PAM", position_attention},
    {"MultiScaleDeformableAttention", multi_scale_deformable},
    {"NonLocalAttn", non_local_timm},
    {"NonLocal_concatenation", concatenation},
    {"NonLocal_dot_product", dot_product},
    {"NonLocal_embedded_gaussian", embedded_gaussian},
    {"NonLocal_gaussian", gaussian},
    {"Outlook", outlook},
    {"PolarizedParallel", polarized_parallel},
    {"RACNN_AttentionCropLayer", source_crop},
    {"STN_block", spatial_transformer},
    {"ShuffleAttention", shuffle_attention},
};

}  // namespace

std::span<const Adapter> spatial_module_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
