// What conv and conv_transpose share.

#include "ops/conv.hpp"

namespace fovea::ops {

ConvGeometry conv_geometry(Tensor x, const std::vector<std::int64_t>& stride, const std::vector<std::int64_t>& begin,
                           const std::vector<std::int64_t>& end, const std::vector<std::int64_t>& dilation, std::int64_t groups) {
  const auto axes = static_cast<std::size_t>(x ? std::max(x.shape().rank() - 2, 0) : 0);
  const auto filled = [&](const std::vector<std::int64_t>& given, std::int64_t value) {
    return given.empty() ? std::vector<std::int64_t>(axes, value) : given;
  };
  ConvGeometry geometry{filled(stride, 1), filled(begin, 0), {}, filled(dilation, 1), std::vector<std::int64_t>(axes, 0), groups};
  geometry.end = end.empty() ? geometry.begin : end;
  return geometry;
}

ConvDesc conv_desc(const ConvGeometry& g, Tensor bias) {
  return {.stride = g.stride, .padding_begin = g.begin, .padding_end = g.end, .dilation = g.dilation, .groups = g.groups, .bias = bias};
}

ConvTransposeDesc conv_transpose_desc(const ConvGeometry& g, Tensor bias) {
  return {g.stride, g.begin, g.end, g.extra, g.dilation, g.groups, bias};
}

namespace {

bool lists_are_right(InferContext& context, const ConvGeometry& geometry, std::size_t axes) {
  const struct {
    const char* name;
    const std::vector<std::int64_t>& values;
    std::int64_t least;
  } lists[] = {{"stride", geometry.stride, 1},         {"padding_begin", geometry.begin, 0}, {"padding_end", geometry.end, 0},
               {"output_padding", geometry.extra, 0}, {"dilation", geometry.dilation, 1}};
  for (const auto& [name, values, least] : lists) {
    if (values.size() != axes) return context.fail(name, " has ", values.size(), " entries and x ", axes, " spatial axes"), false;
    for (std::int64_t value : values)
      if (value < least || value > (1 << 30)) return context.fail(name, ' ', value, " is not in ", least, "..2^30"), false;
  }
  if (geometry.groups < 1) return context.fail("groups ", geometry.groups, " is less than 1"), false;
  return true;
}

}  // namespace

bool conv_operands_are_right(InferContext& context, const ConvGeometry& geometry, const char* layout) {
  const Shape &x = context.shape(0), &weight = context.shape(1);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types), false;
  for (std::size_t i = 1; i < 3; ++i)
    if (context.has(i) && context.dtype(i) != context.dtype(0))
      return context.fail(i == 1 ? "weight" : "bias", " is ", to_string(context.dtype(i)), " and x is ", to_string(context.dtype(0))), false;
  if (x.rank() < 3 || x.rank() > 5) return context.fail("x ", to_string(x), " is not [N,C] and 1, 2 or 3 spatial axes"), false;
  if (weight.rank() != x.rank() && !per_sample(x, weight))
    return context.fail("weight ", to_string(weight), " is not ", layout, ", with ", x.rank() - 2, " kernel axes as x ", to_string(x), " has, or those a sample"), false;
  if (per_sample(x, weight) && weight[0] != x[0])
    return context.fail("weight has ", weight[0], " samples at axis 0 and x ", x[0]), false;
  for (int k = 2; k < x.rank(); ++k)
    if (weight_axis(x, weight, k) < 1) return context.fail("weight ", to_string(weight), " has an empty window"), false;
  return lists_are_right(context, geometry, static_cast<std::size_t>(x.rank() - 2));
}

bool conv_bias_is_right(InferContext& context, std::int64_t channels) {
  if (!context.has(2)) return true;
  const Shape &x = context.shape(0), &bias = context.shape(2);
  const bool a_sample = per_sample(x, context.shape(1)) && bias == Shape{x[0], channels};
  if (bias == Shape{channels} || a_sample) return true;
  return context.fail("bias ", to_string(bias), " is not [", channels, "]"), false;
}

Tensor bias_alone(ir::Graph& graph, Tensor bias, const ir::Type& y, CallSite site) {
  if (!bias) return filled(graph, y, 0, site);
  std::vector<std::int64_t> extents(static_cast<std::size_t>(y.shape.rank()), 1);
  extents[1] = y.shape[1];
  if (bias.shape().rank() == 2) extents[0] = y.shape[0];
  return broadcast_to(reshape(bias, extents, site), y.shape, site);
}

namespace {

std::vector<std::int64_t> extents_of(const Shape& shape) { return {shape.extents().begin(), shape.extents().end()}; }

}  // namespace

Tensor conv_by_groups(Tensor x, Tensor weight, Tensor bias, ConvGeometry geometry, const Shape& y, CallSite site, const ConvCall& call) {
  const std::int64_t N = x.dim(0);
  const auto merged = [&](Tensor one, bool keep_front) {
    std::vector<std::int64_t> extents = extents_of(one.shape());
    extents[1] *= extents[0];
    if (keep_front) extents[0] = 1;
    else extents.erase(extents.begin());
    return reshape(one, extents, site);
  };
  if (bias && bias.shape().rank() == 1) bias = broadcast_to(bias, {N, y[1]}, site);
  geometry.groups *= N;
  const Tensor all = call(merged(x, true), merged(weight, false), bias ? merged(bias, false) : bias, geometry);
  return reshape(all, y.extents(), site);
}

Tensor conv_as_picture(Tensor x, Tensor weight, Tensor bias, ConvGeometry geometry, const Shape& y, CallSite site, const ConvCall& call) {
  for (auto* list : {&geometry.stride, &geometry.dilation}) list->insert(list->begin(), 1);
  for (auto* list : {&geometry.begin, &geometry.end, &geometry.extra}) list->insert(list->begin(), 0);
  const auto widened = [&](Tensor one) { return reshape(one, {one.dim(0), one.dim(1), 1, one.dim(2)}, site); };
  return reshape(call(widened(x), widened(weight), bias, geometry), y.extents(), site);
}

}  // namespace fovea::ops
