// Elementwise operators of random graphs.

#include "tests/conformance/fuzz/maker.hpp"
#include <fovea/ops.hpp>

#include <algorithm>

namespace fovea::conformance {
namespace {

constexpr double inverse_root_two = 0.70710678118654752440, two_over_root_pi = 1.12837916709551257390;

// Series and polynomials of Fovea's own, of several roundings: absolute near zero, where a difference with 1 may stand.
template <class T>
T composed(T x, double value, double slope) {
  return function(x, value, slope, 16, std::abs(value) + std::min(1.0, std::abs(x.exact())));
}

template <class T>
T hyperbolic_tangent(T x) {
  const double y = std::tanh(x.exact());
  return composed(x, y, 1 - y * y);
}

template <class T>
T sigmoid(T x) {
  const double z = x.exact(), y = z < 0 ? std::exp(z) / (1 + std::exp(z)) : 1 / (1 + std::exp(-z));
  return function(x, y, y / (1 + std::exp(z)), 16 + 4 * std::abs(z), y);
}

template <class T>
T softplus(T x) {
  const double z = x.exact();
  return composed(x, std::max(z, 0.0) + std::log1p(std::exp(-std::abs(z))), 1 / (1 + std::exp(-z)));
}

template <class T>
T gelu(T x) {
  const double z = x.exact(), cdf = std::erfc(-z * inverse_root_two) / 2;
  return composed(x, z * cdf, cdf + z * std::exp(-z * z / 2) * inverse_root_two * two_over_root_pi / 2);
}

template <class T>
T within_six(T x) {
  return smaller(larger(x + 3, T(0)), T(6));
}

constexpr std::string_view everywhere = "neg|abs|exp|square|sin|cos|tanh|sigmoid|relu|gelu|gelu_tanh|silu|softplus|elu|mish|"
                                        "hardswish|hardsigmoid|erf|exp2|";

bool propose_unary(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const std::string op = maker.word(node, "op");
  node.attributes.set("op", op);
  const bool anywhere = everywhere.find(op + "|") != everywhere.npos;
  return anywhere || maker.within(node.in[0], 0.125, 16) || (op == "reciprocal" && maker.within(node.in[0], -16, -0.125));
}

bool propose_binary(Maker& maker, Node& node) {
  node.in = {maker.pick(), maker.pick()};
  const std::string op = maker.word(node, "op");
  node.attributes.set("op", op);
  return op != "div" || maker.within(node.in[1], 0.25, 16) || maker.within(node.in[1], -16, -0.25);
}

template <class T>
T apply_binary(std::string_view op, T a, T b) {
  if (op == "add") return a + b;
  if (op == "sub") return a - b;
  if (op == "mul") return a * b;
  if (op == "div") return a / b;
  if (op == "min") return smaller(a, b);
  if (op == "max") return larger(a, b);
  return a < T(0) ? b * a : a;  // leaky_relu
}

constexpr Operator operators[] = {
    {"unary", 1, 1,
     "op:Unary:neg|abs|exp|square|sin|cos|tanh|sigmoid|relu|gelu|gelu_tanh|silu|softplus|elu|mish|hardswish|hardsigmoid|erf|exp2|"
     "log|sqrt|rsqrt|reciprocal|log2",
     propose_unary,
     [](const Node& node, std::span<const Tensor> in) { return unary(named(node.attributes.word("op", ""), Unary::log2), in[0]); },
     [](const Node& node, const auto& in) {
       auto y = in[0];
       for (auto& value : y.values) value = apply_unary(node.attributes.word("op", "log2"), value);
       return y;
     },
     "unary($op, $0)"},
    {"binary", 2, 2, "op:Binary:add|sub|mul|div|min|max|leaky_relu", propose_binary,
     [](const Node& node, std::span<const Tensor> in) {
       return binary(named(node.attributes.word("op", ""), Binary::leaky_relu), in[0], in[1]);
     },
     [](const Node& node, const auto& in) {
       const Shape shape = common_shape(in[0].shape, in[1].shape);
       ArrayOf<decltype(in)> y(shape);
       for (std::int64_t i = 0; i < y.size(); ++i) {
         const auto index = test::unflatten(i, shape);
         y[i] = apply_binary(node.attributes.word("op", "leaky_relu"), in[0][test::broadcast_offset(index, in[0].shape)],
                             in[1][test::broadcast_offset(index, in[1].shape)]);
       }
       return y;
     },
     "binary($op, $0, $1)"},
    {"choose", 4, 4, "",
     [](Maker& maker, Node& node) {
       node.in = {maker.pick(), maker.pick(), maker.pick(), maker.pick()};
       return true;
     },
     [](const Node&, std::span<const Tensor> in) { return select(binary(Binary::greater, in[0], in[1]), in[2], in[3]); },
     [](const Node&, const auto& in) {
       Shape shape = in[0].shape;
       for (const auto& one : in) shape = common_shape(shape, one.shape);
       ArrayOf<decltype(in)> y(shape);
       for (std::int64_t i = 0; i < y.size(); ++i) {
         const auto index = test::unflatten(i, shape);
         const auto at = [&](std::size_t k) { return in[k][test::broadcast_offset(index, in[k].shape)]; };
         y[i] = at(0) > at(1) ? at(2) : at(3);
       }
       return y;
     },
     "select(binary(Binary::greater, $0, $1), $2, $3)"},
    {"scale", 1, 1, "by",
     [](Maker& maker, Node& node) {
       node.in = {maker.pick()};
       node.attributes.set("by", static_cast<double>(maker.number(-8, 8)) / 4);
       return true;
     },
     [](const Node& node, std::span<const Tensor> in) { return in[0] * static_cast<float>(node.attributes.number("by", 1)); },
     [](const Node& node, const auto& in) {
       auto y = in[0];
       for (auto& value : y.values) value *= ElementOf<decltype(in)>(static_cast<float>(node.attributes.number("by", 1)));
       return y;
     },
     "$0 * float($by)"}};

}  // namespace

std::span<const Operator> elementwise_operators() { return operators; }

template <class T>
T apply_unary(std::string_view op, T x) {
  const double z = x.exact();
  if (op == "none") return x;
  if (op == "neg") return -x;
  if (op == "abs") return magnitude(x);
  if (op == "exp") return exponential(x);
  if (op == "exp2") return function(x, std::exp2(z), std::exp2(z) * std::log(2.0), 2 * (3 + 2 * std::abs(z)), std::exp2(z));
  if (op == "log") return logarithm(x);
  if (op == "log2") return logarithm(x) * (1 / std::log(2.0));
  if (op == "sqrt") return root(x);
  if (op == "rsqrt") return function(x, 1 / std::sqrt(z), -0.5 / (z * std::sqrt(z)), 9, 1 / std::sqrt(z));
  if (op == "reciprocal") return T(1) / x;
  if (op == "square") return x * x;
  if (op == "sin") return composed(x, std::sin(z), std::cos(z));
  if (op == "cos") return function(x, std::cos(z), -std::sin(z), 16, 1);
  if (op == "tanh") return hyperbolic_tangent(x);
  if (op == "sigmoid") return sigmoid(x);
  if (op == "relu") return larger(T(0), x);
  if (op == "gelu") return gelu(x);
  if (op == "gelu_tanh") return x * 0.5 * (hyperbolic_tangent((x + x * x * x * 0.044715) * (two_over_root_pi * inverse_root_two)) + 1);
  if (op == "silu") return x * sigmoid(x);
  if (op == "softplus") return softplus(x);
  if (op == "elu") return z > 0 ? x : composed(x, std::expm1(z), std::exp(z));
  if (op == "mish") return x * hyperbolic_tangent(softplus(x));
  if (op == "hardswish") return x * within_six(x) / 6;
  if (op == "hardsigmoid") return within_six(x) / 6;
  return composed(x, std::erf(z), two_over_root_pi * std::exp(-z * z));  // erf
}
template Exact apply_unary(std::string_view op, Exact x);
template Single apply_unary(std::string_view op, Single x);

}  // namespace fovea::conformance
