// What normalisations are compiled to: rows by one launch, with the residual connection before and the activation behind them.

#include "compile/compiler.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace fovea;

namespace {

DeviceCaps gpu() {
  DeviceCaps caps;
  caps.type = DeviceType::discrete;
  return caps;
}

// "normalize_rows": the operators of the program's dispatches, in order.
std::string launches_of(const Graph& graph, const CompileOptions& options = {}) {
  REQUIRE(!graph.error());
  const auto program = compile::compile(graph.ir(), gpu(), options);
  REQUIRE_MESSAGE(program, program.error().message);
  std::string names;
  for (const auto& dispatch : program->dispatches)
    names += (names.empty() ? "" : " ") + dispatch.label.substr(0, dispatch.label.find_first_of(" ([%"));
  return names;
}
std::size_t count_of(const Graph& graph, const CompileOptions& options = {}) {
  const std::string names = launches_of(graph, options);
  return names.empty() ? 0 : static_cast<std::size_t>(std::count(names.begin(), names.end(), ' ')) + 1;
}

struct Residual {
  Graph graph;
  Tensor x = graph.input("x", {6, 32}), r = graph.input("r", {6, 32}), w = graph.parameter("w", {32}), b = graph.parameter("b", {32});

  Tensor norm(Tensor of) { return layer_norm(of, {.weight = w, .bias = b}); }
};

}  // namespace

TEST_CASE("normalisations over rows are one launch each, which were six") {
  Residual t;
  t.graph.output("y", t.norm(t.x));
  CHECK(launches_of(t.graph) == "normalize_rows");
  CHECK(count_of(t.graph, {.force_kernel = {"normalize_rows=decompose"}}) == 6);
  Graph graph;
  const Tensor image = graph.input("x", {2, 6, 5, 3}), w = graph.parameter("w", {6});
  graph.output("a", group_norm(image, {.groups = 2, .weight = w}));
  graph.output("b", instance_norm(image, {.bias = w}));
  graph.output("c", rms_norm(image, {.axes = 2}));
  graph.output("d", standardize(image, {-1}).value);
  CHECK(launches_of(graph) == "normalize_rows normalize_rows normalize_rows normalize_rows");
}

TEST_CASE("rows that do not stand side by side, and weights that are of no run of elements, are composed") {
  Graph graph;
  const Tensor x = graph.input("x", {4, 6, 5});
  graph.output("a", standardize(x, {0, 2}).value);
  CHECK(launches_of(graph).find("normalize_rows") == std::string::npos);
  graph.output("b", layer_norm(x, {.weight = graph.parameter("w", {4, 1, 5})}));
  CHECK(launches_of(graph).find("normalize_rows") == std::string::npos);
}

TEST_CASE("a residual connection is taken in, and the activation behind it") {
  Residual t;
  t.graph.output("y", unary(Unary::gelu, t.norm(t.x + t.r)));
  CHECK(launches_of(t.graph) == "normalize_rows");
  CHECK(count_of(t.graph, {.fuse = false}) == 3);
}

TEST_CASE("a sum that others read behind the rows is given by their launch") {
  Residual t;
  const Tensor h = t.x + t.r, y = t.norm(h);
  t.graph.output("z", h + unary(Unary::tanh, y * y));
  t.graph.output("h", h);
  CHECK(launches_of(t.graph) == "normalize_rows elementwise");
  // Twice the sum of two branches: the second takes the first's.
  Residual twice;
  const Tensor first = twice.x + twice.r, second = first + softmax(twice.norm(first));
  twice.graph.output("y", twice.norm(second));
  twice.graph.output("second", second);
  CHECK(launches_of(twice.graph) == "normalize_rows softmax normalize_rows");
}

TEST_CASE("a sum that is read before the rows, broadcasts, or adds more than two stays a launch of its own") {
  Residual before;
  const Tensor h = before.x + before.r;
  before.graph.output("s", softmax(h));
  before.graph.output("y", before.norm(h));
  CHECK(launches_of(before.graph) == "elementwise softmax normalize_rows");
  Residual broadcast;
  broadcast.graph.output("y", broadcast.norm(broadcast.x + broadcast.w));
  CHECK(launches_of(broadcast.graph) == "elementwise normalize_rows");
  Residual three;
  three.graph.output("y", three.norm(three.x + three.r + softmax(three.x)));
  CHECK(launches_of(three.graph) == "softmax elementwise normalize_rows");
}

TEST_CASE("a product takes in the residual before the rows do") {
  Residual t;
  t.graph.output("y", t.norm(matmul(t.x, t.graph.parameter("m", {32, 32})) + t.r));
  CHECK(launches_of(t.graph) == "matmul normalize_rows");
}

TEST_CASE("the gradient of x takes in what comes by the residual connection") {
  Residual t;
  const Tensor h = t.x + t.r, y = t.norm(h);
  const Tensor loss = reduce(Reduce::sum, h * y);
  t.graph.output("dx", grad(loss, {t.x})[0]);
  const std::string names = launches_of(t.graph);
  CAPTURE(names);
  CHECK(names.find("normalize_rows_backward") != std::string::npos);
  CHECK(names.find("normalize_rows_weights") == std::string::npos);
  Graph graph;
  const Tensor x = graph.input("x", {6, 32}), d = graph.input("d", {6, 32});
  graph.output("dx", d + grad(layer_norm(x), {x}, {.seed = d})[0]);
  CHECK(launches_of(graph) == "normalize_rows normalize_rows_backward");
}
