// What `grad` appends, without a device: sums, what is left out, errors, custom gradients, recomputation.

#include <fovea/fovea.hpp>

#include "compile/passes.hpp"
#include "compile/compiler.hpp"
#include "ops/op_def.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

using namespace fovea;

namespace {

std::size_t nodes(const Graph& graph) { return graph.ir().nodes.size(); }

bool mentions(const Graph& graph, std::string_view text) {
  INFO("error: ", graph.error() ? graph.error()->message : "none");
  return graph.error() && graph.error()->message.find(text) != std::string::npos;
}

Tensor total(Tensor x) { return reduce(Reduce::sum, x); }

}  // namespace

TEST_CASE("gradients have the shapes and types of what they are taken for") {
  Graph graph;
  const Tensor x = graph.input("x", {3, 4}), half = graph.input("half", {4}, DType::f16), w = graph.parameter("w", {4, 2});
  const Tensor hidden = x * cast(half, DType::f32);
  const auto d = grad(total(matmul(hidden, w)), {x, half, w, hidden});
  REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
  CHECK(d[0].shape() == Shape{3, 4});
  CHECK(d[1].shape() == Shape{4});
  CHECK(d[1].dtype() == DType::f16);
  CHECK(d[2].shape() == Shape{4, 2});
  CHECK(d[3].shape() == Shape{3, 4});
}

TEST_CASE("nothing is appended for what needs no gradient") {
  Graph graph;
  const Tensor x = graph.input("x", {8, 8}), w = graph.parameter("w", {8, 8}), scale = graph.parameter("scale", {8});
  const Tensor loss = total(softmax(matmul(x, w)) * scale);
  const std::size_t before = nodes(graph);
  grad(loss, {scale});
  for (std::size_t n = before; n < nodes(graph); ++n) CHECK(std::string_view(graph.ir().nodes[n].op->name) != "matmul");
  const std::size_t middle = nodes(graph);
  grad(loss, {w});
  std::size_t products = 0;
  for (std::size_t n = middle; n < nodes(graph); ++n) products += std::string_view(graph.ir().nodes[n].op->name) == "matmul";
  CHECK(products == 1);  // the gradient of w, and none of x
}

TEST_CASE("what the loss does not depend on has gradient zero, and stop_gradient makes it so") {
  Graph graph;
  const Tensor x = graph.input("x", {3}), y = graph.input("y", {2, 2});
  const std::size_t before = nodes(graph);
  const auto d = grad(total(stop_gradient(x * x)), {x, y});
  CHECK(d[0].shape() == Shape{3});
  CHECK(d[1].shape() == Shape{2, 2});
  for (std::size_t n = before + 3; n < nodes(graph); ++n) CHECK(std::string_view(graph.ir().nodes[n].op->name) == "broadcast_to");
}

TEST_CASE("a custom gradient's rule is asked for exactly its inputs") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 3}), scale = graph.input("scale", {3});
  int asked = 0;
  const auto make = [&](std::size_t count, Shape shape) {
    const Tensor inputs[] = {x, scale};
    const Tensor y = custom_gradient(x * scale, inputs, [&, count, shape](Tensor d) {
      ++asked;
      return std::vector<Tensor>(count, shape.rank() == 0 ? d : broadcast_to(reduce(Reduce::sum, d), shape));
    });
    return grad(total(y), {x, scale});
  };
  SUBCASE("both") {
    const auto d = make(2, {});
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    CHECK(d[1].shape() == Shape{3});  // summed over the axis that broadcast
    CHECK(asked == 1);
  }
  SUBCASE("too few") {
    make(1, {});
    CHECK(mentions(graph, "custom_gradient: the rule returned 1 gradients for 2 inputs"));
  }
  SUBCASE("another shape") {
    make(2, {5});
    CHECK(mentions(graph, "the gradient of input 0 is [5]"));
  }
  SUBCASE("of another graph") {
    Graph other;
    const Tensor far = other.input("far", {2, 3});
    grad(total(custom_gradient(x * 2.0f, {x}, [&](Tensor) { return std::vector{far}; })), {x});
    CHECK(mentions(graph, "custom_gradient: the gradient of input 0 is of another graph"));
    CHECK(mentions(other, "custom_gradient: the gradient of input 0 is of another graph"));
  }
  SUBCASE("another type") {
    for (const DType type : {DType::f16, DType::bf16, DType::i32, DType::boolean}) {
      Graph typed;
      const Tensor y = typed.input("y", {2, 3}), z = typed.input("z", {3});
      grad(total(custom_gradient(y * z, {y, z}, [&](Tensor d) { return std::vector{d, cast(z, type)}; })), {y, z});
      CHECK(mentions(typed, "custom_gradient: the gradient of input 1 is " + std::string(to_string(type)) + " and the input f32"));
    }
  }
  SUBCASE("no rule") {
    custom_gradient(x * scale, {x, scale}, {});
    CHECK(mentions(graph, "custom_gradient: there are 2 inputs and no rule"));
  }
  SUBCASE("none for an input") {
    const auto d = grad(total(custom_gradient(x * scale, {x, scale}, [](Tensor a) { return std::vector{a, Tensor{}}; })), {x, scale});
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    CHECK(std::string_view(graph.ir().nodes[graph.ir().value(d[1].id()).producer].op->name) == "broadcast_to");  // zeros
  }
}

TEST_CASE("grad names what is wrong with the call") {
  Graph graph, other;
  const Tensor x = graph.input("x", {3}), i = graph.input("i", {3}, DType::i32);
  SUBCASE("no scalar") {
    grad(x * x, {x});
    CHECK(mentions(graph, "grad: the loss [3] has 3 elements; give a seed, or reduce it to one"));
    CHECK(mentions(graph, "autodiff.cpp"));
  }
  SUBCASE("seed") {
    grad(x * x, {x}, {.seed = graph.input("s", {4})});
    CHECK(mentions(graph, "the seed is f32[4] and the loss f32[3]"));
  }
  SUBCASE("seed of another graph") {
    grad(x * x, {x}, {.seed = other.input("s", {3})});
    CHECK(mentions(graph, "the seed is of another graph"));
  }
  SUBCASE("integers") {
    grad(total(x), {i});
    CHECK(mentions(graph, "tensor 0 is i32, not f32, f16 or bf16"));
  }
  SUBCASE("an integer loss") {
    grad(reduce(Reduce::argmax, x, {.axes = {0}}), {x});
    CHECK(mentions(graph, "the loss is i32"));
  }
  SUBCASE("absent") {
    grad(total(x), {Tensor()});
    CHECK(mentions(graph, "tensor 0 is absent or of another graph"));
  }
  SUBCASE("straight_through") {
    straight_through(x, graph.input("y", {1}));
    CHECK(mentions(graph, "straight_through: the value is f32[3] and the surrogate f32[1]"));
  }
}

TEST_CASE("every operator has a gradient or a decomposition to derive it from, or else a reason") {
  for (const ops::OpDef* op : ops::all_ops()) {
    const std::string name = op->name;
    CAPTURE(name);
    CHECK((op->vjp || op->decompose) == !op->no_gradient);
  }
}

TEST_CASE("recomputation: a chain of n layers holds about sqrt(n) of them") {
  std::uint64_t reported_held = 0;
  const auto peak = [&](bool recompute, std::size_t kept) {
    Graph graph;
    Tensor x = graph.input("x", {64, 64});
    const Tensor w = graph.parameter("w", {64, 64});
    std::vector<Tensor> keep;
    Tensor y = x;
    for (std::size_t i = 0; i < 36; ++i) {
      y = unary(Unary::sin, matmul(y, w));
      if (kept && i % kept == kept - 1) keep.push_back(y);
    }
    graph.output("d", grad(total(y), {w}, {.recompute = recompute, .keep = keep})[0]);
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    const auto program = compile::compile(graph.ir(), DeviceCaps{}, {});
    REQUIRE_MESSAGE(program, program.error().message);
    constexpr std::uint64_t layer = 64 * 64 * 4;
    reported_held = program->arena_held_bytes / layer;
    return program->arena_bytes / layer;
  };
  const auto held = peak(false, 0);
  CHECK(reported_held == 0);
  const auto automatic = peak(true, 0);
  CHECK(reported_held == held);
  const auto given = peak(true, 6);
  CHECK(reported_held == held);
  MESSAGE("layers' values alive: ", held, " held, ", automatic, " with automatic cuts, ", given, " with every sixth kept");
  CHECK(held >= 36);
  CHECK(automatic <= 24);
  CHECK(given <= 24);
}

TEST_CASE("tensors to keep are of a gradient that recomputes") {
  Graph graph;
  const Tensor w = graph.parameter("w", {4});
  grad(total(w * w), {w}, {.keep = {w}});
  REQUIRE(graph.error());
  CHECK(graph.error()->message.find("there are tensors to keep, and recompute is false") != std::string::npos);
}

TEST_CASE("the gradient of circular padding takes as many launches for a thousand turns as for three") {
  const auto launches = [](std::int64_t before) {
    Graph graph;
    const Tensor x = graph.input("x", {5, 2});
    graph.output("d", grad(total(pad(x, {.amounts = {{before, 1}, {0, 0}}, .mode = PadMode::circular})), {x})[0]);
    const auto program = compile::compile(graph.ir(), {}, {});
    REQUIRE_MESSAGE(program, program.error().message);
    return program->dispatches.size();
  };
  CHECK(launches(5003) == launches(13));
}

TEST_CASE("dropout draws its mask again for the gradient: the peak does not grow with the layers") {
  const auto peak = [](std::int64_t layers) {
    Graph graph;
    const Tensor x = graph.parameter("x", {64, 64}), state = graph.input("state", {6}, DType::i32);
    Tensor y = x;
    for (std::int64_t i = 0; i < layers; ++i) y = dropout(y + x, state, 0.5f, {i});
    graph.output("d", grad(total(y), {x})[0]);
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    const auto program = compile::compile(graph.ir(), DeviceCaps{}, {});
    REQUIRE_MESSAGE(program, program.error().message);
    return program->arena_bytes;
  };
  CHECK(peak(24) == peak(6));
}

TEST_CASE("attention forward and backward over 16,384 keys takes less than 100 MiB, also with a mask's gradient") {
  const std::int64_t S = 16384;
  for (const Shape& mask : {Shape{}, Shape{1, S}, Shape{S, 1}, Shape{1, 1}}) {
    CAPTURE(to_string(mask));
    Graph graph;
    const Shape shape{1, 1, S, 64};
    std::vector<Tensor> in{graph.input("q", shape), graph.input("k", shape), graph.input("v", shape)};
    if (mask.rank() > 0) in.push_back(graph.input("mask", mask));
    const Tensor y = attention(in[0], in[1], in[2], {.mask = mask.rank() > 0 ? in[3] : Tensor(), .causal = true});
    graph.output("y", y);
    const auto d = grad(y, in, {.seed = graph.input("dy", shape)});
    for (std::size_t i = 0; i < d.size(); ++i) graph.output("d" + std::to_string(i), d[i]);
    for (const auto& [type, most_iterations] : {std::pair{DeviceType::cpu, 0u}, {DeviceType::cpu, 65535u}, {DeviceType::discrete, 0u}}) {
      DeviceCaps caps;
      caps.type = type;
      caps.subgroup_size = 8;
      caps.max_loop_iterations = most_iterations;
      const auto program = compile::compile(graph.ir(), caps, {});
      REQUIRE_MESSAGE(program, program.error().message);
      std::uint64_t bytes = program->arena_bytes + program->constants.size();
      for (const auto& external : program->externals) bytes += external.bytes;
      CHECK(bytes < 100u << 20);
    }
  }
}
