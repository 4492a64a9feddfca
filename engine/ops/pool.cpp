// Max, average and Lp pooling: windows with stride, padding and dilation; adaptive windows; global pooling by reduction.

#include "ops/op_def.hpp"
#include "shaders/pool.h"

#include <fovea/ops.hpp>

#include <cmath>

namespace fovea {

const char* to_string(Pool kind) { return kind == Pool::max ? "max" : kind == Pool::average ? "average" : "lp"; }

namespace ops {
namespace {

struct PoolAttrs {
  Pool kind = Pool::max;
  bool indices = false;
  std::vector<std::int64_t> adaptive{};  // output extents; not empty: the rest of the window does not matter
  // One entry a spatial axis, outermost first.
  std::vector<std::int64_t> kernel{}, stride{}, begin{}, end{}, dilation{};
  bool ceil_mode = false, count_include_pad = false;
  std::int64_t divisor = 0;
  float p = 2;
};
template <class F>
void describe(const PoolAttrs& attrs, F&& field) {
  field("kind", attrs.kind);
  field("indices", attrs.indices);
  field("adaptive", attrs.adaptive);
  field("kernel", attrs.kernel);
  field("stride", attrs.stride);
  field("begin", attrs.begin);
  field("end", attrs.end);
  field("dilation", attrs.dilation);
  field("ceil_mode", attrs.ceil_mode);
  field("count_include_pad", attrs.count_include_pad);
  field("divisor", attrs.divisor);
  field("p", attrs.p);
}

// Every window array has one entry an axis, in its range.
bool window_is_right(InferContext& context, const PoolAttrs& attrs) {
  const std::size_t axes = attrs.kernel.size();
  const struct {
    const char* name;
    const std::vector<std::int64_t>& values;
    std::int64_t least;
  } arrays[] = {{"kernel", attrs.kernel, 1},          {"stride", attrs.stride, 1},    {"padding_begin", attrs.begin, 0},
                {"padding_end", attrs.end, 0}, {"dilation", attrs.dilation, 1}};
  for (const auto& [name, values, least] : arrays) {
    if (values.size() != axes) return context.fail(name, " has ", values.size(), " entries and kernel ", axes), false;
    for (std::int64_t value : values)
      if (value < least || value > (1 << 30)) return context.fail(name, ' ', value, " is not in ", least, "..2^30"), false;
  }
  if (attrs.divisor < 0 || attrs.divisor > (1 << 30)) return context.fail("divisor ", attrs.divisor, " is not in 0..2^30"), false;
  if (!(attrs.p > 0) || std::isinf(attrs.p)) return context.fail("p ", attrs.p, " is not a positive number"), false;
  return true;
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<PoolAttrs>();
  context.op = cat(attrs.adaptive.empty() ? "" : "adaptive_", to_string(attrs.kind), "_pool");
  const Shape& x = context.shape(0);
  if (context.dtype(0) != DType::f32 && context.dtype(0) != DType::f16)
    return context.fail("x is ", to_string(context.dtype(0)), ", not f32 or f16");
  const auto& per_axis = attrs.adaptive.empty() ? attrs.kernel : attrs.adaptive;
  const int axes = static_cast<int>(per_axis.size());
  if (axes < 1 || axes > 3) return context.fail("windows over ", axes, " axes; 1, 2 or 3 are possible");
  if (x.rank() != axes + 2) return context.fail("x ", to_string(x), " is not [N,C] and ", axes, " spatial axes");
  if (attrs.adaptive.empty() && !window_is_right(context, attrs)) return;
  Shape y = x;
  for (int axis = 0; axis < axes; ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    const std::int64_t size = x[axis + 2];
    if (!attrs.adaptive.empty()) {
      if (attrs.adaptive[a] < 0) return context.fail("output extent ", attrs.adaptive[a], " of axis ", axis + 2, " is negative");
      if (size == 0 && attrs.adaptive[a] > 0) return context.fail("axis ", axis + 2, " of x ", to_string(x), " is empty");
      y[axis + 2] = attrs.adaptive[a];
      continue;
    }
    const std::int64_t reach = attrs.dilation[a] * (attrs.kernel[a] - 1) + 1, padded = size + attrs.begin[a] + attrs.end[a];
    if (attrs.begin[a] >= reach || attrs.end[a] >= reach)
      return context.fail("padding ", std::max(attrs.begin[a], attrs.end[a]), " of axis ", axis + 2, " is not less than the window's reach ", reach);
    if (reach > padded)
      return context.fail("the window reaches over ", reach, " of axis ", axis + 2, " and the padded input has ", padded);
    const std::int64_t steps = padded - reach, stride = attrs.stride[a];
    y[axis + 2] = (attrs.ceil_mode ? (steps + stride - 1) / stride : steps / stride) + 1;
    if ((y[axis + 2] - 1) * stride >= size + attrs.begin[a]) --y[axis + 2];  // would start in the padding behind
  }
  context.out = {{y, context.dtype(0)}};
  if (attrs.indices) context.out.push_back({y, DType::i32});
}

shader::PoolParams params_of(const NodeView& node) {
  const auto& attrs = node.attrs<PoolAttrs>();
  const Shape &x = node.in(0).shape, &y = node.out(0).shape;
  shader::PoolParams params{};
  params.n = u32(y.elements());
  params.divisor = u32(attrs.divisor);
  params.p = attrs.p;
  const int axes = x.rank() - 2;
  for (int i = 0; i < 3; ++i) {
    const int axis = i - (3 - axes);  // the innermost axes last
    const auto a = static_cast<std::size_t>(axis);
    const bool absent = axis < 0, adaptive = !attrs.adaptive.empty();
    params.size[i] = absent ? 1 : u32(x[axis + 2]);
    params.out_size[i] = absent ? 1 : u32(y[axis + 2]);
    params.kernel[i] = absent || adaptive ? 1 : u32(attrs.kernel[a]);
    params.stride[i] = absent || adaptive ? 1 : u32(attrs.stride[a]);
    params.begin[i] = absent || adaptive ? 0 : u32(attrs.begin[a]);
    params.end[i] = absent || adaptive ? 0 : u32(attrs.end[a]);
    params.dilation[i] = absent || adaptive ? 1 : u32(attrs.dilation[a]);
  }
  return params;
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  const auto params = params_of(node);
  std::uint64_t iterations = 1;
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t size = params.size[i], out_size = params.out_size[i];
    const bool adaptive = !node.attrs<PoolAttrs>().adaptive.empty();
    // Adaptive windows are found by products of both extents, in 32 bits.
    if (adaptive && (out_size + 1) * size + out_size > UINT32_MAX) return false;
    const std::uint64_t window = adaptive ? size / std::max<std::uint64_t>(1, out_size) + 2 : std::min<std::uint64_t>(params.kernel[i], size);
    iterations = iterations * window + 1;
  }
  return caps.max_loop_iterations == 0 || iterations * 2 < caps.max_loop_iterations;
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<PoolAttrs>();
  const auto params = params_of(node);
  shader::PoolSpec spec;
  spec.KIND = attrs.kind == Pool::max ? POOL_MAX : attrs.kind == Pool::average ? POOL_AVERAGE : POOL_LP;
  spec.INDICES = attrs.indices;
  spec.COUNT_PAD = attrs.count_include_pad;
  spec.ADAPTIVE = !attrs.adaptive.empty();
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("pool", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), out(0), attrs.indices ? out(1) : unused(Access::write)};
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

constexpr Kernel kernels[] = {{"pool", supports, plan}};

// One operation a tap.
double flops(const NodeView& node) {
  const auto params = params_of(node);
  double taps = 1;
  for (int i = 0; i < 3; ++i)
    taps *= node.attrs<PoolAttrs>().adaptive.empty() ? params.kernel[i] : static_cast<double>(params.size[i]) / std::max(1u, params.out_size[i]);
  return taps * static_cast<double>(node.out(0).shape.elements());
}

PoolAttrs attrs_of(Pool kind, const PoolDesc& desc, bool indices) {
  const std::size_t axes = desc.kernel.size();
  const auto or_default = [&](const std::vector<std::int64_t>& values, std::int64_t value) {
    return values.empty() ? std::vector<std::int64_t>(axes, value) : values;
  };
  PoolAttrs attrs;
  attrs.kind = kind;
  attrs.indices = indices;
  attrs.kernel = desc.kernel;
  attrs.stride = desc.stride.empty() ? desc.kernel : desc.stride;
  attrs.begin = or_default(desc.padding_begin, 0);
  attrs.end = desc.padding_end.empty() ? attrs.begin : desc.padding_end;
  attrs.dilation = or_default(desc.dilation, 1);
  attrs.ceil_mode = desc.ceil_mode;
  attrs.count_include_pad = desc.count_include_pad;
  attrs.divisor = desc.divisor;
  attrs.p = desc.p;
  return attrs;
}

PoolAttrs adaptive_attrs(Pool kind, Tensor x, std::span<const std::int64_t> output, bool indices) {
  PoolAttrs attrs;
  attrs.kind = kind;
  attrs.indices = indices;
  attrs.adaptive.assign(output.begin(), output.end());
  const int first = x ? x.shape().rank() - static_cast<int>(output.size()) : 0;
  for (std::size_t i = 0; i < output.size(); ++i)
    if (output[i] == -1 && first >= 0) attrs.adaptive[i] = x.shape()[first + static_cast<int>(i)];
  return attrs;
}

}  // namespace

extern constexpr OpDef pool_op{.name = "pool", .infer = infer, .kernels = kernels, .flops = flops};

}  // namespace ops

Tensor pool(Pool kind, Tensor x, const PoolDesc& desc, CallSite site) {
  return ops::append_one(ops::pool_op, {x}, ir::Attrs::of(ops::attrs_of(kind, desc, false)), site);
}

MaxPoolResult max_pool_with_indices(Tensor x, const PoolDesc& desc, CallSite site) {
  const Tensor in[] = {x};
  const auto out = ops::append(ops::pool_op, in, ir::Attrs::of(ops::attrs_of(Pool::max, desc, true)), site);
  return {out[0], out[1]};
}

Tensor adaptive_pool(Pool kind, Tensor x, std::span<const std::int64_t> output, CallSite site) {
  return ops::append_one(ops::pool_op, {x}, ir::Attrs::of(ops::adaptive_attrs(kind, x, output, false)), site);
}

MaxPoolResult adaptive_max_pool_with_indices(Tensor x, std::span<const std::int64_t> output, CallSite site) {
  const Tensor in[] = {x};
  const auto out = ops::append(ops::pool_op, in, ir::Attrs::of(ops::adaptive_attrs(Pool::max, x, output, true)), site);
  return {out[0], out[1]};
}

Tensor global_pool(Pool kind, Tensor x, float p, CallSite site) {
  const int rank = x ? x.shape().rank() : 0;
  if (!x || x.graph()->error) return x;
  if (rank < 3) {
    x.graph()->fail(cat("global_pool: x ", to_string(x.shape()), " has no spatial axis behind [N,C]"), site);
    return {x.graph(), ir::none};
  }
  if (kind == Pool::lp && (!(p > 0) || std::isinf(p))) {
    x.graph()->fail(cat("global_pool: p ", p, " is not a positive number"), site);
    return {x.graph(), ir::none};
  }
  ReduceDesc spatial{.axes = {}, .keep_dims = true};
  for (int axis = 2; axis < rank; ++axis) spatial.axes.push_back(axis);
  if (kind == Pool::max) return reduce(Reduce::max, x, spatial, site);
  if (kind == Pool::average) return reduce(Reduce::mean, x, spatial, site);
  if (p == 1) return reduce(Reduce::l1, x, spatial, site);
  if (p == 2) return reduce(Reduce::l2, x, spatial, site);
  const auto power = [&](Tensor base, float exponent) { return binary(Binary::pow, base, scalar(base, exponent, site), site); };
  return power(reduce(Reduce::sum, power(unary(Unary::abs, x, site), p), spatial, site), 1 / p);
}

}  // namespace fovea
