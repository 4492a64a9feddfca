// Graphs: names, the sticky first error and its place, printing.

#include <fovea/fovea.hpp>

#include "base/text.hpp"
#include "compile/passes.hpp"

#include <doctest/doctest.h>

using namespace fovea;

namespace {

bool mentions(const Graph& graph, std::string_view text) {
  INFO("error: ", graph.error() ? graph.error()->message : "none");
  return graph.error() && graph.error()->message.find(text) != std::string::npos;
}

}  // namespace

TEST_CASE("the first mistake is kept, with the operator, the values and the caller's line") {
  Graph graph;
  const Tensor a = graph.input("a", {2, 3}), b = graph.input("b", {4});
  const Tensor sum = a + b;
  const int line = __LINE__ - 1;
  CHECK(mentions(graph, "add: operand 1 has shape [4], which does not broadcast with [2,3]"));
  CHECK(mentions(graph, "(graph.cpp:" + std::to_string(line) + ")"));
  const std::string first = graph.error()->message;
  graph.output("y", softmax(sum, {.axis = 7}));
  CHECK(graph.error()->message == first);
}

TEST_CASE("names are unique and not empty") {
  SUBCASE("inputs") {
    Graph graph;
    graph.input("x", {1});
    graph.parameter("x", {2});
    CHECK(mentions(graph, "parameter \"x\": there is already an input or parameter of this name"));
  }
  SUBCASE("outputs") {
    Graph graph;
    const Tensor x = graph.input("x", {1});
    graph.output("y", x);
    graph.output("y", x);
    CHECK(mentions(graph, "output \"y\": there is already an output of this name"));
  }
  SUBCASE("an output may not be called as an input is") {
    Graph graph;
    graph.output("x", graph.input("x", {1}));
    CHECK(mentions(graph, "output \"x\""));
  }
  SUBCASE("empty") {
    Graph graph;
    graph.input("", {1});
    CHECK(mentions(graph, "the name is empty"));
  }
}

TEST_CASE("shapes that cannot be are refused") {
  Graph graph;
  const float one[] = {1};
  SUBCASE("negative") {
    graph.input("x", {2, -1});
    CHECK(mentions(graph, "input \"x\": the shape [2,-1] has a negative extent (graph.cpp:"));
  }
  SUBCASE("too many axes") {
    graph.parameter("w", {1, 1, 1, 1, 1, 1, 1, 1, 1});
    CHECK(mentions(graph, "parameter \"w\": the shape has 9 axes, and 8 are the most"));
  }
  SUBCASE("of a constant") {
    graph.constant({-1}, one);
    CHECK(mentions(graph, "constant: the shape [-1] has a negative extent"));
  }
  SUBCASE("extents that 64 bits do not count") {
    graph.input("x", {std::int64_t{1} << 33, 0, std::int64_t{1} << 33});
    CHECK(mentions(graph, "input \"x\": the extents [8589934592,0,8589934592] multiply to more than 2^60 (graph.cpp:"));
  }
  SUBCASE("a type that is none") {
    graph.input("x", {2}, static_cast<DType>(99));
    CHECK(mentions(graph, "input \"x\": the type is enumerator 99, and there is none of that number (graph.cpp:"));
  }
}

TEST_CASE("tensors of two graphs do not mix") {
  Graph one, two;
  const Tensor a = one.input("a", {1, 1}), b = two.input("b", {1, 1});
  SUBCASE("as operands: each graph tells") {
    const Tensor sum = a + b;
    two.output("y", sum);
    for (const Graph* graph : {&one, &two}) {
      CHECK(mentions(*graph, "add: operand 0 and operand 1 are of two different graphs (graph.cpp:"));
    }
  }
  SUBCASE("as operands that have names") {
    matmul(a, b);
    CHECK(mentions(two, "matmul: a and b are of two different graphs"));
  }
  SUBCASE("as an output") {
    two.output("y", a);
    CHECK(mentions(two, "output \"y\": the tensor is of another graph"));
  }
}

TEST_CASE("an absent tensor is an error of the graph that sees it, and never a crash") {
  Graph graph;
  const Tensor x = graph.input("x", {1});
  const char* absent = "absent (default-made, or the result of an operator that was given only such) (graph.cpp:";
  SUBCASE("second operand") {
    static_cast<void>(x + Tensor());
    CHECK(mentions(graph, cat("add: operand 1 is ", absent)));
  }
  SUBCASE("an operand that has a name") {
    conv2d(x, Tensor());
    CHECK(mentions(graph, cat("conv2d: weight is ", absent)));
  }
  SUBCASE("the weight of linear") {
    linear(x, Tensor());
    CHECK(mentions(graph, cat("linear: the weight is ", absent)));
  }
  SUBCASE("output") {
    graph.output("y", Tensor());
    CHECK(mentions(graph, cat("output \"y\": the tensor is ", absent)));
  }
  SUBCASE("nothing at all") {
    const Tensor nothing = softmax(Tensor());
    CHECK(!nothing);
    graph.output("y", x + nothing);
    CHECK(mentions(graph, cat("add: operand 1 is ", absent)));
  }
}

TEST_CASE("constants need as many values as their shape has") {
  Graph graph;
  const float three[] = {1, 2, 3};
  graph.constant({2, 2}, three);
  CHECK(mentions(graph, "constant: shape [2,2] needs 4 elements, and 3 were given"));
}

TEST_CASE("reshape infers one extent and names what does not fit") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 6});
  SUBCASE("inferred") {
    CHECK(reshape(x, {3, -1}).shape() == Shape{3, 4});
    CHECK(reshape(x, {12}).shape() == Shape{12});
    CHECK(!graph.error());
  }
  SUBCASE("another count") {
    reshape(x, {5});
    CHECK(mentions(graph, "reshape: [2,6] has 12 elements and [5] has 5"));
  }
  SUBCASE("not divisible") {
    reshape(x, {-1, 5});
    CHECK(mentions(graph, "axis 0 cannot be inferred"));
  }
  SUBCASE("two unknown") {
    reshape(x, {-1, -1});
    CHECK(mentions(graph, "one extent may be -1"));
  }
}

TEST_CASE("an axis that is not there is an error of the graph, and its extent 1; so is every extent behind an error") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 3});
  CHECK(x.dim(-2) == 2);
  CHECK(!graph.error());
  CHECK(x.dim(2) == 1);
  CHECK(mentions(graph, "dim: no axis 2 in f32[2,3] (graph.cpp:" + std::to_string(__LINE__ - 1) + ")"));
  const Tensor y = softmax(x, {.axis = 7});
  CHECK(64 / y.dim(-1) + y.dim(-2) + x.dim(0) == 66);
}

TEST_CASE("a graph prints one line a value") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 3}), w = graph.parameter("w", {3});
  graph.output("y", softmax(x * w, {.axis = 0}));
  const std::string text = graph.to_text();
  CHECK(text.find("%x = input : f32[2,3]\n%w = parameter : f32[3]\n%2 = elementwise(%x, %w) {y = mul(x0, x1)} : f32[2,3]  (graph.cpp:") == 0);
  CHECK(text.find("%3 = softmax(%2, -) {axis = 0} : f32[2,3]") != std::string::npos);
  CHECK(text.find("output y = %3\n") != std::string::npos);
}

TEST_CASE("the verifier finds what the builder never makes") {
  Graph graph;
  const Tensor x = graph.input("x", {2});
  graph.output("y", softmax(x));
  REQUIRE(!compile::verify(graph.ir()));
  SUBCASE("a value read before it is made") {
    graph.ir().nodes[0].inputs[0] = graph.ir().nodes[0].outputs[0];
    CHECK(compile::verify(graph.ir())->message.find("before it is made") != std::string::npos);
  }
  SUBCASE("a node without an operator") {
    graph.ir().nodes[0].op = nullptr;
    CHECK(compile::verify(graph.ir())->code == ErrorCode::internal);
  }
  SUBCASE("an output without a value") {
    graph.ir().outputs[0].value = 99;
    CHECK(compile::verify(graph.ir())->message.find("output y") != std::string::npos);
  }
}
