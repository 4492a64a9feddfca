// What the gradient's launch of queries leaves for that of keys, in f32: of each pair (i, j) weight and ds, in tiles of WG rows
// and WG keys: [pair of the launch][blocks of rows by eights][block of keys][of eight][row][key][weight, ds]. So the
// owner of rows fills half a megabyte eight times, and the owner of keys reads pages. A tile that has a pair which is seen is whole:
// what is not seen, or lies past an end, is 0 there. Before the tiles lie the sums of the keys' gradients, where the rows come in
// more launches than one: [pair of the launch][key][vec4s of dk, then of dv].
// After attention_backward.glsl.
#ifndef FOVEA_ATTENTION_PAIRS_GLSL
#define FOVEA_ATTENTION_PAIRS_GLSL

// Keys, by whole blocks.
uint padded_keys() { return (p.keys + WG - 1) / WG * WG; }
bool is_first_launch() { return p.page == 0; }
bool is_last_launch() { return p.page + p.row_blocks * WG >= p.rows; }
// All of it has less than 4 GiB.
uint64_t sums_of(uint64_t base, uint pair, uint key) { return base + (pair * padded_keys() + key) * ((QUADS + V_QUADS) * 16); }
// Of a block of rows and one of keys. From one block of keys to the next are TILE_STEP bytes.
const uint TILE_BYTES = WG * WG * 8, TILE_STEP = 8 * TILE_BYTES;
uint64_t tiles_of(uint64_t base, uint pair) {
  if (!is_first_launch() || !is_last_launch()) base = sums_of(base, p.pairs, 0);
  return base + pair * ((p.row_blocks + 7) / 8) * (padded_keys() / WG) * TILE_STEP;
}
uint64_t tile_of(uint64_t tiles, uint block, uint key_block) {
  return tiles + ((block / 8 * (padded_keys() / WG) + key_block) * TILE_STEP + block % 8 * TILE_BYTES);
}
// Of a key and a row of a tile: (weight, ds).
uint64_t pair_at(uint64_t tile, uint key, uint row) { return tile + (row * WG + key) * 8; }
vec2 load_pair(uint64_t tile, uint key, uint row) { return FloatPairs(pair_at(tile, key, row)).x[0]; }

// The keys [x, y) of which the rows first..last have tiles.
uvec2 keys_with_tiles(uint pair, uint first, uint last) {
  KeyRange keys = visible_keys(pair, first, last);
  if (keys.begin >= keys.end) return uvec2(0);
  return uvec2(keys.begin / WG * WG, (keys.end + WG - 1) / WG * WG);
}

// A weight that dropout took has its sign turned. Without NORMALIZE none is needed but for what is left of it.
#ifdef WEIGHTS_dropped
float stored_weight(Pair found) { return NORMALIZE == 0 ? found.used : found.used == 0.0 ? -found.weight : found.weight; }
float weight_of(float stored) { return abs(stored); }
float used_of(float stored) { return NORMALIZE == 0 ? stored : stored < 0.0 ? 0.0 : stored / p.keep_probability; }
#else
float stored_weight(Pair found) { return found.weight; }
float weight_of(float stored) { return stored; }
float used_of(float stored) { return stored; }
#endif
// An excluded pair has nothing of its rows, be they NaN or infinite.
bool is_excluded(float weight, float d_score) { return weight == 0.0 && d_score == 0.0; }

// x[l] in lane l, of numbers that all lanes have loaded by addresses that they share: those that each loads by its own address
// take lavapipe three times as long.
float by_lane(float x[WG]) {
  [[unroll]] for (uint n = WG / 2, bit = 1; n > 0; n /= 2, bit *= 2)
    [[unroll]] for (uint l = 0; l < n; ++l) x[l] = (gl_LocalInvocationID.x & bit) != 0 ? x[2 * l + 1] : x[2 * l];
  return x[0];
}

#endif
