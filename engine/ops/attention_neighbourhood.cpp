// attention's neighbourhoods: what is wrong with one, how kernels walk it, and what it is as tensors of pairs.

#include "base/enum_name.hpp"
#include "ops/attention.hpp"
#include "ops/compose.hpp"
#include "ops/vjp.hpp"

#include <algorithm>

namespace fovea::ops {
namespace {

using Extents = std::array<std::int64_t, 2>;
using Keys = std::array<std::int64_t, 2>;  // [begin, end)
constexpr Extents nothing{0, 0};
constexpr std::int64_t farthest = std::int64_t{1} << 28;  // sums of three of them stay within 32 bits
constexpr const char* letters = "yx";

std::string to_text(const Extents& extents) { return cat('{', extents[0], ", ", extents[1], '}'); }

// Along one axis, the keys that the query at n sees.
Keys seen_from(const Grids& grids, std::size_t axis, std::int64_t n) {
  const std::int64_t keys = grids.keys[axis], r = grids.radius[axis];
  std::int64_t begin = n + grids.offset[axis] - r;
  if (grids.edge == NeighbourhoodEdge::shifted) begin = std::clamp<std::int64_t>(begin, 0, std::max<std::int64_t>(keys - 2 * r - 1, 0));
  return {std::clamp<std::int64_t>(begin, 0, keys), std::clamp<std::int64_t>(begin + 2 * r + 1, 0, keys)};
}

// i32 [queries, keys] of an axis.
template <class Value>
Tensor table_along(ir::Graph& graph, const Grids& grids, std::size_t axis, const Shape& shape, const Value& value, CallSite site) {
  std::vector<std::int32_t> values;
  for (std::int64_t n = 0; n < grids.queries[axis]; ++n)
    for (std::int64_t key = 0; key < grids.keys[axis]; ++key) values.push_back(static_cast<std::int32_t>(value(n, key)));
  return constant(graph, shape, std::span<const std::int32_t>(values), site);
}
// Where a pair reads its bias along an axis; a pair that is none's neighbour, anywhere.
Tensor bias_index(ir::Graph& graph, const Grids& grids, std::size_t axis, CallSite site) {
  const std::int64_t size = grids.bias_extents()[axis];
  return table_along(graph, grids, axis, {grids.queries[axis] * grids.keys[axis]},
                     [&](std::int64_t n, std::int64_t key) { return std::clamp<std::int64_t>(key - n - grids.offset[axis] + size / 2, 0, size - 1); }, site);
}

}  // namespace

std::array<std::int64_t, 2> Grids::bias_extents() const {
  const std::int64_t reach = edge == NeighbourhoodEdge::shifted ? 4 : 2;
  return {reach * radius[0] + 1, reach * radius[1] + 1};
}

Grids grids_of(const Neighbourhood& neighbourhood) {
  const bool square = neighbourhood.keys == nothing;
  return {neighbourhood.queries, square ? neighbourhood.queries : neighbourhood.keys, neighbourhood.offset, neighbourhood.radius,
          neighbourhood.edge, static_cast<bool>(neighbourhood.bias)};
}

std::string neighbourhood_fault(const Grids& grids, std::int64_t queries, std::int64_t keys) {
  if (!is_enumerator(grids.edge)) return no_enumerator("neighbourhood.edge", grids.edge);
  if (!grids) {
    if (grids == Grids{}) return {};
    return cat("neighbourhood.queries is {0, 0}, and the neighbourhood has keys ", to_text(grids.keys), ", offset ", to_text(grids.offset), ", radius ",
               to_text(grids.radius), grids.biased ? " and a bias" : "");
  }
  const auto grid_fault = [](const char* name, const Extents& grid, std::int64_t count, const char* of) -> std::string {
    const bool fits = grid[0] > 0 && grid[1] > 0 && grid[0] <= count && grid[1] == count / grid[0] && count % grid[0] == 0;
    return fits ? std::string() : cat("neighbourhood.", name, " is ", to_text(grid), ", not rows and columns of the ", count, ' ', of);
  };
  if (const std::string fault = grid_fault("queries", grids.queries, queries, "queries of q (axis 2)"); !fault.empty()) return fault;
  if (const std::string fault = grid_fault("keys", grids.keys, keys, "keys of k (axis 2)"); !fault.empty()) return fault;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    if (grids.radius[axis] < 0 || grids.radius[axis] > farthest) return cat("neighbourhood.radius along ", letters[axis], " is ", grids.radius[axis], ", not 0 to 2^28");
    if (grids.offset[axis] < -farthest || grids.offset[axis] > farthest)
      return cat("neighbourhood.offset along ", letters[axis], " is ", grids.offset[axis], ", not -2^28 to 2^28");
  }
  return {};
}

std::string bias_fault(const Grids& grids, const Shape& bias, std::int64_t heads) {
  const auto [rows, columns] = grids.bias_extents();
  const bool fits = (bias.rank() == 2 || (bias.rank() == 3 && (bias[0] == 1 || bias[0] == heads))) && bias.at(-2) == rows && bias.at(-1) == columns;
  if (fits) return {};
  return cat("neighbourhood.bias has shape ", to_string(bias), ", not [", rows, ',', columns, "] or [1 or ", heads, ',', rows, ',', columns,
             "], the window of radius ", to_text(grids.radius), " with ", to_string(grids.edge), " edges");
}

double pairs_of_neighbours(const Grids& grids) {
  double pairs = 1;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    std::int64_t sum = 0;
    for (std::int64_t n = 0; n < grids.queries[axis]; ++n) {
      const Keys seen = seen_from(grids, axis, n);
      sum += std::max<std::int64_t>(seen[1] - seen[0], 0);
    }
    pairs *= static_cast<double>(sum);
  }
  return pairs;
}

std::uint64_t steps_over_keys(const Grids& grids, std::int64_t keys, std::uint64_t step) {
  if (!grids) return ceil_div(static_cast<std::uint64_t>(keys), step);
  return static_cast<std::uint64_t>(grids.keys[0]) * ceil_div(static_cast<std::uint64_t>(grids.keys[1]), step);
}
std::uint64_t steps_over_rows(const Grids& grids, std::int64_t rows, std::uint64_t step) {
  if (!grids) return ceil_div(static_cast<std::uint64_t>(rows), step);
  return static_cast<std::uint64_t>(rows / grids.queries[1]) * ceil_div(static_cast<std::uint64_t>(grids.queries[1]), step);
}

void set_neighbourhood(shader::AttentionSpec& spec, const Grids& grids) {
  if (!grids) return;
  spec.EDGE = grids.edge == NeighbourhoodEdge::shifted ? ATTENTION_EDGE_SHIFTED : ATTENTION_EDGE_CLIPPED;
  spec.BIAS = grids.biased;
  spec.RADIUS_Y = u32(grids.radius[0]), spec.RADIUS_X = u32(grids.radius[1]);
}

void set_neighbourhood(shader::AttentionParams& params, const Grids& grids) {
  if (!grids) return;
  params.range_b = u32(grids.queries[1]), params.range_h = u32(grids.keys[1]);
  params.range_i = static_cast<std::uint32_t>(grids.offset[0]), params.page = static_cast<std::uint32_t>(grids.offset[1]);
}

// A tile's windows together are a rectangle, walked by whole steps: the tile whose rows walk least, each. Where columns are no whole
// number of tiles, most workgroups own parts of two, and one in a line of tiles parts of two lines.
void set_tile(shader::AttentionSpec& spec, const Grids& grids, std::uint32_t rows) {
  if (!grids) return;
  const bool owns_keys = spec.SIDE == ATTENTION_BACKWARD_KEYS;
  const Extents own = owns_keys ? grids.keys : grids.queries, other = owns_keys ? grids.queries : grids.keys;
  const auto walked = [&](std::int64_t lines, std::int64_t columns) {
    const std::int64_t wide = std::min(columns + 2 * grids.radius[1], other[1]), high = std::min(lines + 2 * grids.radius[0], other[0]);
    return static_cast<double>(high) * static_cast<double>(ceil_div(static_cast<std::uint64_t>(wide), spec.KEYS));
  };
  double least = 0;
  for (std::int64_t columns = 1; columns <= rows; ++columns) {
    if (rows % columns != 0) continue;
    const std::int64_t lines = rows / columns, width = std::min(columns, own[1]), height = std::min(lines, own[0]);
    double cost = walked(height, width);
    if (own[1] % columns != 0) {
      const double tiles = std::max(static_cast<double>(own[1]) / static_cast<double>(columns), 1.0);
      cost = walked(height, std::min(2 * columns, own[1])) + walked(std::min(2 * lines, own[0]), own[1]) / tiles;
    }
    cost /= static_cast<double>(width * height);
    if (least != 0 && cost >= least) continue;
    least = cost;
    spec.TILE_Y = static_cast<std::uint32_t>(lines), spec.TILE_X = static_cast<std::uint32_t>(columns);
  }
}

Tensor neighbourhood_mask(ir::Graph& graph, const Grids& grids, CallSite site) {
  const auto [Qy, Qx] = grids.queries;
  const auto [Ky, Kx] = grids.keys;
  const auto sees = [&](std::size_t axis, const Shape& shape) {
    const auto value = [&](std::int64_t n, std::int64_t key) {
      const Keys seen = seen_from(grids, axis, n);
      return key >= seen[0] && key < seen[1];
    };
    return binary(Binary::greater, table_along(graph, grids, axis, shape, value, site), constant_i32(graph, 0), site);
  };
  const Tensor both = binary(Binary::logical_and, sees(0, {Qy, 1, Ky, 1}), sees(1, {1, Qx, 1, Kx}), site);
  return reshape(both, {Qy * Qx, Ky * Kx}, site);
}

Tensor bias_of_pairs(Tensor bias, const Grids& grids, CallSite site) {
  ir::Graph& graph = *bias.graph();
  const auto [Qy, Qx] = grids.queries;
  const auto [Ky, Kx] = grids.keys;
  const std::int64_t heads = tables_of(bias.shape());
  const auto [rows, columns] = grids.bias_extents();
  const Tensor along_y = index_select(reshape(bias, {heads, rows, columns}, site), bias_index(graph, grids, 0, site), 1, site);
  const Tensor both = index_select(along_y, bias_index(graph, grids, 1, site), 2, site);
  return reshape(permute(reshape(both, {heads, Qy, Ky, Qx, Kx}, site), {0, 1, 3, 2, 4}, site), {1, heads, Qy * Qx, Ky * Kx}, site);
}

Tensor bias_gradient(Tensor d_scores, const Shape& bias, const Grids& grids, CallSite site) {
  ir::Graph& graph = *d_scores.graph();
  const auto [Qy, Qx] = grids.queries;
  const auto [Ky, Kx] = grids.keys;
  const std::int64_t heads = tables_of(bias);
  const auto [rows, columns] = grids.bias_extents();
  const Tensor sum = sum_to(d_scores, {1, heads, Qy * Qx, Ky * Kx}, site);
  const Tensor apart = permute(reshape(sum, {heads, Qy, Qx, Ky, Kx}, site), {0, 1, 3, 2, 4}, site);
  const auto none = [&](const Shape& shape) { return filled(graph, {shape, DType::f32}, 0, site); };
  const Tensor along_y = index_add(none({heads, rows, Qx * Kx}), bias_index(graph, grids, 0, site), reshape(apart, {heads, Qy * Ky, Qx * Kx}, site), 1, site);
  const Tensor both = index_add(none({heads, rows, columns}), bias_index(graph, grids, 1, site), along_y, 2, site);
  return reshape(both, bias.extents(), site);
}

}  // namespace fovea::ops
