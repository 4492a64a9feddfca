// Sampling by a grid.

#include "tests/conformance/compose.hpp"

namespace fovea::conformance {
namespace {

GridSampleDesc sample_desc(const Attrs& attrs) {
  const std::string mode = attrs.text("mode", "bilinear"), padding = attrs.text("padding_mode", "zeros");
  GridSampleDesc desc{.align_corners = attrs.flag("align_corners")};
  if (mode == "nearest") desc.interpolation = Interpolation::nearest;
  if (mode == "bicubic" || mode == "cubic") desc.interpolation = Interpolation::cubic;
  if (padding == "border") desc.padding = SamplePadding::border;
  if (padding == "reflection") desc.padding = SamplePadding::reflection;
  return desc;
}

void grid_sample_case(CaseGraph& graph) {
  graph.out("y", grid_sample(graph.in("x"), graph.in("grid"), sample_desc(graph.attrs())));
}

void onnx_grid_sample(CaseGraph& graph) {
  graph.out_onnx(0, grid_sample(graph.onnx(0), graph.onnx(1), sample_desc(graph.onnx_attrs())));
}

Shape shape_of(const std::vector<std::int64_t>& extents) {
  return Shape(std::span<const std::int64_t>(extents));
}

void affine_grid_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  graph.out("y", affine_grid(graph.in("theta"), shape_of(attrs.integers("size")),
                             {.align_corners = attrs.flag("align_corners")}));
}

void onnx_affine_grid(CaseGraph& graph) {
  graph.out_onnx(0, affine_grid(graph.onnx(0), shape_of(graph.onnx_integers(1)),
                                {.align_corners = graph.onnx_attrs().flag("align_corners")}));
}

constexpr Adapter adapters[] = {
    {"affine_grid", affine_grid_case},
    {"grid_sample", grid_sample_case},
    {"onnx.AffineGrid", onnx_affine_grid},
    {"onnx.GridSample", onnx_grid_sample},
};

}  // namespace

std::span<const Adapter> sample_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
