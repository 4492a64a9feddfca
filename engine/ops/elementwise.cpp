// Elementwise operators: unary, binary, select, cast, and chains of them.

#include "ops/elementwise.hpp"

#include "base/enum_name.hpp"
#include "ops/compose.hpp"
#include "ops/strided.hpp"

#include <fovea/ops.hpp>

#include <algorithm>
#include <bit>

namespace fovea {

using namespace shader;

namespace {

// "CODE_I_ADD" -> "i_add"
std::string code_name(std::uint8_t code) {
  const auto lower = [](std::string_view name) {
    std::string text(name.substr(5));
    for (char& letter : text)
      if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    return text;
  };
#define FOVEA_CODE_NAME(name, value) \
  if (code == value) return lower(#name);
  ELEMENTWISE_CODES(FOVEA_CODE_NAME)
#undef FOVEA_CODE_NAME
  return "?";
}

std::uint8_t byte(std::uint32_t value) { return static_cast<std::uint8_t>(value); }

}  // namespace

// Enumerators count in the order of the codes.
const char* to_string(Unary op) {
  static constexpr const char* names[] = {
      "neg", "abs", "sign", "exp", "log", "sqrt", "rsqrt", "reciprocal", "square", "sin", "cos", "tanh", "sigmoid",
      "relu", "gelu", "gelu_tanh", "silu", "softplus", "elu", "mish", "hardswish", "hardsigmoid", "erf", "floor",
      "ceil", "round", "logical_not", "exp2", "log2"};
  static_assert(std::size(names) == static_cast<std::size_t>(Unary::log2) + 1);
  static_assert(static_cast<uint>(Unary::log2) + CODE_NEG == CODE_LOG2);
  return enum_name(names, op);
}

const char* to_string(Binary op) {
  static constexpr const char* names[] = {"add", "sub", "mul", "div", "pow", "min", "max", "equal", "not_equal", "less",
      "less_equal", "greater", "greater_equal", "logical_and", "logical_or", "leaky_relu", "mod"};
  static_assert(std::size(names) == static_cast<std::size_t>(Binary::mod) + 1);
  static_assert(static_cast<uint>(Binary::mod) + CODE_ADD == CODE_MOD);
  return enum_name(names, op);
}

const char* to_string(Activation activation) {
  static constexpr const char* names[] = {"none", "relu", "sigmoid", "tanh", "gelu", "gelu_tanh", "silu"};
  static_assert(std::size(names) == static_cast<std::size_t>(Activation::silu) + 1);
  return enum_name(names, activation);
}

namespace ops {

int arity(std::uint8_t code) {
  if (code == CODE_SELECT) return 3;
  return (code >= CODE_ADD && code < CODE_SELECT) || code >= CODE_I_ADD ? 2 : 1;
}

namespace {

std::string register_text(const ElementwiseAttrs& attrs, std::uint8_t number) {
  if (number < ELEMENTWISE_FIRST_SCALAR) return cat('x', number);
  if (number < ELEMENTWISE_FIRST_RESULT) return cat(attrs.scalars[number - ELEMENTWISE_FIRST_SCALAR]);
  const ElementwiseStep& step = attrs.steps[number - ELEMENTWISE_FIRST_RESULT];
  std::string text = code_name(step.code) + '(';
  for (int i = 0; i < arity(step.code); ++i)
    text += (i ? ", " : "") + register_text(attrs, step.operands[static_cast<std::size_t>(i)]);
  return text + ')';
}

}  // namespace

std::string expression(const ElementwiseAttrs& attrs) {
  return register_text(attrs, byte(static_cast<uint>(ELEMENTWISE_FIRST_RESULT + attrs.steps.size() - 1)));
}

namespace {

StridedWalk walk_of(const Shape& out, std::span<const Shape> in) {
  std::vector<ir::Strides> strides;
  for (const Shape& shape : in) strides.push_back(ir::broadcast_strides(shape, out));
  return collapse(out, strides);
}

std::vector<Shape> input_shapes(const NodeView& node) {
  std::vector<Shape> shapes;
  for (std::size_t i = 0; i < node.inputs(); ++i) shapes.push_back(node.in(i).shape);
  return shapes;
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<ElementwiseAttrs>();
  Shape shape = context.shape(0);
  for (std::size_t i = 1; i < context.in.size(); ++i) {
    const auto common = ir::broadcast(shape, context.shape(i));
    if (!common)
      return context.fail("operand ", i, " has shape ", to_string(context.shape(i)), ", which does not broadcast with ",
                          to_string(shape));
    shape = *common;
  }
  context.out = {{shape, attrs.result}};
}

// A copy that converts nothing: it moves whole words, so that no NaN changes its bits on the way through a float.
bool moves_words(const NodeView& node) {
  const auto& attrs = node.attrs<ElementwiseAttrs>();
  return attrs.steps.size() == 1 && attrs.steps[0].code == CODE_COPY && node.in(0) == node.out(0);
}

bool supports(const NodeView& node, const DeviceCaps&) {
  const auto shapes = input_shapes(node);
  return fits(node.attrs<ElementwiseAttrs>(), node.out(0).shape, shapes);
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<ElementwiseAttrs>();
  const auto shapes = input_shapes(node);
  const StridedWalk walk = walk_of(node.out(0).shape, shapes);
  const std::size_t rank = walk.extents.size();

  ElementwiseSpec spec;
  spec.RANK = static_cast<uint>(rank);
  spec.INPUTS = static_cast<uint>(shapes.size());
  spec.SCALARS = static_cast<uint>(attrs.scalars.size());
  spec.STEPS = static_cast<uint>(attrs.steps.size());
  uint* steps[] = {&spec.STEP0, &spec.STEP1, &spec.STEP2, &spec.STEP3, &spec.STEP4, &spec.STEP5, &spec.STEP6, &spec.STEP7};
  for (std::size_t k = 0; k < attrs.steps.size(); ++k) {
    const auto& [code, operands] = attrs.steps[k];
    *steps[k] = code | uint{operands[0]} << 8 | uint{operands[1]} << 16 | uint{operands[2]} << 24;
  }
  const bool as_words = moves_words(node);
  if (!as_words) {
    for (std::size_t i = 0; i < shapes.size(); ++i) {
      if (node.in(i).dtype == DType::f16) spec.HALF_INPUTS |= 1u << i;
      if (node.in(i).dtype == DType::bf16) spec.BFLOAT_INPUTS |= 1u << i;
    }
    spec.HALF_OUTPUT = node.out(0).dtype == DType::f16;
    spec.BFLOAT_OUTPUT = node.out(0).dtype == DType::bf16;
  }
  const bool half = (spec.HALF_INPUTS | spec.HALF_OUTPUT | spec.BFLOAT_INPUTS | spec.BFLOAT_OUTPUT) != 0;

  ElementwiseParams params{};
  const auto elements = static_cast<std::uint64_t>(node.out(0).shape.elements());
  params.n = static_cast<uint>(as_words ? ceil_div(elements * size_of(node.out(0).dtype), 4) : elements);
  PushWords words(params.words);
  spec.DIVISOR_WORDS = words.divisor_words(rank - 1, shapes.size() * rank + attrs.scalars.size());
  for (std::size_t axis = 1; axis < rank; ++axis) words.put_divisor(walk.extents[axis], spec.DIVISOR_WORDS);
  for (const auto& strides : walk.strides)
    for (std::int64_t stride : strides) words.put(stride);
  for (float scalar : attrs.scalars) words.put(std::bit_cast<std::int32_t>(scalar));

  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader(half ? "elementwise.half" : "elementwise.word");
  launch.set_constants(spec);
  launch.set_push(params);
  for (uint i = 0; i < ELEMENTWISE_INPUTS; ++i) launch.operands.push_back(i < shapes.size() ? in(i) : unused());
  launch.operands.push_back(out(0));
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

double flops(const NodeView& node) {
  return static_cast<double>(node.out(0).shape.elements()) *
         static_cast<double>(node.attrs<ElementwiseAttrs>().steps.size());
}

constexpr Kernel kernels[] = {{"elementwise", supports, plan}};

}  // namespace

bool fits(const ElementwiseAttrs& attrs, const Shape& out, std::span<const Shape> in) {
  if (in.size() > ELEMENTWISE_INPUTS || attrs.scalars.size() > ELEMENTWISE_SCALARS ||
      attrs.steps.size() > ELEMENTWISE_STEPS)
    return false;
  const std::size_t rank = walk_of(out, in).extents.size();
  return rank - 1 + in.size() * rank + attrs.scalars.size() <= ELEMENTWISE_WORDS;
}

std::string title(const ir::Attrs& attrs) {
  const auto& steps = attrs.as<ElementwiseAttrs>().steps;
  return steps.size() == 1 ? code_name(steps[0].code) : "elementwise";
}

extern constexpr OpDef elementwise_op{
    .name = "elementwise", .infer = infer, .required_inputs = all_inputs, .title = title, .kernels = kernels,
    .vjp = elementwise_vjp, .flops = flops};

namespace {

Tensor single(std::uint8_t code, std::span<const Tensor> in, DType result, CallSite site, std::vector<float> scalars = {}) {
  ElementwiseAttrs attrs;
  attrs.result = result;
  attrs.steps[0].code = code;
  for (std::size_t i = 0; i < in.size(); ++i) attrs.steps[0].operands[i] = byte(static_cast<uint>(i));
  for (std::size_t i = 0; i < scalars.size(); ++i)
    attrs.steps[0].operands[in.size() + i] = byte(static_cast<uint>(ELEMENTWISE_FIRST_SCALAR + i));
  attrs.scalars = std::move(scalars);
  return append(elementwise_op, in, ir::Attrs::of(std::move(attrs)), site)[0];
}

}  // namespace

Tensor copy(Tensor x) {
  const Tensor in[] = {x};
  return single(CODE_COPY, in, x.dtype(), {});
}

namespace {

Tensor binary_scalar(Binary op, fovea::Operand a, float b) {
  if (a.value && !ir::is_float(a.value.dtype()))
    return refuse(a.value, a.site, to_string(op), ": a ", to_string(a.value.dtype()),
                  " tensor with a float scalar; cast the tensor first");
  const Tensor in[] = {a.value};
  return single(byte(CODE_ADD + static_cast<uint>(op)), in, a.value.dtype(), a.site, {b});
}

}  // namespace
}  // namespace ops

Tensor unary(Unary op, Tensor x, CallSite site) {
  using namespace ops;
  if (!is_enumerator(op)) return refuse(x, site, "unary: ", no_enumerator("op", op));
  const Tensor in[] = {x};
  const DType dtype = x.dtype();
  const auto code = byte(CODE_NEG + static_cast<uint>(op));
  if (op == Unary::logical_not ? dtype == DType::boolean : ir::is_float(dtype)) return single(code, in, dtype, site);
  if (dtype == DType::i32) switch (op) {
      case Unary::neg: return single(CODE_I_NEG, in, dtype, site);
      case Unary::abs: return single(CODE_I_ABS, in, dtype, site);
      case Unary::sign: return single(CODE_I_SIGN, in, dtype, site);
      case Unary::square: return single(CODE_I_SQUARE, in, dtype, site);
      case Unary::relu: return single(CODE_I_RELU, in, dtype, site);
      default: break;
    }
  return refuse(x, site, to_string(op), ": not defined for ", to_string(dtype));
}

Tensor binary(Binary op, Tensor a, Tensor b, CallSite site) {
  using namespace ops;
  if (!is_enumerator(op)) return refuse(a ? a : b, site, "binary: ", no_enumerator("op", op));
  const Tensor in[] = {a, b};
  const DType dtype = a.dtype();
  if (!a || !b) return single(byte(CODE_ADD + static_cast<uint>(op)), in, dtype, site);  // which tells of the absent one
  if (b.dtype() != dtype)
    return refuse(a, site, to_string(op), ": a is ", to_string(dtype), " and b is ", to_string(b.dtype()),
                  "; cast one of them");
  const bool logical = op == Binary::logical_and || op == Binary::logical_or;
  const bool comparison = op >= Binary::equal && op <= Binary::greater_equal;
  const bool equality = op == Binary::equal || op == Binary::not_equal;
  const auto offset = static_cast<uint>(op);
  const DType result = comparison ? DType::boolean : dtype;
  if (logical ? dtype == DType::boolean : ir::is_float(dtype)) return single(byte(CODE_ADD + offset), in, result, site);
  if (op == Binary::mod && dtype == DType::i32) return single(CODE_I_MOD, in, result, site);
  const bool arithmetic = op <= Binary::div || op == Binary::min || op == Binary::max || comparison;
  if ((dtype == DType::i32 && arithmetic) || (dtype == DType::boolean && equality)) {
    const uint skip_pow = op > Binary::pow ? 1 : 0;  // the integer codes leave pow out
    return single(byte(CODE_I_ADD + offset - skip_pow), in, result, site);
  }
  return refuse(a, site, to_string(op), ": not defined for ", to_string(dtype));
}

Tensor select(Tensor condition, Tensor a, Tensor b, CallSite site) {
  using namespace ops;
  if (nothing_to_do("select", {condition, a, b}, site)) return poisoned(condition);
  if (condition.dtype() != DType::boolean)
    return refuse(condition, site, "select: the condition is ", to_string(condition.dtype()), ", not boolean");
  if (a.dtype() != b.dtype())
    return refuse(condition, site, "select: a is ", to_string(a.dtype()), " and b is ", to_string(b.dtype()));
  const Tensor in[] = {condition, a, b};
  return single(CODE_SELECT, in, a.dtype(), site);
}

Tensor cast(Tensor x, DType to, CallSite site) {
  using namespace ops;
  const DType from = x.dtype();
  if (!is_enumerator(to)) return refuse(x, site, "cast: ", no_enumerator("the type", to));
  if (from == to) return x;
  std::uint8_t code = CODE_COPY;  // between floats: the load and the store convert
  if (ir::is_float(from) && to == DType::i32) code = CODE_F_TO_I;
  if (ir::is_float(from) && to == DType::boolean) code = CODE_F_TO_B;
  if (from == DType::i32 && ir::is_float(to)) code = CODE_I_TO_F;
  if (from == DType::i32 && to == DType::boolean) code = CODE_I_TO_B;
  if (from == DType::boolean && ir::is_float(to)) code = CODE_B_TO_F;
  const Tensor in[] = {x};
  return single(code, in, to, site);
}

Tensor scalar(Tensor like, float value, CallSite site) {
  if (!like || like.graph()->error) return {like.graph(), ir::none};
  return cast(ops::constant(*like.graph(), Shape{}, std::span(&value, 1)), like.dtype(), site);
}

Tensor operator+(Operand a, Tensor b) { return binary(Binary::add, a.value, b, a.site); }
Tensor operator-(Operand a, Tensor b) { return binary(Binary::sub, a.value, b, a.site); }
Tensor operator*(Operand a, Tensor b) { return binary(Binary::mul, a.value, b, a.site); }
Tensor operator/(Operand a, Tensor b) { return binary(Binary::div, a.value, b, a.site); }
Tensor operator+(Operand a, float b) { return ops::binary_scalar(Binary::add, a, b); }
Tensor operator-(Operand a, float b) { return ops::binary_scalar(Binary::sub, a, b); }
Tensor operator*(Operand a, float b) { return ops::binary_scalar(Binary::mul, a, b); }
Tensor operator/(Operand a, float b) { return ops::binary_scalar(Binary::div, a, b); }
Tensor operator-(Operand a) { return unary(Unary::neg, a.value, a.site); }

}  // namespace fovea
