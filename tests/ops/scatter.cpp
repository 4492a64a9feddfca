#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

// One update after another, in the order of the index, onto x [outer, extent, inner] as flat arrays.
struct Lines {
  std::int64_t outer = 1, inner = 1;
};
Lines lines_of(const Shape& shape, std::int64_t axis) {
  Lines lines;
  for (int k = 0; k < shape.rank(); ++k) (k < axis ? lines.outer : lines.inner) *= k == axis ? 1 : shape[k];
  return lines;
}

template <class T>
std::int64_t wrapped(T index, std::int64_t extent) {
  const auto i = static_cast<std::int64_t>(index);
  return i < 0 ? i + extent : i;
}

// in: x, index, updates. torch's scatter and scatter_add.
template <class In>
auto scatter_reference(const In& in, std::int64_t axis, bool replace) {
  auto y = in[0];
  for (std::int64_t i = 0; i < in[1].size(); ++i) {
    auto place = unflatten(i, in[1].shape);
    std::int64_t& at = place[static_cast<std::size_t>(axis)];
    at = wrapped(in[1][i], y.shape[static_cast<int>(axis)]);
    if (at < 0 || at >= y.shape[static_cast<int>(axis)]) continue;
    auto& element = y[broadcast_offset(place, y.shape)];
    element = replace ? in[2][i] : element + in[2][i];
  }
  return std::vector{y};
}

// Slices of `updates` along the axis, onto y.
template <class T>
void add_slices(Array<T>& y, const Array<T>& index, const Array<T>& updates, std::int64_t axis) {
  const auto [outer, inner] = lines_of(y.shape, axis);
  const std::int64_t extent = y.shape[static_cast<int>(axis)], count = index.size();
  for (std::int64_t j = 0; j < count; ++j) {
    const std::int64_t at = wrapped(index[j], extent);
    if (at < 0 || at >= extent) continue;
    for (std::int64_t o = 0; o < outer; ++o)
      for (std::int64_t q = 0; q < inner; ++q) y[(o * extent + at) * inner + q] += updates[(o * count + j) * inner + q];
  }
}

void check_scatter(const Shape& x, const Operand& index, std::int64_t axis, bool replace) {
  INFO(to_string(x), " by ", to_string(index.array.shape), " along ", axis, std::string(replace ? " replacing" : " adding"));
  check(
      "scatter", {random(x), index, random(index.array.shape, -1, 1, 5)},
      [&](Graph&, const auto& in) {
        return std::vector{replace ? scatter(in[0], in[1], in[2], axis) : scatter_add(in[0], in[1], in[2], axis)};
      },
      [&](const auto& in) { return scatter_reference(in, axis, replace); }, {.exact = replace, .gradient = true});
}

void check_index_add(const Shape& x, const Operand& index, std::int64_t axis, bool gradient = true) {
  INFO(to_string(x), " by ", to_string(index.array.shape), " along ", axis);
  Shape updates = x;
  updates[static_cast<int>(axis)] = index.array.shape[0];
  check(
      "scatter", {random(x), index, random(updates, -1, 1, 5)},
      [&](Graph&, const auto& in) { return std::vector{index_add(in[0], in[1], in[2], axis)}; },
      [&](const auto& in) {
        auto y = in[0];
        add_slices(y, in[1], in[2], axis);
        return std::vector{y};
      },
      {.gradient = gradient});
}

}  // namespace

TEST_CASE("scatter_add and scatter along every axis, short and long, from the end and out of range") {
  for (bool replace : {false, true}) {
    check_scatter({4, 7, 3}, random_i32({4, 7, 3}, -5, 5), 0, replace);
    check_scatter({4, 7, 3}, random_i32({3, 9, 2}, -8, 8), 1, replace);
    check_scatter({4, 7, 3}, random_i32({4, 1, 5}, -3, 2), 2, replace);
    check_scatter({3, 5}, random_i32({2, 70}, -6, 6), 1, replace);
    check_scatter({6, 3}, random_i32({33, 3}, -6, 5), 0, replace);
  }
}

TEST_CASE("index_add along every axis, short and long") {
  for (std::int64_t axis : {0, 1, 2}) {
    check_index_add({4, 5, 6}, random_i32({7}, -6, 6), axis);
    check_index_add({4, 5, 6}, random_i32({50}, -4, 3), axis);
  }
  check_index_add({3, 4}, values({4}, {-2147483648.0, 2147483647, 3, -4}, DType::i32), 0);
}

TEST_CASE("index_add of more updates than some drivers' loops take") {
  check_index_add({2, 3}, random_i32({70'000}, 0, 0), 0, false);
  check_index_add({3, 2}, random_i32({70'000}, -3, 3), 0, false);
}

TEST_CASE("scattering of nothing and to nothing") {
  check_index_add({3, 4}, random_i32({0}, 0, 0), 0, false);
  check_index_add({0, 4}, random_i32({5}, 0, 0), 0, false);
  check_index_add({3, 0}, random_i32({5}, 0, 2), 0, false);
}

TEST_CASE("segment_sum: ids in any order") {
  for (std::int64_t count : {5, 100})
    check(
        "scatter", {random({3, count, 2}), random_i32({count}, -2, 6)},
        [](Graph&, const auto& in) { return std::vector{segment_sum(in[0], in[1], 6, 1)}; },
        [](const auto& in) {
          std::decay_t<decltype(in[0])> y(Shape{3, 6, 2});
          auto ids = in[1];
          for (std::int64_t i = 0; i < ids.size(); ++i)
            if (ids[i] < 0) ids[i] = 6;  // adds nothing
          add_slices(y, ids, in[0], 1);
          return std::vector{y};
        },
        {.gradient = true});
}

TEST_CASE("one_hot") {
  check(
      "elementwise", {values({2, 3}, {0, 4, 2, 5, -1, 3}, DType::i32)},
      [](Graph&, const auto& in) { return std::vector{one_hot(in[0], 5)}; },
      [](const auto& in) {
        std::decay_t<decltype(in[0])> y(Shape{2, 3, 5});
        for (std::int64_t i = 0; i < 6; ++i)
          for (std::int64_t k = 0; k < 5; ++k) y[i * 5 + k] = in[0][i] == static_cast<float>(k) ? 1 : 0;
        return std::vector{y};
      },
      {.exact = true});
}

TEST_CASE("scattering names what is wrong") {
  const auto x = [](Graph& g) { return g.input("x", {4, 5}); };
  const auto index = [](Graph& g, Shape shape, DType dtype = DType::i32) { return g.input("i", shape, dtype); };
  const auto updates = [](Graph& g, Shape shape, DType dtype = DType::f32) { return g.input("u", shape, dtype); };
  check_error([&](Graph& g) { scatter_add(x(g), index(g, {2, 5}), updates(g, {2, 5}), 2); }, {"scatter_add", "axis 2 is out of range", "[4,5]", "scatter.cpp"});
  check_error([&](Graph& g) { scatter(x(g), index(g, {2, 5}), updates(g, {2, 4}), 0); }, {"scatter", "index [2,5], updates [2,4], x [4,5]"});
  check_error([&](Graph& g) { scatter(x(g), index(g, {2, 6}), updates(g, {2, 6}), 0); }, {"scatter", "axis 1 of the index [2,6] is longer"});
  check_error([&](Graph& g) { scatter(x(g), index(g, {2, 5}, DType::f32), updates(g, {2, 5}), 0); }, {"scatter", "the index is f32, not i32"});
  check_error([&](Graph& g) { scatter_add(x(g), index(g, {2, 5}), updates(g, {2, 5}, DType::i32), 0); }, {"scatter_add", "updates are i32"});
  check_error([&](Graph& g) { scatter_add(x(g), index(g, {2, 5}), updates(g, {2, 5}, DType::f16), 0); }, {"scatter_add", "f16[2,5] do not fit x f32[4,5]"});
  check_error([&](Graph& g) { index_add(x(g), index(g, {3}), updates(g, {2, 5}), 0); }, {"index_add", "index i32[3] and updates [2,5] do not fit x [4,5]"});
  check_error([&](Graph& g) { index_add(x(g), index(g, {2}), updates(g, {2, 4}), 0); }, {"index_add", "updates [2,4] do not fit x [4,5]"});
  check_error([&](Graph& g) { index_add(x(g), index(g, {2}), updates(g, {2, 4}), 7); }, {"index_add", "axis 7 is out of range"});
  check_error([&](Graph& g) { segment_sum(x(g), index(g, {4}), -1); }, {"segment_sum", "-1 segments"});
  check_error([&](Graph& g) { one_hot(index(g, {4}, DType::f32), 3); }, {"one_hot", "f32, not i32"});
  check_error([&](Graph& g) { one_hot(index(g, {4}), -3); }, {"one_hot", "depth -3"});
  check_error([&](Graph& g) { scatter_add(x(g), Tensor(), updates(g, {2, 5}), 0); }, {"scatter_add", "operand 1 is absent"});
}

}  // namespace fovea::test
