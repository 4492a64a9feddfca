// Numbers by chance: Philox, and what is drawn with it.

#include "shaders/random.h"

#include "base/enum_name.hpp"
#include "ir/broadcast.hpp"
#include "ops/compose.hpp"
#include "ops/random_state.hpp"

#include <fovea/autodiff.hpp>

#include <cmath>

namespace fovea {

const char* to_string(Random kind) {
  static constexpr const char* names[] = {"bits", "uniform", "normal", "gumbel"};
  static_assert(static_cast<int>(Random::uniform) == RANDOM_UNIFORM && static_cast<int>(Random::gumbel) == RANDOM_GUMBEL);
  return enum_name(names, kind);
}

namespace ops {
namespace {

struct RandomAttrs {
  Random kind = Random::uniform;
  std::int64_t stream = 0;
  std::vector<std::int64_t> shape{};
};
template <class F>
void describe(const RandomAttrs& attrs, F&& field) {
  field("kind", attrs.kind);
  field("stream", attrs.stream);
  field("shape", attrs.shape);
}

std::string title(const ir::Attrs& attrs) { return cat("random ", to_string(attrs.as<RandomAttrs>().kind)); }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<RandomAttrs>();
  if (const std::string fault = state_fault(context.shape(0), context.dtype(0)); !fault.empty()) return context.fail("the ", fault);
  if (attrs.stream < 0 || attrs.stream > INT32_MAX) return context.fail("stream ", attrs.stream, " is out of range");
  context.out = {{Shape(std::span<const std::int64_t>(attrs.shape)), attrs.kind == Random::bits ? DType::i32 : DType::f32}};
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<RandomAttrs>();
  shader::RandomSpec spec;
  spec.KIND = static_cast<shader::uint>(attrs.kind);
  const shader::RandomParams params{u32(node.out(0).shape.elements()), u32(attrs.stream)};
  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader("random");
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), out(0)};
  launch.groups = flat_groups(ceil_div(params.n, 4), spec.WG, caps);
}

constexpr Kernel kernels[] = {{"random", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

}  // namespace

extern constexpr OpDef random_op{
    .name = "random", .infer = infer, .operands = {"state"}, .title = title, .kernels = kernels, .no_gradient = "its numbers are drawn, from a state of integers"};

}  // namespace ops

// Whether the state is one; its graph is told where it is not.
static bool is_state(const char* op, Tensor state, CallSite site) {
  const std::string fault = ops::state_fault(state.shape(), state.dtype());
  if (!fault.empty()) ops::refuse(state, site, op, ": the ", fault);
  return fault.empty();
}

Tensor random(Random kind, Tensor state, const Shape& shape, const RandomDesc& desc, CallSite site) {
  if (ops::nothing_to_do("random", {state}, site)) return ops::poisoned(state);
  if (!is_enumerator(kind)) return ops::refuse(state, site, "random: ", no_enumerator("kind", kind));
  if (!shape.valid())
    return ops::refuse(state, site, "random ", to_string(kind), ": the shape ", to_string(shape),
                       " has a negative extent or more than ", max_rank, " axes");
  const auto extents = shape.extents();
  return ops::append_one(ops::random_op, {state}, ir::Attrs::of(ops::RandomAttrs{kind, desc.stream, {extents.begin(), extents.end()}}), site);
}

Tensor bernoulli(Tensor state, const Shape& shape, float probability, const RandomDesc& desc, CallSite site) {
  if (ops::nothing_to_do("bernoulli", {state}, site) || !is_state("bernoulli", state, site)) return ops::poisoned(state);
  const Tensor u = random(Random::uniform, state, shape, desc, site);
  if (!(probability >= 0 && probability <= 1)) return ops::refuse(u, site, "bernoulli: probability ", probability, " is not in [0, 1]");
  return binary(Binary::less, u, scalar(u, probability, site), site);
}

// logits + gumbel noise, in f32.
static Tensor perturbed(Tensor logits, Tensor state, std::int64_t stream, CallSite site) {
  const Tensor noise = random(Random::gumbel, state, logits.shape(), {stream}, site);
  return binary(Binary::add, cast(logits, DType::f32, site), noise, site);
}

// Whether logits [..., K] with K > 0, a state, and a mask that broadcasts to them; the graph is told where it is not so.
static bool check_choice(const char* op, Tensor logits, Tensor state, Tensor mask, CallSite site) {
  if (ops::nothing_to_do(op, {logits, state, mask ? mask : logits}, site)) return false;
  if (!is_state(op, state, site) || !ops::are_real(op, {{"logits", logits}}, site)) return false;
  const auto refuse = [&](const auto&... why) { return ops::refuse(logits, site, op, ": ", why...), false; };
  if (logits.shape().rank() == 0 || logits.dim(-1) == 0) return refuse("logits ", to_string(logits.shape()), " have no classes");
  const std::string fault = mask ? ir::mask_fault(mask.shape(), mask.dtype(), "the logits", logits.shape()) : std::string();
  return fault.empty() || refuse(fault);
}

Tensor categorical(Tensor logits, Tensor state, const CategoricalDesc& desc, CallSite site) {
  if (!check_choice("categorical", logits, state, desc.mask, site)) return ops::poisoned(logits);
  return reduce(Reduce::argmax, perturbed(logits, state, desc.stream, site), {.axes = {-1}, .mask = desc.mask}, site);
}

Tensor gumbel_softmax(Tensor logits, Tensor state, const GumbelSoftmaxDesc& desc, CallSite site) {
  if (!check_choice("gumbel_softmax", logits, state, desc.mask, site)) return ops::poisoned(logits);
  if (!(desc.temperature > 0 && std::isfinite(desc.temperature)))
    return ops::refuse(logits, site, "gumbel_softmax: temperature ", desc.temperature, " is not a positive finite number");
  const Tensor noisy = perturbed(logits, state, desc.stream, site);
  const Tensor soft = cast(softmax(noisy, {.mask = desc.mask, .temperature = desc.temperature}, site), logits.dtype(), site);
  if (!desc.hard || logits.graph()->error) return soft;
  const Tensor chosen = one_hot(reduce(Reduce::argmax, noisy, {.axes = {-1}, .mask = desc.mask}, site), logits.dim(-1), site);
  return straight_through(cast(chosen, logits.dtype(), site), soft, site);
}

Tensor dropout(Tensor x, Tensor state, float p, const RandomDesc& desc, CallSite site) {
  if (ops::nothing_to_do("dropout", {x, state}, site)) return ops::poisoned(x);
  if (!is_state("dropout", state, site) || !ops::are_real("dropout", {{"x", x}}, site)) return ops::poisoned(x);
  if (!(p >= 0 && p <= 1)) return ops::refuse(x, site, "dropout: p ", p, " is not in [0, 1]");
  const Tensor kept = bernoulli(state, x.shape(), 1 - p, desc, site);
  return select(kept, fovea::Operand(x, site) * (p < 1 ? 1 / (1 - p) : 0.0f), scalar(x, 0, site), site);
}

}  // namespace fovea
