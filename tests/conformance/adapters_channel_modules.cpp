// Modules that weigh channels, or channels and places, of a picture: squeeze-and-excitation and its kin, attention
// gates. The formulas are the corpus's (attribute `formula`); parameters bear the names of the sources.

#include "tests/conformance/compose.hpp"

namespace fovea::conformance {
namespace {

// s = mean over space; y = x·sigmoid(W2 relu(W1 s)), W linear or 1x1 convolutions.
void squeeze_excite(CaseGraph& graph) {
  const Tensor x = graph.in("x"), s = mean_space(x);
  if (graph.has("w.fc1.weight")) {
    return graph.out("y", x * sigmoid(conv(graph, "fc2", relu(conv(graph, "fc1", s)))));
  }
  const Tensor rows = reshape(s, {x.dim(0), x.dim(1)});
  const Tensor gate = sigmoid(fully_connected(graph, "fc.2", relu(fully_connected(graph, "fc.0", rows))));
  graph.out("y", x * reshape(gate, extents(s)));
}

// d = (x - mean)²; y = x·sigmoid(d/(4(sum d/(HW-1) + 1e-4)) + 0.5)
void simam(CaseGraph& graph) {
  const Tensor x = graph.in("x"), d = unary(Unary::square, x - mean_space(x));
  const Tensor v = sum(d, {2, 3}) / static_cast<float>(x.dim(2) * x.dim(3) - 1);
  graph.out("y", x * sigmoid(d / ((v + 1e-4f) * 4.0f) + 0.5f));
}

// A convolution along the channels of their means.
void eca(CaseGraph& graph) {
  const Tensor x = graph.in("x"), weight = graph.weight("conv.weight");
  const std::int64_t k = weight.dim(2), n = x.dim(0), c = x.dim(1);
  const Tensor s = conv2d(reshape(mean_space(x), {n, 1, 1, c}), reshape(weight, {1, 1, 1, k}),
                          {.padding = {0, (k - 1) / 2, 0, (k - 1) / 2}, .bias = graph.optional_weight("conv.bias")});
  graph.out("y", x * reshape(sigmoid(s), {n, c, 1, 1}));
}

// The authors' CBAM has linear layers and [max, mean] channels; timm's has 1x1 convolutions and [mean, max].
void cbam(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const bool timm = graph.has("w.channel.fc1.weight");
  const auto mlp = [&](Tensor s) {
    if (timm) return conv(graph, "channel.fc2", relu(conv(graph, "channel.fc1", s)));
    const Tensor rows = reshape(s, {x.dim(0), x.dim(1)});
    const Tensor y =
        fully_connected(graph, "ChannelGate.mlp.3", relu(fully_connected(graph, "ChannelGate.mlp.1", rows)));
    return reshape(y, extents(s));
  };
  const Tensor weighed = x * sigmoid(mlp(mean_space(x)) + mlp(max_space(x)));
  const Tensor most = maximum(weighed, {1}), middle = mean(weighed, {1});
  const std::string spatial = timm ? "spatial.conv" : "SpatialGate.spatial";
  const Tensor map =
      conv(graph, spatial + ".conv", timm ? concat({middle, most}, 1) : concat({most, middle}, 1), {.padding = 3});
  graph.out("y", weighed * sigmoid(batch_norm(graph, spatial + ".bn", map)));
}

Tensor conv_bn_relu(CaseGraph& graph, const std::string& conv_name, const std::string& bn_name, Tensor x,
                    const ConvOptions& options = {}) {
  return relu(batch_norm(graph, bn_name, conv(graph, conv_name, x, options)));
}

Tensor fc_bn_relu(CaseGraph& graph, const std::string& fc_name, const std::string& bn_name, Tensor x) {
  return relu(batch_norm(graph, bn_name, fully_connected(graph, fc_name, x)));
}

// att = 1 + sigmoid(Mc·Ms), as the authors' code has it.
void bam_product(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::string c = "channel_att.gate_c.gate_c_", s = "spatial_att.gate_s.gate_s_";
  const Tensor rows = fc_bn_relu(graph, c + "fc_0", c + "bn_1", reshape(mean_space(x), {x.dim(0), x.dim(1)}));
  const Tensor channel = reshape(fully_connected(graph, c + "fc_final", rows), {x.dim(0), x.dim(1), 1, 1});
  Tensor map = conv_bn_relu(graph, s + "conv_reduce0", s + "bn_reduce0", x);
  for (const char* i : {"0", "1"}) {
    map = conv_bn_relu(graph, s + "conv_di_" + i, s + "bn_di_" + i, map, {.padding = 4, .dilation = 4});
  }
  const Tensor spatial = conv(graph, s + "conv_final", map);
  graph.out("y", (sigmoid(channel * spatial) + 1.0f) * x);
}

// y = x·(1 + sigmoid(Mc + Ms)); the padding is 1 whatever the dilation.
void bam_sum(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t dilation = graph.attrs().object("config").integer("dia_val", 1);
  Tensor rows = reshape(mean_space(x), {x.dim(0), x.dim(1)});
  for (const std::string i : {"0", "1", "2"}) rows = fc_bn_relu(graph, "ca.ca.fc" + i, "ca.ca.bn" + i, rows);
  const Tensor channel = reshape(fully_connected(graph, "ca.ca.last_fc", rows), {x.dim(0), x.dim(1), 1, 1});
  Tensor map = conv_bn_relu(graph, "sa.sa.conv_reduce1", "sa.sa.bn_reduce1", x);
  for (const std::string i : {"0", "1", "2"}) {
    map = conv_bn_relu(graph, "sa.sa.conv_" + i, "sa.sa.bn_" + i, map, {.padding = 1, .dilation = dilation});
  }
  graph.out("y", x * (sigmoid(channel + conv(graph, "sa.sa.last_conv", map)) + 1.0f));
}

// sum over branches of softmax over branches(scores)·values; each score [N,C,1,1].
Tensor select_branches(const std::vector<Tensor>& values, const std::vector<Tensor>& scores) {
  std::vector<Tensor> rows;
  for (const Tensor score : scores) rows.push_back(reshape(score, {score.dim(0), 1, score.dim(1)}));
  const Tensor weights = softmax(concat(rows, 1), {.axis = 1});
  Tensor y;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Tensor weight = part(weights, 1, static_cast<std::int64_t>(i), 1);
    const Tensor term = values[i] * reshape(weight, {values[i].dim(0), values[i].dim(1), 1, 1});
    y = y ? y + term : term;
  }
  return y;
}

void selective_kernels(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  std::vector<Tensor> values, scores;
  const std::vector<std::int64_t> kernels = graph.attrs().object("config").integers("kernels");
  for (std::size_t i = 0; i < kernels.size(); ++i) {
    const std::string name = "convs." + std::to_string(i);
    values.push_back(conv_bn_relu(graph, name + ".conv", name + ".bn", x, {.padding = (kernels[i] - 1) / 2}));
  }
  Tensor total = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) total = total + values[i];
  const Tensor z = fully_connected(graph, "fc", reshape(mean_space(total), {x.dim(0), x.dim(1)}));
  for (std::size_t i = 0; i < values.size(); ++i) {
    scores.push_back(reshape(fully_connected(graph, "fcs." + std::to_string(i), z), {x.dim(0), x.dim(1), 1, 1}));
  }
  graph.out("y", select_branches(values, scores));
}

// timm: each path has a share of the channels and a dilation of its own.
void selective_kernels_timm(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t share = graph.weight("paths.0.conv.weight").dim(1);
  std::vector<Tensor> values;
  for (std::int64_t i = 0; graph.has("w.paths." + std::to_string(i) + ".conv.weight"); ++i) {
    const std::string name = "paths." + std::to_string(i);
    const Tensor piece = share == x.dim(1) ? x : part(x, 1, i * share, share);
    values.push_back(conv_bn_relu(graph, name + ".conv", name + ".bn", piece, {.padding = i + 1, .dilation = i + 1}));
  }
  Tensor total = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) total = total + values[i];
  const Tensor reduced = conv_bn_relu(graph, "attn.fc_reduce", "attn.bn", mean_space(total));
  const Tensor all = conv(graph, "attn.fc_select", reduced);
  const std::int64_t channels = total.dim(1);
  std::vector<Tensor> scores;
  for (std::size_t i = 0; i < values.size(); ++i) {
    scores.push_back(part(all, 1, static_cast<std::int64_t>(i) * channels, channels));
  }
  graph.out("y", select_branches(values, scores));
}

// ResNeSt: the branches are slices of one grouped convolution. (One cardinal group.)
void split_attention(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t radix = graph.attrs().object("config").integer("radix", 1);
  if (radix < 2) return graph.skip("split attention of radix 1");
  const Tensor u =
      conv_bn_relu(graph, "conv", "bn0", x, {.padding = 1, .groups = x.dim(1) / graph.weight("conv.weight").dim(1)});
  const std::int64_t channels = u.dim(1) / radix;
  std::vector<Tensor> values, scores;
  for (std::int64_t r = 0; r < radix; ++r) values.push_back(part(u, 1, r * channels, channels));
  Tensor total = values[0];
  for (std::size_t i = 1; i < values.size(); ++i) total = total + values[i];
  const Tensor all = conv(graph, "fc2", conv_bn_relu(graph, "fc1", "bn1", mean_space(total)));
  for (std::int64_t r = 0; r < radix; ++r) scores.push_back(part(all, 1, r * channels, channels));
  graph.out("y", select_branches(values, scores));
}

// psi = sigmoid(bn(conv(relu(bn(conv g) + bn(conv x))))); y = x·psi
void attention_gate(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const auto conv_bn = [&](const std::string& name, Tensor in) {
    return batch_norm(graph, name + ".1", conv(graph, name + ".0", in));
  };
  graph.out("y", x * sigmoid(conv_bn("psi", relu(conv_bn("W_g", graph.in("g")) + conv_bn("W_x", x)))));
}

void grid_attention(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  if (config.text("mode") != "concatenation") return graph.skip("GridAttention, mode " + config.text("mode"));
  const Tensor x = graph.in("x");
  const Tensor theta = conv(graph, "theta", x, {.stride = config.integers("sub_sample_factor").at(0)});
  const Tensor phi = resize(conv(graph, "phi", graph.in("g")), {.size = {theta.dim(2), theta.dim(3)}});
  const Tensor coarse = sigmoid(conv(graph, "psi", relu(theta + phi)));
  const Tensor attention = resize(coarse, {.size = {x.dim(2), x.dim(3)}});
  graph.out("y", batch_norm(graph, "W.1", conv(graph, "W.0", x * attention)));
  graph.out("att", attention);
}

// c = op(l + g), a = softmax of c over space, g = sum of a·l over space.
void learn_to_pay_attention(CaseGraph& graph) {
  const Tensor l = graph.in("l"), c = conv(graph, "op", l + graph.in("g"));
  const Tensor a = softmax(flatten_space(c), {.axis = 2});
  graph.out("c", c);
  graph.out("g", reduce(Reduce::sum, flatten_space(l) * a, {.axes = {2}}));
}

// x times its softmax weights over space, summed: [N,C,1,1].
Tensor pooled_context(CaseGraph& graph, const std::string& score, Tensor x) {
  const Tensor weights = softmax(flatten_space(conv(graph, score, x)), {.axis = 2});
  const Tensor context = matmul(flatten_space(x), weights, {.transpose_b = true});
  return reshape(context, {x.dim(0), x.dim(1), 1, 1});
}

void global_context(CaseGraph& graph) {
  const Tensor x = graph.in("x"), context = pooled_context(graph, "conv_attn", x);
  const auto mlp = [&](const std::string& name) {
    const Tensor hidden = conv(graph, name + ".fc1", context);
    const Tensor rows = layer_norm(graph, name + ".norm", reshape(hidden, {hidden.dim(0), hidden.dim(1)}), 1e-6);
    return conv(graph, name + ".fc2", relu(reshape(rows, extents(hidden))));
  };
  Tensor y = x;
  if (graph.has("w.mlp_scale.fc1.weight")) y = y * sigmoid(mlp("mlp_scale"));
  if (graph.has("w.mlp_add.fc1.weight")) y = y + mlp("mlp_add");
  graph.out("y", y);
}

void gcnet_context_block(CaseGraph& graph) {
  const Tensor x = graph.in("x"), context = pooled_context(graph, "conv_mask", x);
  const auto mlp = [&](const std::string& name) {
    const Tensor hidden = layer_norm(graph, name + ".1", conv(graph, name + ".0", context));
    return conv(graph, name + ".3", relu(hidden));
  };
  Tensor y = x;
  if (graph.has("w.channel_mul_conv.0.weight")) y = y * sigmoid(mlp("channel_mul_conv"));
  if (graph.has("w.channel_add_conv.0.weight")) y = y + mlp("channel_add_conv");
  graph.out("y", y);
}

// Channel attention, then spatial attention, both told by a hidden state h.
void sca_channel_first(CaseGraph& graph) {
  const Tensor v = graph.in("V"), h = graph.in("h");
  const std::int64_t n = v.dim(0), c = v.dim(1), k = graph.weight("bc").dim(0);
  const auto hidden = [&](const char* name) { return reshape(fully_connected(graph, name, h), {n, 1, k}); };
  const Tensor pooled = reshape(mean_space(v), {n, c, 1});
  const Tensor b = weighed_scores(graph, "Wi2", hidden("Whc"), pooled * graph.weight("Wc") + graph.weight("bc"));
  const Tensor beta = softmax(reshape(b, {n, c}), {.axis = 1});
  const Tensor weighed = v * reshape(beta, {n, c, 1, 1});
  const Tensor places = permute(flatten_space(weighed), {0, 2, 1});
  const Tensor a = weighed_scores(graph, "Wi", hidden("Whs"), fully_connected(graph, "Ws", places));
  const Tensor alpha = softmax(reshape(a, {n, -1}), {.axis = 1});
  graph.out("beta", beta);
  graph.out("alpha", alpha);
  graph.out("y", weighed * reshape(alpha, {n, 1, v.dim(2), v.dim(3)}));
}

// Polarised attention of a split of the channels: SE weights a group, softmax over the groups.
void pyramid_squeeze(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t groups = graph.attrs().object("config").integer("S", 1), share = x.dim(1) / groups;
  std::vector<Tensor> values, scores;
  for (std::int64_t i = 0; i < groups; ++i) {
    const std::string name = "se_blocks." + std::to_string(i);
    values.push_back(conv(graph, "convs." + std::to_string(i), part(x, 1, i * share, share), {.padding = i + 1}));
    const Tensor hidden = relu(conv(graph, name + ".1", mean_space(values.back())));
    scores.push_back(reshape(sigmoid(conv(graph, name + ".3", hidden)), {x.dim(0), 1, share}));
  }
  const Tensor weights = reshape(softmax(concat(scores, 1), {.axis = 1}), {x.dim(0), x.dim(1), 1, 1});
  graph.out("y", concat(values, 1) * weights);
}

constexpr Adapter adapters[] = {
    {"AttentionGate", attention_gate},
    {"BAM_product", bam_product},
    {"BAM_sum", bam_sum},
    {"CBAM", cbam},
    {"ECA", eca},
    {"GCNet_ContextBlock", gcnet_context_block},
    {"GlobalContext", global_context},
    {"GridAttention", grid_attention},
    {"LearnToPayAttention", learn_to_pay_attention},
    {"PSA", pyramid_squeeze},
    {"SCA", sca_channel_first},
    {"SE", squeeze_excite},
    {"SK", selective_kernels},
    {"SelectiveKernel", selective_kernels_timm},
    {"SimAM", simam},
    {"SplitAttn", split_attention},
};

}  // namespace

std::span<const Adapter> channel_module_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
