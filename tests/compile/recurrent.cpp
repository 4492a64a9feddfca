// What a scan of a recurrent layer costs, counted without a device.

#include "compile/compiler.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <chrono>

using namespace fovea;

namespace {

DeviceCaps caps_with(std::uint32_t storage_buffers) {
  DeviceCaps caps;
  caps.max_storage_buffers = storage_buffers;
  return caps;
}

// One layer, and the gradients of all it is given where they are asked for.
Graph scan_graph(Cell cell, std::int64_t steps, bool gradient) {
  const std::int64_t batch = 2, size = 8, gates = (cell == Cell::lstm ? 4 : cell >= Cell::gru ? 3 : 1) * size;
  Graph graph;
  const std::vector<Tensor> in{graph.input("x", {steps, batch, size}), graph.input("w", {gates, size}), graph.input("u", {gates, size}),
                               graph.input("b", {gates}), graph.input("h", {1, batch, size})};
  const RecurrentLayer layer{{in[1], in[2], {}, in[3]}, {}};
  const Tensor out = recurrent(cell, in[0], std::span(&layer, 1), {.h = in[4]}).out;
  graph.output("out", out);
  if (!gradient) return graph;
  for (Tensor d : grad(reduce(Reduce::sum, out), in)) graph.output("d" + std::to_string(d.id()), d);
  return graph;
}

compile::Program compiled(const Graph& graph, std::uint32_t storage_buffers = 16) {
  auto program = compile::compile(graph.ir(), caps_with(storage_buffers), {});
  REQUIRE_MESSAGE(program, program.error().message);
  return *program;
}

std::size_t launches(Cell cell, std::int64_t steps, bool gradient) { return compiled(scan_graph(cell, steps, gradient)).dispatches.size(); }

}  // namespace

TEST_CASE("a step is a product and one launch, and so is the step back; gru_reset_first has two of each") {
  for (const Cell cell : {Cell::rnn_tanh, Cell::rnn_relu, Cell::lstm, Cell::gru, Cell::gru_reset_first}) {
    CAPTURE(to_string(cell));
    const std::size_t a_step = cell == Cell::gru_reset_first ? 4 : 2;
    CHECK(launches(cell, 9, false) - launches(cell, 5, false) == 4 * a_step);
    CHECK(launches(cell, 9, true) - launches(cell, 5, true) == 4 * 2 * a_step);
  }
}

TEST_CASE("what surrounds the steps is a handful of launches, the weight's gradient one product") {
  for (const bool gradient : {false, true}) {
    const std::size_t steps = 5, around = launches(Cell::lstm, 5, gradient) - (gradient ? 4 : 2) * steps;
    CHECK(around <= (gradient ? 12 : 3));
  }
  const compile::Program program = compiled(scan_graph(Cell::lstm, 5, true));
  std::size_t products = 0;
  for (const compile::Dispatch& dispatch : program.dispatches) products += dispatch.label.starts_with("matmul");
  CHECK(products == 4);  // the gates' input parts, and the gradients of x and of the two weights
}

TEST_CASE("200 steps are as many nodes as one, and compile in a moment") {
  const Graph one = scan_graph(Cell::lstm, 1, true), many = scan_graph(Cell::lstm, 200, true);
  CHECK(one.ir().nodes.size() == many.ir().nodes.size());
  const auto begin = std::chrono::steady_clock::now();
  CHECK(compiled(many).dispatches.size() > 800);
  MESSAGE("200 steps forward and back compile in ", std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count(), " ms");
}

TEST_CASE("eight storage buffers are enough forward; where a gradient needs nine, the steps are operators of their own") {
  const auto fused = [](const compile::Program& program) {
    std::size_t count = 0;
    for (const compile::Dispatch& dispatch : program.dispatches) count += dispatch.kernel.starts_with("recurrent_step");
    return count;
  };
  CHECK(fused(compiled(scan_graph(Cell::lstm, 3, false), 8)) == 6);
  CHECK(fused(compiled(scan_graph(Cell::lstm, 3, true), 9)) == 12);
  CHECK(fused(compiled(scan_graph(Cell::lstm, 3, true), 8)) == 0);
}
