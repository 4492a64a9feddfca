// ONNX's elementwise operators beside the activations: arithmetic, comparisons, logic, casts. All floats are f32 here, so
// that a cast from one to another is the identity.

#include "tests/conformance/compose.hpp"

#include <cmath>
#include <limits>

namespace fovea::conformance {
namespace {

float attribute(CaseGraph& graph, const char* name, double otherwise) {
  return static_cast<float>(graph.onnx_attrs().number(name, otherwise));
}

bool is_integer(Tensor x) {
  return x.dtype() == DType::i32;
}

template <Unary op>
void unary_node(CaseGraph& graph) {
  graph.out_onnx(0, unary(op, graph.onnx(0)));
}

// The second operand of ONNX's arithmetic; up to opset 6 it is laid along x's axes from `axis` on.
Tensor second(CaseGraph& graph) {
  const Tensor x = graph.onnx(0), y = graph.onnx(1);
  const Attrs& attrs = graph.onnx_attrs();
  if (!attrs.flag("broadcast") || !attrs.has("axis")) return y;
  std::vector<std::int64_t> shape = extents(y);
  const std::int64_t axis = attrs.integer("axis", 0);
  while (static_cast<std::int64_t>(shape.size()) + axis < x.shape().rank()) shape.push_back(1);
  return reshape(y, shape);
}

template <Binary op>
void binary_node(CaseGraph& graph) {
  graph.out_onnx(0, binary(op, graph.onnx(0), second(graph)));
}

// Any number of operands, combined from the left.
template <Binary op>
Tensor combined(CaseGraph& graph) {
  Tensor y = graph.onnx(0);
  for (std::size_t i = 1; i < graph.onnx_operands(); ++i) y = binary(op, y, graph.onnx(i));
  return y;
}
template <Binary op>
void variadic(CaseGraph& graph) {
  graph.out_onnx(0, combined<op>(graph));
}
void mean_node(CaseGraph& graph) {
  graph.out_onnx(0, combined<Binary::add>(graph) / static_cast<float>(graph.onnx_operands()));
}

// ---- Arithmetic ---------------------------------------------------------------------------------------------------

Tensor as_float(Tensor x) {
  return is_integer(x) ? cast(x, DType::f32) : x;
}

// Of integers by way of floats: exact up to 2^24.
void pow_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0), y = binary(Binary::pow, as_float(x), as_float(second(graph)));
  graph.out_onnx(0, is_integer(x) ? cast(unary(Unary::round, y), DType::i32) : y);
}

// fmod: with the sign of the dividend.
void mod_node(CaseGraph& graph) {
  const Tensor a = graph.onnx(0), b = graph.onnx(1);
  if (!graph.onnx_attrs().flag("fmod")) return graph.out_onnx(0, binary(Binary::mod, a, b));
  const Tensor magnitude = binary(Binary::mod, unary(Unary::abs, a), unary(Unary::abs, b));
  graph.out_onnx(0, magnitude * unary(Unary::sign, a));
}

// A bound is an attribute (opset 6) or an operand, absent: none.
void clip_node(CaseGraph& graph) {
  Tensor x = graph.onnx(0);
  const Attrs& attrs = graph.onnx_attrs();
  const Tensor least = graph.has_onnx(1) ? graph.onnx(1) : attrs.has("min") ? scalar(x, attribute(graph, "min", 0)) : Tensor();
  const Tensor most = graph.has_onnx(2) ? graph.onnx(2) : attrs.has("max") ? scalar(x, attribute(graph, "max", 0)) : Tensor();
  if (least) x = binary(Binary::max, x, least);
  if (most) x = binary(Binary::min, x, most);
  graph.out_onnx(0, x);
}

void where_node(CaseGraph& graph) {
  graph.out_onnx(0, select(graph.onnx(0), graph.onnx(1), graph.onnx(2)));
}

// ---- Functions made of exp and log ---------------------------------------------------------------------------------

Tensor exp(Tensor x) {
  return unary(Unary::exp, x);
}
Tensor log(Tensor x) {
  return unary(Unary::log, x);
}
Tensor magnitude(Tensor x) {
  return unary(Unary::abs, x);
}
Tensor sign(Tensor x) {
  return unary(Unary::sign, x);
}

void acosh_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, log(x + unary(Unary::sqrt, x * x - 1.0f)));
}
void asinh_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0), a = magnitude(x);
  graph.out_onnx(0, sign(x) * log(a + unary(Unary::sqrt, a * a + 1.0f)));
}
void atanh_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, log((x + 1.0f) / (-x + 1.0f)) * 0.5f);
}
void cosh_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, (exp(x) + exp(-x)) * 0.5f);
}
void sinh_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, (exp(x) - exp(-x)) * 0.5f);
}
void tan_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, unary(Unary::sin, x) / unary(Unary::cos, x));
}

// ---- Activations --------------------------------------------------------------------------------------------------

// x above 0, scale·(e^(x/width) - 1) below.
Tensor exponential_unit(Tensor x, float scale, float width) {
  const Tensor zero = scalar(x, 0);
  return binary(Binary::max, x, zero) + unary(Unary::elu, binary(Binary::min, x, zero) / width) * scale;
}
void celu_node(CaseGraph& graph) {
  const float alpha = attribute(graph, "alpha", 1);
  graph.out_onnx(0, exponential_unit(graph.onnx(0), alpha, alpha));
}
void selu_node(CaseGraph& graph) {
  const float alpha = attribute(graph, "alpha", 1.67326319217681884765625), gamma = attribute(graph, "gamma", 1.05070102214813232421875);
  graph.out_onnx(0, exponential_unit(graph.onnx(0), alpha, 1) * gamma);
}
void softsign_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, x / (magnitude(x) + 1.0f));
}
void thresholded_relu_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, select(binary(Binary::greater, x, scalar(x, attribute(graph, "alpha", 1))), x, scalar(x, 0)));
}
void shrink_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const float bias = attribute(graph, "bias", 0), lambda = attribute(graph, "lambd", 0.5);
  const Tensor moved = x - sign(x) * bias;
  graph.out_onnx(0, select(binary(Binary::greater, magnitude(x), scalar(x, lambda)), moved, scalar(x, 0)));
}

// ---- Kinds of numbers ---------------------------------------------------------------------------------------------

void is_nan_node(CaseGraph& graph) {
  graph.out_onnx(0, binary(Binary::not_equal, graph.onnx(0), graph.onnx(0)));
}
void is_inf_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  const bool negative = graph.onnx_attrs().flag("detect_negative", true), positive = graph.onnx_attrs().flag("detect_positive", true);
  const Tensor up = binary(Binary::equal, x, scalar(x, infinity)), down = binary(Binary::equal, x, scalar(x, -infinity));
  if (!negative && !positive) return graph.skip("IsInf of neither sign");
  graph.out_onnx(0, !negative ? up : !positive ? down : binary(Binary::logical_or, up, down));
}

// ONNX's numbers of types (TensorProto.DataType) as Fovea's.
std::optional<DType> dtype_of(std::int64_t type) {
  switch (type) {
    case 1: case 10: case 11: case 16: return DType::f32;
    case 6: case 7: return DType::i32;
    case 9: return DType::boolean;
    default: return std::nullopt;
  }
}
void cast_node(CaseGraph& graph) {
  const std::optional<DType> to = dtype_of(graph.onnx_attrs().integer("to", 0));
  if (!to) return graph.skip("Cast to a type that Fovea lacks");
  graph.out_onnx(0, cast(graph.onnx(0), *to));
}
void cast_like_node(CaseGraph& graph) {
  graph.out_onnx(0, cast(graph.onnx(0), graph.onnx(1).dtype()));
}

constexpr Adapter adapters[] = {
    {"onnx.Abs", unary_node<Unary::abs>},
    {"onnx.Acosh", acosh_node},
    {"onnx.Add", binary_node<Binary::add>, 2},
    {"onnx.And", binary_node<Binary::logical_and>, 2},
    {"onnx.Asinh", asinh_node},
    {"onnx.Atanh", atanh_node},
    {"onnx.Cast", cast_node},
    {"onnx.CastLike", cast_like_node, 2},
    {"onnx.Ceil", unary_node<Unary::ceil>},
    {"onnx.Celu", celu_node},
    {"onnx.Clip", clip_node},
    {"onnx.Cos", unary_node<Unary::cos>},
    {"onnx.Cosh", cosh_node},
    {"onnx.Div", binary_node<Binary::div>, 2},
    {"onnx.Equal", binary_node<Binary::equal>, 2},
    {"onnx.Erf", unary_node<Unary::erf>},
    {"onnx.Exp", unary_node<Unary::exp>},
    {"onnx.Floor", unary_node<Unary::floor>},
    {"onnx.Greater", binary_node<Binary::greater>, 2},
    {"onnx.GreaterOrEqual", binary_node<Binary::greater_equal>, 2},
    {"onnx.IsInf", is_inf_node},
    {"onnx.IsNaN", is_nan_node},
    {"onnx.Less", binary_node<Binary::less>, 2},
    {"onnx.LessOrEqual", binary_node<Binary::less_equal>, 2},
    {"onnx.Log", unary_node<Unary::log>},
    {"onnx.Max", variadic<Binary::max>},
    {"onnx.Mean", mean_node},
    {"onnx.Min", variadic<Binary::min>},
    {"onnx.Mod", mod_node, 2},
    {"onnx.Mul", binary_node<Binary::mul>, 2},
    {"onnx.Neg", unary_node<Unary::neg>},
    {"onnx.Not", unary_node<Unary::logical_not>},
    {"onnx.Or", binary_node<Binary::logical_or>, 2},
    {"onnx.Pow", pow_node, 2},
    {"onnx.Reciprocal", unary_node<Unary::reciprocal>},
    {"onnx.Round", unary_node<Unary::round>},
    {"onnx.Selu", selu_node},
    {"onnx.Shrink", shrink_node},
    {"onnx.Sign", unary_node<Unary::sign>},
    {"onnx.Sin", unary_node<Unary::sin>},
    {"onnx.Sinh", sinh_node},
    {"onnx.Softsign", softsign_node},
    {"onnx.Sqrt", unary_node<Unary::sqrt>},
    {"onnx.Sub", binary_node<Binary::sub>, 2},
    {"onnx.Sum", variadic<Binary::add>},
    {"onnx.Tan", tan_node},
    {"onnx.ThresholdedRelu", thresholded_relu_node},
    {"onnx.Where", where_node, 3},
    {"onnx.Xor", binary_node<Binary::not_equal>, 2},
};

}  // namespace

std::span<const Adapter> onnx_elementwise_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
