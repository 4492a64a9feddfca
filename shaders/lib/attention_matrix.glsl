// What attention's forward kernels on matrix units do alike: the rows of subgroups, q, k and v in shared memory, and values that
// are not finite. After attention.glsl and matrix.glsl.
#ifndef FOVEA_ATTENTION_MATRIX_GLSL
#define FOVEA_ATTENTION_MATRIX_GLSL

const uint SUBGROUPS = WG / SUBGROUP, OWN_ROWS = MATRIX_M * ROWS, TILE_ROWS = OWN_ROWS * SUBGROUPS;
// Rows in shared memory, in vec4s and elements: whole matrices, and 16 bytes that keep rows on different banks.
const uint D_STEPS = (D + MATRIX_K - 1) / MATRIX_K, D_PITCH = D_STEPS * MATRIX_K / 4 + 2;
const uint V_TILES = (DV + MATRIX_N - 1) / MATRIX_N, V_PITCH = V_TILES * MATRIX_N / 4 + 2;
const uint KEY_TILES = KEYS / MATRIX_N, KEY_STEPS = KEYS / MATRIX_K;
const uint V_AT = KEYS * D_PITCH, KV_SIZE = V_AT + KEYS * V_PITCH, Q_SIZE = SUBGROUPS * MATRIX_M * D_PITCH;

shared f16vec4 tile[KV_SIZE > Q_SIZE ? KV_SIZE : Q_SIZE];  // q, then k and v
// What a value that is not finite makes of a result where a weight is not 0, for 0 times it is not 0: two bits a column, of +inf and
// of -inf. The matrices multiply 0 in its place.
const uint STAIN_WORDS = (DV + 15) / 16;
shared uint stains[FORBIDS ? TILE_ROWS * STAIN_WORDS : 1];
shared uint not_finite_step;  // the last step whose values held a NaN or an infinity, counted from 1

#define EACH_TILE [[unroll]] for (uint r = 0; r < ROWS; ++r)

F16_LOADER(q16, q, q4, D)
F16_LOADER(k16, k, k4, D)
F16_LOADER(v16, v, v4, DV)

// Row n of the subgroups' tiles number r, in the workgroup's rows.
uint tile_row(uint n, uint r) { return n / MATRIX_M * OWN_ROWS + r * MATRIX_M + n % MATRIX_M; }

f16vec4 noted(f16vec4 x, uint number) {
  if (FORBIDS && not_finite(vec4(x))) atomicMax(not_finite_step, number, gl_ScopeWorkgroup, 0, 0);
  return x;
}
void load_keys_and_values(uint pair, uint j0, uint number) {
  FILL_TILE(0, KEYS, D_PITCH, QUADS, j0 + row < p.keys, k16(pair * p.keys + j0 + row, quad))
  FILL_TILE(V_AT, KEYS, V_PITCH, V_QUADS, j0 + row < p.keys, noted(v16(pair * p.keys + j0 + row, quad), number))
}

// Row `row` sees key j of the step: what is not finite in its value goes into the row's stains.
void note_stains(uint row, uint j) {
  [[dont_unroll]] for (uint quad = 0; quad < V_QUADS; ++quad) {
    vec4 x = vec4(tile[V_AT + j * V_PITCH + quad]);
    if (!not_finite(x)) continue;
    uint bits = 0;
    [[unroll]] for (uint e = 0; e < 4; ++e) if (not_finite(vec4(x[e]))) bits |= (is_nan(x[e]) ? 3u : x[e] > 0.0 ? 1u : 2u) << 2 * e;
    atomicOr(stains[row * STAIN_WORDS + quad / 4], bits << quad % 4 * 8, gl_ScopeWorkgroup, 0, 0);
  }
}
float stain(uint row, uint column) {
  uint bits = stains[row * STAIN_WORDS + column / 16] >> column % 16 * 2 & 3u;
  return bits == 0 ? 0.0 : bits == 3 ? QUIET_NAN : bits == 1 ? POSITIVE_INFINITY : NEGATIVE_INFINITY;
}

// Of the subgroup's tiles: the sums of their values begin at 0; q comes through shared memory.
#define LOAD_QUERIES(q, pair, first, last)                                                                                       \
  EACH_TILE {                                                                                                                     \
    if (r > 0) barrier();                                                                                                         \
    FILL_TILE(0, SUBGROUPS * MATRIX_M, D_PITCH, QUADS, first + tile_row(row, r) <= last, q16(pair * p.rows + placed(first + tile_row(row, r)), quad)) \
    barrier();                                                                                                                    \
    [[unroll]] for (uint d = 0; d < D_STEPS; ++d)                                                                                 \
      coopMatLoad(q[r * D_STEPS + d], tile, gl_SubgroupID * MATRIX_M * D_PITCH + d * MATRIX_K / 4, D_PITCH, ROW_MAJOR);           \
  }
// product[r][t] = q[r] k[t]ᵀ
#define MULTIPLY_KEYS(product, q)                                                                                                 \
  [[unroll]] for (uint t = 0; t < KEY_TILES; ++t) {                                                                               \
    EACH_TILE product[r * KEY_TILES + t] = SUMS(0.0);                                                                             \
    [[unroll]] for (uint d = 0; d < D_STEPS; ++d) {                                                                               \
      B_MATRIX k;                                                                                                                 \
      coopMatLoad(k, tile, t * MATRIX_N * D_PITCH + d * MATRIX_K / 4, D_PITCH, COLUMN_MAJOR);                                     \
      EACH_TILE product[r * KEY_TILES + t] = coopMatMulAdd(q[r * D_STEPS + d], k, product[r * KEY_TILES + t]);                    \
    }                                                                                                                             \
  }
// sum[r] += w[r] v
#define ADD_VALUES(sum, w)                                                                                                        \
  [[unroll]] for (uint t = 0; t < V_TILES; ++t) [[unroll]] for (uint j = 0; j < KEY_STEPS; ++j) {                                 \
    B_MATRIX v;                                                                                                                   \
    coopMatLoad(v, tile, V_AT + j * MATRIX_K * V_PITCH + t * MATRIX_N / 4, V_PITCH, ROW_MAJOR);                                   \
    EACH_TILE sum[r * V_TILES + t] = coopMatMulAdd(w[r * KEY_STEPS + j], v, sum[r * V_TILES + t]);                                \
  }

void forget_stains() {
  if (gl_LocalInvocationID.x == 0) not_finite_step = 0;
  if (FORBIDS)
    for (uint e = gl_LocalInvocationID.x; e < TILE_ROWS * STAIN_WORDS; e += WG) stains[e] = 0;
}
// When all have noted theirs.
void clear_not_finite() {
  barrier();
  for (uint e = gl_LocalInvocationID.x; e < KEYS * V_PITCH; e += WG) tile[V_AT + e] = f16vec4(finite_of(vec4(tile[V_AT + e])));
  barrier();
}

#endif
