// What the backward kernels share: the operands besides q, k, v and the mask, and the two factors of a pair (i, j):
//   w = exp(s - lse_i) / Σ_j exp(s - lse_i), the weight, and ds = w (dO_i·v_j - delta_i), with delta_i = Σ dO_i·O_i - dlse_i;
//   of a weight that dropout or the author took away or raised, dO_i·v_j has its share; without NORMALIZE, w = s and ds = dO_i·v_j
// The sum is 1 but for rounding: of a log-sum-exp of 10^5 that is 1 %. It is taken where the scores are made again, and so
// is delta corrected to what makes Σ_j ds_ij = dlse_i hold: rows of one large weight then have gradients of zero, not of
// rounding times k.
// After attention.glsl.
#ifndef FOVEA_ATTENTION_BACKWARD_GLSL
#define FOVEA_ATTENTION_BACKWARD_GLSL

// Of a row: (lse, delta, dlse), and its range of keys where it has one. The sums beside them are made by the first launch.
const uint STATS = RANGES != 0 ? 5 : 3, SUMMED_STATS = RANGES != 0 ? 2 : 1;
layout(set = 0, binding = 4) readonly buffer Stats { float stats[]; };
// (lse, delta, 1 / Σ_j exp(s - lse), 0), and (begin, end, 0, 0)
layout(set = 0, binding = 4) readonly buffer SummedStats { vec4 summed_stats[]; };
#ifndef STATS_ARE_SUMMED
#define STATS_ARE_SUMMED (SIDE == ATTENTION_BACKWARD_KEYS)
#endif
layout(set = 0, binding = 5) readonly buffer DOut { STORE_T d_out[]; };
layout(set = 0, binding = 5) readonly buffer DOut4 { QUAD_T d_out4[]; };
FOVEA_ROW_LOADER(load_d_out, d_out, d_out4, DV)

uvec2 row_range(uint pair, uint row) {
  uint number = pair * p.rows + row;
  if (STATS_ARE_SUMMED) return uvec2(summed_stats[SUMMED_STATS * number + SUMMED_STATS - 1].xy);
  return uvec2(stats[STATS * number + STATS - 2], stats[STATS * number + STATS - 1]);
}
// Whether the range of one of the rows at, ..., at + n - 1 has one of the keys first..last.
bool some_see(uint pair, uint at, uint n, uint first, uint last) {
  if (!RANGED) return true;
  bool result = false;
  for (uint i = 0; i < n; ++i) {
    uvec2 range = row_range(pair, min(at + i, p.rows - 1));
    result = result || (range.x <= last && range.y > first);
  }
  return result;
}

struct Pair {
  float weight;   // w
  float used;     // of it, under dropout: what v was multiplied by
  float d_score;  // ds, of the masked score
  float slope;    // of the masked score by the scaled product: below 1 where the soft-cap bends it, and what the author makes of it
};

// `product` is q_i·k_j, `d_weight` is dO_i·v_j, `stat` is (lse, delta, factor of the weight); `visible` says whether row and
// key exist and the band has them.
Pair pair_of(float product, float d_weight, QueryRow at, uint key, vec3 stat, bool visible) {
  float s = product * p.scale, slope = 1.0;
  if (SOFTCAP != 0) {
    float t = tanh_safe(s / p.softcap);
    s = p.softcap * t;
    slope = 1.0 - t * t;
  }
  if (MOD_SCORES) slope *= mod_slope(s, at.batch, at.head, int(at.query), int(key));
  s = changed(s, at, key);
  // An excluded pair has nothing, whatever k, v, q and dO hold.
  bool seen = visible && s != NEGATIVE_INFINITY;
  if (NORMALIZE == 0) {
    if (!seen) return Pair(0.0, 0.0, 0.0, 0.0);
    float share = used(1.0, at, key);
    return Pair(s, s * share, share * d_weight, slope);
  }
  float w = seen && stat.x != NEGATIVE_INFINITY ? exp_ieee(s - stat.x) * stat.z : 0.0;
  if (w == 0.0) return Pair(0.0, 0.0, 0.0, 0.0);
  float share = used(1.0, at, key);
  return Pair(w, w * share, w * (share * d_weight - stat.y), slope);
}

// Rows of queries that see one of the keys first..last.
uvec2 visible_rows(uint first, uint last) {
  if (BAND == 0 || p.rows != p.queries) return uvec2(0, p.rows);
  return uvec2(clamp(ivec2(int(first) - p.band_high, int(last) - p.band_low + 1), ivec2(0), ivec2(int(p.rows))));
}

// A sum whose rounding is added with the next term (Kahan 1965): of thousands of equal weights, plain sums drift.
struct ExactSum {
  float value, rest;
};
void add(inout ExactSum sum, float x) {
  precise float term = x - sum.rest, next = sum.value + term;
  sum.rest = (next - sum.value) - term;
  sum.value = next;
}

#endif
