// Normalisations.

#include "tests/conformance/compose.hpp"

#include <limits>
#include <numeric>

namespace fovea::conformance {
namespace {

float eps_of(const Attrs& attrs, double otherwise = 1e-5) {
  return static_cast<float>(attrs.number("eps", otherwise));
}

LayerNormDesc layer_norm_desc(CaseGraph& graph, double eps) {
  return {.axes = static_cast<std::int64_t>(graph.attrs().integers("normalized_shape").size()),
          .weight = graph.optional_in("weight"),
          .bias = graph.optional_in("bias"),
          .eps = eps_of(graph.attrs(), eps)};
}

void layer_norm_case(CaseGraph& graph) {
  graph.out("y", layer_norm(graph.in("x"), layer_norm_desc(graph, 1e-5)));
}

void rms_norm_case(CaseGraph& graph) {
  graph.out("y", rms_norm(graph.in("x"), layer_norm_desc(graph, std::numeric_limits<float>::epsilon())));
}

GroupNormDesc group_norm_desc(CaseGraph& graph) {
  return {.groups = graph.attrs().integer("num_groups", 1),
          .weight = graph.optional_in("weight"),
          .bias = graph.optional_in("bias"),
          .eps = eps_of(graph.attrs())};
}

void group_norm_case(CaseGraph& graph) {
  graph.out("y", group_norm(graph.in("x"), group_norm_desc(graph)));
}

void instance_norm_case(CaseGraph& graph) {
  graph.out("y", instance_norm(graph.in("x"), group_norm_desc(graph)));
}

void batch_norm_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x"), mean = graph.in("running_mean"), variance = graph.in("running_var");
  const BatchNormDesc desc{.weight = graph.optional_in("weight"),
                           .bias = graph.optional_in("bias"),
                           .eps = eps_of(attrs),
                           .momentum = static_cast<float>(attrs.number("momentum", 0.1))};
  if (!attrs.flag("training")) return graph.out("y", batch_norm(x, mean, variance, desc));
  const BatchNormResult result = batch_norm_train(x, mean, variance, desc);
  graph.out("y", result.out);
  graph.out("running_mean", result.mean);
  graph.out("running_var", result.variance);
}

void normalize_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  graph.out("y", normalize(graph.in("x"), {.axes = attrs.integers("dim"),
                                           .p = attrs.number("p", 2),
                                           .eps = eps_of(attrs, 1e-12)}));
}

// ---- ONNX ---------------------------------------------------------------------------------------------------------

std::int64_t axes_behind(const Attrs& attrs, Tensor x) {
  const std::int64_t axis = attrs.integer("axis", -1);
  return axis < 0 ? -axis : x.shape().rank() - axis;
}

float epsilon_of(const Attrs& attrs) {
  return static_cast<float>(attrs.number("epsilon", 1e-5));
}

void onnx_layer_norm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  std::vector<std::int64_t> axes(static_cast<std::size_t>(axes_behind(attrs, x)));
  std::iota(axes.begin(), axes.end(), x.shape().rank() - static_cast<std::int64_t>(axes.size()));
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
  graph.out_onnx(
      0, rms_norm(x, {.axes = axes_behind(attrs, x), .weight = graph.onnx(1), .eps = epsilon_of(attrs)}));
}

GroupNormDesc onnx_group_norm_desc(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  return {.groups = attrs.integer("num_groups", 1),
          .weight = graph.onnx(1),
          .bias = graph.onnx(2),
          .eps = epsilon_of(attrs)};
}

void onnx_group_norm(CaseGraph& graph) {
  graph.out_onnx(0, group_norm(graph.onnx(0), onnx_group_norm_desc(graph)));
}

void onnx_instance_norm(CaseGraph& graph) {
  graph.out_onnx(0, instance_norm(graph.onnx(0), onnx_group_norm_desc(graph)));
}

// In training the old running statistics weigh `momentum`, and the running variance is the biased one.
void onnx_batch_norm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const BatchNormDesc desc{.weight = graph.onnx(1),
                           .bias = graph.onnx(2),
                           .eps = epsilon_of(attrs),
                           .momentum = static_cast<float>(1 - attrs.number("momentum", 0.9)),
                           .unbiased = false};
  const Tensor x = graph.onnx(0), mean = graph.onnx(3), variance = graph.onnx(4);
  if (!attrs.flag("training_mode")) return graph.out_onnx(0, batch_norm(x, mean, variance, desc));
  const BatchNormResult result = batch_norm_train(x, mean, variance, desc);
  graph.out_onnx(0, result.out);
  graph.out_onnx(1, result.mean);
  graph.out_onnx(2, result.variance);
}

constexpr Adapter adapters[] = {
    {"batch_norm", batch_norm_case},
    {"group_norm", group_norm_case},
    {"instance_norm", instance_norm_case},
    {"layer_norm", layer_norm_case},
    {"normalize", normalize_case},
    {"onnx.BatchNormalization", onnx_batch_norm, 5},
    {"onnx.GroupNormalization", onnx_group_norm, 3},
    {"onnx.InstanceNormalization", onnx_instance_norm, 3},
    {"onnx.LayerNormalization", onnx_layer_norm, 2},
    {"onnx.RMSNormalization", onnx_rms_norm, 2},
    {"rms_norm", rms_norm_case},
};

}  // namespace

std::span<const Adapter> normalization_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
