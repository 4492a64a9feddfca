// Layout: no arithmetic, so every element must come out as it went in.

#include "tests/conformance/compose.hpp"

#include <algorithm>

namespace fovea::conformance {
namespace {

void cat(CaseGraph& graph) {
  std::vector<Tensor> parts;
  for (const char* name : {"a", "b", "c", "d"}) {
    if (const Tensor x = graph.optional_in(name)) parts.push_back(x);
  }
  graph.out("y", concat(parts, graph.attrs().integer("dim", 0)));
}

PadMode pad_mode(const std::string& name) {
  if (name == "reflect") return PadMode::reflect;
  if (name == "replicate" || name == "edge") return PadMode::replicate;
  if (name == "circular" || name == "wrap") return PadMode::circular;
  return PadMode::constant;
}

// torch lists the pairs from the innermost axis on, Fovea up to it.
void torch_pad(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const std::vector<std::int64_t> flat = attrs.integers("pad");
  PadDesc desc{.mode = pad_mode(attrs.text("mode", "constant")), .value = static_cast<float>(attrs.number("value", 0))};
  for (std::size_t i = 0; i + 1 < flat.size(); i += 2)
    desc.amounts.insert(desc.amounts.begin(), {flat[i], flat[i + 1]});
  graph.out("y", pad(graph.in("x"), desc));
}

std::vector<int> order_of(const std::vector<std::int64_t>& axes) {
  return {axes.begin(), axes.end()};
}

void permute_case(CaseGraph& graph) {
  graph.out("y", permute(graph.in("x"), order_of(graph.attrs().integers("dims"))));
}

// [N,C·r²,H,W] -> [N,C,H·r,W·r]: channel c·r² + i·r + j goes to row i and column j of its block.
Tensor depth_to_space(Tensor x, std::int64_t r) {
  const std::int64_t n = x.dim(0), c = x.dim(1) / (r * r), h = x.dim(2), w = x.dim(3);
  return reshape(permute(reshape(x, {n, c, r, r, h, w}), {0, 1, 4, 2, 5, 3}), {n, c, h * r, w * r});
}

void pixel_shuffle(CaseGraph& graph) {
  graph.out("y", depth_to_space(graph.in("x"), graph.attrs().integer("upscale_factor", 1)));
}

void onnx_depth_to_space(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  const std::int64_t r = attrs.integer("blocksize", 1);
  if (attrs.text("mode", "DCR") == "CRD") return graph.out_onnx(0, depth_to_space(x, r));
  const std::int64_t n = x.dim(0), c = x.dim(1) / (r * r), h = x.dim(2), w = x.dim(3);
  graph.out_onnx(0, reshape(permute(reshape(x, {n, r, r, c, h, w}), {0, 3, 4, 1, 5, 2}), {n, c, h * r, w * r}));
}

void onnx_space_to_depth(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const std::int64_t r = graph.onnx_attrs().integer("blocksize", 1);
  const std::int64_t n = x.dim(0), c = x.dim(1), h = x.dim(2) / r, w = x.dim(3) / r;
  graph.out_onnx(0, reshape(permute(reshape(x, {n, c, h, r, w, r}), {0, 3, 5, 1, 2, 4}), {n, r * r * c, h, w}));
}

Tensor slice_axes(Tensor x, const std::vector<std::int64_t>& axes, const std::vector<std::int64_t>& starts,
                  const std::vector<std::int64_t>& stops, const std::vector<std::int64_t>& steps) {
  for (std::size_t i = 0; i < starts.size(); ++i) {
    x = slice(x, {.axis = axes.empty() ? static_cast<std::int64_t>(i) : axes[i],
                  .start = starts[i],
                  .stop = stops[i],
                  .step = steps.empty() ? 1 : steps[i]});
  }
  return x;
}

void slice_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  graph.out("y", slice_axes(graph.in("x"), attrs.integers("dims"), attrs.integers("starts"), attrs.integers("stops"),
                            attrs.integers("steps")));
}

void onnx_slice(CaseGraph& graph) {
  const Attrs& attrs = graph.onnx_attrs();  // before opset 10
  if (!graph.has_onnx(1)) return graph.out_onnx(0, slice_axes(graph.onnx(0), attrs.integers("axes"), attrs.integers("starts"), attrs.integers("ends"), {}));
  graph.out_onnx(0, slice_axes(graph.onnx(0), graph.onnx_integers(3), graph.onnx_integers(1), graph.onnx_integers(2),
                               graph.onnx_integers(4)));
}

// One number for both axes, or one each.
std::array<std::int64_t, 2> pair_of(const Attrs& attrs, const char* key, std::int64_t otherwise) {
  const std::vector<std::int64_t> values = attrs.integers(key);
  if (values.empty()) return {otherwise, otherwise};
  return {values.front(), values.back()};
}

void unfold_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const auto padding = pair_of(attrs, "padding", 0);
  graph.out("y", unfold(graph.in("x"), {.kernel = pair_of(attrs, "kernel_size", 1),
                                        .stride = pair_of(attrs, "stride", 1),
                                        .dilation = pair_of(attrs, "dilation", 1),
                                        .padding = {padding[0], padding[1], padding[0], padding[1]}}));
}

void onnx_concat(CaseGraph& graph) {
  std::vector<Tensor> parts;
  for (std::size_t i = 0; graph.has_onnx(i); ++i) parts.push_back(graph.onnx(i));
  graph.out_onnx(0, concat(parts, graph.onnx_attrs().integer("axis", 0)));
}

void onnx_pad(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const Attrs& attrs = graph.onnx_attrs();
  // All that come before, then all that come after; an attribute before opset 11.
  const std::vector<std::int64_t> flat = graph.has_onnx(1) ? graph.onnx_integers(1) : attrs.integers("pads");
  if (graph.has_onnx(3)) return graph.skip("Pad over chosen axes");
  PadDesc desc{.mode = pad_mode(attrs.text("mode", "constant")), .value = static_cast<float>(attrs.number("value", 0))};
  for (std::size_t i = 0; i < flat.size() / 2; ++i) desc.amounts.push_back({flat[i], flat[i + flat.size() / 2]});
  if (const std::vector<float> value = graph.onnx_floats(2); !value.empty()) desc.value = value[0];
  graph.out_onnx(0, pad(x, desc));
}

void onnx_transpose(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  std::vector<int> order = order_of(graph.onnx_attrs().integers("perm"));
  if (order.empty()) {
    for (int axis = x.shape().rank(); axis-- > 0;) order.push_back(axis);
  }
  graph.out_onnx(0, permute(x, order));
}

constexpr Adapter adapters[] = {
    {"F.pad", torch_pad},
    {"F.pixel_shuffle", pixel_shuffle},
    {"F.unfold", unfold_case},
    {"onnx.Concat", onnx_concat},
    {"onnx.DepthToSpace", onnx_depth_to_space},
    {"onnx.Pad", onnx_pad},
    {"onnx.Slice", onnx_slice},
    {"onnx.SpaceToDepth", onnx_space_to_depth},
    {"onnx.Transpose", onnx_transpose},
    {"permute", permute_case},
    {"slice", slice_case},
    {"torch.cat", cat},
};

}  // namespace

std::span<const Adapter> layout_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
