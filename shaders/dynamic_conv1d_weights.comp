// The gradient of dynamic_conv1d's weights: dw[b,i,h,j] = sum over the head's channels c of dy[b,i,c] · x[b,i+j-offset,c].
// SUM: of a whole span of positions. Over `samples` in turn, where the weights serve all of them.
//
// An invocation computes TAPS neighbouring taps of ROWS neighbouring positions, or of all positions of its span, ROWS at a
// time: ROWS + TAPS - 1 positions of x meet ROWS of dy in registers. Always in the same order.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "dynamic_conv1d.h"
#include "lib/dtype.glsl"
FOVEA_SPEC(DynamicConvWeightsSpec, DYNAMIC_CONV1D_WEIGHTS_SPEC)

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { DynamicConvWeightsParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 0) readonly buffer X4 { STORE_T4 x4[]; };
layout(set = 0, binding = 1) readonly buffer DY { STORE_T dy[]; };
layout(set = 0, binding = 1) readonly buffer DY4 { STORE_T4 dy4[]; };
layout(set = 0, binding = 2) writeonly buffer DW { float dw[]; };

void main() {
  uint i = FLAT_GROUP * WG + gl_LocalInvocationID.x;
  if (i >= p.n) return;
  const uint TAP_BLOCKS = (K + TAPS - 1) / TAPS, RESULTS = SUM != 0 ? 1 : ROWS;
  uint j = i % TAP_BLOCKS * TAPS, rest = i / TAP_BLOCKS, h = rest % p.H;
  rest /= p.H;
  uint block = rest % p.blocks, b = rest / p.blocks, first = block * p.span, last = min(first + p.span, p.T);

  float sum[RESULTS * TAPS];
  [[unroll]] for (uint k = 0; k < RESULTS * TAPS; ++k) sum[k] = 0.0;
  for (uint n = 0; n < p.samples; ++n) {
    uint from = (b * p.samples + n) * p.T * p.C + h * p.channels;
    for (uint t = first; t < last; t += ROWS) {
      for (uint c = 0; c < p.channels; c += VEC) {
        vec4 d[ROWS];
        [[unroll]] for (uint r = 0; r < ROWS; ++r) {
          d[r] = vec4(0.0);
          if (t + r < last) {
            uint at = from + (t + r) * p.C + c;
            if (VEC == 4) d[r] = LOAD4(dy4, at / 4);
            else d[r].x = LOAD(dy, at);
          }
        }
        [[unroll]] for (uint m = 0; m < ROWS + TAPS - 1; ++m) {
          uint s = t + j + m - p.offset;  // wraps below 0
          vec4 value = vec4(0.0);
          if (s < p.T) {
            uint at = from + s * p.C + c;
            if (VEC == 4) value = LOAD4(x4, at / 4);
            else value.x = LOAD(x, at);
          }
          [[unroll]] for (uint r = 0; r < ROWS; ++r) {
            if (m < r || m - r >= TAPS) continue;
            sum[(SUM != 0 ? 0 : r * TAPS) + m - r] += VEC == 4 ? dot(d[r], value) : d[r].x * value.x;
          }
        }
      }
    }
  }
  [[unroll]] for (uint r = 0; r < RESULTS; ++r)
    [[unroll]] for (uint k = 0; k < TAPS; ++k) {
      if (j + k >= K || first + r >= p.T) continue;
      uint row = SUM != 0 ? b * p.blocks + block : b * p.T + first + r;
      dw[(row * p.H + h) * K + j + k] = sum[r * TAPS + k];
    }
}
