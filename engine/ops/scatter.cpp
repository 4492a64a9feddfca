// Elements to places by number: scatter, scatter_add, index_add, segment_sum, one_hot.

#include "ops/scatter.hpp"

#include "shaders/scatter.h"

#include "ops/compose.hpp"
#include "ops/vjp.hpp"

namespace fovea {
namespace ops {

const char* to_string(ScatterMode mode) { return mode == ScatterMode::add ? "add" : "replace"; }

template <class F>
static void describe(const ScatterAttrs& attrs, F&& field) {
  field("mode", attrs.mode);
  field("axis", attrs.axis);
  field("extent", attrs.extent);
  field("shared", attrs.shared);
}

namespace {

// Operands. No index is negative; with `order` and `sorted` the kernel reads those in its place.
enum : std::size_t { UPDATES, INDEX, ORDER, SORTED_INDEX, X };

std::string title(const ir::Attrs& attrs) {
  return attrs.as<ScatterAttrs>().mode == ScatterMode::add ? "scatter_add" : "scatter";
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<ScatterAttrs>();
  const auto& [updates, dtype] = *context.in[UPDATES];
  const Shape& index = context.shape(INDEX);
  if (!ir::is_float(dtype)) return context.fail("updates are ", to_string(dtype), ", not ", ir::float_types);
  if (context.dtype(INDEX) != DType::i32) return context.fail("the index is ", to_string(context.dtype(INDEX)), ", not i32");
  const auto axis = ir::normalize_axis(attrs.axis, updates.rank());
  if (!axis) return context.fail("axis ", attrs.axis, " is out of range for updates ", to_string(updates));
  if (attrs.shared ? index != Shape{updates[*axis]} : index != updates)
    return context.fail("the index is ", to_string(index), " and updates are ", to_string(updates));
  Shape y = updates;
  y[*axis] = attrs.extent;
  if (context.has(X) && (context.shape(X) != y || context.dtype(X) != dtype))
    return context.fail("updates ", to_string(dtype), to_string(updates), " do not fit x ", to_string(context.dtype(X)),
                        to_string(context.shape(X)), " but for axis ", *axis);
  context.out = {{y, dtype}};
}

std::int64_t inner_of(const Shape& shape, int axis) {
  std::int64_t inner = 1;
  for (int k = axis + 1; k < shape.rank(); ++k) inner *= shape[k];
  return inner;
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  const Shape& updates = node.in(UPDATES).shape;
  const std::int64_t count = updates[*ir::normalize_axis(node.attrs<ScatterAttrs>().axis, updates.rank())];
  return loops_fit(caps, nested_loops({count}));
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<ScatterAttrs>();
  const auto& [updates, dtype] = node.in(UPDATES);
  const int axis = *ir::normalize_axis(attrs.axis, updates.rank());
  const bool sorted = node.has(ORDER);
  shader::ScatterSpec spec;
  spec.REPLACE = attrs.mode == ScatterMode::replace;
  spec.SHARED = attrs.shared;
  spec.SORTED = sorted;
  spec.ONTO = node.has(X);
  const shader::ScatterParams params{u32(node.out(0).shape.elements()), u32(attrs.extent), u32(inner_of(updates, axis)),
                                     u32(updates[axis]), u32(updates[axis])};
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("scatter", dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(UPDATES), in(sorted ? SORTED_INDEX : INDEX), sorted ? in(ORDER) : unused(),
                     spec.ONTO ? in(X) : unused(), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

// Pieces of the list one after another, in f32: for drivers that cut loops.
bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  constexpr std::int64_t piece = 1 << 15;
  ScatterAttrs attrs = node.attrs<ScatterAttrs>();
  const CallSite site = builder.site;
  const int axis = *ir::normalize_axis(attrs.axis, in[UPDATES].shape().rank());
  const std::int64_t count = in[UPDATES].dim(axis);
  if (count <= piece) return false;
  Tensor sum = in[X] ? cast(in[X], DType::f32, site) : Tensor();
  for (std::int64_t first = 0; first < count; first += piece) {
    const auto part = [&](Tensor t, int along) {
      return slice(t, {.axis = along, .start = first, .stop = std::min(first + piece, count)}, site);
    };
    sum = scatter_onto(sum, part(in[INDEX], attrs.shared ? 0 : axis), cast(part(in[UPDATES], axis), DType::f32, site), attrs, site);
  }
  out[0] = cast(sum, node.out(0).dtype, site);
  return true;
}

bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<ScatterAttrs>();
  const CallSite site = vjp.site;
  const Tensor d = vjp.d(), index = vjp.in(INDEX);
  const auto taken = [&](Tensor x) {
    return attrs.shared ? index_select(x, index, attrs.axis, site) : gather(x, index, attrs.axis, site);
  };
  if (attrs.mode == ScatterMode::add) {
    if (vjp.wants(X)) vjp.give(X, d);
    if (vjp.wants(UPDATES)) vjp.give(UPDATES, taken(d));
    return true;
  }
  // Of several updates the last stands: the one whose number, from 1, arrived. Exact up to 2^24 of them.
  const Shape& updates = vjp.in_shape(UPDATES);
  Shape along(std::vector<std::int64_t>(static_cast<std::size_t>(updates.rank()), 1));
  const int axis = *ir::normalize_axis(attrs.axis, updates.rank());
  along[axis] = updates[axis];
  const Tensor one = scalar(cast(d, DType::f32, site), 1, site), zero = scalar(d, 0, site);
  const Tensor number = broadcast_to(binary(Binary::add, cast(iota_i32(vjp.graph, along), DType::f32, site), one, site), updates, site);
  const Tensor stands = scatter_onto({}, index, number, attrs, site);
  const Tensor replaced = cast(stands, DType::boolean, site);
  if (vjp.wants(X)) vjp.give(X, select(replaced, zero, d, site));
  if (vjp.wants(UPDATES)) vjp.give(UPDATES, select(binary(Binary::equal, taken(stands), number, site), taken(d), zero, site));
  return true;
}

constexpr Kernel kernels[] = {{"scatter", supports, plan}};

}  // namespace

extern constexpr OpDef scatter_op{
    .name = "scatter", .infer = infer, .required_inputs = 2, .operands = {"updates", "index"},
    .title = title, .decompose = decompose, .kernels = kernels, .vjp = vjp};

Tensor wrapped_index(Tensor index, std::int64_t extent, CallSite site) {
  if (nothing_to_do("index", {index}, site)) return poisoned(index);
  if (index.dtype() != DType::i32) return index;  // the operator that receives it says so
  const Tensor zero = constant_i32(*index.graph(), 0), size = constant_i32(*index.graph(), extent);
  const Tensor from_end = select(binary(Binary::less, index, zero, site), binary(Binary::add, index, size, site), index, site);
  const Tensor outside = binary(Binary::less, from_end, zero, site);
  return select(outside, size, binary(Binary::min, from_end, size, site), site);
}

Tensor scatter_onto(Tensor x, Tensor index, Tensor updates, const ScatterAttrs& attrs, CallSite site) {
  const char* name = attrs.mode == ScatterMode::add ? "scatter_add" : "scatter";
  if (nothing_to_do(name, {index, updates}, site)) return poisoned(updates);
  constexpr std::int64_t walked = 32;  // a list up to here is walked by every element
  const auto axis = ir::normalize_axis(attrs.shared ? 0 : attrs.axis, index.shape().rank());
  Sorted sorted;
  if (index.dtype() == DType::i32 && axis && index.dim(*axis) > walked) sorted = sort(index, {.axis = *axis}, site);
  return append_one(scatter_op, {updates, index, sorted.indices, sorted.values, x}, ir::Attrs::of(attrs), site);
}

namespace {

// Index and updates padded to x's extents but along the axis: with indices that are out of range.
Tensor scatter_lines(Tensor x, Tensor index, Tensor updates, std::int64_t asked, ScatterMode mode, CallSite site) {
  const char* name = mode == ScatterMode::add ? "scatter_add" : "scatter";
  if (nothing_to_do(name, {x, index, updates}, site)) return poisoned(x);
  const Shape& shape = x.shape();
  const auto axis = ir::normalize_axis(asked, shape.rank());
  if (!axis) return refuse(x, site, name, ": axis ", asked, " is out of range for x ", to_string(shape));
  if (index.shape() != updates.shape() || index.shape().rank() != shape.rank())
    return refuse(x, site, name, ": index ", to_string(index.shape()), ", updates ", to_string(updates.shape()), ", x ", to_string(shape));
  PadDesc reach;
  bool reaches = true;
  for (int k = 0; k < shape.rank(); ++k) {
    const std::int64_t missing = k == *axis ? 0 : shape[k] - index.shape()[k];
    if (missing < 0)
      return refuse(x, site, name, ": axis ", k, " of the index ", to_string(index.shape()), " is longer than that of x ", to_string(shape));
    reaches = reaches && missing == 0;
    reach.amounts.push_back({0, missing});
  }
  index = wrapped_index(index, shape[*axis], site);
  if (!reaches) {
    updates = pad(updates, reach, site);
    reach.value = static_cast<float>(INT32_MAX);
    index = pad(index, reach, site);
  }
  return scatter_onto(x, index, updates, {.mode = mode, .axis = *axis, .extent = shape[*axis]}, site);
}

}  // namespace
}  // namespace ops

Tensor scatter_add(Tensor x, Tensor index, Tensor updates, std::int64_t axis, CallSite site) {
  return ops::scatter_lines(x, index, updates, axis, ops::ScatterMode::add, site);
}
Tensor scatter(Tensor x, Tensor index, Tensor updates, std::int64_t axis, CallSite site) {
  return ops::scatter_lines(x, index, updates, axis, ops::ScatterMode::replace, site);
}

Tensor index_add(Tensor x, Tensor index, Tensor updates, std::int64_t axis, CallSite site) {
  if (ops::nothing_to_do("index_add", {x, index, updates}, site)) return ops::poisoned(x);
  const auto found = ir::normalize_axis(axis, x.shape().rank());
  if (!found) return ops::refuse(x, site, "index_add: axis ", axis, " is out of range for x ", to_string(x.shape()));
  if (!ops::are_real("index_add", {{"x", x}, {"updates", updates}}, site)) return ops::poisoned(x);
  Shape expected = updates.shape();
  if (expected.rank() == x.shape().rank()) expected[*found] = x.dim(*found);
  if (expected != x.shape() || index.dtype() != DType::i32 || index.shape() != Shape{updates.dim(*found)})
    return ops::refuse(x, site, "index_add: index ", to_string(index.dtype()), to_string(index.shape()), " and updates ", to_string(updates.shape()),
                       " do not fit x ", to_string(x.shape()), " along axis ", *found);
  return ops::scatter_onto(x, ops::wrapped_index(index, x.dim(*found), site), updates,
                           {.axis = *found, .extent = x.dim(*found), .shared = true}, site);
}

Tensor segment_sum(Tensor x, Tensor ids, std::int64_t segments, std::int64_t axis, CallSite site) {
  if (ops::nothing_to_do("segment_sum", {x, ids}, site)) return ops::poisoned(x);
  if (segments < 0 || segments > INT32_MAX) return ops::refuse(x, site, "segment_sum: ", segments, " segments");
  if (!ops::are_real("segment_sum", {{"x", x}}, site)) return ops::poisoned(x);
  const auto found = ir::normalize_axis(axis, x.shape().rank());
  if (!found) return ops::refuse(x, site, "segment_sum: axis ", axis, " is out of range for x ", to_string(x.shape()));
  if (ids.dtype() != DType::i32 || ids.shape() != Shape{x.dim(*found)})
    return ops::refuse(x, site, "segment_sum: the ids are ", to_string(ids.dtype()), to_string(ids.shape()), ", not i32[", x.dim(*found),
                       "], as x ", to_string(x.shape()), " has along axis ", axis);
  // A negative id is no segment: out of range, where an index would count from the end.
  const Tensor none = ops::constant_i32(*ids.graph(), segments), zero = ops::constant_i32(*ids.graph(), 0);
  const Tensor index = select(binary(Binary::less, ids, zero, site), none, ids, site);
  return ops::scatter_onto({}, index, x, {.axis = *found, .extent = segments, .shared = true}, site);
}

Tensor one_hot(Tensor index, std::int64_t depth, CallSite site) {
  if (ops::nothing_to_do("one_hot", {index}, site)) return ops::poisoned(index);
  const Shape& shape = index.shape();
  if (index.dtype() != DType::i32) return ops::refuse(index, site, "one_hot: the index is ", to_string(index.dtype()), ", not i32");
  if (depth < 0 || depth > (1 << 30)) return ops::refuse(index, site, "one_hot: depth ", depth, " is not in 0..2^30");
  if (shape.rank() == max_rank)
    return ops::refuse(index, site, "one_hot: depth ", depth, " behind the index ", to_string(shape));
  std::vector<std::int64_t> column(shape.extents().begin(), shape.extents().end());
  column.push_back(1);
  const Tensor numbers = ops::iota_i32(*index.graph(), {depth});
  return cast(binary(Binary::equal, reshape(index, column, site), numbers, site), DType::f32, site);
}

}  // namespace fovea
