// Max, average and Lp pooling: windows with stride, padding and dilation; adaptive windows; global pooling by reduction.

#include "base/enum_name.hpp"
#include "ops/compose.hpp"
#include "ops/pool.hpp"
#include "ops/term.hpp"
#include "shaders/pool.h"
#include "shaders/pool_window.h"

#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>

namespace fovea {

const char* to_string(Pool kind) {
  static constexpr const char* names[] = {"max", "average", "lp"};
  return enum_name(names, kind);
}

namespace ops {
namespace {

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

std::string title(const ir::Attrs& any) {
  const auto& attrs = any.as<PoolAttrs>();
  return cat(attrs.adaptive.empty() ? "" : "adaptive_", is_enumerator(attrs.kind) ? cat(to_string(attrs.kind), '_') : "", "pool");
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<PoolAttrs>();
  const Shape& x = context.shape(0);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  if (!is_enumerator(attrs.kind)) return context.fail(no_enumerator("kind", attrs.kind));
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
    y[axis + 2] = windows(attrs, a, size);
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

std::uint32_t kind_of(const PoolAttrs& attrs) {
  return attrs.kind == Pool::max ? POOL_MAX : attrs.kind == Pool::average ? POOL_AVERAGE : POOL_LP;
}
std::vector<LaunchOperand> operands_of(const PoolAttrs& attrs) {
  return {in(0), out(0), attrs.indices ? out(1) : unused(Access::write)};
}

bool supports(const NodeView& node, const DeviceCaps& caps) {
  const auto params = params_of(node);
  std::int64_t windows[3];
  for (int i = 0; i < 3; ++i) {
    const std::uint64_t size = params.size[i], out_size = params.out_size[i];
    const bool adaptive = !node.attrs<PoolAttrs>().adaptive.empty();
    // Adaptive windows are found by products of both extents, in 32 bits.
    if (adaptive && (out_size + 1) * size + out_size > UINT32_MAX) return false;
    const std::uint64_t window = adaptive ? size / std::max<std::uint64_t>(1, out_size) + 2 : std::min<std::uint64_t>(params.kernel[i], size);
    windows[i] = static_cast<std::int64_t>(window);
  }
  return loops_fit(caps, nested_loops({windows[0], windows[1], windows[2]}));
}

void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<PoolAttrs>();
  const auto params = params_of(node);
  shader::PoolSpec spec;
  spec.KIND = kind_of(attrs);
  spec.INDICES = attrs.indices;
  spec.COUNT_PAD = attrs.count_include_pad;
  spec.ADAPTIVE = !attrs.adaptive.empty();
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("pool", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = operands_of(attrs);
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

// Columns that an invocation of the window kernel loads of each row; they stay in registers.
std::uint64_t columns_loaded(const shader::PoolParams& params) {
  return 3 + (POOL_COLUMNS - 1) * std::uint64_t{params.stride[2]} + (params.kernel[2] - 1) * std::uint64_t{params.dilation[2]} + 1;
}

bool supports_window(const NodeView& node, const DeviceCaps&) {
  const auto& attrs = node.attrs<PoolAttrs>();
  if (!attrs.adaptive.empty()) return false;
  if (attrs.kind == Pool::lp && attrs.p != 1 && attrs.p != 2 && attrs.p != 3 && attrs.p != 4) return false;  // powers by products
  const auto params = params_of(node);
  const bool empty = std::any_of(std::begin(params.size), std::end(params.size), [](std::uint32_t size) { return size == 0; });
  // Columns are unrolled: more of them, and compilers spill and take seconds.
  const std::uint64_t rows = std::uint64_t{params.kernel[0]} * params.kernel[1];
  return !empty && params.kernel[2] <= 16 && rows <= 64 && columns_loaded(params) <= 40;
}

void plan_window(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<PoolAttrs>();
  const auto from = params_of(node);
  shader::PoolWindowSpec spec;
  spec.KIND = kind_of(attrs);
  spec.INDICES = attrs.indices;
  spec.COUNT_PAD = attrs.count_include_pad;
  if (attrs.kind == Pool::lp) spec.POWER = static_cast<std::uint32_t>(attrs.p);
  spec.KZ = from.kernel[0], spec.KY = from.kernel[1], spec.KX = from.kernel[2];
  spec.SZ = from.stride[0], spec.SY = from.stride[1], spec.SX = from.stride[2];
  spec.DZ = from.dilation[0], spec.DY = from.dilation[1], spec.DX = from.dilation[2];
  spec.BEGIN_X = from.begin[2];
  spec.VEC = from.size[2] % 4 == 0;
  spec.VEC_OUT = from.out_size[2] % 4 == 0;
  shader::PoolWindowParams params{};
  params.columns = u32(static_cast<std::int64_t>(ceil_div(from.out_size[2], POOL_COLUMNS)));
  params.n = from.n == 0 ? 0 : from.n / from.out_size[2] * params.columns;
  for (int i = 0; i < 3; ++i) {
    params.size[i] = from.size[i], params.out_size[i] = from.out_size[i];
    params.begin[i] = from.begin[i], params.end[i] = from.end[i];
  }
  params.divisor = from.divisor;
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("pool_window", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = operands_of(attrs);
  launch.groups = flat_groups(params.n, spec.WG, caps);
}

constexpr Kernel kernels[] = {{"pool_window", supports_window, plan_window}, {"pool", supports, plan}};

// One operation a tap.
double flops(const NodeView& node) {
  const auto params = params_of(node);
  double taps = 1;
  for (int i = 0; i < 3; ++i)
    taps *= node.attrs<PoolAttrs>().adaptive.empty() ? params.kernel[i] : static_cast<double>(params.size[i]) / std::max(1u, params.out_size[i]);
  return taps * static_cast<double>(node.out(0).shape.elements());
}

}  // namespace

std::int64_t windows(const PoolAttrs& attrs, std::size_t axis, std::int64_t size) {
  const std::int64_t stride = attrs.stride[axis], reach = attrs.dilation[axis] * (attrs.kernel[axis] - 1) + 1;
  const std::int64_t steps = size + attrs.begin[axis] + attrs.end[axis] - reach;
  if (steps < 0) return 0;
  const std::int64_t count = (attrs.ceil_mode ? (steps + stride - 1) / stride : steps / stride) + 1;
  return (count - 1) * stride >= size + attrs.begin[axis] ? count - 1 : count;  // none would start in the padding behind
}

PoolAttrs pool_attrs(Pool kind, const PoolDesc& desc, bool indices) {
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

namespace {

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

// ---- Windows that tile the input: a reduction over axes of their own ------------------------------------------------

// Over the given axes, kept with extent 1.
Tensor reduce_windows(Pool kind, Tensor x, std::vector<std::int64_t> axes, float p, CallSite site) {
  const ReduceDesc windows{.axes = std::move(axes), .keep_dims = true};
  if (kind == Pool::max) return reduce(Reduce::max, x, windows, site);
  if (kind == Pool::average) return reduce(Reduce::mean, x, windows, site);
  if (p == 1) return reduce(Reduce::l1, x, windows, site);
  if (p == 2) return reduce(Reduce::l2, x, windows, site);
  // Sums of powers pass f16's largest number long before their root does.
  const Term powers = power(of(Unary::abs, in(DType::f32, {x, site})), p);
  return in(x.dtype(), power(of(Reduce::sum, powers, windows.axes), 1 / double{p})).tensor;
}

// The extents of each window, where all of them have the same and none is empty; nothing otherwise, or where infer has
// something to say.
std::vector<std::int64_t> even_windows(Tensor x, const PoolAttrs& attrs) {
  std::vector<std::int64_t> extents;
  if (!x || x.graph()->error || !ir::is_float(x.dtype())) return {};
  if (!is_enumerator(attrs.kind) || x.shape().rank() != static_cast<int>(attrs.adaptive.size()) + 2) return {};
  for (std::size_t i = 0; i < attrs.adaptive.size(); ++i) {
    const std::int64_t size = x.shape()[static_cast<int>(i) + 2], out = attrs.adaptive[i];
    if (size < 1 || out < 1 || size % out != 0) return {};
    extents.push_back(size / out);
  }
  return extents;
}

Shape shape_with(const Shape& x, const std::vector<std::int64_t>& spatial) {
  std::vector<std::int64_t> extents{x[0], x[1]};
  extents.insert(extents.end(), spatial.begin(), spatial.end());
  return Shape{std::span<const std::int64_t>(extents)};
}

// [N,C,H,W] seen as [N,C,Ho,kh,Wo,kw] and reduced over kh and kw.
Tensor pool_blocks(Pool kind, Tensor x, const PoolAttrs& attrs, const std::vector<std::int64_t>& window, CallSite site) {
  std::vector<std::int64_t> split, axes;
  for (std::size_t i = 0; i < window.size(); ++i) {
    split.insert(split.end(), {attrs.adaptive[i], window[i]});
    axes.push_back(static_cast<std::int64_t>(2 * i + 3));
  }
  const Tensor blocks = reshape(x, shape_with(x.shape(), split).extents(), site);
  const Tensor reduced = reduce_windows(kind, blocks, axes, attrs.p, site);
  return reshape(reduced, shape_with(x.shape(), attrs.adaptive).extents(), site);
}

}  // namespace

extern constexpr OpDef pool_op{
    .name = "pool", .infer = infer, .title = title, .kernels = kernels, .vjp = pool_vjp, .flops = flops};

}  // namespace ops

Tensor pool(Pool kind, Tensor x, const PoolDesc& desc, CallSite site) {
  return ops::append_one(ops::pool_op, {x}, ir::Attrs::of(ops::pool_attrs(kind, desc, false)), site);
}

MaxPoolResult max_pool_with_indices(Tensor x, const PoolDesc& desc, CallSite site) {
  const Tensor in[] = {x};
  const auto out = ops::append(ops::pool_op, in, ir::Attrs::of(ops::pool_attrs(Pool::max, desc, true)), site);
  return {out[0], out[1]};
}

Tensor adaptive_pool(Pool kind, Tensor x, std::span<const std::int64_t> output, CallSite site) {
  auto attrs = ops::adaptive_attrs(kind, x, output, false);
  const auto window = ops::even_windows(x, attrs);
  std::int64_t taps = window.empty() ? 0 : 1;
  for (std::int64_t extent : window) taps *= extent;
  if (taps >= 64) return ops::pool_blocks(kind, x, attrs, window, site);
  if (taps > 0) attrs = ops::pool_attrs(kind, {.kernel = window}, false);
  return ops::append_one(ops::pool_op, {x}, ir::Attrs::of(attrs), site);
}

Tensor adaptive_pool(Pool kind, Tensor x, std::initializer_list<std::int64_t> output, CallSite site) {
  return adaptive_pool(kind, x, std::span(output.begin(), output.size()), site);
}

MaxPoolResult adaptive_max_pool_with_indices(Tensor x, std::span<const std::int64_t> output, CallSite site) {
  auto attrs = ops::adaptive_attrs(Pool::max, x, output, true);
  const auto window = ops::even_windows(x, attrs);
  if (!window.empty() && std::all_of(attrs.adaptive.begin(), attrs.adaptive.end(), [](std::int64_t extent) { return extent == 1; })) {
    ReduceDesc plane{.keep_dims = true};
    for (int axis = 2; axis < x.shape().rank(); ++axis) plane.axes.push_back(axis);
    return {reduce(Reduce::max, x, plane, site), reduce(Reduce::argmax, x, plane, site)};
  }
  if (!window.empty()) attrs = ops::pool_attrs(Pool::max, {.kernel = window}, true);
  const Tensor in[] = {x};
  const auto out = ops::append(ops::pool_op, in, ir::Attrs::of(attrs), site);
  return {out[0], out[1]};
}

MaxPoolResult adaptive_max_pool_with_indices(Tensor x, std::initializer_list<std::int64_t> output, CallSite site) {
  return adaptive_max_pool_with_indices(x, std::span(output.begin(), output.size()), site);
}

Tensor global_pool(Pool kind, Tensor x, float p, CallSite site) {
  if (ops::nothing_to_do("global_pool", {x}, site) || !ops::are_real("global_pool", {{"x", x}}, site)) return ops::poisoned(x);
  const int rank = x.shape().rank();
  if (!is_enumerator(kind)) return ops::refuse(x, site, "global_pool: ", no_enumerator("kind", kind));
  if (rank < 3) return ops::refuse(x, site, "global_pool: x ", to_string(x.shape()), " has no spatial axis behind [N,C]");
  if (kind == Pool::lp && (!(p > 0) || std::isinf(p))) return ops::refuse(x, site, "global_pool: p ", p, " is not a positive number");
  std::vector<std::int64_t> axes;
  for (int axis = 2; axis < rank; ++axis) axes.push_back(axis);
  return ops::reduce_windows(kind, x, axes, p, site);
}

}  // namespace fovea
