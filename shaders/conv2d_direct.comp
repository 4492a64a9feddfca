// y[n,o,i,j] = activation(bias[o] + sum over c,u,v of weight[o,c,u,v] · x[n, c, i·sy + u·dy - top, j·sx + v·dx - left])
//
// A workgroup takes WG·PIXELS output pixels of one image and CHANNELS output channels of one group: lanes lie along the
// pixels, so that inputs are neighbours and every weight has one address for the whole group. Each lane keeps
// CHANNELS × PIXELS sums in registers: twelve loads feed thirty-two products.
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16
#include "conv2d.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { Conv2dParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) readonly buffer Weight { STORE_T weight[]; };
layout(set = 0, binding = 2) readonly buffer Bias { STORE_T bias[]; };
layout(set = 0, binding = 3) writeonly buffer Y { STORE_T y[]; };

void main() {
  uint tile = FLAT_GROUP;
  if (tile >= p.images * p.groups * p.channel_tiles * p.pixel_tiles) return;
  uint pixel_tile = tile % p.pixel_tiles;
  tile /= p.pixel_tiles;
  uint o0 = tile % p.channel_tiles * CONV2D_CHANNELS;
  tile /= p.channel_tiles;
  uint group = tile % p.groups, image = tile / p.groups;

  uint area = p.HO * p.WO, plane = p.H * p.W, taps = p.KH * p.KW;
  uint pixel0 = pixel_tile * (WG * CONV2D_PIXELS) + gl_LocalInvocationID.x;
  int y0[CONV2D_PIXELS], x0[CONV2D_PIXELS];
  [[unroll]] for (int k = 0; k < CONV2D_PIXELS; ++k) {
    uint pixel = min(pixel0 + k * WG, area - 1);  // past the end: computed, not stored
    y0[k] = int(pixel / p.WO * p.stride_y) - int(p.top);
    x0[k] = int(pixel % p.WO * p.stride_x) - int(p.left);
  }
  float sum[CONV2D_CHANNELS][CONV2D_PIXELS];
  [[unroll]] for (int o = 0; o < CONV2D_CHANNELS; ++o)
    [[unroll]] for (int k = 0; k < CONV2D_PIXELS; ++k) sum[o][k] = 0.0;

  uint x_group = (image * p.groups + group) * p.C * plane;
  uint weight_row[CONV2D_CHANNELS];  // past the last channel: its weights again, not stored
  [[unroll]] for (int o = 0; o < CONV2D_CHANNELS; ++o)
    weight_row[o] = (group * p.O + min(o0 + o, p.O - 1)) * p.C * taps;

  for (uint u = 0; u < p.KH; ++u)
    for (uint v = 0; v < p.KW; ++v) {
      bool inside[CONV2D_PIXELS];
      uint at[CONV2D_PIXELS];
      [[unroll]] for (int k = 0; k < CONV2D_PIXELS; ++k) {
        int iy = y0[k] + int(u * p.dilation_y), ix = x0[k] + int(v * p.dilation_x);
        inside[k] = iy >= 0 && ix >= 0 && iy < int(p.H) && ix < int(p.W);
        at[k] = x_group + (inside[k] ? uint(iy) * p.W + uint(ix) : 0);
      }
      uint tap = u * p.KW + v;
      for (uint c = 0; c < p.C; ++c) {
        float value[CONV2D_PIXELS];
        [[unroll]] for (int k = 0; k < CONV2D_PIXELS; ++k) {
          float loaded = LOAD(x, at[k] + c * plane);
          value[k] = inside[k] ? loaded : 0.0;
        }
        [[unroll]] for (int o = 0; o < CONV2D_CHANNELS; ++o) {
          float w = LOAD(weight, weight_row[o] + c * taps + tap);
          [[unroll]] for (int k = 0; k < CONV2D_PIXELS; ++k) sum[o][k] += w * value[k];
        }
      }
    }

  [[unroll]] for (int o = 0; o < CONV2D_CHANNELS; ++o) {
    if (o0 + o < p.O) {
      uint channel = group * p.O + o0 + o;
      float offset = BIAS != 0 ? LOAD(bias, channel) : 0.0;
      uint row = (image * p.groups * p.O + channel) * area;
      [[unroll]] for (int k = 0; k < CONV2D_PIXELS; ++k)
        if (pixel0 + k * WG < area) STORE(y, row + pixel0 + k * WG, activate(ACTIVATION, sum[o][k] + offset));
    }
  }
}
