// Transformer layers and small models, end to end. The formulas are the corpus's (attribute `formula`); parameters bear
// the names of the sources.

#include "tests/conformance/compose.hpp"

namespace fovea::conformance {
namespace {

// ---- Transformers -------------------------------------------------------------------------------------------------

struct LayerOptions {
  std::int64_t heads = 1;
  bool norm_first = false, gelu = false;
  Tensor blocked{}, key_padding{}, memory_padding{};
};

Tensor self_attention(CaseGraph& graph, const std::string& prefix, Tensor x, const LayerOptions& options) {
  return multihead(graph, prefix + "self_attn.", x, x, x,
                   {.heads = options.heads, .blocked = options.blocked, .key_padding = options.key_padding})
      .out;
}

Tensor feed_forward(CaseGraph& graph, const std::string& prefix, Tensor x, const LayerOptions& options) {
  const Tensor hidden = fully_connected(graph, prefix + "linear1", x);
  return fully_connected(graph, prefix + "linear2", unary(options.gelu ? Unary::gelu : Unary::relu, hidden));
}

// x + f(norm x), or norm(x + f x).
template <class Sublayer>
Tensor residual(CaseGraph& graph, const std::string& norm, Tensor x, bool norm_first, const Sublayer& sublayer) {
  if (norm_first) return x + sublayer(layer_norm(graph, norm, x));
  return layer_norm(graph, norm, x + sublayer(x));
}

Tensor encoder_layer(CaseGraph& graph, const std::string& prefix, Tensor x, const LayerOptions& options) {
  x = residual(graph, prefix + "norm1", x, options.norm_first,
               [&](Tensor y) { return self_attention(graph, prefix, y, options); });
  return residual(graph, prefix + "norm2", x, options.norm_first,
                  [&](Tensor y) { return feed_forward(graph, prefix, y, options); });
}

Tensor decoder_layer(CaseGraph& graph, const std::string& prefix, Tensor x, Tensor memory,
                     const LayerOptions& options) {
  x = residual(graph, prefix + "norm1", x, options.norm_first,
               [&](Tensor y) { return self_attention(graph, prefix, y, options); });
  x = residual(graph, prefix + "norm2", x, options.norm_first, [&](Tensor y) {
    return multihead(graph, prefix + "multihead_attn.", y, memory, memory,
                     {.heads = options.heads, .key_padding = options.memory_padding})
        .out;
  });
  return residual(graph, prefix + "norm3", x, options.norm_first,
                  [&](Tensor y) { return feed_forward(graph, prefix, y, options); });
}

LayerOptions layer_options(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  return {.heads = attrs.integer("nhead", 1),
          .norm_first = attrs.flag("norm_first"),
          .gelu = attrs.text("activation") == "gelu",
          .blocked = graph.optional_in("mask"),
          .key_padding = graph.optional_in("kpm")};
}

void transformer_encoder_layer(CaseGraph& graph) {
  graph.out("y", encoder_layer(graph, "", graph.in("x"), layer_options(graph)));
}

void transformer_decoder_layer(CaseGraph& graph) {
  graph.out("y", decoder_layer(graph, "", graph.in("x"), graph.in("memory"), layer_options(graph)));
}

void transformer(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  if (config.has("V")) return graph.skip("no operator for embedding");
  const std::int64_t heads = config.integer("nhead", 1);
  const auto layer = [](const char* part, std::int64_t i) {
    return "t." + std::string(part) + ".layers." + std::to_string(i) + ".";
  };
  const Tensor source_padding = graph.optional_in("src_key_padding_mask");
  Tensor memory = graph.in("src"), x = graph.in("tgt");
  for (std::int64_t i = 0; i < config.integer("enc", 1); ++i) {
    memory = encoder_layer(graph, layer("encoder", i), memory, {.heads = heads, .key_padding = source_padding});
  }
  memory = layer_norm(graph, "t.encoder.norm", memory);
  const std::int64_t length = x.dim(1);
  std::vector<std::int32_t> later;  // keys after the query are blocked
  for (std::int64_t i = 0; i < length * length; ++i) later.push_back(i % length > i / length);
  const Tensor blocked = graph.mask({length, length}, later);
  for (std::int64_t i = 0; i < config.integer("dec", 1); ++i) {
    x = decoder_layer(graph, layer("decoder", i), x, memory,
                      {.heads = heads, .blocked = blocked, .memory_padding = source_padding});
  }
  graph.out("y", layer_norm(graph, "t.decoder.norm", x));
}

void vision_transformer(CaseGraph& graph) {
  const Attrs config = graph.attrs().object("config");
  const Tensor x = graph.in("x");
  const std::int64_t n = x.dim(0), heads = config.integer("num_heads", 1), patch = config.integer("patch_size", 1);
  const double eps = 1e-6;
  const Tensor patches = permute(flatten_space(conv(graph, "patch_embed.proj", x, {.stride = patch})), {0, 2, 1});
  const std::int64_t width = patches.dim(2);
  Tensor y = concat({broadcast_to(graph.weight("cls_token"), {n, 1, width}), patches}, 1) + graph.weight("pos_embed");
  for (std::int64_t i = 0; i < config.integer("depth", 1); ++i) {
    const std::string block = "blocks." + std::to_string(i) + ".";
    const Tensor qkv = fully_connected(graph, block + "attn.qkv", layer_norm(graph, block + "norm1", y, eps));
    const auto third = [&](std::int64_t j) { return split_heads(part(qkv, 2, j * width, width), heads); };
    y = y + fully_connected(graph, block + "attn.proj", merge_heads(attention(third(0), third(1), third(2))));
    const Tensor hidden = fully_connected(graph, block + "mlp.fc1", layer_norm(graph, block + "norm2", y, eps));
    y = y + fully_connected(graph, block + "mlp.fc2", unary(Unary::gelu, hidden));
  }
  const Tensor token = reshape(part(layer_norm(graph, "norm", y, eps), 1, 0, 1), {n, width});
  graph.out("y", fully_connected(graph, "head", token));
}

// ---- Convolutional networks ---------------------------------------------------------------------------------------

Tensor conv_bn(CaseGraph& graph, const std::string& conv_name, const std::string& bn_name, Tensor x,
               const ConvOptions& options) {
  return batch_norm(graph, bn_name, conv(graph, conv_name, x, options));
}

void se_resnet(CaseGraph& graph) {
  Tensor x = relu(conv_bn(graph, "conv1", "bn1", graph.in("x"), {.padding = 1}));
  for (const std::string layer : {"layer1.", "layer2."}) {
    const bool shrinks = graph.has("w." + layer + "downsample.0.weight");
    const std::int64_t stride = shrinks ? 2 : 1;
    Tensor y = relu(conv_bn(graph, layer + "conv1", layer + "bn1", x, {.stride = stride, .padding = 1}));
    y = conv_bn(graph, layer + "conv2", layer + "bn2", y, {.padding = 1});
    y = y * sigmoid(conv(graph, layer + "se.fc2", relu(conv(graph, layer + "se.fc1", mean_space(y)))));
    if (shrinks) x = conv_bn(graph, layer + "downsample.0", layer + "downsample.1", x, {.stride = stride});
    x = relu(y + x);
  }
  graph.out("y", fully_connected(graph, "fc", reshape(mean_space(x), {x.dim(0), x.dim(1)})));
}

Tensor max_pool_2(Tensor x) {
  return pool(Pool::max, x, {.kernel = {2, 2}});
}

void attention_unet(CaseGraph& graph) {
  const auto unit = [&](const std::string& name, int i, Tensor x) {
    return relu(conv_bn(graph, name + std::to_string(i), name + std::to_string(i + 1), x, {.padding = 1}));
  };
  const auto block = [&](const std::string& name, Tensor x) {
    return unit(name + ".conv.", 3, unit(name + ".conv.", 0, x));
  };
  std::vector<Tensor> skips{block("Conv1", graph.in("x"))};
  for (int level = 2; level <= 5; ++level) {
    skips.push_back(block("Conv" + std::to_string(level), max_pool_2(skips.back())));
  }
  Tensor d = skips.back();
  for (int level = 5; level >= 2; --level) {
    const std::string number = std::to_string(level);
    d = unit("Up" + number + ".up.", 1, resize(d, {.scale = {2, 2}, .interpolation = Interpolation::nearest}));
    const Tensor skip = skips[static_cast<std::size_t>(level - 2)];
    const auto gate = [&](const std::string& name, Tensor x) {
      return conv_bn(graph, "Att" + number + "." + name + ".0", "Att" + number + "." + name + ".1", x, {});
    };
    const Tensor psi = sigmoid(gate("psi", relu(gate("W_g", d) + gate("W_x", skip))));
    d = block("Up_conv" + number, concat({skip * psi, d}, 1));
  }
  graph.out("y", conv(graph, "Conv_1x1", d));
}

void spatial_transformer_net(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t n = x.dim(0);
  const auto features = [&](const std::string& name, Tensor in) { return relu(max_pool_2(conv(graph, name, in))); };
  const Tensor place = features("localization.3", features("localization.0", x));
  const Tensor hidden = relu(fully_connected(graph, "fc_loc.0", reshape(place, {n, -1})));
  const Tensor theta = reshape(fully_connected(graph, "fc_loc.2", hidden), {n, 2, 3});
  const Tensor warped = grid_sample(x, affine_grid(theta, x.shape()));
  const Tensor seen = features("conv2", features("conv1", warped));
  const Tensor scores = fully_connected(graph, "fc2", relu(fully_connected(graph, "fc1", reshape(seen, {n, -1}))));
  graph.out("theta", theta);
  graph.out("warped", warped);
  graph.out("y", log_softmax(scores, {.axis = 1}));
}

// ---- Residual attention network -----------------------------------------------------------------------------------

// Pre-activation bottleneck; a convolution stands in the shortcut where the shape changes.
Tensor residual_block(CaseGraph& graph, const std::string& prefix, Tensor x, std::int64_t stride) {
  const auto active = [&](const char* name, Tensor y) { return relu(batch_norm(graph, prefix + name, y)); };
  const Tensor first = active("bn1", x);
  Tensor y = conv(graph, prefix + "conv1", first);
  y = conv(graph, prefix + "conv2", active("bn2", y), {.stride = stride, .padding = 1});
  y = conv(graph, prefix + "conv3", active("bn3", y));
  const bool changes = stride != 1 || y.dim(1) != x.dim(1);
  return y + (changes ? conv(graph, prefix + "conv4", first, {.stride = stride}) : x);
}

void residual_block_case(CaseGraph& graph) {
  graph.out("y", residual_block(graph, "", graph.in("x"), graph.attrs().object("config").integer("stride", 1)));
}

void residual_attention_stage3(CaseGraph& graph) {
  const auto blocks = [&](const std::string& name, Tensor x) {
    return residual_block(graph, name + "1.", residual_block(graph, name + "0.", x, 1), 1);
  };
  const Tensor x = residual_block(graph, "first_residual_blocks.", graph.in("x"), 1);
  const Tensor trunk = blocks("trunk_branches.", x);
  const Tensor small = pool(Pool::max, x, {.kernel = {3, 3}, .stride = {2, 2}, .padding_begin = {1, 1}});
  Tensor mask = resize(blocks("softmax1_blocks.", small), {.size = {x.dim(2), x.dim(3)}, .coordinates = ResizeCoordinates::align_corners}) + trunk;
  for (const int i : {0, 3}) {
    const std::string name = "softmax2_blocks.";
    mask = conv(graph, name + std::to_string(i + 2), relu(batch_norm(graph, name + std::to_string(i), mask)));
  }
  graph.out("y", residual_block(graph, "last_blocks.", (sigmoid(mask) + 1.0f) * trunk, 1));
}

constexpr Adapter adapters[] = {
    {"AttU_Net", attention_unet},
    {"AttentionModule_stage3", residual_attention_stage3},
    {"ResidualBlock", residual_block_case},
    {"SEResNet", se_resnet},
    {"STNNet", spatial_transformer_net},
    {"TransformerDecoderLayer", transformer_decoder_layer},
    {"TransformerEncoderLayer", transformer_encoder_layer},
    {"ViT", vision_transformer},
    {"nn.Transformer", transformer},
};

}  // namespace

std::span<const Adapter> model_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
