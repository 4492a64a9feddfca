// Numbers made of Philox's words (lib/philox.glsl): one invocation four numbers.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#include "random.h"
#include "lib/math.glsl"
#include "lib/philox.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { RandomParams p; };
layout(set = 0, binding = 0) readonly buffer State { uint state[]; };
layout(set = 0, binding = 1) writeonly buffer Y { uint y[]; };

// log of a normal x > 0, right to the last bits near 1 too, where Vulkan allows an absolute error of 2^-21:
// x = m 2^e with m in [sqrt(1/2), sqrt(2)), log m = 2 atanh((m-1)/(m+1)).
float log_exact(float x) {
  uint bits = floatBitsToUint(x) - 0x3f3504f3u;
  int e = int(bits) >> 23;
  float m = uintBitsToFloat((bits & 0x7fffffu) + 0x3f3504f3u);
  float s = (m - 1.0) / (m + 1.0), s2 = s * s;
  float series = 2.0 * s * (1.0 + s2 * (1.0 / 3.0 + s2 * (0.2 + s2 * (1.0 / 7.0 + s2 * (1.0 / 9.0)))));
  return float(e) * 0.69314718 + series;
}

// Two normal numbers from two words.
vec2 normal_of(uvec2 r) {
  float radius = sqrt(-2.0 * log_exact(uniform_of(r.x))), angle = 6.2831853 * uniform_of(r.y);
  return radius * vec2(sin_quarter(angle, 1), sin_quarter(angle, 0));
}

float gumbel_of(uint r) { return -log_exact(-log_exact(uniform_of(r))); }

void main() {
  uint group = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (group * 4 >= p.n) return;
  uvec4 counter = uvec4(state[2] + group, state[3] + p.stream, state[4], state[5]);
  uvec4 words = philox(counter, uvec2(state[0], state[1]));
  vec4 numbers = vec4(0.0);
  if (KIND == RANDOM_NORMAL) numbers = vec4(normal_of(words.xy), normal_of(words.zw));
  [[unroll]] for (uint k = 0; k < 4; ++k) {
    if (KIND == RANDOM_UNIFORM) numbers[k] = uniform_of(words[k]);
    if (KIND == RANDOM_GUMBEL) numbers[k] = gumbel_of(words[k]);
    if (group * 4 + k < p.n) y[group * 4 + k] = KIND == RANDOM_BITS ? words[k] : floatBitsToUint(numbers[k]);
  }
}
