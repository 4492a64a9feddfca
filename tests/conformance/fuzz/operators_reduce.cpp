// Reductions, softmax, running sums and norms of random graphs.

#include "tests/conformance/fuzz/maker.hpp"
#include <fovea/normalization.hpp>
#include <fovea/ops.hpp>

#include <algorithm>

namespace fovea::conformance {
namespace {

template <class T>
T reduce_row(std::string_view op, const std::vector<T>& row, double correction) {
  T sum, squares, magnitudes, product(1), most = row[0], least = row[0];
  for (const T& x : row) {
    sum += x, squares += x * x, magnitudes += magnitude(x), product *= x;
    most = larger(most, x), least = smaller(least, x);
  }
  const double n = static_cast<double>(row.size());
  if (op == "sum") return sum;
  if (op == "mean") return sum / n;
  if (op == "max") return most;
  if (op == "min") return least;
  if (op == "prod") return product;
  if (op == "l1") return magnitudes;
  if (op == "sum_square") return squares;
  if (op == "l2") return root(squares);
  if (op == "variance") {
    T spread;
    for (const T& x : row) spread += (x - sum / n) * (x - sum / n);
    return spread / (n - correction);
  }
  T weights;  // logsumexp
  for (const T& x : row) weights += exponential(x - detached(most));
  return detached(most) + logarithm(weights);
}

// Rows over several axes at once: offsets of x's elements for each element of the result, in row-major order.
std::vector<std::vector<std::int64_t>> rows_over(const Shape& x, const std::vector<std::int64_t>& axes, Shape& kept) {
  kept = x;
  for (const std::int64_t axis : axes) kept[axis_from(axis, x)] = 1;
  std::vector<std::vector<std::int64_t>> rows(static_cast<std::size_t>(kept.elements()));
  for (std::int64_t i = 0; i < x.elements(); ++i)
    rows[static_cast<std::size_t>(test::broadcast_offset(test::unflatten(i, x), kept))].push_back(i);
  return rows;
}

std::vector<std::int64_t> all_axes(const Shape& shape) {
  std::vector<std::int64_t> axes;
  for (int axis = 0; axis < shape.rank(); ++axis) axes.push_back(axis);
  return axes;
}

template <class Array>
Array reduced(const Node& node, const Array& x) {
  std::vector<std::int64_t> axes = node.attributes.integers("axes");
  if (axes.empty()) axes = all_axes(x.shape);
  Shape kept;
  const auto rows = rows_over(x.shape, axes, kept);
  Array y(kept);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::vector<std::decay_t<decltype(y.values[0])>> row;
    for (const std::int64_t at : rows[i]) row.push_back(x[at]);
    if (!row.empty()) y.values[i] = reduce_row(node.attributes.word("op", "logsumexp"), row, node.attributes.number("correction", 1));
    else y.values[i] = std::decay_t<decltype(y.values[0])>(node.attributes.word("op", "") == "prod" ? 1 : 0);
  }
  if (node.attributes.flag("keep_dims")) return y;
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < kept.rank(); ++axis)
    if (std::none_of(axes.begin(), axes.end(), [&](std::int64_t a) { return axis_from(a, x.shape) == axis; })) extents.push_back(kept[axis]);
  y.shape = shape_from(extents);
  return y;
}

bool propose_reduce(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape& x = maker.shape_of(node.in[0]);
  const std::string op = maker.word(node, "op");
  node.attributes.set("op", op);
  std::vector<std::int64_t> axes;
  for (int axis = 0; axis < x.rank(); ++axis)
    if (maker.one_in(2)) axes.push_back(maker.one_in(4) ? axis - x.rank() : axis);
  if (axes.empty() && !maker.one_in(4)) return false;
  node.attributes.set("axes", axes);
  maker.maybe_flag(node, "keep_dims");
  std::int64_t count = 1;
  for (const std::int64_t axis : axes) count *= x.at(static_cast<int>(axis));
  if (axes.empty()) count = x.elements();
  if (op == "variance") {
    const double correction = maker.one_in(2) ? 0 : 1;
    node.attributes.set("correction", correction);
    return static_cast<double>(count) > correction;
  }
  const bool of_nothing = op == "sum" || op == "l1" || op == "sum_square" || op == "prod";
  return (count > 0 || of_nothing) && (op != "l2" || count > 0) && (op != "prod" || count < 9);
}

template <class Array>
Array softmax_of(const Node& node, const Arrays<std::decay_t<decltype(std::declval<Array>().values[0])>>& in) {
  const Array& x = in[0];
  using T = std::decay_t<decltype(x.values[0])>;
  Array y(x.shape);
  each_row(x.shape, axis_from(node.attributes.integer("axis", -1), x.shape), [&](const std::vector<std::int64_t>& row) {
    std::vector<T> from, to;
    for (const std::int64_t at : row) from.push_back(x[at]);
    softmax_row(from, to, [&](std::size_t i) {
      return in.size() < 2 || in[1][test::broadcast_offset(test::unflatten(row[i], x.shape), in[1].shape)].value == 0;
    });
    for (std::size_t i = 0; i < row.size(); ++i) y[row[i]] = to[i];
  });
  return y;
}

bool propose_softmax(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  if (maker.shape_of(node.in[0]).rank() == 0) return false;
  const int axis = maker.axis_of(node.in[0]);
  node.attributes.set("axis", maker.one_in(2) ? axis : axis - maker.shape_of(node.in[0]).rank());
  if (maker.one_in(3)) node.in.push_back(maker.booleans(maker.broadcasting(maker.shape_of(node.in[0]))));
  return true;
}

bool propose_along(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  if (maker.shape_of(node.in[0]).rank() == 0) return false;
  node.attributes.set("axis", maker.axis_of(node.in[0]));
  return true;
}

// The simplex: the threshold by which the sorted row's head is lowered so that it sums to 1.
template <class T>
void sparsemax_row(const std::vector<T>& x, std::vector<T>& y) {
  std::vector<T> sorted = x;
  std::stable_sort(sorted.begin(), sorted.end(), [](T a, T b) { return a > b; });
  T sum, threshold;
  for (std::size_t k = 0; k < sorted.size(); ++k) {
    sum += sorted[k];
    const T candidate = (sum - 1) / static_cast<double>(k + 1);
    if (!(sorted[k] > candidate)) break;
    threshold = candidate;
  }
  for (const T& value : x) y.push_back(value > threshold ? value - threshold : T(0));
}

// (x - mean)/sqrt(variance + eps), or x/sqrt(mean x² + eps), of each row; then weight and bias.
template <class Array>
Array normalized(const Node& node, const Arrays<std::decay_t<decltype(std::declval<Array>().values[0])>>& in,
                 const std::vector<std::int64_t>& axes, bool centred) {
  const Array& x = in[0];
  using T = std::decay_t<decltype(x.values[0])>;
  Shape kept;
  Array y(x.shape);
  for (const std::vector<std::int64_t>& row : rows_over(x.shape, axes, kept)) {
    const double n = static_cast<double>(row.size());
    T mean, spread;
    if (centred) {
      for (const std::int64_t at : row) mean += x[at];
      mean = mean / n;
    }
    for (const std::int64_t at : row) spread += (x[at] - mean) * (x[at] - mean);
    const T deviation = root(spread / n + static_cast<double>(static_cast<float>(node.attributes.number("eps", 1e-5))));
    for (const std::int64_t at : row) y[at] = (x[at] - mean) / deviation;
  }
  for (std::int64_t i = 0; i < y.size() && in.size() == 3; ++i) {
    const auto index = test::unflatten(i, y.shape);
    y[i] = y[i] * in[1][test::broadcast_offset(index, in[1].shape)] + in[2][test::broadcast_offset(index, in[2].shape)];
  }
  return y;
}

std::vector<std::int64_t> innermost(std::int64_t axes, const Shape& shape) {
  std::vector<std::int64_t> list;
  for (std::int64_t a = shape.rank() - axes; a < shape.rank(); ++a) list.push_back(a);
  return list;
}

bool propose_norm(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape x = maker.shape_of(node.in[0]);
  if (x.rank() == 0 || x.at(-1) < 2) return false;  // one value's deviation is eps alone
  const std::int64_t axes = maker.number(1, std::min(x.rank(), 2));
  node.attributes.set("axes", static_cast<double>(axes));
  node.attributes.set("eps", 0.125);
  if (maker.one_in(2)) return true;
  const Shape weight = shape_from(std::vector<std::int64_t>(x.extents().end() - axes, x.extents().end()));
  node.in.push_back(maker.floats(weight));
  node.in.push_back(maker.floats(weight));
  return true;
}

LayerNormDesc norm_of(const Node& node, std::span<const Tensor> in) {
  return {.axes = node.attributes.integer("axes", 1),
          .weight = in.size() == 3 ? in[1] : Tensor(),
          .bias = in.size() == 3 ? in[2] : Tensor(),
          .eps = static_cast<float>(node.attributes.number("eps", 1e-5))};
}

GroupNormDesc group_norm_of(const Node& node, std::span<const Tensor> in) {
  return {.groups = node.attributes.integer("groups", 1),
          .weight = in.size() == 3 ? in[1] : Tensor(),
          .bias = in.size() == 3 ? in[2] : Tensor(),
          .eps = static_cast<float>(node.attributes.number("eps", 1e-5))};
}

bool propose_group_norm(Maker& maker, Node& node) {
  const auto x = maker.pick_rank(2, 5);
  if (!x) return false;
  node.in = {*x};
  const Shape shape = maker.shape_of(*x);
  const std::int64_t C = shape[1];
  std::int64_t inside = 1;
  for (int axis = 2; axis < shape.rank(); ++axis) inside *= shape[axis];
  std::int64_t groups = C;
  if (node.op->name == "group_norm") {
    groups = maker.number(1, 4);
    if (C % groups != 0) return false;
    node.attributes.set("groups", static_cast<double>(groups));
  }
  if (C == 0 || C / groups * inside < 2) return false;  // one value's deviation is eps alone
  node.attributes.set("eps", 0.125);
  if (maker.one_in(2)) return true;
  node.in.push_back(maker.floats({C}));
  node.in.push_back(maker.floats({C}));
  return true;
}

// As [N, groups, what is in a group], of which the rows are normalized; weight and bias stand for the second axis of x.
template <class Array>
Array group_normalized(const Node& node, const Arrays<std::decay_t<decltype(std::declval<Array>().values[0])>>& in) {
  const Shape shape = in[0].shape;
  const std::int64_t N = shape[0], groups = node.op->name == "group_norm" ? node.attributes.integer("groups", 1) : shape[1];
  const Shape rows{N, groups, N * groups > 0 ? shape.elements() / (N * groups) : 0};
  Array y = normalized<Array>(node, {Array(rows, in[0].values)}, {2}, true);
  y.shape = shape;
  for (std::int64_t i = 0; i < y.size() && in.size() == 3; ++i) {
    const std::int64_t c = test::unflatten(i, shape)[1];
    y[i] = y[i] * in[1][c] + in[2][c];
  }
  return y;
}

constexpr std::string_view reductions = "op:Reduce:sum|mean|max|min|prod|l1|l2|sum_square|variance|logsumexp axes[] keep_dims:true correction";

constexpr Operator operators[] = {
    {"reduce", 1, 1, reductions, propose_reduce,
     [](const Node& node, std::span<const Tensor> in) {
       return reduce(named(node.attributes.word("op", "logsumexp"), Reduce::argmin), in[0],
                     {.axes = node.attributes.integers("axes"),
                      .keep_dims = node.attributes.flag("keep_dims"),
                      .correction = node.attributes.number("correction", 1)});
     },
     [](const Node& node, const auto& in) { return reduced(node, in[0]); }, "reduce($op, $0, {$*})"},
    {"softmax", 1, 2, "axis", propose_softmax,
     [](const Node& node, std::span<const Tensor> in) {
       return softmax(in[0], {.axis = node.attributes.integer("axis", -1), .mask = in.size() > 1 ? in[1] : Tensor()});
     },
     [](const Node& node, const auto& in) { return softmax_of<ArrayOf<decltype(in)>>(node, in); },
     "softmax($0, {$*[.mask = $1]})"},
    {"log_softmax", 1, 1, "axis", propose_along,
     [](const Node& node, std::span<const Tensor> in) { return log_softmax(in[0], {.axis = node.attributes.integer("axis", -1)}); },
     [](const Node& node, const auto& in) {
       auto y = in[0];
       each_row(y.shape, axis_from(node.attributes.integer("axis", -1), y.shape), [&](const std::vector<std::int64_t>& row) {
         auto most = detached(in[0][row[0]]);
         for (const std::int64_t at : row) most = larger(most, detached(in[0][at]));
         ElementOf<decltype(in)> sum;
         for (const std::int64_t at : row) sum += exponential(in[0][at] - most);
         for (const std::int64_t at : row) y[at] = in[0][at] - most - logarithm(sum);
       });
       return y;
     },
     "log_softmax($0, {$*})"},
    {"sparsemax", 1, 1, "axis", propose_along,
     [](const Node& node, std::span<const Tensor> in) { return sparsemax(in[0], {.axis = node.attributes.integer("axis", -1)}); },
     [](const Node& node, const auto& in) {
       auto y = in[0];
       each_row(y.shape, axis_from(node.attributes.integer("axis", -1), y.shape), [&](const std::vector<std::int64_t>& row) {
         std::vector<ElementOf<decltype(in)>> from, to;
         for (const std::int64_t at : row) from.push_back(in[0][at]);
         sparsemax_row(from, to);
         for (std::size_t i = 0; i < row.size(); ++i) y[row[i]] = to[i];
       });
       return y;
     },
     "sparsemax($0, {$*})"},
    {"cumulative_sum", 1, 1, "axis exclusive:true reverse:true",
     [](Maker& maker, Node& node) {
       maker.maybe_flag(node, "exclusive");
       maker.maybe_flag(node, "reverse");
       return propose_along(maker, node);
     },
     [](const Node& node, std::span<const Tensor> in) {
       return cumulative_sum(in[0], {.axis = node.attributes.integer("axis", -1),
                                     .exclusive = node.attributes.flag("exclusive"),
                                     .reverse = node.attributes.flag("reverse")});
     },
     [](const Node& node, const auto& in) {
       auto y = in[0];
       each_row(y.shape, axis_from(node.attributes.integer("axis", -1), y.shape), [&](std::vector<std::int64_t> row) {
         if (node.attributes.flag("reverse")) std::reverse(row.begin(), row.end());
         ElementOf<decltype(in)> sum;
         for (const std::int64_t at : row) {
           const auto before = sum;
           sum += in[0][at];
           y[at] = node.attributes.flag("exclusive") ? before : sum;
         }
       });
       return y;
     },
     "cumulative_sum($0, {$*})"},
    {"layer_norm", 1, 3, "axes eps", propose_norm,
     [](const Node& node, std::span<const Tensor> in) { return layer_norm(in[0], norm_of(node, in)); },
     [](const Node& node, const auto& in) {
       return normalized<ArrayOf<decltype(in)>>(node, in, innermost(node.attributes.integer("axes", 1), in[0].shape), true);
     },
     "layer_norm($0, {$.axes[.weight = $1, .bias = $2, ]$.eps})"},
    {"rms_norm", 1, 3, "axes eps", propose_norm,
     [](const Node& node, std::span<const Tensor> in) { return rms_norm(in[0], norm_of(node, in)); },
     [](const Node& node, const auto& in) {
       return normalized<ArrayOf<decltype(in)>>(node, in, innermost(node.attributes.integer("axes", 1), in[0].shape), false);
     },
     "rms_norm($0, {$.axes[.weight = $1, .bias = $2, ]$.eps})"},
    {"group_norm", 1, 3, "groups eps", propose_group_norm,
     [](const Node& node, std::span<const Tensor> in) { return group_norm(in[0], group_norm_of(node, in)); },
     [](const Node& node, const auto& in) { return group_normalized<ArrayOf<decltype(in)>>(node, in); },
     "group_norm($0, {$.groups[.weight = $1, .bias = $2, ]$.eps})"},
    {"instance_norm", 1, 3, "eps", propose_group_norm,
     [](const Node& node, std::span<const Tensor> in) { return instance_norm(in[0], group_norm_of(node, in)); },
     [](const Node& node, const auto& in) { return group_normalized<ArrayOf<decltype(in)>>(node, in); },
     "instance_norm($0, {[.weight = $1, .bias = $2, ]$.eps})"}};

}  // namespace

std::span<const Operator> reducing_operators() { return operators; }

}  // namespace fovea::conformance
