// Which pairs of query and key there are: rows, the band and the ranges of visible keys, an author's mask, and how an owner of
// rows walks the other side. After dtype.glsl and math.glsl.
#ifndef FOVEA_ATTENTION_ROWS_GLSL
#define FOVEA_ATTENTION_ROWS_GLSL

layout(local_size_x_id = 0) in;
#ifdef ATTENTION_ADDRESSES
#include "addresses.glsl"
#else
#define ATTENTION_ADDRESSES
#endif
layout(push_constant) uniform Push {
  AttentionParams p;
  ATTENTION_ADDRESSES
};

// What an author's text makes of the score, the visibility and the weight of a pair (b, h, i, j) (fovea/attention_mod.hpp).
#ifdef ATTENTION_MOD
#if defined(WEIGHTS_dropped)
#define ATTENTION_MOD_BINDING (ATTENTION_STATE + 1)
#elif defined(WEIGHTS_ranged) || defined(WEIGHTS_paged)
#define ATTENTION_MOD_BINDING (ATTENTION_STATE + 2)
#else
#define ATTENTION_MOD_BINDING ATTENTION_STATE
#endif
#include "attention_mod.glsl"  // generated
#else
#define MOD_SCORES false
#define MOD_MASKS false
#define MOD_FACTORS false
float mod_score(float score, int b, int h, int i, int j) { return score; }
float mod_slope(float score, int b, int h, int i, int j) { return 1.0; }
bool mod_visible(int b, int h, int i, int j) { return true; }
float mod_factor(int b, int h, int i, int j) { return 1.0; }
float mod_site(uint site, float score, int b, int h, int i, int j) { return 0.0; }
bool mod_site_of_factor(uint site) { return false; }
#endif

#if defined(ATTENTION_MOD) && !defined(MOD_BLOCKS)
layout(set = 0, binding = ATTENTION_MOD_BINDING + MOD_BUFFERS) readonly buffer Blocks { uint blocks[]; };  // of attention_blocks.comp
#define BLOCK_WORD(at) blocks[at]
#else
#define BLOCK_WORD(at) 0u
#endif

// Of a row of the matrix of a pair (attention.h).
uvec2 batch_and_head(uint pair, uint row) {
  return uvec2(pair / p.key_heads, pair % p.key_heads * (p.heads / p.key_heads) + row / p.queries);
}

// A row's range of keys [begin, end), within those that there are: an operand of the forward kernels; of the backward ones, a part
// of the statistics (attention_backward.glsl).
#if defined(WEIGHTS_ranged) || defined(WEIGHTS_paged)
#ifdef WEIGHTS_paged
const bool RANGED = RANGES != 0;
layout(set = 0, binding = ATTENTION_STATE) readonly buffer Ranges { int ranges[]; };
#else
const bool RANGED = true;
layout(set = 0, binding = ATTENTION_STATE + 1) readonly buffer Ranges { int ranges[]; };
#endif
uvec2 row_range(uint pair, uint row) {
  uvec2 of = batch_and_head(pair, row);
  uint at = of.x * p.range_b + of.y * p.range_h + row % p.queries * p.range_i;
  return uvec2(clamp(ivec2(ranges[at], ranges[at + 1]), ivec2(0), ivec2(int(p.keys))));
}
#elif defined(ATTENTION_BACKWARD)
const bool RANGED = RANGES != 0;
uvec2 row_range(uint pair, uint row);
#else
const bool RANGED = false;
uvec2 row_range(uint pair, uint row) { return uvec2(0, p.keys); }
#endif

// The row of k and v in which a pair has a key: one behind another, or of pages [pages, key_heads, page] by an item's table, in which
// a number that is none counts as the nearest.
#ifdef WEIGHTS_paged
layout(set = 0, binding = ATTENTION_STATE + 1) readonly buffer PageTable { int page_table[]; };
uint key_row(uint pair, uint key) {
  int page = page_table[pair / p.key_heads * (p.keys / p.page) + key / p.page];
  return (uint(clamp(page, 0, int(p.pages) - 1)) * p.key_heads + pair % p.key_heads) * p.page + key % p.page;
}
#else
uint key_row(uint pair, uint key) { return pair * p.keys + key; }
#endif

#include "neighbourhood.glsl"

// A row: its query, where its mask begins, and its number among all rows.
struct QueryRow {
  uint query, mask, number;
  int batch, head;  // where MODIFIES
  uvec2 range;      // where RANGED; of a neighbourhood, what of the window lies in the line that is walked
  Window window;    // where NEIGHBOURS
  uint bias_line;   // where BIAS: what the line adds to the place of a bias
};
const bool MODIFIES = MOD_SCORES || MOD_MASKS || MOD_FACTORS;
const Window NO_WINDOW = Window(uvec2(0), uvec2(0));
const QueryRow NO_ROW = QueryRow(0, 0, 0, 0, 0, uvec2(0), NO_WINDOW, 0);
QueryRow query_row(uint pair, uint row) {
  QueryRow result = QueryRow(row % p.queries, 0, pair * p.rows + row, 0, 0, uvec2(0), NO_WINDOW, 0);
  if (RANGED) result.range = row_range(pair, row);
  if (NEIGHBOURS && !OF_KEYS) result.window = window_of(place_of_query(result.query));
  if (MASK != ATTENTION_MASK_NONE || MODIFIES) {
    uvec2 of = batch_and_head(pair, row);
    uint batch = of.x, head = of.y;
    result.mask = batch * p.mask_b + head * p.mask_h + result.query * p.mask_i;
    if (BIAS != 0) {  // of the key at line and column 0
      uvec2 from = grid_of_bias() / 2 - place_of_query(result.query) - uvec2(offset_of_grids());
      result.mask = head * p.mask_h + from.x * grid_of_bias().y + from.y;
    }
    result.batch = int(batch), result.head = int(head);
  }
  return result;
}

// Of the rows first..last: the keys [begin, end) that some of them may see, and [all_begin, all_end) that all of them do.
struct KeyRange {
  uint begin, end, all_begin, all_end;
};
KeyRange keys_in_band(uint first, uint last) {
  if (NEIGHBOURS) return KeyRange(0, p.keys, 0, 0);
  if (BAND == 0) return KeyRange(0, p.keys, 0, p.keys);
  bool one_head = first / p.queries == last / p.queries;
  int low = one_head ? int(first % p.queries) : 0, high = one_head ? int(last % p.queries) : int(p.queries) - 1;
  ivec4 range = ivec4(low + p.band_low, high + p.band_high + 1, high + p.band_low, low + p.band_high + 1);
  uvec4 keys = uvec4(clamp(range, ivec4(0), ivec4(int(p.keys))));
  return KeyRange(keys.x, keys.y, keys.z, keys.w);
}
KeyRange visible_keys(uint pair, uint first, uint last) {
  KeyRange keys = keys_in_band(first, last);
  if (!RANGED || SIDE == ATTENTION_BACKWARD_KEYS) return keys;
  uint own = (p.range_h | p.range_i) == 0 ? 1 : last - first + 1;  // ranges among them
  uvec2 some = uvec2(p.keys, 0), all = uvec2(0, p.keys);
  for (uint n = 0; n < own; ++n) {
    uvec2 range = row_range(pair, first + n);
    if (range.x < range.y) some = uvec2(min(some.x, range.x), max(some.y, range.y));
    all = uvec2(max(all.x, range.x), min(all.y, range.y));
  }
  return KeyRange(max(keys.begin, some.x), min(keys.end, some.y), max(keys.all_begin, all.x), min(keys.all_end, all.y));
}

bool in_band(uint query, uint key) {
  return BAND == 0 || (int(key) >= int(query) + p.band_low && int(key) <= int(query) + p.band_high);
}
bool in_band(QueryRow row, uint key) {
  bool in_range = (!RANGED && (!NEIGHBOURS || OF_KEYS)) || (key >= row.range.x && key < row.range.y);
  return in_band(row.query, key) && in_range;
}
// A step of a list, which knows nothing of ranges, outside of the keys that some row may see.
bool out_of_range(KeyRange keys, uint first, uint step) {
  return RANGED && BLOCKS != ATTENTION_BLOCKS_ALL && (first >= keys.end || first + step <= keys.begin);
}

// The steps in which an owner walks the rows begin..end of the other side, those of the blocks that its list names, or the
// windows of the rows that it owns: line by line, head by head.
struct Walk {
  uint begin, list, steps;
  Window window;
  uint head_line, line, column;  // of the next step
};
struct Step {
  uint at;            // the first row
  bool whole;         // the author's mask is true for all of its block
  uint line, column;  // of the first row, in a neighbourhood's grid
};
uint length_of_list(uint others) { return (others + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK + 1; }  // their number, then each
// first..last: the owned rows.
Walk walk_of(uint pair, uint owner, uint first, uint last, uint begin, uint end, uint others, uint step) {
  if (NEIGHBOURS) {
    Window window = windows_of(first, last);
    uvec2 size = uvec2(max(ivec2(window.end) - ivec2(window.begin), ivec2(0)));
    uint steps = size.x * ((size.y + step - 1) / step) * (OF_KEYS ? p.heads / p.key_heads : 1);
    return Walk(0, 0, steps, window, 0, window.begin.x, window.begin.y);
  }
  if (BLOCKS == ATTENTION_BLOCKS_ALL) return Walk(begin, 0, begin < end ? (end - begin + step - 1) / step : 0, NO_WINDOW, 0, 0, 0);
  uint list = ((BLOCKS == ATTENTION_BLOCKS_BY_PAIR ? pair * p.row_blocks : 0) + owner) * length_of_list(others);
  return Walk(0, list + 1, BLOCK_WORD(list) * (ATTENTION_BLOCK / step), NO_WINDOW, 0, 0, 0);
}
// Step n; they are asked for one after another.
Step step_of(inout Walk walk, uint n, uint step) {
  if (NEIGHBOURS) {
    uvec2 grid = other_grid();
    Step next = Step((walk.head_line + walk.line) * grid.y + walk.column, false, walk.line, walk.column);
    walk.column += step;
    if (walk.column >= walk.window.end.y) {
      walk.column = walk.window.begin.y, ++walk.line;
      if (walk.line == walk.window.end.x) walk.line = walk.window.begin.x, walk.head_line += grid.x;
    }
    return next;
  }
  if (BLOCKS == ATTENTION_BLOCKS_ALL) return Step(walk.begin + n * step, false, 0, 0);
  uint a_block = ATTENTION_BLOCK / step, word = BLOCK_WORD(walk.list + n / a_block);
  return Step((word >> 1) * ATTENTION_BLOCK + n % a_block * step, (word & 1u) != 0u, 0, 0);
}

// An owned row comes to a step, of which it sees the part in its window. Owning keys, `row` stands for the key, and its range is one of
// queries.
void enter(inout QueryRow row, Step step) {
  if (!NEIGHBOURS) return;
  bool inside = step.line >= row.window.begin.x && step.line < row.window.end.x;
  row.range = inside ? step.at - step.column + uvec2(row.window.begin.y, row.window.end.y) : uvec2(0);
  if (BIAS != 0 && !OF_KEYS) row.bias_line = step.line * (grid_of_bias().y - k_columns());
}
// What a key has of a neighbourhood, as an owned row.
QueryRow key_place(uint key) {
  QueryRow result = NO_ROW;
  if (!NEIGHBOURS) return result;
  uvec2 at = place_of_key(key);
  result.window = window_of(at);
  if (BIAS != 0) result.bias_line = at.x * (grid_of_bias().y - k_columns());
  return result;
}
// Whether an owned key, which has entered a step, is in the window of the query of this row.
bool is_neighbour(QueryRow own_key, uint row) { return !NEIGHBOURS || (row >= own_key.range.x && row < own_key.range.y); }

#endif
