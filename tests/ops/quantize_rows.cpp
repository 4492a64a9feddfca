// Rows of few bits: their codes, the bound of what they lose, and attention that reads them.

#include "tests/support/attention.hpp"
#include "tests/support/check.hpp"
#include "tests/support/rows.hpp"

#include <bit>
#include <cmath>

namespace fovea::test {
namespace {

using namespace rows;

const Rows of_quantized{
    {{"quantize_rows", {real({2, 8})}, [](auto& in) { quantize_rows(in[0], Quantized::int8); }},
     {"dequantize_rows", {index({2, 3})}, [](auto& in) { dequantize_rows(in[0], Quantized::int8); }}},
    {{"quantize_rows", [](Source& x) { quantize_rows(x({2, 6}), Quantized::int8); }, {"quantize_rows", "[2,6]", "6, not a multiple of the 4 codes", "int8"}},
     {"quantize_rows", [](Source& x) { quantize_rows(x({2, 12}), Quantized::int4); }, {"quantize_rows", "12, not a multiple of the 8 codes", "int4"}},
     {"quantize_rows", [](Source& x) { quantize_rows(x({}), Quantized::int4); }, {"quantize_rows", "x has shape []"}},
     {"quantize_rows", [](Source& x) { quantize_rows(x({8}), Quantized::none); }, {"quantize_rows", "kind is none"}},
     {"quantize_rows", [](Source& x) { quantize_rows(x({8}), none<Quantized>); }, {"quantize_rows", "kind is enumerator 99"}},
     {"dequantize_rows", [](Source& x) { dequantize_rows(x.i32({}), Quantized::int8); }, {"dequantize_rows", "words has shape []"}},
     {"dequantize_rows", [](Source& x) { dequantize_rows(x.i32({3, 1}), Quantized::int4); }, {"dequantize_rows", "[3,1]", "1 words", "int4 begins with 2"}},
     {"dequantize_rows", [](Source& x) { dequantize_rows(x.i32({3}), Quantized::none); }, {"dequantize_rows", "kind is none"}},
     {"attention", [](Source& x) { attention(x({1, 1, 2, 8}), x({1, 1, 3, 8}), x({1, 1, 3, 8}), {.quantized = Quantized::int8}); }, {"attention", "k is f32, not i32, and quantized is int8"}},
     {"attention", [](Source& x) { attention(x({1, 1, 2, 8}), x.i32({1, 1, 3, 3}), x.i32({1, 1, 3, 3}), {.quantized = none<Quantized>}); }, {"attention", "quantized is enumerator 99"}},
     {"attention", [](Source& x) { attention(x({1, 1, 2, 6}), x.i32({1, 1, 3, 3}), x.i32({1, 1, 3, 3}), {.quantized = Quantized::int8}); }, {"attention", "q has head size 6", "4 codes"}},
     {"attention", [](Source& x) { attention(x({1, 1, 2, 8}), x.i32({1, 1, 3, 4}), x.i32({1, 1, 3, 3}), {.quantized = Quantized::int8}); }, {"attention", "k has rows of 4 words", "int8 of q's head size 8 has 3"}},
     {"attention", [](Source& x) { attention(x({1, 1, 2, 8}), x.i32({1, 1, 3, 3}), x.i32({1, 1, 3, 1}), {.quantized = Quantized::int4}); }, {"attention", "v has rows of 1 words", "int4 begins with 2"}}}};

std::int32_t bits(double value) { return std::bit_cast<std::int32_t>(static_cast<float>(value)); }
double number(double word) { return static_cast<double>(std::bit_cast<float>(static_cast<std::int32_t>(word))); }

// By the definition, in double but for the numbers that a row begins with.
Array<double> packed(const Array<double>& x, Quantized kind) {
  const bool eight = kind == Quantized::int8;
  const std::int64_t size = x.dim(-1), a_word = eight ? 4 : 8, numbers = eight ? 1 : 2, words = numbers + size / a_word;
  Shape shape = x.shape;
  shape[shape.rank() - 1] = words;
  Array<double> y(shape);
  for (std::int64_t row = 0; row < x.size() / size; ++row) {
    double least = x[row * size], most = least, magnitude = 0;
    for (std::int64_t d = 0; d < size; ++d) {
      least = std::min(least, x[row * size + d]), most = std::max(most, x[row * size + d]);
      magnitude = std::max(magnitude, std::abs(x[row * size + d]));
    }
    const auto scale = static_cast<double>(static_cast<float>(eight ? magnitude / 127 : (most - least) / 15));
    y[row * words] = bits(scale);
    if (!eight) y[row * words + 1] = bits(least);
    for (std::int64_t w = 0; w < size / a_word; ++w) {
      std::uint32_t word = 0;
      for (std::int64_t n = 0; n < a_word; ++n) {
        const double value = x[row * size + w * a_word + n] - (eight ? 0 : least);
        const auto code = static_cast<std::int32_t>(scale > 0 ? std::nearbyint(value / scale) : 0);
        word |= (static_cast<std::uint32_t>(code) & (eight ? 255u : 15u)) << (n * (eight ? 8 : 4));
      }
      y[row * words + numbers + w] = static_cast<std::int32_t>(word);
    }
  }
  return y;
}

Array<double> unpacked(const Array<double>& words, Quantized kind) {
  const bool eight = kind == Quantized::int8;
  const std::int64_t a_word = eight ? 4 : 8, numbers = eight ? 1 : 2, count = words.dim(-1), size = (count - numbers) * a_word;
  Shape shape = words.shape;
  shape[shape.rank() - 1] = size;
  Array<double> y(shape);
  for (std::int64_t row = 0; row < y.size() / std::max<std::int64_t>(size, 1); ++row)
    for (std::int64_t d = 0; d < size; ++d) {
      const auto word = static_cast<std::uint32_t>(static_cast<std::int32_t>(words[row * count + numbers + d / a_word]));
      const std::uint32_t code = word >> (d % a_word * (eight ? 8 : 4)) & (eight ? 255u : 15u);
      const double signed_code = eight ? static_cast<std::int8_t>(code) : static_cast<std::int32_t>(code);
      y[row * size + d] = (eight ? 0 : number(words[row * count + 1])) + number(words[row * count]) * signed_code;
    }
  return y;
}

Operand as_words(const Operand& x, Quantized kind) {
  const Array<double> words = packed(x.array, kind);
  return values(words.shape, words.values, DType::i32);
}

constexpr Quantized kinds[] = {Quantized::int8, Quantized::int4};

}  // namespace

TEST_CASE("quantize_rows: the codes of rows whose elements are near multiples of the scale") {
  for (const Quantized kind : kinds)
    for (const std::int64_t size : {8, 40}) {
      const int most = kind == Quantized::int8 ? 127 : 15;
      Operand x = random({3, 2, size}, -0.3, 0.3, 1);
      const Operand codes = random_i32({3, 2, size}, kind == Quantized::int8 ? -most : 0, most, 2);
      for (std::int64_t i = 0; i < x.array.size(); ++i) {
        const bool end = i % size < 2;  // the largest, and of four bits the least
        const double code = i % size == 0 ? most : i % size == 1 ? 0 : codes.array[i];
        x.array[i] = (code + (end ? 0 : std::abs(code) == most ? -0.2 * code / most : x.array[i])) / 32 - (kind == Quantized::int4 ? 0.25 : 0.0);
        if (kind == Quantized::int4 && code == 0 && !end) x.array[i] = -0.25;
      }
      const Array<double> words = packed(x.array, kind);
      check("quantize_rows", {x}, [&](Graph&, const auto& in) { return std::vector{slice(quantize_rows(in[0], kind), {.axis = -1, .start = 2})}; },
            [&](const auto& in) {
              std::decay_t<decltype(in[0])> y(Shape{3, 2, words.dim(-1) - 2});
              for (std::int64_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::decay_t<decltype(y[0])>>(words[i / y.dim(-1) * words.dim(-1) + 2 + i % y.dim(-1)]);
              return std::vector{y};
            },
            {.f16 = false, .exact = true});
    }
}

TEST_CASE("dequantize_rows: what codes stand for") {
  for (const Quantized kind : kinds) {
    const Operand x = random({3, 5, 24}, -2, 3, 4), words = as_words(x, kind);
    const Array<double> expected = unpacked(words.array, kind);
    check("dequantize_rows", {words}, [&](Graph&, const auto& in) { return std::vector{dequantize_rows(in[0], kind)}; },
          [&](const auto& in) {
            std::decay_t<decltype(in[0])> y(expected.shape);
            for (std::int64_t i = 0; i < y.size(); ++i) y[i] = static_cast<std::decay_t<decltype(y[0])>>(expected[i]);
            return std::vector{y};
          },
          {.f16 = false});
  }
}

TEST_CASE("what quantising loses is within its bound: random rows, rows of one value, zeros, and f16") {
  for (const auto& [kind, large] : {std::pair{Quantized::int8, 1e20}, {Quantized::int4, 1e20}, {Quantized::int8, 1e3}, {Quantized::int4, 1e3}}) {
    Operand x = random({64, 32}, -3, 5, 5);
    for (std::int64_t d = 0; d < 32; ++d) x.array[d] = 0, x.array[32 + d] = 7, x.array[64 + d] = -static_cast<double>(d) / large, x.array[96 + d] = large * static_cast<double>(d - 9);
    check("quantize_rows", {x},
          [kind = kind](Graph& graph, const auto& in) {
            const Tensor wide = cast(in[0], DType::f32), back = dequantize_rows(quantize_rows(in[0], kind), kind);
            const auto most = [&](Tensor t) { return reduce(Reduce::max, t, {.axes = {-1}, .keep_dims = true}); };
            const Tensor magnitude = most(unary(Unary::abs, wide));
            const Tensor scale = kind == Quantized::int8 ? magnitude * (1.0f / 127) : (most(wide) + most(wide * -1.0f)) * (1.0f / 15);
            const Tensor bound = scale * (0.5f * (1 + 0x1p-12f)) + magnitude * 0x1p-23f;
            const Tensor off = binary(Binary::less_equal, unary(Unary::abs, back - wide), bound);
            return std::vector{select(off, graph.constant({}, {0.0f}), graph.constant({}, {1.0f}))};
          },
          [](const auto& in) { return std::vector{std::decay_t<decltype(in[0])>(Shape{64, 32})}; }, {.f16 = large < 65504, .exact = true});
  }
}

TEST_CASE("a row with a NaN or an infinity becomes NaN, and no other") {
  for (const Quantized kind : kinds) {
    Operand x = random({4, 16}, -1, 1, 6);
    x.array.at({1, 3}) = std::nan(""), x.array.at({2, 15}) = HUGE_VAL;
    check("quantize_rows", {x},
          [&](Graph&, const auto& in) {
            const Tensor back = dequantize_rows(quantize_rows(in[0], kind), kind);
            return std::vector{binary(Binary::equal, back, back)};  // false of NaN
          },
          [](const auto& in) {
            std::decay_t<decltype(in[0])> y(Shape{4, 16});
            for (std::int64_t i = 0; i < y.size(); ++i) y[i] = i / 16 == 0 || i / 16 == 3;
            return std::vector{y};
          },
          {.f16 = false, .exact = true});
  }
}

namespace {

struct Sizes {
  std::int64_t B = 2, H = 2, Hk = 1, Lq = 3, Lk = 70, D = 16, Dv = 8;
  bool f16 = false;
};

void check_quantized(const Sizes& s, Quantized kind, const AttentionDesc& desc = {}) {
  INFO("Lq ", s.Lq, ", Lk ", s.Lk, ", D ", s.D, ", Dv ", s.Dv, ", ", to_string(kind));
  const Operand k = as_words(random({s.B, s.Hk, s.Lk, s.D}, -1, 1, 2), kind), v = as_words(random({s.B, s.Hk, s.Lk, s.Dv}, -1, 1, 3), kind);
  const Array<double> wide_k = unpacked(k.array, kind), wide_v = unpacked(v.array, kind);
  check("attention", {random({s.B, s.H, s.Lq, s.D}, -1, 1, 1), k, v},
        [&](Graph&, const auto& in) {
          AttentionDesc with = desc;
          with.quantized = kind;
          return std::vector{attention(in[0], in[1], in[2], with)};
        },
        [&](const auto& in) {
          const auto as = [&](const Array<double>& from) {
            std::decay_t<decltype(in[0])> to(from.shape);
            for (std::int64_t i = 0; i < to.size(); ++i) to[i] = static_cast<std::decay_t<decltype(to[0])>>(from[i]);
            return to;
          };
          return std::vector{naive_attention(std::vector{in[0], as(wide_k), as(wide_v)}, desc, false)[0]};
        },
        {.f16 = s.f16, .extra_ulps = 64});
}

}  // namespace

TEST_CASE("attention over quantised keys and values is that over what they stand for") {
  for (const Quantized kind : kinds) {
    check_quantized({.f16 = true}, kind);
    check_quantized({.H = 2, .Hk = 2, .Lq = 1, .Lk = 300}, kind);
    check_quantized({.B = 1, .Lq = 37, .Lk = 41, .D = 40, .Dv = 64}, kind, {.causal = true});
    check_quantized({.B = 1, .Lq = 2, .Lk = 5, .D = 264, .Dv = 8}, kind);  // the chain's
  }
  check_quantized({.D = 4, .Dv = 12}, Quantized::int8, {.softcap = 2});
}

TEST_CASE("attention over quantised keys and values keeps the bound that serving.md states") {
  const std::int64_t D = 32;
  const Operand q = random({1, 2, 4, D}, -1, 1, 1), k = random({1, 2, 50, D}, -1, 1, 2), v = random({1, 2, 50, D}, -1, 1, 3);
  for (const Quantized kind : kinds) {
    const double of_code = kind == Quantized::int8 ? 1.0 / 127 : 2.0 / 15, error = of_code / 2;  // elements are within [-1, 1]
    const double score = error * static_cast<double>(D) / std::sqrt(static_cast<double>(D)), bound = error + std::exp(2 * score) - 1;
    const Array<double> expected = naive_attention(std::vector{q.array, k.array, v.array}, {}, false)[0];
    check("attention", {q, as_words(k, kind), as_words(v, kind), values(expected.shape, expected.values)},
          [&](Graph& graph, const auto& in) {
            const Tensor y = attention(in[0], in[1], in[2], {.quantized = kind});
            const Tensor within = binary(Binary::less_equal, unary(Unary::abs, y - in[3]), graph.constant({}, {static_cast<float>(bound)}));
            return std::vector{select(within, graph.constant({}, {0.0f}), graph.constant({}, {1.0f}))};
          },
          [&](const auto& in) { return std::vector{std::decay_t<decltype(in[0])>(expected.shape)}; }, {.f16 = false, .exact = true});
  }
}

TEST_CASE("attention over codes has no gradient, and says so") {
  check_error([](Graph& graph) {
    const Tensor q = graph.input("q", {1, 1, 2, 8}), k = graph.input("k", {1, 1, 3, 3}, DType::i32);
    grad(reduce(Reduce::sum, attention(q, k, k, {.quantized = Quantized::int8})), {q});
  }, {"attention has no gradient", "codes"});
}

}  // namespace fovea::test
