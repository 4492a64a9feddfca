// Rows of a matrix by fours, whatever their length. After dtype.glsl.
#ifndef FOVEA_ROWS_GLSL
#define FOVEA_ROWS_GLSL

// Four elements as they are read. f16 as two words: lavapipe 26 compiles a load of f16vec4 for 0.1 s (a kernel with head
// size 128 in 7 s instead of 1).
#ifdef DTYPE_f16
#define QUAD_T uvec2
#define LOAD_QUAD(view, i) vec4(unpackHalf2x16(view[i].x), unpackHalf2x16(view[i].y))
#else
#define QUAD_T STORE_T4
#define LOAD_QUAD(view, i) LOAD4(view, i)
#endif

// Elements 4 i to 4 i + 3 of a row.
#define FOVEA_ROW_LOADER(name, view, view4, SIZE)                   \
  vec4 name(uint row, uint i) {                                     \
    vec4 x = vec4(0.0);                                             \
    if (SIZE % 4 == 0) {                                            \
      x = LOAD_QUAD(view4, row * (SIZE / 4) + i);                   \
    } else {                                                        \
      uint at = row * SIZE + 4 * i;                                 \
      x.x = LOAD(view, at);                                         \
      if (4 * i + 1 < SIZE) x.y = LOAD(view, at + 1);               \
      if (4 * i + 2 < SIZE) x.z = LOAD(view, at + 2);               \
      if (4 * i + 3 < SIZE) x.w = LOAD(view, at + 3);               \
    }                                                               \
    return x;                                                       \
  }

#define FOVEA_ROW_STORER(name, view, view4, SIZE)                   \
  void name(uint row, uint i, vec4 x) {                             \
    if (SIZE % 4 == 0) {                                            \
      STORE4(view4, row * (SIZE / 4) + i, x);                       \
    } else {                                                        \
      uint at = row * SIZE + 4 * i;                                 \
      STORE(view, at, x.x);                                         \
      if (4 * i + 1 < SIZE) STORE(view, at + 1, x.y);               \
      if (4 * i + 2 < SIZE) STORE(view, at + 2, x.z);               \
      if (4 * i + 3 < SIZE) STORE(view, at + 3, x.w);               \
    }                                                               \
  }

#endif
