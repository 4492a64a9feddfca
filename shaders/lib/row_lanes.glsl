// Lanes that share a row, and the fours of elements that each has of it. After normalize_rows.h or a header like it: WG, LANES,
// SUBGROUPS and VEC; MEET_subgroup or MEET_memory says where lanes meet.
#ifndef FOVEA_ROW_LANES_GLSL
#define FOVEA_ROW_LANES_GLSL

const uint HOP = 4 * LANES;  // from one of a lane's fours to the next

// The i-th element of the four from j on: neighbours with VEC, else LANES apart, so that lanes side by side read neighbours.
#define ELEMENT(j, i) ((j) + (i) * (VEC != 0 ? 1u : LANES))

// f(j, i) for each of the lane's fours from `first` to `end`: of those held, the i-th; and of those that are read.
#define HELD_FOURS(f)                          \
  [[unroll]] for (uint i = 0; i < HELD; ++i)   \
    if (i + 1 < HELD || first + i * HOP < end) { f(first + i * HOP, i) }
#define READ_FOURS(f)                                                            \
  if (HELD == 0) for (uint j = first; j < end; j += 4 * HOP)                     \
    [[unroll]] for (uint k = 0; k < 4; ++k)                                      \
      if (k == 0 || j + k * HOP < end) { f(j + k * HOP, 0) }

float total(vec4 v) { return (v.x + v.y) + (v.z + v.w); }
// v, but 0 for what stands past the end.
vec4 within(uint j, uint end, vec4 v) {
  if (VEC == 0) [[unroll]] for (uint i = 0; i < 4; ++i) if (ELEMENT(j, i) >= end) v[i] = 0.0;
  return v;
}

#ifdef MEET_subgroup
shared vec2 partial[2 * SUBGROUPS];
#else
shared vec2 partial[WG];
#endif

// The sums of all lanes of a row. All invocations of the workgroup come here, first with meeting 0 and then with 1.
vec2 of_all_lanes(vec2 own, uint meeting) {
  if (LANES == 1) return own;
#ifdef MEET_subgroup
  vec2 sum = subgroupAdd(own);
  if (SUBGROUPS == 1) return sum;
  if (subgroupElect()) partial[meeting * SUBGROUPS + gl_SubgroupID] = sum;
  barrier();
  sum = partial[meeting * SUBGROUPS];
  for (uint other = 1; other < SUBGROUPS; ++other) sum += partial[meeting * SUBGROUPS + other];
  return sum;
#else
  uint at = gl_LocalInvocationID.x, lane = at % LANES;
  if (meeting > 0) barrier();  // all have read the sums of the one before
  partial[at] = own;
  barrier();
  for (uint half_lanes = LANES / 2; half_lanes > 0; half_lanes /= 2) {
    if (lane < half_lanes) partial[at] += partial[at + half_lanes];
    barrier();
  }
  return partial[at - lane];
#endif
}

#endif
