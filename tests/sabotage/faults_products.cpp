#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr char half_precision[] =
    "{ vec4 s = acc[i * TJ + j] + lane[i] * q; acc[i * TJ + j] = vec4(unpackHalf2x16(packHalf2x16(s.xy)), unpackHalf2x16(packHalf2x16(s.zw))); }";

constexpr Fault matmul[] = {
    {"the last k of the tail is left out", "matmul_row", "} while (++k < k_end);", "} while (++k + 1 < k_end);", "op_matmul/2d"},
    {"float16 accumulation", "matmul_row", "acc[i * TJ + j] += lane[i] * q;", half_precision, "op_matmul/2d"},
    {"a tile is one row longer than the result", "matmul_row", "if (m >= p.M || n >= p.N) return;", "if (m > p.M || n >= p.N) return;", "op_matmul/2d"},
    {"a tile is one column wider than the result", "matmul_row", "if (n + 1 < p.N) store(", "if (n + 1 <= p.N) store(", "op_matmul/2d"},
    {"columns of a quad are exchanged", "matmul_row", "store4(rows, m + 1, n, base.bias, vec4(s0.y, s1.y, s2.y, s3.y));", "store4(rows, m + 1, n, base.bias, vec4(s1.y, s0.y, s2.y, s3.y));", "op_matmul/2d"},
    {"the second operand has the strides of the first", "matmul_row", "base.b += at * p.words[strides + RANK];", "base.b += at * p.words[strides];", "op_matmul/bcast", "", "lib/matmul.glsl"},
    {"the bias of a neighbouring column", "matmul_row", "store(at + 1, sums.y, bias_at + BIAS_N);", "store(at + 1, sums.y, bias_at);", "op_matmul/linear"},
    {"the bias is not scaled", "matmul_row", "p.beta * LOAD(bias, bias_at)", "LOAD(bias, bias_at)", "ops/matmul.cpp: matmul: beta scales a bias of any shape, and nothing where there is none", "", "lib/matmul.glsl"},
    {"tiles: one row longer than the result", "matmul_tile", "if (m < p.M && n < p.N) {", "if (m <= p.M && n < p.N) {", "op_matmul/2d", "matmul=matmul_tile"},
    {"tiles: one k more than there is", "matmul_tile", "if (m < p.M && kk < k_end) x = LOAD(a,", "if (m < p.M && kk <= k_end) x = LOAD(a,", "op_matmul/2d", "matmul=matmul_tile"},
    {"tiles: a shared row is one word shorter", "matmul_tile", "a_tile[j * (BM + 1) + i] = x;", "a_tile[j * BM + i] = x;", "op_matmul/2d", "matmul=matmul_tile"},
    {"tiles: no barrier before shared memory is read", "matmul_tile", "    barrier();\n    [[unroll]] for (uint j = 0; j < BK; ++j) {", "    [[unroll]] for (uint j = 0; j < BK; ++j) {", "op_matmul/2d", "matmul=matmul_tile"},
    {"tiles: no barrier before shared memory is written again", "matmul_tile", "    barrier();\n  }\n", "  }\n", "op_matmul/2d", "matmul=matmul_tile"},
};

constexpr Fault convolution[] = {
    {"the column past the right edge is read", "conv2d_direct", "column < p.W));", "column <= p.W));", "op_conv/3x3"},
    {"the row above the top edge is read", "conv2d_direct", "row < p.H;", "row + 1 < p.H + 1;", "op_conv/3x3"},
    {"a row of pixels is one longer", "conv2d_direct", "if (j0 + k < p.WO) STORE(y,", "if (j0 + k <= p.WO) STORE(y,", "op_conv/3x3"},
    {"a channel more than there is is stored", "conv2d_direct", "if (o0 + o < p.O) {", "if (o0 + o <= p.O) {", "op_conv/3x3"},
    {"weights are packed with taps and channels exchanged", "conv2d_pack", "* p.C + c) * p.taps + tap]", "* p.taps + tap) * p.C + c]", "op_conv/3x3"},
    {"the padding of the other axis", "conv2d_direct", "u * p.dilation_y - p.top;", "u * p.dilation_y - p.left;", "op_conv/s2p"},
    {"dilation is forgotten on one axis", "conv2d_direct", "u * p.dilation_y - p.top;", "u - p.top;", "op_conv/dil"},
    {"a group reads the channels of the first", "conv2d_direct", "(image * p.groups + group) * p.C * plane", "image * p.groups * p.C * plane", "op_conv/group"},
    {"a group has the bias of the first", "conv2d_direct", "finish(sum[o * PX + k], channel));", "finish(sum[o * PX + k], o0 + o));", "op_conv/depthwise"},
    {"fold: the window past the last is taken", "fold", "|| a >= p.HO) continue;", "|| a > p.HO) continue;", "op_conv/t_s2"},
    {"fold: the last tap is passed over", "fold", "v < KW && v", "v + 1 < KW && v", "op_shape/unfold"},
    {"deformable: the offsets of y and x are exchanged", "deform_unfold", "  y += offset[pair];\n  x += offset[pair + pixels];", "  x += offset[pair];\n  y += offset[pair + pixels];", "op_deform/v2_s2", "", "lib/deform.glsl"},
    {"deformable: the mask is forgotten", "deform_unfold", "s.mask * dot(", "dot(", "op_deform/v2_s2"},
    {"deformable: the texel below the picture is read", "deform_unfold", "y < int(p.H) && x < int(p.W);\n", "y <= int(p.H) && x < int(p.W);\n", "op_deform/v2_s2", "", "lib/deform_texels.glsl"},
    {"deformable: a texel takes the weight of its neighbour", "deform_texels", "(k % 2 == 0 ? s.lx : 1.0 - s.lx)", "(k % 2 != 0 ? s.lx : 1.0 - s.lx)", "op_deform/v2_s2"},
    {"deformable: an offset's slope of the other axis", "deform_slopes", "along_y += g * (rows.y - rows.x);", "along_y += g * (v.y - v.x);", "op_deform/v2_s2"},
};

const std::span<const Fault> matmul_faults = matmul;
const std::span<const Fault> convolution_faults = convolution;

}  // namespace fovea::sabotage
