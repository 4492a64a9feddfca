// Windows of a grid around rows that lie on another (fovea/ops/neighbourhood.hpp): the window of the other side that an owned row
// has, the order in which rows are owned, and the walk over the windows of a workgroup. Owned are queries, or with SIDE keys.
// A line is a row of a grid; rows are those of q, or of k and v, and lie line by line, heads of a group one behind another.
// Part of attention_rows.glsl.
#ifndef FOVEA_NEIGHBOURHOOD_GLSL
#define FOVEA_NEIGHBOURHOOD_GLSL

const bool NEIGHBOURS = EDGE != ATTENTION_EDGE_NONE;
const bool SHIFTS = EDGE == ATTENTION_EDGE_SHIFTED;
#define OF_KEYS (SIDE == ATTENTION_BACKWARD_KEYS)

uint q_columns() { return p.range_b; }
uint k_columns() { return p.range_h; }
// Lines and columns.
uvec2 grid_of_queries() { return uvec2(p.queries / q_columns(), q_columns()); }
uvec2 grid_of_keys() { return uvec2(p.keys / k_columns(), k_columns()); }
uvec2 place_of_query(uint query) { return uvec2(query / q_columns(), query % q_columns()); }
uvec2 place_of_key(uint key) { return uvec2(key / k_columns(), key % k_columns()); }
uvec2 own_grid() { return OF_KEYS ? grid_of_keys() : grid_of_queries(); }
uvec2 other_grid() { return OF_KEYS ? grid_of_queries() : grid_of_keys(); }
ivec2 offset_of_grids() { return ivec2(p.range_i, p.page); }
ivec2 radius_of_window() { return ivec2(RADIUS_Y, RADIUS_X); }
// Of the bias, which reaches as far as two rows that see each other lie apart.
const uint RADII = SHIFTS ? 4 : 2;
uvec2 grid_of_bias() { return uvec2(RADII * RADIUS_Y + 1, RADII * RADIUS_X + 1); }

// Where the window of the owned row at `at` begins and ends, each {line, column}. Both grow with `at`.
struct Window {
  uvec2 begin, end;
};
Window window_of(uvec2 at) {
  ivec2 r = radius_of_window(), n = ivec2(at), others = ivec2(other_grid()), begin, end;
  ivec2 last_begin = ivec2(grid_of_keys()) - 2 * r - 1;  // of a window that ends within the grid; below 0: none does
  if (OF_KEYS) {
    // The queries whose windows begin at n - 2 r at the least, and at n at the most.
    begin = n - offset_of_grids() - r, end = n - offset_of_grids() + r + 1;
    if (SHIFTS) begin = mix(begin, ivec2(0), lessThanEqual(n, 2 * r)), end = mix(end, others, greaterThanEqual(n, last_begin));
  } else {
    begin = n + offset_of_grids() - r;
    if (SHIFTS) begin = clamp(begin, ivec2(0), max(last_begin, ivec2(0)));
    end = begin + 2 * r + 1;
  }
  return Window(uvec2(clamp(begin, ivec2(0), others)), uvec2(clamp(end, ivec2(0), others)));
}

// Owned rows go by tiles of TILE_Y x TILE_X, those of a line of tiles one after another; the last ones have what is left. So that
// a workgroup owns a rectangle, whose windows have most of their keys in common. Row n of that order:
uint placed(uint n) {
  if (!NEIGHBOURS) return n;
  uvec2 grid = own_grid();
  uint count = grid.x * grid.y, line = n % count / (TILE_Y * grid.y) * TILE_Y, rest = n % count - line * grid.y;
  uint height = min(TILE_Y, grid.x - line), column = rest / (height * TILE_X) * TILE_X, width = min(TILE_X, grid.y - column);
  rest -= column * height;
  return n / count * count + (line + rest / width) * grid.y + column + rest % width;
}

// The rectangle that has the windows of the owned rows first..last of that order.
Window windows_of(uint first, uint last) {
  uvec2 grid = own_grid(), begin = uvec2(0), end = grid;
  uint count = grid.x * grid.y, line_of_tiles = TILE_Y * grid.y;
  if (first / count == last / count) {
    uvec2 n = uvec2(first, last) % count, line = n / line_of_tiles * TILE_Y;
    begin.x = line.x, end.x = min(line.y + TILE_Y, grid.x);
    if (line.x == line.y) {
      uvec2 column = (n - line * grid.y) / ((end.x - begin.x) * TILE_X) * TILE_X;
      begin.y = column.x, end.y = min(column.y + TILE_X, grid.y);
    }
  }
  return Window(window_of(begin).begin, window_of(end - 1).end);
}

#endif
