// Running sums along an axis.

#include "shaders/cumulative_sum.h"

#include "ops/vjp.hpp"

#include <algorithm>

namespace fovea {

// Beside the Desc itself, where Attrs looks for it.
template <class F>
static void describe(const CumulativeSumDesc& desc, F&& field) {
  field("axis", desc.axis);
  field("exclusive", desc.exclusive);
  field("reverse", desc.reverse);
}

namespace ops {
namespace {

void infer(InferContext& context) {
  const auto& desc = context.attrs.as<CumulativeSumDesc>();
  const auto& [x, dtype] = *context.in[0];
  if (!ir::is_float(dtype)) return context.fail("x is ", to_string(dtype), ", not ", ir::float_types);
  if (!ir::normalize_axis(desc.axis, x.rank())) return context.fail("axis ", desc.axis, " is out of range for x ", to_string(x));
  context.out = {{x, dtype}};
}

struct Rows {
  std::int64_t count, n, inner;
};
Rows rows_of(const NodeView& node) {
  const Shape& x = node.in(0).shape;
  const int axis = *ir::normalize_axis(node.attrs<CumulativeSumDesc>().axis, x.rank());
  Rows rows{1, x[axis], 1};
  for (int k = 0; k < x.rank(); ++k) rows.count *= k == axis ? 1 : x[k];
  for (int k = axis + 1; k < x.rank(); ++k) rows.inner *= x[k];
  return rows;
}

void add_launch(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, std::uint32_t stage, std::int64_t chunk,
                std::initializer_list<LaunchOperand> operands) {
  const Rows rows = rows_of(node);
  const auto& desc = node.attrs<CumulativeSumDesc>();
  shader::CumulativeSumSpec spec;
  // Small groups on a CPU: each is one thread's work.
  spec.WG = caps.type == DeviceType::cpu ? 32 : 128;
  spec.STAGE = stage;
  spec.EXCLUSIVE = desc.exclusive;
  spec.REVERSE = desc.reverse;
  const auto chunks = static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(rows.n), static_cast<std::uint64_t>(chunk)));
  const bool by_row = stage == CUMULATIVE_WHOLE || stage == CUMULATIVE_STARTS;
  const shader::CumulativeSumParams params{u32(rows.n == 0 ? 0 : by_row ? rows.count : rows.count * chunks), u32(rows.n),
                                           u32(rows.inner), u32(chunk), u32(chunks)};
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("cumulative_sum", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = operands;
  launch.groups = flat_groups(params.invocations, spec.WG, caps);
}

constexpr std::int64_t least_chunk = 256;
std::int64_t chunk_of(const Rows& rows) { return std::max(least_chunk, rows.n / 1024); }

bool supports_row(const NodeView& node, const DeviceCaps& caps) {
  const Rows rows = rows_of(node);
  const bool few = rows.n > 4 * least_chunk && rows.count < (caps.type == DeviceType::cpu ? 64 : 4096);
  return !few && loops_fit(caps, nested_loops({rows.n}));
}
void plan_row(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  add_launch(node, caps, plan, CUMULATIVE_WHOLE, std::max<std::int64_t>(rows_of(node).n, 1),
             {in(0), unused(), unused(Access::write), out(0)});
}

bool supports_chunks(const NodeView& node, const DeviceCaps& caps) {
  const Rows rows = rows_of(node);
  return rows.n > least_chunk && loops_fit(caps, nested_loops({std::max<std::int64_t>(chunk_of(rows), 1024 + 1)}));
}
void plan_chunks(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const Rows rows = rows_of(node);
  const std::int64_t chunk = chunk_of(rows);
  const std::uint64_t bytes = static_cast<std::uint64_t>(rows.count) * ceil_div(static_cast<std::uint64_t>(rows.n), static_cast<std::uint64_t>(chunk)) * 4;
  plan.scratch_bytes = {bytes, bytes};
  add_launch(node, caps, plan, CUMULATIVE_TOTALS, chunk, {in(0), unused(), scratch_write(0), unused(Access::write)});
  add_launch(node, caps, plan, CUMULATIVE_STARTS, chunk, {unused(), scratch_read(0), scratch_write(1), unused(Access::write)});
  add_launch(node, caps, plan, CUMULATIVE_CHUNKS, chunk, {in(0), scratch_read(1), unused(Access::write), out(0)});
}

// Element i is in every sum from there on: the same sums from the other end.
bool vjp(Vjp& vjp) {
  CumulativeSumDesc desc = vjp.attrs<CumulativeSumDesc>();
  desc.reverse = !desc.reverse;
  vjp.give(0, cumulative_sum(vjp.d(), desc, vjp.site));
  return true;
}

double flops(const NodeView& node) { return static_cast<double>(node.in(0).shape.elements()); }

constexpr Kernel kernels[] = {{"cumulative_sum_row", supports_row, plan_row},
                              {"cumulative_sum_chunks", supports_chunks, plan_chunks}};

}  // namespace

extern constexpr OpDef cumulative_sum_op{
    .name = "cumulative_sum", .infer = infer, .kernels = kernels, .vjp = vjp, .flops = flops};

}  // namespace ops

Tensor cumulative_sum(Tensor x, const CumulativeSumDesc& desc, CallSite site) {
  return ops::append_one(ops::cumulative_sum_op, {x}, ir::Attrs::of(desc), site);
}

}  // namespace fovea
