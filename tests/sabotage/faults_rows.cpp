#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr Fault rows[] = {
    {"softmax: the running sum is not rescaled", "softmax", "part.sum = part.sum * exp(before - shift) +", "part.sum = part.sum +", "op_softmax/large"},
    {"softmax: the last element counts twice", "softmax", "bool part = j + c * LANES < p.n && ", "bool part = j + c * LANES <= p.n && ", "op_softmax/last"},
    {"softmax: the maximum is not subtracted", "softmax", "m == NEGATIVE_INFINITY ? 0.0 : m; }", "0.0; }", "op_softmax/large"},
    {"softmax: the axis has the stride of another", "softmax", "LOAD(x, base + at * p.step)", "LOAD(x, base + at)", "op_softmax/d0"},
    {"log-softmax: the sum without its logarithm", "softmax", "zeros ? 0.0 : log(part.sum);", "zeros ? 0.0 : part.sum;", "op_softmax/log_last"},
    {"softmax: a row in which nothing takes part is NaN", "softmax", "bool zeros = vanishes && (ZERO_EMPTY != 0 || !part.any),", "bool zeros = false,", "op_sdpa/deadrow"},
    {"softmax by groups: no barrier before the partial sums are read", "softmax", "  barrier();\n  for (uint half_lanes", "  for (uint half_lanes", "op_softmax/long", "softmax=softmax_group"},
    {"softmax by groups: no barrier between the steps of the tree", "softmax", "    }\n    barrier();\n  }\n  return Part(", "    }\n  }\n  return Part(", "op_softmax/long", "softmax=softmax_group"},
    {"softmax by groups: a lane without a share writes no sum", "softmax", "  partial_sum[lane] = own.sum;\n", "  if (own.sum > 0.0) partial_sum[lane] = own.sum;\n", "op_softmax/large", "softmax=softmax_group"},
    {"softmax by groups: sums are merged without rescaling", "softmax", "partial_sum[lane + half_lanes] * exp(b - shift)", "partial_sum[lane + half_lanes]", "op_softmax/large", "softmax=softmax_group"},
    {"reduce: the last element counts twice", "reduce", "if (k + c < stop) v[c] = element;", "if (k + c <= stop) v[c] = element;", "op_reduce/sum"},
    {"reduce: the strides of the axes are exchanged", "reduce", "uint axis = first_axis + axes - 1 - k, at", "uint axis = first_axis + k, at", "op_norm/bn_train"},
    {"variance: without Bessel's correction", "reduce", "return s.b * p.scale;", "return s.b * p.scale * 32.0 / 33.0;", "op_reduce/var"},
    {"logsumexp: the maximum is not added", "reduce", "s.a : s.a + log_ieee(s.b);", "s.a : log_ieee(s.b);", "op_reduce/lse"},
    {"reduce by groups: no barrier before the partial sums are read", "reduce", "shared_n[lane] = s.n;\n    barrier();\n", "shared_n[lane] = s.n;\n", "op_softmax/long", "reduce=reduce_group"},
    {"normalised rows: deviations are not squared", "normalize_rows", "squares += deviation * deviation", "squares += abs(deviation)", "op_norm/ln17"},
    {"normalised rows: the element past the row's end counts", "normalize_rows", "if (ELEMENT(j, i) >= end) v[i] = 0.0;", "if (ELEMENT(j, i) > end) v[i] = 0.0;", "op_norm/ln17", "", "lib/row_lanes.glsl"},
    {"normalised rows: a channel has the weight of the next", "normalize_rows", "first_weight = row % p.period * p.weights;", "first_weight = row % p.period * p.weights + 1;", "op_norm/gn"},
    {"normalised rows: the residual is left out", "normalize_rows", "if (RESIDUAL != 0) v[i] += LOAD(r, at);", "", "ops/normalize_rows.cpp: normalize_rows: a residual is added first, and its sum given where others read it"},
    {"normalised rows in chunks: how far apart their means lie is forgotten", "normalize_rows", "of_chunk.y + n * off * off", "of_chunk.y", "ops/normalize_rows.cpp: normalize_rows: few long rows in chunks, off every four and not, with all that may go along"},
    {"normalised rows by groups: no barrier before the sums of lanes are read", "normalize_rows", "  partial[at] = own;\n  barrier();\n", "  partial[at] = own;\n", "ops/normalize_rows.cpp: normalize_rows: widths off every four, share and register, none and one", "", "lib/row_lanes.glsl"},
    {"normalised rows backward: the mean of the gradient stays", "normalize_rows_backward", "((g - of_row.x) - normal", "(g - normal", "ops/normalize_rows.cpp: normalize_rows: gradients of x, weight and bias by every kernel"},
    {"normalised rows, weights: the row is that of another run", "normalize_rows_weights", "+ first / p.weights;", "+ first % p.weights;", "ops/normalize_rows.cpp: normalize_rows: gradients of x, weight and bias by every kernel"},
    {"cumulative sum: exclusive is ignored", "cumulative_sum", "EXCLUSIVE != 0 ? sum : sum + value", "sum + value", "ops/cumulative_sum.cpp: cumulative_sum along every axis, exclusive, reverse"},
    {"cumulative sum: reverse begins one behind the end", "cumulative_sum", "REVERSE != 0 ? p.n - 1 - j : j", "REVERSE != 0 ? p.n - j : j", "op_index/cumsum"},
    {"sort: of equals the higher index first", "sort", "a.x < b.x : a.y < b.y", "a.x < b.x : a.y > b.y", "ops/sort.cpp: sort of lengths around runs, and of equals: the lower index first"},
    {"sort: runs are merged at the place of the other run alone", "sort", "put(row, run / 2, slot + low, pair);", "put(row, run / 2, low, pair);", "ops/sort.cpp: sort of lengths around runs, and of equals: the lower index first"},
    {"top-k keeps one more than it has room for", "sort", "if (at >= p.keep) return;", "if (at > p.keep) return;", "op_index/topk"},
    {"top-k: the smallest instead of the largest", "sort", "return DESCENDING != 0 ? ~key : key;", "return key;", "op_index/topk"},
};

constexpr Fault pooling[] = {
    {"the divisor counts the padding though it should not", "pool_window", "int low = COUNT_PAD != 0 ? -0x40000000 : 0, end_x", "int low = -0x40000000, end_x", "op_pool/avg2d_nopadcount"},
    {"the window reads past the right edge", "pool_window", "all(bvec2(row_inside, uint(at) < uint(width)))", "all(bvec2(row_inside, uint(at) <= uint(width)))", "op_pool/avg2d_nopadcount"},
    {"padding takes part in a maximum as 0", "pool_window", "#define NEUTRAL (KIND == POOL_MAX ? NEGATIVE_INFINITY : 0.0)", "#define NEUTRAL 0.0", "op_pool/max2d_pad_neg"},
    {"dilation is forgotten on one axis", "pool_window", "int(t % KY * DY);\n    bool", "int(t % KY);\n    bool", "op_pool/max2d_dil_ceil"},
    {"of equals the last", "pool_window", "bool takes = keys[at] > magnitude[o];", "bool takes = keys[at] >= magnitude[o];", "ops/pool.cpp: a maximum takes the first of equals, and NaN wins"},
    {"Lp: the root is forgotten", "pool_window", "POWER == 2 ? sqrt(total) :", "POWER == 2 ? total :", "op_pool/lp2"},
    {"adaptive windows end by rounding down", "pool", "((o + 1) * size + out_size - 1) / out_size - from", "((o + 1) * size) / out_size - from", "op_pool/ada_avg"},
    {"the window is not clipped at the left edge", "pool", "taps.first = min(ceil_quotient(-taps.start, d), k);", "taps.first = 0;", "op_pool/avg2d_nopadcount", "pool=pool"},
    {"the gradient of a maximum goes to the whole window", "separable", "taken = index[from + at] == here;", "taken = true;", "op_pool/max2d"},
    {"unpooling puts values everywhere", "separable", "taken = index[i] == at;", "taken = true;", "ops/max_unpool.cpp: max_unpool: the gradient of max pooling is its unpooling, also when differentiated again"},
};

const std::span<const Fault> rows_faults = rows;
const std::span<const Fault> pooling_faults = pooling;

}  // namespace fovea::sabotage
