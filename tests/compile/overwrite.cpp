// Operators that overwrite their operand: in the parameter's own bytes where nothing needs them as they were, else in a copy.

#include "compile/compiler.hpp"
#include "tests/support/hazards.hpp"

#include <fovea/fovea.hpp>
#include <fovea/kv_cache.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace fovea;

namespace {

struct Cache {
  Graph graph{};
  Tensor cache = graph.parameter("cache", {2, 2, 16, 4}), rows = graph.input("rows", {2, 2, 1, 4});
  Tensor position = graph.input("position", {2}, DType::i32), q = graph.input("q", {2, 2, 1, 4});
};

compile::Program compiled(const Graph& graph) {
  auto program = compile::compile(graph.ir(), DeviceCaps{}, {});
  REQUIRE_MESSAGE(program, program.error().message);
  for (const std::string& hazard : test::find_hazards(*program)) FAIL_CHECK(hazard);
  return *program;
}
// Dispatches of an operator, by the name that their labels begin with.
std::size_t count(const compile::Program& program, std::string_view op) {
  return static_cast<std::size_t>(std::count_if(program.dispatches.begin(), program.dispatches.end(),
                                                [&](const compile::Dispatch& dispatch) { return dispatch.label.starts_with(op); }));
}

}  // namespace

TEST_CASE("a cache's update is in place, and what reads it comes behind it") {
  Cache c;
  const Tensor next = cache_append(c.cache, c.rows, c.position);
  c.graph.output("y", attention(c.q, next, next));
  c.graph.update(c.cache, next);
  const compile::Program program = compiled(c.graph);
  CHECK(program.dispatches.size() == 2);
  CHECK(program.arena_bytes == 0);
  CHECK(program.dispatches[1].barrier_before);
}

TEST_CASE("what reads the cache as it was before comes before it is overwritten") {
  Cache c;
  const Tensor before = reduce(Reduce::sum, c.cache, {.axes = {2}});
  const Tensor next = cache_append(c.cache, c.rows, c.position);
  c.graph.output("before", before);
  c.graph.output("after", reduce(Reduce::sum, next, {.axes = {2}}));
  c.graph.update(c.cache, next);
  const compile::Program program = compiled(c.graph);
  CHECK(count(program, "cache_append") == 1);
  CHECK(program.dispatches.size() == 3);
}

TEST_CASE("a chain of appends is in place, through views too") {
  Cache c;
  const Tensor first = cache_append(c.cache, c.rows, c.position);
  const Tensor flat = reshape(first, {2, 2, 8, 8}), again = cache_append(reshape(flat, {2, 2, 16, 4}), c.rows, c.position + c.graph.constant({}, {1}));
  c.graph.update(c.cache, again);
  const compile::Program program = compiled(c.graph);
  CHECK(count(program, "cache_append") == 2);
  CHECK(program.dispatches.size() == 3);  // and the position's
}

TEST_CASE("it works on a copy of what is read as it was later, is an output, is no parameter, or is not updated") {
  const auto copies = [](const std::function<void(Cache&)>& build) {
    Cache c;
    build(c);
    const compile::Program program = compiled(c.graph);
    return count(program, "elementwise");
  };
  CHECK(copies([](Cache& c) {
          const Tensor next = cache_append(c.cache, c.rows, c.position);
          c.graph.output("late", reduce(Reduce::sum, c.cache, {.axes = {2}}));
          c.graph.update(c.cache, next);
        }) == 2);  // and the update
  CHECK(copies([](Cache& c) {
          c.graph.update(c.cache, cache_append(c.cache, c.rows, c.position));
          c.graph.output("before", c.cache);
        }) == 3);
  CHECK(copies([](Cache& c) { c.graph.output("y", cache_append(c.cache, c.rows, c.position)); }) == 1);
  CHECK(copies([](Cache& c) {
          const Tensor input = c.graph.input("other", {2, 2, 16, 4});
          c.graph.update(c.cache, cache_append(input, c.rows, c.position));
        }) == 2);
  // Two values from one cache: the second to overwrite it may, behind the first's copy.
  CHECK(copies([](Cache& c) {
          const Tensor a = cache_append(c.cache, c.rows, c.position), b = cache_append(c.cache, c.rows, c.position + c.graph.constant({}, {1}));
          c.graph.output("a", a);
          c.graph.update(c.cache, b);
        }) == 2);  // and the position's
}
