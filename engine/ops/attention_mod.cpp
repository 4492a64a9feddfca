// attention_mod: an author's modification on stored scores, and attention_mod_gradient, what its gradient is made of.

#include "ops/attention_mod.hpp"
#include "ops/vjp.hpp"
#include "shaders/attention.h"

namespace fovea {

const std::vector<ModBuffer>& AttentionMod::buffers() const {
  static const std::vector<ModBuffer> none;
  return source_ ? source_->facts().buffers : none;
}

void append_text(std::string& out, const AttentionMod& mod) {
  if (mod) out += ops::facts_of(mod).text;
}

namespace ops {
namespace {

using namespace shader;

struct ModAttrs {
  AttentionMod mod{};
  std::int64_t mode = 0, site = 0;  // of shaders/attention.h; site from 1
  std::int64_t axes = 15;           // along which the result has the scores' extents
  std::array<std::int64_t, 4> scores{};
};
template <class F>
void describe(const ModAttrs& attrs, F&& field) {
  field("mod", attrs.mod);
  field("mode", attrs.mode);
  field("site", attrs.site);
  field("axes", attrs.axes);
  field("scores", attrs.scores);
}

constexpr std::uint32_t first_buffer = 2;  // operands: scores, d, buffers

Shape along(std::int64_t axes, const Shape& scores) {
  Shape shape = scores;
  for (int axis = 0; axis < 4; ++axis)
    if ((axes >> axis & 1) == 0) shape[axis] = 1;
  return shape;
}
Shape shape_of(const std::array<std::int64_t, 4>& extents) { return {extents[0], extents[1], extents[2], extents[3]}; }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<ModAttrs>();
  context.out = {{along(attrs.axes, shape_of(attrs.scores)), attrs.mode == ATTENTION_MOD_INDEX ? DType::i32 : DType::f32}};
}

bool supports(const NodeView& node, const DeviceCaps&) { return node.out(0).shape.elements() < (std::int64_t{1} << 32) - 1024; }

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<ModAttrs>();
  AttentionSpec spec;
  spec.WG = 64, spec.MODE = u32(attrs.mode), spec.SITE = u32(attrs.site), spec.FULL_AXES = u32(attrs.axes);
  AttentionParams params{};
  params.key_heads = 1, params.pairs = u32(attrs.scores[0]), params.heads = u32(attrs.scores[1]);
  params.queries = u32(attrs.scores[2]), params.keys = u32(attrs.scores[3]);
  Launch& launch = plan.launches.emplace_back();
  launch.shader = attrs.mod.source()->shader("attention_mod");
  launch.set_constants(spec);
  launch.set_push(params);
  const bool reads_scores = attrs.mode <= ATTENTION_MOD_SITE, reads_d = attrs.mode == ATTENTION_MOD_SLOPE || attrs.mode == ATTENTION_MOD_SITE;
  launch.operands = {reads_scores ? in(0) : unused(), reads_d ? in(1) : unused(), out(0)};
  bind_mod(launch, node, attrs.mod, first_buffer);
  launch.groups = flat_groups(static_cast<std::uint64_t>(node.out(0).shape.elements()), spec.WG, caps);
}
constexpr Kernel kernels[] = {{"attention_mod", supports, plan}};

Tensor append_mod(const OpDef& op, const ModCall& call, std::int64_t mode, std::int64_t site, Tensor scores, Tensor d) {
  ModAttrs attrs{call.mod, mode, site, 15, {call.scores[0], call.scores[1], call.scores[2], call.scores[3]}};
  if (mode == ATTENTION_MOD_INDEX) attrs.axes = facts_of(call.mod).sites[static_cast<std::size_t>(site) - 1].axes;
  std::vector<Tensor> in{scores, d};
  in.insert(in.end(), call.buffers.begin(), call.buffers.end());
  return append(op, in, ir::Attrs::of(attrs), call.site)[0];
}

bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<ModAttrs>();
  const ModFacts& facts = facts_of(attrs.mod);
  if (!mod_has_gradient(vjp, attrs.mod, first_buffer)) return true;
  const bool factor = attrs.mode == ATTENTION_MOD_FACTOR;
  const Shape scores = shape_of(attrs.scores);
  std::vector<Tensor> buffers;
  for (std::size_t n = 0; n < facts.buffers.size(); ++n) buffers.push_back(vjp.in(first_buffer + n));
  const ModCall call{attrs.mod, scores, buffers, vjp.site};
  const Tensor d = cast(vjp.d(), DType::f32, vjp.site), x = vjp.in(0);
  if (!factor && vjp.wants(0)) vjp.give(0, mod_slope(call, x, d));
  std::vector<Taken> taken;
  for (std::size_t s = 0; s < facts.sites.size(); ++s)
    if (facts.sites[s].of_factor == factor && vjp.wants(first_buffer + facts.sites[s].buffer)) taken.push_back({s, mod_read(call, s, factor ? d : x, d)});
  give_to_buffers(vjp, call, first_buffer, taken);
  return true;
}

}  // namespace

std::string mod_fault(const InferContext& context, const AttentionMod& mod, std::size_t first) {
  const std::vector<ModBuffer>& buffers = mod.buffers();
  const std::size_t given = context.in.size() > first ? context.in.size() - first : 0;
  if (given != buffers.size()) return cat("mod reads ", buffers.size(), " buffers and mod_buffers has ", given);
  for (std::size_t n = 0; n < buffers.size(); ++n) {
    const std::string name = cat("mod_buffers[", n, "] (", buffers[n].name, ')');
    if (!context.has(first + n)) return cat(name, " is ", ir::absent);
    const Shape& shape = context.shape(first + n);
    if (context.dtype(first + n) != buffers[n].dtype)
      return cat(name, " is ", to_string(context.dtype(first + n)), ", not ", to_string(buffers[n].dtype));
    if (shape.rank() != buffers[n].axes) return cat(name, " has shape ", to_string(shape), ", not ", buffers[n].axes, " axes");
    if (shape.elements() == 0) return cat(name, " has shape ", to_string(shape), " and nothing to read");
    if (shape.elements() > INT32_MAX) return cat(name, " has shape ", to_string(shape), ", more than 2^31 - 1 elements");
  }
  return {};
}

void bind_mod(Launch& launch, const NodeView& node, const AttentionMod& mod, std::uint32_t first) {
  static_assert(sizeof(AttentionSpec) / 4 == ATTENTION_MOD_EXTENTS);
  if (!mod) return;
  for (std::uint32_t n = 0; n < mod.buffers().size(); ++n) {
    const Shape& shape = node.in(first + n).shape;
    for (int axis = 0; axis < shape.rank(); ++axis) launch.constants.push_back(u32(shape[axis]));
    launch.operands.push_back(in(first + n));
  }
  launch.keeps = mod.source();
}

bool mod_has_gradient(Vjp& vjp, const AttentionMod& mod, std::size_t first) {
  if (!mod) return true;
  const ModFacts& facts = facts_of(mod);
  std::string why = facts.no_gradient;
  for (std::size_t n = 0; n < facts.no_buffer_gradient.size(); ++n)
    if (why.empty() && vjp.wants(first + n)) why = facts.no_buffer_gradient[n];
  if (!why.empty()) vjp.graph.fail(cat("attention has no gradient: ", why), vjp.site, ErrorCode::unsupported);
  return why.empty();
}

Shape mod_site_shape(const ModSite& site, const Shape& scores) { return along(site.axes, scores); }

Tensor mod_scores(const ModCall& call, Tensor scores) { return append_mod(attention_mod_op, call, ATTENTION_MOD_SCORE, 0, scores, {}); }
Tensor mod_factor(const ModCall& call, Tensor any) { return append_mod(attention_mod_op, call, ATTENTION_MOD_FACTOR, 0, any, {}); }
Tensor mod_slope(const ModCall& call, Tensor scores, Tensor d) {
  return append_mod(attention_mod_gradient_op, call, ATTENTION_MOD_SLOPE, 0, scores, d);
}
Tensor mod_read(const ModCall& call, std::size_t site, Tensor scores, Tensor d) {
  const Tensor each = append_mod(attention_mod_gradient_op, call, ATTENTION_MOD_SITE, static_cast<std::int64_t>(site) + 1, scores, d);
  return sum_to(each, mod_site_shape(facts_of(call.mod).sites[site], call.scores), call.site);
}

void give_to_buffers(Vjp& vjp, const ModCall& call, std::size_t first, std::span<const Taken> taken) {
  for (std::size_t buffer = 0; buffer < call.buffers.size(); ++buffer) {
    const Shape shape = call.buffers[buffer].shape();  // a copy: the graph grows
    Tensor sum;
    for (const Taken& part : taken) {
      if (facts_of(call.mod).sites[part.site].buffer != buffer) continue;
      if (!sum) sum = filled(vjp.graph, {Shape{shape.elements()}, DType::f32}, 0, call.site);
      const std::int64_t reads[] = {part.gradient.shape().elements()};
      const auto number = static_cast<std::int64_t>(part.site) + 1;
      const Tensor index = append_mod(attention_mod_gradient_op, call, ATTENTION_MOD_INDEX, number, part.gradient, {});
      sum = scatter_add(sum, reshape(index, reads, call.site), reshape(part.gradient, reads, call.site), 0, call.site);
    }
    if (sum) vjp.give(first + buffer, reshape(sum, shape.extents(), call.site));
  }
}

extern constexpr OpDef attention_mod_op{.name = "attention_mod", .infer = infer, .kernels = kernels, .vjp = vjp};
extern constexpr OpDef attention_mod_gradient_op{
    .name = "attention_mod_gradient", .infer = infer, .kernels = kernels, .no_gradient = "it is a gradient itself, and has no second one"};

}  // namespace ops
}  // namespace fovea
