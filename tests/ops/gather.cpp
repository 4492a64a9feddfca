#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <fovea/autodiff.hpp>

namespace fovea::test {
namespace {

using Index = std::vector<std::int64_t>;

std::size_t at(std::int64_t axis) { return static_cast<std::size_t>(axis); }

// The element at `index`, whose place along `axis` is a number as the caller gave it.
template <class T>
T taken(const Array<T>& x, Index index, std::int64_t axis) {
  std::int64_t& i = index[at(axis)];
  const std::int64_t extent = x.shape[static_cast<int>(axis)];
  if (i < 0) i += extent;
  if (i < 0 || i >= extent) return 0;
  return x[broadcast_offset(index, x.shape)];
}

template <class T>
Array<T> select_reference(const Array<T>& x, const Array<T>& index, std::int64_t axis) {
  Index extents(x.shape.extents().begin(), x.shape.extents().begin() + axis);
  extents.insert(extents.end(), index.shape.extents().begin(), index.shape.extents().end());
  extents.insert(extents.end(), x.shape.extents().begin() + axis + 1, x.shape.extents().end());
  Array<T> y{Shape(std::span<const std::int64_t>(extents))};
  for (std::int64_t i = 0; i < y.size(); ++i) {
    const Index place = unflatten(i, y.shape);
    const auto first = place.begin() + axis, last = first + index.shape.rank();
    Index from(place.begin(), first);
    from.push_back(static_cast<std::int64_t>(index[broadcast_offset(Index(first, last), index.shape)]));
    from.insert(from.end(), last, place.end());
    y[i] = taken(x, from, axis);
  }
  return y;
}

// y of this shape; x and index broadcast to it, but along the axis.
template <class T>
Array<T> along_reference(const Array<T>& x, const Array<T>& index, std::int64_t axis, const Shape& shape) {
  Array<T> y(shape);
  for (std::int64_t i = 0; i < y.size(); ++i) {
    Index place = unflatten(i, shape);
    place[at(axis)] = static_cast<std::int64_t>(index[broadcast_offset(place, index.shape)]);
    y[i] = taken(x, place, axis);
  }
  return y;
}

void check_select(const Operand& x, const Operand& index, std::int64_t axis, bool gradient = false) {
  INFO(to_string(x.array.shape), " by ", to_string(index.array.shape), " along ", axis);
  check(
      "gather", {x, index}, [&](Graph&, const auto& in) { return std::vector{index_select(in[0], in[1], axis)}; },
      [&](const auto& in) { return std::vector{select_reference(in[0], in[1], axis)}; }, {.exact = true, .gradient = gradient});
}
void check_gather(const Operand& x, const Operand& index, std::int64_t axis, bool gradient = false) {
  INFO(to_string(x.array.shape), " by ", to_string(index.array.shape), " along ", axis);
  check(
      "gather", {x, index}, [&](Graph&, const auto& in) { return std::vector{gather(in[0], in[1], axis)}; },
      [&](const auto& in) { return std::vector{along_reference(in[0], in[1], axis, in[1].shape)}; },
      {.exact = true, .gradient = gradient});
}
void check_take(const Operand& x, const Operand& index, std::int64_t axis, const Shape& y) {
  INFO(to_string(x.array.shape), " by ", to_string(index.array.shape), " along ", axis);
  check(
      "gather", {x, index}, [&](Graph&, const auto& in) { return std::vector{take_along(in[0], in[1], axis)}; },
      [&](const auto& in) { return std::vector{along_reference(in[0], in[1], axis, y)}; }, {.exact = true, .gradient = true});
}

}  // namespace

TEST_CASE("index_select: every axis, indices of every rank, from the end and out of range") {
  for (std::int64_t axis : {0, 1, 2}) {
    check_select(random({5, 6, 7}), random_i32({9}, -8, 8), axis, true);
    check_select(random({5, 6, 7}), random_i32({3, 2}, 0, 4), axis, true);
    check_select(random({5, 6, 7}), random_i32({}, -2, 2), axis, true);
  }
  check_select(random({2, 3, 2, 3, 2, 3, 2, 3}), random_i32({2}, 0, 1), 3);
  check_select(random({2, 3, 4, 2}), random_i32({2, 3, 2, 2, 2}, 0, 2), 1);
}

TEST_CASE("gradients of long indices add up what each element gave") {
  check_select(random({11, 3}), random_i32({130}, -13, 12), 0, true);
  check_gather(random({5, 3}), random_i32({70, 3}, -5, 4), 0, true);
  check_gather(random({3, 5}), random_i32({2, 70}, -7, 6), 1, true);
}

TEST_CASE("gather along every axis, of lines that the index does not all reach") {
  check_gather(random({4, 7, 3}), random_i32({2, 7, 3}, 0, 3), 0, true);
  check_gather(random({4, 7, 3}), random_i32({4, 9, 2}, -9, 9), 1, true);
  check_gather(random({4, 7, 3}), random_i32({3, 5, 1}, -1, 2), 2, true);
  check_gather(random({4, 7, 3}), random_i32({3, 5, 1}, -3, -1), -1 + 3);
}

TEST_CASE("take_along: x and index broadcast") {
  check_take(random({4, 7, 3}), random_i32({1, 2, 1}, -7, 6), 1, {4, 2, 3});
  check_take(random({1, 7, 3}), random_i32({4, 5, 1}, -7, 6), 1, {4, 5, 3});
  check_take(random({4, 1}), random_i32({1, 6}, 0, 3), 0, {1, 6});
  check_take(random({4, 5}), random_i32({1, 5}, -5, 5), 0, {1, 5});
}

TEST_CASE("indices far out of range read zero") {
  check_select(random({3, 4}), values({6}, {-2147483648.0, 2147483647, 3, -4, 2, -3}, DType::i32), 0, true);
}

TEST_CASE("gathering of nothing and from nothing") {
  check_select(random({3, 4}), random_i32({0}, 0, 0), 0);
  check_select(random({0, 4}), random_i32({2}, 0, 0), 0);
  check_gather(random({3, 4}), random_i32({0, 4}, 0, 0), 0);
  check_select(random({3, 0}), random_i32({2}, 0, 2), 0);
}

TEST_CASE("gathering of integers and booleans") {
  check_select(random_i32({5, 3}, -2'000'000'000, 2'000'000'000), random_i32({7}, -6, 5), 0);
  check_gather(random_boolean({5, 3}), random_i32({4, 3}, 0, 4), 0);
}

TEST_CASE("embedding: the padding row gets no gradient" * doctest::skip(compiles_only())) {
  const Operand weight = random({9, 5}), index = values({2, 4}, {3, 2, 2, 8, 0, -7, 2, 3}, DType::i32);
  for (std::int64_t padding : {2, -7}) {
    Graph graph;
    const Tensor w = graph.input("w", {9, 5}), i = graph.input("i", {2, 4}, DType::i32);
    const Tensor y = embedding(w, i, {.padding_index = padding});
    // Its value is read all the same; its gradient is that of a loss in which row 2 is a constant.
    check("gather", {weight, index}, [&](Graph&, const auto& in) { return std::vector{embedding(in[0], in[1], {.padding_index = padding})}; },
          [](const auto& in) { return std::vector{select_reference(in[0], in[1], 0)}; }, {.exact = true});
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    graph.output("d", grad(reduce(Reduce::sum, y), {w})[0]);
    auto plan = context().compile(graph);
    REQUIRE_MESSAGE(plan, plan.error().message);
    const Run run = run_guarded(*plan, {encode(weight.array, DType::f32), encode(index.array, DType::i32)});
    const double uses[] = {1, 0, 0, 2, 0, 0, 0, 0, 1};
    for (std::int64_t row = 0; row < 9; ++row)
      for (std::int64_t k = 0; k < 5; ++k) CHECK(run.outputs[0].at({row, k}) == uses[row]);
  }
}

TEST_CASE("gather_nd: any number of leading axes, by negative indices too") {
  const auto check_nd = [](const Operand& x, const Operand& index) {
    check(
        "gather", {x, index}, [](Graph&, const auto& in) { return std::vector{gather_nd(in[0], in[1])}; },
        [](const auto& in) {
          const auto& [shape, data] = in[0];
          const Shape& where = in[1].shape;
          const int named = static_cast<int>(where.at(-1));
          Index extents(where.extents().begin(), where.extents().end() - 1);
          extents.insert(extents.end(), shape.extents().begin() + named, shape.extents().end());
          std::decay_t<decltype(in[0])> y{Shape(std::span<const std::int64_t>(extents))};
          for (std::int64_t i = 0; i < y.size(); ++i) {
            const Index place = unflatten(i, y.shape);
            Index from(place.begin() + where.rank() - 1, place.end()), row(place.begin(), place.begin() + where.rank() - 1);
            row.push_back(0);
            bool inside = true;
            Index lead;
            for (int k = 0; k < named; ++k) {
              row.back() = k;
              auto number = static_cast<std::int64_t>(in[1][broadcast_offset(row, where)]);
              if (number < 0) number += shape[k];
              inside = inside && number >= 0 && number < shape[k];
              lead.push_back(number);
            }
            from.insert(from.begin(), lead.begin(), lead.end());
            y[i] = inside ? in[0][broadcast_offset(from, shape)] : 0;
          }
          return std::vector{y};
        },
        {.exact = true, .gradient = true});
  };
  check_nd(random({4, 5, 3}), random_i32({6, 2}, -6, 6));
  check_nd(random({4, 5, 3}), random_i32({2, 3, 1}, -4, 3));
  check_nd(random({4, 5, 3}), random_i32({7, 3}, -3, 2));
}

TEST_CASE("gathering names what is wrong") {
  const auto x = [](Graph& graph) { return graph.input("x", {4, 5}); };
  const auto index = [](Graph& graph, Shape shape, DType dtype = DType::i32) { return graph.input("i", shape, dtype); };
  check_error([&](Graph& g) { index_select(x(g), index(g, {3}), 2); }, {"index_select", "axis 2 is out of range", "[4,5]", "gather.cpp"});
  check_error([&](Graph& g) { index_select(x(g), index(g, {3}, DType::f32), 0); }, {"index_select", "the index is f32, not i32"});
  check_error([&](Graph& g) { index_select(x(g), index(g, {1, 1, 1, 1, 1, 1, 1, 1}), 0); }, {"index_select", "9 axes, at most 8"});
  check_error([&](Graph& g) { gather(x(g), index(g, {3}), 0); }, {"gather", "[3] has 1 axes", "[4,5] has 2"});
  check_error([&](Graph& g) { gather(x(g), index(g, {3, 6}), 0); }, {"gather", "axis 1 of the index [3,6] is longer", "[4,5]"});
  check_error([&](Graph& g) { take_along(x(g), index(g, {3, 2}), 0); }, {"take_along", "axis 1 of the index [3,2] does not broadcast"});
  check_error([&](Graph& g) { embedding(g.input("w", {3}), index(g, {2})); }, {"embedding", "[3] has 1 axes, not 2"});
  check_error([&](Graph& g) { embedding(x(g), index(g, {2}), {.padding_index = 4}); }, {"embedding", "padding index 4", "4 rows"});
  check_error([&](Graph& g) { gather_nd(x(g), index(g, {2, 3})); }, {"gather_nd", "names 3 axes of x [4,5]"});
  check_error([&](Graph& g) { gather_nd(x(g), index(g, {2, 1}, DType::boolean)); }, {"gather_nd", "boolean, not i32"});
  check_error([&](Graph& g) { index_select(x(g), Tensor(), 0); }, {"index_select", "index is absent"});
}

}  // namespace fovea::test
