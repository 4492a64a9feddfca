// y[n,o,i,j] = activation(bias[o] + sum over c,u,v of weight[o,c,u,v] · x[n, c, i·sy + u·dy - top, j·sx + v·dx - left])
//
// An invocation makes PX neighbouring pixels of a row in TO output channels of one group, in registers. Lanes lie along
// such runs of pixels, through rows and images; every weight has one address for the whole workgroup. A turn takes one
// row u of the window, KU taps of it and one input channel: its input columns are loaded once for all taps and pixels
// that see them, and which of them lie in the padding is known before the loop over channels. Sums are more than a CPU's
// registers hold: one that takes in several taps at once is fetched and put back less often.
//
// GFLOP/s on two cores, by processor time, 64 -> 64 channels 3x3 at 56x56 (SwiftShader: 28x28):
//                                          lavapipe 26     22      25    SwiftShader
//   a tap a turn, weights a word at a load      19          7               3.4
//   columns shared, weights packed by fours:
//   PX x TO = 4 x 8                             38         14     18        4.8
//   4 x 16                                      36         14     13        3.5
//   8 x 8                                       40         17     16        3.7
//   8 x 16                                      43         22     15        3.6
//   the same by TAPS, each sum taking in all taps of a turn at once, measured later beside 8 x 16 of then (39, 20):
//   8 x 8                                       49         18
//   8 x 16                                      49         22
//   16 x 8                                      54         22
//   4 x 8                                                         +3 %     -16 %
#version 450
#extension GL_GOOGLE_include_directive : require
#extension GL_EXT_control_flow_attributes : require
#pragma variant DTYPE f32 f16 bf16
#include "conv2d.h"
#include "lib/dtype.glsl"
#include "lib/math.glsl"
FOVEA_SPEC(Conv2dSpec, CONV2D_SPEC)

layout(local_size_x_id = 0) in;
layout(push_constant) uniform Push { Conv2dParams p; };
layout(set = 0, binding = 0) readonly buffer X { STORE_T x[]; };
layout(set = 0, binding = 1) readonly buffer Weight { STORE_T weight[]; };
layout(set = 0, binding = 1) readonly buffer Weight4 { STORE_T4 weight4[]; };  // packed by conv2d_pack
layout(set = 0, binding = 2) readonly buffer Bias { STORE_T bias[]; };
layout(set = 0, binding = 3) writeonly buffer Y { STORE_T y[]; };
layout(set = 0, binding = 3) writeonly buffer Y4 { STORE_T4 y4[]; };

const uint COLUMNS = SHARED_COLUMNS != 0 ? (PX - 1) * STRIDE_X + (KU - 1) * DILATION_X + 1 : PX * KU;
// Where column t lies, and which column pixel k sees at tap v.
uint place(uint t) { return SHARED_COLUMNS != 0 ? t : t / KU * STRIDE_X + t % KU * DILATION_X; }
uint column_of(uint k, uint v) { return SHARED_COLUMNS != 0 ? k * STRIDE_X + v * DILATION_X : k * KU + v; }

float finish(float sum, uint channel) { return activate(ACTIVATION, sum + (BIAS != 0 ? LOAD(bias, channel) : 0.0)); }

void main() {
  uint lane_tiles = (p.lanes + WG - 1) / WG, tile = FLAT_GROUP;
  if (tile >= lane_tiles * p.channel_tiles * p.groups) return;
  uint lane = tile % lane_tiles * WG + gl_LocalInvocationID.x;
  bool stores = lane < p.lanes;
  lane = min(lane, p.lanes - 1);
  tile /= lane_tiles;  // (group, channel tile)
  uint group = tile / p.channel_tiles, o0 = tile % p.channel_tiles * TO;
  uint runs = (p.WO + PX - 1) / PX, j0 = lane % runs * PX, i = lane / runs % p.HO, image = lane / runs / p.HO;
  uint plane = p.H * p.W, taps = p.KH * p.KW;
  uint x_base = (image * p.groups + group) * p.C * plane;

  float sum[TO * PX];  // [o][k]
  [[unroll]] for (uint t = 0; t < TO * PX; ++t) sum[t] = 0.0;
  if (p.C > 0)
    for (uint u = 0; u < p.KH; ++u)
      for (uint v0 = 0; v0 < p.KW; v0 += KU) {
        uint row = i * p.stride_y + u * p.dilation_y - p.top;  // in the padding above: past any height
        bool row_inside = row < p.H;
        uint at[COLUMNS];
        bool inside[COLUMNS];
        // Without a branch: SwiftShader compiles twice as long for each one more in a row (24 columns: 18 s, so 0.2 s).
        [[unroll]] for (uint t = 0; t < COLUMNS; ++t) {
          uint column = j0 * STRIDE_X + v0 * DILATION_X + place(t) - p.left;
          inside[t] = all(bvec2(row_inside, column < p.W));
          at[t] = x_base + mix(0, row * p.W + column, inside[t]);
        }
        uint w = TO > 1 ? ((tile * p.KH + u) * p.KW + v0) * p.C * (TO / 4) : (group * p.O + o0) * p.C * taps + u * p.KW + v0;
        uint c = 0;
        do {
          float value[COLUMNS];
          [[unroll]] for (uint t = 0; t < COLUMNS; ++t) {
            float loaded = LOAD(x, at[t]);
            value[t] = inside[t] ? loaded : 0.0;
            at[t] += plane;
          }
          [[unroll]] for (uint first = 0; first < KU; first += TAPS) {
            if (TO > 1) {
              [[unroll]] for (uint o = 0; o < TO; o += 4) {
                vec4 f[TAPS];
                [[unroll]] for (uint v = 0; v < TAPS; ++v) f[v] = LOAD4(weight4, w + (first + v) * p.C * (TO / 4) + o / 4);
                [[unroll]] for (uint k = 0; k < PX; ++k)
                  [[unroll]] for (uint v = 0; v < TAPS; ++v) {
                    float seen = value[column_of(k, first + v)];
                    sum[o * PX + k] += f[v].x * seen;
                    sum[(o + 1) * PX + k] += f[v].y * seen;
                    sum[(o + 2) * PX + k] += f[v].z * seen;
                    sum[(o + 3) * PX + k] += f[v].w * seen;
                  }
              }
            } else {
              [[unroll]] for (uint v = 0; v < TAPS; ++v) {
                float f = LOAD(weight, w + first + v);
                [[unroll]] for (uint k = 0; k < PX; ++k) sum[k] += f * value[column_of(k, first + v)];
              }
            }
          }
          w += TO > 1 ? TO / 4 : taps;
        } while (++c < p.C);
      }

  if (!stores) return;
  [[unroll]] for (uint o = 0; o < TO; ++o)
    if (o0 + o < p.O) {
      uint channel = group * p.O + o0 + o, out_at = ((image * p.groups * p.O + channel) * p.HO + i) * p.WO + j0;
      if (STORE_VEC != 0) {
        [[unroll]] for (uint k = 0; k < PX; k += 4)
          if (j0 + k < p.WO)
            STORE4(y4, (out_at + k) / 4, vec4(finish(sum[o * PX + k], channel), finish(sum[o * PX + k + 1], channel),
                                              finish(sum[o * PX + k + 2], channel), finish(sum[o * PX + k + 3], channel)));
      } else {
        [[unroll]] for (uint k = 0; k < PX; ++k)
          if (j0 + k < p.WO) STORE(y, out_at + k, finish(sum[o * PX + k], channel));
      }
    }
}
