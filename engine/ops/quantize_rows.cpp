// quantize_rows and dequantize_rows.

#include "shaders/quantize_rows.h"

#include "base/enum_name.hpp"
#include "ops/op_def.hpp"
#include "ops/quantized.hpp"

namespace fovea {

const char* to_string(Quantized kind) {
  static constexpr const char* names[] = {"none", "int8", "int4"};
  return enum_name(names, kind);
}

namespace ops {
namespace {

static_assert(QUANTIZED_INT8 == static_cast<int>(Quantized::int8) && QUANTIZED_INT4 == static_cast<int>(Quantized::int4));

struct QuantizeAttrs {
  Quantized kind = Quantized::int8;
};
template <class F>
void describe(const QuantizeAttrs& attrs, F&& field) {
  field("kind", attrs.kind);
}

bool has_kind(InferContext& context) {
  const Quantized kind = context.attrs.as<QuantizeAttrs>().kind;
  if (!is_enumerator(kind))
    context.fail(no_enumerator("kind", kind));
  else if (kind == Quantized::none)
    context.fail("kind is none, not int8 or int4");
  return context.error.empty();
}

void infer(InferContext& context) {
  if (!has_kind(context)) return;
  const Quantized kind = context.attrs.as<QuantizeAttrs>().kind;
  Shape shape = context.shape(0);
  if (!ir::is_float(context.dtype(0))) return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  if (shape.rank() == 0) return context.fail("x has shape [], and no axis of rows");
  if (shape.at(-1) % codes_a_word(kind) != 0)
    return context.fail("x ", to_string(shape), " has rows of ", shape.at(-1), ", not a multiple of the ", codes_a_word(kind), " codes in a word of ", to_string(kind));
  shape[shape.rank() - 1] = words_of_row(kind, shape.at(-1));
  context.out = {{shape, DType::i32}};
}

void infer_back(InferContext& context) {
  if (!has_kind(context)) return;
  const Quantized kind = context.attrs.as<QuantizeAttrs>().kind;
  Shape shape = context.shape(0);
  if (context.dtype(0) != DType::i32) return context.fail("words is ", to_string(context.dtype(0)), ", not i32");
  if (shape.rank() == 0) return context.fail("words has shape [], and no axis of rows");
  if (shape.at(-1) < numbers_a_row(kind))
    return context.fail("words ", to_string(shape), " has rows of ", shape.at(-1), " words, and ", to_string(kind), " begins with ", numbers_a_row(kind));
  shape[shape.rank() - 1] = size_of_row(kind, shape.at(-1));
  context.out = {{shape, DType::f32}};
}

void plan_of(const NodeView& node, const DeviceCaps& caps, const ShaderInfo* shader, const Shape& x, std::int64_t lanes, KernelPlan& plan) {
  shader::QuantizeRowsSpec spec;
  spec.QUANTIZED = static_cast<std::uint32_t>(node.attrs<QuantizeAttrs>().kind);
  const shader::QuantizeRowsParams params{u32(lanes), u32(x.at(-1))};
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader;
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

std::int64_t rows_of(const Shape& words) { return words.elements() / std::max<std::int64_t>(words.at(-1), 1); }

bool supports(const NodeView& node, const DeviceCaps& caps) {
  return node.in(0).shape.elements() < (std::int64_t{1} << 32) - 1024 && loops_fit(caps, static_cast<std::uint64_t>(3 * node.in(0).shape.at(-1)));
}
void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  plan_of(node, caps, shader_for("quantize_rows", node.in(0).dtype), node.in(0).shape, rows_of(node.out(0).shape), plan);
}
bool supports_back(const NodeView& node, const DeviceCaps&) { return node.out(0).shape.elements() < (std::int64_t{1} << 32) - 1024; }
void plan_back(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  plan_of(node, caps, find_shader("dequantize_rows"), node.out(0).shape, node.out(0).shape.elements() / 4, plan);
}

constexpr Kernel kernels[] = {{"quantize_rows", supports, plan}};
constexpr Kernel kernels_back[] = {{"dequantize_rows", supports_back, plan_back}};

}  // namespace

extern constexpr OpDef quantize_rows_op{
    .name = "quantize_rows", .infer = infer, .operands = {"x"}, .kernels = kernels, .no_gradient = "its results are codes"};
extern constexpr OpDef dequantize_rows_op{
    .name = "dequantize_rows", .infer = infer_back, .operands = {"words"}, .kernels = kernels_back, .no_gradient = "its operand is codes"};

}  // namespace ops

Tensor quantize_rows(Tensor x, Quantized kind, CallSite site) {
  return ops::append_one(ops::quantize_rows_op, {x}, ir::Attrs::of(ops::QuantizeAttrs{kind}), site);
}

Tensor dequantize_rows(Tensor words, Quantized kind, CallSite site) {
  return ops::append_one(ops::dequantize_rows_op, {words}, ir::Attrs::of(ops::QuantizeAttrs{kind}), site);
}

}  // namespace fovea
