// attention's kernels: which shapes each takes, and its launch.

#include "ops/attention_blocks.hpp"
#include "ops/matrix_units.hpp"
#include "shaders/attention.h"

#include <algorithm>

namespace fovea::ops {
namespace {

using namespace shader;

constexpr std::int64_t most_head_size = 256;
constexpr std::int64_t most_length = std::int64_t{1} << 29;  // a row number and two band offsets in 32 bits

bool supports_shape(const NodeView& node) {
  return !node.attrs<AttentionAttrs>().weights && attention_kernel_takes(AttentionShape(node));
}

uint mask_kind(const NodeView& node) {
  if (!node.has(3)) return ATTENTION_MASK_NONE;
  const DType dtype = node.in(3).dtype;
  return dtype == DType::boolean ? ATTENTION_MASK_BOOLEAN : dtype == DType::f32 ? ATTENTION_MASK_F32 : ATTENTION_MASK_STORAGE;
}

}  // namespace

bool attention_kernel_takes(const AttentionShape& shape) {
  return std::min(shape.D, shape.Dv) >= 1 && std::max(shape.D, shape.Dv) <= most_head_size &&
         std::max(shape.Lq, shape.Lk) <= most_length;
}

AttentionSpec attention_spec(const NodeView& node, const AttentionAttrs& attrs) {
  const AttentionShape shape(node);
  AttentionSpec spec;
  spec.D = u32(shape.D);
  spec.DV = u32(shape.Dv);
  spec.MASK = mask_kind(node);
  spec.BAND = !band_of(attrs, shape).open;
  spec.SOFTCAP = attrs.softcap > 0;
  spec.LSE = attrs.lse;
  spec.NORMALIZE = attrs.normalize;
  set_neighbourhood(spec, attrs.grids);
  return spec;
}

AttentionParams attention_params(const NodeView& node, const AttentionAttrs& attrs, std::uint32_t ranges) {
  const AttentionShape shape(node);
  const AttentionBand band = band_of(attrs, shape);
  AttentionParams params{};
  params.pairs = u32(shape.B * shape.Hk);
  params.rows = u32(shape.heads_a_key_head() * shape.Lq);
  params.queries = u32(shape.Lq);
  params.keys = u32(shape.Lk);
  params.heads = u32(shape.H);
  params.key_heads = u32(shape.Hk);
  params.scale = attrs.scale;
  params.softcap = attrs.softcap;
  params.band_low = static_cast<std::int32_t>(band.low);
  params.band_high = static_cast<std::int32_t>(band.high);
  if (node.has(3) && attrs.grids.biased) {
    const Shape& bias = node.in(3).shape;
    if (tables_of(bias) > 1) params.mask_h = u32(bias.at(-2) * bias.at(-1));
    params.mask_j = 1;
  } else if (node.has(3)) {
    const auto strides = ir::broadcast_strides(node.in(3).shape, {shape.B, shape.H, shape.Lq, shape.Lk});
    params.mask_b = u32(strides[0]), params.mask_h = u32(strides[1]);
    params.mask_i = u32(strides[2]), params.mask_j = u32(strides[3]);
  }
  if (node.has(ranges)) {
    const auto strides = ir::broadcast_strides(node.in(ranges).shape, {shape.B, shape.H, shape.Lq, 2});
    params.range_b = u32(strides[0]), params.range_h = u32(strides[1]), params.range_i = u32(strides[2]);
  }
  set_neighbourhood(params, attrs.grids);
  params.keep_probability = 1 - attrs.dropout;
  params.stream = u32(attrs.stream);
  return params;
}

const ShaderInfo* attention_shader(const char* stem, const char* weights, const AttentionAttrs& attrs, DType dtype) {
  const std::string variant = cat(stem, '.', weights);
  return attrs.mod ? attrs.mod.source()->shader(variant_of(variant, dtype)) : shader_for(variant, dtype);
}

namespace {

AttentionSpec spec_of(const NodeView& node) {
  AttentionSpec spec = attention_spec(node, node.attrs<AttentionAttrs>());
  spec.RANGES = node.has(attention_ranges);
  spec.QUANTIZED = static_cast<uint>(node.attrs<AttentionAttrs>().quantized);
  return spec;
}
// Those of attention_params, and of pages.
AttentionParams params_of(const NodeView& node) {
  AttentionParams params = attention_params(node, node.attrs<AttentionAttrs>(), attention_ranges);
  if (node.has(attention_pages)) params.page = u32(node.in(1).shape[2]), params.pages = u32(node.in(1).shape[0]);
  return params;
}

bool is_ranged(const NodeView& node) { return node.has(attention_ranges); }
// What divides the keys in parts has no walk over windows.
bool has_grids(const NodeView& node) { return static_cast<bool>(node.attrs<AttentionAttrs>().grids); }
bool is_paged(const NodeView& node) { return node.has(attention_pages); }

// The shader of this node, and behind the operands that it has in any case those that its variant and a modification add.
void set_shader(Launch& launch, const NodeView& node, const char* stem, LaunchOperand blocks) {
  const auto& attrs = node.attrs<AttentionAttrs>();
  const bool drops = attrs.dropout > 0, ranged = is_ranged(node), paged = is_paged(node);
  launch.shader = attention_shader(stem, paged ? "paged" : ranged ? "ranged" : drops ? "dropped" : "whole", attrs, node.in(0).dtype);
  if (!paged && (drops || ranged)) launch.operands.push_back(drops ? in(4) : unused());
  if (paged || ranged) launch.operands.push_back(ranged ? in(attention_ranges) : unused());
  if (paged) launch.operands.push_back(in(attention_pages));
  bind_mod(launch, node, attrs.mod, attention_buffers, blocks);
}

// One launch of `rows_a_group` query rows a workgroup.
void plan(const NodeView& node, const DeviceCaps& caps, const char* stem, AttentionSpec spec, uint rows_a_group, KernelPlan& plan) {
  const auto& attrs = node.attrs<AttentionAttrs>();
  AttentionParams params = params_of(node);
  params.row_blocks = u32(static_cast<std::int64_t>(ceil_div(params.rows, rows_a_group)));
  set_tile(spec, attrs.grids, rows_a_group);
  const LaunchOperand blocks =
      plan_blocks(plan, node, caps, attrs, ATTENTION_BACKWARD_QUERIES, rows_a_group, params, attention_buffers, spec);
  Launch& launch = plan.launches.emplace_back();
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), in(2), node.has(3) ? in(3) : unused(), out(0), attrs.lse ? out(1) : unused(Access::write)};
  set_shader(launch, node, stem, blocks);
  const std::uint64_t groups = std::uint64_t{params.pairs} * params.row_blocks;
  launch.groups = flat_groups(groups, 1, caps);
}

// Multiply-adds by fours, unrolled in a step of attention_row, that the driver compiles within seconds.
std::int64_t most_unrolled(const DeviceCaps& caps) { return caps.costly_unrolling ? 512 : 1024; }
std::int64_t unrolled_by_row(const AttentionSpec& spec) {
  return static_cast<std::int64_t>(spec.KEYS * (ceil_div(spec.D, 4) + ceil_div(spec.DV, 4)));
}

// A lane a query row, and on CPUs more rows a lane as far as compiling allows.
AttentionSpec row_spec(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  AttentionSpec spec = spec_of(node);
  spec.WG = spec.KEYS = caps.subgroup_size;
  const std::int64_t most = caps.type == DeviceType::cpu ? most_unrolled(caps) / std::max<std::int64_t>(unrolled_by_row(spec), 1) : 1;
  const auto lanes = static_cast<std::int64_t>(
      ceil_div(static_cast<std::uint64_t>(shape.heads_a_key_head() * shape.Lq), std::max(spec.WG, 1u)));
  spec.ROWS = u32(std::clamp<std::int64_t>(std::min(most, lanes), 1, 4));
  return spec;
}

// Of the loops of attention_row.comp.
std::uint64_t row_iterations(const NodeView& node, const AttentionSpec& spec) {
  const AttentionShape shape(node);
  const std::uint64_t steps = steps_over_keys(node.attrs<AttentionAttrs>().grids, shape.Lk, spec.KEYS) + ATTENTION_BLOCK;
  const bool excludes = attention_excludes(node.attrs<AttentionAttrs>(), shape, node.has(3) || is_ranged(node)) || shape.Lk % spec.KEYS != 0;
  const std::uint64_t with_care = excludes ? spec.ROWS : 0;
  const std::uint64_t ranges = is_ranged(node) ? std::uint64_t{spec.WG} * spec.ROWS + 1 : 0;
  return steps + with_care * (steps + 2) + spec.D / 4 + spec.DV / 4 + ranges;  // and those of q and y
}

bool supports_row(const NodeView& node, const DeviceCaps& caps) {
  if (!supports_shape(node)) return false;
  if (caps.subgroup_size < 1 || caps.subgroup_size > 16 || !lane_holds_row(AttentionShape(node), caps)) return false;  // a step is a subgroup of keys, unrolled
  const AttentionSpec spec = row_spec(node, caps);
  if (caps.costly_unrolling && unrolled_by_row(spec) > most_unrolled(caps)) return false;
  return loops_fit(caps, row_iterations(node, spec));
}

void plan_row(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = row_spec(node, caps);
  plan(node, caps, caps.costly_shuffles ? "attention_row.broadcast" : "attention_row.shuffle", spec, spec.WG * spec.ROWS, out);
}

// The same by addresses, of which each load serves a row: what keeps a step short is the code that it unrolls.
AttentionSpec row_address_spec(const NodeView& node, const DeviceCaps& caps) {
  AttentionSpec spec = spec_of(node);
  spec.WG = std::clamp(caps.subgroup_size, 8u, 64u);
  if (node.attrs<AttentionAttrs>().mod) spec.WG = std::max(spec.WG, 32u);  // fewer lists of blocks
  // Where addresses are slow, loads by them may be slow to compile, too: 256 quads took half a minute.
  const std::int64_t most = caps.fast_addresses ? 256 : 32;
  for (spec.KEYS = 8; spec.KEYS > 1 && unrolled_by_row(spec) > most;) spec.KEYS /= 2;
  if (AttentionShape(node).Lk % spec.KEYS == 0) spec.MODE = ATTENTION_STEPS_WHOLE;
  return spec;
}

bool supports_row_address(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  // The last key stands for those past the end.
  if (!supports_shape(node) || !has_quads_by_address(caps) || shape.Lk == 0) return false;
  if (node.attrs<AttentionAttrs>().quantized != Quantized::none) return false;
  if (!lane_holds_row(shape, caps)) return false;
  return loops_fit(caps, row_iterations(node, row_address_spec(node, caps)));
}

void plan_row_address(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = row_address_spec(node, caps);
  plan(node, caps, "attention_row.address", spec, spec.WG * spec.ROWS, out);
  out.launches.back().addresses = {0, 1, 2, 4};
}

// Many rows share what a workgroup loads, few waste no lanes; a lane's part of the sum stays in registers, of which some
// GPUs have 128; windows take some, too. One of which a workgroup is all that a core holds shares them among its lanes, and 4 rows with a soft-cap take more.
AttentionSpec tile_spec(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  AttentionSpec spec = spec_of(node);
  const std::int64_t rows = shape.heads_a_key_head() * shape.Lq;
  spec.WG = ATTENTION_TILE_LANES;
  spec.KEYS = ATTENTION_TILE_KEYS;
  const bool few_registers = caps.few_registers || caps.max_invocations <= ATTENTION_TILE_LANES;
  spec.ROWS = rows <= 16 ? 1 : rows <= 32 || shape.Dv > 128 || has_grids(node) ? 2 : shape.Dv > 96 || few_registers ? 3 : 4;
  return spec;
}

bool supports_tile(const NodeView& node, const DeviceCaps& caps) {
  if (!supports_shape(node)) return false;
  const AttentionShape shape(node);
  const std::uint64_t steps = steps_over_keys(node.attrs<AttentionAttrs>().grids, shape.Lk, ATTENTION_TILE_KEYS);
  const std::uint64_t chunks = ceil_div(static_cast<std::uint64_t>(shape.D), 16);      // of 4 + 1 iterations each
  // Of 8 + 1, as the maximum; and where the mask forbids, that of values that are not finite, which ends at once.
  const std::uint64_t slices = ceil_div(static_cast<std::uint64_t>(shape.Dv), 32);
  const std::uint64_t ranges = is_ranged(node) ? ATTENTION_TILE_LANES / 8 * 4 + 1 : 0;
  return loops_fit(caps, steps * (6 * chunks + 10 * slices + 9 + 3) + ranges);
}

void plan_tile(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = tile_spec(node, caps);
  plan(node, caps, "attention_tile", spec, ATTENTION_TILE_LANES / 8 * spec.ROWS, out);
}

// ---- On matrix units -----------------------------------------------------------------------------------------------

std::uint64_t matrix_shared_bytes(const AttentionSpec& spec, Exchange exchange) {
  const std::uint64_t one = spec.WG / spec.SUBGROUP * spec.MATRIX_M, rows = one * spec.ROWS;  // rows at a time, and in all
  const auto pitch = [](std::uint64_t size, std::uint64_t step) { return (size + step - 1) / step * step / 4 + 2; };
  const std::uint64_t d = pitch(spec.D, spec.MATRIX_K), v = pitch(spec.DV, spec.MATRIX_N);
  const std::uint64_t exchanged = one * (spec.KEYS + 4) * 4 + rows * ((spec.KEYS + 8) * 2 + 4);
  return std::max(one * d, spec.KEYS * (d + v)) * 8 + rows * ((spec.DV + 15) / 16 * 4) + 16 + (exchange == Exchange::shared ? exchanged : 0);
}

// The device's matrices of most rows, in as many subgroups as shared memory takes; MATRIX_M is 0 where there are none.
AttentionSpec matrix_spec(const NodeView& node, const DeviceCaps& caps, Exchange exchange) {
  const AttentionShape shape(node);
  AttentionSpec spec = spec_of(node);
  spec.KEYS = matrix_side(caps);
  if (!take_matrices(spec, caps, spec.KEYS, exchange)) return spec;
  const std::int64_t tiles = (shape.heads_a_key_head() * shape.Lq + spec.MATRIX_M - 1) / spec.MATRIX_M;
  // Two tiles share what a subgroup loads of k and v, as far as registers hold their sums.
  constexpr std::array<std::array<uint, 2>, 4> choices{{{4, 2}, {4, 1}, {2, 1}, {1, 1}}};
  for (const auto& [subgroups, rows] : choices) {
    spec.WG = subgroups * spec.SUBGROUP;
    spec.ROWS = rows;
    const bool has_work = subgroups == 1 || tiles > std::int64_t{subgroups} * rows / 2;
    if (has_work && group_fits(caps, spec.WG, matrix_shared_bytes(spec, exchange)) && (rows == 1 || (!caps.few_registers && shape.D + shape.Dv <= 128))) return spec;
  }
  spec.MATRIX_M = 0;
  return spec;
}

template <Exchange exchange>
bool supports_matrix(const NodeView& node, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<AttentionAttrs>();
  const AttentionShape shape(node);
  // Authors' texts are compiled by a library that may not know of matrices; without NORMALIZE a weight may pass f16's range.
  if (!supports_shape(node) || node.in(0).dtype != DType::f16 || attrs.mod || !attrs.normalize || is_paged(node) || attrs.quantized != Quantized::none) return false;
  if (caps.few_registers && shape.D + shape.Dv > 128) return false;
  return matrix_spec(node, caps, exchange).MATRIX_M > 0 && loops_fit(caps, steps_over_keys(attrs.grids, shape.Lk, matrix_side(caps)) * 4096);
}

template <Exchange exchange>
void plan_matrix(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = matrix_spec(node, caps, exchange);
  plan(node, caps, exchange == Exchange::shared ? "attention_matrix" : "attention_matrix2", spec, spec.WG / spec.SUBGROUP * spec.MATRIX_M * spec.ROWS, out);
}

// ---- One query a key head ------------------------------------------------------------------------------------------

// One row a key head leaves most lanes of the others without work: here the keys are what is divided, in parts of some 64.
constexpr std::int64_t keys_a_part = 64, most_parts = 64;

AttentionSpec parts_spec(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  AttentionSpec spec = spec_of(node);
  spec.WG = caps.type == DeviceType::cpu ? std::max(caps.subgroup_size, 1u) : 64;
  spec.KEYS = shape.D + shape.Dv <= 256 && !caps.costly_unrolling && !caps.few_registers ? 4 : 2;
  auto wanted = static_cast<uint>(std::clamp<std::int64_t>(shape.Lk / keys_a_part, 1, most_parts));
  if (is_ranged(node)) wanted = std::max(wanted, spec.WG);  // the lanes of a workgroup walk as far: one row
  spec.PARTS = wanted < spec.WG ? wanted : (wanted + spec.WG - 1) / spec.WG * spec.WG;  // lanes of a group: one row
  return spec;
}

// A lane keeps a row of q and one of v: of a large head, more than a GPU's registers.
bool supports_parts(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  if (!supports_shape(node) || has_grids(node) || (caps.type != DeviceType::cpu && shape.D + shape.Dv > 64)) return false;
  const AttentionSpec spec = parts_spec(node, caps);
  const double lanes = static_cast<double>(shape.B * shape.H * shape.Lq) * static_cast<double>(spec.PARTS) * static_cast<double>(shape.Dv + 4);
  return lanes < 0x1p32 && loops_fit(caps, ceil_div(static_cast<std::uint64_t>(shape.Lk), std::uint64_t{spec.KEYS} * spec.PARTS) + 2);
}

// The launch of `stem`, of so many lanes, and that which joins its parts.
void plan_of_parts(const NodeView& node, const DeviceCaps& caps, const char* stem, AttentionSpec spec, std::uint64_t lanes, KernelPlan& out_plan) {
  const auto& attrs = node.attrs<AttentionAttrs>();
  AttentionParams params = params_of(node);
  params.row_blocks = u32(static_cast<std::int64_t>(ceil_div(params.rows, spec.ROWS)));
  const std::uint64_t rows = std::uint64_t{params.pairs} * params.rows, quads = (spec.DV + 3) / 4;
  out_plan.scratch_bytes = {std::max<std::uint64_t>(rows * spec.PARTS * (quads + 1) * 16, 16)};
  Launch& parts = out_plan.launches.emplace_back();
  parts.set_constants(spec);
  parts.set_push(params);
  parts.operands = {in(0), in(1), in(2), node.has(3) ? in(3) : unused(), scratch_write(0)};
  set_shader(parts, node, stem, unused());
  parts.groups = flat_groups(lanes, spec.WG, caps);
  spec.WG = 64;
  Launch& merge = out_plan.launches.emplace_back();
  merge.shader = shader_for("attention_merge", node.in(0).dtype);
  merge.set_constants(spec);
  merge.set_push(params);
  merge.operands = {scratch_read(0), out(0), attrs.lse ? out(1) : unused(Access::write)};
  merge.groups = flat_groups(rows * quads, spec.WG, caps);
}

void plan_parts(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = parts_spec(node, caps);
  const AttentionShape shape(node);
  plan_of_parts(node, caps, "attention_parts", spec, static_cast<std::uint64_t>(shape.B * shape.H * shape.Lq) * spec.PARTS, out);
}

// Lanes for a vec4 of the head each, or two; parts enough for some 2000 subgroups on the device, of 64 keys at least, and whole
// workgroups of them.
AttentionSpec split_spec(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  AttentionSpec spec = spec_of(node);
  const auto rows = static_cast<uint>(shape.heads_a_key_head() * shape.Lq);
  spec.WG = caps.type == DeviceType::cpu ? caps.subgroup_size : std::max(caps.subgroup_size, 64u);
  const std::uint64_t quads = ceil_div(static_cast<std::uint64_t>(std::max(shape.D, shape.Dv)), 4);
  for (spec.TEAM = 1; spec.TEAM * 2 <= std::min<std::uint64_t>(quads, caps.subgroup_size); spec.TEAM *= 2) {}
  const std::uint64_t quads_a_lane = ceil_div(quads, spec.TEAM);
  spec.ROWS = static_cast<uint>(std::clamp<std::uint64_t>((caps.type == DeviceType::cpu ? 16 : caps.few_registers ? 2 : 4) / quads_a_lane, 1, std::min(rows, 4u)));
  spec.KEYS = caps.costly_unrolling ? 2 : 4;
  const uint teams = spec.WG / spec.TEAM;
  const std::uint64_t blocks = static_cast<std::uint64_t>(shape.B * shape.Hk) * ceil_div(rows, spec.ROWS);
  const std::uint64_t wanted = ceil_div(std::uint64_t{2048} * caps.subgroup_size, std::max<std::uint64_t>(blocks, 1) * spec.TEAM);
  const std::uint64_t most = std::max<std::uint64_t>(static_cast<std::uint64_t>(shape.Lk) / 64, 1);
  spec.PARTS = static_cast<uint>(ceil_div(std::min<std::uint64_t>({wanted, most, 1024}), teams) * teams);
  return spec;
}

bool supports_split(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  if (!supports_shape(node) || has_grids(node) || caps.subgroup_size == 0 || shape.B * shape.H * shape.Lq == 0) return false;
  const AttentionSpec spec = split_spec(node, caps);
  const double numbers = static_cast<double>(shape.B * shape.H * shape.Lq) * static_cast<double>(spec.PARTS) * static_cast<double>(shape.Dv + 4);
  const std::uint64_t steps = ceil_div(static_cast<std::uint64_t>(shape.Lk), std::uint64_t{spec.KEYS} * spec.PARTS);
  return numbers < 0x1p32 && loops_fit(caps, steps + spec.ROWS + 2);
}

void plan_split(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = split_spec(node, caps);
  const AttentionShape shape(node);
  const std::uint64_t blocks = static_cast<std::uint64_t>(shape.B * shape.Hk) *
                               ceil_div(static_cast<std::uint64_t>(shape.heads_a_key_head() * shape.Lq), spec.ROWS);
  plan_of_parts(node, caps, "attention_split", spec, blocks * spec.PARTS * spec.TEAM, out);
}

bool made_for_addresses(const NodeView&, const DeviceCaps& caps) { return caps.fast_addresses; }
bool made_for_cpu(const NodeView&, const DeviceCaps& caps) { return caps.type == DeviceType::cpu; }
bool made_for_gpu(const NodeView& node, const DeviceCaps& caps) { return !made_for_cpu(node, caps); }
bool has_one_row(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  return caps.type == DeviceType::cpu && shape.heads_a_key_head() * shape.Lq == 1 && shape.Lk >= 2 * keys_a_part;
}

// Few rows share a key head: matrix units would have them among zeros, and lanes that have a row each would be few.
bool has_few_rows(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  const std::int64_t rows = shape.heads_a_key_head() * shape.Lq;
  if (caps.type != DeviceType::cpu) return rows <= 8 && shape.Lk >= 4 * keys_a_part;
  const bool is_fast = !caps.costly_loads && !caps.costly_unrolling && !caps.costly_shuffles && shape.Lk >= 2 * keys_a_part;
  return is_fast && (rows == 1 || (rows <= 4 && shape.D + shape.Dv >= 256));
}

}  // namespace

extern constexpr Kernel attention_kernels[] = {
    {"attention_split", supports_split, plan_split, has_few_rows},
    {"attention_parts", supports_parts, plan_parts, has_one_row},
    {"attention_row_address", supports_row_address, plan_row_address, made_for_addresses},
    {"attention_row", supports_row, plan_row, made_for_cpu},
    {"attention_matrix", supports_matrix<Exchange::shared>, plan_matrix<Exchange::shared>, made_for_gpu, 0x1p-11f},
    {"attention_tile", supports_tile, plan_tile},
    // Measured on no GPU yet: taken where the tuner, or a caller, says so.
    {"attention_matrix2", supports_matrix<Exchange::registers>, plan_matrix<Exchange::registers>, nullptr, 0x1p-11f},
};

}  // namespace fovea::ops
