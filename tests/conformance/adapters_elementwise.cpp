// Activations, gates, selection, losses.

#include "tests/conformance/compose.hpp"

#include <cmath>

namespace fovea::conformance {
namespace {

template <Unary op>
void unary_case(CaseGraph& graph) {
  graph.out("y", unary(op, graph.in("x")));
}

template <Unary op>
void onnx_unary(CaseGraph& graph) {
  graph.out_onnx(0, unary(op, graph.onnx(0)));
}

// The first half of an axis, gated by the second.
void glu(CaseGraph& graph) {
  const Tensor x = graph.in("x");
  const std::int64_t dim = graph.attrs().integer("dim", -1), axis = dim < 0 ? dim + x.shape().rank() : dim;
  const std::int64_t half = x.dim(static_cast<int>(axis)) / 2;
  graph.out("y", part(x, axis, 0, half) * sigmoid(part(x, axis, half, half)));
}

// Beyond the threshold torch gives x itself, which is softplus(x) in single precision.
void softplus(CaseGraph& graph) {
  const auto beta = static_cast<float>(graph.attrs().number("beta", 1));
  graph.out("y", unary(Unary::softplus, graph.in("x") * beta) / beta);
}

void onnx_elu(CaseGraph& graph) {
  const Tensor x = graph.onnx(0), zero = scalar(x, 0);
  const auto alpha = static_cast<float>(graph.onnx_attrs().number("alpha", 1));
  graph.out_onnx(0, binary(Binary::max, x, zero) + unary(Unary::elu, binary(Binary::min, x, zero)) * alpha);
}

void onnx_gelu(CaseGraph& graph) {
  const bool approximate = graph.onnx_attrs().text("approximate") == "tanh";
  graph.out_onnx(0, unary(approximate ? Unary::gelu_tanh : Unary::gelu, graph.onnx(0)));
}

void onnx_hard_sigmoid(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  const Tensor line =
      x * static_cast<float>(attrs.number("alpha", 0.2)) + static_cast<float>(attrs.number("beta", 0.5));
  graph.out_onnx(0, binary(Binary::max, binary(Binary::min, line, scalar(x, 1)), scalar(x, 0)));
}

void onnx_leaky_relu(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const auto alpha = static_cast<float>(graph.onnx_attrs().number("alpha", 0.01));
  graph.out_onnx(0, binary(Binary::leaky_relu, x, scalar(x, alpha)));
}

// Before opset 7 the slopes are the channels'.
void onnx_prelu(CaseGraph& graph) {
  const Tensor x = graph.onnx(0), slope = graph.onnx(1);
  const bool by_channel = graph.onnx_opset() < 7 && slope.shape().elements() != 1;
  graph.out_onnx(0, binary(Binary::leaky_relu, x, by_channel ? per_channel(slope, x) : slope));
}

void onnx_swish(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  graph.out_onnx(0, x * sigmoid(x * static_cast<float>(graph.onnx_attrs().number("alpha", 1))));
}

void onnx_swiglu(CaseGraph& graph) {
  graph.out_onnx(0, unary(Unary::silu, graph.onnx(0)) * graph.onnx(1));
}

void gate(CaseGraph& graph) {
  graph.out("y", graph.in("x") * sigmoid(graph.in("g")));
}

void where(CaseGraph& graph) {
  graph.out("y", select(graph.in("c"), graph.in("a"), graph.in("b")));
}

Reduction reduction_of(CaseGraph& graph) {
  const std::string name = graph.attrs().text("reduction");
  return name == "sum" ? Reduction::sum : name == "none" ? Reduction::none : Reduction::mean;
}

void mse_case(CaseGraph& graph) {
  graph.out("y", mse_loss(graph.in("x"), graph.in("t"), {reduction_of(graph)}));
}

void cross_entropy_case(CaseGraph& graph) {
  graph.out("y", cross_entropy(graph.in("x"), graph.in("t"), {.reduction = reduction_of(graph)}));
}

constexpr Adapter adapters[] = {
    {"F.cross_entropy", cross_entropy_case},
    {"F.mse_loss", mse_case},
    {"gelu", unary_case<Unary::gelu>},
    {"gelu_tanh", unary_case<Unary::gelu_tanh>},
    {"glu", glu},
    {"hardsigmoid", unary_case<Unary::hardsigmoid>},
    {"hardswish", unary_case<Unary::hardswish>},
    {"onnx.Elu", onnx_elu},
    {"onnx.Gelu", onnx_gelu},
    {"onnx.HardSigmoid", onnx_hard_sigmoid},
    {"onnx.HardSwish", onnx_unary<Unary::hardswish>},
    {"onnx.LeakyRelu", onnx_leaky_relu},
    {"onnx.Mish", onnx_unary<Unary::mish>},
    {"onnx.PRelu", onnx_prelu, 2},
    {"onnx.Relu", onnx_unary<Unary::relu>},
    {"onnx.Sigmoid", onnx_unary<Unary::sigmoid>},
    {"onnx.Softplus", onnx_unary<Unary::softplus>},
    {"onnx.SwiGLU", onnx_swiglu, 2},
    {"onnx.Swish", onnx_swish},
    {"onnx.Tanh", onnx_unary<Unary::tanh>},
    {"relu", unary_case<Unary::relu>},
    {"sigmoid", unary_case<Unary::sigmoid>},
    {"silu", unary_case<Unary::silu>},
    {"softplus", softplus},
    {"tanh", unary_case<Unary::tanh>},
    {"torch.where", where},
    {"x*sigmoid(g)", gate},
};

}  // namespace

std::span<const Adapter> elementwise_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
