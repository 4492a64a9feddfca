// Matrix products and convolutions.

#include "tests/conformance/compose.hpp"

#include <algorithm>

namespace fovea::conformance {
namespace {

void matmul_case(CaseGraph& graph) {
  graph.out("y", matmul(graph.in("a"), graph.in("b")));
}

void linear_case(CaseGraph& graph) {
  graph.out("y", linear(graph.in("x"), graph.in("weight"), graph.optional_in("bias")));
}

void einsum(CaseGraph& graph) {
  graph.skip("no operator for einsum");
}

void onnx_matmul(CaseGraph& graph) {
  graph.out_onnx(0, matmul(graph.onnx(0), graph.onnx(1)));
}

void onnx_gemm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  Tensor c = graph.onnx(2);
  if (const double beta = attrs.number("beta", 1); c && beta != 1) c = c * static_cast<float>(beta);
  graph.out_onnx(0, matmul(graph.onnx(0), graph.onnx(1),
                           {.transpose_a = attrs.flag("transA"),
                            .transpose_b = attrs.flag("transB"),
                            .bias = c,
                            .alpha = static_cast<float>(attrs.number("alpha", 1))}));
}

// An attribute of one value an axis, or one for all.
std::vector<std::int64_t> per_axis(const Attrs& attrs, const char* key, std::size_t axes, std::int64_t otherwise) {
  std::vector<std::int64_t> values = attrs.integers(key);
  if (values.empty()) values.push_back(otherwise);
  if (values.size() == 1) values.resize(axes, values[0]);
  return values;
}

struct ConvGeometry {
  std::vector<std::int64_t> stride, dilation, before, after;  // of the spatial axes
  std::int64_t groups = 1;
};

// One spatial axis is a picture of height 1.
Tensor convolve(Tensor x, Tensor weight, Tensor bias, ConvGeometry g) {
  const bool flat = x.shape().rank() == 3;
  if (flat) {
    x = reshape(x, {x.dim(0), x.dim(1), 1, x.dim(2)});
    weight = reshape(weight, {weight.dim(0), weight.dim(1), 1, weight.dim(2)});
    for (auto* values : {&g.stride, &g.dilation}) values->insert(values->begin(), 1);
    for (auto* values : {&g.before, &g.after}) values->insert(values->begin(), 0);
  }
  const Tensor y = conv2d(x, weight,
                          {.stride = {g.stride[0], g.stride[1]},
                           .padding = {g.before[0], g.before[1], g.after[0], g.after[1]},
                           .dilation = {g.dilation[0], g.dilation[1]},
                           .groups = g.groups,
                           .bias = bias});
  return flat ? reshape(y, {y.dim(0), y.dim(1), y.dim(3)}) : y;
}

void conv_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x"), weight = graph.in("weight");
  const auto axes = static_cast<std::size_t>(x.shape().rank() - 2);
  ConvGeometry g{per_axis(attrs, "stride", axes, 1),
                 per_axis(attrs, "dilation", axes, 1),
                 per_axis(attrs, "padding", axes, 0),
                 {},
                 attrs.integer("groups", 1)};
  g.after = g.before;
  if (attrs.text("padding") == "same") {  // the odd one of an even window comes after
    for (std::size_t i = 0; i < axes; ++i) {
      const std::int64_t total = g.dilation[i] * (weight.dim(static_cast<int>(i) + 2) - 1);
      g.before[i] = total / 2;
      g.after[i] = total - total / 2;
    }
  }
  graph.out("y", convolve(x, weight, graph.optional_in("bias"), g));
}

void onnx_conv(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0), weight = graph.onnx(1);
  const auto axes = static_cast<std::size_t>(x.shape().rank() - 2);
  if (axes > 2) return graph.skip("no operator for Conv over 3 axes");
  ConvGeometry g{per_axis(attrs, "strides", axes, 1), per_axis(attrs, "dilations", axes, 1),
                 std::vector<std::int64_t>(axes), std::vector<std::int64_t>(axes), attrs.integer("group", 1)};
  if (const std::vector<std::int64_t> pads = attrs.integers("pads"); pads.size() == 2 * axes) {
    std::copy_n(pads.begin(), axes, g.before.begin());
    std::copy_n(pads.begin() + static_cast<std::ptrdiff_t>(axes), axes, g.after.begin());
  }
  if (const std::string pad = attrs.text("auto_pad"); pad.starts_with("SAME")) {
    for (std::size_t i = 0; i < axes; ++i) {
      const std::int64_t in = x.dim(static_cast<int>(i) + 2), out = (in + g.stride[i] - 1) / g.stride[i];
      const std::int64_t window = g.dilation[i] * (weight.dim(static_cast<int>(i) + 2) - 1) + 1;
      const std::int64_t total = std::max<std::int64_t>((out - 1) * g.stride[i] + window - in, 0);
      g.before[i] = pad == "SAME_LOWER" ? total - total / 2 : total / 2;
      g.after[i] = total - g.before[i];
    }
  }
  graph.out_onnx(0, convolve(x, weight, graph.onnx(2), g));
}

constexpr Adapter adapters[] = {
    {"conv1d", conv_case},   {"conv2d", conv_case},    {"einsum", einsum},
    {"linear", linear_case}, {"matmul", matmul_case},  {"onnx.Conv", onnx_conv},
    {"onnx.Einsum", einsum}, {"onnx.Gemm", onnx_gemm}, {"onnx.MatMul", onnx_matmul},
};

}  // namespace

std::span<const Adapter> product_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
