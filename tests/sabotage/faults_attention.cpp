#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr char half_precision[] =
    "        EACH_ROW { sum[r][i] += score[r][j] * x; sum[r][i].xy = unpackHalf2x16(packHalf2x16(sum[r][i].xy));"
    " sum[r][i].zw = unpackHalf2x16(packHalf2x16(sum[r][i].zw)); }\n";

constexpr const char* lockstep =
    "the eight lanes that share a row lie in one subgroup, which a driver for the CPU runs in lockstep between two barriers";

constexpr const char* corrected =
    "it is corrected from the sum of the scores' gradients, for which rows of one large weight need it (lib/attention_backward.glsl)";

constexpr Fault faults[] = {
    {"the running sum is not rescaled", "attention_row", "  state.l *= keep;\n", "", "op_sdpa/odd", "", "lib/online_softmax.glsl"},
    {"the sum of values is not rescaled", "attention_row", "++i) sum[r][i] *= keep;", "++i) sum[r][i] *= 1.0;", "op_sdpa/odd"},
    {"keys past the end are seen", "attention_row", "EACH_KEY if (j0 + j >= p.keys || !in_band(", "EACH_KEY if (!in_band(", "op_sdpa/odd"},
    {"float16 accumulation of the values", "attention_row", "        EACH_ROW sum[r][i] += score[r][j] * x;\n", half_precision, "op_sdpa/odd"},
    {"the scale is forgotten", "attention_row", "    vec4 x = Q_QUAD(pair * p.rows + row[r], i) * p.scale;", "    vec4 x = Q_QUAD(pair * p.rows + row[r], i);", "op_sdpa/odd"},
    {"a tile of rows is one longer", "attention_row", "uint last = min(first + WG * ROWS, p.rows) - 1;", "uint last = min(first + WG * ROWS, p.rows);", "op_sdpa/odd"},
    {"a batch reads the keys of the first", "attention_row", "{ return pair * p.keys + key; }", "{ return pair % p.key_heads * p.keys + key; }", "op_sdpa/gqa", "", "lib/attention_rows.glsl"},
    {"grouped heads all read the first key head", "attention_row", "{ return pair * p.keys + key; }", "{ return pair / p.key_heads * p.key_heads * p.keys + key; }", "op_sdpa/gqa", "", "lib/attention_rows.glsl"},
    {"causal off by one: a query does not see its own key", "attention_row", "int(key) <= int(query) + p.band_high", "int(key) < int(query) + p.band_high", "op_sdpa/causal_wide", "", "lib/attention_rows.glsl"},
    {"causal off by one: a query sees the next key", "attention_row", "int(key) <= int(query) + p.band_high", "int(key) <= int(query) + p.band_high + 1", "op_sdpa/causal_wide", "", "lib/attention_rows.glsl"},
    {"the last key of a causal block is not visited", "attention_row", "high + p.band_high + 1, high", "high + p.band_high, high", "op_sdpa/mqa_causal", "", "lib/attention_rows.glsl"},
    {"a window is one narrower at its left edge", "attention_row", "int(key) >= int(query) + p.band_low", "int(key) > int(query) + p.band_low", "op_attention_variants/window", "", "lib/attention_rows.glsl"},
    {"the mask is read one key on", "attention_row", "at[r], min(j0 + j, p.keys - 1));\n    if (j0", "at[r], min(j0 + j + 1, p.keys - 1));\n    if (j0", "op_sdpa/float_bias_grad"},
    {"a mask of each batch: the first is taken", "attention_row", "result.mask = batch * p.mask_b + head", "result.mask = head", "op_sdpa/keypad", "", "lib/attention_rows.glsl"},
    {"a mask of each head: the first is taken", "attention_row", " + head * p.mask_h + ", " + ", "op_sdpa/float_bias_grad", "", "lib/attention_rows.glsl"},
    {"the log-sum-exp without its maximum", "attention_row", "state.m + log_ieee(state.l)", "log_ieee(state.l)", "op_attention_variants/window", "", "lib/online_softmax.glsl"},
    {"the soft-cap does not scale back", "attention_row", "p.softcap * tanh_safe(score / p.softcap)", "tanh_safe(score / p.softcap)", "op_attention_variants/softcap", "", "lib/attention.glsl"},
    {"tiles: the sum of values is not rescaled", "attention_tile", "++t) sum[r][t] *= keep;", "++t) sum[r][t] *= 1.0;", "op_sdpa/decode", "attention=attention_tile"},
    {"tiles: the key past the end is seen", "attention_tile", "score[r][c] = key < p.keys && in_band", "score[r][c] = key <= p.keys && in_band", "op_sdpa/odd", "attention=attention_tile"},
    {"tiles: values past the end are read", "attention_tile", "if (quad < V_QUADS && key < p.keys) x = load_v", "if (quad < V_QUADS) x = load_v", "op_sdpa/odd", "attention=attention_tile"},
    {"tiles: the last row is not stored", "attention_tile", "if (first + own + r <= last) {", "if (first + own + r < last) {", "op_sdpa/odd", "attention=attention_tile"},
    {"tiles: no barrier before shared memory is written again", "attention_tile", "      barrier();  // the tile's last readers are done\n", "", "op_sdpa/odd", "attention=attention_tile"},
    {"tiles: no barrier between maxima and weights", "attention_tile", "    barrier();  // the maxima are read, the weights take their place\n", "", "op_sdpa/odd", "attention=attention_tile", "", nullptr, lockstep},
    {"backward: a query's delta is 0", "attention_backward", "vec3(stats[at], stats[at + 1], 1.0);", "vec3(stats[at], 0.0, 1.0);", "op_sdpa/odd", "attention_backward=attention_backward_shuffle", "", nullptr, corrected},
    {"backward: delta is forgotten", "attention_backward", "w * (share * d_weight - stat.y)", "w * d_weight", "op_sdpa/odd", "attention_backward=attention_backward_shuffle", "lib/attention_backward.glsl"},
    {"backward: the scale is forgotten", "attention_backward", "product[r][j] = found.d_score * found.slope * p.scale;", "product[r][j] = found.d_score * found.slope;", "op_sdpa/odd", "attention_backward=attention_backward_shuffle"},
    {"backward: the row past the end has a weight", "attention_backward", "at + j < others && in_band", "in_band", "op_sdpa/odd", "attention_backward=attention_backward_shuffle"},
    {"backward: a tile of rows is one longer", "attention_backward", "last = min(first + WG * ROWS, count) - 1;", "last = min(first + WG * ROWS, count);", "op_sdpa/odd", "attention_backward=attention_backward_shuffle"},
    {"backward: what causal excludes has a gradient", "attention_backward", "at + j < others && in_band(query, key) && (", "at + j < others && (", "op_sdpa/causal_wide", "attention_backward=attention_backward_shuffle"},
    {"backward: the first query that sees a key is passed over", "attention_backward", "clamp(ivec2(int(first) - p.band_high, ", "clamp(ivec2(int(first) + 1 - p.band_high, ", "op_sdpa/causal_wide", "attention_backward=attention_backward_shuffle", "lib/attention_backward.glsl"},
    {"backward: the soft-cap has slope 1", "attention_backward", "slope = 1.0 - t * t;", "slope = 1.0;", "op_attention_variants/softcap", "attention_backward=attention_backward_shuffle", "lib/attention_backward.glsl"},
    {"backward: a mask's gradient is not summed over the batches that share it", "attention_backward_mask", "gradient_of(b + left, h", "gradient_of(b, h", "op_sdpa/float_bias_grad"},
    {"backward by split rows: no barrier before factors are read", "attention_backward_split", "    barrier();  // and the parts are read\n", "", "op_sdpa/odd", "attention_backward=attention_backward_split", "", nullptr, lockstep},
    {"backward by split rows: the row past the end has a weight", "attention_backward_split", "at + COLUMN < others && in_band", "in_band", "op_sdpa/odd", "attention_backward=attention_backward_split"},
    {"backward by split rows: a shared row is one word shorter", "attention_backward_split", "parts[j * PITCH + LANE] = part;", "parts[j * WG + LANE] = part;", "op_sdpa/odd", "attention_backward=attention_backward_split"},
    {"backward in one walk: the scale is forgotten", "attention_backward_queries", "sum_q[i] * (factor * p.scale)", "sum_q[i] * factor", "op_sdpa/odd", "attention_backward=attention_backward_stored"},
    {"backward in one walk: the row past the end has pairs", "attention_backward_queries", "visible = own.exists && j0", "visible = j0", "op_sdpa/odd", "attention_backward=attention_backward_stored"},
    {"backward in one walk: the key past the end has pairs", "attention_backward_queries", "exists && j0 + j < p.keys && in_band", "exists && in_band", "op_sdpa/odd", "attention_backward=attention_backward_stored"},
    {"backward in one walk: what causal excludes has pairs", "attention_backward_queries", "j0 + j < p.keys && in_band(at, j0 + j);", "j0 + j < p.keys;", "op_sdpa/causal_wide", "attention_backward=attention_backward_stored"},
    {"backward in one walk: a lane takes its neighbour's number", "attention_backward_keys", "x[2 * l + 1] : x[2 * l];", "x[2 * l] : x[2 * l + 1];", "op_sdpa/odd", "attention_backward=attention_backward_stored", "lib/attention_pairs.glsl"},
    {"backward in one walk: the first rows that see a key are passed over", "attention_backward_keys", "uvec2(max(rows.x, p.page) - p.page, ", "uvec2(max(rows.x, p.page) - p.page + WG, ", "op_sdpa/causal_wide", "attention_backward=attention_backward_stored"},
    {"backward in one walk: tiles that were not filled are read", "attention_backward_keys", "return key >= keys.x && key < keys.y;", "return true;", "op_sdpa/mqa_causal", "attention_backward=attention_backward_stored"},
    {"backward in one walk: the sums of the launch before are forgotten", "attention_backward_keys", "if (is_first_launch()) return;", "return;", "ops/long_attention.cpp: attention's gradient over rows whose pairs are stored by more launches than one"},
    {"backward in one walk: each launch gives to the first keys", "attention_backward_keys", "pair = p.pages + own;", "pair = own;", "ops/attention_backward.cpp: attention backward: a batch whose pairs are stored by more launches than one"},
};

const std::span<const Fault> attention_faults = faults;

}  // namespace fovea::sabotage
