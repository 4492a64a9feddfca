// Reductions.

#include "tests/conformance/compose.hpp"

#include <numeric>

namespace fovea::conformance {
namespace {

template <Reduce op>
void reduce_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  graph.out("y", reduce(op, graph.in("x"),
                        {.axes = attrs.integers("dim"),
                         .keep_dims = attrs.flag("keepdim"),
                         .correction = attrs.number("correction", 1),
                         .ties = Ties::share}));  // amax, amin
}

void argmax(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  graph.out("indices",
            reduce(Reduce::argmax, graph.in("x"), {.axes = attrs.integers("dim"), .keep_dims = attrs.flag("keepdim")}));
}

void max_over_dim(CaseGraph& graph) {
  const ReduceDesc desc{.axes = graph.attrs().integers("dim"), .keep_dims = graph.attrs().flag("keepdim")};
  graph.out("values", reduce(Reduce::max, graph.in("x"), desc));
  graph.out("indices", reduce(Reduce::argmax, graph.in("x"), desc));
}

// The axes are an attribute or, in newer opsets, the second operand; none means all, or no reduction at all.
template <Reduce op>
void onnx_reduce(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const Tensor x = graph.onnx(0);
  const std::vector<std::int64_t> axes = graph.has_onnx(1) ? graph.onnx_integers(1) : attrs.integers("axes");
  if (axes.empty() && attrs.flag("noop_with_empty_axes")) return graph.out_onnx(0, x + 0.0f);
  graph.out_onnx(0, reduce(op, x, {.axes = axes, .keep_dims = attrs.flag("keepdims", true)}));
}

template <Reduce op>
void onnx_arg(CaseGraph& graph) {
  const Attrs attrs = graph.onnx_attrs();
  const std::int64_t axis = attrs.integer("axis", 0);
  const ReduceDesc desc{.axes = {axis}, .keep_dims = attrs.flag("keepdims", true)};
  const Tensor x = graph.onnx(0);
  if (!attrs.flag("select_last_index")) return graph.out_onnx(0, reduce(op, x, desc));
  // The last of equals is the first of the axis read backwards.
  const std::int64_t last = x.dim(static_cast<int>(axis)) - 1;
  const Tensor reversed = slice(x, {.axis = axis, .start = last, .stop = -last - 2, .step = -1});
  graph.out_onnx(
      0, graph.constant({}, std::vector{static_cast<std::int32_t>(last)}) - reduce(op, reversed, desc));
}

constexpr Adapter adapters[] = {
    {"amax", reduce_case<Reduce::max>},
    {"amin", reduce_case<Reduce::min>},
    {"logsumexp", reduce_case<Reduce::logsumexp>},
    {"mean", reduce_case<Reduce::mean>},
    {"norm2", reduce_case<Reduce::l2>},
    {"onnx.ArgMax", onnx_arg<Reduce::argmax>},
    {"onnx.ArgMin", onnx_arg<Reduce::argmin>},
    {"onnx.ReduceL1", onnx_reduce<Reduce::l1>},
    {"onnx.ReduceL2", onnx_reduce<Reduce::l2>},
    {"onnx.ReduceLogSum", onnx_reduce<Reduce::log_sum>},
    {"onnx.ReduceLogSumExp", onnx_reduce<Reduce::logsumexp>},
    {"onnx.ReduceMax", onnx_reduce<Reduce::max>},
    {"onnx.ReduceMean", onnx_reduce<Reduce::mean>},
    {"onnx.ReduceMin", onnx_reduce<Reduce::min>},
    {"onnx.ReduceProd", onnx_reduce<Reduce::prod>},
    {"onnx.ReduceSum", onnx_reduce<Reduce::sum>},
    {"onnx.ReduceSumSquare", onnx_reduce<Reduce::sum_square>},
    {"prod", reduce_case<Reduce::prod>},
    {"sum", reduce_case<Reduce::sum>},
    {"torch.argmax", argmax},
    {"torch.max(dim)", max_over_dim},
    {"var", reduce_case<Reduce::variance>},
};

}  // namespace

std::span<const Adapter> reduce_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
