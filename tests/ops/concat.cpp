#include "tests/support/check.hpp"

namespace fovea::test {
namespace {

void check_concat(const std::vector<Operand>& parts, std::int64_t axis) {
  check(
      "concat", parts, [&](Graph&, const auto& in) { return std::vector{concat(in, axis)}; },
      [&](const auto& in) {
        Shape shape = in[0].shape;
        const auto a = static_cast<std::size_t>(axis < 0 ? axis + shape.rank() : axis);
        shape[static_cast<int>(a)] = 0;
        for (const auto& part : in) shape[static_cast<int>(a)] += part.shape[static_cast<int>(a)];
        std::decay_t<decltype(in[0])> y(shape);
        for (std::int64_t i = 0; i < y.size(); ++i) {
          auto index = unflatten(i, shape);
          std::size_t part = 0;
          for (; index[a] >= in[part].shape[static_cast<int>(a)]; ++part)
            index[a] -= in[part].shape[static_cast<int>(a)];
          y[i] = in[part][broadcast_offset(index, in[part].shape)];
        }
        return std::vector{y};
      },
      {.exact = true, .gradient = parts[0].dtype == DType::f32 && parts.size() == 3});
}

}  // namespace

TEST_CASE("concat: every axis of parts of different extents") {
  check_concat({random({2, 3, 5}, -1, 1, 1), random({4, 3, 5}, -1, 1, 2), random({1, 3, 5}, -1, 1, 3)}, 0);
  check_concat({random({2, 3, 5}, -1, 1, 1), random({2, 1, 5}, -1, 1, 2), random({2, 4, 5}, -1, 1, 3)}, 1);
  check_concat({random({2, 3, 5}, -1, 1, 1), random({2, 3, 2}, -1, 1, 2)}, 2);
  check_concat({random({2, 3, 4}, -1, 1, 1), random({2, 3, 8}, -1, 1, 2)}, -1);  // moves as 16 bytes
  check_concat({random({130}, -1, 1, 1), random({127}, -1, 1, 2)}, 0);
}

TEST_CASE("concat: one part, empty parts, all empty, and more parts than a kernel has buffers") {
  check_concat({random({3, 5})}, 1);
  check_concat({random({3, 0}, -1, 1, 1), random({3, 5}, -1, 1, 2), random({3, 0}, -1, 1, 3)}, 1);
  check_concat({random({3, 0}), random({3, 0})}, 1);
  std::vector<Operand> parts;
  for (std::int64_t i = 0; i < 20; ++i)
    parts.push_back(random({2, 1 + i % 4, 3}, -1, 1, static_cast<std::uint32_t>(i)));
  check_concat(parts, 1);
}

TEST_CASE("concat: odd halves of neighbouring parts share words and stay apart") {
  std::vector<Operand> parts;
  for (std::uint32_t i = 0; i < 9; ++i) parts.push_back(random({301, 1}, -1, 1, i));
  check_concat(parts, 1);
}

TEST_CASE("concat: eight axes, integers and booleans") {
  check_concat({random({2, 1, 2, 3, 2, 1, 2, 2}, -1, 1, 1), random({2, 1, 2, 2, 2, 1, 2, 2}, -1, 1, 2)}, 3);
  check_concat({random_i32({3, 5}, -2'000'000'000, 2'000'000'000, 1), random_i32({2, 5}, -9, 9, 2)}, 0);
  check_concat({random_boolean({3, 5}), random_boolean({3, 2})}, 1);
}

TEST_CASE("concat: the same tensor twice") {
  check(
      "concat", {random({3, 5})},
      [](Graph&, const auto& in) {
        return std::vector{concat({in[0], in[0]}, 1)};
      },
      [](const auto& in) {
        std::decay_t<decltype(in[0])> y(Shape{3, 10});
        for (std::int64_t r = 0; r < 3; ++r)
          for (std::int64_t c = 0; c < 10; ++c) y.at({r, c}) = in[0].at({r, c % 5});
        return std::vector{y};
      },
      {.exact = true});
}

TEST_CASE("concat: errors name the part and the axis") {
  const auto with = [](Shape second, std::int64_t axis, DType dtype = DType::f32) {
    return [=](Graph& graph) { concat({graph.input("a", {2, 3, 4}), graph.input("b", second, dtype)}, axis); };
  };
  check_error(with({2, 3, 4}, 3), {"concat", "axis 3 is out of range", "[2,3,4]", "concat.cpp"});
  check_error(with({2, 5, 4}, 0), {"concat", "part 1 has extent 5 at axis 1", "part 0 has 3"});
  check_error(with({2, 3}, 0), {"concat", "part 1 [2,3] has 2 axes", "part 0 has 3"});
  check_error(with({2, 3, 4}, 0, DType::i32), {"concat", "part 1 is i32", "part 0 is f32"});
  check_error([](Graph& graph) { concat({graph.input("a", {2}), Tensor{}}, 0); }, {"concat", "operand 1 is absent"});
}

}  // namespace fovea::test
