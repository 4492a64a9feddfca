// key_ranges and packed_key_ranges: the ranges of keys that attention's queries see, of lengths that are data.

#include "shaders/key_ranges.h"

#include "ops/attention.hpp"

#include <fovea/serving.hpp>

#include <algorithm>
#include <bit>

namespace fovea {
namespace ops {
namespace {

struct KeyRangesAttrs {
  KeyRangesDesc desc{};
};
template <class F>
void describe(const KeyRangesAttrs& attrs, F&& field) {
  field("queries", attrs.desc.queries);
  field("causal", attrs.desc.causal);
  field("align", attrs.desc.align);
  field("window_left", attrs.desc.window_left);
  field("window_right", attrs.desc.window_right);
}

void infer_of(InferContext& context, std::initializer_list<const char*> names) {
  const KeyRangesDesc& desc = context.attrs.as<KeyRangesAttrs>().desc;
  for (std::size_t i = 0; i < names.size(); ++i) {
    const char* name = names.begin()[i];
    if (context.dtype(i) != DType::i32) return context.fail(name, " is ", to_string(context.dtype(i)), ", not i32");
    if (context.shape(i).rank() != 1)
      return context.fail(name, " has shape ", to_string(context.shape(i)), ", not ", names.size() == 1 ? "[B]" : "[n + 1]");
  }
  if (names.size() == 2 && context.shape(1) != context.shape(0))
    return context.fail("key_starts has ", context.shape(1)[0], " elements and query_starts has ", context.shape(0)[0]);
  if (names.size() == 2 && context.shape(0)[0] == 0) return context.fail("query_starts has no element: n sequences have n + 1 starts");
  if (desc.queries < 0 || desc.queries > KEY_RANGES_MOST) return context.fail("queries is ", desc.queries, ", not in [0, 2^29]");
  if (const std::string fault = band_fault(desc.align, desc.window_left, desc.window_right); !fault.empty()) return context.fail(fault);
  context.out = {{Shape{names.size() == 1 ? context.shape(0)[0] : 1, 1, desc.queries, 2}, DType::i32}};
}
void infer(InferContext& context) { infer_of(context, {"lengths"}); }
void infer_packed(InferContext& context) { infer_of(context, {"query_starts", "key_starts"}); }

bool supports(const NodeView& node, const DeviceCaps&) { return node.out(0).shape.elements() / 2 < (std::int64_t{1} << 32) - 1024; }

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const KeyRangesDesc& desc = node.attrs<KeyRangesAttrs>().desc;
  constexpr std::int64_t beyond = 2 * std::int64_t{KEY_RANGES_MOST};  // all keys on one side
  shader::KeyRangesSpec spec;
  spec.PACKED = node.has(1);
  spec.BOTTOM_RIGHT = desc.align == CausalAlign::bottom_right;
  shader::KeyRangesParams params{};
  params.rows = u32(node.out(0).shape.elements() / 2);
  params.queries = u32(desc.queries);
  params.starts = u32(node.in(0).shape[0]);
  params.steps = static_cast<std::uint32_t>(std::bit_width(params.starts));
  params.low = static_cast<std::int32_t>(desc.window_left < 0 ? -beyond : -std::min(desc.window_left, beyond));
  params.high = static_cast<std::int32_t>(desc.window_right < 0 ? beyond - 1 : std::min(desc.window_right, beyond - 1));
  if (desc.causal) params.high = std::min(params.high, 0);
  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader("key_ranges");
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), node.has(1) ? in(1) : unused(), out(0)};
  launch.groups = flat_groups(params.rows, spec.WG, caps);
}

constexpr Kernel kernels[] = {{"key_ranges", supports, plan}};
constexpr const char* no_gradient = "its results are indices";

}  // namespace

extern constexpr OpDef key_ranges_op{
    .name = "key_ranges", .infer = infer, .operands = {"lengths"}, .kernels = kernels, .no_gradient = no_gradient};
extern constexpr OpDef packed_key_ranges_op{.name = "packed_key_ranges",
                                            .infer = infer_packed,
                                            .required_inputs = 2,
                                            .operands = {"query_starts", "key_starts"},
                                            .kernels = kernels,
                                            .no_gradient = no_gradient};

}  // namespace ops

Tensor key_ranges(Tensor lengths, const KeyRangesDesc& desc, CallSite site) {
  return ops::append_one(ops::key_ranges_op, {lengths}, ir::Attrs::of(ops::KeyRangesAttrs{desc}), site);
}

Tensor packed_key_ranges(Tensor query_starts, Tensor key_starts, const KeyRangesDesc& desc, CallSite site) {
  return ops::append_one(ops::packed_key_ranges_op, {query_starts, key_starts}, ir::Attrs::of(ops::KeyRangesAttrs{desc}), site);
}

}  // namespace fovea
