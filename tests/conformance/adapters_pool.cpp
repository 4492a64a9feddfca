// Pooling.

#include "tests/conformance/compose.hpp"

#include <algorithm>
#include <cmath>

namespace fovea::conformance {
namespace {

// An attribute of one value an axis, or one for all; empty when absent.
std::vector<std::int64_t> per_axis(const Attrs& attrs, const char* key, int axes) {
  std::vector<std::int64_t> values = attrs.integers(key);
  if (values.size() == 1) values.resize(static_cast<std::size_t>(axes), values[0]);
  return values;
}

PoolDesc torch_desc(const Attrs& attrs, int axes) {
  return {.kernel = per_axis(attrs, "kernel_size", axes),
          .stride = per_axis(attrs, "stride", axes),
          .padding_begin = per_axis(attrs, "padding", axes),
          .dilation = per_axis(attrs, "dilation", axes),
          .ceil_mode = attrs.flag("ceil_mode"),
          .count_include_pad = attrs.flag("count_include_pad", true),
          .divisor = attrs.integer("divisor_override", 0)};
}

template <int axes>
void max_pool(CaseGraph& graph) {
  const PoolDesc desc = torch_desc(graph.attrs(), axes);
  if (!graph.wants("indices")) return graph.out("y", pool(Pool::max, graph.in("x"), desc));
  const MaxPoolResult result = max_pool_with_indices(graph.in("x"), desc);
  graph.out("y", result.values);
  graph.out("indices", result.indices);
}

template <int axes>
void average_pool(CaseGraph& graph) {
  graph.out("y", pool(Pool::average, graph.in("x"), torch_desc(graph.attrs(), axes)));
}

// torch takes x^p without |x| and scales partial windows up: the same where p is even and no window is partial.
void lp_pool(CaseGraph& graph) {
  const double p = graph.attrs().number("norm_type", 2);
  PoolDesc desc = torch_desc(graph.attrs(), 2);
  if (std::fmod(p, 2) != 0 || desc.ceil_mode) return graph.skip("lp_pool of an odd power, or with partial windows");
  desc.p = static_cast<float>(p);
  graph.out("y", pool(Pool::lp, graph.in("x"), desc));
}

std::vector<std::int64_t> adaptive_output(const Attrs& attrs) {
  return per_axis(attrs, "output_size", 2);
}

void adaptive_average(CaseGraph& graph) {
  graph.out("y", adaptive_pool(Pool::average, graph.in("x"), adaptive_output(graph.attrs())));
}

void adaptive_max(CaseGraph& graph) {
  const MaxPoolResult result = adaptive_max_pool_with_indices(graph.in("x"), adaptive_output(graph.attrs()));
  graph.out("y", result.values);
  if (graph.wants("indices")) graph.out("indices", result.indices);
}

// torch's output extents default to those that the windows cover.
void max_unpool2d(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x");
  const PoolDesc window = torch_desc(attrs, 2);
  std::vector<std::int64_t> output = attrs.integers("output_size");
  for (int axis = static_cast<int>(output.size()); axis < 2; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t stride = window.stride.empty() ? window.kernel[a] : window.stride[a];
    const std::int64_t padding = window.padding_begin.empty() ? 0 : window.padding_begin[a];
    output.push_back((x.dim(axis + 2) - 1) * stride - 2 * padding + window.kernel[a]);
  }
  graph.out("y", max_unpool(x, graph.in("indices"), window, output));
}

// auto_pad: as many outputs as ceil(in / stride); the odd one before (SAME_LOWER) or after (SAME_UPPER).
void apply_auto_pad(const std::string& mode, Tensor x, PoolDesc& desc) {
  if (!mode.starts_with("SAME")) return;
  const std::size_t axes = desc.kernel.size();
  desc.padding_begin.assign(axes, 0);
  desc.padding_end.assign(axes, 0);
  for (std::size_t i = 0; i < axes; ++i) {
    const std::int64_t in = x.dim(static_cast<int>(i) + 2), stride = desc.stride[i];
    const std::int64_t window = (desc.kernel[i] - 1) * (desc.dilation.empty() ? 1 : desc.dilation[i]) + 1;
    const std::int64_t total = std::max<std::int64_t>(((in + stride - 1) / stride - 1) * stride + window - in, 0);
    desc.padding_begin[i] = mode == "SAME_LOWER" ? total - total / 2 : total / 2;
    desc.padding_end[i] = total - desc.padding_begin[i];
  }
}

// ONNX's indices count over the whole tensor, or with columns first within each plane of two axes.
Tensor over_all_planes(CaseGraph& graph, Tensor indices, const Shape& x, bool columns_first) {
  const auto whole = [&](std::int64_t value) { return graph.constant({}, std::vector{static_cast<std::int32_t>(value)}); };
  if (columns_first && x.rank() == 4) {
    const Tensor width = whole(x[3]);
    indices = binary(Binary::mod, indices, width) * whole(x[2]) + indices / width;
  }
  return indices + plane_offsets(graph, x);
}

template <Pool kind>
void onnx_pool(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  PoolDesc desc{.kernel = attrs.integers("kernel_shape"),
                .stride = attrs.integers("strides"),
                .dilation = attrs.integers("dilations"),
                .ceil_mode = attrs.flag("ceil_mode"),
                .count_include_pad = attrs.flag("count_include_pad"),
                .p = static_cast<float>(attrs.number("p", 2))};
  const std::size_t axes = desc.kernel.size();
  if (desc.stride.empty()) desc.stride.assign(axes, 1);
  if (const std::vector<std::int64_t> pads = attrs.integers("pads"); pads.size() == 2 * axes) {
    const auto middle = pads.begin() + static_cast<std::ptrdiff_t>(axes);
    desc.padding_begin.assign(pads.begin(), middle);
    desc.padding_end.assign(middle, pads.end());
  }
  apply_auto_pad(attrs.text("auto_pad"), x, desc);
  if (!graph.wants_onnx(1)) return graph.out_onnx(0, pool(kind, x, desc));
  const MaxPoolResult result = max_pool_with_indices(x, desc);
  graph.out_onnx(0, result.values);
  graph.out_onnx(1, over_all_planes(graph, result.indices, x.shape(), attrs.flag("storage_order")));
}

template <Pool kind>
void onnx_global_pool(CaseGraph& graph) {
  graph.out_onnx(0, global_pool(kind, graph.onnx(0), static_cast<float>(graph.onnx_attrs().number("p", 2))));
}

constexpr Adapter adapters[] = {
    {"adaptive_avg_pool2d", adaptive_average},
    {"adaptive_max_pool2d", adaptive_max},
    {"avg_pool1d", average_pool<1>},
    {"avg_pool2d", average_pool<2>},
    {"lp_pool2d", lp_pool},
    {"max_pool1d", max_pool<1>},
    {"max_pool2d", max_pool<2>},
    {"max_pool3d", max_pool<3>},
    {"max_unpool2d", max_unpool2d},
    {"onnx.AveragePool", onnx_pool<Pool::average>},
    {"onnx.GlobalAveragePool", onnx_global_pool<Pool::average>},
    {"onnx.GlobalLpPool", onnx_global_pool<Pool::lp>},
    {"onnx.GlobalMaxPool", onnx_global_pool<Pool::max>},
    {"onnx.LpPool", onnx_pool<Pool::lp>},
    {"onnx.MaxPool", onnx_pool<Pool::max>},
};

}  // namespace

std::span<const Adapter> pool_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
