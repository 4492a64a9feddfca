// Rows written into a cache at a position that is data, and a decoding loop over caches that are kept in place.

#include "tests/support/attention.hpp"
#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/rows.hpp"
#include "tests/support/run.hpp"

#include <fovea/kv_cache.hpp>

#include <cmath>
#include <cstring>

namespace fovea::test {
namespace {

using namespace rows;

const Rows of_cache{
    {{"cache_append", {any({2, 2, 5, 3}), any({2, 2, 1, 3}), index({2})}, [](auto& in) { cache_append(in[0], in[1], in[2]); }}},
    {{"cache_append", [](Source& x) { cache_append(x({2, 5, 3}), x({2, 1, 3}), x.i32({})); }, {"cache_append", "cache has shape [2,5,3]", "[B,Hk,S,D]"}},
     {"cache_append", [](Source& x) { cache_append(x({2, 1, 5, 3}), x({2, 1, 3}), x.i32({})); }, {"cache_append", "rows has shape [2,1,3]", "[B,Hk,n,D]"}},
     {"cache_append", [](Source& x) { cache_append(x({2, 1, 5, 3}), x({1, 1, 1, 3}), x.i32({})); }, {"cache_append", "rows has 1 along axis 0 and cache has 2"}},
     {"cache_append", [](Source& x) { cache_append(x({2, 4, 5, 3}), x({2, 1, 1, 3}), x.i32({})); }, {"cache_append", "rows has 1 along axis 1 and cache has 4"}},
     {"cache_append", [](Source& x) { cache_append(x({2, 4, 5, 3}), x({2, 4, 1, 2}), x.i32({})); }, {"cache_append", "rows has 2 along axis 3 and cache has 3"}},
     {"cache_append", [](Source& x) { cache_append(x({2, 4, 5, 3}), x({2, 4, 1, 3}), x.i32({3})); }, {"cache_append", "position has shape [3]", "[B] = [2]"}},
     {"cache_append", [](Source& x) { cache_append(x({2, 4, 5, 3}), x({2, 4, 1, 3}), x.i32({2, 1})); }, {"cache_append", "position has shape [2,1]"}}}};

template <class T>
Array<T> appended(Array<T> cache, const Array<T>& rows, const Array<T>& position) {
  for (std::int64_t b = 0; b < rows.dim(0); ++b)
    for (std::int64_t h = 0; h < rows.dim(1); ++h)
      for (std::int64_t r = 0; r < rows.dim(2); ++r)
        for (std::int64_t d = 0; d < rows.dim(3); ++d) {
          const std::int64_t place = static_cast<std::int64_t>(position[position.size() == 1 ? 0 : b]) + r;
          if (place >= 0 && place < cache.dim(2)) cache.at({b, h, place, d}) = rows.at({b, h, r, d});
        }
  return cache;
}

void check_append(const Shape& cache, std::int64_t n, const Operand& position, DType dtype = DType::f32) {
  INFO("cache ", to_string(cache), ", rows ", n, ", dtype ", to_string(dtype));
  Shape rows = cache;
  rows[2] = n;
  const bool real = dtype == DType::f32;
  const std::vector<Operand> in{real ? random(cache, -1, 1, 1) : random_i32(cache, -9, 9, 1), real ? random(rows, -1, 1, 2) : random_i32(rows, -9, 9, 2), position};
  check(
      "cache_append", in, [](Graph&, const auto& t) { return std::vector{cache_append(t[0], t[1], t[2])}; },
      [](const auto& t) { return std::vector{appended(t[0], t[1], t[2])}; }, {.f16 = real, .exact = true, .gradient = real});
}

Operand at(std::vector<double> positions) {
  const auto count = static_cast<std::int64_t>(positions.size());
  return values({count}, std::move(positions), DType::i32);
}

}  // namespace

TEST_CASE("cache_append: one position, one a batch item, and rows outside of the cache") {
  check_append({2, 3, 7, 4}, 1, values({}, {3}, DType::i32));
  check_append({2, 3, 7, 5}, 2, at({0, 5}));
  check_append({3, 1, 7, 3}, 3, at({-2, 6, 4}));
  check_append({2, 1, 4, 2}, 9, at({-3, 2}));
  check_append({3, 1, 4, 2}, 2, at({-2147483648.0, 2147483647, 4}));
  check_append({2, 2, 5, 3}, 2, at({1, 3}), DType::i32);
}

TEST_CASE("cache_append: no rows, no cache, no heads") {
  check_append({2, 2, 5, 3}, 0, at({1, 3}));
  check_append({2, 2, 0, 3}, 2, at({0, 1}));
  check_append({2, 0, 5, 3}, 2, at({0, 1}));
  check_append({0, 2, 5, 3}, 2, values({}, {0}, DType::i32));
}

namespace {

Buffer buffer_of(const Bytes& bytes, std::uint64_t size, const char* name) {
  Buffer buffer = context().make_buffer(size, true, name).value();
  std::memset(buffer.data(), 0xff, buffer.size());  // NaN
  std::memcpy(buffer.data(), bytes.data(), bytes.size());
  return buffer;
}

// The prompt's rows, then one row a step.
struct Decoding {
  std::int64_t B = 2, H = 4, Hk = 2, S = 80, D = 8, prompt = 5, steps = 70;
  Array<double> q{{B, H, S, D}}, k{{B, Hk, S, D}}, v{{B, Hk, S, D}};
};

}  // namespace

TEST_CASE("a decoding loop replays one recorded plan, its caches and their lengths in place, as causal attention over all" * doctest::skip(compiles_only())) {
  Decoding of;
  of.q = random({of.B, of.H, of.S, of.D}, -1, 1, 1).array, of.k = random({of.B, of.Hk, of.S, of.D}, -1, 1, 2).array, of.v = random({of.B, of.Hk, of.S, of.D}, -1, 1, 3).array;
  for (Array<double>* x : {&of.q, &of.k, &of.v})
    for (double& value : x->values) value = rounded_to(value, DType::f32);
  Graph graph;
  const Tensor k_cache = graph.parameter("k_cache", {of.B, of.Hk, of.S, of.D}), v_cache = graph.parameter("v_cache", {of.B, of.Hk, of.S, of.D});
  const Tensor length = graph.parameter("length", {of.B}, DType::i32);
  const Tensor q = graph.input("q", {of.B, of.H, 1, of.D}), k_new = graph.input("k", {of.B, of.Hk, 1, of.D}), v_new = graph.input("v", {of.B, of.Hk, 1, of.D});
  const Tensor k = cache_append(k_cache, k_new, length), v = cache_append(v_cache, v_new, length), longer = length + graph.constant({}, {1});
  graph.output("y", attention(q, k, v, {.key_ranges = key_ranges(longer)}));
  graph.update(k_cache, k), graph.update(v_cache, v), graph.update(length, longer);
  Plan plan = context().compile(graph, {.poison_arena = true}).value();
  CAPTURE(plan.program_text());
  CHECK(plan.memory().arena < 4096);  // no copy of a cache

  // Item b begins with a prompt of prompt + b rows.
  const auto row_of = [&](const Array<double>& x, std::int64_t step) {
    Array<double> row(Shape{of.B, x.dim(1), 1, of.D});
    for (std::int64_t b = 0; b < of.B; ++b)
      for (std::int64_t h = 0; h < x.dim(1); ++h)
        for (std::int64_t d = 0; d < of.D; ++d) row.at({b, h, 0, d}) = x.at({b, h, of.prompt + b + step, d});
    return encode(row, DType::f32);
  };
  Array<double> k_start = of.k, v_start = of.v, lengths(Shape{of.B});
  for (std::int64_t b = 0; b < of.B; ++b) {
    lengths[b] = static_cast<double>(of.prompt + b);
    for (std::int64_t h = 0; h < of.Hk; ++h)
      for (std::int64_t s = of.prompt + b; s < of.S; ++s)
        for (std::int64_t d = 0; d < of.D; ++d) k_start.at({b, h, s, d}) = v_start.at({b, h, s, d}) = std::nan("");
  }
  const Bytes k_bytes = encode(k_start, DType::f32), v_bytes = encode(v_start, DType::f32), length_bytes = encode(lengths, DType::i32);
  Buffer of_k = buffer_of(k_bytes, k_bytes.size(), "k_cache"), of_v = buffer_of(v_bytes, v_bytes.size(), "v_cache"), of_length = buffer_of(length_bytes, length_bytes.size(), "length");
  const auto port_bytes = [&](const char* name) { return plan.find_port(name)->bytes; };
  Buffer of_q = buffer_of({}, port_bytes("q"), "q"), of_k_new = buffer_of({}, port_bytes("k"), "k"), of_v_new = buffer_of({}, port_bytes("v"), "v"), of_y = buffer_of({}, port_bytes("y"), "y");
  const Bindings bindings = plan.bind({{"k_cache", &of_k}, {"v_cache", &of_v}, {"length", &of_length}, {"q", &of_q}, {"k", &of_k_new}, {"v", &of_v_new}, {"y", &of_y}}).value();
  const auto expected = naive_attention(std::vector{of.q, of.k, of.v}, {.causal = true}, false)[0];
  for (std::int64_t step = 0; step < of.steps; ++step) {
    for (const auto& [buffer, bytes] : {std::pair{&of_q, row_of(of.q, step)}, {&of_k_new, row_of(of.k, step)}, {&of_v_new, row_of(of.v, step)}})
      std::memcpy(buffer->data(), bytes.data(), bytes.size());
    plan.submit(bindings).value();
    plan.wait().value();
    std::vector<float> y(port_bytes("y") / 4);
    std::memcpy(y.data(), of_y.data(), 4 * y.size());
    for (std::int64_t b = 0; b < of.B; ++b)
      for (std::int64_t h = 0; h < of.H; ++h)
        for (std::int64_t d = 0; d < of.D; ++d) {
          const double got = static_cast<double>(y[static_cast<std::size_t>((b * of.H + h) * of.D + d)]);
          if (!(std::abs(got - expected.at({b, h, of.prompt + b + step, d})) < 64 * 0x1p-24)) FAIL_CHECK("step ", step, ": y[", b, ",", h, ",", d, "] is ", got);
        }
  }
  std::vector<std::int32_t> last(2);
  std::memcpy(last.data(), of_length.data(), 8);
  CHECK(last == std::vector<std::int32_t>{75, 76});
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

}  // namespace fovea::test
