// Which graphs run and what is said of them, on a device that is made up.

#include "tests/conformance/fuzz/fuzz.hpp"

#include "tests/conformance/fuzz/maker.hpp"
#include "tests/io/folder.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <thread>

using namespace fovea;
using namespace fovea::conformance;

namespace {

Recipe recipe_of(const Case& one) { return parse_recipe(Attrs(one.attrs).text("graph")).value(); }

std::ptrdiff_t operators_of(const Recipe& recipe) {
  return std::ranges::count_if(recipe.nodes, [](const Node& node) { return node.op->name != "input"; });
}

CaseResult passed(const Case& one) {
  return {.group = one.group, .name = one.name, .op = one.op, .variant = "", .error = {0.25},
          .tensors = {{"out.y", {0.25}, {0.1}, {0.2}, {1e-6}}}, .kernels = {"elementwise"}, .runs = 2};
}

CaseResult failed(const Case& one, std::string line) {
  return {.group = one.group, .name = one.name, .op = one.op, .variant = "", .status = Status::failed, .lines = {std::move(line)}};
}

// What is emitted, with `seconds` so few that one graph runs.
std::vector<CaseResult> emitted(FuzzOptions options, const RunCase& run) {
  std::vector<CaseResult> results;
  fuzz(options, {}, run, [&](const CaseResult& result) { results.push_back(result); });
  return results;
}

CaseResult wrong(std::string line) { return failed(Case{}, std::move(line)); }

constexpr double one_graph = 1e-9;

}  // namespace

TEST_CASE("seeds follow one another until the time is over, and the summary names them") {
  std::vector<std::string> names;
  constexpr double seconds = 2;  // a busy machine makes two graphs in it, too
  const std::vector<CaseResult> results = emitted({.seconds = seconds, .seed = 41}, [&](const Case& one, const RunOptions&) {
    names.push_back(one.name);
    if (names.size() == 3) std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
    return std::vector{passed(one)};
  });
  REQUIRE(names.size() > 1);
  for (std::size_t i = 0; i < names.size(); ++i) CHECK(names[i] == "seed-" + std::to_string(41 + i));
  REQUIRE(results.size() == 1);
  const std::string n = std::to_string(names.size());
  CHECK(results[0].id() == "fuzz/seeds 41 to " + std::to_string(40 + names.size()));
  CHECK(results[0].status == Status::passed);
  CHECK(results[0].count == static_cast<int>(names.size()));
  CHECK(results[0].error.value == 0.25);
  CHECK(results[0].lines == std::vector<std::string>{n + " graphs; of their runs " + n + " passed, 0 failed, 0 were skipped"});
  CHECK(results[0].tensors.size() == std::min<std::size_t>(names.size(), 8));
  CHECK(results[0].tensors[0].name == "seed-41 out.y");
}

TEST_CASE("a count ends the graphs before the time does") {
  int graphs = 0;
  emitted({.seconds = 3600, .count = 5}, [&](const Case& one, const RunOptions&) {
    ++graphs;
    return std::vector{passed(one)};
  });
  CHECK(graphs == 5);
}

TEST_CASE("however short the time, one graph runs; where it fails, nothing passed") {
  const std::vector<CaseResult> results = emitted({.seconds = one_graph, .seed = 7}, [](const Case& one, const RunOptions&) {
    return std::vector{failed(one, "two runs differ in out.y")};
  });
  REQUIRE(results.size() == 2);
  CHECK(results[0].id() == "fuzz/seed-7");
  CHECK(results[0].status == Status::failed);
  CHECK(results[0].lines[0] == "two runs differ in out.y");
  const std::string& text = results[0].lines.back();
  CHECK(parse_recipe(text.substr(text.find('\n') + 1)).value() == random_recipe(7));
  CHECK(results[1].status == Status::skipped);
  CHECK(results[1].lines[0] == "1 graphs; of their runs 0 passed, 1 failed, 0 were skipped");
}

TEST_CASE("where the device stores no 16 bits, graphs are of f32") {
  int half = 0;
  for (std::uint32_t seed = 1; seed < 40; ++seed) {
    half += random_recipe(seed).storage != DType::f32;
    emitted({.seconds = one_graph, .seed = seed, .storage16 = false}, [](const Case& one, const RunOptions&) {
      CHECK(recipe_of(one).storage == DType::f32);
      return std::vector{passed(one)};
    });
  }
  CHECK(half > 0);
  Recipe recipe = random_recipe(1);
  recipe.storage = DType::bf16;
  std::vector<CaseResult> results;  // a graph of the user's own stays as it is
  run_recipe(recipe, "mine", {.storage16 = false}, {}, [](const Case& one, const RunOptions&) { return std::vector{passed(one)}; },
             [&](const CaseResult& result) { results.push_back(result); });
  REQUIRE(results.size() == 1);
  CHECK(results[0].status == Status::skipped);
  CHECK(results[0].lines == std::vector<std::string>{"the device stores no bf16"});
}

TEST_CASE("only what fails in the same way is smaller: NaN does not stand for a wrong number") {
  // A number is wrong where a graph has three operators or more, NaN comes in smaller ones.
  std::uint32_t seed = 1;
  while (operators_of(random_recipe(seed)) < 5) ++seed;
  const std::vector<CaseResult> results = emitted({.seconds = one_graph, .seed = seed, .shrink = true}, [](const Case& one, const RunOptions&) {
    return std::vector{failed(one, operators_of(recipe_of(one)) >= 3 ? "out.y[1]: got 2, expected 3, bound 1e-05 (1 of 2 outside)"
                                                                 : "out.y[1]: got nan, expected 3, bound 1e-05 (1 of 2 outside)")};
  });
  REQUIRE(results[0].lines.size() == 3);
  const std::string& text = results[0].lines[1];
  const Recipe recipe = parse_recipe(text.substr(text.find('\n') + 1)).value();
  CHECK(operators_of(recipe) == 3);
  CHECK(results[0].lines[2].starts_with("as a program:\nfovea::Graph graph;\n"));
}

TEST_CASE("kinds of failures forget numbers and names") {
  const auto kind = [](std::string line) { return kind_of_failure(wrong(std::move(line))); };
  CHECK(kind("out.y[0,2]: got 1.5, expected 1.25, bound 1e-05 (3 of 24 outside)") == kind("out.y[7]: got 3, expected 4, bound 1 (1 of 8 outside)"));
  CHECK(kind("out.y[0]: got nan, expected 1, bound 1 (1 of 1 outside)") != kind("out.y[0]: got 2, expected 1, bound 1 (1 of 1 outside)"));
  CHECK(kind("out.y[0]: got 2, expected 1, bound 1 (1 of 1 outside)") != kind("grad.v1[0]: got 2, expected 1, bound 1 (1 of 1 outside)"));
  CHECK(kind("two runs differ in out.y") != kind("changed the input in.v3"));
  CHECK(kind("Validation Error: [ VUID-vkCmdDispatch-None-08114 ] Object 0: x") == kind("[ VUID-vkCmdDispatch-None-08114 ] Object 7"));
  CHECK(kind("x VUID-vkCmdDispatch-None-08114 x") != kind("x VUID-vkCmdDispatch-None-02697 x"));
  CHECK(kind("conv: binds 300 bytes of 200") == kind("conv: binds 17 bytes of 1"));
}

TEST_CASE("a failing graph is saved whole, and what cannot be written is said") {
  const test::Folder folder;
  const RunCase run = [](const Case& one, const RunOptions&) { return std::vector{failed(one, "two runs differ in out.y")}; };
  emitted({.seconds = one_graph, .seed = 9, .save = folder.path()}, run);
  const std::string text = test::read_bytes(folder / "seed-9.graph");
  CHECK(text.starts_with("# fuzz/seed-9 two runs differ in out.y\nfovea-graph 1\n"));
  CHECK(parse_recipe(text).value() == random_recipe(9));
  const std::vector<CaseResult> results = emitted({.seconds = one_graph, .seed = 9, .save = folder / "nowhere"}, run);
  CHECK(results[0].lines.back().starts_with("--save: "));
}
