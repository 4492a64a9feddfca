// Which kernels the products take on which device, decided without one.

#include "compile/compiler.hpp"
#include "tests/support/golden.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

using namespace fovea;

namespace {

DeviceCaps cpu() {
  DeviceCaps caps;
  caps.type = DeviceType::cpu;
  caps.subgroup_size = 8;
  return caps;
}
DeviceCaps gpu() {
  DeviceCaps caps;
  caps.type = DeviceType::discrete;
  return caps;
}

// "matmul_row": the kernels of the program's dispatches, in order.
std::string kernels_of(const Graph& graph, const DeviceCaps& caps, const CompileOptions& options = {}) {
  REQUIRE(!graph.error());
  const auto program = compile::compile(graph.ir(), caps, options);
  REQUIRE_MESSAGE(program, program.error().message);
  std::string names;
  for (const auto& dispatch : program->dispatches) names += (names.empty() ? "" : " ") + dispatch.kernel;
  return names;
}

std::string matmul_kernels(Shape a, Shape b, const DeviceCaps& caps, const CompileOptions& options = {}) {
  Graph graph;
  graph.output("y", matmul(graph.input("a", a), graph.input("b", b)));
  return kernels_of(graph, caps, options);
}

}  // namespace

TEST_CASE("matmul: rows on CPUs, tiles on GPUs, and either when forced") {
  CHECK(matmul_kernels({64, 32}, {32, 64}, cpu()) == "matmul_row");
  CHECK(matmul_kernels({64, 32}, {32, 64}, gpu()) == "matmul_tile");
  CHECK(matmul_kernels({64, 32}, {32, 64}, cpu(), {.force_kernel = {"matmul=matmul_tile"}}) == "matmul_tile");
  CHECK(matmul_kernels({64, 32}, {32, 64}, gpu(), {.force_kernel = {"matmul=matmul_row"}}) == "matmul_row");
  CHECK(matmul_kernels({64, 32}, {32, 64}, gpu(), {.force_kernel = {"matmul=matmul_split"}}) == "matmul_split matmul_split");
}

TEST_CASE("matmul: K is split where results are few and it is long, and where a loop over it would be cut") {
  CHECK(matmul_kernels({4, 8192}, {8192, 4}, gpu()) == "matmul_split matmul_split");
  CHECK(matmul_kernels({1024, 8192}, {8192, 1024}, gpu()) == "matmul_tile");
  CHECK(matmul_kernels({1, 100000}, {100000, 1}, cpu()) == "matmul_split matmul_split");
  CHECK(matmul_kernels({128, 70000}, {70000, 33}, cpu()) == "matmul_row");
  DeviceCaps limited = cpu();
  limited.max_loop_iterations = 65535;
  CHECK(matmul_kernels({128, 70000}, {70000, 33}, limited) == "matmul_split matmul_split");
  CHECK(matmul_kernels({128, 60000}, {60000, 33}, limited) == "matmul_row");
}

TEST_CASE("matmul: batches that share b become rows of one product") {
  Graph graph;
  graph.output("y", matmul(graph.input("a", {16, 4, 32}), graph.input("b", {32, 16})));
  const auto program = compile::compile(graph.ir(), cpu(), {});
  REQUIRE(program);
  CHECK(program->dispatches[0].groups[0] == 2);  // 64 rows in groups of 32, one group of columns
  CHECK(program->dispatches[0].flops == 2.0 * 64 * 32 * 16);
}

TEST_CASE("conv2d: packed weights and a direct kernel; a product where the window is one pixel; columns where loops are cut") {
  const auto kernels = [](Shape x, Shape w, const DeviceCaps& caps, const Conv2dDesc& desc = {}) {
    Graph graph;
    graph.output("y", conv2d(graph.input("x", x), graph.input("w", w), desc));
    return kernels_of(graph, caps);
  };
  CHECK(kernels({1, 8, 9, 9}, {16, 8, 3, 3}, cpu()) == "conv2d_direct conv2d_direct");
  CHECK(kernels({1, 8, 9, 9}, {16, 8, 3, 3}, gpu()) == "conv2d_direct conv2d_direct");
  CHECK(kernels({1, 8, 9, 9}, {8, 1, 3, 3}, cpu(), {.groups = 8}) == "conv2d_direct");  // depthwise: as the weights are
  CHECK(kernels({2, 8, 9, 9}, {16, 8, 1, 1}, cpu()) == "matmul_row");
  CHECK(kernels({2, 8, 9, 9}, {16, 4, 1, 1}, gpu(), {.groups = 2}) == "matmul_tile");
  CHECK(kernels({2, 8, 9, 9}, {16, 8, 1, 1}, cpu(), {.stride = {1, 2}}) == "conv2d_direct conv2d_direct");
  DeviceCaps limited = cpu();
  limited.max_loop_iterations = 65535;
  const std::string columns = kernels({1, 20000, 2, 2}, {2, 20000, 2, 8}, limited, {.padding = {0, 3, 0, 4}});
  CHECK_MESSAGE(columns.ends_with("matmul_split matmul_split"), columns);
}

TEST_CASE("a product takes in the bias and the activation that alone follow it") {
  Graph graph;
  const Tensor a = graph.input("a", {2, 6, 8}), w = graph.parameter("w", {8, 4}), b = graph.parameter("b", {4});
  graph.output("y", unary(Unary::gelu, matmul(a, w) + b));
  const Tensor x = graph.input("x", {1, 3, 5, 5}), k = graph.parameter("k", {4, 3, 3, 3}), c = graph.parameter("c", {4, 1, 1});
  graph.output("z", unary(Unary::relu, c + conv2d(x, k)));
  const auto program = compile::compile(graph.ir(), cpu(), {});
  REQUIRE_MESSAGE(program, program.error().message);
  test::check_golden("program_products", compile::to_text(*program));
  const auto unfused = compile::compile(graph.ir(), cpu(), {.fuse = false});
  REQUIRE(unfused);
  CHECK(unfused->dispatches.size() == program->dispatches.size() + 4);
}

TEST_CASE("what a product cannot take in stays a launch of its own") {
  const auto kernels = [](auto build) {
    Graph graph;
    const Tensor product = matmul(graph.input("a", {6, 8}), graph.input("b", {8, 4}));
    graph.output("y", build(graph, product));
    return kernels_of(graph, cpu());
  };
  CHECK(kernels([](Graph&, Tensor p) { return p + 1.0f; }) == "matmul_row elementwise");
  CHECK(kernels([](Graph&, Tensor p) { return p + p; }) == "matmul_row elementwise");
  CHECK(kernels([](Graph&, Tensor p) { return unary(Unary::exp, p); }) == "matmul_row elementwise");
  CHECK(kernels([](Graph& g, Tensor p) { return p + g.input("c", {2, 6, 4}); }) == "matmul_row elementwise");  // grows
  CHECK(kernels([](Graph& g, Tensor p) { g.output("p", p); return unary(Unary::relu, p); }) == "matmul_row elementwise");
  CHECK(kernels([](Graph& g, Tensor p) { return unary(Unary::relu, p) + g.input("c", {4}); }) == "matmul_row elementwise");
  CHECK(kernels([](Graph& g, Tensor p) { return p + g.input("c", {4}) + g.input("d", {6, 1}); }) == "matmul_row elementwise");
  CHECK(kernels([](Graph& g, Tensor p) { return g.input("c", {6, 4}) + p; }) == "matmul_row");
}
