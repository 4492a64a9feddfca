// Deformable convolution, v1 and v2: sampled columns, and a product.

#include "ops/conv2d.hpp"
#include "ops/deform.hpp"
#include "ops/vjp.hpp"

namespace fovea {
namespace ops {
namespace {

struct DeformConvAttrs {
  std::array<std::int64_t, 2> stride{1, 1};
  std::array<std::int64_t, 4> padding{0, 0, 0, 0};
  std::array<std::int64_t, 2> dilation{1, 1};
  std::int64_t groups = 1, offset_groups = 1;
};
template <class F>
void describe(const DeformConvAttrs& attrs, F&& field) {
  field("stride", attrs.stride);
  field("padding", attrs.padding);
  field("dilation", attrs.dilation);
  field("groups", attrs.groups);
  field("offset_groups", attrs.offset_groups);
}

enum : std::size_t { X, OFFSET, WEIGHT, MASK, BIAS };
constexpr const char* names[] = {"x", "offset", "weight", "mask", "bias"};

bool attributes_are_right(InferContext& context, const DeformConvAttrs& attrs) {
  const auto in_range = [&](const auto& values, const char* name, std::int64_t least) {
    for (std::int64_t value : values)
      if (value < least || value > (1 << 30)) context.fail(name, ' ', value, " is not in ", least, "..2^30");
  };
  in_range(attrs.stride, "stride", 1);
  in_range(attrs.padding, "padding", 0);
  in_range(attrs.dilation, "dilation", 1);
  in_range(std::array{attrs.groups}, "groups", 1);
  in_range(std::array{attrs.offset_groups}, "offset_groups", 1);
  return context.error.empty();
}

// Operand `i`, which must have a shape that the others ask for.
bool shape_is(InferContext& context, std::size_t i, const Shape& wanted) {
  if (!context.has(i) || context.shape(i) == wanted) return true;
  return context.fail(names[i], ' ', to_string(context.shape(i)), " is not ", to_string(wanted)), false;
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<DeformConvAttrs>();
  const Shape &x = context.shape(X), &weight = context.shape(WEIGHT);
  const DType dtype = context.dtype(X);
  if (!ir::is_float(dtype)) return context.fail("x is ", to_string(dtype), ", not ", ir::float_types);
  for (std::size_t i = 1; i <= BIAS; ++i)
    if (context.has(i) && context.dtype(i) != dtype)
      return context.fail(names[i], " is ", to_string(context.dtype(i)), " and x is ", to_string(dtype));
  if (x.rank() != 4) return context.fail("x ", to_string(x), " is not [N,C,H,W]");
  if (weight.rank() != 4) return context.fail("weight ", to_string(weight), " is not [O,C/groups,kh,kw]");
  if (!attributes_are_right(context, attrs) || !conv2d_groups_are_right(context, x, weight, attrs)) return;
  if (x[1] % attrs.offset_groups != 0)
    return context.fail("offset_groups ", attrs.offset_groups, " does not divide x's ", x[1], " channels");
  if (weight[1] != x[1] / attrs.groups)
    return context.fail("weight takes ", weight[1], " channels a group and x has ", x[1], " / ", attrs.groups, " = ", x[1] / attrs.groups);
  const Shape y = conv2d_result(context, x, weight, attrs);
  if (!context.error.empty()) return;
  const std::int64_t taps = attrs.offset_groups * weight[2] * weight[3];
  if (!shape_is(context, OFFSET, {x[0], 2 * taps, y[2], y[3]}) || !shape_is(context, MASK, {x[0], taps, y[2], y[3]}) ||
      !shape_is(context, BIAS, {weight[0]}))
    return;
  context.out = {{y, dtype}};
}

// Samples are rounded where they are computed, so all of it is f32.
bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<DeformConvAttrs>();
  const CallSite site = builder.site;
  const ir::Type& y = node.out(0);
  const Shape &x = node.in(X).shape, &weight = node.in(WEIGHT).shape;
  const auto wide = [&](std::size_t i) { return node.has(i) ? cast(in[i], DType::f32, site) : Tensor(); };
  if (y.shape.elements() == 0 || x.elements() == 0 || weight.elements() == 0) {
    const Tensor bias = node.has(BIAS) ? reshape(in[BIAS], {1, weight[0], 1, 1}, site) : filled(builder.graph, {{}, y.dtype}, 0, site);
    out[0] = broadcast_to(bias, y.shape, site);
    return true;
  }
  const std::int64_t N = x[0], images = fitting(N, x[1] * weight[2] * weight[3] * y.shape[2] * y.shape[3] * 4);
  const Tensor from = wide(X), offset = wide(OFFSET), filter = wide(WEIGHT), mask = wide(MASK), bias = wide(BIAS);
  const DeformAttrs windows{{weight[2], weight[3]}, {x[2], x[3]}, attrs.stride, attrs.dilation, attrs.padding, x[1], attrs.offset_groups};
  std::vector<Tensor> parts;
  InTurn turn(builder.graph);
  for (std::int64_t n = 0; n < N; n += images) {
    const std::int64_t last = std::min(n + images, N);
    const auto part = [&](Tensor one) { return one ? part_of(one, 0, n, last, site) : one; };
    const Tensor columns = deform_unfold(part(from), part(offset), part(mask), windows, site);
    parts.push_back(conv2d_product(filter, columns, bias, attrs.groups, Activation::none, {last - n, weight[0], y.shape[2], y.shape[3]}, site));
    turn.done(parts.back());
  }
  out[0] = cast(parts.size() == 1 ? parts[0] : concat(parts, 0, site), y.dtype, site);
  return true;
}

}  // namespace

extern constexpr OpDef deform_conv2d_op{.name = "deform_conv2d", .infer = infer, .required_inputs = 3, .operands = {"x", "offset", "weight"}, .decompose = decompose};

}  // namespace ops

Tensor deform_conv2d(Tensor x, Tensor offset, Tensor weight, const DeformConvDesc& desc, CallSite site) {
  const ops::DeformConvAttrs attrs{desc.stride, desc.padding, desc.dilation, desc.groups, desc.offset_groups};
  return ops::append_one(ops::deform_conv2d_op, {x, offset, weight, desc.mask, desc.bias}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
