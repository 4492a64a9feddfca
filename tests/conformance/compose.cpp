#include "tests/conformance/compose.hpp"

#include <numeric>

namespace fovea::conformance {

std::vector<std::int64_t> extents(Tensor x) {
  const std::span<const std::int64_t> all = x.shape().extents();
  return {all.begin(), all.end()};
}

Tensor flatten_space(Tensor x) {
  return reshape(x, {x.dim(0), x.dim(1), -1});
}

Tensor per_channel(Tensor values, Tensor x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.shape().rank()), 1);
  shape[1] = x.dim(1);
  return reshape(values, shape);
}

Tensor split_heads(Tensor x, std::int64_t heads) {
  return permute(reshape(x, {x.dim(0), x.dim(1), heads, x.dim(2) / heads}), {0, 2, 1, 3});
}

Tensor merge_heads(Tensor x) {
  return reshape(permute(x, {0, 2, 1, 3}), {x.dim(0), x.dim(2), x.dim(1) * x.dim(3)});
}

Tensor plane_offsets(CaseGraph& graph, const Shape& x) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(x.rank()), 1);
  shape[0] = x[0], shape[1] = x[1];
  std::int64_t plane = 1;
  for (int axis = 2; axis < x.rank(); ++axis) plane *= x[axis];
  std::vector<std::int32_t> offsets;
  for (std::int64_t i = 0; i < x[0] * x[1]; ++i) offsets.push_back(static_cast<std::int32_t>(i * plane));
  return graph.constant(Shape(std::span<const std::int64_t>(shape)), offsets);
}

Tensor part(Tensor x, std::int64_t axis, std::int64_t start, std::int64_t count) {
  return slice(x, {.axis = axis, .start = start, .stop = start + count});
}

Tensor relative_rows(Tensor table, std::int64_t rows, std::int64_t columns) {
  std::vector<Tensor> parts;
  for (std::int64_t i = 0; i < rows; ++i) {
    parts.push_back(reshape(part(table, 0, columns - 1 - i, columns), {1, columns, table.dim(1)}));
  }
  return concat(parts, 0);
}

Tensor mean(Tensor x, std::vector<std::int64_t> axes) {
  return reduce(Reduce::mean, x, {.axes = std::move(axes), .keep_dims = true});
}
Tensor sum(Tensor x, std::vector<std::int64_t> axes) {
  return reduce(Reduce::sum, x, {.axes = std::move(axes), .keep_dims = true});
}
Tensor maximum(Tensor x, std::vector<std::int64_t> axes) {
  return reduce(Reduce::max, x, {.axes = std::move(axes), .keep_dims = true});
}

static std::vector<std::int64_t> axes_from(Tensor x, int first) {
  std::vector<std::int64_t> axes(static_cast<std::size_t>(x.shape().rank() - first));
  std::iota(axes.begin(), axes.end(), first);
  return axes;
}
Tensor mean_space(Tensor x) {
  return mean(x, axes_from(x, 2));
}
Tensor max_space(Tensor x) {
  return maximum(x, axes_from(x, 2));
}

Tensor conv(CaseGraph& graph, const std::string& name, Tensor x, const ConvOptions& options) {
  const std::int64_t p = options.padding;
  return conv2d(x, graph.weight(name + ".weight"),
                {.stride = {options.stride, options.stride},
                 .padding = {p, p, p, p},
                 .dilation = {options.dilation, options.dilation},
                 .groups = options.groups,
                 .bias = graph.optional_weight(name + ".bias")});
}

Tensor batch_norm(CaseGraph& graph, const std::string& name, Tensor x, double eps) {
  return batch_norm(x, graph.weight(name + ".running_mean"), graph.weight(name + ".running_var"),
                    {.weight = graph.weight(name + ".weight"),
                     .bias = graph.weight(name + ".bias"),
                     .eps = static_cast<float>(eps)});
}

Tensor layer_norm(CaseGraph& graph, const std::string& name, Tensor x, double eps) {
  const Tensor weight = graph.weight(name + ".weight");
  return layer_norm(x, {.axes = weight.shape().rank(),
                        .weight = weight,
                        .bias = graph.optional_weight(name + ".bias"),
                        .eps = static_cast<float>(eps)});
}

Tensor fully_connected(CaseGraph& graph, const std::string& name, Tensor x) {
  return linear(x, graph.weight(name + ".weight"), graph.optional_weight(name + ".bias"));
}

Tensor weighed_scores(CaseGraph& graph, const std::string& name, Tensor q, Tensor k, Unary activation) {
  const Tensor weight = graph.weight(name + ".weight"), bias = graph.optional_weight(name + ".bias");
  const Tensor scores = additive_score(q, k, reshape(weight, {weight.dim(1)}), {.activation = activation});
  return bias ? scores + bias : scores;
}

CellWeights cell_weights(CaseGraph& graph, const std::string& prefix, const std::string& suffix) {
  return {.input = graph.weight(prefix + "weight_ih" + suffix),
          .hidden = graph.weight(prefix + "weight_hh" + suffix),
          .input_bias = graph.optional_weight(prefix + "bias_ih" + suffix),
          .hidden_bias = graph.optional_weight(prefix + "bias_hh" + suffix),
          .forget_bias = 0};
}

std::vector<RecurrentLayer> recurrent_layers(CaseGraph& graph, const std::string& prefix, std::int64_t layers) {
  std::vector<RecurrentLayer> result;
  for (std::int64_t k = 0; k < layers; ++k) {
    const std::string suffix = "_l" + std::to_string(k);
    result.push_back({cell_weights(graph, prefix, suffix), {}});
    if (graph.has("w." + prefix + "weight_ih" + suffix + "_reverse"))
      result.back().backward = cell_weights(graph, prefix, suffix + "_reverse");
  }
  return result;
}

namespace {

struct Projected {
  Tensor q, k, v;
};

// in_proj_weight holds the rows of q, k and v one after another; with keys or values of another width there are three.
Projected project(CaseGraph& graph, const std::string& prefix, Tensor q, Tensor k, Tensor v) {
  const Tensor bias = graph.optional_weight(prefix + "in_proj_bias");
  const std::int64_t e = q.dim(2);
  const auto project_one = [&](Tensor x, std::int64_t i, const char* name) {
    const Tensor weight = graph.has("w." + prefix + "in_proj_weight")
                              ? part(graph.weight(prefix + "in_proj_weight"), 0, i * e, e)
                              : graph.weight(prefix + name);
    return linear(x, weight, bias ? part(bias, 0, i * e, e) : Tensor());
  };
  Projected out{project_one(q, 0, "q_proj_weight"), project_one(k, 1, "k_proj_weight"),
                project_one(v, 2, "v_proj_weight")};
  if (graph.has("w." + prefix + "bias_k")) {  // one more key and value, after the projection
    const Shape row{k.dim(0), 1, e};
    out.k = concat({out.k, broadcast_to(graph.weight(prefix + "bias_k"), row)}, 1);
    out.v = concat({out.v, broadcast_to(graph.weight(prefix + "bias_v"), row)}, 1);
  }
  return out;
}

// [N,1,L,S] or less, true = attend; the keys that were added are open to all.
Tensor attend_mask(CaseGraph& graph, const MultiheadOptions& options, std::int64_t batch, std::int64_t added) {
  const auto open = [&](Tensor blocked) {
    const Tensor allowed = unary(Unary::logical_not, blocked);
    if (added == 0) return allowed;
    std::vector<std::int64_t> shape = extents(blocked);
    shape.back() = added;
    const Shape more{std::span<const std::int64_t>(shape)};
    return concat({allowed, graph.mask(more, std::vector<std::int32_t>(static_cast<std::size_t>(more.elements()), 1))},
                  blocked.shape().rank() - 1);
  };
  Tensor mask;
  if (options.blocked) mask = open(options.blocked);
  if (options.key_padding) {
    const Tensor keys = reshape(open(options.key_padding), {batch, 1, 1, -1});
    mask = mask ? binary(Binary::logical_and, mask, keys) : keys;
  }
  return mask;
}

}  // namespace

MultiheadResult multihead(CaseGraph& graph, const std::string& prefix, Tensor q, Tensor k, Tensor v,
                          const MultiheadOptions& options, bool weights) {
  Projected in = project(graph, prefix, q, k, v);
  std::int64_t added = in.k.dim(1) - k.dim(1);
  if (options.add_zero) {
    const Shape row{k.dim(0), 1, in.k.dim(2)};
    const Tensor zeros = graph.constant(row, std::vector<float>(static_cast<std::size_t>(row.elements())));
    in.k = concat({in.k, zeros}, 1);
    in.v = concat({in.v, zeros}, 1);
    ++added;
  }
  const AttentionResult attended = attention_full(
      split_heads(in.q, options.heads), split_heads(in.k, options.heads), split_heads(in.v, options.heads),
      {.mask = attend_mask(graph, options, q.dim(0), added), .return_weights = weights});
  const Tensor out = linear(merge_heads(attended.out), graph.weight(prefix + "out_proj.weight"),
                            graph.optional_weight(prefix + "out_proj.bias"));
  return {out, attended.weights};
}

}  // namespace fovea::conformance
