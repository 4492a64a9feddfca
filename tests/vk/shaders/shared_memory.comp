#version 450
// Reads shared memory that it has not written: arrays of every kind, and what is none.
layout(local_size_x = 8, local_size_y = 2) in;
layout(constant_id = 0) const uint WRITES = 0;  // 1: lane 0 writes before all read
layout(set = 0, binding = 0) buffer Out { uint y[]; };
struct Pair { float a; uint b; };
shared float floats[37];
shared vec4 quads[5];
shared uint counts[3][7];
shared Pair pairs[18];
shared int single;
shared vec2 both;

void main() {
  uint lane = gl_LocalInvocationID.y * 8 + gl_LocalInvocationID.x;
  if (WRITES == 1) {
    if (lane == 0) single = 5, floats[36] = 2.0;
    barrier();
  }
  if (lane != 11) return;
  uint at = 0;
  for (uint i = 0; i < 37; ++i) y[at++] = floatBitsToUint(floats[i]);
  for (uint i = 0; i < 20; ++i) y[at++] = floatBitsToUint(quads[i / 4][i % 4]);
  for (uint i = 0; i < 21; ++i) y[at++] = counts[i / 7][i % 7];
  for (uint i = 0; i < 18; ++i) y[at++] = floatBitsToUint(pairs[i].a), y[at++] = pairs[i].b;
  y[at++] = uint(single);
  y[at++] = floatBitsToUint(both.x);
  y[at++] = floatBitsToUint(both.y);
}
