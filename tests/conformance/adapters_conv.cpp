// Convolutions.

#include "tests/conformance/compose.hpp"

#include <algorithm>

namespace fovea::conformance {
namespace {

using List = std::vector<std::int64_t>;

// An attribute of one value an axis, or one for all; empty when absent.
List per_axis(const Attrs& attrs, const char* key, std::size_t axes) {
  List values = attrs.integers(key);
  if (values.size() == 1) values.resize(axes, values[0]);
  return values;
}

std::size_t spatial_axes(Tensor x) {
  return static_cast<std::size_t>(x.shape().rank() - 2);
}

void conv_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x"), weight = graph.in("weight");
  const std::size_t axes = spatial_axes(x);
  ConvDesc desc{.stride = per_axis(attrs, "stride", axes),
                .padding_begin = per_axis(attrs, "padding", axes),
                .dilation = per_axis(attrs, "dilation", axes),
                .groups = attrs.integer("groups", 1),
                .bias = graph.optional_in("bias")};
  if (attrs.text("padding") == "same") {  // the odd one of an even window comes after
    for (std::size_t i = 0; i < axes; ++i) {
      const std::int64_t total = (desc.dilation.empty() ? 1 : desc.dilation[i]) * (weight.dim(static_cast<int>(i) + 2) - 1);
      desc.padding_begin.push_back(total / 2);
      desc.padding_end.push_back(total - total / 2);
    }
  }
  graph.out("y", fovea::conv(x, weight, desc));
}

void conv_transpose_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x");
  const std::size_t axes = spatial_axes(x);
  graph.out("y", conv_transpose(x, graph.in("weight"),
                                {.stride = per_axis(attrs, "stride", axes),
                                 .padding_begin = per_axis(attrs, "padding", axes),
                                 .output_padding = per_axis(attrs, "output_padding", axes),
                                 .dilation = per_axis(attrs, "dilation", axes),
                                 .groups = attrs.integer("groups", 1),
                                 .bias = graph.optional_in("bias")}));
}

// What ONNX's nodes have in common.
struct OnnxWindow {
  List stride, dilation, kernel, begin, end;
  std::string auto_pad;

  OnnxWindow(const Attrs& attrs, Tensor weight)
      : stride(attrs.integers("strides")), dilation(attrs.integers("dilations")), auto_pad(attrs.text("auto_pad")) {
    const std::size_t axes = spatial_axes(weight);
    if (stride.empty()) stride.assign(axes, 1);
    if (dilation.empty()) dilation.assign(axes, 1);
    for (std::size_t i = 0; i < axes; ++i) kernel.push_back(weight.dim(static_cast<int>(i) + 2));
    List pads = attrs.integers("pads");
    pads.resize(2 * axes, 0);
    begin.assign(pads.begin(), pads.begin() + static_cast<std::ptrdiff_t>(axes));
    end.assign(pads.begin() + static_cast<std::ptrdiff_t>(axes), pads.end());
  }
  std::int64_t reach(std::size_t i) const { return dilation[i] * (kernel[i] - 1) + 1; }
  // The odd one of `total` goes in front or behind.
  void split(std::size_t i, std::int64_t total, bool odd_in_front) {
    begin[i] = odd_in_front ? total - total / 2 : total / 2;
    end[i] = total - begin[i];
  }
};

void onnx_conv(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0), weight = graph.onnx(1);
  OnnxWindow window(attrs, weight);
  if (window.auto_pad.starts_with("SAME")) {  // as many outputs as ceil(in / stride)
    for (std::size_t i = 0; i < window.kernel.size(); ++i) {
      const std::int64_t in = x.dim(static_cast<int>(i) + 2), out = (in + window.stride[i] - 1) / window.stride[i];
      const std::int64_t total = std::max<std::int64_t>((out - 1) * window.stride[i] + window.reach(i) - in, 0);
      window.split(i, total, window.auto_pad == "SAME_LOWER");
    }
  }
  graph.out_onnx(0, fovea::conv(x, weight,
                                {.stride = window.stride,
                                 .padding_begin = window.begin,
                                 .padding_end = window.end,
                                 .dilation = window.dilation,
                                 .groups = attrs.integer("group", 1),
                                 .bias = graph.onnx(2)}));
}

void onnx_conv_transpose(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0), weight = graph.onnx(1);
  OnnxWindow window(attrs, weight);
  List extra = attrs.integers("output_padding"), shape = attrs.integers("output_shape");
  extra.resize(window.kernel.size(), 0);
  const bool same = window.auto_pad.starts_with("SAME");
  for (std::size_t i = 0; i < window.kernel.size() && (same || !shape.empty()); ++i) {
    const std::int64_t in = x.dim(static_cast<int>(i) + 2), full = (in - 1) * window.stride[i] + window.reach(i) + extra[i];
    const std::int64_t total = full - (shape.empty() ? in * window.stride[i] : shape[i]);
    if (total >= 0) {  // the operator's text: SAME_UPPER alone has the larger half behind
      window.split(i, total, window.auto_pad != "SAME_UPPER");
    } else {
      window.begin[i] = window.end[i] = 0;
      extra[i] -= total;
    }
  }
  graph.out_onnx(0, conv_transpose(x, weight,
                                   {.stride = window.stride,
                                    .padding_begin = window.begin,
                                    .padding_end = window.end,
                                    .output_padding = extra,
                                    .dilation = window.dilation,
                                    .groups = attrs.integer("group", 1),
                                    .bias = graph.onnx(2)}));
}

std::array<std::int64_t, 2> pair_of(const Attrs& attrs, const char* key) {
  const List values = attrs.integers(key);
  return {values.empty() ? 1 : values.front(), values.empty() ? 1 : values.back()};
}

void deform_conv_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const auto [py, px] = pair_of(attrs, "padding");
  graph.out("y", deform_conv2d(graph.in("x"), graph.in("offset"), graph.in("weight"),
                               {.stride = pair_of(attrs, "stride"),
                                .padding = {py, px, py, px},
                                .dilation = pair_of(attrs, "dilation"),
                                .groups = attrs.integer("groups", 1),
                                .offset_groups = attrs.integer("offset_groups", 1),
                                .mask = graph.optional_in("mask"),
                                .bias = graph.optional_in("bias")}));
}

void onnx_deform_conv(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const OnnxWindow window(attrs, graph.onnx(1));
  graph.out_onnx(0, deform_conv2d(graph.onnx(0), graph.onnx(2), graph.onnx(1),
                                  {.stride = {window.stride[0], window.stride[1]},
                                   .padding = {window.begin[0], window.begin[1], window.end[0], window.end[1]},
                                   .dilation = {window.dilation[0], window.dilation[1]},
                                   .groups = attrs.integer("group", 1),
                                   .offset_groups = attrs.integer("offset_group", 1),
                                   .mask = graph.onnx(4),
                                   .bias = graph.onnx(3)}));
}

constexpr Adapter adapters[] = {
    {"conv1d", conv_case},
    {"conv2d", conv_case},
    {"conv3d", conv_case},
    {"conv_transpose1d", conv_transpose_case},
    {"conv_transpose2d", conv_transpose_case},
    {"conv_transpose3d", conv_transpose_case},
    {"deform_conv2d", deform_conv_case},
    {"onnx.Conv", onnx_conv, 2},
    {"onnx.ConvTranspose", onnx_conv_transpose, 2},
    {"onnx.DeformConv", onnx_deform_conv, 3},
};

}  // namespace

std::span<const Adapter> conv_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
