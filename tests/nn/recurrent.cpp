#include <fovea/recurrent.hpp>

#include "tests/support/gradient.hpp"
#include "tests/support/recurrent.hpp"
#include "tests/support/run.hpp"

#include <cmath>
#include <limits>

namespace fovea::test {
namespace {

// Operands in this order: x, input weight, hidden weight, input bias, hidden bias (of each direction of each layer), h, c.
struct Size {
  std::int64_t steps, batch, inputs, hidden;
};

// One step of one sequence; `at` is where the operands of the direction begin.
template <class T>
State<T> step_of(Cell cell, GruUpdate update, const std::vector<T>& x, const State<T>& from, const std::vector<Array<T>>& in,
                 std::size_t at) {
  const auto n = static_cast<std::int64_t>(from.h.size());
  const auto from_x = [&](std::int64_t gate, std::int64_t j) {
    T sum = in[at + 2][gate * n + j];
    for (std::size_t i = 0; i < x.size(); ++i) sum += in[at].at({gate * n + j, static_cast<std::int64_t>(i)}) * x[i];
    return sum;
  };
  const auto from_h = [&](std::int64_t gate, std::int64_t j, const std::vector<T>& h) {
    T sum = in[at + 3][gate * n + j];
    for (std::int64_t i = 0; i < n; ++i) sum += in[at + 1].at({gate * n + j, i}) * h[static_cast<std::size_t>(i)];
    return sum;
  };
  return cell_step(cell, update, from, from_x, from_h);
}

// The rows of [A,B,N] at (a, b).
template <class T>
std::vector<T> row(const Array<T>& x, std::int64_t a, std::int64_t b) {
  std::vector<T> values;
  for (std::int64_t i = 0; i < x.dim(2); ++i) values.push_back(x.at({a, b, i}));
  return values;
}
template <class T>
void set_row(Array<T>& x, std::int64_t a, std::int64_t b, std::int64_t first, const std::vector<T>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) x.at({a, b, first + static_cast<std::int64_t>(i)}) = values[i];
}

// Each sequence on its own, of its own length: out, last h, last c.
template <class T>
std::vector<Array<T>> scans(Cell cell, const std::vector<Array<T>>& in, std::int64_t layers, std::int64_t directions,
                            const std::vector<std::int64_t>& lengths, GruUpdate update = GruUpdate::z_keeps) {
  Array<T> x = in[0];
  const Array<T>&h0 = in[1 + static_cast<std::size_t>(4 * layers * directions)], &c0 = in.back();
  const std::int64_t steps = x.dim(0), batch = x.dim(1), n = h0.dim(2);
  Array<T> last_h = h0, last_c = c0;
  for (std::int64_t layer = 0; layer < layers; ++layer) {
    Array<T> out({steps, batch, directions * n});
    for (std::int64_t d = 0; d < directions; ++d) {
      const std::int64_t k = layer * directions + d;
      for (std::int64_t b = 0; b < batch; ++b) {
        State<T> state{row(h0, k, b), row(c0, k, b)};
        const std::int64_t length = lengths[static_cast<std::size_t>(b)];
        for (std::int64_t i = 0; i < length; ++i) {
          const std::int64_t t = d == 0 ? i : length - 1 - i;
          state = step_of(cell, update, row(x, t, b), state, in, static_cast<std::size_t>(1 + 4 * k));
          set_row(out, t, b, d * n, state.h);
        }
        set_row(last_h, k, b, 0, state.h);
        set_row(last_c, k, b, 0, state.c);
      }
    }
    x = out;
  }
  std::vector<Array<T>> results{x, last_h};
  if (cell == Cell::lstm) results.push_back(last_c);
  return results;
}

struct Layout {
  std::int64_t layers = 1, directions = 1;
  bool with_lengths = false, batch_first = false;
  GruUpdate update = GruUpdate::z_keeps;
};

void check_scan(Cell cell, const Size& size, const Layout& layout) {
  CAPTURE(std::string(to_string(cell)));
  const std::int64_t gates = gates_of(cell) * size.hidden, runs = layout.layers * layout.directions;
  std::vector<Operand> operands{random({size.steps, size.batch, size.inputs}, -1, 1, 7)};
  for (std::int64_t k = 0; k < runs; ++k) {
    const std::int64_t inputs = k < layout.directions ? size.inputs : layout.directions * size.hidden;
    const auto seed = static_cast<std::uint32_t>(10 * k);
    operands.push_back(random({gates, inputs}, -0.7, 0.7, seed + 1));
    operands.push_back(random({gates, size.hidden}, -0.7, 0.7, seed + 2));
    operands.push_back(random({gates}, -0.5, 0.5, seed + 3));
    operands.push_back(random({gates}, -0.5, 0.5, seed + 4));
  }
  operands.push_back(random({runs, size.batch, size.hidden}, -1, 1, 5));
  operands.push_back(random({runs, size.batch, size.hidden}, -1, 1, 6));
  std::vector<std::int64_t> lengths(static_cast<std::size_t>(size.batch), size.steps);
  if (layout.with_lengths)
    for (std::size_t b = 0; b < lengths.size(); ++b) lengths[b] = static_cast<std::int64_t>(b) % (size.steps + 1);
  const auto build = [&](Graph& graph, const std::vector<Tensor>& t) {
    const auto weights = [&](std::int64_t k) {
      const auto at = static_cast<std::size_t>(1 + 4 * k);
      return CellWeights{t[at], t[at + 1], t[at + 2], t[at + 3], layout.update};
    };
    std::vector<RecurrentLayer> layers;
    for (std::int64_t k = 0; k < runs; k += layout.directions)
      layers.push_back({weights(k), layout.directions == 2 ? weights(k + 1) : CellWeights{}});
    RecurrentDesc desc{.h = t[t.size() - 2], .batch_first = layout.batch_first};
    if (cell == Cell::lstm) desc.c = t.back();
    const std::vector<std::int32_t> words(lengths.begin(), lengths.end());
    if (layout.with_lengths) desc.lengths = graph.constant({size.batch}, words);
    const Tensor x = layout.batch_first ? transpose(t[0], 0, 1) : t[0];
    RecurrentResult r = recurrent(cell, x, layers, desc);
    if (layout.batch_first) r.out = transpose(r.out, 0, 1);
    std::vector<Tensor> results{r.out, r.h};
    if (r.c) results.push_back(r.c);
    return results;
  };
  // exp and tanh of each step, 3 + 2|x| ulp (Vulkan, precision), carried through the steps.
  const auto reference = [&](const auto& in) { return scans(cell, in, layout.layers, layout.directions, lengths, layout.update); };
  check("recurrent_scan", operands, build, reference, {.f16 = false, .extra_ulps = 64});
  check_gradient(operands, build, reference, {.kernels_of = "recurrent_scan_backward"});
}

constexpr Cell every_cell[] = {Cell::rnn_tanh, Cell::rnn_relu, Cell::lstm, Cell::gru, Cell::gru_reset_first};

}  // namespace

TEST_CASE("one layer of every cell, one way") {
  for (const Cell cell : every_cell) check_scan(cell, {3, 2, 3, 5}, {});
}

TEST_CASE("sequences of several lengths, one of them empty, both ways, in two layers") {
  for (const Cell cell : {Cell::lstm, Cell::gru})
    check_scan(cell, {3, 4, 2, 3}, {.layers = 2, .directions = 2, .with_lengths = true});
}

TEST_CASE("what stands past the end of a sequence reaches no result and no gradient" * doctest::skip(compiles_only())) {
  for (const Cell cell : every_cell) {
    CAPTURE(std::string(to_string(cell)));
    const std::int64_t gates = gates_of(cell) * 4;
    Graph graph;
    const Tensor x = graph.input("x", {4, 2, 3}), input = graph.input("wi", {gates, 3}), hidden = graph.input("wh", {gates, 4});
    const Tensor bias = graph.input("b", {gates});
    const std::int32_t lengths[] = {4, 2};
    const RecurrentLayer layer{{input, hidden, bias, bias}};
    const RecurrentResult r = recurrent(cell, x, {layer}, {.lengths = graph.constant({2}, lengths)});
    const auto d = grad(reduce(Reduce::sum, r.out * r.out) + reduce(Reduce::sum, r.h), {x, input, hidden, bias});
    graph.output("out", r.out);
    for (std::size_t i = 0; i < d.size(); ++i) graph.output("d" + std::to_string(i), d[i]);
    auto plan = context().compile(graph, {.poison_arena = true});
    REQUIRE_MESSAGE(plan, plan.error().message);
    const auto results = [&](double padding) {
      Array<double> data = random({4, 2, 3}, -1, 1, 7).array;
      for (const std::int64_t t : {2, 3})
        for (std::int64_t i = 0; i < 3; ++i) data.at({t, 1, i}) = padding;
      const auto weights = [](const Shape& shape, std::uint32_t seed) { return encode(random(shape, -0.7, 0.7, seed).array, DType::f32); };
      return run_guarded(*plan, {encode(data, DType::f32), weights({gates, 3}, 1), weights({gates, 4}, 2), weights({gates}, 3)}).outputs;
    };
    const auto expected = results(0);
    for (const double padding : {std::nan(""), std::numeric_limits<double>::infinity(), 3e38}) {
      const auto got = results(padding);
      for (std::size_t i = 0; i < got.size(); ++i) CHECK(got[i].values == expected[i].values);
    }
  }
}

TEST_CASE("the batch first, and one step of one sequence") {
  check_scan(Cell::gru, {3, 2, 3, 4}, {.directions = 2, .batch_first = true});
  check_scan(Cell::lstm, {1, 1, 1, 1}, {});
}

TEST_CASE("z may weigh the candidate") {
  for (const Cell cell : {Cell::gru, Cell::gru_reset_first})
    check_scan(cell, {2, 3, 2, 4}, {.with_lengths = true, .update = GruUpdate::z_takes});
}

TEST_CASE("a cell is one step of its scan, and absent states are zeros") {
  for (const Cell cell : every_cell) {
    CAPTURE(std::string(to_string(cell)));
    const std::int64_t gates = gates_of(cell) * 3;
    const std::vector<Operand> operands{random({1, 2, 5}), random({gates, 5}, -1, 1, 2), random({gates, 3}, -1, 1, 3),
                                        values({gates}, std::vector<double>(static_cast<std::size_t>(gates))),
                                        values({gates}, std::vector<double>(static_cast<std::size_t>(gates))),
                                        values({1, 2, 3}, std::vector<double>(6)), values({1, 2, 3}, std::vector<double>(6))};
    check("recurrent_scan", operands,
          [&](Graph&, const std::vector<Tensor>& t) {
            const CellWeights weights{t[1], t[2]};
            const auto flat = [](Tensor x) { return reshape(x, {x.dim(1), x.dim(2)}); };
            const CellState next = recurrent_cell(cell, flat(t[0]), {flat(t[5]), cell == Cell::lstm ? flat(t[6]) : Tensor()}, weights);
            const RecurrentLayer layer{weights, {}};
            const RecurrentResult scan = recurrent(cell, t[0], {layer});
            return std::vector{reshape(next.h, {1, 2, 3}), scan.out, scan.h};
          },
          [&](const auto& in) {
            const auto all = scans(cell, in, 1, 1, {1, 1});
            return std::vector{all[0], all[0], all[1]};
          },
          // f16 keeps the two parts of a gate rounded: 2^-11 each of magnitudes up to 4.
          {.extra_ulps = 4 * 0x1p14});
  }
}

TEST_CASE("gates in another order, and a forget bias") {
  struct Case {
    Cell cell;
    const char* gates;
    std::vector<std::size_t> order;  // of the kernel's gates, the place of each in the weights
    std::optional<float> forget_bias;
    float added;  // to f
    bool input_bias = true, hidden_bias = true;
  };
  const Case cases[] = {{Cell::lstm, "iofg", {0, 2, 3, 1}, 0, 0},
                        {Cell::lstm, "ofgi", {3, 1, 2, 0}, 1.5f, 1.5f},
                        {Cell::gru, "zrn", {1, 0, 2}, {}, 0},
                        {Cell::lstm, "", {0, 1, 2, 3}, -0.5f, -0.5f},
                        {Cell::lstm, "", {0, 1, 2, 3}, {}, 0},
                        {Cell::lstm, "", {0, 1, 2, 3}, {}, 0, true, false},
                        {Cell::lstm, "", {0, 1, 2, 3}, {}, 0, false, true},
                        {Cell::lstm, "", {0, 1, 2, 3}, {}, 1, false, false},
                        {Cell::lstm, "fiog", {1, 0, 3, 2}, {}, 1, false, false},
                        {Cell::lstm, "", {0, 1, 2, 3}, 0, 0, false, false},
                        {Cell::gru, "", {0, 1, 2}, {}, 0, false, false}};
  for (const Case& one : cases) {
    CAPTURE(std::string(one.gates));
    const auto gates = static_cast<std::int64_t>(one.order.size());
    const std::vector<Operand> operands{random({2, 2, 3}),          random({gates * 2, 3}, -1, 1, 2), random({gates * 2, 2}, -1, 1, 3),
                                        random({gates * 2}, -1, 1, 4), random({gates * 2}, -1, 1, 5),
                                        values({1, 2, 2}, {0, 0, 0, 0}), values({1, 2, 2}, {0, 0, 0, 0})};
    const auto build = [&](Graph&, const std::vector<Tensor>& t) {
      const RecurrentLayer layer{{.input = t[1], .hidden = t[2], .input_bias = one.input_bias ? t[3] : Tensor(),
                                  .hidden_bias = one.hidden_bias ? t[4] : Tensor(), .gates = one.gates, .forget_bias = one.forget_bias}, {}};
      const RecurrentDesc desc{.h = t[5], .c = one.cell == Cell::lstm ? t[6] : Tensor()};
      return std::vector{recurrent(one.cell, t[0], std::span(&layer, 1), desc).out};
    };
    const auto reference = [&](const auto& in) {
      auto ordered = in;
      for (std::size_t k = 3; k < 5; ++k)
        if (!(k == 3 ? one.input_bias : one.hidden_bias)) std::fill(ordered[k].values.begin(), ordered[k].values.end(), 0);
      const auto given = ordered;
      for (std::size_t k = 1; k < 5; ++k) {
        const std::int64_t gate = in[k].size() / gates;
        for (std::size_t g = 0; g < one.order.size(); ++g)
          for (std::int64_t i = 0; i < gate; ++i)
            ordered[k][static_cast<std::int64_t>(g) * gate + i] = given[k][static_cast<std::int64_t>(one.order[g]) * gate + i];
      }
      using T = std::decay_t<decltype(in[0][0])>;
      for (std::int64_t i = 2; i < 4; ++i) ordered[3][i] += static_cast<T>(one.added);
      return std::vector{scans(one.cell, ordered, 1, 1, {2, 2})[0]};
    };
    check("recurrent_scan", operands, build, reference, {.f16 = false, .extra_ulps = 64});
    check_gradient(operands, build, reference);
  }
}

TEST_CASE("a masked step copies the state, whatever x holds there") {
  for (const Cell cell : {Cell::lstm, Cell::gru}) {
    const std::int64_t gates = gates_of(cell) * 3;
    Operand x = random({3, 4});
    for (std::int64_t i = 4; i < 8; ++i) x.array[i] = std::nan("");
    const std::vector<Operand> operands{x, random({gates, 4}, -1, 1, 2), random({gates, 3}, -1, 1, 3), random({3, 3}, -1, 1, 4), random({3, 3}, -1, 1, 5),
                                        values({3}, {1, 0, 1}, DType::boolean)};
    const auto build = [&](Graph&, const std::vector<Tensor>& t) {
      const CellState next = recurrent_cell(cell, t[0], {t[3], cell == Cell::lstm ? t[4] : Tensor()}, {.input = t[1], .hidden = t[2], .forget_bias = 0}, {.mask = t[5]});
      std::vector<Tensor> results{next.h};
      if (next.c) results.push_back(next.c);
      return results;
    };
    check("recurrent_scan", operands, build, [&](const auto& in) {
      using A = std::decay_t<decltype(in[0])>;
      const A zeros(Shape{gates});
      A steps(Shape{1, 3, 4}, in[0].values);
      for (std::int64_t i = 4; i < 8; ++i) steps[i] = 0;
      auto all = scans(cell, std::vector<A>{steps, in[1], in[2], zeros, zeros, A(Shape{1, 3, 3}, in[3].values), A(Shape{1, 3, 3}, in[4].values)}, 1, 1, {1, 0, 1});
      std::vector<A> results{A(Shape{3, 3}, all[1].values)};
      if (cell == Cell::lstm) results.push_back(A(Shape{3, 3}, all[2].values));
      return results;
    }, {.f16 = false, .extra_ulps = 64});
  }
}

TEST_CASE("recurrence names what is wrong") {
  const auto weights = [](Graph& g, std::int64_t gates, std::int64_t inputs, std::int64_t h, std::string name = "w") {
    return CellWeights{g.input(name + "i", {gates, inputs}), g.input(name + "h", {gates, h})};
  };
  const auto scan = [](Cell cell, Tensor x, std::vector<RecurrentLayer> layers, RecurrentDesc desc = {}) {
    recurrent(cell, x, layers, desc);
  };
  check_error([&](Graph& g) { recurrent_cell(Cell::gru, g.input("x", {2, 3}), {g.input("h", {2, 4})}, weights(g, 12, 5, 4)); },
              {"gru: the input weight is [12,5], not [12,3]", "recurrent.cpp"});
  check_error([&](Graph& g) { recurrent_cell(Cell::lstm, g.input("x", {2, 3}), {g.input("h", {2, 4})}, weights(g, 16, 3, 4)); },
              {"lstm: c is absent"});
  check_error([&](Graph& g) {
    CellWeights takes = weights(g, 16, 3, 4);
    takes.update = GruUpdate::z_takes;
    recurrent_cell(Cell::lstm, g.input("x", {2, 3}), {g.input("h", {2, 4}), g.input("c", {2, 4})}, takes);
  }, {"lstm: its weights are made for z_takes, and it has no z"});
  check_error([&](Graph& g) { recurrent_cell(Cell::lstm, g.input("x", {2, 3}), {g.input("h", {3, 4})}, weights(g, 16, 3, 4)); },
              {"lstm: h is [3,4], not [2,4]"});
  check_error([&](Graph& g) { scan(Cell::lstm, g.input("x", {5, 2, 3}), {}); }, {"lstm: no layer"});
  check_error([&](Graph& g) { scan(Cell::lstm, g.input("x", {2, 3}), {}); }, {"lstm: x [2,3] has rank 2, not 3"});
  check_error([&](Graph& g) { scan(Cell::lstm, g.input("x", {0, 2, 3}), {{weights(g, 16, 3, 4)}}); }, {"lstm: x [0,2,3] has no step"});
  check_error([&](Graph& g) { scan(Cell::rnn_relu, g.input("x", {5, 2, 3}), {{weights(g, 4, 3, 4)}, {weights(g, 4, 3, 4, "v")}}); },
              {"rnn_relu: the input weight is [4,3], not [4,4]"});
  check_error([&](Graph& g) { scan(Cell::rnn_tanh, g.input("x", {5, 2, 3}), {{weights(g, 4, 3, 4)}, {weights(g, 4, 4, 4, "v"), weights(g, 4, 4, 4, "u")}}); },
              {"rnn_tanh: some layers read both ways"});
  check_error([&](Graph& g) { scan(Cell::gru, g.input("x", {5, 2, 3}), {{weights(g, 12, 3, 4)}}, {.h = g.input("h", {2, 2, 4})}); },
              {"gru: h is [2,2,4], not [1,2,4]"});
  check_error([&](Graph& g) { scan(Cell::gru, g.input("x", {5, 2, 3}), {{weights(g, 12, 3, 4)}}, {.c = g.input("c", {1, 2, 4})}); },
              {"gru: c is given, and gru has none"});
  check_error([&](Graph& g) { scan(Cell::gru, g.input("x", {5, 2, 3}), {{weights(g, 12, 3, 4)}}, {.lengths = g.input("n", {3}, DType::i32)}); },
              {"gru: lengths are [3], not [2]"});
  check_error([&](Graph& g) { scan(Cell::gru, g.input("x", {5, 2, 3}), {{weights(g, 12, 3, 4)}}, {.lengths = g.input("n", {2})}); },
              {"gru: lengths is f32, not i32"});
}

}  // namespace fovea::test
