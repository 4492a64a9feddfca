// Philox-4x32-10: ten rounds of multiplication turn a counter and a key into four words (Salmon et al. 2011, figure 2).
#ifndef FOVEA_PHILOX_GLSL
#define FOVEA_PHILOX_GLSL

uvec4 philox(uvec4 c, uvec2 key) {
  for (uint k = 0; k < 10; ++k) {
    uint high0, low0, high1, low1;
    umulExtended(0xD2511F53u, c.x, high0, low0);
    umulExtended(0xCD9E8D57u, c.z, high1, low1);
    c = uvec4(high1 ^ c.y ^ key.x, low1, high0 ^ c.w ^ key.y, low0);
    key += uvec2(0x9E3779B9u, 0xBB67AE85u);
  }
  return c;
}

float uniform_of(uint r) { return (float(r >> 9) + 0.5) * uintBitsToFloat(0x34000000u); }  // 2^-23

#endif
