// bf16, the upper half of an f32, as an integer. Integers alone convert it: no device flushes a denormal or changes a NaN on the way.
#ifndef FOVEA_BFLOAT_GLSL
#define FOVEA_BFLOAT_GLSL

float float_of_bfloat(uint bits) { return uintBitsToFloat(bits << 16); }

// To the nearest, ties to even. What rounds past the largest is infinity; a NaN keeps the upper bits of its payload, and is quiet.
uint bfloat_of(float x) {
  uint bits = floatBitsToUint(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return bits >> 16 | 0x40u;
  return (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16;
}

// Four in two words, the first in the lower half.
vec4 floats_of_bfloats(uvec2 words) {
  uvec4 bits = words.xxyy;
  return uintBitsToFloat(uvec4(bits.x << 16, bits.y & 0xffff0000u, bits.z << 16, bits.w & 0xffff0000u));
}
uvec2 bfloats_of(vec4 x) {
  return uvec2(bfloat_of(x.x) | bfloat_of(x.y) << 16, bfloat_of(x.z) | bfloat_of(x.w) << 16);
}

#endif
