#include "ops/recurrent.hpp"

#include "tests/support/gradient.hpp"
#include "tests/support/recurrent.hpp"

#include <fovea/autodiff.hpp>

#include <algorithm>
#include <cmath>

namespace fovea::test {
namespace {

struct Case {
  Cell cell;
  std::int64_t T, B, H;
  bool lengths = false, reverse = false, bias = true;
  GruUpdate update = GruUpdate::z_keeps;
};

// Operands: gates, weight, bias, h, c. Results: out, last h, and of lstm last c.
template <class T>
std::vector<Array<T>> scanned(const Case& of, const std::vector<Array<T>>& in, const std::vector<std::int64_t>& lengths) {
  Array<T> out(Shape{of.T, of.B, of.H}), last_h = in[3], last_c = in[4];
  const std::int64_t n = of.H;
  for (std::int64_t b = 0; b < of.B; ++b) {
    State<T> state;
    for (std::int64_t j = 0; j < n; ++j) state.h.push_back(in[3].at({b, j})), state.c.push_back(in[4].at({b, j}));
    const std::int64_t length = std::clamp<std::int64_t>(lengths[static_cast<std::size_t>(b)], 0, of.T);
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t t = of.reverse ? length - 1 - i : i;
      const auto from_x = [&](std::int64_t gate, std::int64_t j) { return in[0].at({t, b, gate * n + j}); };
      const auto from_h = [&](std::int64_t gate, std::int64_t j, const std::vector<T>& h) {
        T sum = of.bias ? in[2][gate * n + j] : T(0);
        for (std::int64_t k = 0; k < n; ++k) sum += in[1].at({gate * n + j, k}) * h[static_cast<std::size_t>(k)];
        return sum;
      };
      state = cell_step(of.cell, of.update, state, from_x, from_h);
      for (std::int64_t j = 0; j < n; ++j) out.at({t, b, j}) = state.h[static_cast<std::size_t>(j)];
    }
    for (std::int64_t j = 0; j < n; ++j) {
      last_h.at({b, j}) = state.h[static_cast<std::size_t>(j)];
      last_c.at({b, j}) = state.c[static_cast<std::size_t>(j)];
    }
  }
  std::vector<Array<T>> results{out, last_h};
  if (of.cell == Cell::lstm) results.push_back(last_c);
  return results;
}

std::vector<Operand> operands_of(const Case& of) {
  const std::int64_t gates = gates_of(of.cell) * of.H;
  const double spread = 2 / std::sqrt(static_cast<double>(std::max<std::int64_t>(of.H, 1)));  // gates stay of order 1
  return {random({of.T, of.B, gates}, -1.5, 1.5, 1), random({gates, of.H}, -spread, spread, 2), random({gates}, -0.5, 0.5, 3),
          random({of.B, of.H}, -1, 1, 4), random({of.B, of.H}, -1, 1, 5)};
}

// Beyond the sequence's end, before its beginning, and all between.
std::vector<std::int64_t> lengths_of(const Case& of) {
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(of.B), of.T);
  if (of.lengths)
    for (std::size_t b = 0; b < lengths.size(); ++b) lengths[b] = static_cast<std::int64_t>(b) % (of.T + 3) - 1;
  return lengths;
}

Build build_of(const Case& of) {
  return [of](Graph& graph, const std::vector<Tensor>& t) {
    const std::vector<std::int64_t> lengths = lengths_of(of);
    const std::vector<std::int32_t> words(lengths.begin(), lengths.end());
    const ops::ScanOperands operands{t[0], t[1], of.bias ? t[2] : Tensor(), t[3], of.cell == Cell::lstm ? t[4] : Tensor(),
                                     of.lengths ? graph.constant({of.B}, words) : Tensor()};
    std::vector<Tensor> results = ops::recurrent_scan(operands, {.cell = of.cell, .update = of.update, .reverse = of.reverse}, {});
    results.resize(of.cell == Cell::lstm ? 3 : 2);
    return results;
  };
}

void check_case(const Case& of) {
  CAPTURE(std::string(to_string(of.cell)));
  const auto reference = [&](const auto& in) { return scanned(of, in, lengths_of(of)); };
  // exp and tanh of each step, 3 + 2|x| ulp (Vulkan, precision), carried through the steps.
  check("recurrent_scan", operands_of(of), build_of(of), reference, {.f16 = false, .extra_ulps = 64});
  check_gradient(operands_of(of), build_of(of), reference, {.most = 24, .kernels_of = "recurrent_scan_backward"});
}

constexpr Cell every_cell[] = {Cell::rnn_tanh, Cell::rnn_relu, Cell::lstm, Cell::gru, Cell::gru_reset_first};

}  // namespace

TEST_CASE("every cell; one step of one element") {
  for (const Cell cell : every_cell) check_case({.cell = cell, .T = 3, .B = 5, .H = 5});
  check_case({.cell = Cell::lstm, .T = 1, .B = 1, .H = 1});
}

TEST_CASE("from the end back without a bias, sequences that end early, before they begin, or not at all") {
  for (const Cell cell : every_cell) check_case({.cell = cell, .T = 3, .B = 5, .H = 5, .lengths = true, .reverse = true, .bias = false});
  check_case({.cell = Cell::lstm, .T = 3, .B = 5, .H = 5, .lengths = true});
}

TEST_CASE("z weighs the candidate") {
  for (const Cell cell : {Cell::gru, Cell::gru_reset_first})
    check_case({.cell = cell, .T = 3, .B = 5, .H = 5, .lengths = true, .update = GruUpdate::z_takes});
}

TEST_CASE("a state of more than one workgroup, and none") {
  check_case({.cell = Cell::lstm, .T = 2, .B = 3, .H = 67});
  for (const Cell cell : {Cell::lstm, Cell::gru_reset_first})
    check("recurrent_scan", operands_of({cell, 2, 0, 3}), build_of({cell, 2, 0, 3}),
          [&](const auto& in) { return scanned({cell, 2, 0, 3}, in, {}); });
}

TEST_CASE("f16 storage") {
  for (const Cell cell : {Cell::lstm, Cell::gru_reset_first}) {
    CAPTURE(std::string(to_string(cell)));
    const Case of{.cell = cell, .T = 2, .B = 5, .H = 5, .lengths = true};
    const auto reference = [&](const auto& in) { return scanned(of, in, lengths_of(of)); };
    // A gate's two parts are rounded, 2^-11 of magnitudes up to 4, and so is the state, in both steps.
    check("recurrent_scan", operands_of(of), build_of(of), reference, {.extra_ulps = 4 * 0x1p14});
    check_gradient(operands_of(of), build_of(of), reference, {.f16 = true, .kernels_of = "recurrent_scan_backward"});
  }
}

TEST_CASE("what stands beyond a sequence's end is not read, NaN or not") {
  const Case of{.cell = Cell::gru, .T = 3, .B = 5, .H = 5, .lengths = true};
  std::vector<Operand> operands = operands_of(of);
  const std::vector<std::int64_t> lengths = lengths_of(of);
  for (std::int64_t t = 0; t < of.T; ++t)
    for (std::int64_t b = 0; b < of.B; ++b)
      for (std::int64_t k = 0; t >= lengths[static_cast<std::size_t>(b)] && k < 3 * of.H; ++k)
        operands[0].array.at({t, b, k}) = std::nan("");
  check("recurrent_scan", operands, build_of(of), [&](const auto& in) { return scanned(of, in, lengths); }, {.f16 = false, .extra_ulps = 64});
  check_gradient(operands, build_of(of), [&](const auto& in) { return scanned(of, in, lengths); },
                 {.skip = {true}, .kernels_of = "recurrent_scan_backward"});
}

TEST_CASE("the gradient's gradient goes through the steps") {
  for (const Cell cell : {Cell::lstm, Cell::gru}) {
    CAPTURE(std::string(to_string(cell)));
    const Case of{.cell = cell, .T = 2, .B = 2, .H = 2};
    // d/dx of half the squared length of d(sum of out)/dh, against differences of that length, itself by differences.
    const auto energy = [&](const auto& in) {
      using T = std::decay_t<decltype(in[0].values[0])>;
      Array<T> sum(Shape{}, T(0));
      for (std::int64_t i = 0; i < in[3].size(); ++i) {
        auto above = in, below = in;
        const T step = T(1e-3);
        above[3][i] += step, below[3][i] -= step;
        T slope = 0;
        const Array<T> high = scanned(of, above, lengths_of(of))[0], low = scanned(of, below, lengths_of(of))[0];
        for (std::int64_t k = 0; k < high.size(); ++k) slope += high[k] - low[k];
        slope /= 2 * step;
        sum[0] += slope * slope / 2;
      }
      return std::vector{sum};
    };
    const auto build = [&](Graph& graph, const std::vector<Tensor>& t) {
      const Tensor d = grad(reduce(Reduce::sum, build_of(of)(graph, t)[0]), {t[3]})[0];
      return std::vector{reduce(Reduce::sum, d * d * 0.5f)};
    };
    // The reference's own difference errs by step²/6 of a third derivative, some 1e-6.
    check_gradient(operands_of(of), build, energy, {.ulps = 256, .most = 12});
  }
}

TEST_CASE("the scan names what is wrong") {
  const auto scan = [](Graph& g, Cell cell, Shape gates, Shape weight, Shape bias, Shape h, Shape lengths = {2}, Shape c = {}) {
    ops::recurrent_scan({g.input("x", gates), g.input("u", weight), g.input("b", bias), g.input("h", h),
                         c.rank() > 0 ? g.input("c", c) : Tensor(), g.input("n", lengths, DType::i32)}, {.cell = cell}, {});
  };
  check_error([&](Graph& g) { scan(g, Cell::gru, {0, 2, 9}, {9, 3}, {9}, {2, 3}); }, {"recurrent_scan: gru: the gates [0,2,9]", "T > 0"});
  check_error([&](Graph& g) { scan(g, Cell::gru, {5, 2, 9}, {8, 3}, {9}, {2, 3}); }, {"the hidden weight [8,3] is not [3·H,H]"});
  check_error([&](Graph& g) { scan(g, Cell::gru, {5, 2, 9}, {9, 3}, {8}, {2, 3}); }, {"the hidden bias is [8], not [9]"});
  check_error([&](Graph& g) { scan(g, Cell::gru, {5, 2, 9}, {9, 3}, {9}, {3, 3}); }, {"h is [3,3], not [2,3]"});
  check_error([&](Graph& g) { scan(g, Cell::gru, {5, 2, 9}, {9, 3}, {9}, {2, 3}, {3}); }, {"lengths are i32[3], not i32[2]"});
  check_error([&](Graph& g) { scan(g, Cell::gru, {5, 2, 9}, {9, 3}, {9}, {2, 3}, {2}, {2, 3}); }, {"gru: c is given"});
  check_error([&](Graph& g) { scan(g, Cell::lstm, {5, 2, 12}, {12, 3}, {12}, {2, 3}); }, {"lstm: c is absent"});
}

}  // namespace fovea::test
