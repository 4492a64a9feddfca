// Elements by number: index_select, gather, take_along, embedding.

#include "shaders/gather.h"

#include "ops/compose.hpp"
#include "ops/scatter.hpp"
#include "ops/strided.hpp"
#include "ops/vjp.hpp"

namespace fovea {
namespace ops {
namespace {

enum class GatherMode : std::uint8_t { index_select, gather, take_along };
const char* to_string(GatherMode mode) {
  static constexpr const char* names[] = {"index_select", "gather", "take_along"};
  return names[static_cast<std::size_t>(mode)];
}

struct GatherAttrs {
  GatherMode mode = GatherMode::index_select;
  std::int64_t axis = 0;
  std::int64_t no_gradient_to = -1;  // this index, where not negative
};
template <class F>
void describe(const GatherAttrs& attrs, F&& field) {
  field("mode", attrs.mode);
  field("axis", attrs.axis);
  field("no_gradient_to", attrs.no_gradient_to);
}

std::string title(const ir::Attrs& attrs) { return to_string(attrs.as<GatherAttrs>().mode); }

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<GatherAttrs>();
  const Shape &x = context.shape(0), &index = context.shape(1);
  if (context.dtype(1) != DType::i32) return context.fail("the index is ", to_string(context.dtype(1)), ", not i32");
  const auto axis = ir::normalize_axis(attrs.axis, x.rank());
  if (!axis) return context.fail("axis ", attrs.axis, " is out of range for x ", to_string(x));
  std::vector<std::int64_t> y;
  if (attrs.mode == GatherMode::index_select) {
    if (x.rank() + index.rank() > max_rank + 1)
      return context.fail("x ", to_string(x), " and index ", to_string(index), " make ", x.rank() + index.rank() - 1,
                          " axes, at most ", max_rank);
    for (int k = 0; k < *axis; ++k) y.push_back(x[k]);
    for (std::int64_t extent : index.extents()) y.push_back(extent);
    for (int k = *axis + 1; k < x.rank(); ++k) y.push_back(x[k]);
  } else {
    if (index.rank() != x.rank())
      return context.fail("the index ", to_string(index), " has ", index.rank(), " axes and x ", to_string(x), " has ", x.rank());
    const bool broadcasts = attrs.mode == GatherMode::take_along;
    for (int k = 0; k < x.rank(); ++k) {
      const bool fits = broadcasts ? index[k] == x[k] || index[k] == 1 || x[k] == 1 : index[k] <= x[k];
      if (k != *axis && !fits)
        return context.fail("axis ", k, " of the index ", to_string(index), broadcasts ? " does not broadcast with" : " is longer than",
                            " that of x ", to_string(x));
      y.push_back(k != *axis && broadcasts && index[k] == 1 ? x[k] : index[k]);
    }
  }
  context.out = {{Shape(std::span<const std::int64_t>(y)), context.dtype(0)}};
}

// Strides of x (0 along what the index walks) and of the index, over the axes of y.
std::array<ir::Strides, 2> strides_over(const NodeView& node, int axis) {
  const Shape &x = node.in(0).shape, &index = node.in(1).shape, &y = node.out(0).shape;
  const ir::Strides dense = ir::strides_of(x), number = ir::strides_of(index);
  std::array<ir::Strides, 2> walk{};
  const bool select = node.attrs<GatherAttrs>().mode == GatherMode::index_select;
  for (int k = 0; k < y.rank(); ++k) {
    const auto at = static_cast<std::size_t>(k);
    if (!select) {
      walk[0][at] = k == axis || (x[k] == 1 && y[k] > 1) ? 0 : dense[at];
      walk[1][at] = index[k] == 1 ? 0 : number[at];
    } else if (k >= axis && k < axis + index.rank()) {
      walk[1][at] = number[static_cast<std::size_t>(k - axis)];
    } else {
      walk[0][at] = dense[static_cast<std::size_t>(k < axis ? k : k - index.rank() + 1)];
    }
  }
  return walk;
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& [x, dtype] = node.in(0);
  const int axis = *ir::normalize_axis(node.attrs<GatherAttrs>().axis, x.rank());
  const StridedWalk walk = collapse(node.out(0).shape, strides_over(node, axis));
  const std::size_t rank = walk.extents.size();
  shader::GatherSpec spec;
  spec.RANK = static_cast<shader::uint>(rank);
  shader::GatherParams params{u32(node.out(0).shape.elements()), u32(x[axis]),
                              u32(ir::strides_of(x)[static_cast<std::size_t>(axis)]), {}};
  PushWords words(params.words);
  spec.DIVISOR_WORDS = words.divisor_words(rank - 1, 2 * rank);
  for (std::size_t k = 1; k < rank; ++k) words.put_divisor(walk.extents[k], spec.DIVISOR_WORDS);
  for (const auto& strides : walk.strides)
    for (std::int64_t stride : strides) words.put(stride);

  Launch& launch = plan.launches.emplace_back();
  launch.shader = find_shader(size_of(dtype) == 2 ? "gather.half" : "gather.word");
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), out(0)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<GatherAttrs>();
  const CallSite site = vjp.site;
  const Shape& x = vjp.in_shape(0);
  const int axis = *ir::normalize_axis(attrs.axis, x.rank());
  Tensor index = wrapped_index(vjp.in(1), x[axis], site), d = vjp.d();
  if (attrs.no_gradient_to >= 0) {
    const Tensor excluded = binary(Binary::equal, index, constant_i32(vjp.graph, attrs.no_gradient_to), site);
    index = select(excluded, constant_i32(vjp.graph, x[axis]), index, site);
  }
  ScatterAttrs scatter{.axis = axis, .extent = x[axis]};
  if (attrs.mode == GatherMode::index_select) {
    scatter.shared = true;
    Shape lines = x;
    lines[axis] = index.shape().elements();
    index = reshape(index, {lines[axis]}, site);
    d = reshape(d, lines.extents(), site);
  } else if (attrs.mode == GatherMode::take_along) {
    index = broadcast_to(index, d.shape(), site);
  } else {
    // Lines of x that the index does not reach get nothing.
    PadDesc reach;
    for (int k = 0; k < x.rank(); ++k) reach.amounts.push_back({0, k == axis ? 0 : x[k] - index.shape()[k]});
    d = pad(d, reach, site);
    reach.value = static_cast<float>(INT32_MAX);
    index = pad(index, reach, site);
  }
  vjp.give(0, scatter_onto({}, index, d, scatter, site));
  return true;
}

constexpr Kernel kernels[] = {{"gather", [](const NodeView&, const DeviceCaps&) { return true; }, plan}};

Tensor append_gather(Tensor x, Tensor index, const GatherAttrs& attrs, CallSite site) {
  return append_one(gather_op, {x, index}, ir::Attrs::of(attrs), site);
}

}  // namespace

extern constexpr OpDef gather_op{
    .name = "gather", .infer = infer, .required_inputs = all_inputs, .operands = {"x", "index"},
    .title = title, .kernels = kernels, .vjp = vjp};

}  // namespace ops

Tensor index_select(Tensor x, Tensor index, std::int64_t axis, CallSite site) {
  return ops::append_gather(x, index, {ops::GatherMode::index_select, axis}, site);
}
Tensor gather(Tensor x, Tensor index, std::int64_t axis, CallSite site) {
  return ops::append_gather(x, index, {ops::GatherMode::gather, axis}, site);
}
Tensor take_along(Tensor x, Tensor index, std::int64_t axis, CallSite site) {
  return ops::append_gather(x, index, {ops::GatherMode::take_along, axis}, site);
}

Tensor embedding(Tensor weight, Tensor index, const EmbeddingDesc& desc, CallSite site) {
  if (ops::nothing_to_do("embedding", {weight, index}, site)) return ops::poisoned(weight);
  const Shape& shape = weight.shape();
  if (shape.rank() != 2) return ops::refuse(weight, site, "embedding: the weight ", to_string(shape), " has ", shape.rank(), " axes, not 2");
  if (index.dtype() != DType::i32) return ops::refuse(weight, site, "embedding: the index is ", to_string(index.dtype()), ", not i32");
  if (index.shape().rank() == max_rank)
    return ops::refuse(weight, site, "embedding: the index ", to_string(index.shape()), " leaves no axis for the rows, at most ", max_rank);
  ops::GatherAttrs attrs;
  if (desc.padding_index) {
    const std::int64_t padding = *desc.padding_index < 0 ? *desc.padding_index + shape[0] : *desc.padding_index;
    if (padding < 0 || padding >= shape[0])
      return ops::refuse(weight, site, "embedding: padding index ", *desc.padding_index, " is out of range for ", shape[0], " rows");
    attrs.no_gradient_to = padding;
  }
  return ops::append_gather(weight, index, attrs, site);
}

Tensor gather_nd(Tensor x, Tensor index, CallSite site) {
  if (ops::nothing_to_do("gather_nd", {x, index}, site)) return ops::poisoned(x);
  const Shape &from = x.shape(), &where = index.shape();
  if (index.dtype() != DType::i32) return ops::refuse(x, site, "gather_nd: the index is ", to_string(index.dtype()), ", not i32");
  if (where.rank() == 0 || where.at(-1) > from.rank())
    return ops::refuse(x, site, "gather_nd: the index ", to_string(where), " names ", where.rank() == 0 ? 0 : where.at(-1),
                       " axes of x ", to_string(from));
  ir::Graph& graph = *x.graph();
  const int named = static_cast<int>(where.at(-1)), last = where.rank() - 1;
  std::int64_t places = 1;
  for (int k = 0; k < named; ++k) places *= from[k];
  // One number an element, the axes before it as one: outside where any of its indices is.
  Tensor flat = broadcast_to(ops::constant_i32(graph, 0), Shape(where.extents().first(static_cast<std::size_t>(last))), site), outside;
  for (int k = 0; k < named; ++k) {
    const Tensor part = reshape(slice(index, {.axis = last, .start = k, .stop = k + 1}, site), flat.shape().extents(), site);
    const Tensor wrapped = ops::wrapped_index(part, from[k], site), extent = ops::constant_i32(graph, from[k]);
    const Tensor out = binary(Binary::equal, wrapped, extent, site);
    outside = outside ? binary(Binary::logical_or, outside, out, site) : out;
    flat = binary(Binary::add, binary(Binary::mul, flat, extent, site), wrapped, site);
  }
  if (outside) flat = select(outside, ops::constant_i32(graph, places), flat, site);
  std::vector<std::int64_t> rows{places};
  for (int k = named; k < from.rank(); ++k) rows.push_back(from[k]);
  return index_select(reshape(x, rows, site), flat, 0, site);
}

}  // namespace fovea
