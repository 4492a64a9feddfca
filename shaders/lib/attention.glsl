// What both attention kernels do alike: operands, the mask, the store.
// After dtype.glsl, math.glsl and online_softmax.glsl.
#ifndef FOVEA_ATTENTION_GLSL
#define FOVEA_ATTENTION_GLSL
#include "attention_rows.glsl"
#include "philox.glsl"
#include "quantized.glsl"
#include "rows.glsl"

layout(set = 0, binding = 0) readonly buffer Q { STORE_T q[]; };
layout(set = 0, binding = 0) readonly buffer Q4 { QUAD_T q4[]; };
layout(set = 0, binding = 1) readonly buffer K { STORE_T k[]; };
layout(set = 0, binding = 1) readonly buffer K4 { QUAD_T k4[]; };
layout(set = 0, binding = 1) readonly buffer KWords { int k_words[]; };
layout(set = 0, binding = 2) readonly buffer V { STORE_T v[]; };
layout(set = 0, binding = 2) readonly buffer V4 { QUAD_T v4[]; };
layout(set = 0, binding = 2) readonly buffer VWords { int v_words[]; };
layout(set = 0, binding = 3) readonly buffer M { uint mask_words[]; };
layout(set = 0, binding = 3) readonly buffer MStorage { STORE_T mask_storage[]; };
#if !defined(ATTENTION_BACKWARD) && !defined(ATTENTION_PARTS)
layout(set = 0, binding = 4) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 4) writeonly buffer Y4 { STORE_T4 y4[]; };
layout(set = 0, binding = 5) writeonly buffer Lse { float lse[]; };
#endif

#if defined(WEIGHTS_dropped) || defined(WEIGHTS_ranged)
layout(set = 0, binding = ATTENTION_STATE) readonly buffer State { uint random_state[]; };
#endif

const uint QUADS = (D + 3) / 4, V_QUADS = (DV + 3) / 4;  // a row by fours; the last one is filled with zeros

FOVEA_ROW_LOADER(load_q, q, q4, D)
FOVEA_ROW_LOADER(stored_k, k, k4, D)
FOVEA_ROW_LOADER(stored_v, v, v4, DV)
FOVEA_QUANTIZED_LOADER(quantized_k, k_words, D)
FOVEA_QUANTIZED_LOADER(quantized_v, v_words, DV)
vec4 load_k(uint row, uint i) {
  if (QUANTIZED != QUANTIZED_NONE) return quantized_k(row, i);
  return stored_k(row, i);
}
vec4 load_v(uint row, uint i) {
  if (QUANTIZED != QUANTIZED_NONE) return quantized_v(row, i);
  return stored_v(row, i);
}

#if !defined(ATTENTION_BACKWARD) && !defined(ATTENTION_PARTS)
FOVEA_ROW_STORER(store_y, y, y4, DV)
#endif

// A forbidden key weighs 0, and 0 times a NaN or an infinity of its v would be NaN.
const bool FORBIDS = MASK != ATTENTION_MASK_NONE || BAND != 0 || MOD_MASKS || RANGED || NEIGHBOURS;
bvec4 not_finite_each(vec4 x) { return greaterThanEqual(floatBitsToUint(x) & 0x7fffffffu, uvec4(0x7f800000u)); }
bool not_finite(vec4 x) { return any(not_finite_each(x)); }
vec4 finite_of(vec4 x) { return mix(x, vec4(0.0), not_finite_each(x)); }
vec4 seen(vec4 x, float weight) { return weight == 0.0 ? vec4(0.0) : x; }

// What dropout leaves of a weight: 1 / keep_probability of it, or nothing. The draw is Bernoulli's of random.hpp over
// [B,H,Lq,n], n being Lk rounded up to fours.
float kept(QueryRow row, uint key) {
#if defined(WEIGHTS_dropped) || defined(WEIGHTS_ranged)
#ifdef WEIGHTS_ranged
  if (p.keep_probability >= 1.0) return 1.0;
#endif
  uint group = row.number * ((p.keys + 3) / 4) + key / 4;
  uvec4 counter = uvec4(random_state[2] + group, random_state[3] + p.stream, random_state[4], random_state[5]);
  return uniform_of(philox(counter, uvec2(random_state[0], random_state[1]))[key % 4]) < p.keep_probability ? 1.0 / p.keep_probability : 0.0;
#else
  return 1.0;
#endif
}

// Of a weight that is not 0: its factors, dropout's and the author's.
float used(float weight, QueryRow row, uint key) {
  if (MOD_FACTORS) return weight == 0.0 ? 0.0 : weight * kept(row, key) * mod_factor(row.batch, row.head, int(row.query), int(key));
  return weight * kept(row, key);
}

float capped(float score) { return SOFTCAP != 0 ? p.softcap * tanh_safe(score / p.softcap) : score; }

float masked(float score, QueryRow row, uint key) {
  uint at = row.mask + key * p.mask_j;
  // Outside of the window, whose keys are excluded, some other bias.
  if (BIAS != 0) at = min(at + row.bias_line, (p.mask_h == 0 ? 1 : p.heads) * grid_of_bias().x * grid_of_bias().y - 1);
  if (MASK == ATTENTION_MASK_BOOLEAN) return mask_words[at] != 0u ? score : NEGATIVE_INFINITY;
  if (MASK == ATTENTION_MASK_F32) return score + uintBitsToFloat(mask_words[at]);
  if (MASK == ATTENTION_MASK_STORAGE) return score + LOAD(mask_storage, at);
  return score;
}

#ifndef ATTENTION_BACKWARD
// Without NORMALIZE a weight is the score itself, and nothing is divided by the sum.
float raise_to(inout OnlineSoftmax state, float to) { return NORMALIZE != 0 ? raise(state, to) : 1.0; }
float weight_of(inout OnlineSoftmax state, float score) {
  if (NORMALIZE != 0) return weight(state, score);
  return score == NEGATIVE_INFINITY ? 0.0 : score;
}
vec4 result_of(OnlineSoftmax state, vec4 sum) { return NORMALIZE != 0 ? normalized(state, sum) : sum; }
#endif

// The capped score as the author and the mask leave it; -inf: excluded.
const bool CHANGES = MASK != ATTENTION_MASK_NONE || MOD_SCORES || MOD_MASKS;
const bool ONLY_MOD_MASKS = MASK == ATTENTION_MASK_NONE && !MOD_SCORES && MOD_MASKS;
float changed(float score, QueryRow row, uint key) {
  if (MOD_MASKS && !mod_visible(row.batch, row.head, int(row.query), int(key))) return NEGATIVE_INFINITY;
  if (MOD_SCORES) score = mod_score(score, row.batch, row.head, int(row.query), int(key));
  return masked(score, row, key);
}

#endif
