// Sampling a picture or a volume at the points of a grid.

#include "shaders/grid_sample.h"

#include "base/enum_name.hpp"
#include "ops/grid_gradient.hpp"
#include "ops/vjp.hpp"
#include <fovea/ops.hpp>

#include <algorithm>

namespace fovea {

const char* to_string(Interpolation interpolation) {
  static constexpr const char* names[] = {"nearest", "linear", "cubic"};
  static_assert(static_cast<int>(Interpolation::linear) == SAMPLE_LINEAR &&
                static_cast<int>(Interpolation::cubic) == SAMPLE_CUBIC);
  return enum_name(names, interpolation);
}
const char* to_string(SamplePadding padding) {
  static constexpr const char* names[] = {"zeros", "border", "reflection"};
  static_assert(static_cast<int>(SamplePadding::border) == SAMPLE_BORDER &&
                static_cast<int>(SamplePadding::reflection) == SAMPLE_REFLECTION);
  return enum_name(names, padding);
}

// Beside the Desc itself, where Attrs looks for it.
template <class F>
static void describe(const GridSampleDesc& desc, F&& field) {
  field("interpolation", desc.interpolation);
  field("padding", desc.padding);
  field("align_corners", desc.align_corners);
}

namespace ops {
namespace {

void infer(InferContext& context) {
  const auto& desc = context.attrs.as<GridSampleDesc>();
  const Shape &x = context.shape(0), &grid = context.shape(1);
  const DType dtype = context.dtype(0), grid_dtype = context.dtype(1);
  if (!is_enumerator(desc.interpolation)) return context.fail(no_enumerator("interpolation", desc.interpolation));
  if (!is_enumerator(desc.padding)) return context.fail(no_enumerator("padding", desc.padding));
  if (!ir::is_float(dtype)) return context.fail("x is ", to_string(dtype), ", not ", ir::float_types);
  if (grid_dtype != DType::f32 && grid_dtype != dtype)
    return context.fail("the grid is ", to_string(grid_dtype), ", not f32 or x's ", to_string(dtype));
  if (x.rank() != 4 && x.rank() != 5) return context.fail("x ", to_string(x), " has ", x.rank(), " axes, not 4 or 5");
  const int dims = x.rank() - 2;
  if (grid.rank() != x.rank())
    return context.fail("the grid ", to_string(grid), " has ", grid.rank(), " axes and x ", to_string(x), " has ",
                        x.rank());
  if (grid[0] != x[0]) return context.fail("the grid has ", grid[0], " images at axis 0 and x has ", x[0]);
  if (grid.at(-1) != dims)
    return context.fail("the grid has ", grid.at(-1), " coordinates at axis ", grid.rank() - 1, ", not ", dims);
  if (dims == 3 && desc.interpolation == Interpolation::cubic)
    return context.fail("cubic interpolation is for 2-D alone");
  for (int axis = 2; axis < x.rank(); ++axis)
    if (x[axis] == 0) return context.fail("axis ", axis, " of x ", to_string(x), " is empty: nothing to sample");
  Shape y = x;
  for (int axis = 2; axis < x.rank(); ++axis) y[axis] = grid[axis - 1];
  context.out = {{y, dtype}};
}

std::int64_t positions_of(const NodeView& node) {
  const Shape& y = node.out(0).shape;
  std::int64_t positions = 1;
  for (int axis = 2; axis < y.rank(); ++axis) positions *= y[axis];
  return positions;
}

// Channels that one invocation samples. Many, for the coordinates to cost little; fewer where there are not positions
// enough to fill the device.
std::int64_t block_of(std::int64_t images, std::int64_t channels, std::int64_t positions, const DeviceCaps& caps) {
  constexpr std::int64_t most = 64;
  const std::int64_t wanted = caps.type == DeviceType::cpu ? 1024 : 65536;  // invocations
  const std::int64_t blocks = wanted / std::max<std::int64_t>(images * positions, 1);
  return std::clamp<std::int64_t>(channels / std::max<std::int64_t>(blocks, 1), 1, most);
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& desc = node.attrs<GridSampleDesc>();
  const auto& [x, dtype] = node.in(0);
  shader::GridSampleSpec spec;
  spec.DIMS = u32(x.rank() - 2);
  spec.INTERPOLATION = static_cast<shader::uint>(desc.interpolation);
  spec.PADDING = static_cast<shader::uint>(desc.padding);
  spec.ALIGN_CORNERS = desc.align_corners;
  spec.HALF_GRID = node.in(1).dtype != DType::f32;

  const std::int64_t positions = positions_of(node), block = block_of(x[0], x[1], positions, caps);
  const auto blocks =
      static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(x[1]), static_cast<std::uint64_t>(block)));
  shader::GridSampleParams params{};
  params.n = u32(x[0] * blocks * positions);
  params.positions = u32(positions);
  params.channels = u32(x[1]);
  params.blocks = u32(blocks);
  params.block = u32(block);
  for (int k = 0; k < 3; ++k) params.size[k] = x.rank() - k > 2 ? u32(x.at(-1 - k)) : 1;

  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("grid_sample", dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

// A multiply-add a tap and channel; finding texels and weights is shared among channels and not counted.
double flops(const NodeView& node) {
  const auto& desc = node.attrs<GridSampleDesc>();
  if (desc.interpolation == Interpolation::nearest) return 0;
  const double along = desc.interpolation == Interpolation::cubic ? 4 : 2;
  const double taps = along * along * (node.in(0).shape.rank() == 5 ? along : 1);
  return 2 * taps * static_cast<double>(node.out(0).shape.elements());
}

bool vjp(Vjp& vjp) {
  const auto& desc = vjp.attrs<GridSampleDesc>();
  const Shape x = vjp.in_shape(0);
  if (vjp.d().shape().elements() == 0) return true;
  if (vjp.wants(0)) vjp.give(0, grid_to_texels(vjp.d(), vjp.in(1), desc, x.extents().subspan(2), vjp.site));
  if (vjp.wants(1) && desc.interpolation != Interpolation::nearest)  // which does not change but in steps
    vjp.give(1, grid_to_points(vjp.in(0), vjp.in(1), vjp.d(), desc, vjp.site));
  return true;
}

constexpr Kernel kernels[] = {{"grid_sample", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

}  // namespace

extern constexpr OpDef grid_sample_op{
    .name = "grid_sample", .infer = infer, .required_inputs = all_inputs, .operands = {"x", "grid"},
    .kernels = kernels, .vjp = vjp, .flops = flops};

}  // namespace ops

Tensor grid_sample(Tensor x, Tensor grid, const GridSampleDesc& desc, CallSite site) {
  return ops::append_one(ops::grid_sample_op, {x, grid}, ir::Attrs::of(desc), site);
}

}  // namespace fovea
