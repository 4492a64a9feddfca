// Attention with an author's GLSL, forward and gradient, by every kernel, against the same formulas in naive loops.

#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/longest.hpp"
#include "tests/support/run.hpp"

#include <fovea/fovea.hpp>
#include <fovea/glsl.hpp>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

namespace fovea::test {
namespace {

AttentionMod made(const AttentionModDesc& desc) {
  Result<AttentionMod> mod = glsl::compile(desc);
  REQUIRE_MESSAGE(mod, mod.error().message);
  return std::move(*mod);
}

// A pair of query and key, and what a formula reads besides: the buffers, in[3] on.
struct Pair {
  std::int64_t b, h, i, j, H, Lq, Lk;
};
constexpr auto as_it_is = [](auto score, const Pair&, const auto&) { return score; };
constexpr auto all = [](const Pair&, const auto&) { return true; };
constexpr auto whole = [](const Pair&, const auto& in) { return typename std::decay_t<decltype(in[0].values)>::value_type(1); };

template <class Score, class Visible, class Factor>
struct Formula {
  bool normalize;
  float scale;
  Score score;
  Visible visible;
  Factor factor;
  bool weights = false;  // a second result

  template <class T>
  std::vector<Array<T>> operator()(const std::vector<Array<T>>& in) const {
    const Array<T>&q = in[0], &k = in[1], &v = in[2];
    const std::int64_t H = q.dim(1), Lq = q.dim(2), Lk = k.dim(2), D = q.dim(3);
    Array<T> out(Shape{q.dim(0), H, Lq, v.dim(3)}), all_weights(Shape{q.dim(0), H, Lq, Lk});
    for (std::int64_t row = 0; row < q.dim(0) * H * Lq; ++row) {
      const std::int64_t b = row / (H * Lq), h = row / Lq % H, i = row % Lq, hk = h / (H / k.dim(1));
      std::vector<T> score(static_cast<std::size_t>(Lk));
      T most = -std::numeric_limits<T>::infinity(), sum = 0;
      const auto pair = [&](std::int64_t j) { return Pair{b, h, i, j, H, Lq, Lk}; };
      for (std::int64_t j = 0; j < Lk; ++j) {
        T s = 0;
        for (std::int64_t d = 0; d < D; ++d) s += q.at({b, h, i, d}) * k.at({b, hk, j, d});
        s *= scale != 0 ? static_cast<T>(scale) : T(1) / std::sqrt(static_cast<T>(D));
        s = visible(pair(j), in) ? score_of(s, pair(j), in) : -std::numeric_limits<T>::infinity();
        score[static_cast<std::size_t>(j)] = s;
        most = std::max(most, s);
      }
      if (normalize)
        for (T s : score) sum += s == -std::numeric_limits<T>::infinity() ? T(0) : std::exp(s - most);
      for (std::int64_t j = 0; j < Lk; ++j) {
        const T s = score[static_cast<std::size_t>(j)];
        if (s == -std::numeric_limits<T>::infinity()) continue;
        const T before = normalize ? std::exp(s - most) / sum : s, weight = before * static_cast<T>(factor(pair(j), in));
        all_weights.at({b, h, i, j}) = before;
        for (std::int64_t d = 0; d < v.dim(3); ++d) out.at({b, h, i, d}) += weight * v.at({b, hk, j, d});
      }
    }
    return weights ? std::vector{out, all_weights} : std::vector{out};
  }
  template <class T>
  T score_of(T s, const Pair& pair, const std::vector<Array<T>>& in) const { return static_cast<T>(score(s, pair, in)); }
};

struct Options {
  AttentionDesc desc{};
  bool gradient = true, f16 = false;
};

template <class Score, class Visible, class Factor>
void check_mod(const AttentionModDesc& text, const std::vector<Operand>& in, const Options& options, Score score, Visible visible, Factor factor) {
  CAPTURE(text.score_mod);
  CAPTURE(text.mask_mod);
  CAPTURE(text.factor_mod);
  const AttentionMod mod = made(text);
  const auto build = [&](Graph&, const std::vector<Tensor>& t) {
    AttentionDesc desc = options.desc;
    desc.mod = mod;
    desc.mod_buffers.assign(t.begin() + 3, t.end());
    const AttentionResult result = attention_full(t[0], t[1], t[2], desc);
    return desc.return_weights ? std::vector{result.out, result.weights} : std::vector{result.out};
  };
  const Formula<Score, Visible, Factor> formula{options.desc.normalize, options.desc.scale.value_or(0), score, visible, factor,
                                                options.desc.return_weights};
  check("attention", in, build, formula, {.f16 = options.f16, .extra_ulps = 32});
  if (options.gradient)
    check_gradient(in, build, [&](const std::vector<Array<double>>& arrays) { return formula(arrays); },
                   {.ulps = 256, .least_scale = 0.05, .most = 24, .f16 = options.f16, .kernels_of = "attention_backward"});
}

// q, k, v, and buffers.
std::vector<Operand> qkv(const Shape& q, std::int64_t Hk, std::int64_t Lk, std::vector<Operand> buffers = {}) {
  std::vector<Operand> in{random(q, -1, 1, 1), random({q[0], Hk, Lk, q[3]}, -1, 1, 2), random({q[0], Hk, Lk, 6}, -1, 1, 3)};
  for (Operand& buffer : buffers) in.push_back(std::move(buffer));
  return in;
}

}  // namespace

// docs/programmable-attention.md
Tensor documented(Tensor q, Tensor k, Tensor v, Tensor slopes) {
  const auto fail = [](const std::string& why) {
    FAIL(why);
    return Tensor();
  };
#include "programmable-attention.inc"
  return y;
}

TEST_CASE("attention mod: the document's example") {
  check("attention", qkv({1, 2, 5, 8}, 2, 9, {random({2}, 0.1, 1, 4)}),
        [](Graph&, const std::vector<Tensor>& t) { return std::vector{documented(t[0], t[1], t[2], t[3])}; },
        [](const auto& in) {
          const auto score = [](auto s, const Pair& p, const auto& arrays) { return s - arrays[3][p.h] * static_cast<decltype(s)>(std::abs(p.i - p.j)); };
          return Formula<decltype(score), decltype(all), decltype(whole)>{true, 0, score, all, whole}(in);
        },
        {.extra_ulps = 32});
}

void check_alibi() {
  check_mod({.score_mod = "score - slope(h) * float(abs(i - j))", .buffers = {{"slope"}}}, qkv({2, 4, 11, 8}, 2, 19, {random({4}, 0.1, 1, 4)}), {.f16 = true},
            [](auto s, const Pair& p, const auto& in) { return s - in[3][p.h] * static_cast<decltype(s)>(std::abs(p.i - p.j)); }, all, whole);
}

TEST_CASE("attention mod: ALiBi, its slopes learned") { check_alibi(); }

TEST_CASE("attention mod: what a read takes of the gradient is summed in parts where a device cuts loops early" * doctest::skip(compiles_only())) {
  const EarlyLoops early(200);
  check_alibi();
}

TEST_CASE("attention mod: a learned bias by relative position, causal besides") {
  check_mod({.score_mod = "score + table(h, i - j + Lk - 1)", .buffers = {{"table", 2}}},
            qkv({2, 2, 13, 4}, 2, 13, {random({2, 25}, -1, 1, 4)}), {.desc = {.causal = true}},
            [](auto s, const Pair& p, const auto& in) { return s + in[3].at({p.h, p.i - p.j + p.Lk - 1}); },
            [](const Pair& p, const auto&) { return p.j <= p.i; }, whole);
}

TEST_CASE("attention mod: documents packed into one sequence see themselves alone") {
  const Operand documents = values({2, 9}, {0, 0, 0, 1, 1, 1, 1, 2, 2, 5, 5, 5, 5, 5, 6, 6, 7, 7}, DType::i32);
  check_mod({.mask_mod = "document(b, i) == document(b, j)", .buffers = {{"document", 2, DType::i32}}}, qkv({2, 3, 9, 8}, 3, 9, {documents}), {},
            as_it_is, [](const Pair& p, const auto& in) { return in[3].at({p.b, p.i}) == in[3].at({p.b, p.j}); }, whole);
}

TEST_CASE("attention mod: boolean buffers, and rows that may attend to nothing") {
  check_mod({.mask_mod = "part(i) && part(j)", .buffers = {{"part", 1, DType::boolean}}},
            qkv({1, 2, 7, 4}, 2, 7, {values({7}, {1, 0, 1, 1, 0, 0, 1}, DType::boolean)}), {}, as_it_is,
            [](const Pair& p, const auto& in) { return in[3][p.i] != 0 && in[3][p.j] != 0; }, whole);
}

TEST_CASE("attention mod: tanh with a learned cap, read twice") {
  check_mod({.score_mod = "cap(0) * tanh(score / cap(0))", .buffers = {{"cap"}}}, qkv({1, 2, 9, 8}, 1, 17, {values({1}, {0.7})}),
            {.desc = {.scale = 1.5f}}, [](auto s, const Pair&, const auto& in) { return in[3][0] * std::tanh(s / in[3][0]); }, all, whole);
}

TEST_CASE("attention mod: sigmoid attention, a learned bias") {
  check_mod({.score_mod = "1.0 / (1.0 + exp(-score - bias(h)))", .buffers = {{"bias"}}}, qkv({2, 2, 10, 8}, 1, 21, {random({2}, -1, 1, 4)}),
            {.desc = {.normalize = false}},
            [](auto s, const Pair& p, const auto& in) { return 1 / (1 + std::exp(-s - in[3][p.h])); }, all, whole);
}

TEST_CASE("attention mod: 1/N, with a window; weights of zero keep their gradient") {
  check_mod({.score_mod = "max(score, 0.0) / float(Lk)"}, qkv({1, 2, 12, 8}, 2, 14), {.desc = {.window_left = 3, .window_right = 4, .normalize = false}},
            [](auto s, const Pair& p, const auto&) { return std::max(s, decltype(s)(0)) / static_cast<decltype(s)>(p.Lk); },
            [](const Pair& p, const auto&) { return p.j >= p.i - 3 && p.j <= p.i + 4; }, whole);
}

TEST_CASE("attention mod: a neighbourhood of two dimensions") {
  check_mod({.mask_mod = "abs(i / 7 - j / 7) <= 1 && abs(i % 7 - j % 7) <= 2"}, qkv({1, 2, 35, 4}, 2, 35), {}, as_it_is,
            [](const Pair& p, const auto&) { return std::abs(p.i / 7 - p.j / 7) <= 1 && std::abs(p.i % 7 - p.j % 7) <= 2; }, whole);
}

// Lengths of several blocks, off their edges, and every way in which a mask is judged: by ranges, by reading ranges of buffers,
// pair by pair; all, some and none of a block.
TEST_CASE("attention mod: blocks that a mask excludes whole are left out, and no other") {
  const auto check_mask = [](const char* text, const Shape& q, std::int64_t Hk, std::int64_t Lk, auto visible, std::vector<ModBuffer> names = {},
                             std::vector<Operand> buffers = {}, Options options = {.gradient = false}) {
    check_mod({.mask_mod = text, .buffers = std::move(names)}, qkv(q, Hk, Lk, std::move(buffers)), options, as_it_is, visible, whole);
  };
  const Shape one{1, 1, 100, 4};
  check_mask("abs(i / 12 - j / 12) <= 2 && abs(i % 12 - j % 12) <= 2", {1, 2, 144, 4}, 2, 144,
             [](const Pair& p, const auto&) { return std::abs(p.i / 12 - p.j / 12) <= 2 && std::abs(p.i % 12 - p.j % 12) <= 2; }, {}, {}, {});
  check_mask("i - j >= 0 && i - j < 40", one, 1, 100, [](const Pair& p, const auto&) { return p.i >= p.j && p.i - p.j < 40; });
  check_mask("j < 33 || !(i != j)", one, 1, 100, [](const Pair& p, const auto&) { return p.j < 33 || p.i == p.j; });
  check_mask("max(i, j) - min(i, j) > 60 ? true : clamp(j, 10, 20) == j", one, 1, 131,
             [](const Pair& p, const auto&) { return std::abs(p.i - p.j) > 60 || (p.j >= 10 && p.j <= 20); });
  check_mask("(i - j) % 32 == 0 && j <= i", one, 1, 100, [](const Pair& p, const auto&) { return p.j <= p.i && (p.i - p.j) % 32 == 0; });
  check_mask("float(j) * 0.5 < float(i) - 7.25 ^^ int(float(j) * 0.125) == 3", one, 1, 100, [](const Pair& p, const auto&) {
    return (static_cast<double>(p.j) * 0.5 < static_cast<double>(p.i) - 7.25) != (p.j / 8 == 3);
  });
  check_mask("i * 100000 > j * 70000", one, 1, 100, [](const Pair& p, const auto&) { return p.i * 10 > p.j * 7; });
  check_mask("return j % 64 < i % 64;", one, 1, 100, [](const Pair& p, const auto&) { return p.j % 64 < p.i % 64; });
  check_mask("h == 1 || b * 50 + 20 > j", {2, 2, 40, 4}, 1, 100, [](const Pair& p, const auto&) { return p.h == 1 || p.b * 50 + 20 > p.j; });
  check_mask("h % 2 == 0 ? j < 40 : i < 20", {1, 4, 21, 4}, 2, 70, [](const Pair& p, const auto&) { return p.h % 2 == 0 ? p.j < 40 : p.i < 20; },
             {}, {}, {});
  check_mask("j > 50", one, 1, 100, [](const Pair& p, const auto&) { return p.j > 50 && p.j >= p.i - 30 && p.j <= p.i + 10; }, {}, {},
             {.desc = {.window_left = 30, .window_right = 10}});
  check_mask("false", {1, 1, 5, 4}, 1, 70, [](const Pair&, const auto&) { return false; });

  std::vector<double> documents(130);
  for (std::size_t n = 0; n < documents.size(); ++n) documents[n] = static_cast<double>(n < 31 ? 0 : n < 96 ? 7 : n < 97 ? -3 : 5);
  check_mask("document(i) == document(j)", {1, 2, 130, 4}, 2, 130, [](const Pair& p, const auto& in) { return in[3][p.i] == in[3][p.j]; },
             {{"document", 1, DType::i32}}, {values({130}, documents, DType::i32)});
  std::vector<double> starts(100);
  for (std::size_t n = 0; n < starts.size(); ++n) starts[n] = static_cast<double>(n) - 20;
  check_mask("float(j) >= start(i) && on(j / 4)", one, 1, 100,
             [](const Pair& p, const auto& in) { return static_cast<double>(p.j) >= static_cast<double>(in[3][p.i]) && in[4][p.j / 4] != 0; },
             {{"start"}, {"on", 1, DType::boolean}}, {values({100}, starts), random_boolean({25}, 0.3)});
}

TEST_CASE("attention mod: weights times a learned gate, heads grouped") {
  check_mod({.factor_mod = "gate(h, j) * mix(0.5, 1.5, float(i) / float(Lq))", .buffers = {{"gate", 2}}},
            qkv({2, 4, 5, 4}, 2, 11, {random({4, 11}, 0, 1, 4)}), {.f16 = true}, as_it_is, all,
            [](const Pair& p, const auto& in) {
              using T = typename std::decay_t<decltype(in[3].values)>::value_type;
              const T part = static_cast<T>(p.i) / static_cast<T>(p.Lq);
              return in[3].at({p.h, p.j}) * (T(0.5) * (1 - part) + T(1.5) * part);
            });
}

TEST_CASE("attention mod: weights as a result, of the scores stored") {
  check_mod({.score_mod = "score * slope(h) + bias(b, j)", .mask_mod = "i != j", .factor_mod = "gate(i)", .buffers = {{"slope"}, {"bias", 2}, {"gate"}}},
            qkv({2, 2, 5, 4}, 2, 9, {random({2}, 0.5, 1, 4), random({2, 9}, -1, 1, 5), random({5}, 0, 1, 6)}), {.desc = {.return_weights = true}},
            [](auto s, const Pair& p, const auto& in) { return s * in[3][p.h] + in[4].at({p.b, p.j}); },
            [](const Pair& p, const auto&) { return p.i != p.j; }, [](const Pair& p, const auto& in) { return in[5][p.i]; });
}

TEST_CASE("attention mod: statements and functions, the derivative given") {
  const AttentionModDesc text{.score_mod = "float s = bent(score);\nreturn j % 3 == 0 ? 2.0 * s : s;",
                              .functions = "float bent(float x) {\n  return x / (1.0 + x * x);\n}",
                              .score_slope = "float t = 1.0 + score * score;\nreturn (j % 3 == 0 ? 2.0 : 1.0) * (1.0 - score * score) / (t * t);"};
  check_mod(text, qkv({1, 2, 8, 8}, 2, 13), {.desc = {.scale = 1.0f}},
            [](auto s, const Pair& p, const auto&) { return (p.j % 3 == 0 ? decltype(s)(2) : decltype(s)(1)) * s / (1 + s * s); }, all, whole);
}

TEST_CASE("attention mod: RBF scores by norms that the graph computes") {
  const AttentionMod mod = made({.score_mod = "score - 0.5 * (qq(b, h, i) + kk(b, h, j))", .buffers = {{"qq", 3}, {"kk", 3}}});
  const auto build = [&](Graph&, const std::vector<Tensor>& t) {
    const auto norms = [](Tensor x) { return reduce(Reduce::sum, unary(Unary::square, x), {.axes = {-1}}); };
    return std::vector{attention(t[0], t[1], t[2], {.scale = 1.0f, .mod = mod, .mod_buffers = {norms(t[0]), norms(t[1])}})};
  };
  const auto reference = [](const auto& in) {
    using T = typename std::decay_t<decltype(in[0].values)>::value_type;
    const std::int64_t B = in[0].dim(0), H = in[0].dim(1), Lq = in[0].dim(2), Lk = in[1].dim(2), D = in[0].dim(3);
    Array<T> out(Shape{B, H, Lq, in[2].dim(3)});
    for (std::int64_t row = 0; row < B * H * Lq; ++row) {
      const std::int64_t b = row / (H * Lq), h = row / Lq % H, i = row % Lq;
      T sum = 0;
      for (const bool add : {false, true})
        for (std::int64_t j = 0; j < Lk; ++j) {
          T distance = 0;
          for (std::int64_t d = 0; d < D; ++d) distance += (in[0].at({b, h, i, d}) - in[1].at({b, h, j, d})) * (in[0].at({b, h, i, d}) - in[1].at({b, h, j, d}));
          const T weight = std::exp(-distance / 2);
          if (!add) sum += weight;
          for (std::int64_t d = 0; add && d < out.dim(3); ++d) out.at({b, h, i, d}) += weight / sum * in[2].at({b, h, j, d});
        }
    }
    return std::vector{out};
  };
  const std::vector<Operand> in = qkv({2, 2, 7, 4}, 2, 9);
  check("attention", in, build, reference, {.f16 = false, .extra_ulps = 64});
  check_gradient(in, build, Reference<double>(reference), {.ulps = 512, .least_scale = 0.05, .kernels_of = "attention_backward"});
}

TEST_CASE("attention mod: a learned sink takes its part of the weights, by the log-sum-exp") {
  const auto build = [](Graph&, const std::vector<Tensor>& t) {
    const AttentionResult seen = attention_full(t[0], t[1], t[2], {.return_lse = true});
    const Tensor share = unary(Unary::sigmoid, binary(Binary::sub, seen.lse, reshape(t[3], {1, 2, 1})));
    return std::vector{binary(Binary::mul, seen.out, reshape(share, {1, 2, 5, 1}))};
  };
  const auto reference = [](const auto& in) {
    auto out = Formula<decltype(as_it_is), decltype(all), decltype(whole)>{true, 0, as_it_is, all, whole}(in)[0];
    for (std::int64_t h = 0; h < 2; ++h)
      for (std::int64_t i = 0; i < 5; ++i) {
        using T = typename std::decay_t<decltype(in[0].values)>::value_type;
        T sum = 0;
        for (std::int64_t j = 0; j < 9; ++j) {
          T s = 0;
          for (std::int64_t d = 0; d < 4; ++d) s += in[0].at({0, h, i, d}) * in[1].at({0, h, j, d});
          sum += std::exp(s / 2);
        }
        for (std::int64_t d = 0; d < 6; ++d) out.at({0, h, i, d}) *= sum / (sum + std::exp(in[3][h]));
      }
    return std::vector{out};
  };
  std::vector<Operand> in = qkv({1, 2, 5, 4}, 2, 9, {random({2}, -1, 1, 4)});
  in[3].follows = false;
  check("attention", in, build, reference, {.f16 = false, .extra_ulps = 32});
  check_gradient(in, build, Reference<double>(reference), {.ulps = 256, .least_scale = 0.05});
}

TEST_CASE("attention mod: what a text excludes reaches nothing, whatever it holds") {
  const AttentionMod mod = made({.mask_mod = "j != 2"});
  std::vector<Operand> in = qkv({1, 1, 3, 4}, 1, 5);
  for (std::int64_t d = 0; d < 4; ++d) in[1].array.at({0, 0, 2, d}) = std::numeric_limits<double>::quiet_NaN();
  for (std::int64_t d = 0; d < 6; ++d) in[2].array.at({0, 0, 2, d}) = std::numeric_limits<double>::infinity();
  const auto build = [&](Graph&, const std::vector<Tensor>& t) { return std::vector{attention(t[0], t[1], t[2], {.mod = mod})}; };
  const auto visible = [](const Pair& p, const auto&) { return p.j != 2; };
  check("attention", in, build, Formula<decltype(as_it_is), decltype(visible), decltype(whole)>{true, 0, as_it_is, visible, whole}, {.extra_ulps = 32});
}

// Errors name the text and the author's own line, or the buffer.
TEST_CASE("attention mod: mistakes in texts") {
  const auto refused = [](const AttentionModDesc& desc, const std::vector<std::string>& texts) {
    const Result<AttentionMod> mod = glsl::compile(desc);
    REQUIRE(!mod);
    CHECK(mod.error().code == ErrorCode::invalid_argument);
    for (const std::string& text : texts) CHECK_MESSAGE(mod.error().message.find(text) != std::string::npos, "no \"", text, "\" in: ", mod.error().message);
  };
  refused({.score_mod = "score +\n  slop(h)", .buffers = {{"slope"}}}, {"score_mod:2", "'slop'"});
  refused({.mask_mod = "j <= k"}, {"mask_mod:1", "'k'"});
  refused({.score_mod = "score", .functions = "float f(float x) {\n  return y;\n}"}, {"functions:2", "'y'"});
  refused({.mask_mod = "score > 0.0"}, {"mask_mod:1", "'score'"});
  refused({.score_mod = "j < i"}, {"score_mod:1"});
  refused({.score_mod = "score", .score_slope = "1.0 +"}, {"score_slope:"});
  refused({.score_mod = "slope(h, i)", .buffers = {{"slope"}}}, {"score_mod:1", "'slope'"});
  refused({.buffers = {{"2x"}}}, {"'2x'", "identifier"});
  refused({.buffers = {{"score"}}}, {"'score'", "taken"});
  refused({.buffers = {{"x"}, {"x"}}}, {"'x'", "twice"});
  refused({.buffers = {{"x", 5}}}, {"'x'", "5 axes"});
  refused({.buffers = {{"x", 1, DType::f16}}}, {"'x'", "f16"});
}

TEST_CASE("attention mod: names of an author's own do not meet a kernel's") {
  check_mod({.score_mod = "weights(h) * tile(score)", .functions = "float load_q(float x) { return x; }\nfloat tile(float x) { return load_q(x) + 1.0; }",
             .buffers = {{"weights"}}},
            qkv({1, 2, 5, 4}, 2, 9, {random({2}, 0.5, 1, 4)}), {.gradient = false},
            [](auto s, const Pair& p, const auto& in) { return in[3][p.h] * (s + 1); }, all, whole);
}

TEST_CASE("attention mod: buffers that are not what the texts read, and gradients that cannot be had") {
  const AttentionMod mod = made({.score_mod = "score + bias(i, j)", .buffers = {{"bias", 2}}});
  const auto call = [&](Graph& graph, std::vector<Tensor> buffers) {
    const Tensor q = graph.input("q", {1, 2, 3, 4});
    return attention(q, q, q, {.mod = mod, .mod_buffers = std::move(buffers)});
  };
  check_error([&](Graph& graph) { call(graph, {}); }, {"attention", "1 buffers", "0"});
  check_error([&](Graph& graph) { call(graph, {graph.input("x", {3})}); }, {"attention", "bias", "[3]", "2 axes"});
  check_error([&](Graph& graph) { call(graph, {graph.input("x", {3, 0})}); }, {"bias", "[3,0]"});
  check_error([&](Graph& graph) { call(graph, {graph.input("x", {3, 3}, DType::i32)}); }, {"bias", "i32", "f32"});
  check_error([&](Graph& graph) { call(graph, {Tensor()}); }, {"bias", "absent"});
  check_error([](Graph& graph) {
    const Tensor q = graph.input("q", {1, 2, 3, 4});
    attention_full(q, q, q, {.normalize = false, .return_lse = true});
  }, {"return_lse", "normalize"});
  const auto no_gradient = [](const AttentionModDesc& desc, bool of_buffer, const std::vector<std::string>& texts) {
    check_error([&](Graph& graph) {
      const Tensor q = graph.input("q", {1, 2, 3, 4}), x = graph.input("x", {3});
      const Tensor y = attention(q, q, q, {.mod = made(desc), .mod_buffers = {x}});
      grad(reduce(Reduce::sum, y), {of_buffer ? x : q});
    }, texts);
  };
  const std::vector<ModBuffer> one{{"x"}};
  no_gradient({.score_mod = "return score;", .buffers = one}, false, {"no gradient", "score_mod", "score_slope"});
  no_gradient({.score_mod = "f(score)", .functions = "float f(float x) { return x; }", .buffers = one}, false, {"no gradient", "'f'"});
  no_gradient({.score_mod = "return x(i);", .score_slope = "0.0", .buffers = one}, true, {"no gradient", "buffer x", "score_mod"});
  no_gradient({.score_mod = "x(int(score))", .buffers = one}, true, {"buffer x", "index"});
}

TEST_CASE("attention mod: equal texts share what is compiled") {
  const AttentionModDesc desc{.score_mod = "score * 1.25"};
  CHECK(made(desc).source() == made(desc).source());
  CHECK(made(desc).source() != made({.score_mod = "score * 1.5"}).source());
}

TEST_CASE("attention mod: saved and loaded, it computes the same without a compiler") {
  const AttentionMod mod = made({.score_mod = "score + bias(h)", .mask_mod = "j <= i + 3", .buffers = {{"bias"}}});
  const Result<AttentionMod> loaded = AttentionMod::load(mod.save());
  REQUIRE_MESSAGE(loaded, loaded.error().message);
  check("attention", qkv({1, 2, 5, 4}, 2, 9, {random({2}, -1, 1, 4)}),
        [&](Graph&, const std::vector<Tensor>& t) { return std::vector{attention(t[0], t[1], t[2], {.mod = *loaded, .mod_buffers = {t[3]}})}; },
        [](const auto& in) {
          const auto score = [](auto s, const Pair& p, const auto& arrays) { return s + arrays[3][p.h]; };
          const auto visible = [](const Pair& p, const auto&) { return p.j <= p.i + 3; };
          return Formula<decltype(score), decltype(visible), decltype(whole)>{true, 0, score, visible, whole}(in);
        },
        {.extra_ulps = 32});
}

}  // namespace fovea::test
