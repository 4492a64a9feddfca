// Elements by number and by order, in random graphs.

#include "tests/conformance/fuzz/maker.hpp"
#include <fovea/ops.hpp>

#include <algorithm>
#include <numeric>

namespace fovea::conformance {
namespace {

int axis_of(const Node& node, const Shape& shape) { return axis_from(node.attributes.integer("axis", 0), shape); }

// The place that an index names; -1 where it is out of range.
template <class T>
std::int64_t place(T index, std::int64_t extent) {
  auto at = static_cast<std::int64_t>(index.value);
  if (at < 0) at += extent;
  return at >= 0 && at < extent ? at : -1;
}

// An index like x, none longer but along the axis.
Shape narrower(Maker& maker, const Shape& x, int axis) {
  Shape shape = x;
  for (int a = 0; a < x.rank(); ++a) shape[a] = a == axis ? maker.extent() : x[a] == 0 ? 0 : maker.number(1, x[a]);
  return shape;
}

bool propose_gather(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape x = maker.shape_of(node.in[0]);
  if (x.rank() == 0) return false;
  const int axis = maker.axis_of(node.in[0]);
  node.in.push_back(maker.indices(narrower(maker, x, axis), x[axis]));
  node.attributes.set("axis", axis);
  return true;
}

bool propose_scatter(Maker& maker, Node& node) {
  if (!propose_gather(maker, node)) return false;
  node.in.push_back(maker.floats(maker.shape_of(node.in[1])));
  return true;
}

// x with updates at the places that the index names, by `put(element, update)`, in the order of the index.
template <class In, class Put>
auto scattered(const Node& node, const In& in, const Put& put) {
  auto y = in[0];
  const int axis = axis_of(node, y.shape);
  for (std::int64_t i = 0; i < in[1].size(); ++i) {
    auto index = test::unflatten(i, in[1].shape);
    const std::int64_t at = place(in[1][i], y.shape[axis]);
    if (at < 0) continue;
    index[static_cast<std::size_t>(axis)] = at;
    std::int64_t flat = 0;
    for (int a = 0; a < y.shape.rank(); ++a) flat = flat * y.shape[a] + index[static_cast<std::size_t>(a)];
    put(y[flat], in[2][i]);
  }
  return y;
}

bool propose_select(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape x = maker.shape_of(node.in[0]);
  if (x.rank() == 0) return false;
  const int axis = maker.axis_of(node.in[0]);
  std::vector<std::int64_t> extents(maker.below(3));
  for (std::int64_t& extent : extents) extent = maker.extent();
  node.in.push_back(maker.indices(shape_from(extents), x[axis]));
  node.attributes.set("axis", axis);
  return true;
}

template <class In>
auto selected(const Node& node, const In& in) {
  const Shape &x = in[0].shape, &index_shape = in[1].shape;
  const auto axis = static_cast<std::size_t>(axis_of(node, x)), rank = static_cast<std::size_t>(index_shape.rank());
  std::vector<std::int64_t> extents = extents_of(x);
  extents.erase(extents.begin() + static_cast<std::ptrdiff_t>(axis));
  extents.insert(extents.begin() + static_cast<std::ptrdiff_t>(axis), index_shape.extents().begin(), index_shape.extents().end());
  const Shape shape = shape_from(extents);
  return moved(in[0], shape, [&](std::vector<std::int64_t>& index) {
    const auto begin = index.begin() + static_cast<std::ptrdiff_t>(axis), end = begin + static_cast<std::ptrdiff_t>(rank);
    const std::int64_t at = place(in[1][test::broadcast_offset({begin, end}, index_shape)], x[static_cast<int>(axis)]);
    index.insert(index.erase(begin, end), at);
    return at >= 0;
  });
}

bool propose_segments(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape x = maker.shape_of(node.in[0]);
  if (x.rank() == 0) return false;
  const int axis = maker.axis_of(node.in[0]);
  const std::int64_t segments = maker.extent();
  node.in.push_back(maker.indices({x[axis]}, segments));
  node.attributes.set("segments", static_cast<double>(segments));
  node.attributes.set("axis", axis);
  return true;
}

// Segments are not counted from the end.
template <class In>
auto summed(const Node& node, const In& in) {
  const Shape& x = in[0].shape;
  const int axis = axis_of(node, x);
  Shape shape = x;
  shape[axis] = node.attributes.integer("segments", 1);
  ArrayOf<In> y(shape);
  for (std::int64_t i = 0; i < in[0].size(); ++i) {
    auto index = test::unflatten(i, x);
    std::int64_t& at = index[static_cast<std::size_t>(axis)];
    at = static_cast<std::int64_t>(in[1][at].value);
    if (at < 0 || at >= shape[axis]) continue;
    std::int64_t flat = 0;
    for (int a = 0; a < shape.rank(); ++a) flat = flat * shape[a] + index[static_cast<std::size_t>(a)];
    y[flat] += in[0][i];
  }
  return y;
}

bool propose_sort(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  if (maker.shape_of(node.in[0]).rank() == 0) return false;
  node.attributes.set("axis", maker.axis_of(node.in[0]));
  maker.maybe_flag(node, "descending");
  return true;
}

bool propose_top_k(Maker& maker, Node& node) {
  node.in = {maker.pick()};
  const Shape& x = maker.shape_of(node.in[0]);
  if (x.rank() == 0) return false;
  const int axis = maker.axis_of(node.in[0]);
  node.attributes.set("k", static_cast<double>(maker.number(0, x[axis])));
  node.attributes.set("axis", axis);
  if (maker.one_in(2)) node.attributes.set("largest", "false");
  return true;
}

// The first k of each row in order; of equals the lower index first, whichever way.
template <class Array>
Array ordered(const Array& x, int axis, bool descending, std::int64_t k) {
  Shape shape = x.shape;
  shape[axis] = std::min(k, x.shape[axis]);
  Array y(shape);
  std::vector<std::vector<std::int64_t>> to;
  each_row(shape, axis, [&](const std::vector<std::int64_t>& row) { to.push_back(row); });
  std::size_t n = 0;
  each_row(x.shape, axis, [&](std::vector<std::int64_t> row) {
    if (to.empty()) return;
    std::stable_sort(row.begin(), row.end(), [&](std::int64_t a, std::int64_t b) { return descending ? x[a] > x[b] : x[a] < x[b]; });
    for (std::size_t i = 0; i < to[n].size(); ++i) y[to[n][i]] = x[row[i]];
    ++n;
  });
  return y;
}

constexpr Operator operators[] = {
    {"gather", 2, 2, "axis", propose_gather,
     [](const Node& node, std::span<const Tensor> in) { return gather(in[0], in[1], node.attributes.integer("axis", 0)); },
     [](const Node& node, const auto& in) {
       const auto axis = static_cast<std::size_t>(axis_of(node, in[0].shape));
       return moved(in[0], in[1].shape, [&](std::vector<std::int64_t>& index) {
         index[axis] = place(in[1][test::broadcast_offset(index, in[1].shape)], in[0].shape[static_cast<int>(axis)]);
         return index[axis] >= 0;
       });
     },
     "gather($0, $1, $axis)"},
    {"index_select", 2, 2, "axis", propose_select,
     [](const Node& node, std::span<const Tensor> in) { return index_select(in[0], in[1], node.attributes.integer("axis", 0)); },
     [](const Node& node, const auto& in) { return selected(node, in); }, "index_select($0, $1, $axis)"},
    {"scatter_add", 3, 3, "axis", propose_scatter,
     [](const Node& node, std::span<const Tensor> in) { return scatter_add(in[0], in[1], in[2], node.attributes.integer("axis", 0)); },
     [](const Node& node, const auto& in) { return scattered(node, in, [](auto& y, const auto& update) { y += update; }); },
     "scatter_add($0, $1, $2, $axis)"},
    {"scatter", 3, 3, "axis", propose_scatter,
     [](const Node& node, std::span<const Tensor> in) { return scatter(in[0], in[1], in[2], node.attributes.integer("axis", 0)); },
     [](const Node& node, const auto& in) { return scattered(node, in, [](auto& y, const auto& update) { y = update; }); },
     "scatter($0, $1, $2, $axis)"},
    {"segment_sum", 2, 2, "segments axis", propose_segments,
     [](const Node& node, std::span<const Tensor> in) {
       return segment_sum(in[0], in[1], node.attributes.integer("segments", 1), node.attributes.integer("axis", 0));
     },
     [](const Node& node, const auto& in) { return summed(node, in); }, "segment_sum($0, $1, $segments, $axis)"},
    {"sort", 1, 1, "axis descending:true", propose_sort,
     [](const Node& node, std::span<const Tensor> in) {
       return sort(in[0], {.axis = node.attributes.integer("axis", -1), .descending = node.attributes.flag("descending")}).values;
     },
     [](const Node& node, const auto& in) {
       const int axis = axis_from(node.attributes.integer("axis", -1), in[0].shape);
       return ordered(in[0], axis, node.attributes.flag("descending"), in[0].shape[axis]);
     },
     "sort($0, {$*}).values"},
    {"top_k", 1, 1, "k axis largest:false", propose_top_k,
     [](const Node& node, std::span<const Tensor> in) {
       return top_k(in[0], {.k = node.attributes.integer("k", 1),
                            .axis = node.attributes.integer("axis", -1),
                            .largest = node.attributes.word("largest", "true") == "true"})
           .values;
     },
     [](const Node& node, const auto& in) {
       const int axis = axis_from(node.attributes.integer("axis", -1), in[0].shape);
       return ordered(in[0], axis, node.attributes.word("largest", "true") == "true", node.attributes.integer("k", 1));
     },
     "top_k($0, {$*}).values"}};

}  // namespace

std::span<const Operator> index_operators() { return operators; }

}  // namespace fovea::conformance
