// What attention's gradients on matrix units do alike: the owned and the other rows in shared memory, and values that are not finite.
// After attention_backward.glsl and matrix.glsl.
#ifndef FOVEA_ATTENTION_BACKWARD_MATRIX_GLSL
#define FOVEA_ATTENTION_BACKWARD_MATRIX_GLSL

layout(set = 0, binding = 6) writeonly buffer DA { STORE_T d_a[]; };     // dq or dk
layout(set = 0, binding = 7) writeonly buffer DB { STORE_T d_b[]; };     // dv, or
layout(set = 0, binding = 7) writeonly buffer DStats { vec4 d_stats[]; };  // the statistics that the keys' side reads

const bool OWNS_KEYS = SIDE == ATTENTION_BACKWARD_KEYS;
const uint SUBGROUPS = WG / SUBGROUP, TILE_ROWS = MATRIX_M * SUBGROUPS;
const uint WIDER = MATRIX_K > MATRIX_N ? MATRIX_K : MATRIX_N;
const uint D_PITCH = (D + WIDER - 1) / WIDER * WIDER / 4 + 2, V_PITCH = (DV + WIDER - 1) / WIDER * WIDER / 4 + 2;
const uint D_STEPS = (D + MATRIX_K - 1) / MATRIX_K, V_STEPS = (DV + MATRIX_K - 1) / MATRIX_K;
const uint D_TILES = (D + MATRIX_N - 1) / MATRIX_N, V_TILES = (DV + MATRIX_N - 1) / MATRIX_N;
const uint B_TILES = OWNS_KEYS ? V_TILES : D_TILES;
const uint OTHER_TILES = KEYS / MATRIX_N, OTHER_STEPS = KEYS / MATRIX_K;
const uint B_AT = KEYS * D_PITCH, BOTH_SIZE = B_AT + KEYS * V_PITCH, OWN_SIZE = TILE_ROWS * (D_PITCH > V_PITCH ? D_PITCH : V_PITCH);

shared f16vec4 tile[BOTH_SIZE > OWN_SIZE ? BOTH_SIZE : OWN_SIZE];  // the owned rows' a, then b; the others' a and b
shared uint stained[KEYS];  // of the other rows: bit 0: its a holds a NaN or an infinity; bit 1: its b

F16_LOADER(q16, q, q4, D)
F16_LOADER(k16, k, k4, D)
F16_LOADER(v16, v, v4, DV)
F16_LOADER(d_out16, d_out, d_out4, DV)
f16vec4 own_a(uint row, uint i) { return OWNS_KEYS ? k16(row, i) : q16(row, i); }
f16vec4 own_b(uint row, uint i) { return OWNS_KEYS ? v16(row, i) : d_out16(row, i); }
f16vec4 other_a(uint row, uint i) { return OWNS_KEYS ? q16(row, i) : k16(row, i); }
f16vec4 other_b(uint row, uint i) { return OWNS_KEYS ? d_out16(row, i) : v16(row, i); }

// A pair that is excluded has weight 0, and 0 times a NaN or an infinity would be NaN. So matrices have 0 in place of those, and
// the factors of the pairs that do see such a row become NaN.
f16vec4 noted(f16vec4 x, uint row, uint bit) {
  if (!FORBIDS || !not_finite(vec4(x))) return x;
  atomicOr(stained[row], bit, gl_ScopeWorkgroup, 0, 0);
  return f16vec4(finite_of(vec4(x)));
}

// The owned rows first..last of `count`, as matrices. They are the subgroup's from `base` on.
#define LOAD_OWN(a, b, pair, count, first, last, base)                                                                            \
  FILL_TILE(0, TILE_ROWS, D_PITCH, QUADS, first + row <= last, own_a(pair * count + placed(first + row), quad))                   \
  barrier();                                                                                                                      \
  [[unroll]] for (uint d = 0; d < D_STEPS; ++d) coopMatLoad(a[d], tile, base * D_PITCH + d * MATRIX_K / 4, D_PITCH, ROW_MAJOR);   \
  barrier();                                                                                                                      \
  FILL_TILE(0, TILE_ROWS, V_PITCH, V_QUADS, first + row <= last, own_b(pair * count + placed(first + row), quad))                 \
  barrier();                                                                                                                      \
  [[unroll]] for (uint d = 0; d < V_STEPS; ++d) coopMatLoad(b[d], tile, base * V_PITCH + d * MATRIX_K / 4, V_PITCH, ROW_MAJOR);
// The other rows from `at` on, in shared memory.
#define LOAD_OTHERS(pair, others, at)                                                                                             \
  barrier();  /* the tile's last readers are done */                                                                              \
  if (FORBIDS) {                                                                                                                  \
    for (uint e = gl_LocalInvocationID.x; e < KEYS; e += WG) stained[e] = 0;                                                      \
    barrier();                                                                                                                    \
  }                                                                                                                               \
  FILL_TILE(0, KEYS, D_PITCH, QUADS, at + row < others, noted(other_a(pair * others + at + row, quad), row, 1))                   \
  FILL_TILE(B_AT, KEYS, V_PITCH, V_QUADS, at + row < others, noted(other_b(pair * others + at + row, quad), row, 2))              \
  barrier();
// product = a aᵀ and d_weight = b bᵀ of the owned rows and tile t of the others.
#define MULTIPLY_OTHERS(product, d_weight, a, b, t)                                                                               \
  {                                                                                                                               \
    product = SUMS(0.0), d_weight = SUMS(0.0);                                                                                    \
    B_MATRIX x;                                                                                                                   \
    [[unroll]] for (uint d = 0; d < D_STEPS; ++d) {                                                                               \
      coopMatLoad(x, tile, t * MATRIX_N * D_PITCH + d * MATRIX_K / 4, D_PITCH, COLUMN_MAJOR);                                     \
      product = coopMatMulAdd(a[d], x, product);                                                                                  \
    }                                                                                                                             \
    [[unroll]] for (uint d = 0; d < V_STEPS; ++d) {                                                                               \
      coopMatLoad(x, tile, B_AT + t * MATRIX_N * V_PITCH + d * MATRIX_K / 4, V_PITCH, COLUMN_MAJOR);                              \
      d_weight = coopMatMulAdd(b[d], x, d_weight);                                                                                \
    }                                                                                                                             \
  }
// sum += scales * (factors x), x being rows of the tile from `at_tile` on.
#define ADD_FACTORS(sum, TILES, factors, scales, at_tile, pitch)                                                                  \
  [[unroll]] for (uint t = 0; t < TILES; ++t) {                                                                                   \
    SUMS added = SUMS(0.0);                                                                                                       \
    [[unroll]] for (uint s = 0; s < OTHER_STEPS; ++s) {                                                                           \
      B_MATRIX x;                                                                                                                 \
      coopMatLoad(x, tile, at_tile + s * MATRIX_K * pitch + t * MATRIX_N / 4, pitch, ROW_MAJOR);                                  \
      added = coopMatMulAdd(factors[s], x, added);                                                                                \
    }                                                                                                                             \
    sum[t] = sum[t] + added * scales;                                                                                             \
  }
const uint B_FACTORS_AT = OWNS_KEYS ? B_AT : 0, B_FACTORS_PITCH = OWNS_KEYS ? V_PITCH : D_PITCH;  // what factors of b multiply

#endif
