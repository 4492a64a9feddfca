// ONNX's constants and shapes, and what lays elements out anew.

#include "tests/conformance/compose.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

namespace fovea::conformance {
namespace {

using List = std::vector<std::int64_t>;

Shape shape_of(const List& extents) {
  return Shape(std::span<const std::int64_t>(extents));
}

std::int64_t rank_of(Tensor x) {
  return x.shape().rank();
}
std::int64_t forward_axis(std::int64_t axis, std::int64_t rank) {
  return axis < 0 ? axis + rank : axis;
}

// An attribute in older opsets, an operand in newer ones.
List operand_or_attribute(CaseGraph& graph, std::size_t operand, const char* attribute) {
  return graph.has_onnx(operand) ? graph.onnx_integers(operand) : graph.onnx_attrs().integers(attribute);
}

// ---- What is known when the graph is built -------------------------------------------------------------------------

void constant_node(CaseGraph& graph) {
  const Attrs& attrs = graph.onnx_attrs();
  if (attrs.has("value")) return graph.out_onnx_stored(0, attrs.text("value"));
  if (attrs.has("value_int")) return graph.out_onnx(0, Integers{{}, attrs.integers("value_int")});
  if (attrs.has("value_ints")) {
    const List values = attrs.integers("value_ints");
    return graph.out_onnx(0, Integers{{static_cast<std::int64_t>(values.size())}, values});
  }
  if (!attrs.has("value_float")) return graph.skip("a Constant of strings or of a list of floats");
  graph.out_onnx(0, graph.constant({}, std::vector<float>{static_cast<float>(attrs.number("value_float", 0))}));
}

// Filled with the element of "value", a float 0 where there is none.
void constant_of_shape(CaseGraph& graph) {
  const Shape shape = shape_of(graph.onnx_integers(0));
  const std::string value = graph.onnx_attrs().text("value");
  if (value.empty()) return graph.out_onnx(0, broadcast_to(graph.constant({}, std::vector<float>{0}), shape));
  graph.out_onnx(0, broadcast_to(reshape(graph.stored(value), {}), shape));
}

// Of a part of the axes, counted as Python's slices count.
void shape_node(CaseGraph& graph) {
  const List all = extents(graph.onnx(0));
  const auto rank = static_cast<std::int64_t>(all.size());
  const auto at = [&](const char* key, std::int64_t otherwise) {
    return std::clamp<std::int64_t>(forward_axis(graph.onnx_attrs().integer(key, otherwise), rank), 0, rank);
  };
  const std::int64_t start = at("start", 0), end = std::max(at("end", rank), start);
  graph.out_onnx(0, Integers{{end - start}, {all.begin() + start, all.begin() + end}});
}

void size_node(CaseGraph& graph) {
  graph.out_onnx(0, Integers{{}, {graph.onnx(0).shape().elements()}});
}

// start, start + delta, ... before limit.
void range_node(CaseGraph& graph) {
  const bool floats = graph.onnx(0).dtype() == DType::f32;
  const auto number = [&](std::size_t i) {
    const List whole = floats ? List() : graph.onnx_integers(i);
    const std::vector<float> real = floats ? graph.onnx_floats(i) : std::vector<float>();
    return !whole.empty() ? static_cast<double>(whole[0]) : !real.empty() ? static_cast<double>(real[0]) : 0.0;
  };
  const double start = number(0), limit = number(1), delta = number(2), count = std::ceil((limit - start) / delta);
  if (!(std::abs(count) < 1e6)) return graph.skip("Range of more than a million elements");
  std::vector<float> values;
  for (std::int64_t i = 0; static_cast<double>(i) < count; ++i) values.push_back(static_cast<float>(start + static_cast<double>(i) * delta));
  const Tensor y = graph.constant({static_cast<std::int64_t>(values.size())}, values);
  graph.out_onnx(0, floats ? y : cast(y, DType::i32));
}

// Where axis -1 minus axis -2 is `offset`, and beyond it: a boolean constant over the last two axes.
Tensor diagonal(CaseGraph& graph, const Shape& x, const std::function<bool(std::int64_t)>& holds) {
  const std::int64_t rows = x.at(-2), columns = x.at(-1);
  std::vector<std::int32_t> values;
  for (std::int64_t i = 0; i < rows; ++i)
    for (std::int64_t j = 0; j < columns; ++j) values.push_back(holds(j - i));
  return graph.mask({rows, columns}, values);
}

void eye_like(CaseGraph& graph) {
  const Attrs& attrs = graph.onnx_attrs();
  const std::int64_t k = attrs.integer("k", 0), type = attrs.integer("dtype", 0);
  const Tensor x = graph.onnx(0), on = diagonal(graph, x.shape(), [k](std::int64_t d) { return d == k; });
  graph.out_onnx(0, cast(on, type == 0 ? x.dtype() : type == 6 || type == 7 ? DType::i32 : DType::f32));
}

void trilu_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const bool upper = graph.onnx_attrs().flag("upper", true);
  const List offsets = graph.onnx_integers(1);
  const std::int64_t k = offsets.empty() ? 0 : offsets[0];
  const Tensor kept = diagonal(graph, x.shape(), [=](std::int64_t d) { return upper ? d >= k : d <= k; });
  graph.out_onnx(0, select(kept, x, cast(scalar(x, 0), x.dtype())));
}

// ---- Shapes -------------------------------------------------------------------------------------------------------

void identity_node(CaseGraph& graph) {
  graph.out_onnx(0, reshape(graph.onnx(0), extents(graph.onnx(0))));
}

// An extent of 0 stays as it is, unless allowzero.
void reshape_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  List shape = operand_or_attribute(graph, 1, "shape");
  for (std::size_t i = 0; i < shape.size() && !graph.onnx_attrs().flag("allowzero"); ++i)
    if (shape[i] == 0 && static_cast<std::int64_t>(i) < rank_of(x)) shape[i] = x.dim(static_cast<int>(i));
  graph.out_onnx(0, reshape(x, shape));
}

void flatten_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const List all = extents(x);
  const std::int64_t axis = forward_axis(graph.onnx_attrs().integer("axis", 1), rank_of(x));
  if (axis < 0 || axis > rank_of(x)) return graph.skip("Flatten of an axis out of range");
  const auto product = [](auto first, auto last) { return std::accumulate(first, last, std::int64_t{1}, std::multiplies<>()); };
  graph.out_onnx(0, reshape(x, {product(all.begin(), all.begin() + axis), product(all.begin() + axis, all.end())}));
}

void squeeze_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  List axes = operand_or_attribute(graph, 1, "axes"), shape;
  for (std::int64_t& axis : axes) axis = forward_axis(axis, rank_of(x));
  for (std::int64_t axis = 0; axis < rank_of(x); ++axis) {
    const std::int64_t extent = x.dim(static_cast<int>(axis));
    if (axes.empty() ? extent != 1 : std::ranges::find(axes, axis) == axes.end()) shape.push_back(extent);
  }
  graph.out_onnx(0, reshape(x, shape));
}

void unsqueeze_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  List axes = operand_or_attribute(graph, 1, "axes"), shape = extents(x);
  const std::int64_t rank = rank_of(x) + static_cast<std::int64_t>(axes.size());
  for (std::int64_t& axis : axes) axis = forward_axis(axis, rank);
  std::ranges::sort(axes);
  for (std::int64_t axis : axes) {
    if (axis < 0 || axis > static_cast<std::int64_t>(shape.size())) return graph.skip("Unsqueeze of an axis out of range");
    shape.insert(shape.begin() + axis, 1);
  }
  graph.out_onnx(0, reshape(x, shape));
}

// Both ways: an extent of the shape that is 1 takes x's.
void expand_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  List from = extents(x), to = graph.onnx_integers(1);
  const std::size_t rank = std::max(from.size(), to.size());
  from.insert(from.begin(), rank - from.size(), 1);
  to.insert(to.begin(), rank - to.size(), 1);
  for (std::size_t i = 0; i < rank; ++i)
    if (to[i] == 1) to[i] = from[i];
  graph.out_onnx(0, broadcast_to(x, shape_of(to)));
}

void tile_node(CaseGraph& graph) {
  Tensor x = graph.onnx(0);
  const List repeats = graph.onnx_integers(1);
  for (std::size_t axis = 0; axis < repeats.size(); ++axis) {
    if (repeats[axis] < 1) return graph.skip("Tile of no repeats");
    x = concat(std::vector<Tensor>(static_cast<std::size_t>(repeats[axis]), x), static_cast<std::int64_t>(axis));
  }
  graph.out_onnx(0, x);
}

// Parts as given, or equal ones, of which the last may be smaller.
void split_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const std::int64_t axis = forward_axis(graph.onnx_attrs().integer("axis", 0), rank_of(x)), extent = x.dim(static_cast<int>(axis));
  List parts = operand_or_attribute(graph, 1, "split");
  const auto count = static_cast<std::int64_t>(graph.onnx_results());
  for (std::int64_t i = 0; parts.size() < graph.onnx_results(); ++i) {
    const std::int64_t size = (extent + count - 1) / count;
    parts.push_back(std::min(size, extent - i * size));
  }
  std::int64_t start = 0;
  for (std::size_t i = 0; i < graph.onnx_results(); start += parts[i++]) graph.out_onnx(i, part(x, axis, start, parts[i]));
}

// What the condition, known now, lets through.
void compress_node(CaseGraph& graph) {
  const bool flat = !graph.onnx_attrs().has("axis");
  const Tensor x = flat ? reshape(graph.onnx(0), {-1}) : graph.onnx(0);
  std::vector<std::int32_t> kept;
  const List condition = graph.onnx_integers(1);
  for (std::size_t i = 0; i < condition.size(); ++i)
    if (condition[i] != 0) kept.push_back(static_cast<std::int32_t>(i));
  const Tensor index = graph.constant({static_cast<std::int64_t>(kept.size())}, kept);
  graph.out_onnx(0, index_select(x, index, graph.onnx_attrs().integer("axis", 0)));
}

constexpr Adapter adapters[] = {
    {"onnx.Compress", compress_node, 2},
    {"onnx.Constant", constant_node, 0},
    {"onnx.ConstantOfShape", constant_of_shape},
    {"onnx.Expand", expand_node, 2},
    {"onnx.EyeLike", eye_like},
    {"onnx.Flatten", flatten_node},
    {"onnx.Identity", identity_node},
    {"onnx.Range", range_node, 3},
    {"onnx.Reshape", reshape_node},
    {"onnx.Shape", shape_node},
    {"onnx.Size", size_node},
    {"onnx.Split", split_node},
    {"onnx.Squeeze", squeeze_node},
    {"onnx.Tile", tile_node, 2},
    {"onnx.Trilu", trilu_node},
    {"onnx.Unsqueeze", unsqueeze_node},
};

}  // namespace

std::span<const Adapter> onnx_layout_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
