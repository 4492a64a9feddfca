// The gradient of attention: the weights made again from the log-sum-exp, in tiles, or all at once where no kernel fits.

#include "ops/attention_blocks.hpp"
#include "ops/matrix_units.hpp"
#include "ops/vjp.hpp"

#include <algorithm>
#include <limits>

namespace fovea::ops {
namespace {

using namespace shader;

void infer(InferContext& context) {
  const auto& attrs = context.attrs.as<AttentionBackwardAttrs>();
  const auto type = [&](std::size_t i) { return ir::Type{context.shape(i), context.dtype(i)}; };
  if (attrs.d_q) context.out.push_back(type(0));
  if (attrs.d_kv) context.out.push_back(type(1)), context.out.push_back(type(2));
  if (attrs.d_mask) context.out.push_back(type(3));
  const Shape scores{context.shape(0)[0], context.shape(0)[1], context.shape(0)[2], context.shape(1)[2]};
  for (std::int64_t s : attrs.sites)
    context.out.push_back({mod_site_shape(facts_of(attrs.forward.mod).sites[static_cast<std::size_t>(s)], scores), DType::f32});
}

// ---- Kernels ------------------------------------------------------------------------------------------------------

std::uint64_t quads(std::int64_t size) { return ceil_div(static_cast<std::uint64_t>(size), 4); }

// Bit n: the mask is not broadcast along axis n of [B,H,Lq,Lk].
uint full_axes(const Shape& mask, const Shape& scores) {
  uint axes = 0;
  for (int axis = 0; axis < mask.rank(); ++axis)
    if (mask.at(-1 - axis) == scores.at(-1 - axis)) axes |= 8u >> axis;
  return axes;
}

// The gradient of the mask, or what a site takes: of each element the sum over the pairs (i, j) that read it.
struct PairSum {
  uint axes, site;  // FULL_AXES, SITE
  std::uint64_t elements, readers;
};
std::vector<PairSum> pair_sums(const NodeView& node) {
  const AttentionShape shape(node);
  const Shape scores{shape.B, shape.H, shape.Lq, shape.Lk};
  const auto& attrs = node.attrs<AttentionBackwardAttrs>();
  std::vector<PairSum> sums;
  const auto add = [&](uint axes, std::int64_t site, const Shape& summed) {
    const auto elements = static_cast<std::uint64_t>(summed.elements());
    sums.push_back({axes, u32(site), elements, static_cast<std::uint64_t>(scores.elements()) / std::max<std::uint64_t>(elements, 1)});
  };
  const Grids& grids = attrs.forward.grids;
  if (attrs.d_mask && grids.biased) {
    // Of [B,H,Lq,T], by the elements of the table.
    const Shape& bias = node.in(3).shape;
    const std::int64_t tables = tables_of(bias);
    const auto readers = static_cast<std::uint64_t>(shape.B * shape.H * shape.Lq / std::max<std::int64_t>(tables, 1));
    sums.push_back({tables == shape.H ? 10u : 8u, 0, static_cast<std::uint64_t>(bias.elements()), readers});
  } else if (attrs.d_mask) {
    add(full_axes(node.in(3).shape, scores), 0, node.in(3).shape);
  }
  for (std::int64_t s : attrs.sites) {
    const ModSite& site = facts_of(attrs.forward.mod).sites[static_cast<std::size_t>(s)];
    add(site.axes, s + 1, mod_site_shape(site, scores));
  }
  return sums;
}

// Parts of so many terms, each of which a lane adds up in loops that the device runs; 0: not even a term does.
std::uint64_t parts_of(std::uint64_t terms, std::uint64_t iterations_a_term, const DeviceCaps& caps, std::uint64_t parts = 1) {
  for (std::uint64_t most = ceil_div(terms, parts); !ops::loops_fit(caps, most * iterations_a_term); most = ceil_div(terms, parts)) {
    if (most <= 1) return 0;
    parts *= 2;
  }
  return parts;
}
// Few elements leave a device idle: more parts, of at least 64 pairs each.
std::uint64_t parts_of(const NodeView& node, const PairSum& sum, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  const std::uint64_t lanes = caps.type == DeviceType::cpu ? 64 : 8192;
  std::uint64_t parts = 1;
  while (parts < 256 && sum.elements * parts < lanes && sum.readers / parts >= 128) parts *= 2;
  return parts_of(sum.readers, quads(shape.D) + quads(shape.Dv) + 3, caps, parts);
}

// `inner`: iterations inside a step's.
bool loops_fit(const NodeView& node, const DeviceCaps& caps, std::uint64_t step, std::uint64_t inner = 0) {
  const AttentionShape shape(node);
  const bool ranged = node.has(attention_backward_ranges);
  if (ranged) inner += step + 1;
  for (const PairSum& sum : pair_sums(node)) {
    const std::uint64_t parts = parts_of(node, sum, caps);
    if (parts == 0 || (parts > 1 && sum.elements * parts * 4 > caps.max_storage_range)) return false;
    if (sum.readers + parts > UINT32_MAX) return false;  // counted in 32 bits
  }
  const Grids& grids = node.attrs<AttentionBackwardAttrs>().forward.grids;
  const std::uint64_t longest = std::max(steps_over_rows(grids, shape.heads_a_key_head() * shape.Lq, step), steps_over_keys(grids, shape.Lk, step));
  const std::uint64_t steps = (longest + ATTENTION_BLOCK) * (1 + inner);
  return ops::loops_fit(caps, steps + (ranged ? 65 : 0));  // and the owned rows' ranges
}

// The ends of ranges are stored as f32.
bool takes(const NodeView& node) {
  const AttentionShape shape(node);
  return attention_kernel_takes(shape) && (!node.has(attention_backward_ranges) || shape.Lk <= std::int64_t{1} << 24);
}

// A lane holds four rows: those of a larger head would go to a GPU's memory, and there is attention_backward_split.
bool supports_uniform(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  const bool fits = caps.type == DeviceType::cpu || shape.D + shape.Dv <= 32;
  return fits && takes(node) && loops_fit(node, caps, 1);
}

// Lanes that share a row, of which each has at most four vec4s.
uint lanes_a_row(const NodeView& node) {
  const AttentionShape shape(node);
  const std::int64_t most = std::max(shape.D, shape.Dv);
  return most <= 64 ? 4 : most <= 128 ? 8 : 16;
}
bool supports_split(const NodeView& node, const DeviceCaps& caps) {
  const std::uint64_t lanes = lanes_a_row(node);
  return takes(node) && loops_fit(node, caps, lanes, 3 * (lanes + 1));
}

// Rows a lane, as many as the driver compiles within seconds, of which a step is unrolled: a subgroup of rows, each with
// four products; on GPUs one. 0: not even one. With four rows SwiftShader's compiler takes 17 GB for a head of 64.
uint rows_a_lane(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  const std::uint64_t unrolled = caps.subgroup_size * 2 * (quads(shape.D) + quads(shape.Dv));
  const bool one = caps.costly_unrolling || caps.type != DeviceType::cpu;
  return static_cast<uint>(std::min<std::uint64_t>((caps.costly_unrolling ? 512 : 1024) / unrolled, one ? 1 : 2));
}
bool supports_shuffle(const NodeView& node, const DeviceCaps& caps) {
  return takes(node) && caps.subgroup_size >= 2 && caps.subgroup_size <= 16 && lane_holds_row(AttentionShape(node), caps) &&
         rows_a_lane(node, caps) > 0 && loops_fit(node, caps, caps.subgroup_size);
}

// The statistics with the weights' sum.
std::uint64_t summed_stats_bytes(const NodeView& node) {
  const AttentionShape shape(node);
  const auto rows = static_cast<std::uint64_t>(shape.B * shape.H * shape.Lq);
  return std::max<std::uint64_t>(rows * (node.has(attention_backward_ranges) ? 32 : 16), 16);
}

// With the operands that all launches have, and the state of dropout; without an author's buffers.
Launch& add_launch(const NodeView& node, const char* stem, const AttentionSpec& spec, const AttentionParams& params, LaunchOperand stats,
                   std::initializer_list<LaunchOperand> results, KernelPlan& plan) {
  const AttentionAttrs& forward = node.attrs<AttentionBackwardAttrs>().forward;
  Launch& launch = plan.launches.emplace_back();
  launch.shader = attention_shader(stem, forward.dropout > 0 ? "dropped" : "whole", forward, node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(0), in(1), in(2), node.has(3) ? in(3) : unused(), stats, in(6)};
  launch.operands.insert(launch.operands.end(), results.begin(), results.end());
  if (forward.dropout > 0) launch.operands.push_back(in(4));
  return launch;
}

// The gradients of the mask and of what sites take, outputs from `next` on: from the statistics with the weights' sum, scratch 0.
void plan_pair_sums(const NodeView& node, const DeviceCaps& caps, AttentionSpec spec, std::uint32_t next, KernelPlan& plan) {
  const auto& attrs = node.attrs<AttentionBackwardAttrs>();
  spec.WG = 32, spec.SIDE = ATTENTION_BACKWARD_QUERIES, spec.BLOCKS = ATTENTION_BLOCKS_ALL;
  for (const PairSum& sum : pair_sums(node)) {
    spec.FULL_AXES = sum.axes, spec.SITE = sum.site, spec.MODE = ATTENTION_MASK_OF_PAIRS;
    LaunchOperand from = scratch_read(0);
    // Each launch but the last leaves parts, which the next one adds up.
    for (std::uint64_t left = 0, parts = parts_of(node, sum, caps); left != 1; left = parts, parts = parts_of(parts, 1, caps)) {
      const auto scratch = static_cast<std::uint32_t>(plan.scratch_bytes.size());
      if (parts > 1) plan.scratch_bytes.push_back(sum.elements * parts * 4);
      spec.PARTS = static_cast<std::uint32_t>(parts);
      AttentionParams params = attention_params(node, attrs.forward, attention_backward_ranges);
      params.pages = static_cast<std::uint32_t>(left);
      params.row_blocks = 1;
      const LaunchOperand to = parts > 1 ? scratch_write(scratch) : out(next++);
      Launch& launch = add_launch(node, "attention_backward_mask", spec, params, from, {to}, plan);
      bind_mod(launch, node, attrs.forward.mod, attention_backward_buffers, unused());
      launch.groups = flat_groups(sum.elements * parts, spec.WG, caps);
      from = scratch_read(scratch), spec.MODE = ATTENTION_MASK_OF_PARTS;
    }
  }
}

// `spec` has the workgroup, of which `lanes` share a row of those that it owns, and the rows a lane and a step.
void plan(const NodeView& node, const DeviceCaps& caps, const char* stem, AttentionSpec spec, uint lanes, KernelPlan& plan) {
  const auto& attrs = node.attrs<AttentionBackwardAttrs>();
  std::uint32_t next = 0;
  const AttentionShape shape(node);
  spec.RANGES = node.has(attention_backward_ranges);
  plan.scratch_bytes = {summed_stats_bytes(node)};
  const auto launch = [&](std::int64_t owned, LaunchOperand stats, std::initializer_list<LaunchOperand> results) {
    const uint rows = spec.WG / lanes * spec.ROWS;
    AttentionParams params = attention_params(node, attrs.forward, attention_backward_ranges);
    params.row_blocks = u32(static_cast<std::int64_t>(ceil_div(static_cast<std::uint64_t>(owned), rows)));
    set_tile(spec, attrs.forward.grids, rows);
    const LaunchOperand blocks = plan_blocks(plan, node, caps, attrs.forward, spec.SIDE, rows, params, attention_backward_buffers, spec);
    Launch& one = add_launch(node, stem, spec, params, stats, results, plan);
    bind_mod(one, node, attrs.forward.mod, attention_backward_buffers, blocks);
    one.groups = flat_groups(std::uint64_t{params.pairs} * params.row_blocks, 1, caps);
  };
  spec.SIDE = ATTENTION_BACKWARD_QUERIES;
  spec.LSE = attrs.d_q;
  launch(shape.heads_a_key_head() * shape.Lq, in(5), {attrs.d_q ? out(next) : unused(Access::write), scratch_write(0)});
  next += attrs.d_q;
  if (attrs.d_kv) {
    spec.SIDE = ATTENTION_BACKWARD_KEYS;
    spec.LSE = 1;
    launch(shape.Lk, scratch_read(0), {out(next), out(next + 1)});
    next += 2;
  }
  plan_pair_sums(node, caps, spec, next, plan);
}

AttentionSpec spec_of(const NodeView& node, uint group, uint step, uint rows = 1) {
  AttentionSpec spec = attention_spec(node, node.attrs<AttentionBackwardAttrs>().forward);
  spec.WG = group, spec.KEYS = step, spec.ROWS = rows;
  return spec;
}

void plan_shuffle(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = spec_of(node, caps.subgroup_size, caps.subgroup_size, rows_a_lane(node, caps));
  plan(node, caps, caps.costly_shuffles ? "attention_backward.broadcast" : "attention_backward.shuffle", spec, 1, out);
}
void plan_uniform(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  plan(node, caps, "attention_backward.uniform", spec_of(node, caps.type == DeviceType::cpu ? 32 : 64, 1), 1, out);
}
void plan_split(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const uint lanes = lanes_a_row(node);
  plan(node, caps, "attention_backward_split", spec_of(node, caps.type == DeviceType::cpu ? 32 : 64, lanes), lanes, out);
}

// ---- In one walk, its pairs stored --------------------------------------------------------------------------------

// A launch's part of the work: pairs of the batch and key heads, and blocks of rows, of as many as the workgroup has lanes.
struct StoredPart {
  AttentionSpec spec;
  std::uint64_t pairs, blocks, keys;  // and keys, by whole blocks of as many
  std::uint64_t all_pairs, all_blocks;

  std::uint64_t parts() const { return ceil_div(all_pairs, pairs) * ceil_div(all_blocks, blocks); }
  std::uint64_t scratch_bytes() const {
    const std::uint64_t quads_a_key = ceil_div(spec.D, 4) + ceil_div(spec.DV, 4), sums = blocks < all_blocks ? quads_a_key * 16 : 0;
    return pairs * keys * (ceil_div(blocks, 8) * 8 * spec.WG * 8 + sums);
  }
};
// What a launch stores: as much as stays in a core's cache (of 32 MiB it takes longer). And rows that it has at least: to add
// up the keys' gradients by fewer costs more.
constexpr std::uint64_t stored_bytes = std::uint64_t{2} << 20, fewest_stored_rows = 128;

StoredPart stored_part(const NodeView& node, const DeviceCaps& caps) {
  const AttentionShape shape(node);
  AttentionSpec spec = spec_of(node, caps.subgroup_size, 0);
  spec.RANGES = node.has(attention_backward_ranges);
  spec.SIDE = ATTENTION_BACKWARD_QUERIES;
  // As forward by addresses: what a step unrolls.
  const std::uint64_t most = caps.fast_addresses ? 256 : 32;
  for (spec.KEYS = std::min(spec.WG, 8u); spec.KEYS > 1 && spec.KEYS * (quads(shape.D) + quads(shape.Dv)) > most;) spec.KEYS /= 2;
  const auto rows = static_cast<std::uint64_t>(shape.heads_a_key_head() * shape.Lq);
  const std::uint64_t keys = ceil_div(static_cast<std::uint64_t>(shape.Lk), spec.WG) * spec.WG;
  const auto all_pairs = static_cast<std::uint64_t>(shape.B * shape.Hk);
  const std::uint64_t all_blocks = ceil_div(rows, spec.WG), fitting = std::max<std::uint64_t>(stored_bytes / (keys * spec.WG * 8), 1);  // blocks
  const std::uint64_t pairs = std::clamp<std::uint64_t>(fitting / (ceil_div(all_blocks, 8) * 8), 1, all_pairs);
  return {spec, pairs, std::min(all_blocks, std::max(fitting, ceil_div(fewest_stored_rows, spec.WG))), keys, all_pairs, all_blocks};
}

bool supports_stored(const NodeView& node, const DeviceCaps& caps) {
  const auto& attrs = node.attrs<AttentionBackwardAttrs>();
  const AttentionShape shape(node);
  if (!takes(node) || !has_quads_by_address(caps)) return false;
  // A workgroup has as many lanes as a subgroup, of which GPUs would run few. In subgroups of 16, with vectors of 512 bits, lavapipe
  // 26.1.6 ends while it compiles them ("stack smashing detected").
  if (caps.type != DeviceType::cpu || (caps.subgroup_size != 4 && caps.subgroup_size != 8)) return false;
  // A soft-cap's slope would be a third number a pair; an author's mask, or a window, leaves tiles without a pair among others.
  if (attrs.forward.softcap > 0 || attrs.forward.mod || attrs.forward.grids) return false;
  if (!attrs.d_q) return false;  // its address is among those that the launches have
  if (std::min({shape.B, shape.H, shape.Lq, shape.Lk}) == 0) return false;  // the last row stands for those past the end; divisors
  const StoredPart part = stored_part(node, caps);
  if (part.parts() > 4096 || part.scratch_bytes() >= std::uint64_t{1} << 32) return false;  // of three launches; counted in 32 bits
  // Numbers are picked out of a tile in loops that lavapipe 22 does not unroll; where a sum is not finite, a walk by ones follows.
  const auto walk = [&](std::uint64_t length) {
    return nested_loops({static_cast<std::int64_t>(ceil_div(length, part.spec.KEYS)), part.spec.KEYS, part.spec.WG}) + length;
  };
  return loops_fit(node, caps, 1) && ops::loops_fit(caps, std::max(walk(part.keys), walk(part.blocks * part.spec.WG)));
}

void plan_stored(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const auto& attrs = node.attrs<AttentionBackwardAttrs>();
  const StoredPart part = stored_part(node, caps);
  const AttentionSpec& spec = part.spec;
  plan.scratch_bytes = {summed_stats_bytes(node), part.scratch_bytes()};
  AttentionParams params = attention_params(node, attrs.forward, attention_backward_ranges);
  const LaunchOperand pairs{LaunchOperand::Kind::scratch, 1, Access::read_write};
  for (std::uint64_t pair = 0; pair < part.all_pairs; pair += part.pairs) {
    for (std::uint64_t block = 0; block < part.all_blocks; block += part.blocks) {
      params.pairs = static_cast<std::uint32_t>(std::min(part.pairs, part.all_pairs - pair));
      params.row_blocks = static_cast<std::uint32_t>(std::min(part.blocks, part.all_blocks - block));
      params.page = static_cast<std::uint32_t>(block * spec.WG);
      params.pages = static_cast<std::uint32_t>(pair);
      const auto of_queries = [&](uint mode, LaunchOperand stats, std::initializer_list<LaunchOperand> results) {
        AttentionSpec one = spec;
        one.MODE = mode;
        Launch& launch = add_launch(node, "attention_backward_queries", one, params, stats, results, plan);
        launch.addresses = {1, 2, 6, 8};
        launch.groups = flat_groups(std::uint64_t{params.pairs} * params.row_blocks, 1, caps);
      };
      of_queries(ATTENTION_QUERIES_PAIRS, in(5), {out(0), scratch_write(0), pairs});  // dq is not reached, and has an address
      of_queries(ATTENTION_QUERIES_SUM, scratch_read(0), {out(0), unused(Access::write), pairs});
      if (!attrs.d_kv) continue;
      const std::initializer_list<LaunchOperand> d_kv{out(1), out(2), pairs};
      Launch& of_keys = add_launch(node, "attention_backward_keys", spec, params, scratch_read(0), d_kv, plan);
      of_keys.addresses = {0, 5, 6, 7, 8};
      of_keys.groups = flat_groups(params.pairs * (part.keys / spec.WG), 1, caps);
    }
  }
  plan_pair_sums(node, caps, spec, attrs.d_kv ? 3 : 1, plan);
}

std::uint64_t matrix_shared_bytes(const AttentionSpec& spec, Exchange exchange) {
  const std::uint64_t rows = spec.WG / spec.SUBGROUP * spec.MATRIX_M, wider = std::max(spec.MATRIX_K, spec.MATRIX_N);
  const auto pitch = [&](std::uint64_t size) { return (size + wider - 1) / wider * wider / 4 + 2; };
  const std::uint64_t tile = std::max(spec.KEYS * (pitch(spec.D) + pitch(spec.DV)), rows * std::max(pitch(spec.D), pitch(spec.DV)));
  return tile * 8 + (exchange == Exchange::shared ? rows * ((spec.KEYS + 4) * 8 + (spec.KEYS + 8) * 4 + 8) : 0) + spec.KEYS * 4;
}
// As many subgroups as shared memory takes; MATRIX_M is 0 where not even one has room, or the device no matrices.
AttentionSpec matrix_spec(const NodeView& node, const DeviceCaps& caps, Exchange exchange) {
  AttentionSpec spec = spec_of(node, 0, matrix_side(caps));
  if (!take_matrices(spec, caps, spec.KEYS, exchange)) return spec;
  for (uint subgroups : {4u, 2u, 1u}) {
    spec.WG = subgroups * spec.SUBGROUP;
    if (group_fits(caps, spec.WG, matrix_shared_bytes(spec, exchange))) return spec;
  }
  spec.MATRIX_M = 0;
  return spec;
}
template <Exchange exchange>
bool supports_matrix(const NodeView& node, const DeviceCaps& caps) {
  const auto& forward = node.attrs<AttentionBackwardAttrs>().forward;
  // As forward: an author's text is compiled apart, and without NORMALIZE a weight may pass f16's range.
  if (node.in(0).dtype != DType::f16 || forward.mod || !forward.normalize || !takes(node)) return false;
  // A subgroup holds its rows and their sums: with heads of 128 Navi 31 keeps 434 registers in memory, and NVK 662.
  const AttentionShape shape(node);
  if (caps.type != DeviceType::cpu && shape.D + shape.Dv > (caps.few_registers ? 64 : 128)) return false;
  return matrix_spec(node, caps, exchange).MATRIX_M > 0 && loops_fit(node, caps, matrix_side(caps), 4096);
}
template <Exchange exchange>
void plan_matrix(const NodeView& node, const DeviceCaps& caps, KernelPlan& out) {
  const AttentionSpec spec = matrix_spec(node, caps, exchange);
  plan(node, caps, exchange == Exchange::shared ? "attention_backward_matrix" : "attention_backward_matrix2", spec,
       spec.SUBGROUP / spec.MATRIX_M, out);
}

bool made_for_addresses(const NodeView&, const DeviceCaps& caps) { return caps.fast_addresses; }
bool made_for_cpu(const NodeView&, const DeviceCaps& caps) { return caps.type == DeviceType::cpu; }
bool made_for_gpu(const NodeView& node, const DeviceCaps& caps) { return !made_for_cpu(node, caps); }

constexpr Kernel kernels[] = {
    {"attention_backward_stored", supports_stored, plan_stored, made_for_addresses},
    {"attention_backward_shuffle", supports_shuffle, plan_shuffle, made_for_cpu},
    {"attention_backward_matrix", supports_matrix<Exchange::shared>, plan_matrix<Exchange::shared>, made_for_gpu},
    {"attention_backward_split", supports_split, plan_split, made_for_gpu},
    {"attention_backward_uniform", supports_uniform, plan_uniform},
    // Measured on no GPU yet: taken where the tuner, or a caller, says so.
    {"attention_backward_matrix2", supports_matrix<Exchange::registers>, plan_matrix<Exchange::registers>},
};

// ---- The same with the scores stored ------------------------------------------------------------------------------

bool decompose(Builder& builder, const NodeView& node, std::span<const Tensor> in, std::span<Tensor> out) {
  const AttentionShape shape(node);
  const auto& attrs = node.attrs<AttentionBackwardAttrs>();
  const CallSite site = builder.site;
  const auto wide = [&](Tensor x) { return cast(x, DType::f32, site); };
  const auto times = [&](Tensor a, Tensor b) { return binary(Binary::mul, a, b, site); };
  const std::int64_t rows = shape.heads_a_key_head() * shape.Lq;  // of the queries that share a key head
  const auto grouped = [&](Tensor x) { return reshape(x, {shape.B, shape.Hk, rows, x.dim(-1)}, site); };

  Tensor capped;
  const std::span<const Tensor> buffers = in.size() > attention_backward_buffers ? in.subspan(attention_backward_buffers) : std::span<const Tensor>();
  const ModCall mod = mod_call(attrs.forward, shape, buffers, site);
  const Tensor ranges = in.size() > attention_backward_ranges ? in[attention_backward_ranges] : Tensor();
  const Tensor scores = attention_scores(builder, shape, attrs.forward, in.first(4), ranges, buffers, capped);
  const Tensor weights = attention_weights(scores, attrs.forward, site);
  const Tensor d_out = grouped(wide(in[6]));
  const Tensor d_used = reshape(matmul(d_out, wide(in[2]), {.transpose_b = true}, site), scores.shape().extents(), site);
  const auto left_by_dropout = [&](Tensor x) { return dropped(x, attrs.forward, in[4], site); };
  // A row of NaN has weights of NaN, and sees no more keys for that.
  const Tensor zero = scalar(scores, 0, site), forbidden = scalar(scores, -std::numeric_limits<float>::infinity(), site);
  Tensor excluded = binary(Binary::equal, scores, forbidden, site);
  if (attrs.forward.normalize) excluded = binary(Binary::logical_or, excluded, binary(Binary::equal, weights, zero, site), site);
  const Tensor d_dropped = left_by_dropout(d_used), d_weights = with_factor(d_dropped, excluded, mod);
  const bool excludes = attention_excludes(attrs.forward, shape, ranges || (in.size() > 3 && in[3]));
  Tensor d_of_scores = d_weights;
  if (attrs.forward.normalize) {
    // delta as the pairs give it, so that a row's ds add up to dlse: dO·O, rounded otherwise, leaves rows of one large weight a slope.
    const Tensor d_lse = slice(in[5], {.axis = -1, .start = 2, .stop = 3}, site);
    const Tensor sum = reduce(Reduce::sum, select(excluded, zero, times(weights, d_weights), site), {.axes = {-1}, .keep_dims = true}, site);
    const Tensor delta = binary(Binary::sub, sum, reshape(d_lse, sum.shape().extents(), site), site);
    d_of_scores = times(weights, binary(Binary::sub, d_weights, delta, site));
  }
  const Tensor d_scores = select(excluded, zero, d_of_scores, site);
  Tensor d_product = attrs.forward.mod ? mod_slope(mod, capped, d_scores) : d_scores;
  if (attrs.forward.softcap > 0) {
    const Tensor bent = unary(Unary::square, binary(Binary::div, capped, scalar(capped, attrs.forward.softcap, site), site), site);
    d_product = times(d_product, binary(Binary::sub, scalar(bent, 1, site), bent, site));
  }
  // pairs · x, or pairsᵀ · x, where a pair without weight takes nothing of its row of x, be it NaN or infinite.
  const auto sum_of_seen = [&](Tensor pairs, Tensor x, bool of_queries, float alpha) {
    const MatmulDesc product{.transpose_a = of_queries, .alpha = alpha};
    if (!excludes) return matmul(grouped(pairs), x, product, site);
    const Tensor finite = is_finite(x, site), none = scalar(x, 0, site);
    const Tensor stain = select(finite, none, scalar(x, std::numeric_limits<float>::quiet_NaN(), site), site);
    Tensor stains = reduce(Reduce::sum, stain, {.axes = {-1}, .keep_dims = true}, site);  // a row: 0, or NaN
    if (!of_queries) stains = transpose(stains, -1, -2, site);
    const Tensor seen = binary(Binary::add, grouped(pairs), stains, site);
    return matmul(select(grouped(excluded), none, seen, site), select(finite, x, none, site), product, site);
  };
  const auto give = [&](Tensor& to, Tensor x, const ir::Type& type) {
    to = cast(reshape(x, type.shape.extents(), site), type.dtype, site);
  };
  std::size_t next = 0;
  const float scale = attrs.forward.scale;
  if (attrs.d_q) give(out[next++], sum_of_seen(d_product, wide(in[1]), false, scale), node.in(0));
  if (attrs.d_kv) {
    give(out[next++], sum_of_seen(d_product, grouped(wide(in[0])), true, scale), node.in(1));
    give(out[next++], sum_of_seen(with_factor(left_by_dropout(weights), excluded, mod), d_out, true, 1), node.in(2));
  }
  const Grids& grids = attrs.forward.grids;
  if (attrs.d_mask) give(out[next++], grids.biased ? bias_gradient(d_scores, node.in(3).shape, grids, site) : sum_to(d_scores, node.in(3).shape, site), node.in(3));
  for (std::int64_t s : attrs.sites) {
    const auto number = static_cast<std::size_t>(s);
    const bool of_factor = facts_of(attrs.forward.mod).sites[number].of_factor;
    out[next++] = mod_read(mod, number, capped, of_factor ? select(excluded, zero, times(weights, d_dropped), site) : d_scores);
  }
  return true;
}

// Two products to have the scores and the weights' gradient, one a gradient.
double flops(const NodeView& node) {
  const AttentionShape shape(node);
  const auto& attrs = node.attrs<AttentionBackwardAttrs>();
  const Grids& grids = attrs.forward.grids;
  const double pairs_of_head = grids ? pairs_of_neighbours(grids) : static_cast<double>(shape.Lq) * static_cast<double>(shape.Lk);
  const double pairs = static_cast<double>(shape.B * shape.H) * pairs_of_head;
  const auto D = static_cast<double>(shape.D), Dv = static_cast<double>(shape.Dv);
  return 2 * pairs * (D + Dv + (attrs.d_q ? D : 0) + (attrs.d_kv ? D + Dv : 0));
}

}  // namespace

extern constexpr OpDef attention_backward_op{.name = "attention_backward",
                                             .infer = infer,
                                             .required_inputs = 3,
                                             .decompose = decompose,
                                             .kernels = kernels,
                                             .flops = flops};

}  // namespace fovea::ops
