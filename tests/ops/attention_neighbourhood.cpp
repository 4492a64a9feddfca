// Attention within windows of a grid against loops over the grid, by every kernel, forward and gradient.

#include "tests/support/check.hpp"
#include "tests/support/gradient.hpp"
#include "tests/support/rows.hpp"

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

using namespace rows;

constexpr auto clipped = NeighbourhoodEdge::clipped, shifted = NeighbourhoodEdge::shifted;

void refuse(Source& x, Neighbourhood neighbourhood, AttentionDesc desc = {}, std::int64_t Lq = 12, std::int64_t Lk = 12) {
  desc.neighbourhood = neighbourhood;
  attention(x({1, 2, Lq, 8}), x({1, 2, Lk, 8}), x({1, 2, Lk, 8}), desc);
}
const Rows of_neighbourhoods{
    {{"attention",
      {real({1, 2, 12, 8}), real({1, 2, 12, 8}), real({1, 2, 12, 8}), maybe({DType::f32, {3, 5}, {DType::i32}})},
      [](auto& in) { attention(in[0], in[1], in[2], {.neighbourhood = {.queries = {3, 4}, .radius = {1, 2}, .bias = in[3]}}); }}},
    {{"attention", [](Source& x) { refuse(x, {.queries = {3, 5}}); }, {"attention", "neighbourhood.queries is {3, 5}", "12 queries"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {-3, -4}}); }, {"attention", "neighbourhood.queries is {-3, -4}"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {far, far}}); }, {"attention", "neighbourhood.queries is {1099511627776, 1099511627776}"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {0, 12}}); }, {"attention", "neighbourhood.queries is {0, 12}"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}}, {}, 12, 20); }, {"attention", "neighbourhood.keys is {3, 4}", "20 keys"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .keys = {5, 5}}, {}, 12, 20); }, {"attention", "neighbourhood.keys is {5, 5}", "20 keys"}},
     {"attention", [](Source& x) { refuse(x, {.radius = {3, 2}}); }, {"attention", "neighbourhood.queries is {0, 0}", "radius {3, 2}"}},
     {"attention", [](Source& x) { refuse(x, {.bias = x({1, 1})}); }, {"attention", "neighbourhood.queries is {0, 0}", "a bias"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .radius = {1, -1}}); }, {"attention", "neighbourhood.radius along x is -1"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .radius = {far, 1}}); }, {"attention", "neighbourhood.radius along y is 1099511627776"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .offset = {0, -far}}); }, {"attention", "neighbourhood.offset along x is -1099511627776"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .edge = none<NeighbourhoodEdge>}); }, {"attention", "neighbourhood.edge is enumerator 99"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .radius = {1, 2}, .bias = x({5, 3})}); },
      {"attention", "neighbourhood.bias has shape [5,3]", "[3,5]", "[1 or 2,3,5]", "clipped"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .radius = {1, 2}, .edge = shifted, .bias = x({3, 5, 9})}); },
      {"attention", "neighbourhood.bias has shape [3,5,9]", "[1 or 2,5,9]", "shifted"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .radius = {1, 2}, .bias = x({5})}); }, {"attention", "neighbourhood.bias has shape [5]"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .radius = {1, 2}, .bias = x({3, 5})}, {.mask = x({12, 12})}); },
      {"attention", "mask [12,12]", "neighbourhood.bias [3,5]"}},
     {"attention", [](Source& x) { refuse(x, {.queries = {3, 4}, .radius = {1, 2}}, {.key_ranges = x.i32({2})}); }, {"attention", "key_ranges", "neighbourhood"}},
     {"attention",
      [](Source& x) {
        attention(x({1, 2, 12, 8}), x({3, 2, 4, 8}), x({3, 2, 4, 8}), {.neighbourhood = {.queries = {3, 4}}, .page_table = x.i32({1, 3})});
      },
      {"attention", "pages", "neighbourhood"}}}};

struct Case {
  Neighbourhood on{};
  std::int64_t B = 1, H = 2, Hk = 2, D = 8, Dv = 6;
  AttentionDesc desc{};
  std::optional<Operand> bias{}, mask{};
  bool f16 = false, gradient = true;
  std::vector<Operand> qkv{};  // instead of random ones
};

// The keys of one axis that a query sees, found by moving its window.
std::vector<std::int64_t> seen_along(std::int64_t query, std::int64_t offset, std::int64_t radius, std::int64_t keys, NeighbourhoodEdge edge) {
  std::int64_t first = query + offset - radius;
  const std::int64_t size = 2 * radius + 1;
  if (edge == shifted) {
    while (first + size > keys) --first;
    while (first < 0) ++first;
  }
  std::vector<std::int64_t> seen;
  for (std::int64_t key = 0; key < keys; ++key)
    if (key >= first && key < first + size) seen.push_back(key);
  return seen;
}

// q, k, v and the bias or the mask. Gives the result and the log-sum-exp.
template <class T>
std::vector<Array<T>> by_loops(const std::vector<Array<T>>& in, const Case& c) {
  const Array<T>&q = in[0], &k = in[1], &v = in[2];
  const auto [Qy, Qx] = c.on.queries;
  const auto [Ky, Kx] = c.on.keys[0] == 0 ? c.on.queries : c.on.keys;
  const std::int64_t reach = c.on.edge == shifted ? 2 : 1;
  Array<T> out(Shape{c.B, c.H, Qy * Qx, c.Dv}), lse(Shape{c.B, c.H, Qy * Qx});
  for (std::int64_t row = 0; row < lse.size(); ++row) {
    const auto at = unflatten(row, lse.shape);
    const std::int64_t b = at[0], h = at[1], i = at[2], hk = h / (c.H / c.Hk), y = i / Qx, x = i % Qx;
    std::vector<std::pair<std::int64_t, T>> scores;
    T most = -std::numeric_limits<T>::infinity();
    for (const std::int64_t ky : seen_along(y, c.on.offset[0], c.on.radius[0], Ky, c.on.edge))
      for (const std::int64_t kx : seen_along(x, c.on.offset[1], c.on.radius[1], Kx, c.on.edge)) {
        const std::int64_t j = ky * Kx + kx;
        if (c.desc.causal && j > i) continue;
        T s = 0;
        for (std::int64_t d = 0; d < c.D; ++d) s += q.at({b, h, i, d}) * k.at({b, hk, j, d});
        s *= c.desc.scale ? static_cast<T>(*c.desc.scale) : T(1) / std::sqrt(static_cast<T>(c.D));
        if (c.desc.softcap > 0) s = static_cast<T>(c.desc.softcap) * std::tanh(s / static_cast<T>(c.desc.softcap));
        if (c.bias || c.mask) {
          std::vector<std::int64_t> index{b, h, i, j};
          if (c.bias) index = {h, ky - y - c.on.offset[0] + reach * c.on.radius[0], kx - x - c.on.offset[1] + reach * c.on.radius[1]};
          const T added = in[3][broadcast_offset(index, in[3].shape)];
          if ((c.bias ? *c.bias : *c.mask).dtype == DType::boolean) {
            if (added == T(0)) continue;
          } else {
            s += added;
          }
        }
        scores.push_back({j, s});
        most = std::max(most, s);
      }
    T sum = 0;
    for (const auto& [j, s] : scores) sum += std::exp(s - most);
    lse[row] = scores.empty() ? -std::numeric_limits<T>::infinity() : most + std::log(sum);
    for (const auto& [j, s] : scores)
      for (std::int64_t d = 0; d < c.Dv; ++d) out.at({b, h, i, d}) += std::exp(s - most) / sum * v.at({b, hk, j, d});
  }
  return {out, lse};
}

void check_neighbourhood(const Case& c) {
  const std::array<std::int64_t, 2> keys = c.on.keys[0] == 0 ? c.on.queries : c.on.keys;
  INFO("queries ", c.on.queries[0], " x ", c.on.queries[1], ", keys ", keys[0], " x ", keys[1], ", offset ", c.on.offset[0], ' ', c.on.offset[1], ", radius ",
       c.on.radius[0], ' ', c.on.radius[1], ", ", to_string(c.on.edge), ", B,H,Hk,D,Dv = ", c.B, ' ', c.H, ' ', c.Hk, ' ', c.D, ' ', c.Dv);
  const std::int64_t Lq = c.on.queries[0] * c.on.queries[1], Lk = keys[0] * keys[1];
  std::vector<Operand> in = c.qkv;
  if (in.empty()) in = {random({c.B, c.H, Lq, c.D}, -1, 1, 1), random({c.B, c.Hk, Lk, c.D}, -1, 1, 2), random({c.B, c.Hk, Lk, c.Dv}, -1, 1, 3)};
  if (c.bias || c.mask) in.push_back(c.bias ? *c.bias : *c.mask);
  const auto build = [&](Graph&, const std::vector<Tensor>& t) {
    AttentionDesc desc = c.desc;
    desc.neighbourhood = c.on;
    if (c.bias) desc.neighbourhood.bias = t[3];
    if (c.mask) desc.mask = t[3];
    desc.return_lse = true;
    const AttentionResult result = attention_full(t[0], t[1], t[2], desc);
    return std::vector{result.out, result.lse};
  };
  check("attention", in, build, [&](const auto& arrays) { return by_loops(arrays, c); }, {.f16 = c.f16, .extra_ulps = 64});  // exp: as attention's
  if (!c.gradient) return;
  const auto first = [](auto all) { return std::vector{all[0]}; };  // a row that sees nothing has a log-sum-exp of -inf
  check_gradient(in, [&](Graph& graph, const std::vector<Tensor>& t) { return first(build(graph, t)); },
                 [&](const std::vector<Array<double>>& arrays) { return first(by_loops(arrays, c)); },
                 {.ulps = 256, .least_scale = 0.05, .f16 = c.f16, .kernels_of = "attention_backward"});
}

}  // namespace

TEST_CASE("neighbourhoods: odd grids, clipped and shifted, whole and in halves of precision") {
  for (const NeighbourhoodEdge edge : {clipped, shifted}) {
    check_neighbourhood({.on = {.queries = {7, 9}, .radius = {1, 2}, .edge = edge}, .f16 = edge == clipped});
    check_neighbourhood({.on = {.queries = {13, 11}, .radius = {3, 1}, .edge = edge}, .B = 2, .D = 5, .Dv = 7});
  }
}

TEST_CASE("neighbourhoods of radius 0, and larger than the grid") {
  for (const NeighbourhoodEdge edge : {clipped, shifted}) {
    check_neighbourhood({.on = {.queries = {4, 5}, .radius = {0, 0}, .edge = edge}, .gradient = edge == clipped});
    check_neighbourhood({.on = {.queries = {4, 5}, .radius = {9, 2}, .edge = edge}});
    check_neighbourhood({.on = {.queries = {6, 3}, .radius = {1000, 1}, .edge = edge}});
  }
}

TEST_CASE("neighbourhoods of grids of one row, of one column, of one query") {
  for (const NeighbourhoodEdge edge : {clipped, shifted}) {
    check_neighbourhood({.on = {.queries = {1, 70}, .radius = {2, 5}, .edge = edge}});
    check_neighbourhood({.on = {.queries = {70, 1}, .radius = {5, 2}, .edge = edge}});
    check_neighbourhood({.on = {.queries = {1, 1}, .keys = {5, 7}, .offset = {2, 3}, .radius = {2, 3}, .edge = edge}});
  }
}

TEST_CASE("neighbourhoods in grids of keys that differ from the queries', within them and past their ends") {
  for (const NeighbourhoodEdge edge : {clipped, shifted}) {
    check_neighbourhood({.on = {.queries = {6, 8}, .keys = {10, 14}, .offset = {2, 3}, .radius = {2, 3}, .edge = edge}});
    check_neighbourhood({.on = {.queries = {9, 8}, .keys = {5, 4}, .offset = {-2, -3}, .radius = {1, 1}, .edge = edge}});
    check_neighbourhood({.on = {.queries = {3, 4}, .keys = {4, 3}, .offset = {7, -9}, .radius = {1, 1}, .edge = edge}});
  }
}

TEST_CASE("neighbourhoods of grids of many tiles, whole ones and parts") {
  check_neighbourhood({.on = {.queries = {16, 32}, .radius = {2, 2}}, .H = 1, .Hk = 1, .D = 4, .Dv = 4});
  check_neighbourhood({.on = {.queries = {17, 31}, .radius = {2, 3}}, .H = 1, .Hk = 1, .D = 4, .Dv = 4});
  check_neighbourhood({.on = {.queries = {21, 19}, .radius = {4, 1}, .edge = shifted}, .H = 1, .Hk = 1, .D = 12, .Dv = 3});
}

TEST_CASE("neighbourhoods: heads of a group share their keys, also where tiles span them") {
  check_neighbourhood({.on = {.queries = {5, 7}, .radius = {1, 1}}, .B = 2, .H = 6, .Hk = 2});
  check_neighbourhood({.on = {.queries = {8, 8}, .keys = {10, 10}, .offset = {1, 1}, .radius = {1, 1}, .edge = shifted}, .H = 4, .Hk = 1});
}

TEST_CASE("neighbourhoods: two heads of a group in a larger grid of keys, with a bias each") {
  check_neighbourhood({.on = {.queries = {6, 7}, .keys = {7, 9}, .offset = {1, 2}, .radius = {1, 1}, .edge = shifted}, .Hk = 1, .D = 4, .Dv = 4, .bias = random({2, 5, 5}, -1, 1, 5)});
}

TEST_CASE("neighbourhoods: a bias of the window, one for all heads, one each, and where edges are shifted") {
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {1, 2}}, .B = 2, .bias = random({3, 5}, -1, 1, 5)});
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {1, 2}}, .B = 2, .H = 4, .bias = random({4, 3, 5}, -1, 1, 5), .f16 = true});
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {1, 2}, .edge = shifted}, .bias = random({1, 5, 9}, -1, 1, 5)});
  check_neighbourhood({.on = {.queries = {3, 3}, .radius = {4, 4}}, .bias = random({2, 9, 9}, -1, 1, 5)});
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {2, 2}}, .bias = random_boolean({5, 5}, 0.5, 5)});
}

TEST_CASE("neighbourhoods beside causal, a soft-cap, a scale and masks") {
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {2, 2}}, .desc = {.causal = true}});
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {2, 2}}, .desc = {.scale = 2.0f, .softcap = 3}, .bias = random({5, 5}, -1, 1, 5)});
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {1, 2}, .edge = shifted}, .mask = random({2, 42, 42}, -1, 1, 5)});
  check_neighbourhood({.on = {.queries = {6, 7}, .radius = {1, 2}}, .mask = random_boolean({42, 42}, 0.7, 5)});
}

TEST_CASE("what lies outside of a window reaches neither its query nor a gradient, whatever it holds") {
  for (const double value : {std::nan(""), HUGE_VAL}) {
    Case c{.on = {.queries = {5, 6}, .keys = {9, 10}, .offset = {2, 2}, .radius = {1, 1}}, .H = 1, .Hk = 1, .gradient = false};
    c.qkv = {random({1, 1, 30, 8}, -1, 1, 1), random({1, 1, 90, 8}, -1, 1, 2), random({1, 1, 90, 6}, -1, 1, 3)};
    for (const std::int64_t key : {0, 9, 80, 89, 45 - 36})
      for (std::int64_t d = 0; d < 6; d += 2) c.qkv[1].array.at({0, 0, key, d}) = c.qkv[2].array.at({0, 0, key, d}) = value;
    check_neighbourhood(c);
  }
}

TEST_CASE("the weights of a neighbourhood, stored") {
  const Case c{.on = {.queries = {4, 5}, .radius = {1, 1}}, .H = 1, .Hk = 1, .D = 4, .Dv = 4};
  std::vector<double> identity(400, 0);
  for (std::size_t i = 0; i < 20; ++i) identity[21 * i] = 1;
  Case of_weights = c;
  of_weights.Dv = 20;
  check("attention", {random({1, 1, 20, 4}, -1, 1, 1), random({1, 1, 20, 4}, -1, 1, 2), values({1, 1, 20, 20}, identity)},
        [&](Graph&, const auto& t) {
          return std::vector{attention_full(t[0], t[1], t[2], {.neighbourhood = c.on, .return_weights = true}).weights};
        },
        [&](const auto& in) { return std::vector{by_loops(in, of_weights)[0]}; }, {.extra_ulps = 64});
}

}  // namespace fovea::test
