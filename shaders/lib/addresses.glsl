// Buffers by their device addresses, which follow a kernel's parameters among its push constants (Launch::addresses). As they are
// declared they say what is done with them, as bindings do: ElementsIn for what is read, ElementsOut for what is written. An
// address is a 64-bit integer in between, so that what a step adds to it is added once.
//
// Nothing checks an address. Drivers that run shaders on a CPU read what all invocations share in branches and iterations, too,
// that none of them takes: such an address stays within its buffer whatever the values are that it is made of.
// After dtype.glsl.
#ifndef FOVEA_ADDRESSES_GLSL
#define FOVEA_ADDRESSES_GLSL
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require

#include "rows.glsl"

#define QUAD_BYTES (4 * STORE_BYTES)
layout(buffer_reference, std430, buffer_reference_align = STORE_BYTES) readonly buffer ElementsIn { STORE_T x[]; };
layout(buffer_reference, std430, buffer_reference_align = QUAD_BYTES) readonly buffer QuadsIn { QUAD_T x[]; };
layout(buffer_reference, std430, buffer_reference_align = STORE_BYTES) writeonly buffer ElementsOut { STORE_T x[]; };
layout(buffer_reference, std430, buffer_reference_align = QUAD_BYTES) writeonly buffer QuadsOut { STORE_T4 x[]; };
// What a kernel keeps in f32, whatever the storage type is.
layout(buffer_reference, std430, buffer_reference_align = 16) buffer FloatQuads { vec4 x[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) readonly buffer FloatPairs { vec2 x[]; };
layout(buffer_reference, std430, buffer_reference_align = 8) writeonly buffer Longs { uint64_t x[]; };

// Of a row of `size` elements.
uint64_t row_at(uint64_t base, uint row, uint size) { return base + uint64_t(row) * (size * STORE_BYTES); }

// Elements 4 i to 4 i + 3 of the row of `size` elements there.
vec4 load_row_at(uint64_t row, uint i, uint size) {
  if (size % 4 == 0) return LOAD_QUAD(QuadsIn(row).x, i);
  vec4 x = vec4(0.0);
  x.x = LOAD(ElementsIn(row).x, 4 * i);
  if (4 * i + 1 < size) x.y = LOAD(ElementsIn(row).x, 4 * i + 1);
  if (4 * i + 2 < size) x.z = LOAD(ElementsIn(row).x, 4 * i + 2);
  if (4 * i + 3 < size) x.w = LOAD(ElementsIn(row).x, 4 * i + 3);
  return x;
}

void store_row_at(uint64_t row, uint i, uint size, vec4 x) {
  if (size % 4 == 0) {
    STORE4(QuadsOut(row).x, i, x);
    return;
  }
  STORE(ElementsOut(row).x, 4 * i, x.x);
  if (4 * i + 1 < size) STORE(ElementsOut(row).x, 4 * i + 1, x.y);
  if (4 * i + 2 < size) STORE(ElementsOut(row).x, 4 * i + 2, x.z);
  if (4 * i + 3 < size) STORE(ElementsOut(row).x, 4 * i + 3, x.w);
}

#endif
