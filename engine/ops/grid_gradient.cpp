#include "ops/grid_gradient.hpp"

#include "ops/vjp.hpp"
#include "shaders/grid_gradient.h"

#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>

namespace fovea::ops {
namespace {

struct GridGradientAttrs {
  GridSampleDesc desc{};
  std::vector<std::int64_t> size{};  // of grid_to_texels: the picture's spatial extents
};
template <class F>
void describe(const GridGradientAttrs& attrs, F&& field) {
  field("interpolation", attrs.desc.interpolation);
  field("padding", attrs.desc.padding);
  field("align_corners", attrs.desc.align_corners);
  field("size", attrs.size);
}

// Both operators are appended with shapes that grid_sample has checked.
void infer_texels(InferContext& context) {
  const auto& size = context.attrs.as<GridGradientAttrs>().size;
  std::vector<std::int64_t> extents{context.shape(0)[0], context.shape(0)[1]};
  extents.insert(extents.end(), size.begin(), size.end());
  context.out = {{Shape{std::span<const std::int64_t>(extents)}, context.dtype(0)}};
}
void infer_points(InferContext& context) { context.out = {{context.shape(1), DType::f32}}; }

std::int64_t positions_of(const Shape& grid) {
  std::int64_t positions = 1;
  for (int axis = 1; axis + 1 < grid.rank(); ++axis) positions *= grid[axis];
  return positions;
}

shader::GridGradientSpec spec_of(const NodeView& node) {
  const auto& desc = node.attrs<GridGradientAttrs>().desc;
  shader::GridGradientSpec spec;
  spec.DIMS = u32(node.in(1).shape.at(-1));
  spec.INTERPOLATION = static_cast<shader::uint>(desc.interpolation);
  spec.PADDING = static_cast<shader::uint>(desc.padding);
  spec.ALIGN_CORNERS = desc.align_corners;
  spec.HALF_GRID = node.in(1).dtype != DType::f32;
  return spec;
}

// x: the picture, given or made.
shader::GridGradientParams params_of(const NodeView& node, const Shape& x) {
  const std::int64_t positions = positions_of(node.in(1).shape);
  shader::GridGradientParams params{};
  params.positions = u32(positions);
  params.channels = u32(x[1]);
  // As many tiles as positions in one: a texel tests every box, and reads the tiles of a few.
  params.tile = std::max(32u, u32(std::llround(std::sqrt(static_cast<double>(positions)))));
  params.tiles = u32(static_cast<std::int64_t>(ceil_div(params.positions, params.tile)));
  for (int k = 0; k < 3; ++k) params.size[k] = x.rank() - k > 2 ? u32(x.at(-1 - k)) : 1;
  return params;
}

// ---- To texels ----------------------------------------------------------------------------------------------------

bool supports_texels(const NodeView& node, const DeviceCaps& caps) {
  const auto params = params_of(node, node.out(0).shape);
  return loops_fit(caps, nested_loops({params.tiles, params.tile}));
}

void plan_texels(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const Shape& x = node.out(0).shape;
  const DType dtype = node.in(0).dtype;
  shader::GridGradientSpec spec = spec_of(node);
  shader::GridGradientParams params = params_of(node, x);
  spec.BLOCK = std::clamp(params.channels, 1u, 8u);
  params.blocks = u32(static_cast<std::int64_t>(ceil_div(params.channels, spec.BLOCK)));
  const auto launch = [&](const char* shader, std::uint32_t n, std::vector<LaunchOperand> operands) {
    Launch& one = plan.launches.emplace_back();
    params.n = n;
    one.shader = shader_for(shader, dtype);
    one.set_constants(spec);
    one.set_push(params);
    one.operands = std::move(operands);
    one.groups = flat_groups(n, spec.WG, caps);
  };
  const std::uint32_t tiles = u32(x[0]) * params.tiles;
  plan.scratch_bytes = {std::max<std::uint64_t>(1, tiles) * GRID_BOUND_WORDS * 4};
  launch("grid_bounds", tiles, {scratch_write(0), in(1)});
  const std::int64_t texels = std::int64_t{params.size[0]} * params.size[1] * params.size[2];
  launch("grid_to_texels", u32(x[0] * params.blocks * texels), {in(0), in(1), scratch_read(0), out(0)});
}

// The positions in two halves, for a device that ends loops early.
bool decompose_texels(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<GridGradientAttrs>();
  const Shape grid = in[1].shape();
  if (positions_of(grid) < 64) return false;
  int axis = 1;
  while (grid[axis] < 2) ++axis;
  const auto part = [&](std::int64_t start, std::int64_t stop) {
    const Tensor dy = slice(in[0], {.axis = axis + 1, .start = start, .stop = stop}, builder.site);
    const Tensor points = slice(in[1], {.axis = axis, .start = start, .stop = stop}, builder.site);
    return grid_to_texels(cast(dy, DType::f32, builder.site), cast(points, DType::f32, builder.site), attrs.desc, attrs.size,
                          builder.site);
  };
  const Tensor sum = binary(Binary::add, part(0, grid[axis] / 2), part(grid[axis] / 2, grid[axis]), builder.site);
  out[0] = cast(sum, in[0].dtype(), builder.site);
  return true;
}

bool vjp_texels(Vjp& vjp) {
  const auto& desc = vjp.attrs<GridGradientAttrs>().desc;
  if (vjp.wants(0)) vjp.give(0, grid_sample(vjp.d(), vjp.in(1), desc, vjp.site));
  if (vjp.wants(1)) vjp.give(1, grid_to_points(vjp.d(), vjp.in(1), vjp.in(0), desc, vjp.site));
  return true;
}

// ---- To points ----------------------------------------------------------------------------------------------------

bool supports_points(const NodeView& node, const DeviceCaps& caps) {
  return loops_fit(caps, nested_loops({node.in(0).shape[1]}));
}

void plan_points(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const shader::GridGradientSpec spec = spec_of(node);
  shader::GridGradientParams params = params_of(node, node.in(0).shape);
  params.n = u32(node.in(1).shape[0]) * params.positions;
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("grid_to_points", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), in(2), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

constexpr Kernel texel_kernels[] = {{"grid_to_texels", supports_texels, plan_texels}};
constexpr Kernel point_kernels[] = {{"grid_to_points", supports_points, plan_points}};

}  // namespace

extern constexpr OpDef grid_to_texels_op{.name = "grid_to_texels", .infer = infer_texels, .required_inputs = all_inputs,
                                         .decompose = decompose_texels, .kernels = texel_kernels, .vjp = vjp_texels};
extern constexpr OpDef grid_to_points_op{.name = "grid_to_points", .infer = infer_points, .required_inputs = all_inputs,
                                         .kernels = point_kernels,
                                         .no_gradient = "second derivatives of a sampler in its grid are not written"};

Tensor grid_to_texels(Tensor dy, Tensor grid, const GridSampleDesc& desc, std::span<const std::int64_t> size, CallSite site) {
  return append_one(grid_to_texels_op, {dy, grid}, ir::Attrs::of(GridGradientAttrs{desc, {size.begin(), size.end()}}), site);
}
Tensor grid_to_points(Tensor x, Tensor grid, Tensor dy, const GridSampleDesc& desc, CallSite site) {
  return append_one(grid_to_points_op, {x, grid, dy}, ir::Attrs::of(GridGradientAttrs{desc, {}}), site);
}

}  // namespace fovea::ops
