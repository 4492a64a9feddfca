// Normalisations, composed of reductions and elementwise operators: they have no operator of their own yet.

#include "tests/conformance/compose.hpp"

#include <limits>
#include <numeric>

namespace fovea::conformance {
namespace {

double eps_of(const Attrs& attrs, double otherwise = 1e-5) {
  return attrs.number("eps", otherwise);
}

void layer_norm_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  graph.out("y", layer_norm(graph.in("x"), graph.optional_in("weight"), graph.optional_in("bias"), eps_of(attrs),
                            static_cast<int>(attrs.integers("normalized_shape").size())));
}

// x·rsqrt(mean x² + eps) over the last axes.
Tensor rms_norm(Tensor x, Tensor weight, std::int64_t first_axis, double eps) {
  std::vector<std::int64_t> axes(static_cast<std::size_t>(x.shape().rank() - first_axis));
  std::iota(axes.begin(), axes.end(), first_axis);
  const Tensor y = x * unary(Unary::rsqrt, mean(unary(Unary::square, x), axes) + static_cast<float>(eps));
  return weight ? y * weight : y;
}

void rms_norm_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x");
  const auto axes = static_cast<std::int64_t>(attrs.integers("normalized_shape").size());
  graph.out("y", rms_norm(x, graph.optional_in("weight"), x.shape().rank() - axes,
                          eps_of(attrs, std::numeric_limits<float>::epsilon())));
}

void group_norm_case(CaseGraph& graph) {
  graph.out("y", group_norm(graph.in("x"), graph.attrs().integer("num_groups", 1), graph.optional_in("weight"),
                            graph.optional_in("bias"), eps_of(graph.attrs())));
}

void instance_norm_case(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  graph.out("y",
            group_norm(x, x.dim(1), graph.optional_in("weight"), graph.optional_in("bias"), eps_of(graph.attrs())));
}

// Training: the batch's biased variance normalises, its unbiased one goes into the running variance.
void batch_norm_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x"), weight = graph.optional_in("weight"), bias = graph.optional_in("bias");
  Tensor center = graph.in("running_mean"), variance = graph.in("running_var");
  if (attrs.flag("training")) {
    std::vector<std::int64_t> axes(static_cast<std::size_t>(x.shape().rank()));
    std::iota(axes.begin(), axes.end(), 0);
    axes.erase(axes.begin() + 1);
    const auto momentum = static_cast<float>(attrs.number("momentum", 0.1));
    const Tensor batch_mean = reduce(Reduce::mean, x, {.axes = axes});
    const Tensor unbiased = reduce(Reduce::variance, x, {.axes = axes, .correction = 1});
    graph.out("running_mean", center * (1 - momentum) + batch_mean * momentum);
    graph.out("running_var", variance * (1 - momentum) + unbiased * momentum);
    center = batch_mean;
    variance = reduce(Reduce::variance, x, {.axes = axes, .correction = 0});
  }
  graph.out("y", batch_norm(x, weight, bias, center, variance, eps_of(attrs)));
}

void normalize_case(CaseGraph& graph) {
  if (graph.attrs().number("p", 2) != 2) return graph.skip("normalize by a norm other than 2");
  const Tensor x = graph.in("x");
  const Tensor norm = reduce(Reduce::l2, x, {.axes = graph.attrs().integers("dim"), .keep_dims = true});
  const auto eps = static_cast<float>(eps_of(graph.attrs(), 1e-12));
  graph.out("y", x / binary(Binary::max, norm, scalar(norm, eps)));
}

// ---- ONNX ---------------------------------------------------------------------------------------------------------

std::int64_t first_axis(const Attrs& attrs, Tensor x) {
  const std::int64_t axis = attrs.integer("axis", -1);
  return axis < 0 ? axis + x.shape().rank() : axis;
}

double epsilon_of(const Attrs& attrs) {
  return attrs.number("epsilon", 1e-5);
}

void onnx_layer_norm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  const std::int64_t first = first_axis(attrs, x);
  std::vector<std::int64_t> axes(static_cast<std::size_t>(x.shape().rank() - first));
  std::iota(axes.begin(), axes.end(), first);
  const Standardized s = standardize(x, axes, epsilon_of(attrs));
  Tensor y = s.value * graph.onnx(1);
  if (graph.has_onnx(2)) y = y + graph.onnx(2);
  graph.out_onnx(0, y);
  graph.out_onnx(1, s.mean);
  graph.out_onnx(2, s.inverse_deviation);
}

void onnx_rms_norm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, rms_norm(x, graph.onnx(1), first_axis(attrs, x), epsilon_of(attrs)));
}

void onnx_group_norm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  graph.out_onnx(
      0, group_norm(graph.onnx(0), attrs.integer("num_groups", 1), graph.onnx(1), graph.onnx(2), epsilon_of(attrs)));
}

void onnx_instance_norm(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, group_norm(x, x.dim(1), graph.onnx(1), graph.onnx(2), epsilon_of(graph.onnx_attrs())));
}

void onnx_batch_norm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  if (attrs.flag("training_mode")) return graph.skip("BatchNormalization in training mode");
  graph.out_onnx(
      0, batch_norm(graph.onnx(0), graph.onnx(1), graph.onnx(2), graph.onnx(3), graph.onnx(4), epsilon_of(attrs)));
}

constexpr Adapter adapters[] = {
    {"batch_norm", batch_norm_case},
    {"group_norm", group_norm_case},
    {"instance_norm", instance_norm_case},
    {"layer_norm", layer_norm_case},
    {"normalize", normalize_case},
    {"onnx.BatchNormalization", onnx_batch_norm},
    {"onnx.GroupNormalization", onnx_group_norm},
    {"onnx.InstanceNormalization", onnx_instance_norm},
    {"onnx.LayerNormalization", onnx_layer_norm},
    {"onnx.RMSNormalization", onnx_rms_norm},
    {"rms_norm", rms_norm_case},
};

}  // namespace

std::span<const Adapter> normalization_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
