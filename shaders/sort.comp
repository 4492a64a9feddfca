// Sorts rows of (key, index), and keeps the first `keep` of each: runs of SORT_RUN by counting, then runs merged two by
// two. No two pairs are equal, so each has one place: those of its run before it, and those of the other run, counted by
// bisection. Stable, the same on every device, no barriers.
//
// One invocation an element and launch.
#version 450
#extension GL_GOOGLE_include_directive : require
#pragma variant UNIT half word
#ifdef UNIT_half
#extension GL_EXT_shader_16bit_storage : require
#define UNIT_T uint16_t
#else
#define UNIT_T uint
#endif
#include "sort.h"
#ifdef UNIT_half
const uint SIGN = 0x8000u, MAGNITUDE_OF_INFINITY = BFLOAT != 0 ? 0x7f80u : 0x7c00u;
#else
const uint SIGN = 0x80000000u, MAGNITUDE_OF_INFINITY = 0x7f800000u;
#endif

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { SortParams p; };
layout(set = 0, binding = 0) readonly buffer X { UNIT_T x[]; };
layout(set = 0, binding = 1) readonly buffer Runs { uvec2 runs[]; };
layout(set = 0, binding = 2) writeonly buffer NextRuns { uvec2 next_runs[]; };
layout(set = 0, binding = 3) writeonly buffer Values { UNIT_T values[]; };
layout(set = 0, binding = 4) writeonly buffer Indices { uint indices[]; };

// Unsigned numbers in the order of the values: NaN last, -0 equal to 0.
uint key_of(uint bits) {
  uint key = bits ^ SIGN;
  if (INTEGER == 0) {
    uint magnitude = bits & (SIGN - 1);
    if (magnitude == 0) bits = 0;
    key = (bits & SIGN) != 0 ? SIGN - 1 - magnitude : SIGN + magnitude;
    if (magnitude > MAGNITUDE_OF_INFINITY) key = 0xffffffffu;
  }
  return DESCENDING != 0 ? ~key : key;
}

bool before(uvec2 a, uvec2 b) { return a.x != b.x ? a.x < b.x : a.y < b.y; }

uint element(uint row, uint at, uint n) { return (row / p.inner * n + at) * p.inner + row % p.inner; }

// The pair takes place `at` of run `run`, if that is one that is kept.
void put(uint row, uint run, uint at, uvec2 pair) {
  if (LAST != 0) {
    if (at >= p.keep) return;
    values[element(row, at, p.keep)] = x[element(row, pair.y, p.n)];
    indices[element(row, at, p.keep)] = pair.y;
  } else if (at < p.next_slots) {
    next_runs[(row * p.next_runs + run) * p.next_slots + at] = pair;
  }
}

void count_place(uint i) {
  uint row = i / p.n, at = i % p.n, run = at / SORT_RUN;
  uvec2 pair = uvec2(key_of(uint(x[element(row, at, p.n)])), at);
  uint place = 0, end = min((run + 1) * SORT_RUN, p.n);
  for (uint j = run * SORT_RUN; j < end; ++j)
    if (before(uvec2(key_of(uint(x[element(row, j, p.n)])), j), pair)) ++place;
  put(row, run, place, pair);
}

uint run_length(uint run) { return run < p.runs ? min(p.slots, p.n - run * p.covers) : 0; }

void merge_place(uint i) {
  uint slot = i % p.slots, run = i / p.slots % p.runs, row = i / p.slots / p.runs;
  if (slot >= run_length(run)) return;
  uvec2 pair = runs[i];
  uint other = run ^ 1u, first = (row * p.runs + other) * p.slots, low = 0, high = run_length(other);
  while (low < high) {
    uint middle = (low + high) / 2;
    if (before(runs[first + middle], pair))
      low = middle + 1;
    else
      high = middle;
  }
  put(row, run / 2, slot + low, pair);
}

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.invocations) return;
  if (MERGE != 0)
    merge_place(i);
  else
    count_place(i);
}
