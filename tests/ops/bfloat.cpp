// bf16 as kernels load and store it, bit for bit, beside its definition.

#include "tests/support/bfloat.hpp"
#include "engine/api/internal.hpp"
#include "ops/op_def.hpp"
#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fovea::test {

namespace {

template <class Word>
Bytes bytes_of(const std::vector<Word>& words) {
  const auto bytes = std::as_bytes(std::span(words));
  Bytes padded(bytes.begin(), bytes.end());
  padded.resize((padded.size() + 3) / 4 * 4);
  return padded;
}

template <class Word>
std::vector<Word> words_of(const Bytes& bytes, std::size_t count) {
  std::vector<Word> words(count);
  std::memcpy(words.data(), bytes.data(), count * sizeof(Word));
  return words;
}

// The one output of a graph, run between sentinels.
Result<Bytes> output_of(const Graph& graph, const std::vector<Bytes>& inputs, const std::vector<std::string>& kernels = {}) {
  REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
  auto plan = context().compile(graph, {.force_kernel = kernels, .poison_arena = true});
  if (!plan) return plan.error();
  const GuardedRun run = run_between_sentinels(context(), *plan, inputs, 2).value();
  for (const std::string& fault : run.faults) FAIL_CHECK(fault);
  return run.outputs[0];
}

std::vector<std::uint16_t> all_patterns() {
  std::vector<std::uint16_t> patterns(0x10000);
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) patterns[bits] = static_cast<std::uint16_t>(bits);
  return patterns;
}

bool is_nan(std::uint32_t pattern) { return (pattern & 0x7fff) > 0x7f80; }
bool is_denormal(std::uint32_t pattern) { return (pattern & 0x7f80) == 0; }

// Whether a kernel that computes in between, and may flush a denormal there, gave what was expected.
bool agrees(std::uint16_t got, std::uint16_t expected) {
  if (is_nan(expected)) return is_nan(got);
  return got == expected || (is_denormal(expected) && (got & 0x7fff) == 0);
}

void check_patterns(const std::string& what, const std::vector<std::uint16_t>& got, const std::vector<std::uint16_t>& expected) {
  std::size_t wrong = 0, first = 0;
  for (std::size_t i = expected.size(); i-- > 0;)
    if (!agrees(got[i], expected[i])) ++wrong, first = i;
  CHECK_MESSAGE(wrong == 0, what, ": ", wrong, " of ", expected.size(), " are wrong; number ", first, " is ", got[first], ", expected ", expected[first]);
}

}  // namespace

TEST_CASE("every bf16 becomes the f32 of its value and payload, and goes back" * doctest::skip(compiles_only())) {
  if (!has_f16()) return;
  const std::vector<std::uint16_t> patterns = all_patterns();
  Graph graph;
  graph.output("y", cast(graph.input("x", {0x10000}, DType::bf16), DType::f32));
  const Bytes wide = output_of(graph, {bytes_of(patterns)}).value();
  const auto words = words_of<std::uint32_t>(wide, patterns.size());
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) REQUIRE(words[bits] == bits << 16);

  Graph back;
  back.output("y", cast(back.input("x", {0x10000}), DType::bf16));
  const auto narrow = words_of<std::uint16_t>(output_of(back, {wide}).value(), patterns.size());
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) REQUIRE(narrow[bits] == (is_nan(bits) ? bits | 0x40 : bits));
}

TEST_CASE("an f32 becomes the nearest bf16: ties, overflow, denormals, payloads" * doctest::skip(compiles_only())) {
  if (!has_f16()) return;
  std::vector<std::uint32_t> words;
  each_float_near_a_bfloat([&](std::uint32_t word) { words.push_back(word); });
  Graph graph;
  graph.output("y", cast(graph.input("x", {static_cast<std::int64_t>(words.size())}), DType::bf16));
  const auto got = words_of<std::uint16_t>(output_of(graph, {bytes_of(words)}).value(), words.size());
  for (std::size_t i = 0; i < words.size(); ++i)
    REQUIRE_MESSAGE(got[i] == nearest_bfloat(std::bit_cast<float>(words[i])), words[i], " became ", got[i]);
}

TEST_CASE("a bf16 is padded, copied and sorted as it is" * doctest::skip(compiles_only())) {
  if (!has_f16()) return;
  const std::vector<std::uint16_t> patterns = all_patterns();
  Graph graph;
  const Tensor x = graph.input("x", {0x10000}, DType::bf16);
  graph.output("y", sort(slice(pad(x, {.amounts = {{1, 2}}, .value = 1 + 0x1.8p-8f}), {.axis = 0, .start = 1, .stop = 0x10002})).values);
  // -inf, ..., -0 and 0 in the order that they stand in, ..., 1.0078125 and the pad, which rounds to it, ..., inf, every NaN.
  std::vector<std::uint16_t> expected = patterns;
  expected.push_back(0x3f81);
  const auto key = [](std::uint16_t pattern) { return is_nan(pattern) ? HUGE_VAL : value_of_bfloat(pattern); };
  std::stable_sort(expected.begin(), expected.end(), [&](std::uint16_t a, std::uint16_t b) { return key(a) < key(b); });
  CHECK(words_of<std::uint16_t>(output_of(graph, {bytes_of(patterns)}).value(), expected.size()) == expected);
}

// Windows of one: what is loaded is what is stored.
TEST_CASE("pooling's kernels load and store every bf16" * doctest::skip(compiles_only())) {
  if (!has_f16()) return;
  const std::vector<std::uint16_t> patterns = all_patterns();
  for (const ops::Kernel& kernel : ops::find_op("pool")->kernels) {
    Graph graph;
    graph.output("y", pool(Pool::max, graph.input("x", {1, 1, 256, 256}, DType::bf16), {.kernel = {1, 1}}));
    const auto got = output_of(graph, {bytes_of(patterns)}, {std::string("pool=") + kernel.name});
    if (got) check_patterns(kernel.name, words_of<std::uint16_t>(*got, patterns.size()), patterns);
    else CHECK_MESSAGE(got.error().code == ErrorCode::unsupported, got.error().message);
  }
}

// Sums of two that f32 holds: x and a quarter, a half and three quarters of the distance to the next one.
TEST_CASE("products round to the nearest bf16 in every kernel" * doctest::skip(compiles_only())) {
  if (!has_f16()) return;
  std::vector<std::uint16_t> a, expected;
  for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
    const std::uint32_t exponent = bits >> 7 & 0xff;
    if (exponent < 16 || exponent == 255) continue;  // the parts are normal numbers
    for (const auto& [part, shift] : {std::pair{0u, 9u}, {0u, 8u}, {0x40u, 8u}}) {  // 1/4, 1/2, 3/4 of 2^-7
      const auto step = static_cast<std::uint16_t>((bits & 0x8000) | (exponent - shift) << 7 | part);
      const double sum = value_of_bfloat(bits) + value_of_bfloat(step);
      a.push_back(static_cast<std::uint16_t>(bits)), a.push_back(step);
      for (int n = 0; n < 4; ++n) expected.push_back(nearest_bfloat(static_cast<float>(sum)));
    }
  }
  const std::vector<std::uint16_t> ones(8, 0x3f80);
  for (const ops::Kernel& kernel : ops::find_op("matmul")->kernels) {
    Graph graph;
    const auto rows = static_cast<std::int64_t>(a.size() / 2);
    const Tensor pairs = graph.input("a", {rows, 2}, DType::bf16), one = graph.input("b", {2, 4}, DType::bf16);
    graph.output("y", matmul(pairs, one));
    const auto got = output_of(graph, {bytes_of(a), bytes_of(ones)}, {std::string("matmul=") + kernel.name});
    if (got) check_patterns(kernel.name, words_of<std::uint16_t>(*got, expected.size()), expected);
    else CHECK_MESSAGE(got.error().code == ErrorCode::unsupported, got.error().message);
  }
}

TEST_CASE("where the device has no 16-bit storage, f16 and bf16 are refused by name" * doctest::skip(compiles_only())) {
  bool& storage16 = context().impl()->device->caps.storage16;
  for (const DType dtype : {DType::f16, DType::bf16}) {
    Graph graph;
    graph.output("y", softmax(graph.input("x", {4}, dtype)));
    const bool own = std::exchange(storage16, false);
    const auto plan = context().compile(graph);
    storage16 = own;
    REQUIRE(!plan);
    CHECK(plan.error().code == ErrorCode::unsupported);
    for (const std::string& text : {"\"x\" is " + std::string(to_string(dtype)), std::string("storageBuffer16BitAccess"), std::string("bfloat.cpp")})
      CHECK_MESSAGE(plan.error().message.find(text) != std::string::npos, plan.error().message);
  }
}

}  // namespace fovea::test
