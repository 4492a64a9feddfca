// ONNX's scatters, orders and classes by number.

#include "tests/conformance/compose.hpp"

namespace fovea::conformance {
namespace {

Tensor integer(CaseGraph& graph, std::int64_t value) {
  return graph.constant({}, std::vector{static_cast<std::int32_t>(value)});
}

// Negative indices count from the end.
Tensor from_start(CaseGraph& graph, Tensor index, std::int64_t extent) {
  return select(binary(Binary::less, index, integer(graph, 0)), index + integer(graph, extent), index);
}

// 0, 1, ... along one axis of `shape`, whose other extents are as they are.
Tensor counted(CaseGraph& graph, const std::vector<std::int64_t>& shape, std::size_t axis) {
  std::vector<std::int32_t> values;
  for (std::int64_t i = 0; i < shape[axis]; ++i) values.push_back(static_cast<std::int32_t>(i));
  std::vector<std::int64_t> line(shape.size(), 1);
  line[axis] = shape[axis];
  return broadcast_to(graph.constant(Shape(std::span<const std::int64_t>(line)), values), Shape(std::span<const std::int64_t>(shape)));
}

// Batch axes become leading columns of the index.
void gather_nd_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0), index = graph.onnx(1);
  const std::int64_t batch = graph.onnx_attrs().integer("batch_dims", 0);
  std::vector<std::int64_t> shape = extents(index);
  shape.back() = 1;
  std::vector<Tensor> columns;
  for (std::int64_t axis = 0; axis < batch; ++axis) columns.push_back(counted(graph, shape, static_cast<std::size_t>(axis)));
  columns.push_back(index);
  graph.out_onnx(0, gather_nd(x, concat(columns, index.shape().rank() - 1)));
}

void scatter_elements_node(CaseGraph& graph) {
  const std::string reduction = graph.onnx_attrs().text("reduction", "none");
  if (reduction != "none" && reduction != "add") return graph.skip("ScatterElements by " + reduction);
  graph.out_onnx(0, (reduction == "add" ? scatter_add : scatter)(graph.onnx(0), graph.onnx(1), graph.onnx(2),
                                                                 graph.onnx_attrs().integer("axis", 0), CallSite::here()));
}

// The leading axes that the index names become one, which a single number counts.
void scatter_nd_node(CaseGraph& graph) {
  const std::string reduction = graph.onnx_attrs().text("reduction", "none");
  if (reduction != "none" && reduction != "add") return graph.skip("ScatterND by " + reduction);
  const Tensor x = graph.onnx(0), index = graph.onnx(1), updates = graph.onnx(2);
  const int depth = static_cast<int>(index.dim(-1));
  if (depth > x.shape().rank()) return graph.skip("ScatterND with more columns than axes");
  Tensor flat = integer(graph, 0);
  std::int64_t rows = 1, rest = 1;
  for (int axis = 0; axis < x.shape().rank(); ++axis) (axis < depth ? rows : rest) *= x.dim(axis);
  for (int axis = 0; axis < depth; ++axis) {
    const Tensor column = reshape(part(index, index.shape().rank() - 1, axis, 1), {-1});
    flat = flat * integer(graph, x.dim(axis)) + from_start(graph, column, x.dim(axis));
  }
  const std::int64_t n = index.shape().elements() / std::max(depth, 1);
  const Tensor to = broadcast_to(reshape(flat, {n, 1}), {n, rest}), from = reshape(updates, {n, rest}), table = reshape(x, {rows, rest});
  const Tensor y = reduction == "add" ? scatter_add(table, to, from, 0) : scatter(table, to, from, 0);
  graph.out_onnx(0, reshape(y, extents(x)));
}

// [..., K] with K moved to `axis`.
Tensor move_last(Tensor x, std::int64_t axis) {
  const int rank = x.shape().rank();
  std::vector<int> order;
  for (int i = 0; i < rank - 1; ++i) order.push_back(i);
  order.insert(order.begin() + (axis < 0 ? axis + rank : axis), rank - 1);
  return permute(x, order);
}

void one_hot_node(CaseGraph& graph) {
  Tensor index = graph.onnx(0);
  if (index.dtype() != DType::i32) index = cast(index, DType::i32);
  std::vector<std::int64_t> depth;
  if (graph.onnx(1).dtype() == DType::i32) {
    depth = graph.onnx_integers(1);
  } else {
    for (float value : graph.onnx_floats(1)) depth.push_back(static_cast<std::int64_t>(value));
  }
  if (depth.size() != 1) return graph.skip("OneHot of no one depth");
  const Tensor values = graph.onnx(2), hot = one_hot(from_start(graph, index, depth[0]), depth[0]);
  const Tensor y = select(cast(hot, DType::boolean), part(values, 0, 1, 1), part(values, 0, 0, 1));
  graph.out_onnx(0, move_last(y, graph.onnx_attrs().integer("axis", -1)));
}

// 1 at the first of the largest, 0 elsewhere.
void hardmax_node(CaseGraph& graph) {
  const Tensor x = graph.onnx(0);
  const std::int64_t axis = graph.onnx_attrs().integer("axis", -1);
  if (graph.onnx_opset() < 13) return graph.skip("Hardmax over several axes, as opset 11 has it");
  const Tensor first = reduce(Reduce::argmax, x, {.axes = {axis}});
  graph.out_onnx(0, move_last(one_hot(first, x.dim(static_cast<int>(axis))), axis));
}

void cumulative_sum_node(CaseGraph& graph) {
  const std::vector<std::int64_t> axis = graph.onnx_integers(1);
  const Attrs& attrs = graph.onnx_attrs();
  graph.out_onnx(0, cumulative_sum(graph.onnx(0), {.axis = axis.empty() ? 0 : axis[0],
                                                   .exclusive = attrs.flag("exclusive"),
                                                   .reverse = attrs.flag("reverse")}));
}

void reverse_sequence_node(CaseGraph& graph) {
  const Attrs& attrs = graph.onnx_attrs();
  graph.out_onnx(0, reverse_sequence(graph.onnx(0), graph.onnx(1),
                                     {.batch_axis = attrs.integer("batch_axis", 1), .sequence_axis = attrs.integer("time_axis", 0)}));
}

constexpr Adapter adapters[] = {
    {"onnx.CumSum", cumulative_sum_node, 2},
    {"onnx.GatherND", gather_nd_node, 2},
    {"onnx.Hardmax", hardmax_node},
    {"onnx.OneHot", one_hot_node, 3},
    {"onnx.ReverseSequence", reverse_sequence_node, 2},
    {"onnx.Scatter", scatter_elements_node, 3},
    {"onnx.ScatterElements", scatter_elements_node, 3},
    {"onnx.ScatterND", scatter_nd_node, 3},
};

}  // namespace

std::span<const Adapter> onnx_index_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
