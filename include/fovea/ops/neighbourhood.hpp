#pragma once
// Attention of queries and keys that lie on grids, within a window around each query: AttentionDesc::neighbourhood.

#include <fovea/tensor.hpp>

#include <array>
#include <cstdint>

namespace fovea {

enum class NeighbourhoodEdge : std::uint8_t {
  clipped,  // the window is cut off where the keys' grid ends: a query at the border sees fewer keys
  shifted,  // the window is moved inwards instead, so that all queries see as many (NATTEN); larger than the grid, it is the grid
};
const char* to_string(NeighbourhoodEdge edge);

// Query (y, x) sees the keys of a window of 2·radius[0] + 1 rows and 2·radius[1] + 1 columns around the key (y + offset[0],
// x + offset[1]), whatever its head and item of the batch. Arrays are {y, x}, in rows and columns of a grid, which lie row by row
// along Lq and Lk: query i = y · columns + x. Keys outside of the window cost nothing: no mask and no list of pairs is stored, and
// workgroups, whose queries are a rectangle, walk the keys that some of them see.
// With shifted edges, eq. 2 to 4 of Hassani et al. 2023 ("Neighborhood Attention Transformer"), the bias behind the scale.
// Dilated by d: d² attentions, as items of a batch, each of every d-th row and column (reshape and permute).
struct Neighbourhood {
  std::array<std::int64_t, 2> queries{};  // rows and columns of the queries' grid, Lq together; {0, 0}: there is no neighbourhood
  std::array<std::int64_t, 2> keys{};     // of the keys' grid, Lk together; {0, 0}: as many as queries
  // The key at which query (0, 0) stands. {r, r} of keys' grids 2r larger gives every query a whole window. Keys may end anywhere:
  // a query whose window lies outside of the grid sees nothing (clipped), or the nearest window (shifted).
  std::array<std::int64_t, 2> offset{};
  std::array<std::int64_t, 2> radius{};  // 0: the row, the column of that key alone
  NeighbourhoodEdge edge = NeighbourhoodEdge::clipped;
  // [Ty,Tx], or a table a head, [1 or H,Ty,Tx]: what AttentionDesc::mask is to pairs, by the key's distance from the key at which the
  // query stands, row dy + Ty/2 and column dx + Tx/2. f32, or as q: added to the scaled score (NATTEN's relative positional bias),
  // learnable; boolean: a window of another shape. T is 2·radius + 1, with shifted edges 4·radius + 1. No mask beside it.
  Tensor bias{};
};

}  // namespace fovea
