// Matrix products.

#include "tests/conformance/compose.hpp"

namespace fovea::conformance {
namespace {

void matmul_case(CaseGraph& graph) {
  graph.out("y", matmul(graph.in("a"), graph.in("b")));
}

void linear_case(CaseGraph& graph) {
  graph.out("y", linear(graph.in("x"), graph.in("weight"), graph.optional_in("bias")));
}

void einsum_case(CaseGraph& graph) {
  graph.out("y", einsum(graph.attrs().text("eq"), {graph.in("a"), graph.in("b")}));
}
void onnx_einsum(CaseGraph& graph) {
  std::vector<Tensor> operands;
  for (std::size_t i = 0; graph.has_onnx(i); ++i) operands.push_back(graph.onnx(i));
  std::string equation = graph.onnx_attrs().text("equation");
  std::erase(equation, ' ');
  if (equation.find("...") != std::string::npos) return graph.skip("Einsum with an ellipsis");
  graph.out_onnx(0, einsum(equation, operands));
}

void onnx_matmul(CaseGraph& graph) {
  graph.out_onnx(0, matmul(graph.onnx(0), graph.onnx(1)));
}

void onnx_gemm(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  Tensor c = graph.onnx(2);
  if (const double beta = attrs.number("beta", 1); c && beta != 1) c = c * static_cast<float>(beta);
  graph.out_onnx(0, matmul(graph.onnx(0), graph.onnx(1),
                           {.transpose_a = attrs.flag("transA"),
                            .transpose_b = attrs.flag("transB"),
                            .bias = c,
                            .alpha = static_cast<float>(attrs.number("alpha", 1))}));
}

constexpr Adapter adapters[] = {
    {"einsum", einsum_case},      {"linear", linear_case},  {"matmul", matmul_case},
    {"onnx.Einsum", onnx_einsum}, {"onnx.Gemm", onnx_gemm, 2}, {"onnx.MatMul", onnx_matmul, 2},
};

}  // namespace

std::span<const Adapter> product_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
