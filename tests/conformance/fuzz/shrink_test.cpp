// Known failures, and the smallest graphs that have them.

#include "tests/conformance/fuzz/shrink.hpp"

#include "tests/conformance/fuzz/maker.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace fovea;
using namespace fovea::conformance;

namespace {

// A device that is wrong in softmax over more than 3 elements.
bool has_long_softmax(const Recipe& recipe) {
  return std::ranges::any_of(recipe.nodes, [](const Node& node) {
    return node.op->name == "softmax" && node.shape.at(axis_from(node.attributes.integer("axis", -1), node.shape)) > 3;
  });
}

// One that is wrong in the gradient of a matmul whose operand is transposed, in f16.
bool has_transposed_product(const Recipe& recipe) {
  return recipe.gradient && recipe.storage == DType::f16 && std::ranges::any_of(recipe.nodes, [](const Node& node) {
           return node.op->name == "matmul" && node.attributes.flag("transpose_b") && node.shape.rank() > 1 && node.shape.at(-1) > 1;
         });
}

// The first `count` seeds that fail.
std::vector<Recipe> failing(const Fails& fails, std::size_t count) {
  std::vector<Recipe> found;
  for (std::uint32_t seed = 1; found.size() < count && seed < 5000; ++seed)
    if (Recipe recipe = random_recipe(seed); fails(recipe)) found.push_back(std::move(recipe));
  REQUIRE(found.size() == count);
  return found;
}

}  // namespace

TEST_CASE("whatever graph fails for softmax over more than 3 elements, what remains is one over 4") {
  for (const Recipe& recipe : failing(has_long_softmax, 12)) {
    const Shrunk shrunk = shrink(recipe, has_long_softmax);
    CHECK_MESSAGE(to_text(shrunk.recipe) ==
                      "fovea-graph 1\n%0 = input() {values = one} : f32[4]\n%1 = softmax(%0) : f32[4]\noutput %1\n",
                  "of\n", to_text(recipe), "remains\n", to_text(shrunk.recipe));
    CHECK(shrunk.tried < 500);
  }
}

TEST_CASE("what the failure needs stays: the gradient, f16, the transposed operand") {
  for (const Recipe& recipe : failing(has_transposed_product, 4)) {
    const Shrunk shrunk = shrink(recipe, has_transposed_product);
    const std::string text = to_text(shrunk.recipe);  // one value may be both operands
    CHECK_MESSAGE((text.find("matmul(%0, %1) {transpose_b = true} : f32[1,2]\n") != std::string::npos ||
                   text.find("matmul(%0, %0) {transpose_b = true} : f32[2,2]\n") != std::string::npos), text);
    CHECK(shrunk.recipe.nodes.size() <= 3);
    CHECK(shrunk.recipe.gradient);
    CHECK(shrunk.recipe.storage == DType::f16);
  }
}

TEST_CASE("nothing that does not fail is kept, and every graph is run once") {
  const Recipe recipe = failing(has_long_softmax, 1)[0];
  std::vector<std::string> ran;
  const Shrunk same = shrink(recipe, [&](const Recipe& one) {
    ran.push_back(to_text(one));
    return false;
  });
  CHECK(same.recipe == recipe);
  CHECK(same.tried == static_cast<int>(ran.size()));
  std::sort(ran.begin(), ran.end());
  CHECK(std::adjacent_find(ran.begin(), ran.end()) == ran.end());
}

TEST_CASE("shrinking ends when it has run as many graphs as it may") {
  const Recipe recipe = failing(has_long_softmax, 1)[0];
  int ran = 0;
  const Shrunk shrunk = shrink(recipe, [&](const Recipe& one) { return ++ran, has_long_softmax(one); }, 3);
  CHECK(ran == 3);
  CHECK(has_long_softmax(shrunk.recipe));
}
