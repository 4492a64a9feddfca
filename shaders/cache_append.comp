// cache[b,h,position[b] + r] = rows[b,h,r], in place; rows whose place lies outside of the cache are dropped. PAGED: place n of item b is
// row n % page of page table[b, n / page].
//
// A lane an element of the rows.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant UNIT half word
#ifdef UNIT_half
#extension GL_EXT_shader_16bit_storage : require
#define UNIT_T uint16_t
#else
#define UNIT_T uint
#endif
#include "cache_append.h"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { CacheAppendParams p; };
layout(set = 0, binding = 0) readonly buffer Rows { UNIT_T rows[]; };
layout(set = 0, binding = 1) readonly buffer Position { int position[]; };
layout(set = 0, binding = 2) writeonly buffer Cache { UNIT_T cache[]; };
layout(set = 0, binding = 3) readonly buffer Table { int table[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  uint element = i % p.size, row = i / p.size % p.rows, head = i / p.size / p.rows;
  uint place = uint(position[head / p.heads * p.position_b]) + row;  // before 0: a large number
  bool stored = place < p.places;
  uint to = head * p.places + place;
  if (PAGED != 0 && stored) {
    uint page = uint(table[head / p.heads * (p.places / p.page) + place / p.page]);
    stored = page < p.pages;
    to = (page * p.heads + head % p.heads) * p.page + place % p.page;
  }
  if (stored) cache[to * p.size + element] = rows[i];
}
