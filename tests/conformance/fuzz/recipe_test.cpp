// A graph's text says all of it, and a mistake in a text names the line.

#include "tests/conformance/fuzz/maker.hpp"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace fovea;
using namespace fovea::conformance;

namespace {

// The error of a text whose lines, after the first, are these.
std::string mistake(const std::string& lines) {
  const Result<Recipe> recipe = parse_recipe("fovea-graph 1\n" + lines);
  return recipe ? "none" : recipe.error().message;
}

constexpr const char* softmax = "%0 = input() {values = uniform, seed = 7} : f32[2,3]\n%1 = softmax(%0) {axis = 1} : f32[2,3]\n";

}  // namespace

TEST_CASE("random graphs are read again from their text as they were") {
  for (std::uint32_t seed = 1; seed <= 300; ++seed) {
    const Recipe recipe = random_recipe(seed);
    const std::string text = to_text(recipe);
    const Result<Recipe> again = parse_recipe(text);
    REQUIRE_MESSAGE(again, text, again.error().message);
    CHECK_MESSAGE(*again == recipe, text, to_text(*again));
  }
}

TEST_CASE("the same seed draws the same graph") {
  CHECK(random_recipe(5) == random_recipe(5));
  CHECK(to_text(random_recipe(5)) != to_text(random_recipe(6)));
}

TEST_CASE("a few hundred seeds draw every operator with every attribute, f16, bf16, recomputation and empty tensors") {
  std::map<std::string_view, std::set<std::string>> drawn;
  std::set<std::string> properties;
  for (std::uint32_t seed = 1; seed <= 1500; ++seed) {
    const Recipe recipe = random_recipe(seed);
    properties.insert(to_string(recipe.storage));
    for (const std::size_t also : recipe.also)
      properties.insert(recipe.is_input(also) ? "an input as output" : also == recipe.output ? "an output twice" : "several outputs");
    if (!recipe.gradient) properties.insert("forward alone");
    if (recipe.gradient && recipe.gradient->flag("recompute")) properties.insert("recompute");
    for (const Node& node : recipe.nodes) {
      if (node.shape.elements() == 0) properties.insert("empty");
      if (node.shape.rank() == 0) properties.insert("scalar");
      drawn[node.op->name];
      for (const Attribute& attribute : node.attributes.all) {
        drawn[node.op->name].insert(attribute.name);
        if (!attribute.word.empty()) drawn[node.op->name].insert(attribute.word);
      }
    }
  }
  for (const char* property : {"f16", "bf16", "several outputs", "an output twice", "an input as output", "forward alone", "recompute", "empty", "scalar"}) CHECK_MESSAGE(properties.contains(property), property);
  for (const Operator* op : all_operators()) {
    CHECK_MESSAGE(drawn.contains(op->name), op->name);
    for (const AttributeKind& kind : kinds_of(*op)) {
      CHECK_MESSAGE(drawn[op->name].contains(std::string(kind.name)), op->name, " ", kind.name);
      for (const std::string_view word : kind.words) CHECK_MESSAGE(drawn[op->name].contains(std::string(word)), op->name, " ", word);
    }
  }
}

TEST_CASE("a smaller input holds the first of a larger one's values, which f16 holds too") {
  Attributes attributes;
  attributes.set("seed", 9);
  const std::vector<double> few = values_of(attributes, 10), many = values_of(attributes, 1000);
  CHECK(std::equal(few.begin(), few.end(), many.begin()));
  for (const double value : many) {
    CHECK(value * 1024 == static_cast<double>(static_cast<int>(value * 1024)));
    CHECK((value >= -2 && value < 2));
  }
}

TEST_CASE("a mistake in a text names line and what") {
  const std::string two = softmax;
  CHECK(parse_recipe("fovea-graph 2\n").error().message == "line 1: the first line is not 'fovea-graph 1'");
  CHECK(parse_recipe("").error().message == "the first line is not 'fovea-graph 1'");
  CHECK(mistake(two) == "there is no line 'output %'");
  CHECK(mistake(two + "output %1") == "none");
  CHECK(mistake("# a comment\n\n" + two + "output %2") == "line 6: %2 is not there");
  CHECK(mistake("%1 = input() : f32[]") == "line 2: the next value is %0, not %1");
  CHECK(mistake(two + "%2 = softmox(%1) : f32[2,3]") == "line 4: there is no operator 'softmox'");
  CHECK(mistake(two + "%2 = softmax(%2) : f32[2,3]") == "line 4: %2 is not there yet");
  CHECK(mistake(two + "%2 = softmax() : f32[2,3]") == "line 4: softmax takes 1 to 2 operands, not 0");
  CHECK(mistake(two + "%2 = softmax(%1) {axes = 1} : f32[2,3]") == "line 4: softmax has no attribute 'axes'; it has: axis");
  CHECK(mistake(two + "%2 = softmax(%1) {axis = 1, axis = 0} : f32[2,3]") == "line 4: 'axis' stands twice");
  CHECK(mistake(two + "%2 = softmax(%1) {axis = one} : f32[2,3]") == "line 4: expected a number up to 1e9 at 'one} : f32[2,3]'");
  CHECK(mistake(two + "%2 = flip(%1) {axes = 1} : f32[2,3]") == "line 4: expected '[' at '1} : f32[2,3]'");
  CHECK(mistake(two + "%2 = unary(%1) {op = cosh} : f32[2,3]").starts_with("line 4: unary: op is 'cosh'; there is: neg, abs"));
  CHECK(mistake(two + "%2 = softmax(%1 : f32[2,3]") == "line 4: expected ')' at ': f32[2,3]'");
  CHECK(mistake(two + "%2 = softmax(%1) : f64[2,3]") == "line 4: expected 'bool' at 'f64[2,3]'");
  CHECK(mistake(two + "%2 = softmax(%1) : f32[2,-3]") == "line 4: the extent -3 is not a whole number from 0 to 1000000");
  CHECK(mistake(two + "%2 = softmax(%1) : f32[1,1,1,1,1,1,1,2,3]") == "line 4: 9 axes; there are 8 at most");
  CHECK(mistake(two + "%2 = softmax(%1) : f32[2,3] !") == "line 4: there is more than belongs on the line");
  CHECK(mistake(two + "storage f16") == "line 4: 'storage' stands before the values");
  CHECK(mistake(two + "output %1, %0") == "none");
  CHECK(mistake(two + "output %1, %2") == "line 4: %2 is not there");
  CHECK(mistake(two + "output %1, %0, %0") == "line 4: %0 stands twice");
  CHECK(mistake(two + "output %1\noutput %0") == "line 5: a second line of outputs");
  CHECK(mistake(two + "output %1\ngradient {seed = 1}\ngradient") == "line 6: a second gradient");
  CHECK(mistake(two + "output %1\n%2 = softmax(%1) : f32[2,3]") == "line 5: a value after the output");
  CHECK(mistake("%0 = input() : f32[2,3]\n%1 = softmax(%0) : f32[3,2]\noutput %1") == "line 3: the result is f32[2,3], not f32[3,2]");
  CHECK(mistake("%0 = input() : i32[2]\noutput %0") == "line 2: the result is f32[2], not i32[2]");
  CHECK(mistake("%0 = input() {values = index, below = 2} : i32[2]\noutput %0") == "line 2: the output is not f32");
  CHECK(mistake("%0 = input() : f32[1000000]\noutput %0").starts_with("line 2: of 1000000 elements"));
  const std::string refused = mistake(two + "%2 = softmax(%1) {axis = 4} : f32[2,3]\noutput %2");  // by Fovea
  CHECK(refused.starts_with("line 4: softmax: axis 4 is out of range for x [2,3]"));
}

TEST_CASE("no text makes the reader read on: every prefix of one, and every text with a character less") {
  const std::string text = to_text(random_recipe(3));
  for (std::size_t n = 0; n < text.size(); ++n) {
    (void)parse_recipe(text.substr(0, n));
    (void)parse_recipe(text.substr(0, n) + text.substr(n + 1));
  }
}

TEST_CASE("as a program, a graph is calls of the public functions") {
  const Result<Recipe> recipe = parse_recipe(
      "fovea-graph 1\nstorage f16\n%0 = input() : f32[1,2,3,4]\n%1 = input() {values = chance} : bool[3]\n"
      "%2 = attention(%0, %0, %0, %1) {causal = true, window_left = 2} : f32[1,2,3,4]\n"
      "%3 = pad(%2) {amounts = [1,2,0,3], mode = reflect} : f32[1,2,6,7]\n"
      "%4 = reduce(%3) {op = mean, axes = [0,-1]} : f32[2,6]\noutput %4\ngradient {recompute = true}\n");
  REQUIRE_MESSAGE(!recipe, recipe.error().message);  // reflect needs amounts below the extent
  const Result<Recipe> right = parse_recipe(
      "fovea-graph 1\nstorage f16\n%0 = input() : f32[1,2,3,4]\n%1 = input() {values = chance} : bool[3]\n"
      "%2 = attention(%0, %0, %0, %1) {causal = true, window_left = 2} : f32[1,2,3,4]\n"
      "%3 = pad(%2) {amounts = [1,2,0,2], mode = reflect} : f32[1,2,5,7]\n"
      "%4 = reduce(%3) {op = mean, axes = [0,-1]} : f32[2,5]\noutput %4\ngradient {recompute = true}\n");
  REQUIRE_MESSAGE(right, right.error().message);
  CHECK(to_cpp(*right) ==
        "fovea::Graph graph;\n"
        "const Tensor v0 = cast(graph.input(\"v0\", {1, 2, 3, 4}, DType::f32), DType::f16);\n"
        "const Tensor v1 = graph.input(\"v1\", {3}, DType::boolean);\n"
        "const Tensor v2 = attention(v0, v0, v0, {.mask = v1, .causal = true, .window_left = 2, });\n"
        "const Tensor v3 = pad(v2, {.amounts = {{0, 2}, {1, 2}}, .mode = PadMode::reflect, });\n"
        "const Tensor v4 = reduce(Reduce::mean, v3, {.axes = {0, -1}, });\n"
        "graph.output(\"y\", cast(v4, DType::f32));\n"
        "const auto gradients = grad(reduce(Reduce::sum, cast(v4, DType::f32) * graph.input(\"dy\", {2, 5})), {v0}, "
        "{.recompute = true});\n");
  // Attributes that were taken away still have a place among the arguments.
  const Result<Recipe> bare = parse_recipe(
      "fovea-graph 1\n%0 = input() : f32[2,3]\n%1 = input() {values = index, below = 2} : i32[2,3]\n%2 = gather(%0, %1) : f32[2,3]\n"
      "%3 = log_softmax(%2) : f32[2,3]\n%4 = layer_norm(%3) : f32[2,3]\noutput %4\n");
  REQUIRE_MESSAGE(bare, bare.error().message);
  CHECK(to_cpp(*bare).find("= gather(v0, v1, 0);\nconst Tensor v3 = log_softmax(v2, {});\nconst Tensor v4 = layer_norm(v3, {});\n") !=
        std::string::npos);
}
