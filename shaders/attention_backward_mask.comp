// The gradient of an additive mask, or of a neighbourhood's bias: each of its elements is the sum of ds over the pairs (b, h, i, j) that read it
// (lib/attention_backward.glsl). A lane an element; the products q_i·k_j and dO_i·v_j are made again for each pair. Where a device
// cuts loops, a lane a part of an element's pairs, and further launches add up the parts, in order.
// With SITE, what a read of an author's buffer takes of the gradient (fovea/attention_mod.hpp), summed over the axes that its
// index does not depend on.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant WEIGHTS whole dropped
#pragma variant DTYPE f32 f16 bf16
#define ATTENTION_BACKWARD
#define ATTENTION_STATE 7
#define STATS_ARE_SUMMED true
#include "attention.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
#include "lib/attention.glsl"
#include "lib/attention_backward.glsl"

layout(set = 0, binding = 6) writeonly buffer DMask { uint d_mask_words[]; };
layout(set = 0, binding = 6) writeonly buffer DMaskStorage { STORE_T d_mask[]; };

// The next digit of a mixed-radix number.
uint take(inout uint number, uint extent) {
  uint digit = number % extent;
  number /= extent;
  return digit;
}

// The key at which query i reads an element of the table of a neighbourhood: no further than below the grid's number of keys.
uint key_of_bias(uint i, uint element, out bool exists) {
  uvec2 at = place_of_query(i), table = grid_of_bias(), grid = grid_of_keys();
  at += uvec2(offset_of_grids()) + uvec2(element / table.y, element % table.y) - table / 2;  // below 0: far past the end
  exists = at.x < grid.x && at.y < grid.y;
  return exists ? at.x * grid.y + at.y : 0;
}

float gradient_of(uint b, uint h, uint i, uint j) {
  bool exists = true;
  if (BIAS != 0 && SITE == 0) j = key_of_bias(i, j, exists);
  uint group = p.heads / p.key_heads, pair = b * p.key_heads + h / group, row = h % group * p.queries + i;
  uint query = pair * p.rows + row, key = pair * p.keys + j;
  float product = 0.0, d_weight = 0.0;
  // Unrolled, Honeykrisp spills.
  [[dont_unroll]] for (uint n = 0; n < QUADS; ++n) product += dot(load_q(query, n), load_k(key, n));
  [[dont_unroll]] for (uint n = 0; n < V_QUADS; ++n) d_weight += dot(load_d_out(query, n), load_v(key, n));
  QueryRow at = query_row(pair, row);
  if (NEIGHBOURS) enter(at, Step(j, false, place_of_key(j).x, place_of_key(j).y));
  Pair found = pair_of(product, d_weight, at, j, summed_stats[SUMMED_STATS * query].xyz, exists && in_band(at, j));
  if (SITE == 0) return found.d_score;
  float d = mod_site_of_factor(SITE) ? found.weight * kept(at, j) * d_weight : found.d_score;
  return d == 0.0 ? 0.0 : d * mod_site(SITE, capped(product * p.scale), int(b), int(h), int(i), int(j));
}

void main() {
  uvec4 extents = uvec4(p.pairs / p.key_heads, p.heads, p.queries, p.keys);
  if (BIAS != 0 && SITE == 0) extents.w = grid_of_bias().x * grid_of_bias().y;
  uvec4 own, others;  // what the element has of each axis, and what it is read along
  for (uint axis = 0; axis < 4; ++axis) {
    bool full = (FULL_AXES >> axis & 1u) != 0u;
    own[axis] = full ? extents[axis] : 1u;
    others[axis] = full ? 1u : extents[axis];
  }
  uint elements = own.x * own.y * own.z * own.w, lane = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (lane >= elements * PARTS) return;
  uint element = PARTS == 1 ? lane : lane % elements, part = PARTS == 1 ? 0 : lane / elements, rest = element;
  uint j = take(rest, own.w), i = take(rest, own.z), h = take(rest, own.y), b = rest;
  uint terms = MODE == ATTENTION_MASK_OF_PARTS ? p.pages : others.x * others.y * others.z * others.w;
  // As often in every lane: lavapipe 26.1.6 never ends a loop that some lanes leave early.
  uint run = (terms + PARTS - 1) / PARTS, first = part * run;
  float sum = 0.0;
  for (uint n = 0; n < run; ++n) {
    uint left = min(first + n, terms - 1);
    float term;
    if (MODE == ATTENTION_MASK_OF_PARTS) {
      term = stats[left * elements + element];
    } else {
      uint dj = take(left, others.w), di = take(left, others.z), dh = take(left, others.y);
      term = gradient_of(b + left, h + dh, i + di, j + dj);
    }
    if (PARTS == 1 || first + n < terms) sum += term;
  }
  if (SITE != 0 || MASK == ATTENTION_MASK_F32 || PARTS > 1)
    d_mask_words[lane] = floatBitsToUint(sum);
  else
    STORE(d_mask, element, sum);
}
