// The keys [begin, end) that a query sees of its sequence, whose keys are [k0, k0 + Lk):
//   k0 + max(0, p + low) <= j < k0 + min(Lk, p + high + 1),   p = i, or i + Lk - Lq (BOTTOM_RIGHT)
// A lane a query. Of packed sequences it looks for its own: the last whose start is not behind it.
#version 450
#extension GL_GOOGLE_include_directive : require
#include "key_ranges.h"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { KeyRangesParams p; };
layout(set = 0, binding = 0) readonly buffer Queries { int query_starts[]; };  // or the lengths
layout(set = 0, binding = 1) readonly buffer Keys { int key_starts[]; };
layout(set = 0, binding = 2) writeonly buffer Y { int y[]; };

int within(int x) { return clamp(x, 0, KEY_RANGES_MOST); }

// How many starts are at t or before it. As many steps in every lane.
uint starts_until(int t) {
  uint low = 0, high = p.starts;
  for (uint n = 0; n < p.steps; ++n) {
    uint middle = (low + high) / 2;
    bool before = low < high && within(query_starts[min(middle, p.starts - 1)]) <= t;
    if (before) low = middle + 1;
    else high = middle;
  }
  return low;
}

void main() {
  if (p.rows == 0) return;
  uint row = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  bool stored = row < p.rows;
  row = min(row, p.rows - 1);
  int query = int(row % p.queries), queries = int(p.queries), first = 0, keys = 0;
  if (PACKED != 0) {
    uint until = starts_until(query);
    if (until > 0 && until < p.starts) {
      int start = within(query_starts[until - 1]);
      queries = within(query_starts[until]) - start;
      query -= start;
      first = within(key_starts[until - 1]);
      keys = within(key_starts[until]) - first;
    }
  } else {
    keys = within(query_starts[row / p.queries]);
  }
  int position = BOTTOM_RIGHT != 0 ? query + keys - queries : query;
  int begin = max(position + p.low, 0), end = min(position + p.high + 1, keys);
  if (stored) {
    y[2 * row] = first + begin;
    y[2 * row + 1] = first + max(end, begin);
  }
}
