// Activations with an attribute or an axis.

#include "tests/support/check.hpp"

#include <algorithm>
#include <cmath>

namespace fovea::test {

TEST_CASE("clamp and elu, with gradients on both sides of their kinks") {
  const Operand x = random({3, 37}, -3, 3);
  const auto each = [&](const auto& build, const auto& f, double ulps) {
    check("elementwise", {x}, [&](Graph&, const std::vector<Tensor>& in) { return std::vector{build(in[0])}; },
          [&](const auto& in) {
            auto y = in[0];
            for (auto& value : y.values) value = f(value);
            return std::vector{y};
          },
          {.extra_ulps = ulps, .gradient = true});
  };
  each([](Tensor t) { return clamp(t, -1, 0.5f); }, [](auto v) { return std::clamp(v, decltype(v)(-1), decltype(v)(0.5)); }, 4);
  for (const float alpha : {0.3f, 1.0f, -2.0f})
    each([=](Tensor t) { return elu(t, alpha); }, [=](auto v) { return v > 0 ? v : static_cast<decltype(v)>(alpha) * std::expm1(v); }, 16);
}

TEST_CASE("an infinite argument of elu keeps its gradient finite") {
  const double inf = std::numeric_limits<double>::infinity();
  check("elementwise", {values({3}, {inf, -inf, 0})}, [](Graph&, const std::vector<Tensor>& in) { return std::vector{elu(in[0], 2)}; },
        [](const auto& in) {
          auto y = in[0];
          y[1] = -2;
          return std::vector{y};
        });
}

TEST_CASE("glu gates one half of an axis with the other") {
  for (const std::int64_t axis : {0, 1, -1})
    check("elementwise", {random({4, 6, 2}, -3, 3)},
          [&](Graph&, const std::vector<Tensor>& in) { return std::vector{glu(in[0], axis)}; },
          [&](const auto& in) {
            const int at = static_cast<int>(axis < 0 ? axis + 3 : axis);
            Shape half = in[0].shape;
            half[at] /= 2;
            std::decay_t<decltype(in[0])> y(half);
            for (std::int64_t i = 0; i < y.size(); ++i) {
              auto place = unflatten(i, half);
              const auto a = in[0][broadcast_offset(place, in[0].shape)];
              place[static_cast<std::size_t>(at)] += half[at];
              y[i] = a / (1 + std::exp(-in[0][broadcast_offset(place, in[0].shape)]));
            }
            return std::vector{y};
          },
          {.extra_ulps = 16, .gradient = true});
}

TEST_CASE("maxout takes the largest of neighbours") {
  for (const std::int64_t pieces : {1, 2, 3, 6})
    check("reduce", {random({2, 6, 3}, -3, 3)},
          [&](Graph&, const std::vector<Tensor>& in) { return std::vector{maxout(in[0], pieces, 1)}; },
          [&](const auto& in) {
            std::decay_t<decltype(in[0])> y(Shape{2, 6 / pieces, 3});
            for (std::int64_t i = 0; i < y.size(); ++i) {
              const auto place = unflatten(i, y.shape);
              auto most = in[0].at({place[0], place[1] * pieces, place[2]});
              for (std::int64_t k = 1; k < pieces; ++k) most = std::max(most, in[0].at({place[0], place[1] * pieces + k, place[2]}));
              y[i] = most;
            }
            return std::vector{y};
          },
          {.gradient = true});
}

}  // namespace fovea::test
