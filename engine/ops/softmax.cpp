// softmax and log_softmax along one axis, with a temperature and an optional boolean mask.

#include "ops/strided.hpp"
#include "ops/vjp.hpp"
#include "shaders/softmax.h"

#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {
namespace ops {
namespace {

struct SoftmaxAttrs {
  std::int64_t axis = -1;
  bool log = false;
  bool zero_empty_rows = false;
  float temperature = 1;

  float scale() const { return 1 / temperature; }
};
template <class F>
void describe(const SoftmaxAttrs& attrs, F&& field) {
  field("axis", attrs.axis);
  field("log", attrs.log);
  field("zero_empty_rows", attrs.zero_empty_rows);
  field("temperature", attrs.temperature);
}

std::string title(const ir::Attrs& attrs) {
  return attrs.as<SoftmaxAttrs>().log ? "log_softmax" : "softmax";
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<SoftmaxAttrs>();
  const Shape& x = context.shape(0);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  if (!ir::normalize_axis(attrs.axis, x.rank()))
    return context.fail("axis ", attrs.axis, " is out of range for x ", to_string(x));
  if (!(attrs.scale() > 0 && std::isfinite(attrs.scale())))
    return context.fail("temperature is ", attrs.temperature, ", not a positive and finite number with a reciprocal in f32");
  if (context.has(1))
    if (const std::string fault = ir::mask_fault(context.shape(1), context.dtype(1), "x", x); !fault.empty()) return context.fail(fault);
  context.out = {{x, context.dtype(0)}};
}

// Rows as the index space of all other axes, which the mask may broadcast over.
struct Rows {
  std::int64_t count = 1, n = 1, step = 1, mask_step = 0;
  StridedWalk walk;  // operand 0: x, 1: the mask

  bool dense() const {  // every row starts at a multiple of four elements
    return step == 1 && n % 4 == 0 && std::all_of(walk.strides[0].begin(), walk.strides[0].end(), [](auto stride) { return stride % 4 == 0; });
  }
};

Rows rows_of(const NodeView& node) {
  const Shape& x = node.in(0).shape;
  const auto axis = static_cast<std::size_t>(*ir::normalize_axis(node.attrs<SoftmaxAttrs>().axis, x.rank()));
  const ir::Strides strides[] = {ir::strides_of(x), node.has(1) ? ir::broadcast_strides(node.in(1).shape, x) : ir::Strides{}};
  Rows rows;
  rows.n = x[static_cast<int>(axis)];
  rows.step = strides[0][axis];
  rows.mask_step = strides[1][axis];
  Shape others = x;
  others[static_cast<int>(axis)] = 1;
  rows.count = others.elements();
  rows.walk = collapse(others, strides);
  return rows;
}

// Who shares a row.
enum class Sharing : std::uint8_t { lane, subgroup, group };

// Fours a lane: what a CPU driver compiles in some 0.3 s, and what a GPU's registers hold.
std::int64_t most_held(const DeviceCaps& caps) { return caps.type == DeviceType::cpu ? 64 : 8; }

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, Sharing sharing) {
  const auto& attrs = node.attrs<SoftmaxAttrs>();
  const Rows rows = rows_of(node);
  shader::SoftmaxSpec spec;
  const bool lane_a_row = sharing == Sharing::lane;
  // Small groups on a CPU: each is one thread's work.
  spec.WG = sharing == Sharing::subgroup ? caps.subgroup_size : lane_a_row && caps.type == DeviceType::cpu ? 32 : 128;
  spec.LANES = lane_a_row ? 1 : spec.WG;
  spec.MASK = node.has(1);
  spec.LOG = attrs.log;
  spec.ZERO_EMPTY = attrs.zero_empty_rows;
  spec.AXES = static_cast<std::uint32_t>(rows.walk.extents.size());
  spec.VEC = rows.dense();
  const auto fours = static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(rows.n), std::uint64_t{4} * spec.LANES));
  if (sharing == Sharing::subgroup && node.in(0).dtype == DType::f32 && fours <= most_held(caps)) spec.HELD = u32(fours);
  shader::SoftmaxParams params{u32(rows.count), u32(rows.n), u32(rows.step), u32(rows.mask_step), attrs.scale(), {}, {}, {}};
  for (std::size_t i = 0; i < rows.walk.extents.size(); ++i) {
    params.extents[i] = u32(rows.walk.extents[i]);
    params.strides[i] = u32(rows.walk.strides[0][i]);
    params.mask_strides[i] = u32(rows.walk.strides[1][i]);
  }
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for(sharing == Sharing::subgroup ? "softmax.subgroup" : "softmax.memory", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), node.has(1) ? in(1) : unused(), out(0)};
  launch.groups = flat_groups(rows.n == 0 ? 0 : params.rows, lane_a_row ? spec.WG : 1, caps);
}

// Of the two loops over so many elements of a row.
std::uint64_t iterations(std::int64_t elements) { return nested_loops({elements / 16 + 1}) + nested_loops({elements / 4 + 1}); }
// Several passes with the whole device on each row beat one invocation or group a row.
bool few_long_rows(const Rows& rows) { return rows.count < 16 && rows.n >= 1 << 15; }

bool supports_lane(const NodeView& node, const DeviceCaps& caps) {
  const Rows rows = rows_of(node);
  const bool cpu = caps.type == DeviceType::cpu;
  // On a GPU a lane a row is only right where neighbouring lanes read neighbouring elements, or rows are short.
  const bool fast = cpu ? rows.count >= 64 || rows.n <= 4096
                        : rows.n <= 64 || (rows.step > 1 && (rows.count >= 8192 || rows.n <= 256));
  return fast && loops_fit(caps, iterations(rows.n));
}
bool supports_group(const NodeView& node, const DeviceCaps& caps) {
  const Rows rows = rows_of(node);
  return !few_long_rows(rows) && loops_fit(caps, iterations(rows.n / 128 + 1));
}

bool supports_subgroup(const NodeView& node, const DeviceCaps& caps) {
  const Rows rows = rows_of(node);
  return caps.subgroup_size >= 2 && rows.dense() && !few_long_rows(rows) && loops_fit(caps, iterations(rows.n / caps.subgroup_size + 1));
}
bool prefers_subgroup(const NodeView& node, const DeviceCaps& caps) {
  return caps.type == DeviceType::cpu && !caps.costly_unrolling && rows_of(node).n >= 16 * std::int64_t{caps.subgroup_size};
}

template <Sharing sharing>
void plan_for(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  plan(node, caps, out, sharing);
}

constexpr Kernel kernels[] = {
    {"softmax_subgroup", supports_subgroup, plan_for<Sharing::subgroup>, prefers_subgroup},
    {"softmax_lane", supports_lane, plan_for<Sharing::lane>},
    {"softmax_group", supports_group, plan_for<Sharing::group>},
};

// Rows in which something takes part, as 0 or 1, with the axis kept; the mask's own shape otherwise.
Tensor takes_part(Tensor mask, int axis_from_end, CallSite site) {
  const Tensor some = cast(mask, DType::f32, site);
  const std::int64_t axis = mask.shape().rank() + axis_from_end;
  if (axis < 0) return some;  // the mask broadcasts along it
  return reduce(Reduce::max, some, {.axes = {axis}, .keep_dims = true}, site);
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<SoftmaxAttrs>();
  const CallSite site = builder.site;
  const int axis = *ir::normalize_axis(attrs.axis, node.in(0).shape.rank());
  Tensor x = cast(in[0], DType::f32, site);  // sums and exponentials of 16-bit types are kept in f32
  const ReduceDesc along{.axes = {axis}, .keep_dims = true};
  if (attrs.temperature != 1) x = binary(Binary::mul, x, scalar(x, attrs.scale(), site), site);
  const Tensor zero = scalar(x, 0, site), lowest = scalar(x, -std::numeric_limits<float>::infinity(), site);
  if (node.has(1)) x = select(in[1], x, lowest, site);
  const Tensor most = reduce(Reduce::max, x, along, site);
  const Tensor shifted = binary(Binary::sub, x, select(binary(Binary::equal, most, lowest, site), zero, most, site), site);
  const Tensor weights = unary(Unary::exp, shifted, site);
  const Tensor sum = reduce(Reduce::sum, weights, along, site);
  Tensor y = attrs.log ? binary(Binary::sub, shifted, unary(Unary::log, sum, site), site) : binary(Binary::div, weights, sum, site);
  const Tensor nothing = attrs.log ? lowest : zero;
  if (attrs.zero_empty_rows)
    y = select(binary(Binary::equal, sum, zero, site), nothing, y, site);
  else if (node.has(1))
    y = select(binary(Binary::equal, takes_part(in[1], axis - node.in(0).shape.rank(), site), zero, site), nothing, y, site);
  out[0] = cast(y, node.out(0).dtype, site);
  return true;
}

// dx = y·(d - Σ d·y)/temperature; of the logarithm: (d - exp(y)·Σ d)/temperature, where an empty row has no d. What is masked
// neither gives nor takes, whatever stands there.
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<SoftmaxAttrs>();
  const CallSite site = vjp.site;
  const Tensor y = cast(vjp.out(), DType::f32, site), mask = vjp.in(1);
  Tensor d = cast(vjp.d(), DType::f32, site), dx;
  const ReduceDesc along{.axes = {attrs.axis}, .keep_dims = true};
  const auto times = [&](Tensor a, Tensor b) { return binary(Binary::mul, a, b, site); };
  const auto unmasked = [&](Tensor x) { return mask ? select(mask, x, scalar(x, 0, site), site) : x; };
  d = unmasked(d);
  if (attrs.log && attrs.zero_empty_rows) {
    const Tensor most = reduce(Reduce::max, y, along, site);
    const Tensor empty = binary(Binary::equal, most, scalar(y, -std::numeric_limits<float>::infinity(), site), site);
    d = select(empty, scalar(d, 0, site), d, site);
  }
  if (attrs.log)
    dx = binary(Binary::sub, d, times(unary(Unary::exp, y, site), reduce(Reduce::sum, d, along, site)), site);
  else
    dx = times(y, binary(Binary::sub, d, reduce(Reduce::sum, times(d, y), along, site), site));
  vjp.give(0, unmasked(attrs.temperature == 1 ? dx : times(dx, scalar(dx, attrs.scale(), site))));
  return true;
}

// Subtraction, exponential, sum and product an element.
double flops(const NodeView& node) { return 4 * static_cast<double>(node.in(0).shape.elements()); }

}  // namespace

extern constexpr OpDef softmax_op{
    .name = "softmax", .infer = infer, .title = title, .decompose = decompose, .kernels = kernels, .vjp = vjp,
    .flops = flops};

}  // namespace ops

static Tensor append_softmax(Tensor x, const SoftmaxDesc& desc, bool log, CallSite site) {
  const ops::SoftmaxAttrs attrs{desc.axis, log, desc.zero_empty_rows, desc.temperature};
  return ops::append_one(ops::softmax_op, {x, desc.mask}, ir::Attrs::of(attrs), site);
}
Tensor softmax(Tensor x, const SoftmaxDesc& desc, CallSite site) { return append_softmax(x, desc, false, site); }
Tensor log_softmax(Tensor x, const SoftmaxDesc& desc, CallSite site) { return append_softmax(x, desc, true, site); }

}  // namespace fovea
