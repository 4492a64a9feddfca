// Attention under ranges of keys that are data, against its definition: by every kernel, forward and gradient; and the ranges of
// lengths and of packed sequences against loops.

#include "tests/support/attention.hpp"
#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/philox.hpp"
#include "tests/support/rows.hpp"

#include <cmath>
#include <random>

namespace fovea::test {
namespace {

using namespace rows;

const Rows of_ranges{
    {{"key_ranges", {index({3})}, [](auto& in) { key_ranges(in[0]); }},
     {"packed_key_ranges", {index({3}), index({3})}, [](auto& in) { packed_key_ranges(in[0], in[1], {.queries = 5}); }}},
    {{"key_ranges", [](Source& x) { key_ranges(x.i32({2, 3})); }, {"key_ranges", "lengths", "[2,3]", "[B]"}},
     {"key_ranges", [](Source& x) { key_ranges(x.i32({2}), {.queries = -1}); }, {"key_ranges", "queries is -1"}},
     {"key_ranges", [](Source& x) { key_ranges(x.i32({2}), {.queries = far}); }, {"key_ranges", "queries is 1099511627776"}},
     {"key_ranges", [](Source& x) { key_ranges(x.i32({2}), {.align = none<CausalAlign>}); }, {"key_ranges", "align is enumerator 99"}},
     {"key_ranges", [](Source& x) { key_ranges(x.i32({2}), {.window_left = -2}); }, {"key_ranges", "window_left is -2"}},
     {"key_ranges", [](Source& x) { key_ranges(x.i32({2}), {.window_right = -2}); }, {"key_ranges", "window_right is -2"}},
     {"packed_key_ranges", [](Source& x) { packed_key_ranges(x.i32({}), x.i32({3}), {}); }, {"packed_key_ranges", "query_starts", "[]", "[n + 1]"}},
     {"packed_key_ranges", [](Source& x) { packed_key_ranges(x.i32({4}), x.i32({3}), {}); }, {"packed_key_ranges", "key_starts has 3", "query_starts has 4"}},
     {"packed_key_ranges", [](Source& x) { packed_key_ranges(x.i32({0}), x.i32({0}), {}); }, {"packed_key_ranges", "query_starts has no element"}},
     {"packed_key_ranges", [](Source& x) { packed_key_ranges(x.i32({3}), x.i32({3}), {.queries = -7}); }, {"packed_key_ranges", "queries is -7"}},
     {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 5, 8}), x({1, 2, 5, 8}), {.key_ranges = x({3, 2})}); }, {"attention", "key_ranges is f32, not i32"}},
     {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 5, 8}), x({1, 2, 5, 8}), {.key_ranges = x.i32({5, 2})}); },
      {"attention", "key_ranges [5,2] does not broadcast to [B,H,Lq,2] = [1,2,3,2]"}},
     {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 5, 8}), x({1, 2, 5, 8}), {.key_ranges = x.i32({3, 1})}); }, {"attention", "key_ranges [3,1]"}},
     {"attention", [](Source& x) { attention(x({1, 2, 3, 8}), x({1, 2, 5, 8}), x({1, 2, 5, 8}), {.key_ranges = x.i32({})}); }, {"attention", "key_ranges []"}}}};

struct Sizes {
  std::int64_t B = 2, H = 2, Hk = 2, Lq = 5, Lk = 7, D = 8, Dv = 6;
};

Operand ranges_of(const Shape& shape, std::vector<double> ends) { return values(shape, std::move(ends), DType::i32); }

// Some empty, some past the ends, some far past.
Operand random_ranges(const Shape& shape, std::int64_t keys) {
  Operand ranges = ranges_of(shape, std::vector<double>(static_cast<std::size_t>(shape.elements())));
  std::mt19937 random(7);
  const auto draw = [&](std::int64_t low, std::int64_t high) { return static_cast<double>(std::uniform_int_distribution<std::int64_t>(low, high)(random)); };
  for (std::int64_t i = 0; i < shape.elements(); i += 2) {
    const bool far_out = draw(0, 7) == 0;
    ranges.array[i] = far_out ? -2147483648.0 : draw(-3, keys);
    ranges.array[i + 1] = far_out ? 2147483647.0 : draw(0, keys + 3);
  }
  return ranges;
}

struct Options {
  bool gradient = true;
  bool f16 = false;
  std::optional<Operand> mask{};
  std::string kernel{};
  std::vector<Operand> qkv{};  // instead of random ones
};

void check_ranges(const Sizes& s, const Operand& ranges, AttentionDesc desc = {}, const Options& options = {}) {
  INFO("B,H,Hk,Lq,Lk,D,Dv = ", s.B, ' ', s.H, ' ', s.Hk, ' ', s.Lq, ' ', s.Lk, ' ', s.D, ' ', s.Dv, ", ranges ", to_string(ranges.array.shape));
  std::vector<Operand> in = options.qkv;
  if (in.empty())
    in = {random({s.B, s.H, s.Lq, s.D}, -1, 1, 1), random({s.B, s.Hk, s.Lk, s.D}, -1, 1, 2), random({s.B, s.Hk, s.Lk, s.Dv}, -1, 1, 3)};
  in.push_back(ranges);
  in.push_back(values({6}, {12345, -77, 4'000'000'000.0 - 4'294'967'296.0, 9, 2, -1}, DType::i32));
  if (options.mask) in.push_back(*options.mask);
  const auto build = [&](Graph&, const std::vector<Tensor>& t) {
    AttentionDesc with = desc;
    with.key_ranges = t[3], with.return_lse = true;
    if (desc.dropout > 0) with.dropout_state = t[4];
    if (options.mask) with.mask = t[5];
    const AttentionResult result = attention_full(t[0], t[1], t[2], with);
    return std::vector{result.out, result.lse};
  };
  const auto reference = [&](const auto& arrays) {
    auto operands = arrays;
    operands.resize(3);
    if (options.mask) operands.push_back(arrays[5]);
    const double keep = static_cast<double>(1 - desc.dropout);
    const std::int64_t drawn = (s.Lk + 3) / 4 * 4;
    const auto kept = [&](std::int64_t row, std::int64_t j) {
      return desc.dropout == 0 ? 1.0 : uniform_of(word(arrays[4], 0, row * drawn + j)) < keep ? 1 / keep : 0.0;
    };
    auto all = naive_attention(operands, desc, options.mask && options.mask->dtype == DType::boolean, kept, &arrays[3]);
    all.pop_back();
    return all;
  };
  check("attention", in, build, reference, {.f16 = options.f16, .extra_ulps = 64, .kernel = options.kernel});  // exp: as attention without ranges
  if (!options.gradient) return;
  const auto first = [](auto all) { return std::vector{all[0]}; };  // a row that sees nothing has a log-sum-exp of -inf
  check_gradient(in, [&](Graph& graph, const std::vector<Tensor>& t) { return first(build(graph, t)); },
                 [&](const std::vector<Array<double>>& arrays) { return first(reference(arrays)); },
                 {.ulps = 256, .least_scale = 0.05, .kernels_of = "attention_backward"});
}

}  // namespace

TEST_CASE("attention under ranges of keys, however they broadcast") {
  for (const Shape& shape : {Shape{2, 2, 5, 2}, {2, 1, 5, 2}, {2, 1, 1, 2}, {1, 2, 1, 2}, {5, 2}, {2}}) {
    const bool whole = shape.rank() == 4 && shape[1] == 1;
    check_ranges({}, random_ranges(shape, 7), {}, {.gradient = whole, .f16 = whole});
  }
}

TEST_CASE("ranges over blocks of rows and of keys") {
  check_ranges({.B = 1, .Lq = 37, .Lk = 70, .D = 5}, random_ranges({37, 2}, 70));
  check_ranges({.B = 2, .H = 1, .Hk = 1, .Lq = 70, .Lk = 33}, random_ranges({2, 1, 70, 2}, 33));
  check_ranges({.B = 1, .H = 6, .Hk = 2, .Lq = 19, .Lk = 150}, random_ranges({6, 19, 2}, 150));
  check_ranges({.B = 3, .H = 1, .Hk = 1, .Lq = 1, .Lk = 700}, random_ranges({3, 1, 1, 2}, 700));
  check_ranges({.B = 1, .H = 4, .Hk = 1, .Lq = 33, .Lk = 300}, ranges_of({2}, {131, 164}));
}

TEST_CASE("ranges beside causal, a window, masks, dropout and soft-cap") {
  check_ranges({.B = 1, .Lq = 37, .Lk = 41}, random_ranges({37, 2}, 41), {.causal = true});
  check_ranges({.H = 4, .Lq = 20, .Lk = 33}, random_ranges({2, 1, 1, 2}, 33), {.align = CausalAlign::bottom_right, .window_left = 4, .window_right = 2});
  check_ranges({}, random_ranges({2, 1, 5, 2}, 7), {.softcap = 2}, {.mask = random_boolean({2, 1, 5, 7}, 0.7)});
  check_ranges({}, random_ranges({2, 2, 1, 2}, 7), {}, {.mask = random({5, 7}, -1, 1, 5)});
  check_ranges({}, random_ranges({2, 1, 5, 2}, 7), {.dropout = 0.3f});
}

TEST_CASE("ranges that see nothing: no keys, none of them, all empty") {
  check_ranges({.Lk = 0}, ranges_of({2}, {0, 5}), {}, {.gradient = false});
  check_ranges({.Lq = 0}, ranges_of({2}, {0, 5}), {}, {.gradient = false});
  check_ranges({.Lk = 70}, ranges_of({2}, {5, 5}));
  check_ranges({.Lk = 70}, ranges_of({2}, {60, 10}));
  check_ranges({.Lk = 7}, ranges_of({2}, {7, 2147483647}));
}

TEST_CASE("head sizes that no kernel takes, under ranges") { check_ranges({.B = 1, .H = 1, .Hk = 1, .Lq = 4, .Lk = 6, .D = 260, .Dv = 3}, random_ranges({4, 2}, 6)); }

TEST_CASE("what lies outside of a row's range reaches neither the row nor its gradient, whatever it holds") {
  const Sizes sizes{.B = 1, .H = 1, .Hk = 1, .Lq = 21, .Lk = 90};
  const auto filled_with = [&](double value) {
    std::vector<Operand> in{random({1, 1, 21, 8}, -1, 1, 1), random({1, 1, 90, 8}, -1, 1, 2), random({1, 1, 90, 6}, -1, 1, 3)};
    for (const std::int64_t key : {0, 11, 80, 89})
      for (std::int64_t d = 0; d < 6; d += 2) in[1].array.at({0, 0, key, d}) = in[2].array.at({0, 0, key, d}) = value;
    return in;
  };
  for (const double value : {std::nan(""), HUGE_VAL})
    check_ranges(sizes, ranges_of({2}, {12, 80}), {}, {.gradient = false, .qkv = filled_with(value)});
}

// ---- Ranges of lengths --------------------------------------------------------------------------------------------

namespace {

// By the definition: of each query the keys of its sequence, one by one.
template <class T>
void put_range(Array<T>& y, std::int64_t row, std::int64_t i, std::int64_t Lq, std::int64_t first, std::int64_t Lk, const KeyRangesDesc& desc) {
  const std::int64_t position = desc.align == CausalAlign::bottom_right ? i + Lk - Lq : i;
  std::int64_t begin = -1, end = -1;
  for (std::int64_t j = 0; j < Lk; ++j) {
    const bool seen = !(desc.causal && j > position) && !(desc.window_left >= 0 && position - j > desc.window_left) &&
                      !(desc.window_right >= 0 && j - position > desc.window_right);
    if (seen && begin < 0) begin = j;
    if (seen) end = j + 1;
  }
  if (begin < 0) begin = end = -1 - first;  // -1, -1: nothing
  y[2 * row] = static_cast<T>(first + begin), y[2 * row + 1] = static_cast<T>(first + end);
}
// Empty ranges are alike, wherever they stand.
Tensor comparable(Graph& graph, Tensor ranges) {
  const Tensor begin = slice(ranges, {.axis = -1, .start = 0, .stop = 1}), end = slice(ranges, {.axis = -1, .start = 1, .stop = 2});
  return select(binary(Binary::less, begin, end), ranges, graph.constant({}, {-1}));
}

const KeyRangesDesc descs[] = {{}, {.causal = true}, {.causal = true, .align = CausalAlign::top_left}, {.window_left = 2},
                               {.causal = true, .window_left = 0}, {.align = CausalAlign::top_left, .window_left = 1, .window_right = 3},
                               {.window_left = INT64_MAX, .window_right = INT64_MAX}};

}  // namespace

TEST_CASE("key_ranges: of lengths, causal and windowed from either end") {
  for (KeyRangesDesc desc : descs)
    for (const std::int64_t queries : {1, 4, 9}) {
      desc.queries = queries;
      check("key_ranges", {values({5}, {0, 1, 4, 9, 20}, DType::i32)},
            [&](Graph& graph, const auto& in) { return std::vector{comparable(graph, key_ranges(in[0], desc))}; },
            [&](const auto& in) {
              std::decay_t<decltype(in[0])> y(Shape{5, 1, queries, 2});
              for (std::int64_t b = 0; b < 5; ++b)
                for (std::int64_t i = 0; i < queries; ++i) put_range(y, b * queries + i, i, queries, 0, static_cast<std::int64_t>(in[0][b]), desc);
              return std::vector{y};
            },
            {.f16 = false, .exact = true});
    }
}

TEST_CASE("packed_key_ranges: sequences of all lengths, none among them, and rows of none") {
  for (KeyRangesDesc desc : descs) {
    desc.queries = 24;
    check("packed_key_ranges", {values({6}, {1, 1, 4, 13, 13, 22}, DType::i32), values({6}, {0, 3, 10, 13, 15, 15}, DType::i32)},
          [&](Graph& graph, const auto& in) { return std::vector{comparable(graph, packed_key_ranges(in[0], in[1], desc))}; },
          [&](const auto& in) {
            std::decay_t<decltype(in[0])> y(Shape{1, 1, desc.queries, 2});
            for (std::int64_t t = 0; t < desc.queries; ++t) {
              y[2 * t] = y[2 * t + 1] = -1;
              for (std::int64_t s = 0; s < 5; ++s) {
                const auto at = [&](std::size_t which, std::int64_t n) { return static_cast<std::int64_t>(in[which][n]); };
                if (at(0, s) <= t && t < at(0, s + 1)) put_range(y, t, t - at(0, s), at(0, s + 1) - at(0, s), at(1, s), at(1, s + 1) - at(1, s), desc);
              }
            }
            return std::vector{y};
          },
          {.f16 = false, .exact = true});
  }
}

TEST_CASE("ranges of no items, of no queries, of no sequences, and of lengths that are none") {
  const auto as_is = [](const char* op, std::vector<Operand> in, const Build& build, const Shape& shape, std::vector<double> expected) {
    check(op, in, build,
          [&](const auto& arrays) {
            std::decay_t<decltype(arrays[0])> y(shape);
            for (std::int64_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::decay_t<decltype(y[0])>>(expected[static_cast<std::size_t>(i)]);
            return std::vector{y};
          },
          {.f16 = false, .exact = true});
  };
  as_is("key_ranges", {values({0}, {}, DType::i32)}, [](Graph&, const auto& in) { return std::vector{key_ranges(in[0])}; }, {0, 1, 1, 2}, {});
  as_is("key_ranges", {values({2}, {1, 2}, DType::i32)}, [](Graph&, const auto& in) { return std::vector{key_ranges(in[0], {.queries = 0})}; }, {2, 1, 0, 2}, {});
  as_is("key_ranges", {values({2}, {-2147483648.0, 2147483647}, DType::i32)}, [](Graph&, const auto& in) { return std::vector{key_ranges(in[0])}; },
        {2, 1, 1, 2}, {0, 0, 0, 536870912});
  as_is("packed_key_ranges", {values({1}, {0}, DType::i32), values({1}, {0}, DType::i32)},
        [](Graph&, const auto& in) { return std::vector{packed_key_ranges(in[0], in[1], {.queries = 2})}; }, {1, 1, 2, 2}, {0, 0, 0, 0});
}

TEST_CASE("packed sequences attend as each of them does alone, with their gradients") {
  const std::vector<std::int64_t> starts{0, 5, 5, 18, 37}, key_starts{0, 9, 12, 25, 44};
  const std::int64_t Tq = 40, Tk = 44, H = 2, D = 8;
  for (const CausalAlign align : {CausalAlign::top_left, CausalAlign::bottom_right}) {
    const std::vector<Operand> in{random({1, H, Tq, D}, -1, 1, 1), random({1, 1, Tk, D}, -1, 1, 2), random({1, 1, Tk, D}, -1, 1, 3),
                                  values({5}, {starts.begin(), starts.end()}, DType::i32), values({5}, {key_starts.begin(), key_starts.end()}, DType::i32)};
    const auto build = [&](Graph&, const std::vector<Tensor>& t) {
      const Tensor ranges = packed_key_ranges(t[3], t[4], {.queries = Tq, .causal = true, .align = align});
      return std::vector{attention(t[0], t[1], t[2], {.key_ranges = ranges})};
    };
    const auto reference = [&](const auto& arrays) {
      std::decay_t<decltype(arrays[0])> y(Shape{1, H, Tq, D});
      const auto rows_of = [](const auto& x, std::int64_t first, std::int64_t last) {
        std::decay_t<decltype(x)> part(Shape{1, x.dim(1), last - first, x.dim(3)});
        for (std::int64_t i = 0; i < part.size(); ++i) {
          auto at = unflatten(i, part.shape);
          at[2] += first;
          part[i] = x[broadcast_offset(at, x.shape)];
        }
        return part;
      };
      for (std::size_t s = 0; s + 1 < starts.size(); ++s) {
        const auto q = rows_of(arrays[0], starts[s], starts[s + 1]);
        const auto one = naive_attention(std::vector{q, rows_of(arrays[1], key_starts[s], key_starts[s + 1]), rows_of(arrays[2], key_starts[s], key_starts[s + 1])},
                                         {.causal = true, .align = align}, false)[0];
        for (std::int64_t i = 0; i < one.size(); ++i) {
          auto at = unflatten(i, one.shape);
          at[2] += starts[s];
          y[broadcast_offset(at, y.shape)] = one[i];
        }
      }
      return std::vector{y};
    };
    check("attention", in, build, reference, {.extra_ulps = 64});
    check_gradient(in, build, reference, {.ulps = 256, .least_scale = 0.05, .kernels_of = "attention_backward"});
  }
}

}  // namespace fovea::test
