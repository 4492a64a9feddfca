// Compiling without a device: fusion, memory, barriers, limits, and the text of the result.

#include "compile/compiler.hpp"
#include "compile/passes.hpp"
#include "tests/support/golden.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <random>

using namespace fovea;
using compile::Program;

namespace {

DeviceCaps full_caps() {
  DeviceCaps caps;
  caps.storage16 = true;
  return caps;
}

Program compiled(const Graph& graph, const CompileOptions& options = {}, const DeviceCaps& caps = full_caps()) {
  auto program = compile::compile(graph.ir(), caps, options);
  REQUIRE_MESSAGE(program, program.error().message);
  return *program;
}

std::string error_of(const Graph& graph, const CompileOptions& options = {}, const DeviceCaps& caps = full_caps()) {
  auto program = compile::compile(graph.ir(), caps, options);
  REQUIRE(!program);
  return program.error().message;
}

std::size_t barriers(const Program& program) {
  return static_cast<std::size_t>(std::count_if(program.dispatches.begin(), program.dispatches.end(),
                                                [](const auto& dispatch) { return dispatch.barrier_before; }));
}

}  // namespace

TEST_CASE("a chain of elementwise operators becomes one launch") {
  Graph graph;
  const Tensor x = graph.input("x", {4, 8}), bias = graph.input("bias", {8});
  graph.output("y", unary(Unary::gelu, (x + bias) * 2.0f - x));
  const Program fused = compiled(graph);
  CHECK(fused.dispatches.size() == 1);
  CHECK(fused.arena_bytes == 0);
  CHECK(compiled(graph, {.fuse = false}).dispatches.size() == 4);
}

TEST_CASE("a value that others read too is not fused away") {
  Graph graph;
  const Tensor x = graph.input("x", {8}), e = unary(Unary::exp, x);
  graph.output("y", e * 3.0f);
  graph.output("z", e - 1.0f);
  const Program program = compiled(graph);
  CHECK(program.dispatches.size() == 3);
  CHECK(barriers(program) == 1);
}

TEST_CASE("independent launches share a level and need no barrier between them") {
  Graph graph;
  std::vector<Tensor> sums;
  for (const char* name : {"a", "b", "c"}) sums.push_back(softmax(graph.input(name, {16})));
  graph.output("y", softmax(sums[0] + sums[1] + sums[2]));
  const Program program = compiled(graph);
  REQUIRE(program.dispatches.size() == 5);
  CHECK(program.dispatches[2].level == 0);
  CHECK(barriers(program) == 2);
  CHECK(!program.dispatches[0].barrier_before);
}

TEST_CASE("the program text is golden") {
  Graph graph;
  const Tensor x = graph.input("x", {3, 5}), w = graph.parameter("w", {5});
  const Tensor p = softmax(x * w);
  graph.output("p", p);
  graph.output("y", log_softmax(p + x, {.axis = 0}));
  test::check_golden("program_softmax", compile::to_text(compiled(graph)));
}

TEST_CASE("an output that is an input, a view, or another output's value gets bytes of its own") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 3}), y = softmax(x);
  graph.output("same", x);
  graph.output("view", reshape(x, {3, 2}));
  graph.output("y", y);
  graph.output("again", reshape(y, {6}));
  const Program program = compiled(graph);
  CHECK(program.dispatches.size() == 4);
  std::vector<std::uint32_t> written;
  for (const auto& dispatch : program.dispatches)
    for (const auto& binding : dispatch.bindings)
      if (binding.write) written.push_back(binding.range.index);
  std::sort(written.begin(), written.end());
  CHECK(written == std::vector<std::uint32_t>{1, 2, 3, 4});
}

TEST_CASE("a parameter's update is written behind everything that reads the parameter") {
  Graph graph;
  const Tensor w = graph.parameter("w", {4, 4}), x = graph.input("x", {4, 4});
  graph.update(w, w * 0.5f);
  graph.output("late", matmul(matmul(matmul(x, x), x), reshape(w, {4, 4})));
  graph.output("old", w);
  CHECK(graph.to_text().find("update w = %") != std::string::npos);
  const Program program = compiled(graph);
  REQUIRE(program.externals.size() == 4);  // w, x, late, old: the update has no port of its own
  CHECK(program.externals[0].updated);
  CHECK(compile::to_text(program).find("parameter w : f32[4,4], updated") != std::string::npos);
  std::size_t writes = 0;
  for (std::size_t i = 0; i < program.dispatches.size(); ++i)
    for (const compile::Binding& binding : program.dispatches[i].bindings)
      if (binding.write && binding.range == compile::BufferRange{compile::BufferKind::external, 0, 0, 64}) {
        ++writes;
        CHECK(i == program.dispatches.size() - 1);
        CHECK(program.dispatches[i].barrier_before);
      }
  CHECK(writes == 1);
}

TEST_CASE("what no output needs is not launched") {
  Graph graph;
  const Tensor x = graph.input("x", {4});
  static_cast<void>(softmax(x));
  graph.output("y", x * 2.0f);
  CHECK(compiled(graph).dispatches.size() == 1);
}

TEST_CASE("empty values launch nothing and still have a place") {
  Graph graph;
  const Tensor x = graph.input("x", {0, 4});
  graph.output("y", softmax(x) * 2.0f);
  for (const auto& dispatch : compiled(graph).dispatches) CHECK(dispatch.groups[0] == 0);
}

TEST_CASE("a value past what the device can bind is refused by name, size and place") {
  Graph graph;
  const Tensor x = graph.input("x", {1 << 14, 1 << 14});
  graph.output("y", softmax(x));
  const std::string message = error_of(graph);
  CHECK(message.find("\"x\" f32[16384,16384] takes 1073741824 bytes") != std::string::npos);
  CHECK(message.find("binds at most 134217728 bytes (maxStorageBufferRange) (program.cpp:") != std::string::npos);

  Graph huge;
  huge.output("y", softmax(huge.input("x", {1 << 30, 1 << 30})));
  CHECK(error_of(huge).find("more than 2^56 bytes") != std::string::npos);
}

TEST_CASE("an arena or a scratch buffer past the device's limits is refused by name and size") {
  Graph graph;
  graph.output("y", softmax(softmax(graph.input("x", {1000, 25}))));
  DeviceCaps caps = full_caps();
  caps.max_allocation = 100000 - 1;
  CHECK(error_of(graph, {}, caps) == "compile: the plan needs an arena of 100096 bytes, and generic Vulkan 1.1 device "
                                     "allocates at most 99999 at once");
  caps.max_allocation = 100096;
  CHECK(compiled(graph, {}, caps).arena_bytes == 100096);

  // What a kernel says it needs, and no kernel refused by itself.
  std::vector<compile::Choice> choices(graph.ir().nodes.size());
  choices[1].plan.scratch_bytes = {64, caps.max_storage_range + 4};
  Program program;
  program.externals.resize(2);
  const auto layout = compile::alias(graph.ir(), choices, {}, program, caps, true);
  REQUIRE(!layout);
  CHECK(layout.error().message == "compile: softmax needs 134217732 bytes of scratch, and generic Vulkan 1.1 device "
                                  "binds at most 134217728");
}

TEST_CASE("f16 and bf16 on a device without 16-bit storage are refused with the reason") {
  for (const DType dtype : {DType::f16, DType::bf16}) {
    const std::string name = to_string(dtype);
    Graph graph;
    graph.output("y", reduce(Reduce::sum, graph.input("x", {4}, dtype)));
    const std::string message = error_of(graph, {}, DeviceCaps{});
    CHECK(message.find("compile: \"x\" is " + name + ", and generic Vulkan 1.1 device lacks storageBuffer16BitAccess, or the host "
                       "did not enable it (program.cpp:") != std::string::npos);
    Graph inner;
    inner.output("y", cast(cast(inner.input("x", {4}), dtype), DType::f32));
    CHECK(error_of(inner, {}, DeviceCaps{}).find("compile: the result of elementwise is " + name) != std::string::npos);
  }
}

TEST_CASE("a forced kernel is taken, or refused when there is no such one") {
  Graph graph;
  graph.output("y", softmax(graph.input("x", {4})));
  for (std::string kernel : {"softmax_lane", "softmax_group"})
    CHECK(compiled(graph, {.force_kernel = {"softmax=" + kernel}}).dispatches[0].kernel == kernel);
  CHECK(error_of(graph, {.force_kernel = {"softmax=fast"}}).find("\"softmax=fast\" is not operator=kernel of this build; softmax=softmax_") != std::string::npos);
  CHECK(error_of(graph, {.force_kernel = {"sotfmax"}}).find("no operator has that name") != std::string::npos);
}

TEST_CASE("a graph without outputs, or with an error, does not compile") {
  Graph graph;
  graph.input("x", {4});
  CHECK(error_of(graph) == "compile: the graph has no output");
  softmax(graph.input("z", {4}), {.axis = 3});
  CHECK(error_of(graph).find("softmax: axis 3 is out of range for x [4]") == 0);
}

// ---- Barriers -----------------------------------------------------------------------------------------------------

namespace {

enum class Use { read, write };
struct Touch {
  compile::BufferKind kind;
  std::uint32_t index;
  std::uint64_t offset, size;
  Use use;
};

// Where barriers are placed in a program of such dispatches: one digit each.
std::string barriers_between(const std::vector<std::vector<Touch>>& dispatches) {
  Program program;
  for (const auto& touches : dispatches) {
    auto& dispatch = program.dispatches.emplace_back();
    for (const Touch& touch : touches)
      dispatch.bindings.push_back({{touch.kind, touch.index, touch.offset, touch.size}, touch.use == Use::read, touch.use == Use::write});
  }
  compile::place_barriers(program);
  std::string text;
  for (const auto& dispatch : program.dispatches) text += dispatch.barrier_before ? '1' : '0';
  return text;
}

}  // namespace

TEST_CASE("a barrier stands between a write and a read, a read and a write, and two writes of the same bytes") {
  using enum compile::BufferKind;
  const auto at = [](std::uint64_t offset, std::uint64_t size, Use use) { return Touch{arena, 0, offset, size, use}; };
  CHECK(barriers_between({{at(0, 64, Use::write)}, {at(0, 64, Use::read)}}) == "01");
  CHECK(barriers_between({{at(0, 64, Use::read)}, {at(0, 64, Use::write)}}) == "01");
  CHECK(barriers_between({{at(0, 64, Use::write)}, {at(0, 64, Use::write)}}) == "01");
  CHECK(barriers_between({{at(0, 64, Use::read)}, {at(0, 64, Use::read)}}) == "00");
  // Ranges that share some bytes, and neighbours that share none.
  CHECK(barriers_between({{at(0, 68, Use::write)}, {at(64, 64, Use::read)}}) == "01");
  CHECK(barriers_between({{at(64, 64, Use::write)}, {at(0, 68, Use::read)}}) == "01");
  CHECK(barriers_between({{at(0, 256, Use::read)}, {at(64, 64, Use::write)}}) == "01");
  CHECK(barriers_between({{at(0, 64, Use::write)}, {at(64, 64, Use::write), at(128, 64, Use::read)}}) == "00");
  // The same numbers in other buffers.
  CHECK(barriers_between({{{external, 1, 0, 64, Use::write}}, {{external, 2, 0, 64, Use::read}}, {{external, 1, 0, 64, Use::read}}}) == "001");
  CHECK(barriers_between({{{constant, 0, 0, 64, Use::read}}, {at(0, 64, Use::write)}}) == "00");
  // A barrier is for all that came before it, and for nothing after.
  CHECK(barriers_between({{at(0, 64, Use::write), at(64, 64, Use::write)}, {at(0, 64, Use::read)}, {at(64, 64, Use::read)}}) == "010");
  CHECK(barriers_between({{at(0, 64, Use::write)}, {at(0, 64, Use::read), at(64, 64, Use::write)}, {at(64, 64, Use::read)}}) == "011");
  CHECK(barriers_between({{at(0, 64, Use::read)}, {at(64, 64, Use::read)}, {at(0, 64, Use::write)}}) == "001");
}

// ---- Properties over random graphs --------------------------------------------------------------------------------

namespace {

// Values of very different sizes, views, constants, launches of one node that follow each other, and scratch.
Graph random_graph(std::uint32_t seed) {
  constexpr std::int64_t columns = 24;  // matmul_split takes no fewer than 17 products
  std::mt19937 draw(seed);
  const auto below = [&](std::int64_t n) { return static_cast<std::int64_t>(draw() % static_cast<std::uint32_t>(n)); };
  Graph graph;
  std::vector<Tensor> values;
  for (const char* name : {"a", "b", "c"}) values.push_back(graph.input(name, {1 + below(64), columns}));
  const std::vector<float> numbers(columns, 0.5f);
  values.push_back(graph.constant({1, columns}, numbers));
  const auto pick = [&] { return values[draw() % values.size()]; };
  for (int i = 0; i < 24; ++i) {
    const Tensor x = pick(), y = pick();
    const std::int64_t rows = x.dim(0);
    switch (draw() % 8) {
      case 0: values.push_back(softmax(x)); break;
      case 1: values.push_back(x.shape() == y.shape() ? x + y : x * 0.5f); break;
      case 2: values.push_back(reshape(x, x.shape().extents())); break;
      case 3: values.push_back(slice(x, {.start = below(rows), .stop = rows})); break;
      case 4: values.push_back(x.dim(1) == y.dim(1) && rows + y.dim(0) < 256 ? concat({x, y}, 0) : x - 1.0f); break;
      case 5:
      case 6: values.push_back(x.dim(1) == columns && y.dim(1) == columns ? matmul(x, y, {.transpose_b = true}) : softmax(x, {.axis = 0})); break;
      default: values.push_back(log_softmax(x, {.axis = 0})); break;
    }
  }
  graph.output("y", values.back());
  graph.output("z", pick());
  return graph;
}

CompileOptions with_scratch(CompileOptions options = {}) {
  options.force_kernel = {"matmul=matmul_split"};
  return options;
}

bool overlap(const compile::BufferRange& a, const compile::BufferRange& b) {
  return a.kind == b.kind && a.index == b.index && a.offset < b.offset + b.size && b.offset < a.offset + a.size;
}

}  // namespace

TEST_CASE("no two launches between barriers touch the same bytes unless both only read") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Program program = compiled(random_graph(seed), with_scratch({.fuse = seed % 2 == 0}));
    std::size_t first = 0;
    for (std::size_t i = 0; i < program.dispatches.size(); ++i) {
      if (program.dispatches[i].barrier_before) first = i;
      for (std::size_t k = first; k < i; ++k)
        for (const auto& a : program.dispatches[i].bindings)
          for (const auto& b : program.dispatches[k].bindings)
            CHECK_FALSE(((a.write || b.write) && overlap(a.range, b.range)));
    }
  }
}

TEST_CASE("barriers number no more than the levels, less one") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Program program = compiled(random_graph(seed), with_scratch());
    if (!program.dispatches.empty()) CHECK(barriers(program) <= program.dispatches.back().level);
  }
}

TEST_CASE("launches of one level touch no bytes that another of them writes") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Program program = compiled(random_graph(seed), with_scratch({.fuse = seed % 2 == 0}));
    for (const auto& one : program.dispatches)
      for (const auto& other : program.dispatches) {
        if (&one == &other || one.level != other.level) continue;
        for (const auto& a : one.bindings)
          for (const auto& b : other.bindings) CHECK_FALSE((a.write && overlap(a.range, b.range)));
      }
  }
}

TEST_CASE("aliasing computes what separate buffers would, in no more memory") {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    const Graph graph = random_graph(seed);
    const Program aliased = compiled(graph, with_scratch()), apart = compiled(graph, with_scratch({.alias = false}));
    CHECK(aliased.arena_bytes >= aliased.arena_lower_bound);
    CHECK(aliased.arena_bytes <= aliased.arena_unaliased_bytes);
    CHECK(apart.arena_bytes == apart.arena_unaliased_bytes);
    REQUIRE(aliased.dispatches.size() == apart.dispatches.size());
    // Each read sees the same writer in both programs: the last dispatch that wrote the bytes it reads.
    const auto writer = [](const Program& program, std::size_t reader, const compile::BufferRange& range) {
      for (std::size_t i = reader; i-- > 0;)
        for (const auto& binding : program.dispatches[i].bindings)
          if (binding.write && overlap(binding.range, range)) return static_cast<std::ptrdiff_t>(i);
      return std::ptrdiff_t{-1};
    };
    for (std::size_t i = 0; i < aliased.dispatches.size(); ++i)
      for (std::size_t k = 0; k < aliased.dispatches[i].bindings.size(); ++k)
        if (aliased.dispatches[i].bindings[k].read)
          CHECK(writer(aliased, i, aliased.dispatches[i].bindings[k].range) == writer(apart, i, apart.dispatches[i].bindings[k].range));
  }
}

TEST_CASE("ranges keep the device's alignment") {
  DeviceCaps caps = full_caps();
  Graph with_constants;
  const Tensor x = with_constants.input("x", {1, 1, 5, 4});
  with_constants.output("y", attention(x, x, x, {.causal = true}));
  for (std::uint64_t alignment : {4u, 64u, 256u}) {
    caps.storage_alignment = alignment;
    const Program programs[] = {compiled(random_graph(7), with_scratch(), caps),
                                compiled(with_constants, {.force_kernel = {"attention=decompose"}}, caps)};
    CHECK(programs[1].constants.size() > 3 * alignment / 2);
    for (const Program& program : programs)
      for (const auto& dispatch : program.dispatches)
        for (const auto& binding : dispatch.bindings) CHECK(binding.range.offset % alignment == 0);
  }
}
