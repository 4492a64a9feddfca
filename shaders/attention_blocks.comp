// Lists of the blocks of the other side (keys, or with SIDE the rows of queries) that owned rows may see under an author's
// mask_mod and the band: [pair, or all at once][owner][their number, then each: its number times 2, and 1 if all of it is seen].
// FIND: a lane a block says 0 (nothing is seen), 1 or 2 (all), first by ranges of b, h, i and j, and where that tells nothing, pair
// by pair. PACK: a lane an owner puts the blocks that are seen in a row.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma at_run_time
#define ATTENTION_STATE 1
#define MOD_BLOCKS
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/attention_rows.glsl"

layout(set = 0, binding = 0) buffer Lists { uint lists[]; };

// Of rows first..last of a pair: their queries and heads.
void ranges_of(uint pair, uvec2 rows, out ivec2 h, out ivec2 i) {
  uvec2 head = rows / p.queries;
  h = ivec2(head + pair % p.key_heads * (p.heads / p.key_heads));
  i = head.x == head.y ? ivec2(rows % p.queries) : ivec2(0, int(p.queries) - 1);
}

uint seen_in(uint pair, uvec2 rows, uvec2 keys) {
  ivec2 b = ivec2(int(pair / p.key_heads)), h, i, j = ivec2(keys);
  ranges_of(pair, rows, h, i);
  if (BAND != 0 && (j.y < i.x + p.band_low || j.x > i.y + p.band_high)) return 0;
  uint seen = mod_block(b, h, i, j);
  if (seen != 1) return seen;
  bool some = false, every = true;
  for (uint row = rows.x; row <= rows.y && !(some && !every); ++row) {
    QueryRow at = query_row(pair, row);
    for (uint key = keys.x; key <= keys.y; ++key) {
      bool visible = mod_visible(at.batch, at.head, int(at.query), int(key));
      some = some || visible;
      every = every && visible;
    }
  }
  return some ? every ? 2 : 1 : 0;
}

void main() {
  uint count = SIDE == ATTENTION_BACKWARD_KEYS ? p.keys : p.rows, others = SIDE == ATTENTION_BACKWARD_KEYS ? p.rows : p.keys;
  uint length = length_of_list(others), blocks = length - 1;
  uint lists_in_all = (BLOCKS == ATTENTION_BLOCKS_BY_PAIR ? p.pairs : 1) * p.row_blocks;
  uint lane = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (MODE == ATTENTION_BLOCKS_FIND) {
    if (lane >= lists_in_all * blocks) return;
    uint list = lane / blocks, block = lane % blocks, owner = list % p.row_blocks;
    uvec2 own = min(uvec2(owner * ROWS, owner * ROWS + ROWS - 1), uvec2(count - 1));
    uvec2 other = min(uvec2(block * ATTENTION_BLOCK, block * ATTENTION_BLOCK + ATTENTION_BLOCK - 1), uvec2(others - 1));
    bool owns_keys = SIDE == ATTENTION_BACKWARD_KEYS;
    lists[list * length + 1 + block] = seen_in(list / p.row_blocks, owns_keys ? other : own, owns_keys ? own : other);
  } else {
    if (lane >= lists_in_all) return;
    uint first = lane * length, found = 0;
    for (uint block = 0; block < blocks; ++block) {
      uint seen = lists[first + 1 + block];
      if (seen != 0) lists[first + 1 + found++] = block * 2 + seen - 1;
    }
    lists[first] = found;
  }
}
