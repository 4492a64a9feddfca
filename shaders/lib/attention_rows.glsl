// Which pairs of query and key there are: rows, the band of visible keys, an author's mask, and how an owner of rows walks the
// other side. After dtype.glsl and math.glsl.
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
#ifdef WEIGHTS_dropped
#define ATTENTION_MOD_BINDING (ATTENTION_STATE + 1)
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

// A row of the matrix of a pair (attention.h): its query, where its mask begins, and its number among all rows.
struct QueryRow {
  uint query, mask, number;
  int batch, head;  // where MODIFIES
};
const bool MODIFIES = MOD_SCORES || MOD_MASKS || MOD_FACTORS;
const QueryRow NO_ROW = QueryRow(0, 0, 0, 0, 0);
QueryRow query_row(uint pair, uint row) {
  QueryRow result = QueryRow(row % p.queries, 0, pair * p.rows + row, 0, 0);
  if (MASK != ATTENTION_MASK_NONE || MODIFIES) {
    uint batch = pair / p.key_heads, head = pair % p.key_heads * (p.heads / p.key_heads) + row / p.queries;
    result.mask = batch * p.mask_b + head * p.mask_h + result.query * p.mask_i;
    result.batch = int(batch), result.head = int(head);
  }
  return result;
}

// Of the rows first..last: the keys [begin, end) that some of them may see, and [all_begin, all_end) that all of them do.
struct KeyRange {
  uint begin, end, all_begin, all_end;
};
KeyRange visible_keys(uint first, uint last) {
  if (BAND == 0) return KeyRange(0, p.keys, 0, p.keys);
  bool one_head = first / p.queries == last / p.queries;
  int low = one_head ? int(first % p.queries) : 0, high = one_head ? int(last % p.queries) : int(p.queries) - 1;
  ivec4 range = ivec4(low + p.band_low, high + p.band_high + 1, high + p.band_low, low + p.band_high + 1);
  uvec4 keys = uvec4(clamp(range, ivec4(0), ivec4(int(p.keys))));
  return KeyRange(keys.x, keys.y, keys.z, keys.w);
}

bool in_band(uint query, uint key) {
  return BAND == 0 || (int(key) >= int(query) + p.band_low && int(key) <= int(query) + p.band_high);
}

// The steps in which an owner walks the rows begin..end of the other side, or those of the blocks that its list names.
struct Walk {
  uint begin, list, steps;
};
uint length_of_list(uint others) { return (others + ATTENTION_BLOCK - 1) / ATTENTION_BLOCK + 1; }  // their number, then each
Walk walk_of(uint pair, uint owner, uint begin, uint end, uint others, uint step) {
  if (BLOCKS == ATTENTION_BLOCKS_ALL) return Walk(begin, 0, begin < end ? (end - begin + step - 1) / step : 0);
  uint list = ((BLOCKS == ATTENTION_BLOCKS_BY_PAIR ? pair * p.row_blocks : 0) + owner) * length_of_list(others);
  return Walk(0, list + 1, BLOCK_WORD(list) * (ATTENTION_BLOCK / step));
}
// The first row of step n, and 1 where the author's mask is true for all of its block.
uvec2 step_of(Walk walk, uint n, uint step) {
  if (BLOCKS == ATTENTION_BLOCKS_ALL) return uvec2(walk.begin + n * step, 0);
  uint a_block = ATTENTION_BLOCK / step, word = BLOCK_WORD(walk.list + n / a_block);
  return uvec2((word >> 1) * ATTENTION_BLOCK + n % a_block * step, word & 1u);
}

#endif
