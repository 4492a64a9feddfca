// Matrices that a subgroup multiplies (GL_KHR_cooperative_matrix): f16 operands, f32 sums, of the shape MATRIX_M, MATRIX_N, MATRIX_K.
#ifndef FOVEA_MATRIX_GLSL
#define FOVEA_MATRIX_GLSL

#define A_MATRIX coopmat<float16_t, gl_ScopeSubgroup, MATRIX_M, MATRIX_K, gl_MatrixUseA>
#define B_MATRIX coopmat<float16_t, gl_ScopeSubgroup, MATRIX_K, MATRIX_N, gl_MatrixUseB>
#define SUMS coopmat<float, gl_ScopeSubgroup, MATRIX_M, MATRIX_N, gl_MatrixUseAccumulator>
#define ROW_MAJOR gl_CooperativeMatrixLayoutRowMajor
#define COLUMN_MAJOR gl_CooperativeMatrixLayoutColumnMajor

void subgroup_wrote() {
  subgroupMemoryBarrierShared();
  subgroupBarrier();
}

// Four elements as they are stored.
#define F16_LOADER(name, view, view4, SIZE)                                              \
  f16vec4 name(uint row, uint i) {                                                       \
    f16vec4 x = f16vec4(0.0);                                                            \
    if (SIZE % 4 == 0) {                                                                 \
      uvec2 words = view4[row * (SIZE / 4) + i];                                         \
      x = f16vec4(unpackFloat2x16(words.x), unpackFloat2x16(words.y));                   \
    } else {                                                                             \
      uint at = row * SIZE + 4 * i;                                                      \
      [[unroll]] for (uint n = 0; n < 4; ++n) if (4 * i + n < SIZE) x[n] = view[at + n]; \
    }                                                                                    \
    return x;                                                                            \
  }

// Rows [0, rows) by `pitch` vec4s of the shared `tile` from `at` on: zeros past `quads`, and where `row` is not `filled`.
#define FILL_TILE(at, rows, pitch, quads, filled, loaded)                                         \
  for (uint n = gl_LocalInvocationID.x; n < (rows) * (pitch); n += WG) {                          \
    uint row = n / (pitch), quad = n % (pitch);                                                   \
    f16vec4 x = f16vec4(0.0);                                                                     \
    if (quad < (quads) && (filled)) x = loaded;                                                   \
    tile[(at) + n] = x;                                                                           \
  }

#endif
