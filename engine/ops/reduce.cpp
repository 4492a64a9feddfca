// Reductions over any axes.

#include "base/enum_name.hpp"
#include "ops/reduce.hpp"
#include "ops/scatter.hpp"
#include "ops/term.hpp"
#include "ops/vjp.hpp"
#include "shaders/reduce.h"

#include <fovea/autodiff.hpp>
#include <fovea/ops.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace fovea {

const char* to_string(Reduce op) {
  static constexpr const char* names[] = {"sum", "mean", "max", "min", "prod", "l1", "l2", "sum_square", "logsumexp",
                                          "log_sum", "variance", "argmax", "argmin"};
  static_assert(std::size(names) == static_cast<std::size_t>(Reduce::argmin) + 1);
  static_assert(REDUCE_ARGMIN == static_cast<int>(Reduce::argmin));
  return enum_name(names, op);
}

const char* to_string(Ties ties) {
  static constexpr const char* names[] = {"first", "share"};
  return enum_name(names, ties);
}

namespace ops {

std::array<bool, max_rank> reduced_axes(std::span<const std::int64_t> axes, const Shape& x, std::string& fault) {
  auto reduced = ir::named_axes(axes, x, fault);
  if (axes.empty()) reduced.fill(true);
  return reduced;
}

namespace {

struct ReduceAttrs {
  Reduce op = Reduce::sum;
  std::vector<std::int64_t> axes{};
  bool keep_dims = false;
  double correction = 1;
  Ties ties = Ties::first;
};
template <class F>
void describe(const ReduceAttrs& attrs, F&& field) {
  field("op", attrs.op);
  field("axes", attrs.axes);
  field("keep_dims", attrs.keep_dims);
  field("correction", attrs.correction);
  field("ties", attrs.ties);
}

std::string title(const ir::Attrs& attrs) {
  const Reduce op = attrs.as<ReduceAttrs>().op;
  return is_enumerator(op) ? cat("reduce ", to_string(op)) : "reduce";
}

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<ReduceAttrs>();
  const Shape& x = context.shape(0);
  if (!ir::is_float(context.dtype(0)))
    return context.fail("x is ", to_string(context.dtype(0)), ", not ", ir::float_types);
  if (!is_enumerator(attrs.op)) return context.fail(no_enumerator("op", attrs.op));
  if (!is_enumerator(attrs.ties)) return context.fail(no_enumerator("ties", attrs.ties));
  if (!std::isfinite(attrs.correction)) return context.fail("correction is ", attrs.correction, ", not a finite number");
  std::string fault;
  const auto reduced = reduced_axes(attrs.axes, x, fault);
  if (!fault.empty()) return context.fail(fault);
  const bool position = finds_position(attrs.op);
  std::vector<std::int64_t> extents;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const bool drops = reduced[static_cast<std::size_t>(axis)];
    if (position && drops && x[axis] == 0) return context.fail("axis ", axis, " of x ", to_string(x), " is empty");
    if (!drops || attrs.keep_dims) extents.push_back(drops ? 1 : x[axis]);
  }
  context.out = {{Shape{std::span<const std::int64_t>(extents)}, position ? DType::i32 : context.dtype(0)}};
}

// ---- Shapes -------------------------------------------------------------------------------------------------------

struct Axis {
  std::int64_t extent, stride;
};
// x as alternating groups of kept and of reduced axes; neighbours of one kind have become one.
struct Form {
  std::vector<Axis> kept, reduced;  // outermost first, at least one each
  std::int64_t outputs = 1, n = 1;
  bool dense_kept = false;  // neighbouring outputs stand side by side in x
};

Form form_of(const NodeView& node) {
  const Shape& x = node.in(0).shape;
  std::string fault;
  const auto reduced = reduced_axes(node.attrs<ReduceAttrs>().axes, x, fault);
  const auto strides = ir::strides_of(x);
  Form form;
  std::vector<Axis>* last = nullptr;
  for (int axis = 0; axis < x.rank(); ++axis) {
    const auto a = static_cast<std::size_t>(axis);
    (reduced[a] ? form.n : form.outputs) *= x[axis];
    if (x[axis] == 1) continue;
    std::vector<Axis>* kind = reduced[a] ? &form.reduced : &form.kept;
    if (kind == last)
      kind->back() = {kind->back().extent * x[axis], strides[a]};
    else
      kind->push_back({x[axis], strides[a]});
    last = kind;
  }
  form.dense_kept = last == &form.kept;
  for (auto* kind : {&form.kept, &form.reduced})
    if (kind->empty()) kind->push_back({1, 1});
  return form;
}

// Four elements a load: the innermost reduced axis is dense, and every run along it starts at a multiple of four.
bool loads_four(const Form& form) {
  const auto aligned = [](const std::vector<Axis>& axes) {
    return std::all_of(axes.begin(), axes.end(), [](Axis axis) { return axis.extent == 1 || axis.stride % 4 == 0; });
  };
  const std::vector<Axis> outer(form.reduced.begin(), form.reduced.end() - 1);
  return form.reduced.back().stride == 1 && form.reduced.back().extent % 4 == 0 && aligned(form.kept) && aligned(outer);
}

// ---- Choice of kernel ---------------------------------------------------------------------------------------------

// Iterations, and one test more a loop, that an invocation may take over `elements` of the reduced index space, `lanes`
// of them sharing the work.
bool loops_fit(const DeviceCaps& caps, const Form& form, std::int64_t elements, std::int64_t lanes) {
  const bool runs_apart = lanes == 1 && form.reduced.size() > 1;
  const std::int64_t run = runs_apart ? std::min(form.reduced.back().extent, elements) : elements / lanes + 1;
  const std::int64_t runs = runs_apart ? elements / std::max<std::int64_t>(run, 1) + 2 : 1;
  const std::int64_t in_block = std::min<std::int64_t>(run, 64);
  const std::int64_t block = 2 * (in_block + 8) + 1;  // two passes, four elements an iteration or one
  return ops::loops_fit(caps, static_cast<std::uint64_t>(runs * ((run / 64 + 1) * block + 2)));
}

// Elements of a chunk where the reduction is split: enough chunks to occupy the device, each long enough to pay.
std::int64_t chunk_of(const Form& form, const DeviceCaps& caps) {
  const bool cpu = caps.type == DeviceType::cpu;
  const std::int64_t rows = cpu ? 512 : form.dense_kept ? 1 << 16 : 1 << 11, least = cpu || form.dense_kept ? 512 : 8192;
  std::int64_t chunk = std::max(form.n * form.outputs / rows, least);
  chunk = static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(chunk), 64)) * 64;
  while (chunk > 64 && !loops_fit(caps, form, chunk, 1)) chunk = chunk / 128 * 64;
  return chunk;
}

bool few_outputs(const Form& form, const DeviceCaps& caps) {
  if (caps.type == DeviceType::cpu) return form.outputs < 256 && form.n >= 4096;
  return form.dense_kept ? form.outputs < 8192 && form.n >= 4096 : form.outputs < 512 && form.n >= 1 << 15;
}

bool supports_lane(const NodeView& node, const DeviceCaps& caps) {
  const Form form = form_of(node);
  const bool fast = caps.type == DeviceType::cpu || form.n <= 32 || form.dense_kept;
  return fast && !few_outputs(form, caps) && loops_fit(caps, form, form.n, 1);
}
bool supports_split(const NodeView& node, const DeviceCaps& caps) {
  const Form form = form_of(node);
  const bool too_long = caps.type == DeviceType::cpu && !loops_fit(caps, form, form.n, 1);
  return form.n > 64 && (few_outputs(form, caps) || too_long);
}
bool supports_group(const NodeView& node, const DeviceCaps& caps) {
  return loops_fit(caps, form_of(node), form_of(node).n, 128);
}

// ---- Launches -----------------------------------------------------------------------------------------------------

float scale_of(const ReduceAttrs& attrs, std::int64_t n) {
  const auto count = static_cast<double>(n);
  if (attrs.op == Reduce::mean) return static_cast<float>(1 / count);  // of nothing: 0 times infinity
  if (n == 0) return std::numeric_limits<float>::quiet_NaN();
  return static_cast<float>(1 / std::max(0.0, count - attrs.correction));
}

shader::ReduceParams params_of(const Form& form, const ReduceAttrs& attrs, std::int64_t chunk) {
  shader::ReduceParams params{};
  params.outputs = u32(form.outputs);
  params.n = u32(form.n);
  params.chunk = u32(chunk);
  params.chunks = static_cast<std::uint32_t>(ceil_div(static_cast<std::uint64_t>(form.n), static_cast<std::uint64_t>(std::max<std::int64_t>(chunk, 1))));
  const auto set = [&](const std::vector<Axis>& axes, std::size_t first) {
    for (std::size_t i = 0; i < axes.size(); ++i)
      params.extents[first + i] = u32(axes[i].extent), params.strides[first + i] = u32(axes[i].stride);
  };
  set(form.kept, 0);
  set(form.reduced, REDUCE_AXES);
  params.scale = scale_of(attrs, form.n);
  return params;
}

void add_launch(KernelPlan& plan, const NodeView& node, const DeviceCaps& caps, const Form& form, std::uint32_t stage,
                bool lane_a_row, const shader::ReduceParams& params) {
  shader::ReduceSpec spec;
  // Small groups on a CPU: each is one thread's work.
  spec.WG = lane_a_row && caps.type == DeviceType::cpu ? 32 : 128;
  spec.LANES = lane_a_row ? 1 : spec.WG;
  spec.OP = static_cast<std::uint32_t>(node.attrs<ReduceAttrs>().op);
  spec.STAGE = stage;
  spec.KEPT = static_cast<std::uint32_t>(form.kept.size());
  spec.REDUCED = static_cast<std::uint32_t>(form.reduced.size());
  spec.VEC = loads_four(form);
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for("reduce", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {stage == REDUCE_COMBINE ? scratch_read(0) : in(0), stage == REDUCE_PARTIAL ? scratch_write(0) : out(0)};
  const std::uint64_t rows = std::uint64_t{params.outputs} * (stage == REDUCE_PARTIAL ? params.chunks : 1);
  launch.groups = flat_groups(rows, lane_a_row ? spec.WG : 1, caps);
}

void plan_whole(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan, bool lane_a_row) {
  const Form form = form_of(node);
  auto params = params_of(form, node.attrs<ReduceAttrs>(), form.n);
  params.chunks = 1;
  add_launch(plan, node, caps, form, REDUCE_WHOLE, lane_a_row, params);
}
void plan_lane(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) { plan_whole(node, caps, plan, true); }
void plan_group(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) { plan_whole(node, caps, plan, false); }

void plan_split(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const Form form = form_of(node);
  const auto params = params_of(form, node.attrs<ReduceAttrs>(), chunk_of(form, caps));
  const bool cpu = caps.type == DeviceType::cpu;
  plan.scratch_bytes = {std::uint64_t{params.outputs} * params.chunks * REDUCE_WORDS * 4};
  add_launch(plan, node, caps, form, REDUCE_PARTIAL, cpu || form.dense_kept, params);
  add_launch(plan, node, caps, form, REDUCE_COMBINE, cpu && params.chunks <= 1024, params);
}

constexpr Kernel kernels[] = {
    {"reduce_lane", supports_lane, plan_lane},
    {"reduce_split", supports_split, plan_split},
    {"reduce_group", supports_group, plan_group},
};

double flops(const NodeView& node) { return static_cast<double>(node.in(0).shape.elements()); }

// ---- Gradient -----------------------------------------------------------------------------------------------------

// Products along these axes, which stay as extents of 1, by halves: slower, and differentiable without a division.
Term product_by_halves(Term x, const std::vector<std::int64_t>& axes) {
  for (std::int64_t axis : axes)
    while (x.tensor.dim(static_cast<int>(axis)) > 1) {
      const std::int64_t extent = x.tensor.dim(static_cast<int>(axis)), half = extent / 2;
      const auto pieces = split(x.tensor, {half, half, extent % 2}, axis, x.site);
      const Term pairs = Term{pieces[0], x.site} * Term{pieces[1], x.site};
      x = extent % 2 == 0 ? pairs : Term{concat({pairs.tensor, pieces[2]}, axis, x.site), x.site};
    }
  return x;
}

// d prod/dx, the product of the others: prod/x where nothing is zero, elsewhere the product without the one zero. That is
// no function of what else is zero; its own gradient is that of the product by halves.
Term product_of_others(Term x, const std::vector<std::int64_t>& axes) {
  const Term is_zero = of(Binary::equal, x, 0), one{scalar(x.tensor, 1, x.site), x.site};
  const Term zeros = of(Reduce::sum, in(DType::f32, is_zero), axes), filled = choose(is_zero, one, x);
  const Term product = of(Reduce::prod, filled, axes), lone = of(Binary::logical_and, is_zero, of(Binary::equal, zeros, 1));
  const Term others = choose(of(Binary::equal, zeros, 0), product / filled, choose(lone, product, 0));
  const auto rule = [=](Tensor d) {
    const Tensor whole = product_by_halves(x, axes).tensor, seed = broadcast_to(one.tensor, whole.shape(), x.site);
    return grad(grad(whole, {x.tensor}, {.seed = seed}, x.site)[0], {x.tensor}, {.seed = d}, x.site);
  };
  return {custom_gradient(others.tensor, {x.tensor}, rule, x.site), x.site};
}

// Everything with the reduced axes kept as extents of 1.
bool vjp(Vjp& vjp) {
  const auto& attrs = vjp.attrs<ReduceAttrs>();
  if (!vjp.wants(0)) return true;
  const CallSite site = vjp.site;
  const Shape& shape = vjp.in_shape(0);
  std::string fault;
  const auto reduced = reduced_axes(attrs.axes, shape, fault);
  Shape kept = shape;
  std::int64_t n = 1;
  ReduceDesc along{.keep_dims = true};
  for (int axis = 0; axis < shape.rank(); ++axis)
    if (reduced[static_cast<std::size_t>(axis)]) n *= shape[axis], kept[axis] = 1, along.axes.push_back(axis);
  if (shape.elements() == 0) return true;
  const auto wide = [&](Tensor t) { return cast(t, DType::f32, site); };  // sums of 16-bit types are kept in f32
  const Tensor x = attrs.op == Reduce::sum || attrs.op == Reduce::mean ? Tensor() : wide(vjp.in(0));
  const auto result = [&] { return wide(reshape(vjp.out(), kept.extents(), site)); };
  const Tensor d = wide(reshape(vjp.d(), kept.extents(), site)), zero = scalar(d, 0, site);
  const auto times = [&](Tensor a, Tensor b) { return binary(Binary::mul, a, b, site); };
  const auto scaled = [&](Tensor a, double factor) { return times(a, scalar(a, static_cast<float>(factor), site)); };
  const auto give = [&](Tensor gradient) { vjp.give(0, broadcast_to(gradient, shape, site)); };
  switch (attrs.op) {
    case Reduce::sum: give(d); break;
    case Reduce::mean: give(scaled(d, 1 / static_cast<double>(n))); break;
    case Reduce::max:
    case Reduce::min: {
      if (attrs.ties == Ties::first) {
        give(n == 1 ? d : at_first(x, d, attrs.op, along, site));
      } else {
        const Tensor taken = select(binary(Binary::equal, x, result(), site), scalar(d, 1, site), zero, site);
        give(binary(Binary::div, times(d, taken), reduce(Reduce::sum, taken, along, site), site));
      }
      break;
    }
    case Reduce::prod: give(along.axes.empty() ? d : times(d, product_of_others({x, site}, along.axes).tensor)); break;
    case Reduce::l1: give(times(d, unary(Unary::sign, x, site))); break;
    case Reduce::l2:  // at the origin: 0, as PyTorch has it
      give(times(d, unless_zero({result(), site}, [&](Term y) { return Term{x, site} / y; }).tensor));
      break;
    case Reduce::sum_square: give(scaled(times(d, x), 2)); break;
    case Reduce::logsumexp: {  // of a row of -inf alone: 0
      const Tensor y = vjp.in_dtype(0) == DType::f32 ? result() : reduce(Reduce::logsumexp, x, along, site);
      const Tensor nothing = scalar(y, -std::numeric_limits<float>::infinity(), site);
      const Tensor finite = select(binary(Binary::equal, y, nothing, site), zero, y, site);  // not after exp, whose slope is NaN
      give(times(d, unary(Unary::exp, binary(Binary::sub, x, finite, site), site)));
      break;
    }
    case Reduce::log_sum: give(binary(Binary::div, d, along.axes.empty() ? x : reduce(Reduce::sum, x, along, site), site)); break;
    case Reduce::variance: {
      if (along.axes.empty()) break;
      const Tensor centred = binary(Binary::sub, x, reduce(Reduce::mean, x, along, site), site);
      give(scaled(times(d, centred), 2 / std::max(0.0, static_cast<double>(n) - attrs.correction)));
      break;
    }
    case Reduce::argmax:
    case Reduce::argmin: break;  // indices
  }
  return true;
}

}  // namespace

Tensor at_first(Tensor x, Tensor d, Reduce op, const ReduceDesc& along, CallSite site) {
  const Shape shape = x.shape();  // a copy: the graph grows
  // The reduced axes as one, where the first of them stands, and the kept ones around it.
  std::vector<int> order;
  std::vector<std::int64_t> lines, apart;
  std::int64_t n = 1;
  const auto first = static_cast<int>(along.axes[0]);
  for (int axis = 0; axis < shape.rank(); ++axis) {
    const bool reduced = std::find(along.axes.begin(), along.axes.end(), axis) != along.axes.end();
    if (reduced) n *= shape[axis];
    if (axis == first) {
      order.insert(order.end(), along.axes.begin(), along.axes.end());
      lines.push_back(1);
    } else if (!reduced) {
      order.push_back(axis);
      lines.push_back(shape[axis]);
    }
  }
  const Tensor position = reduce(op == Reduce::max ? Reduce::argmax : Reduce::argmin, x, along, site);
  const Tensor scattered = scatter_onto({}, reshape(position, lines, site), reshape(d, lines, site), {.axis = first, .extent = n}, site);
  std::vector<int> back(order.size());
  for (std::size_t i = 0; i < order.size(); ++i) apart.push_back(shape[order[i]]), back[static_cast<std::size_t>(order[i])] = static_cast<int>(i);
  const Tensor whole = reshape(scattered, apart, site);
  return std::is_sorted(order.begin(), order.end()) ? whole : permute(whole, back, site);
}

extern constexpr OpDef reduce_op{.name = "reduce", .infer = infer, .title = title, .kernels = kernels, .vjp = vjp, .flops = flops};

}  // namespace ops

Tensor reduce(Reduce op, Tensor x, const ReduceDesc& desc, CallSite site) {
  if (desc.mask) return ops::masked_reduce(op, x, desc, site);
  const ops::ReduceAttrs attrs{op, desc.axes, desc.keep_dims, desc.correction, desc.ties};
  return ops::append_one(ops::reduce_op, {x}, ir::Attrs::of(attrs), site);
}

}  // namespace fovea
