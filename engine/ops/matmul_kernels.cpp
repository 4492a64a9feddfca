#include "ops/matmul_kernels.hpp"
#include "ops/matrix_units.hpp"

#include <algorithm>

namespace fovea::ops {
namespace {

using shader::MatmulParams;
using Count = std::uint64_t;

// The constants that all kernels share.
template <class Spec>
Spec spec_of(const NodeView& node, const MatmulProblem& problem) {
  Spec spec;
  spec.A_TRANSPOSED = problem.a_transposed;
  spec.B_TRANSPOSED = problem.b_transposed;
  spec.RANK = static_cast<std::uint32_t>(problem.extents.size());
  spec.BIAS = node.has(2);
  spec.BIAS_N = u32(problem.bias_n);
  spec.ACTIVATION = static_cast<std::uint32_t>(node.attrs<MatmulAttrs>().activation);
  return spec;
}

// `swapped`: a and b change places.
MatmulParams params_of(const NodeView& node, const MatmulProblem& problem, bool swapped = false) {
  MatmulParams params{};
  params.M = u32(problem.M), params.N = u32(problem.N), params.K = u32(problem.K);
  params.alpha = node.attrs<MatmulAttrs>().alpha;
  params.beta = node.attrs<MatmulAttrs>().beta;
  params.bias_m = u32(problem.bias_m);
  params.batches = u32(problem.batches);
  params.k_part = params.K;
  std::size_t word = 0;
  for (std::size_t axis = 1; axis < problem.extents.size(); ++axis) params.words[word++] = u32(problem.extents[axis]);
  using Order = std::array<std::size_t, 3>;
  for (std::size_t operand : swapped ? Order{1, 0, 2} : Order{0, 1, 2})
    for (std::int64_t stride : problem.strides[operand]) params.words[word++] = u32(stride);
  return params;
}

// The smallest multiple of 4 that covers n in as few pieces as pieces of `most` would.
std::uint32_t even_piece(Count n, Count most) {
  const Count pieces = std::max<Count>(1, ceil_div(n, most));
  return static_cast<std::uint32_t>(std::max<Count>(1, ceil_div(ceil_div(n, pieces), 4)) * 4);
}

// How a launch reaches a and b.
enum class Operands { bound, address };

// One launch: its constants, and how many workgroups make a whole product.
template <class Spec>
struct Tiling {
  Spec spec;
  const char* shader;
  Count groups = 0;
  bool swapped = false;
  Operands operands = Operands::bound;
};

// As the head of matmul_row.comp measured them.
struct RegisterTile {
  Count lane_items, uniform_items;
};
RegisterTile register_tile(const DeviceCaps& caps, Operands operands) {
  if (operands == Operands::address && caps.fast_addresses) return {4, 32};
  if (!caps.costly_loads) return {4, 16};
  return caps.costly_unrolling ? RegisterTile{8, 8} : RegisterTile{12, 12};
}

Tiling<shader::MatmulRowSpec> row_tiling(const NodeView& node, const MatmulProblem& problem, const DeviceCaps& caps,
                                         Operands operands) {
  Tiling<shader::MatmulRowSpec> tiling{.spec = spec_of<shader::MatmulRowSpec>(node, problem),
                                       .shader = operands == Operands::address ? "matmul_row.address" : "matmul_row.bound",
                                       .operands = operands};
  auto& spec = tiling.spec;
  tiling.swapped = problem.N > problem.M;
  const auto lanes = static_cast<Count>(tiling.swapped ? problem.N : problem.M);
  const auto uniforms = static_cast<Count>(tiling.swapped ? problem.M : problem.N);
  spec.WG = std::clamp(caps.subgroup_size, 8u, caps.max_invocations);
  spec.SWAP = tiling.swapped;
  const RegisterTile tile = register_tile(caps, operands);
  spec.TI = even_piece(ceil_div(lanes, spec.WG), tile.lane_items);
  spec.TJ = uniforms == 1 ? 1 : even_piece(uniforms, tile.uniform_items);
  spec.LANE_K_FAST = tiling.swapped ? problem.b_transposed : !problem.a_transposed;
  spec.UNIFORM_K_FAST = tiling.swapped ? !problem.a_transposed : problem.b_transposed;
  const auto K = static_cast<Count>(problem.K);
  spec.VEC = (spec.LANE_K_FAST ? K : lanes) % 4 == 0 && (spec.UNIFORM_K_FAST ? K : uniforms) % 4 == 0;
  spec.STORE_VEC = problem.N % 4 == 0;
  tiling.groups = ceil_div(lanes, spec.WG * spec.TI) * ceil_div(uniforms, spec.TJ) * static_cast<Count>(problem.batches);
  return tiling;
}

Tiling<shader::MatmulTileSpec> tile_tiling(const NodeView& node, const MatmulProblem& problem) {
  Tiling<shader::MatmulTileSpec> tiling{spec_of<shader::MatmulTileSpec>(node, problem), "matmul_tile"};
  auto& spec = tiling.spec;
  spec.WG = 128;
  struct Shape { std::uint32_t BM, BN, TM, TN; };
  const Shape shape = problem.M <= 8    ? Shape{8, 64, 2, 2}
                      : problem.N <= 8  ? Shape{64, 8, 2, 2}
                      : problem.M < 48 || problem.N < 48 ? Shape{32, 32, 4, 2}
                                        : Shape{64, 64, 8, 4};
  spec.BM = shape.BM, spec.BN = shape.BN, spec.TM = shape.TM, spec.TN = shape.TN;
  tiling.groups = ceil_div(static_cast<Count>(problem.M), spec.BM) * ceil_div(static_cast<Count>(problem.N), spec.BN) *
                  static_cast<Count>(problem.batches);
  return tiling;
}

Count matrix_shared_bytes(const shader::MatmulMatrixSpec& spec) {
  const auto tile = [](Count rows, Count columns) { return rows * (columns / 4 + 2) * 8; };
  const Count BM = spec.SM * spec.TM * spec.MATRIX_M, BN = spec.SN * spec.TN * spec.MATRIX_N;
  return (spec.A_TRANSPOSED ? tile(spec.BK, BM) : tile(BM, spec.BK)) + (spec.B_TRANSPOSED ? tile(BN, spec.BK) : tile(spec.BK, BN)) +
         Count{spec.SM} * spec.SN * spec.MATRIX_M * (spec.MATRIX_N + 4) * 4;
}

// `groups` is 0 where the device has no matrices that fit.
Tiling<shader::MatmulMatrixSpec> matrix_tiling(const NodeView& node, const MatmulProblem& problem, const DeviceCaps& caps) {
  Tiling<shader::MatmulMatrixSpec> tiling{spec_of<shader::MatmulMatrixSpec>(node, problem), "matmul_matrix"};
  auto& spec = tiling.spec;
  spec.BK = matrix_side(caps);
  if (!take_matrices(spec, caps, spec.BK)) return tiling;
  spec.WG = spec.SM * spec.SN * spec.SUBGROUP;
  const auto M = static_cast<Count>(problem.M), N = static_cast<Count>(problem.N), K = static_cast<Count>(problem.K);
  const auto registers = [&](std::uint32_t side) { return side * side * spec.MATRIX_M * spec.MATRIX_N / spec.SUBGROUP; };
  // Sides of 4 matrices load half as often as those of 2.
  const bool is_large = std::min(M, N) >= 128 && registers(4) <= 64;
  spec.TM = spec.TN = is_large ? 4 : 2;
  spec.VEC = (spec.A_TRANSPOSED ? M : K) % 4 == 0 && (spec.B_TRANSPOSED ? K : N) % 4 == 0;
  if (!group_fits(caps, spec.WG, matrix_shared_bytes(spec))) return tiling;
  tiling.groups = ceil_div(M, spec.SM * spec.TM * spec.MATRIX_M) * ceil_div(N, spec.SN * spec.TN * spec.MATRIX_N) * static_cast<Count>(problem.batches);
  return tiling;
}

bool has_matrix(const NodeView& node, const MatmulProblem& problem, const DeviceCaps& caps) {
  return node.in(0).dtype == DType::f16 && matrix_tiling(node, problem, caps).groups > 0;
}

// Without parts: one launch that writes the result. With them: raw sums of each part of K to scratch.
struct Parts {
  Count count = 1, length = 0;  // of a part, a multiple of 16
};

template <class Spec>
void add_launch(const NodeView& node, const MatmulProblem& problem, const DeviceCaps& caps, const Tiling<Spec>& tiling,
                const Parts& parts, KernelPlan& plan) {
  const bool partial = parts.count > 1;
  MatmulParams params = params_of(node, problem, tiling.swapped);
  params.groups = static_cast<std::uint32_t>(tiling.groups * parts.count);
  Spec spec = tiling.spec;
  if (partial) {
    params.k_part = static_cast<std::uint32_t>(parts.length);
    spec.PARTIAL = 1;
    spec.BIAS = spec.ACTIVATION = 0;
  }
  Launch& launch = plan.launches.emplace_back();
  launch.shader = shader_for(tiling.shader, node.in(0).dtype);
  launch.set_constants(spec);
  launch.set_push(params);
  launch.operands = {in(tiling.swapped ? 1 : 0), in(tiling.swapped ? 0 : 1), spec.BIAS ? in(2) : unused(),
                     partial ? scratch_write(0) : out(0)};
  if (tiling.operands == Operands::address) launch.addresses = {0, 1};
  launch.groups = flat_groups(params.groups, 1, caps);
}

bool is_cpu(const DeviceCaps& caps) { return caps.type == DeviceType::cpu; }

// The addresses follow 128 bytes of parameters.
bool takes_addresses(const DeviceCaps& caps) {
  return is_cpu(caps) && has_quads_by_address(caps) && caps.max_push_bytes >= sizeof(MatmulParams) + 16;
}

// The one of split sums.
Tiling<shader::MatmulRowSpec> row_tiling(const NodeView& node, const MatmulProblem& problem, const DeviceCaps& caps) {
  return row_tiling(node, problem, caps, caps.fast_addresses && takes_addresses(caps) ? Operands::address : Operands::bound);
}

Count groups_of(const NodeView& node, const MatmulProblem& problem, const DeviceCaps& caps) {
  return is_cpu(caps) ? row_tiling(node, problem, caps).groups : tile_tiling(node, problem).groups;
}

// At least two parts; more while workgroups are too few to fill the device and parts stay long, or a loop's limit wants it.
Parts parts_of(const NodeView& node, const MatmulProblem& problem, const DeviceCaps& caps) {
  const auto K = static_cast<Count>(problem.K);
  const Count wanted = ceil_div(is_cpu(caps) ? 16 : 512, std::max<Count>(1, groups_of(node, problem, caps)));
  const Count most = std::max<Count>(2, K / 256), least = caps.max_loop_iterations ? ceil_div(K, caps.max_loop_iterations / 2) : 2;
  const Count length = ceil_div(ceil_div(K, std::max({Count{2}, least, std::min(wanted, most)})), 16) * 16;
  return {ceil_div(K, length), length};
}

Count scratch_bytes(const NodeView& node, const Parts& parts) {
  return parts.count * static_cast<Count>(node.out(0).shape.elements()) * sizeof(float);
}

}  // namespace

bool supports_matmul_row(const NodeView& node, const DeviceCaps& caps) {
  const MatmulProblem problem = matmul_problem(node);
  const auto K = static_cast<Count>(problem.K);
  return loops_fit(caps, row_tiling(node, problem, caps, Operands::bound).spec.VEC ? K / 4 : K);
}
void plan_matmul_row(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const MatmulProblem problem = matmul_problem(node);
  add_launch(node, problem, caps, row_tiling(node, problem, caps, Operands::bound), {}, plan);
}
bool prefers_matmul_row(const NodeView&, const DeviceCaps& caps) { return is_cpu(caps); }

bool supports_matmul_row_address(const NodeView& node, const DeviceCaps& caps) {
  return takes_addresses(caps) && supports_matmul_row(node, caps);
}
void plan_matmul_row_address(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const MatmulProblem problem = matmul_problem(node);
  add_launch(node, problem, caps, row_tiling(node, problem, caps, Operands::address), {}, plan);
}
bool prefers_matmul_row_address(const NodeView&, const DeviceCaps& caps) { return caps.fast_addresses; }

bool supports_matmul_tile(const NodeView& node, const DeviceCaps& caps) {
  return loops_fit(caps, static_cast<Count>(matmul_problem(node).K) / 16);
}
void plan_matmul_tile(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const MatmulProblem problem = matmul_problem(node);
  add_launch(node, problem, caps, tile_tiling(node, problem), {}, plan);
}
bool prefers_matmul_tile(const NodeView&, const DeviceCaps& caps) { return !is_cpu(caps); }

bool supports_matmul_matrix(const NodeView& node, const DeviceCaps& caps) {
  const MatmulProblem problem = matmul_problem(node);
  return has_matrix(node, problem, caps) && loops_fit(caps, static_cast<Count>(problem.K) * 4);
}
void plan_matmul_matrix(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const MatmulProblem problem = matmul_problem(node);
  add_launch(node, problem, caps, matrix_tiling(node, problem, caps), {}, plan);
}
bool prefers_matmul_matrix(const NodeView& node, const DeviceCaps& caps) {
  const MatmulProblem problem = matmul_problem(node);
  return !is_cpu(caps) && std::min(problem.M, problem.N) > 8;  // fewer rows or columns leave most of a matrix empty
}

bool supports_matmul_split(const NodeView& node, const DeviceCaps& caps) {
  const MatmulProblem problem = matmul_problem(node);
  if (problem.K <= 16) return false;
  const Parts parts = parts_of(node, problem, caps);
  return loops_fit(caps, parts.count) && scratch_bytes(node, parts) <= caps.max_storage_range;
}
bool prefers_matmul_split(const NodeView& node, const DeviceCaps& caps) {
  const MatmulProblem problem = matmul_problem(node);
  const bool cpu = is_cpu(caps);
  return problem.K >= (cpu ? 16384 : 2048) && groups_of(node, problem, caps) < (cpu ? 4 : 64);
}
void plan_matmul_split(const NodeView& node, const DeviceCaps& caps, KernelPlan& plan) {
  const MatmulProblem problem = matmul_problem(node);
  const Parts parts = parts_of(node, problem, caps);
  if (is_cpu(caps))
    add_launch(node, problem, caps, row_tiling(node, problem, caps), parts, plan);
  else
    add_launch(node, problem, caps, tile_tiling(node, problem), parts, plan);
  plan.scratch_bytes = {scratch_bytes(node, parts)};

  MatmulParams params = params_of(node, problem);
  params.groups = static_cast<std::uint32_t>(parts.count);
  const auto spec = spec_of<shader::MatmulSumSpec>(node, problem);
  Launch& sum = plan.launches.emplace_back();
  sum.shader = shader_for("matmul_sum", node.in(0).dtype);
  sum.set_constants(spec);
  sum.set_push(params);
  sum.operands = {scratch_read(0), unused(), node.has(2) ? in(2) : unused(), out(0)};
  sum.groups = flat_groups(static_cast<Count>(node.out(0).shape.elements()), spec.WG, caps);
}

}  // namespace fovea::ops
