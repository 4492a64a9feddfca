// The layers around attention, beside peers.

#include "bench/row.hpp"

namespace bench {
namespace {

constexpr double bytes_of(double elements) {
  return 4 * elements;
}

Row softmax(std::int64_t rows, std::int64_t columns) {
  const auto build = [=](fovea::Graph& graph) { graph.output("y", fovea::softmax(graph.input("x", {rows, columns}))); };
  return {.name = "softmax/" + joined(rows, columns),
          .ways = {{"fovea", build}},
          .bytes = bytes_of(2.0 * static_cast<double>(rows * columns)),
          .work = "softmax " + std::to_string(rows) + ' ' + std::to_string(columns)};
}

Row max_pool() {
  const auto build = [](fovea::Graph& graph) {
    const fovea::PoolDesc desc{.kernel = {3, 3}, .stride = {2, 2}, .padding_begin = {1, 1}};
    graph.output("y", fovea::pool(fovea::Pool::max, graph.input("x", {8, 64, 112, 112}), desc));
  };
  return {.name = "max_pool/8x64x112x112/3x3s2",
          .ways = {{"fovea", build}},
          .bytes = bytes_of(8 * 64 * (112.0 * 112 + 56 * 56)),
          .work = "max_pool 8 64 112 112 3 2 1"};
}

Row grid_sample() {
  const auto build = [](fovea::Graph& graph) {
    const fovea::Tensor x = graph.input("x", {8, 64, 112, 112});
    graph.output("y", fovea::grid_sample(x, graph.input("grid", {8, 112, 112, 2})));
  };
  return {.name = "grid_sample/8x64x112x112",
          .ways = {{"fovea", build}},
          .bytes = bytes_of(8 * 112.0 * 112 * (2 * 64 + 2)),
          .work = "grid_sample 8 64 112 112"};
}

Row linear() {
  const auto build = [](fovea::Graph& graph) {
    const fovea::Tensor x = graph.input("x", {1024, 1024});
    graph.output("y", fovea::linear(x, graph.input("w", {1024, 1024})));
  };
  return {.name = "linear/1024x1024x1024",
          .ways = {{"fovea", build}},
          .flops = 2.0 * 1024 * 1024 * 1024,
          .work = "linear 1024 1024 1024"};
}

Row conv() {
  const auto build = [](fovea::Graph& graph) {
    const fovea::Tensor x = graph.input("x", {1, 64, 56, 56});
    graph.output("y", fovea::conv2d(x, graph.input("w", {64, 64, 3, 3}), {.padding = {1, 1, 1, 1}}));
  };
  return {.name = "conv2d/1x64x56x56/64x3x3",
          .ways = {{"fovea", build}},
          .flops = 2.0 * 64 * 64 * 9 * 56 * 56,
          .work = "conv2d 1 64 56 56 64 3 1"};
}

}  // namespace

std::vector<Row> operator_rows() {
  return {softmax(4096, 1024), softmax(1024, 32000), max_pool(), grid_sample(), linear(), conv()};
}

}  // namespace bench
