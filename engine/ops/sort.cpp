// Order along an axis: sort, argsort, top_k.

#include "shaders/sort.h"

#include "ops/scatter.hpp"
#include "ops/vjp.hpp"

#include <algorithm>

namespace fovea {
namespace ops {
namespace {

struct SortAttrs {
  std::int64_t axis = -1;
  std::int64_t k = -1;  // how many come out
  bool descending = false;
  bool all = true;  // come out: k does not count
};
template <class F>
void describe(const SortAttrs& attrs, F&& field) {
  field("axis", attrs.axis);
  field("k", attrs.k);
  field("descending", attrs.descending);
  field("all", attrs.all);
}

std::string title(const ir::Attrs& attrs) { return attrs.as<SortAttrs>().all ? "sort" : "top_k"; }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<SortAttrs>();
  auto [y, dtype] = *context.in[0];
  if (!ir::is_float(dtype) && dtype != DType::i32) return context.fail("x is ", to_string(dtype), ", not i32, ", ir::float_types);
  const auto axis = ir::normalize_axis(attrs.axis, y.rank());
  if (!axis) return context.fail("axis ", attrs.axis, " is out of range for x ", to_string(y));
  if (!attrs.all && (attrs.k < 0 || attrs.k > y[*axis]))
    return context.fail("k is ", attrs.k, ", and axis ", *axis, " of x ", to_string(y), " has ", y[*axis]);
  if (!attrs.all) y[*axis] = attrs.k;
  context.out = {{y, dtype}, {y, DType::i32}};
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<SortAttrs>();
  const auto& [x, dtype] = node.in(0);
  const int axis = *ir::normalize_axis(attrs.axis, x.rank());
  const std::int64_t n = x[axis], keep = node.out(0).shape[axis], rows = n == 0 ? 0 : x.elements() / n;
  if (rows == 0 || keep == 0) return;
  std::int64_t inner = 1;
  for (int k = axis + 1; k < x.rank(); ++k) inner *= x[k];

  shader::SortSpec spec;
  spec.DESCENDING = attrs.descending;
  spec.INTEGER = dtype == DType::i32;
  spec.BFLOAT = dtype == DType::bf16;
  const auto runs_of = [&](std::int64_t covers) { return (n + covers - 1) / covers; };
  // Launch 0 makes the first runs; launch l merges those of covers into those of 2 covers.
  std::int64_t covers = SORT_RUN;
  for (std::uint32_t level = 0;; ++level) {
    const bool merges = level > 0;
    const std::int64_t next = merges ? 2 * covers : covers;
    shader::SortParams params{};
    params.n = u32(n);
    params.inner = u32(inner);
    params.keep = u32(keep);
    params.covers = u32(covers);
    params.runs = u32(runs_of(covers));
    params.slots = u32(std::min(covers, keep));
    params.next_runs = u32(runs_of(next));
    params.next_slots = u32(std::min(next, keep));
    params.invocations = merges ? u32(rows * runs_of(covers) * std::min(covers, keep)) : u32(rows * n);
    spec.MERGE = merges;
    spec.LAST = params.next_runs == 1;
    if (!spec.LAST) {  // two scratch buffers in turn
      const auto bytes = static_cast<std::uint64_t>(rows) * params.next_runs * params.next_slots * 8;
      if (level < 2) plan.scratch_bytes.push_back(0);
      plan.scratch_bytes[level % 2] = std::max(plan.scratch_bytes[level % 2], bytes);
    }

    Launch& launch = plan.launches.emplace_back();
    launch.shader = find_shader(size_of(dtype) == 2 ? "sort.half" : "sort.word");
    launch.set_constants(spec);
    launch.set_push(params);
    launch.operands = {merges && !spec.LAST ? unused() : in(0), merges ? scratch_read((level - 1) % 2) : unused(),
                       spec.LAST ? unused(Access::write) : scratch_write(level % 2),
                       spec.LAST ? out(0) : unused(Access::write), spec.LAST ? out(1) : unused(Access::write)};
    launch.groups = flat_groups(params.invocations, spec.WG, caps);
    if (spec.LAST) return;
    covers = next;
  }
}

bool vjp(Vjp& vjp) {
  if (!vjp.d(0)) return true;
  const std::int64_t axis = *ir::normalize_axis(vjp.attrs<SortAttrs>().axis, vjp.in_shape(0).rank());
  vjp.give(0, scatter_onto({}, vjp.out(1), vjp.d(0), {.axis = axis, .extent = vjp.in_shape(0)[static_cast<int>(axis)]}, vjp.site));
  return true;
}

constexpr Kernel kernels[] = {{"sort", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

Sorted append_sort(Tensor x, const SortAttrs& attrs, CallSite site) {
  const auto results = append(sort_op, std::span(&x, 1), ir::Attrs::of(attrs), site);
  return {results[0], results[1]};
}

}  // namespace

extern constexpr OpDef sort_op{.name = "sort", .infer = infer, .title = title, .kernels = kernels, .vjp = vjp};

}  // namespace ops

Sorted sort(Tensor x, const SortDesc& desc, CallSite site) {
  return ops::append_sort(x, {.axis = desc.axis, .descending = desc.descending}, site);
}
Tensor argsort(Tensor x, const SortDesc& desc, CallSite site) { return sort(x, desc, site).indices; }

Sorted top_k(Tensor x, const TopKDesc& desc, CallSite site) {
  return ops::append_sort(x, {desc.axis, desc.k, desc.largest, false}, site);
}

}  // namespace fovea
