// Attention over keys in pages, and rows appended to pages, against loops.

#include "tests/support/attention.hpp"
#include "tests/support/check.hpp"
#include "tests/support/rows.hpp"

#include <fovea/kv_cache.hpp>

#include <algorithm>
#include <cmath>

namespace fovea::test {
namespace {

using namespace rows;

const Rows of_pages{
    {{"page_append", {any({6, 2, 4, 3}), any({2, 2, 1, 3}), index({2}), index({2, 5})}, [](auto& in) { page_append(in[0], in[1], in[2], in[3]); }}},
    {{"page_append", [](Source& x) { page_append(x({2, 4, 3}), x({2, 2, 1, 3}), x.i32({}), x.i32({2, 5})); }, {"page_append", "pages has shape [2,4,3]", "[P,Hk,page,D]"}},
     {"page_append", [](Source& x) { page_append(x({6, 2, 4, 3}), x({2, 1, 3}), x.i32({}), x.i32({2, 5})); }, {"page_append", "rows has shape [2,1,3]"}},
     {"page_append", [](Source& x) { page_append(x({6, 2, 4, 3}), x({2, 1, 1, 3}), x.i32({}), x.i32({2, 5})); }, {"page_append", "rows has 1 along axis 1 and pages has 2"}},
     {"page_append", [](Source& x) { page_append(x({6, 2, 4, 3}), x({2, 2, 1, 5}), x.i32({}), x.i32({2, 5})); }, {"page_append", "rows has 5 along axis 3 and pages has 3"}},
     {"page_append", [](Source& x) { page_append(x({6, 2, 4, 3}), x({2, 2, 1, 3}), x.i32({6}), x.i32({2, 5})); }, {"page_append", "position has shape [6]", "[B] = [2]"}},
     {"page_append", [](Source& x) { page_append(x({6, 2, 4, 3}), x({2, 2, 1, 3}), x.i32({}), x.i32({3, 5})); }, {"page_append", "page_table has shape [3,5]", "B = 2"}},
     {"page_append", [](Source& x) { page_append(x({6, 2, 4, 3}), x({2, 2, 1, 3}), x.i32({}), x.i32({2})); }, {"page_append", "page_table has shape [2]"}},
     {"attention", [](Source& x) { attention(x({2, 2, 1, 8}), x({6, 2, 4, 8}), x({6, 2, 4, 8}), {.page_table = x({2, 3})}); }, {"attention", "page_table is f32, not i32"}},
     {"attention", [](Source& x) { attention(x({2, 2, 1, 8}), x({6, 2, 4, 8}), x({6, 2, 4, 8}), {.page_table = x.i32({3, 3})}); }, {"attention", "page_table has shape [3,3]", "B = 2"}},
     {"attention", [](Source& x) { attention(x({2, 2, 1, 8}), x({6, 2, 4, 8}), x({5, 2, 4, 8}), {.page_table = x.i32({2, 3})}); }, {"attention", "v has 5 pages (axis 0) and k has 6"}},
     {"attention", [](Source& x) { attention(x({2, 2, 1, 8}), x({0, 2, 4, 8}), x({0, 2, 4, 8}), {.page_table = x.i32({2, 3})}); }, {"attention", "k has no pages"}},
     {"attention", [](Source& x) { attention(x({2, 2, 1, 8}), x({6, 2, 4, 8}), x({6, 2, 4, 8}), {.dropout = 0.5f, .dropout_state = x.i32({6}), .page_table = x.i32({2, 3})}); },
      {"attention", "dropout is 0.5", "pages"}}}};

struct Sizes {
  std::int64_t B = 2, H = 4, Hk = 2, Lq = 1, D = 8, Dv = 6, P = 9, page = 16, M = 5;
};

// Pages in no order, one shared, one named outside of those that there are.
Operand table_of(const Sizes& s) {
  Operand table = random_i32({s.B, s.M}, 0, s.P - 1, 8);
  if (s.M == 0) return table;
  if (s.B > 1) table.array[0] = table.array[s.M];
  table.array[s.M - 1] = static_cast<double>(s.P + 3);
  if (s.M > 2) table.array[s.M - 2] = -1;
  return table;
}

// [P,Hk,page,D] -> [B,Hk,M·page,D]
template <class T>
Array<T> out_of_pages(const Array<T>& pages, const Array<T>& table) {
  const std::int64_t M = table.dim(1), page = pages.dim(2), last = pages.dim(0) - 1;
  Array<T> x(Shape{table.dim(0), pages.dim(1), M * page, pages.dim(3)});
  for (std::int64_t b = 0; b < x.dim(0); ++b)
    for (std::int64_t h = 0; h < x.dim(1); ++h)
      for (std::int64_t j = 0; j < x.dim(2); ++j)
        for (std::int64_t d = 0; d < x.dim(3); ++d) {
          const std::int64_t number = std::clamp<std::int64_t>(static_cast<std::int64_t>(table.at({b, j / page})), 0, last);
          x.at({b, h, j, d}) = pages.at({number, h, j % page, d});
        }
  return x;
}

void check_pages(const Sizes& s, std::vector<double> lengths, const KeyRangesDesc& ranges, AttentionDesc desc = {}, bool f16 = false, bool ranged = true) {
  INFO("Lq ", s.Lq, ", D ", s.D, ", pages ", s.P, " of ", s.page, ", ", s.M, " an item");
  std::vector<Operand> in{random({s.B, s.H, s.Lq, s.D}, -1, 1, 1), random({s.P, s.Hk, s.page, s.D}, -1, 1, 2), random({s.P, s.Hk, s.page, s.Dv}, -1, 1, 3), table_of(s)};
  in.push_back(values({s.B}, std::move(lengths), DType::i32));
  check("attention", in,
        [&](Graph&, const auto& t) {
          AttentionDesc with = desc;
          with.page_table = t[3], with.return_lse = true;
          if (ranged) with.key_ranges = key_ranges(t[4], ranges);
          const AttentionResult result = attention_full(t[0], t[1], t[2], with);
          return std::vector{result.out, result.lse};
        },
        [&](const auto& t) {
          using A = std::decay_t<decltype(t[0])>;
          A ends(Shape{s.B, 1, s.Lq, 2});
          for (std::int64_t b = 0; b < s.B; ++b)
            for (std::int64_t i = 0; i < s.Lq; ++i)
              ends[(b * s.Lq + i) * 2 + 1] = t[4][b] - static_cast<std::decay_t<decltype(ends[0])>>(ranges.causal ? s.Lq - i - 1 : 0);
          auto all = naive_attention(std::vector{t[0], out_of_pages(t[1], t[3]), out_of_pages(t[2], t[3])}, desc, false,
                                     [](std::int64_t, std::int64_t) { return 1; }, ranged ? &ends : nullptr);
          all.pop_back();
          return all;
        },
        {.f16 = f16, .extra_ulps = 64});
}

}  // namespace

TEST_CASE("attention over pages: one query, several, a prompt; pages of any size, shared and named wrong") {
  check_pages({}, {37, 80}, {}, {}, true);
  check_pages({.H = 2, .page = 64}, {300, 5}, {});
  check_pages({.Lq = 3, .page = 7}, {3, 20}, {.queries = 3, .causal = true});
  check_pages({.B = 1, .Lq = 40, .D = 5, .Dv = 3, .page = 9}, {44}, {.queries = 40, .causal = true});
  check_pages({.Lq = 2, .page = 1, .M = 3}, {0, 2}, {.queries = 2, .causal = true});
  check_pages({.B = 1, .H = 1, .Hk = 1, .Lq = 2, .D = 260, .P = 2, .page = 3, .M = 2}, {5}, {.queries = 2});  // the chain's
}

TEST_CASE("attention over pages without ranges, causal from the table's end") {
  check_pages({.Lq = 3}, {0, 0}, {}, {.causal = true, .align = CausalAlign::bottom_right}, false, false);
  check_pages({.Lq = 1, .M = 0}, {0, 0}, {}, {}, false, false);
}

TEST_CASE("page_append: into pages of a table, over their ends, and where there is none") {
  for (const std::int64_t n : {1, 6})
    for (const auto& positions : {std::vector<double>{2, 9}, {-2, 12}, {11, 14}}) {
      const Operand table = values({2, 4}, {5, 0, 7, 8, 3, -1, 2, 6}, DType::i32);  // of 8 pages: 8 and -1 are none
      check(
          "page_append", {random({8, 2, 4, 3}, -1, 1, 1), random({2, 2, n, 3}, -1, 1, 2), values({2}, positions, DType::i32), table},
          [](Graph&, const auto& t) { return std::vector{page_append(t[0], t[1], t[2], t[3])}; },
          [&](const auto& t) {
            auto pages = t[0];
            for (std::int64_t b = 0; b < 2; ++b)
              for (std::int64_t h = 0; h < 2; ++h)
                for (std::int64_t r = 0; r < n; ++r)
                  for (std::int64_t d = 0; d < 3; ++d) {
                    const std::int64_t key = static_cast<std::int64_t>(t[2][b]) + r;
                    if (key < 0 || key >= 16) continue;
                    const auto page = static_cast<std::int64_t>(t[3].at({b, key / 4}));
                    if (page >= 0 && page < 8) pages.at({page, h, key % 4, d}) = t[1].at({b, h, r, d});
                  }
            return std::vector{pages};
          },
          {.exact = true});
    }
}

TEST_CASE("attention over quantised pages with rows just appended") {
  const auto in = std::vector<Operand>{random({2, 4, 1, 16}, -1, 1, 1), random({9, 2, 16, 16}, -1, 1, 2), random({2, 2, 1, 16}, -1, 1, 3),
                                       values({2, 5}, {3, 1, 4, 0, 8, 2, 7, 5, 6, 3}, DType::i32), values({2}, {36, 63}, DType::i32)};
  for (const Quantized kind : {Quantized::int8, Quantized::int4})
    check("attention", in,
          [&](Graph& graph, const auto& t) {
            const Tensor longer = t[4] + graph.constant({}, {1}), words = page_append(quantize_rows(t[1], kind), quantize_rows(t[2], kind), t[4], t[3]);
            const Tensor y = attention(t[0], words, words, {.key_ranges = key_ranges(longer), .page_table = t[3], .quantized = kind});
            const Tensor wide = page_append(dequantize_rows(quantize_rows(t[1], kind), kind), dequantize_rows(quantize_rows(t[2], kind), kind), t[4], t[3]);
            return std::vector{y - attention(t[0], wide, wide, {.key_ranges = key_ranges(longer), .page_table = t[3]}) + t[0]};
          },
          [](const auto& t) { return std::vector{t[0]}; }, {.f16 = false, .extra_ulps = 64});
}

TEST_CASE("attention over pages has no gradient, and says so") {
  check_error([](Graph& graph) {
    const Tensor q = graph.input("q", {1, 1, 2, 8}), k = graph.input("k", {3, 1, 4, 8});
    grad(reduce(Reduce::sum, attention(q, k, k, {.page_table = graph.input("table", {1, 2}, DType::i32)})), {q});
  }, {"attention has no gradient", "pages"});
}

}  // namespace fovea::test
