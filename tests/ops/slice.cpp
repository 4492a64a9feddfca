#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

constexpr std::int64_t open = std::numeric_limits<std::int64_t>::max();

// By walking: a position is taken while it has not passed `stop`.
std::vector<std::int64_t> positions(const SliceDesc& desc, std::int64_t extent) {
  const auto from_end = [&](std::int64_t bound) { return bound < 0 ? bound + extent : bound; };
  std::vector<std::int64_t> taken;
  if (desc.step > 0) {
    const std::int64_t stop = std::min(from_end(desc.stop), extent);
    for (std::int64_t at = std::max<std::int64_t>(from_end(desc.start), 0); at < stop; at += desc.step)
      taken.push_back(at);
  } else {
    const std::int64_t stop = desc.stop == open ? -1 : std::max<std::int64_t>(from_end(desc.stop), -1);
    for (std::int64_t at = std::min(from_end(desc.start), extent - 1); at > stop; at += desc.step) taken.push_back(at);
  }
  return taken;
}

void check_slice(const Operand& x, const SliceDesc& desc) {
  INFO(to_string(x.array.shape), " axis ", desc.axis, ", ", desc.start, ':', desc.stop, ':', desc.step);
  check(
      "slice", {x}, [&](Graph&, const auto& in) { return std::vector{slice(in[0], desc)}; },
      [&](const auto& in) {
        const auto axis = static_cast<std::size_t>(desc.axis < 0 ? desc.axis + in[0].shape.rank() : desc.axis);
        const auto taken = positions(desc, in[0].shape[static_cast<int>(axis)]);
        Shape shape = in[0].shape;
        shape[static_cast<int>(axis)] = static_cast<std::int64_t>(taken.size());
        std::decay_t<decltype(in[0])> y(shape);
        for (std::int64_t i = 0; i < y.size(); ++i) {
          auto index = unflatten(i, shape);
          index[axis] = taken[static_cast<std::size_t>(index[axis])];
          y[i] = in[0][broadcast_offset(index, in[0].shape)];
        }
        return std::vector{y};
      },
      {.exact = true, .gradient = x.dtype == DType::f32 && desc.axis == 1});
}

}  // namespace

TEST_CASE("slice: every axis, forward with steps") {
  for (std::int64_t axis : {0, 1, 2, -1})
    for (std::int64_t step : {1, 2, 3, 100})
      check_slice(random({7, 8, 9}), {.axis = axis, .start = 1, .stop = 7, .step = step});
}

TEST_CASE("slice: backward walks") {
  for (std::int64_t axis : {0, 1, 2}) {
    check_slice(random({7, 8, 9}), {.axis = axis, .start = -1, .step = -1});  // reversed
    check_slice(random({7, 8, 9}), {.axis = axis, .start = 5, .stop = 1, .step = -2});
    check_slice(random({7, 8, 9}), {.axis = axis, .start = 100, .stop = -100, .step = -3});
  }
}

TEST_CASE("slice: bounds from the end, clamped, and nothing left") {
  const auto x = random({3, 10});
  for (const auto& [start, stop, step] : std::vector<std::array<std::int64_t, 3>>{{-3, open, 1},
                                                                                  {0, -3, 1},
                                                                                  {-100, 100, 1},
                                                                                  {4, 4, 1},
                                                                                  {6, 2, 1},
                                                                                  {2, 6, -1},
                                                                                  {20, 30, 1},
                                                                                  {-30, -20, -1},
                                                                                  {9, 10, 5},
                                                                                  {0, open, open},
                                                                                  {-1, -open - 1, -open - 1},
                                                                                  {3, open, 1},
                                                                                  {0, open, 1}})
    check_slice(x, {.axis = 1, .start = start, .stop = stop, .step = step});
  check_slice(random({0, 4}), {.axis = 0});
  check_slice(random({0, 4}), {.axis = 0, .start = -1, .step = -1});
  check_slice(random({0, 4}), {.axis = 1, .start = 1});
}

TEST_CASE("slice: what moves as 16 bytes, and what just does not") {
  check_slice(random({5, 8, 16}), {.axis = 1, .start = 2, .stop = 7});
  check_slice(random({5, 8, 16}), {.axis = 2, .start = 4, .stop = 12});
  check_slice(random({5, 8, 16}), {.axis = 2, .start = 2, .stop = 14});
  check_slice(random({5, 8, 18}), {.axis = 2, .start = 4, .stop = 12});
}

TEST_CASE("slice: eight axes, integers and booleans") {
  check_slice(random({2, 3, 2, 3, 2, 3, 2, 3}), {.axis = 3, .start = -1, .step = -2});
  check_slice(random_i32({5, 6}, -2'000'000'000, 2'000'000'000), {.axis = 0, .start = 1, .step = 2});
  check_slice(random_boolean({5, 6}), {.axis = 1, .start = -1, .step = -1});
}

TEST_CASE("slice: errors name the axis") {
  const auto with = [](SliceDesc desc) { return [desc](Graph& graph) { slice(graph.input("x", {3, 5}), desc); }; };
  check_error(with({.axis = 2}), {"slice", "axis 2 is out of range", "[3,5]", "slice.cpp"});
  check_error(with({.axis = -3}), {"slice", "axis -3 is out of range"});
  check_error(with({.axis = 0, .step = 0}), {"slice", "step is 0"});
  check_error([](Graph& graph) { slice(graph.input("x", Shape{}), {}); }, {"slice", "axis 0 is out of range", "[]"});
}

TEST_CASE("split: pieces of any extents along every axis, empty ones too, and equal ones") {
  const auto pieces = [](const auto& x, int axis, const std::vector<std::int64_t>& sizes) {
    std::vector<std::decay_t<decltype(x)>> all;
    std::int64_t start = 0;
    for (std::int64_t size : sizes) {
      Shape shape = x.shape;
      shape[axis] = size;
      auto& y = all.emplace_back(shape);
      for (std::int64_t i = 0; i < y.size(); ++i) {
        auto index = unflatten(i, shape);
        index[static_cast<std::size_t>(axis)] += start;
        y[i] = x[broadcast_offset(index, x.shape)];
      }
      start += size;
    }
    return all;
  };
  const CheckOptions exact{.exact = true, .gradient = true};
  const std::vector<std::vector<std::int64_t>> sizes{{1, 4}, {6, 0}, {2, 3, 2}};
  for (const int axis : {0, 1, 2})
    check("slice", {random({5, 6, 7})},
          [&](Graph&, const auto& in) { return split(in[0], sizes[static_cast<std::size_t>(axis)], axis); },
          [&](const auto& in) { return pieces(in[0], axis, sizes[static_cast<std::size_t>(axis)]); }, exact);
  check("slice", {random({5, 6})}, [](Graph&, const auto& in) { return split(in[0], 3, -1); },
        [&](const auto& in) { return pieces(in[0], 1, {2, 2, 2}); }, exact);
  check("slice", {random({4, 3})}, [](Graph&, const auto& in) { return std::vector{concat(split(in[0], {1, 0, 3}, 0), 0)}; },
        [](const auto& in) { return std::vector{in[0]}; }, exact);
}

TEST_CASE("split: after an error there are as many pieces as were asked for") {
  Graph graph;
  const Tensor x = graph.input("x", {2, 3});
  CHECK(split(x, {1, 1}, 1).size() == 2);
  CHECK(graph.error());
  CHECK(split(x, 3, 1).size() == 3);
  CHECK(split(Tensor(), 3, 1).size() == 3);
}

}  // namespace fovea::test
