// The points at which grid_sample samples for an affine transform.

#include "shaders/affine_grid.h"

#include "ops/compose.hpp"
#include "ops/vjp.hpp"
#include <fovea/ops.hpp>

namespace fovea {
namespace ops {
namespace {

struct AffineGridAttrs {
  std::vector<std::int64_t> size{};  // of the picture to be made: N, C(, D), H, W
  bool align_corners = false;
};
template <class F>
void describe(const AffineGridAttrs& attrs, F&& field) {
  field("size", attrs.size);
  field("align_corners", attrs.align_corners);
}

void infer(InferContext& context) {
  const auto& size = context.attrs.as<AffineGridAttrs>().size;
  const Shape& theta = context.shape(0);
  const DType dtype = context.dtype(0);
  if (!ir::is_float(dtype)) return context.fail("theta is ", to_string(dtype), ", not ", ir::float_types);
  if (size.size() != 4 && size.size() != 5)
    return context.fail("the size has ", size.size(), " extents, not 4 (N,C,H,W) or 5 (N,C,D,H,W)");
  const auto dims = static_cast<std::int64_t>(size.size()) - 2;
  const Shape expected{size[0], dims, dims + 1};
  if (theta != expected) return context.fail("theta is ", to_string(theta), ", not ", to_string(expected));
  std::vector<std::int64_t> grid{size[0]};
  grid.insert(grid.end(), size.begin() + 2, size.end());
  grid.push_back(dims);
  context.out = {{Shape(std::span<const std::int64_t>(grid)), dtype}};
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<AffineGridAttrs>();
  const Shape& grid = node.out(0).shape;
  shader::AffineGridSpec spec;
  spec.DIMS = u32(grid.at(-1));
  spec.ALIGN_CORNERS = attrs.align_corners;
  shader::AffineGridParams params{u32(grid.elements() / grid.at(-1)), {1, 1, 1}};
  for (int k = 0; k < grid.rank() - 2; ++k) params.size[k] = u32(grid.at(-2 - k));
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("affine_grid", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

double flops(const NodeView& node) {
  const Shape& grid = node.out(0).shape;
  return 2 * static_cast<double>(grid.elements() * grid.at(-1));  // a multiply-add an axis and coordinate
}

// grid = theta · (p, 1) over the points p of the identity: d theta = [dᵀ·p, dᵀ·1].
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<AffineGridAttrs>();
  const Shape shape = vjp.d().shape();
  const std::int64_t dims = shape.at(-1), images = shape[0];
  const CallSite site = vjp.site;
  if (shape.elements() == 0) return true;
  const Tensor d = reshape(cast(vjp.d(), DType::f32, site), {images, shape.elements() / (images * dims), dims}, site);
  std::vector<float> identity(static_cast<std::size_t>(dims * (dims + 1)), 0.0f);
  for (std::int64_t k = 0; k < dims; ++k) identity[static_cast<std::size_t>(k * (dims + 2))] = 1;
  const Tensor theta = constant(vjp.graph, {1, dims, dims + 1}, identity);
  auto size = attrs.size;
  size[0] = 1;
  const Tensor points = affine_grid(theta, Shape(std::span<const std::int64_t>(size)), {.align_corners = attrs.align_corners}, site);
  const Tensor linear = matmul(d, reshape(points, {d.shape()[1], dims}, site), {.transpose_a = true}, site);
  const Tensor shift = reshape(reduce(Reduce::sum, d, {.axes = {1}}, site), {images, dims, 1}, site);
  vjp.give(0, concat({linear, shift}, 2, site));
  return true;
}

constexpr Kernel kernels[] = {{"affine_grid", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

}  // namespace

extern constexpr OpDef affine_grid_op{.name = "affine_grid", .infer = infer, .kernels = kernels, .vjp = vjp, .flops = flops};

}  // namespace ops

Tensor affine_grid(Tensor theta, const Shape& size, const AffineGridDesc& desc, CallSite site) {
  if (theta && !size.valid())
    return ops::refuse(theta, site, "affine_grid: the size ", to_string(size), " has a negative extent or more than ", max_rank, " axes");
  const auto extents = size.extents();
  return ops::append_one(ops::affine_grid_op, {theta},
                         ir::Attrs::of(ops::AffineGridAttrs{{extents.begin(), extents.end()}, desc.align_corners}),
                         site);
}

}  // namespace fovea
