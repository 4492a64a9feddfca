// What only tests of tests/ops notice that take many seconds each: these run by hand, and when the table is made.

#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr const char* taps = "ops/dynamic_conv1d.cpp: about the position, causal, and between; more taps than positions";
constexpr const char* features = "ops/feature_attention.cpp: feature_attention: lengths and features off every block, none and one";

constexpr const char* matrix_rows = "ops/attention.cpp: lengths of one, odd, past every tile, and none";
constexpr const char* matrix_backward = "ops/attention_backward.cpp: attention backward: lengths and head sizes off every block";

constexpr const char* nearest = "ops/bfloat.cpp: an f32 becomes the nearest bf16: ties, overflow, denormals, payloads";

constexpr Fault operators[] = {
    {"attention: masks of grouped heads: the group is forgotten", "attention_row", "pair % p.key_heads * (p.heads / p.key_heads) + row", "pair % p.key_heads + row", "ops/attention.cpp: masks a head and a batch under grouped queries", "", "lib/attention_rows.glsl"},
    {"attention: a row that sees nothing is divided by zero", "attention_row", "nothing_seen(state) ? vec4(0.0) : sum * (1.0 / state.l)", "sum * (1.0 / state.l)", "ops/attention.cpp: a fully masked row yields zeros, not NaN, and the log-sum-exp of nothing", "", "lib/online_softmax.glsl"},
    {"attention backward: the gradient of the log-sum-exp is dropped", "attention_backward", "slack[r].value * factor - stats[STATS * row + 2];", "slack[r].value * factor;", "ops/attention_backward.cpp: attention backward: scale, soft-cap, and a loss that takes the log-sum-exp too"},
    {"matrix units: the sums are not rescaled", "attention_matrix", "= sum[r * V_TILES + t] * kept_of_rows;", "= sum[r * V_TILES + t];", matrix_rows},
    {"matrix units: keys past the end are seen", "attention_matrix", "score[j] = key < p.keys && in_band", "score[j] = in_band", matrix_rows},
    {"matrix units: the second tile of a subgroup's rows is the first", "attention_matrix", "OWN_ROWS + r * MATRIX_M + n % MATRIX_M", "OWN_ROWS + n % MATRIX_M", matrix_rows, "", "lib/attention_matrix.glsl"},
    {"matrix units: lanes that share a row keep a maximum each", "attention_matrix", "to = max(to, subgroupShuffleXor(to, d));", "to = max(to, to);", matrix_rows, "", "", nullptr, "in subgroups of 8 a row of 8 has one lane"},
    {"matrix units: infinities that a row sees are lost", "attention_matrix", "        if (FORBIDS) result += stain(tile_row(row, r), column);\n", "", "ops/attention.cpp: a key that causal, a window or a mask excludes contributes nothing, whatever it holds"},
    {"matrix units: infinities that a row does not see reach it", "attention_matrix", "f16vec4(finite_of(vec4(tile[V_AT + e])))", "tile[V_AT + e]", "ops/attention.cpp: a key that causal, a window or a mask excludes contributes nothing, whatever it holds", "", "lib/attention_matrix.glsl"},
    {"matrix units, backward: what a row adds is not scaled back", "attention_backward_matrix", "sum[t] = sum[t] + added * scales; ", "sum[t] = sum[t] + added; ", matrix_backward, "", "lib/attention_backward_matrix.glsl"},
    {"matrix units, backward: the row past the end has a weight", "attention_backward_matrix", "at + other < others && in_band", "in_band", matrix_backward},
    {"matrix units, backward: keys take q in place of dO", "attention_backward_matrix", "B_FACTORS_AT = OWNS_KEYS ? B_AT : 0", "B_FACTORS_AT = 0", matrix_backward, "", "lib/attention_backward_matrix.glsl"},
    {"matrix units 2: the sums are not rescaled", "attention_matrix2", "sum[r * V_TILES + t] = sum[r * V_TILES + t] * keep;", ";", matrix_rows},
    {"matrix units 2: keys past the end are seen", "attention_matrix2", "return key < p.keys && in_band", "return in_band", matrix_rows},
    {"matrix units 2: the maximum is that of each column", "attention_matrix2", "coopMatReduceNV(to, largest, gl_CooperativeMatrixReduceRowNV, larger);", "to = largest;", matrix_rows},
    {"matrix units 2: the second tile of keys has the first one's number", "attention_matrix2", "score_of, pair, first + own[r], last, t * MATRIX_N, j0", "score_of, pair, first + own[r], last, 0u, j0", matrix_rows},
    {"matrix units 2: infinities that a row sees are lost", "attention_matrix2", "FORBIDS ? result + stain(own + row, j + column) : result", "result", "ops/attention.cpp: a key that causal, a window or a mask excludes contributes nothing, whatever it holds"},
    {"matrix units 2, backward: the row past the end has a weight", "attention_backward_matrix2", "other < others && in_band", "in_band", matrix_backward},
    {"matrix units 2, backward: the weights are summed over a column alone", "attention_backward_matrix2", "coopMatReduceNV(all_weights, weights, gl_CooperativeMatrixReduceRowNV, added_up);", "all_weights = weights;", matrix_backward},
    {"matmul on matrix units: columns past the end belong to the next row", "matmul_matrix", "if (column < columns) {", "{", "ops/matmul.cpp: matmul: every layout, with fast axes that are and are not multiples of four, lanes along either side"},
    {"matmul on matrix units: every subgroup makes the first one's columns", "matmul_matrix", "own_n = gl_SubgroupID % SN * (TN * MATRIX_N)", "own_n = 0u", "ops/matmul.cpp: matmul: sizes past one workgroup on every axis"},
    {"matmul: split K: the last part is not summed", "matmul_sum", "part < p.groups; ++part", "part + 1 < p.groups; ++part", "ops/matmul.cpp: matmul: K far past what one invocation may loop over on some drivers"},
    {"convolution: the stride of the other axis", "conv2d_direct", "uint row = i * p.stride_y", "uint row = i * STRIDE_X", "ops/conv2d.cpp: strides, paddings, dilations and kernels of odd sizes"},
    {"attention ranges: the last key is not seen", "attention_row", "key < row.range.y", "key + 1 < row.range.y", "ops/attention_ranges.cpp: ranges over blocks of rows and of keys", "", "lib/attention_rows.glsl"},
    {"attention ranges: a block begins where its last row does", "attention_row", "uvec2(min(some.x, range.x), ", "uvec2(range.x, ", "ops/attention_ranges.cpp: ranges over blocks of rows and of keys", "", "lib/attention_rows.glsl"},
    {"attention ranges: a head's are those of the first", "attention_row", " + of.y * p.range_h", "", "ops/attention_ranges.cpp: ranges over blocks of rows and of keys", "", "lib/attention_rows.glsl"},
    {"attention ranges backward: a step is left out where one of its rows sees nothing", "attention_backward", "result = result || (range.x <= last", "result = (result || i == 0) && (range.x <= last", "ops/attention_ranges.cpp: ranges over blocks of rows and of keys", "", "lib/attention_backward.glsl"},
    {"cache_append: every batch item at the first one's position", "cache_append", "head / p.heads * p.position_b", "0", "ops/cache_append.cpp: cache_append: one position, one a batch item, and rows outside of the cache"},
    {"cache_append: a row past the end is written", "cache_append", "stored = place < p.places", "stored = place <= p.places", "ops/cache_append.cpp: cache_append: one position, one a batch item, and rows outside of the cache"},
    {"attention dropout: every row draws the same", "attention_row", "row.number * ((p.keys + 3) / 4) + key / 4", "key / 4", "ops/attention_dropout.cpp: attention drops the weights that Philox says, and its gradient drops the same", "", "lib/attention.glsl"},
    {"attention dropout: the gradient drops nothing", "attention_backward", "  float share = used(1.0, at, key);\n  return Pair(w, ", "  float share = 1.0;\n  return Pair(w, ", "ops/attention_dropout.cpp: attention drops the weights that Philox says, and its gradient drops the same", "", "lib/attention_backward.glsl"},
    {"softmax: the temperature is forgotten", "softmax", "LOAD(x, base + at * p.step) * p.scale", "LOAD(x, base + at * p.step)", "ops/softmax.cpp: a temperature divides, in either form, with its gradient"},
    {"softmax: the mask of the next element", "softmax", "mask[mask_base + j * p.mask_step] != 0u", "mask[mask_base + (j + 1) * p.mask_step] != 0u", "ops/softmax.cpp: masks broadcast over every axis"},
    {"reduce by chunks: a chunk's state is read at the place of another", "reduce", "uint at = kept + (lane + k * LANES) * p.outputs;", "uint at = kept + lane + k * LANES;", "ops/reduce.cpp: long reductions to few outputs are split"},
    {"recurrent: a state goes on past its sequence's end", "recurrent_step", "ended ? h_old : h_new", "h_new", "ops/recurrent_scan.cpp: from the end back without a bias, sequences that end early, before they begin, or not at all"},
    {"additive score: one score more than there is", "additive_score", "EACH_ROW if (first + r < p.others)", "EACH_ROW if (first + r <= p.others)", "ops/additive_score.cpp: additive_score: lengths and features off every block, none and one, either side the longer"},
    {"dynamic convolution: taps are one position late", "dynamic_conv1d", "uint s = t + m - p.offset, at", "uint s = min(t + m + 1 - p.offset, p.T - 1), at", taps},
    {"dynamic convolution: transposed taps are one off", "dynamic_conv1d", "s * p.weight_t + K - 1 - j", "s * p.weight_t + K - 1 - max(j, 1) + 1", taps},
    {"dynamic convolution: the weights' gradient reads outside", "dynamic_conv1d_weights", "if (s < p.T) {", "if (s <= p.T) {", taps},
    {"feature attention: the sum is not rescaled", "feature_attention", "      sum[r] *= keep;\n", "", features},
    {"feature attention: the key past the end is seen", "feature_attention", "seen[j] = j0 + j < end &&", "seen[j] = j0 + j <= end &&", features},
    {"feature attention backward: the mean is not subtracted", "feature_attention_backward", "* (key.x - query.y) *", "* key.x *", "ops/feature_attention.cpp: feature_attention backward: both sides, lengths off every block, none and one"},
    {"elementwise: division rounds down, not to zero", "elementwise", "uint(i / j);", "uint((i - mod_floor(i, j)) / j);", "ops/elementwise.cpp: i32: every operation it has"},
    {"elementwise: halves are rounded up, not to even", "elementwise", "float_result(roundEven(x))", "float_result(floor(x + 0.5))", "ops/elementwise.cpp: rounding takes halves to even"},
    {"bf16: ties are rounded up, not to even", "elementwise", "0x7fffu + (bits >> 16 & 1u)", "0x8000u", nearest, "", "lib/bfloat.glsl"},
    {"bf16: a NaN of a low payload becomes infinity", "elementwise", "return bits >> 16 | 0x40u", "return bits >> 16", nearest, "", "lib/bfloat.glsl"},
    {"bf16: what a kernel stores is cut off", "matmul_tile", "(bits + 0x7fffu + (bits >> 16 & 1u)) >> 16", "bits >> 16", "ops/bfloat.cpp: products round to the nearest bf16 in every kernel", "", "lib/bfloat.glsl"},
    {"bf16: the second of a word is the first", "softmax", "bits.y & 0xffff0000u", "bits.y << 16", "ops/softmax.cpp: log_softmax along every axis", "", "lib/bfloat.glsl"},
    {"sort: infinities of bf16 are NaN", "sort", "? 0x7f80u", "? 0x7f00u", "ops/bfloat.cpp: a bf16 is padded, copied and sorted as it is"},
    {"gather: indices from the end are taken as they are", "gather", "wanted < 0 ? wanted + int(p.extent) : wanted", "wanted", "ops/gather.cpp: index_select: every axis, indices of every rank, from the end and out of range"},
    {"gather: the index one past the end is read", "gather", "if (at < p.extent)", "if (at <= p.extent)", "ops/gather.cpp: index_select: every axis, indices of every rank, from the end and out of range"},
    {"scatter: what was there is forgotten", "scatter", "if (ONTO != 0) sum = LOAD(x, i);", "", "ops/scatter.cpp: scatter_add and scatter along every axis, short and long, from the end and out of range"},
    {"scatter: the sum instead of the last update", "scatter", "REPLACE != 0 ? update : sum + update", "sum + update", "ops/scatter.cpp: scatter_add and scatter along every axis, short and long, from the end and out of range"},
    {"scatter: bisection passes over the first of equals", "scatter", "if (list[first + middle * hop] < v)", "if (list[first + middle * hop] <= v)", "ops/scatter.cpp: index_add along every axis, short and long"},
    {"variance: moments of blocks are merged without their distance", "reduce", "s.b + t.b + delta * delta * float(s.n) * share", "s.b + t.b", "ops/reduce.cpp: variance of a large mean does not cancel"},
    {"variance: the mean of blocks is not weighted", "reduce", "s.a + delta * share", "s.a + delta * 0.5", "ops/reduce.cpp: variance of a large mean does not cancel"},
    {"argmax: of equals the last", "reduce", "return equal ? at < s.n :", "return equal ? at > s.n :", "ops/reduce.cpp: of equal extrema the first is named"},
};

const std::span<const Fault> operators_faults = operators;

}  // namespace fovea::sabotage
