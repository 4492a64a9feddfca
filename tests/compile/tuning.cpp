// What was measured of kernels decides which is taken, without a device: keys, choices, and the text they are kept as.

#include "base/half.hpp"
#include "compile/compiler.hpp"
#include "compile/passes.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <set>

using namespace fovea;

namespace {

DeviceCaps gpu() {
  DeviceCaps caps;
  caps.type = DeviceType::discrete;
  caps.storage16 = true;
  return caps;
}

ops::NodeView last_node(const Graph& graph) { return {graph.ir(), graph.ir().nodes.back()}; }

std::vector<std::string> candidates_of(const Graph& graph, const DeviceCaps& caps) {
  std::vector<std::string> names;
  for (const compile::Choice& choice : compile::find_candidates(last_node(graph), caps)) names.emplace_back(choice.kernel->name);
  return names;
}

Graph small_matmul() {
  Graph graph;
  graph.output("y", matmul(graph.input("a", {64, 32}), graph.input("b", {32, 64})));
  return graph;
}

// The first dispatch of the one node, with these times for it.
compile::Dispatch dispatch_of(const Graph& graph, std::vector<KernelTime> times, const CompileOptions& options = {}) {
  compile::Tuning tuning;
  if (!times.empty()) tuning[compile::node_key(last_node(graph))] = std::move(times);
  const auto program = compile::compile(graph.ir(), gpu(), options, tuning);
  REQUIRE_MESSAGE(program, program.error().message);
  return program->dispatches.at(0);
}

std::vector<compile::OpenChoice> open_choices(const Graph& graph, const CompileOptions& options = {}) {
  const auto lowered = compile::lower(graph.ir(), gpu(), options);
  REQUIRE_MESSAGE(lowered, lowered.error().message);
  return compile::find_open_choices(*lowered, gpu(), options);
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("every kernel that can run a node is a candidate, in the order of preference") {
  const Graph graph = small_matmul();
  DeviceCaps cpu = gpu();
  cpu.type = DeviceType::cpu;
  CHECK(candidates_of(graph, gpu()) == std::vector<std::string>{"matmul_tile", "matmul_split", "matmul_row"});
  CHECK(candidates_of(graph, cpu) == std::vector<std::string>{"matmul_row", "matmul_split", "matmul_tile"});
  Graph short_sums;
  short_sums.output("y", matmul(short_sums.input("a", {64, 16}), short_sums.input("b", {16, 64})));
  CHECK(candidates_of(short_sums, gpu()) == std::vector<std::string>{"matmul_tile", "matmul_row"});
  Graph other;
  other.output("y", permute(other.input("x", {2, 3}), {1, 0}));
  CHECK(candidates_of(other, gpu()).size() == 1);
}

TEST_CASE("the kernel that was measured to be the fastest is taken, and the report says why") {
  const Graph graph = small_matmul();
  const compile::Dispatch plain = dispatch_of(graph, {});
  CHECK(plain.kernel == "matmul_tile");
  CHECK(plain.choice == "preferred; others: matmul_split, matmul_row");
  const compile::Dispatch tuned = dispatch_of(graph, {{"matmul_tile", 20.26}, {"matmul_split", 31}, {"matmul_row", 12.1}});
  CHECK(tuned.kernel == "matmul_row");
  CHECK(tuned.choice == "tuned: 12.1 us; others: matmul_tile 20.3 us, matmul_split 31 us");
  const compile::Dispatch partly = dispatch_of(graph, {{"matmul_tile", 9}, {"matmul_row", 12}});
  CHECK(partly.choice == "tuned: 9 us; others: matmul_split, matmul_row 12 us");
}

TEST_CASE("a kernel that is faster by less than what measurements scatter is not taken") {
  const KernelTime close[] = {{"preferred", 100}, {"other", 98}};
  CHECK(compile::best_of(close).kernel == "preferred");
  const KernelTime clear[] = {{"preferred", 100}, {"other", 96}, {"third", 97}};
  CHECK(compile::best_of(clear).kernel == "other");
  const KernelTime nothing[] = {{"preferred", 0}, {"other", 0}};  // a clock that does not run
  CHECK(compile::best_of(nothing).kernel == "preferred");
}

TEST_CASE("a forced kernel is taken whatever was measured") {
  const compile::Dispatch dispatch =
      dispatch_of(small_matmul(), {{"matmul_tile", 20}, {"matmul_row", 12}}, {.force_kernel = {"matmul=matmul_split"}});
  CHECK(dispatch.kernel == "matmul_split");
  CHECK(dispatch.choice == "forced; others: matmul_tile, matmul_row");
}

TEST_CASE("an entry whose kernel is gone, or does not take the node on this device, is ignored") {
  for (const char* kernel : {"matmul_of_old", "matmul_matrix"}) {  // the device has no matrix units
    const compile::Dispatch dispatch = dispatch_of(small_matmul(), {{"matmul_tile", 20}, {kernel, 5}});
    CHECK(dispatch.kernel == "matmul_tile");
    CHECK(dispatch.choice == "preferred; others: matmul_split, matmul_row");
  }
}

TEST_CASE("a node's key tells apart all that kernels see of it, and nothing else") {
  std::set<std::string> keys;
  const auto key_of = [](const auto& build) {
    Graph graph;
    graph.output("y", build(graph));
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    return compile::node_key(last_node(graph));
  };
  const auto product = [&](Shape a, Shape b, DType dtype, MatmulDesc desc, const char* name = "a") {
    return key_of([&](Graph& graph) { return matmul(graph.input(name, a, dtype), graph.input("b", b, dtype), desc); });
  };
  const std::string first = product({64, 32}, {32, 64}, DType::f32, {});
  keys.insert(first);
  keys.insert(product({64, 32}, {64, 32}, DType::f32, {.transpose_b = true}));
  keys.insert(product({64, 32}, {32, 64}, DType::f32, {.alpha = 0.5f}));
  keys.insert(product({64, 32}, {32, 64}, DType::f16, {}));
  keys.insert(product({1, 64, 32}, {32, 64}, DType::f32, {}));
  keys.insert(key_of([](Graph& graph) {
    return matmul(graph.input("a", {64, 32}), graph.input("b", {32, 64}), {.bias = graph.input("bias", {64})});
  }));
  for (const bool causal : {false, true})
    for (const bool masked : {false, true})
      keys.insert(key_of([&](Graph& graph) {
        const Tensor q = graph.input("q", {1, 2, 8, 16}), k = graph.input("k", {1, 2, 8, 16});
        return attention(q, k, k, {.mask = masked ? graph.input("m", {8, 8}, DType::boolean) : Tensor(), .causal = causal});
      }));
  CHECK(keys.size() == 10);
  CHECK(product({64, 32}, {32, 64}, DType::f32, {}, "another name, from another line") == first);
  for (const std::string& key : keys) CHECK(key.find('\n') == key.npos);
}

TEST_CASE("what there is to measure are the nodes as they are compiled: fused, each kind once, with more than one kernel") {
  Graph graph;
  const Tensor x = graph.input("x", {64, 32}), w = graph.input("w", {32, 32});
  const Tensor once = unary(Unary::relu, matmul(x, w)), twice = unary(Unary::relu, matmul(once, w));
  graph.output("y", softmax(matmul(twice, w)));
  const auto open = open_choices(graph);
  REQUIRE(open.size() == 3);
  CHECK(contains(open[0].key, "relu"));
  CHECK(contains(open[1].key, "matmul"));
  CHECK(contains(open[2].key, "softmax"));
  CHECK(open[0].kernels.size() == 3);
  CHECK(open_choices(graph, {.fuse = false}).size() == 2);
  const auto others = open_choices(graph, {.force_kernel = {"matmul=matmul_row"}});
  REQUIRE(others.size() == 1);
  CHECK(contains(others[0].key, "softmax"));
}

TEST_CASE("a node by itself has the same key and kernels, and operands that give it all its work") {
  Graph graph;
  const Tensor q = graph.input("q", {2, 2, 8, 16}, DType::f16), k = graph.input("k", {2, 2, 24, 16}, DType::f16);
  const Tensor lengths = graph.input("lengths", {2}, DType::i32), mask = graph.input("mask", {8, 24}, DType::boolean);
  const Tensor y = attention(q, k, k, {.mask = mask, .key_ranges = key_ranges(lengths, {.queries = 8})});
  graph.output("dq", grad(reduce(Reduce::sum, cast(y, DType::f32)), {q})[0]);
  graph.output("y", y);
  const auto lowered = compile::lower(graph.ir(), gpu(), {});
  REQUIRE_MESSAGE(lowered, lowered.error().message);
  int seen = 0;
  for (const compile::OpenChoice& open : compile::find_open_choices(*lowered, gpu(), {})) {
    const ops::NodeView node{*lowered, lowered->nodes[open.node]};
    const ir::Graph alone = compile::isolate(node);
    CHECK_MESSAGE(!alone.error, open.key);
    CHECK(compile::node_key({alone, alone.nodes[0]}) == open.key);
    CHECK(alone.outputs.size() == node.outputs());
    for (const std::string& kernel : open.kernels)
      CHECK(compile::compile(alone, gpu(), {.force_kernel = {std::string(node.node.op->name) + '=' + kernel}}));
    for (std::size_t i = 0; i < node.inputs(); ++i) {
      if (!node.has(i)) continue;
      const std::vector<std::byte> bytes = compile::make_operand(node, i);
      CHECK(bytes.size() == compile::storage_bytes(node.in(i)));
      std::vector<std::int32_t> words(bytes.size() / 4);
      std::memcpy(words.data(), bytes.data(), words.size() * 4);
      if (node.in(i).dtype == DType::boolean) CHECK(std::ranges::count(words, 1) == node.in(i).shape.elements());
      if (node.in(i).dtype == DType::i32) {
        CHECK(words[0] == 0);
        CHECK(words[1] == 24);  // every key
      }
      if (node.in(i).dtype == DType::f16) CHECK(std::abs(float_from_half(static_cast<std::uint16_t>(words[0]))) <= 1);
      if (node.in(i).dtype == DType::f32 && node.in(i).shape.at(-1) == 5) {  // the statistics of the way back end in the same
        float ends[5];
        std::memcpy(ends, bytes.data(), sizeof ends);
        CHECK(ends[3] == 0);
        CHECK(ends[4] == 24);
      }
    }
    seen += node.node.op == &ops::attention_op || node.node.op == &ops::attention_backward_op;
  }
  CHECK(seen == 2);
}

TEST_CASE("what was measured comes back from its text; of other kernels, or damaged, it is refused") {
  const compile::Tuning tuning{{"matmul {} (f32[2,2])", {{"matmul_tile", 12.25}, {"matmul_row", 1e-3}}},
                               {"softmax {axis = -1}\t(f32[2])", {{"softmax_lane", 0}}}};
  const std::string text = compile::to_text(tuning);
  const auto back = compile::read_tuning(text);
  REQUIRE_MESSAGE(back, back.error().message);
  REQUIRE(back->size() == 2);
  for (const auto& [key, times] : tuning) {
    const auto& read = back->at(key);
    CHECK(std::ranges::equal(read, times, {}, &KernelTime::kernel, &KernelTime::kernel));
    CHECK(std::ranges::equal(read, times, {}, &KernelTime::microseconds, &KernelTime::microseconds));
  }
  CHECK(compile::read_tuning(compile::to_text(compile::Tuning()))->empty());
  const auto foreign = compile::read_tuning("kernels 1\n" + text.substr(text.find('\n') + 1));
  CHECK(foreign.error().message == "tuning: of other kernels than this build's");
  const std::string head = text.substr(0, text.find('\n') + 1);
  for (const char* line : {"\n", "\tkey\n", "matmul_row\tkey\n", "matmul_row 1.5x \tkey\n", "matmul_row -1 \tkey\n",
                           "matmul_row inf \tkey\n", "matmul_row nan \tkey\n", "matmul_row 1 \t\n"})
    CHECK_MESSAGE(!compile::read_tuning(head + line), line);
  for (std::size_t size = 0; size < text.size(); ++size) (void)compile::read_tuning(std::string_view(text).substr(0, size));
}
