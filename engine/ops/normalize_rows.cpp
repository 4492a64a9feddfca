// Rows normalised, scaled, shifted and activated in one launch.

#include "ops/normalize_rows.hpp"

#include "base/enum_name.hpp"
#include "ops/strided.hpp"
#include "ops/vjp.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace fovea::ops {

std::optional<RowWeights> row_weights(std::int64_t width, std::int64_t run, std::int64_t count) {
  if (width == 0) return RowWeights{};
  if (run < 1 || width % run != 0 || count % (width / run) != 0 || count == 0) return std::nullopt;
  return RowWeights{width / run, count / (width / run)};
}

std::int64_t width_of(const NormalizeRowsAttrs& attrs, const Shape& x) {
  return attrs.rows == 0 ? 0 : x.elements() / attrs.rows;
}

RowShapes row_shapes(const NormalizeRowsAttrs& attrs, const Shape& x, std::int64_t count) {
  const std::int64_t width = width_of(attrs, x);
  if (count == 0 || width == 0) return {{attrs.rows, 1, width, 1}, {}, {attrs.rows, 1, 1, 1}};
  const RowWeights weights = *row_weights(width, attrs.run, count);
  const std::int64_t outer = attrs.rows / weights.period;
  return {{outer, weights.period, weights.of_row, attrs.run}, {1, weights.period, weights.of_row, 1}, {outer, weights.period, 1, 1}};
}

namespace {

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<NormalizeRowsAttrs>();
  const ir::Type x{context.shape(normalize_x), context.dtype(normalize_x)};
  const std::int64_t elements = x.shape.elements();
  if (!ir::is_float(x.dtype)) return context.fail("x is ", to_string(x.dtype), ", not ", ir::float_types);
  if (attrs.rows < 0 || (attrs.rows == 0 ? elements != 0 : elements % attrs.rows != 0))
    return context.fail("x ", to_string(x.shape), " is not ", attrs.rows, " rows");
  if (!(attrs.eps >= 0 && std::isfinite(attrs.eps))) return context.fail("eps is ", attrs.eps, ", not a finite number from 0 on");
  if (!is_enumerator(attrs.activation)) return context.fail(no_enumerator("the activation", attrs.activation));
  if (attrs.statistics < 0 || attrs.statistics > (attrs.centred ? 2 : 1))
    return context.fail("there are no ", attrs.statistics, " statistics");
  for (const std::size_t i : {normalize_weight, normalize_bias}) {
    if (!context.has(i)) continue;
    const char* name = i == normalize_weight ? "weight" : "bias";
    if (context.dtype(i) != x.dtype && context.dtype(i) != DType::f32)
      return context.fail(name, " is ", to_string(context.dtype(i)), ", not ", to_string(x.dtype), " or f32");
    const Shape& shape = context.shape(i);
    if (shape.rank() != 1 || !row_weights(width_of(attrs, x.shape), attrs.run, shape[0]) ||
        (context.has(normalize_weight) && shape != context.shape(normalize_weight)))
      return context.fail(name, ' ', to_string(shape), " does not go with ", attrs.rows, " rows of x ", to_string(x.shape));
  }
  const ir::Type* residual = context.has(normalize_residual) ? context.in[normalize_residual] : nullptr;
  if (residual && *residual != x)
    return context.fail("the residual is not of x's type and shape");
  context.out = {x};
  if (attrs.sum) context.out.push_back(x);
  for (std::int64_t i = 0; i < attrs.statistics; ++i) context.out.push_back({Shape{attrs.rows}, DType::f32});
}

// Fours that a lane may hold: what a GPU's registers have room for, which a large workgroup shares (8 in one of 1024 spill on
// Turnip and Honeykrisp); on a CPU a row is read again from its cache, and longer bodies take a second to compile.
std::int64_t most_held(const DeviceCaps& caps, std::uint32_t WG) {
  if (caps.type == DeviceType::cpu) return caps.costly_unrolling ? 0 : 8;
  return caps.few_registers || WG > 512 ? 4 : 8;
}

}  // namespace

// ---- Sharing rows -------------------------------------------------------------------------------------------------

RowLayout row_layout(std::int64_t width, std::int64_t run, std::int64_t held, const DeviceCaps& caps, RowSharing sharing) {
  RowLayout layout{.sharing = sharing};
  const bool cpu = caps.type == DeviceType::cpu;
  const auto fours = ceil_div(static_cast<std::uint64_t>(width), 4);
  if (sharing == RowSharing::lane) {
    layout.WG = cpu ? 32 : 128, layout.LANES = 1;  // small groups on a CPU: each is one thread's work
  } else if (sharing == RowSharing::group) {
    layout.LANES = static_cast<std::uint32_t>(std::clamp<std::uint64_t>(std::bit_ceil(fours), 1, layout.WG));
  } else {
    // On a GPU two fours a lane while there are lanes: loads in flight hide each other's latency. On a CPU one thread runs all.
    const std::uint32_t most = cpu ? caps.subgroup_size : std::min({caps.max_invocations, caps.max_group_size[0], 1024u});
    layout.WG = caps.subgroup_size;
    while (2 * layout.WG <= most && fours > std::uint64_t{2} * layout.WG) layout.WG *= 2;
    layout.LANES = layout.WG, layout.SUBGROUPS = layout.WG / caps.subgroup_size;
  }
  layout.VEC = width % 4 == 0 && (run == 1 || run % 4 == 0);
  const auto of_lane = static_cast<std::int64_t>(ceil_div(fours, layout.LANES));
  if (of_lane * held <= most_held(caps, layout.WG)) layout.HELD = u32(of_lane);
  return layout;
}

bool fits_rows(const RowLayout& layout, std::int64_t rows, std::int64_t width, const DeviceCaps& caps) {
  const bool cpu = caps.type == DeviceType::cpu;
  // Several passes with the whole device on each row beat one invocation or group a row.
  if (cpu ? rows < 16 && width >= 1 << 15 : rows < 32 && width >= 1 << 16) return false;
  // A lane a row on a GPU: where a row is no more than it loads at once.
  if (layout.sharing == RowSharing::lane && (cpu ? width > (rows < 64 ? 1 << 12 : 1 << 16) : width > 4)) return false;
  const std::int64_t fours = width / (4 * std::int64_t{layout.LANES}) + 1;
  return loops_fit(caps, 3 * nested_loops({fours / 4 + 1}) + layout.SUBGROUPS);
}

bool prefers_subgroups(std::int64_t width, const DeviceCaps& caps) {
  if (caps.type == DeviceType::cpu) return width >= 16 * std::int64_t{caps.subgroup_size};
  return width >= 4 * std::int64_t{caps.subgroup_size};
}
bool lane_first(const NodeView&, const DeviceCaps& caps) { return caps.type == DeviceType::cpu; }

shader::NormalizeRowsParams normalize_params(const NormalizeRowsAttrs& attrs, std::int64_t width, std::int64_t count) {
  const RowWeights weights = *row_weights(width, attrs.run, count);
  const Divisor run = divisor(attrs.run);
  const auto inverse_width = static_cast<float>(1 / static_cast<double>(width));
  return {u32(attrs.rows), u32(width), inverse_width, attrs.eps, u32(weights.of_row), u32(weights.period),
          {run.value, run.multiplier, run.shift}, 1, u32(width)};
}

std::uint32_t type_of_weights(const NodeView& node, std::size_t operand) {
  if (!node.has(operand)) return NORMALIZE_ABSENT;
  return node.in(operand).dtype == node.in(0).dtype ? NORMALIZE_STORED : NORMALIZE_WIDE;
}

namespace {

// ---- Kernels ------------------------------------------------------------------------------------------------------

RowLayout layout_of(const NodeView& node, const DeviceCaps& caps, RowSharing sharing) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  return row_layout(width_of(attrs, node.in(0).shape), attrs.run, 1, caps, sharing);
}

template <RowSharing sharing>
bool supports(const NodeView& node, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  if (sharing == RowSharing::subgroups && caps.subgroup_size < 2) return false;
  return fits_rows(layout_of(node, caps, sharing), attrs.rows, width_of(attrs, node.in(0).shape), caps);
}

// A launch of rows, or of as many chunks a row as its parameters say.
Launch launch_of(const NodeView& node, const DeviceCaps& caps, const RowLayout& layout, std::uint32_t stage, std::int64_t chunk) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  const std::int64_t width = width_of(attrs, node.in(0).shape);
  shader::NormalizeRowsSpec spec;
  layout.set(spec);
  spec.STAGE = stage;
  spec.CENTRED = attrs.centred;
  spec.WEIGHT = type_of_weights(node, normalize_weight);
  spec.BIAS = type_of_weights(node, normalize_bias);
  spec.RUNS = attrs.run > 1;
  spec.RESIDUAL = node.has(normalize_residual);
  spec.SUM = attrs.sum || (stage == NORMALIZE_PARTIAL && spec.RESIDUAL != 0);
  spec.STATISTICS = u32(attrs.statistics);
  spec.ACTIVATION = static_cast<std::uint32_t>(attrs.activation);
  const std::size_t weighing = node.has(normalize_weight) ? normalize_weight : normalize_bias;
  const std::int64_t count = node.has(weighing) ? node.in(weighing).shape[0] : width / attrs.run;
  shader::NormalizeRowsParams params = normalize_params(attrs, width, count);
  if (stage != NORMALIZE_WHOLE) params.chunk = u32(chunk), params.chunks = u32((width + chunk - 1) / chunk);
  if (stage == NORMALIZE_FINISH) spec.RESIDUAL = spec.SUM = 0;  // x is the sum by now
  Launch launch;
  launch.shader = layout.shader("normalize_rows", node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  for (std::uint32_t i = 0; i < 4; ++i) launch.operands.push_back(node.has(i) ? in(i) : unused());
  std::uint32_t next = 0;
  const auto result = [&](bool made) { launch.operands.push_back(made ? out(next++) : unused(Access::write)); };
  result(true), result(attrs.sum), result(attrs.statistics > 0), result(attrs.statistics > 1);
  launch.groups = flat_groups(static_cast<std::uint64_t>(attrs.rows) * params.chunks, layout.rows_of_group(), caps);
  return launch;
}

template <RowSharing sharing>
void plan(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  plan.launches.push_back(launch_of(node, caps, layout_of(node, caps, sharing), NORMALIZE_WHOLE, 0));
}

// ---- Rows in chunks -----------------------------------------------------------------------------------------------

// What fewer rows than the device has room for leave idle is worth a second launch, and reading the rows twice.
bool few_long_rows(std::int64_t rows, std::int64_t width, const DeviceCaps& caps) {
  return caps.type == DeviceType::cpu ? rows < 16 && width >= 1 << 15 : rows < 128 && width >= 1 << 16;
}
// Elements: each invocation of a group has some fours, and moments are few beside the elements.
std::int64_t chunk_of(std::int64_t width, const DeviceCaps& caps) {
  const std::int64_t least = caps.type == DeviceType::cpu ? 1 << 14 : 1 << 12;
  return (std::max(least, width / 512) + 511) / 512 * 512;
}

// On a CPU a subgroup a chunk is 2 to 4 times as fast as a workgroup that meets in shared memory.
RowSharing split_sharing(const DeviceCaps& caps) {
  constexpr std::uint32_t arithmetic = 4;  // VK_SUBGROUP_FEATURE_ARITHMETIC_BIT
  const bool meets = caps.subgroup_size >= 2 && (caps.subgroup_operations & arithmetic) != 0;
  return caps.type == DeviceType::cpu && meets ? RowSharing::subgroups : RowSharing::group;
}

bool supports_split(const NodeView& node, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  const std::int64_t width = width_of(attrs, node.in(0).shape);
  const auto lanes = split_sharing(caps) == RowSharing::subgroups ? std::int64_t{caps.subgroup_size} : 128;
  const std::int64_t chunk = chunk_of(width, caps), chunks = width / chunk + 1;
  return few_long_rows(attrs.rows, width, caps) &&
         loops_fit(caps, 3 * nested_loops({chunk / (4 * lanes) + 1}) + 2 * nested_loops({chunks / lanes + 1}));
}

void plan_split(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  const ir::Type& x = node.in(normalize_x);
  const std::int64_t width = width_of(attrs, x.shape), chunk = chunk_of(width, caps);
  RowLayout layout = row_layout(chunk, attrs.run, 1, caps, split_sharing(caps));
  layout.VEC = width % 4 == 0 && layout.VEC != 0;
  const bool residual = node.has(normalize_residual), kept = residual && !attrs.sum;  // the sum is no result, and yet written
  plan.scratch_bytes = {ceil_div(static_cast<std::uint64_t>(width), static_cast<std::uint64_t>(chunk)) *
                        static_cast<std::uint64_t>(attrs.rows) * 8};
  if (kept) plan.scratch_bytes.push_back(ceil_div(static_cast<std::uint64_t>(x.shape.elements()) * size_of(x.dtype), 4) * 4);
  enum { of_x = 0, of_residual = 3, of_y = 4, of_sum = 5, of_inverse = 6, of_mean = 7 };  // bindings

  Launch partial = launch_of(node, caps, layout, NORMALIZE_PARTIAL, chunk);
  for (const std::size_t i : {std::size_t{1}, std::size_t{2}}) partial.operands[i] = unused();
  for (const std::size_t i : {of_inverse, of_mean}) partial.operands[i] = unused(Access::write);
  partial.operands[of_y] = scratch_write(0);
  if (kept) partial.operands[of_sum] = scratch_write(1);
  plan.launches.push_back(std::move(partial));

  layout.HELD = 0;
  Launch finish = launch_of(node, caps, layout, NORMALIZE_FINISH, chunk);
  if (residual) finish.operands[of_x] = kept ? scratch_read(1) : LaunchOperand{LaunchOperand::Kind::output, 1, Access::read};
  finish.operands[of_residual] = scratch_read(0);
  finish.operands[of_sum] = unused(Access::write);
  plan.launches.push_back(std::move(finish));
}

bool subgroups_first(const NodeView& node, const DeviceCaps& caps) {
  return prefers_subgroups(width_of(node.attrs<NormalizeRowsAttrs>(), node.in(0).shape), caps);
}

constexpr Kernel kernels[] = {
    {"normalize_rows_split", supports_split, plan_split},
    {"normalize_rows_subgroups", supports<RowSharing::subgroups>, plan<RowSharing::subgroups>, subgroups_first},
    {"normalize_rows_lane", supports<RowSharing::lane>, plan<RowSharing::lane>, lane_first},
    {"normalize_rows_group", supports<RowSharing::group>, plan<RowSharing::group>},
};

// ---- Meaning ------------------------------------------------------------------------------------------------------

Term activated(Activation activation, Term x) {
  switch (activation) {
    case Activation::none: break;
    case Activation::relu: return of(Unary::relu, x);
    case Activation::sigmoid: return of(Unary::sigmoid, x);
    case Activation::tanh: return of(Unary::tanh, x);
    case Activation::gelu: return of(Unary::gelu, x);
    case Activation::gelu_tanh: return of(Unary::gelu_tanh, x);
    case Activation::silu: return of(Unary::silu, x);
  }
  return x;
}

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const auto& attrs = node.attrs<NormalizeRowsAttrs>();
  const auto& [shape, dtype] = node.in(normalize_x);
  const std::size_t weighing = node.has(normalize_weight) ? normalize_weight : normalize_bias;
  const auto real = [&](std::size_t i) { return ops::in(DType::f32, Term{in[i], builder.site}); };
  Term x = real(normalize_x);
  if (node.has(normalize_residual)) x = x + real(normalize_residual);
  const RowShapes as = row_shapes(attrs, shape, node.has(weighing) ? node.in(weighing).shape[0] : 0);
  const Term rows = shaped(x, as.rows);
  Centred at{rows, rows, rows};
  if (attrs.centred)
    at = centre(rows, {2, 3}, attrs.eps);
  else
    at.inverse = of(Unary::rsqrt, of(Reduce::mean, of(Unary::square, rows), {2, 3}) + attrs.eps);
  Term y = at.deviation * at.inverse;
  if (node.has(normalize_weight)) y = y * shaped(real(normalize_weight), as.weights);
  if (node.has(normalize_bias)) y = y + shaped(real(normalize_bias), as.weights);
  std::size_t next = 0;
  out[next++] = ops::in(dtype, shaped(activated(attrs.activation, y), shape)).tensor;
  if (attrs.sum) out[next++] = ops::in(dtype, x).tensor;
  if (attrs.statistics > 0) out[next++] = shaped(at.inverse, {attrs.rows}).tensor;
  if (attrs.statistics > 1) out[next++] = shaped(at.mean, {attrs.rows}).tensor;
  return true;
}

// The activation of what alone reads the result. An addition that makes x is the fuse pass's to find: it stands before the node.
bool absorb(const NodeView& node, const Follower& follower, std::vector<Tensor>&, ir::Attrs& attrs) {
  NormalizeRowsAttrs changed = node.attrs<NormalizeRowsAttrs>();
  if (changed.activation != Activation::none || follower.added) return false;
  changed.activation = follower.activation;
  attrs = ir::Attrs::of(changed);
  return true;
}

// ---- Gradient -----------------------------------------------------------------------------------------------------

// Of the normalised rows alone. What the fuse pass makes of the node, and gradients of its statistics, go by the decomposition.
bool vjp(Vjp& vjp) {
  NormalizeRowsAttrs attrs = vjp.attrs<NormalizeRowsAttrs>();
  if (attrs.sum || attrs.activation != Activation::none || vjp.has(normalize_residual) || !vjp.d()) return false;
  for (std::int64_t i = 0; i < attrs.statistics; ++i)
    if (vjp.d(static_cast<std::size_t>(1 + i))) return false;
  const CallSite site = vjp.site;
  const ir::Type of_rows{Shape{attrs.rows}, DType::f32};
  const std::int64_t had = attrs.statistics;
  Tensor statistics[2];
  for (std::int64_t i = 0; i < (attrs.centred ? 2 : 1); ++i) {
    attrs.statistics = std::max(had, i + 1);
    statistics[i] = i < had ? vjp.out(static_cast<std::size_t>(1 + i)) : vjp.add_result(ir::Attrs::of(attrs), of_rows);
  }
  const Tensor x = vjp.in(normalize_x), weight = vjp.in(normalize_weight), d = cast(vjp.d(), x.dtype(), site);
  if (vjp.wants(normalize_x)) {
    const Tensor in[] = {d, weight, x, statistics[0], statistics[1], Tensor()};
    vjp.give(normalize_x, append(normalize_rows_backward_op, in, ir::Attrs::of(attrs), site)[0]);
  }
  NormalizeRowsWeightsAttrs of_weights{attrs, 1, vjp.wants(normalize_weight), vjp.wants(normalize_bias)};
  if (!of_weights.weight && !of_weights.bias) return true;
  of_weights.count = vjp.in_shape(of_weights.weight ? normalize_weight : normalize_bias)[0];
  const Tensor in[] = {d, x, statistics[0], statistics[1]};
  const std::vector<Tensor> given = append(normalize_rows_weights_op, in, ir::Attrs::of(of_weights), site);
  if (of_weights.weight) vjp.give(normalize_weight, given[0]);
  if (of_weights.bias) vjp.give(normalize_bias, given[of_weights.weight]);
  return true;
}

// Sum, difference, square, sum of squares, and two products and a sum to finish.
double flops(const NodeView& node) { return 7 * static_cast<double>(node.in(0).shape.elements()); }

}  // namespace

extern constexpr OpDef normalize_rows_op{
    .name = "normalize_rows", .infer = infer, .operands = {"x"}, .decompose = decompose, .kernels = kernels, .vjp = vjp,
    .absorb = absorb, .flops = flops};

}  // namespace fovea::ops
