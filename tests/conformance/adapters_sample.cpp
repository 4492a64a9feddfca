// Sampling by a grid, regions, resizing.

#include "tests/conformance/compose.hpp"

#include <algorithm>
#include <cmath>

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

// ---- Regions ------------------------------------------------------------------------------------------------------

// torchvision: rows of (batch, x1, y1, x2, y2).
void roi_align_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor rois = graph.in("rois");
  const std::vector<std::int64_t> bins = attrs.integers("output_size");
  const Tensor batch = reshape(cast(part(rois, 1, 0, 1), DType::i32), {rois.dim(0)});
  graph.out("y", roi_align(graph.in("x"), part(rois, 1, 1, 4), batch,
                           {.bins = {bins.front(), bins.back()},
                            .scale = static_cast<float>(attrs.number("spatial_scale", 1)),
                            .samples = std::max<std::int64_t>(attrs.integer("sampling_ratio", -1), 0),
                            .aligned = attrs.flag("aligned")}));
}

void onnx_roi_align(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const char* standard = graph.onnx_opset() < 16 ? "output_half_pixel" : "half_pixel";
  graph.out_onnx(0, roi_align(graph.onnx(0), graph.onnx(1), graph.onnx(2),
                              {.bins = {attrs.integer("output_height", 1), attrs.integer("output_width", 1)},
                               .scale = static_cast<float>(attrs.number("spatial_scale", 1)),
                               .samples = attrs.integer("sampling_ratio", 0),
                               .aligned = attrs.text("coordinate_transformation_mode", standard) == "half_pixel",
                               .maximum = attrs.text("mode", "avg") == "max"}));
}

// ---- Resizing -----------------------------------------------------------------------------------------------------

Interpolation interpolation_of(const std::string& mode) {
  if (mode.find("nearest") != std::string::npos) return Interpolation::nearest;
  return mode.find("cubic") != std::string::npos ? Interpolation::cubic : Interpolation::linear;
}

// torch: nearest has places and rounding of its own, `area` is adaptive average pooling, antialiasing leaves pixels
// outside out and has another cubic.
void interpolate(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const Tensor x = graph.in("x");
  const std::string mode = attrs.text("mode");
  const auto axes = static_cast<std::size_t>(x.shape().rank() - 2);
  ResizeDesc desc{.size = attrs.integers("size"), .interpolation = interpolation_of(mode), .antialias = attrs.flag("antialias")};
  if (desc.size.size() == 1) desc.size.resize(axes, desc.size[0]);
  if (desc.size.empty()) desc.scale.assign(axes, attrs.number("scale_factor", 1));
  if (mode == "area") return graph.out("y", adaptive_pool(Pool::average, x, desc.size));
  if (attrs.flag("align_corners")) desc.coordinates = ResizeCoordinates::align_corners;
  if (mode == "nearest") desc.coordinates = ResizeCoordinates::asymmetric, desc.rounding = ResizeRounding::floor;
  if (mode == "nearest-exact") desc.rounding = ResizeRounding::prefer_ceil;
  desc.exclude_outside = desc.antialias;
  if (desc.antialias) desc.cubic_a = -0.5;
  graph.out("y", resize(x, desc));
}

// Sizes become the largest scale that keeps every extent within them (not_larger), or the smallest beyond (not_smaller).
void keep_aspect_ratio(const std::string& policy, const Shape& x, const std::vector<std::int64_t>& axes, ResizeDesc& desc) {
  if (policy == "stretch" || desc.size.empty()) return;
  std::vector<double> scales;
  for (std::size_t i = 0; i < axes.size(); ++i)
    scales.push_back(static_cast<double>(desc.size[i]) / static_cast<double>(x.at(static_cast<int>(axes[i]))));
  const double scale = policy == "not_larger" ? std::ranges::min(scales) : std::ranges::max(scales);
  for (std::size_t i = 0; i < axes.size(); ++i)
    desc.size[i] = static_cast<std::int64_t>(std::floor(scale * static_cast<double>(x.at(static_cast<int>(axes[i]))) + 0.5));
  desc.scale.assign(axes.size(), scale);
}

void onnx_resize(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  const int rank = x.shape().rank();
  ResizeDesc given{.size = graph.onnx_integers(3)};
  if (graph.has_onnx(2))
    for (float scale : graph.onnx_floats(2)) given.scale.push_back(static_cast<double>(scale));
  std::vector<std::int64_t> axes = attrs.integers("axes");
  if (axes.empty())
    for (int axis = 0; axis < rank; ++axis) axes.push_back(axis);
  keep_aspect_ratio(attrs.text("keep_aspect_ratio_policy", "stretch"), x.shape(), axes, given);

  // Of the spatial axes; those without a size or scale of their own stay.
  ResizeDesc desc{.interpolation = interpolation_of(attrs.text("mode", "nearest")),
                  .antialias = attrs.flag("antialias"),
                  .exclude_outside = attrs.flag("exclude_outside"),
                  .cubic_a = attrs.number("cubic_coeff_a", -0.75)};
  if (!given.scale.empty()) desc.scale.assign(static_cast<std::size_t>(rank - 2), 1);
  if (!given.size.empty())
    for (int axis = 2; axis < rank; ++axis) desc.size.push_back(x.dim(axis));
  for (std::size_t i = 0; i < axes.size(); ++i) {
    const std::int64_t axis = axes[i] < 0 ? axes[i] + rank : axes[i];
    if (axis < 2) continue;
    if (!given.scale.empty()) desc.scale[static_cast<std::size_t>(axis - 2)] = given.scale[i];
    if (!given.size.empty()) desc.size[static_cast<std::size_t>(axis - 2)] = given.size[i];
  }
  const std::string places = attrs.text("coordinate_transformation_mode", "half_pixel");
  if (places.starts_with("tf_")) return graph.skip("Resize by " + places);
  for (auto one : {ResizeCoordinates::half_pixel_symmetric, ResizeCoordinates::pytorch_half_pixel,
                   ResizeCoordinates::align_corners, ResizeCoordinates::asymmetric})
    if (places == to_string(one)) desc.coordinates = one;
  const std::string rounding = attrs.text("nearest_mode", "round_prefer_floor");
  if (rounding == "round_prefer_ceil") desc.rounding = ResizeRounding::prefer_ceil;
  if (rounding == "floor") desc.rounding = ResizeRounding::floor;
  if (rounding == "ceil") desc.rounding = ResizeRounding::ceil;
  graph.out_onnx(0, resize(x, desc));
}

constexpr Adapter adapters[] = {
    {"affine_grid", affine_grid_case},
    {"grid_sample", grid_sample_case},
    {"interpolate", interpolate},
    {"onnx.AffineGrid", onnx_affine_grid, 2},
    {"onnx.GridSample", onnx_grid_sample, 2},
    {"onnx.Resize", onnx_resize},
    {"onnx.RoiAlign", onnx_roi_align, 3},
    {"roi_align", roi_align_case},
};

}  // namespace

std::span<const Adapter> sample_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
