#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr Fault elementwise[] = {
    {"one element more than there is", "elementwise", "if (i >= p.n) return;", "if (i > p.n) return;", "op_act/silu"},
    {"silu without its factor", "elementwise", "float_result(x * sigmoid(x))", "float_result(sigmoid(x))", "op_act/silu"},
    {"relu keeps what is negative", "elementwise", "case CODE_RELU: return float_result(max_nan(x, 0.0));", "case CODE_RELU: return float_result(x);", "op_act/relu"},
    {"an operand that broadcasts has the strides of another axis", "elementwise", "k_in * RANK + axis];", "k_in * RANK + k];", "op_shape/bcast_gate"},
    {"select takes the other side", "elementwise", "return u != 0u ? registers", "return u == 0u ? registers", "op_shape/where"},
    {"rotary embedding turns the other way", "elementwise", "precise float r = x - z;", "precise float r = x + z;", "mod_window/rope_half"},
};

constexpr Fault layout[] = {
    {"permute: the strides are in the order of the other side", "strided_copy", "from += at * p.words[STRIDES + axis];", "from += at * p.words[STRIDES + RANK - 1 - axis];", "op_shape/permute"},
    {"permute: one element more than there is", "strided_copy", "if (i >= p.n) return;", "if (i > p.n) return;", "op_shape/permute"},
    {"concat: parts have the strides of the source", "strided_copy", "to += at * p.words[STRIDES + RANK + axis];", "to += at * p.words[STRIDES + axis];", "op_shape/cat"},
    {"concat: every part begins at the first", "strided_copy", "to = DENSE != 0 ? i : p.y_from;", "to = DENSE != 0 ? i : 0;", "op_shape/cat"},
    {"slice: begins at the first element", "strided_copy", "from = p.x_from, to", "from = 0, to", "op_shape/slice"},
    {"pad: reflection repeats the edge", "pad", "n - 1 - abs(n - 1 - abs(j))", "n - 1 - abs(n - 1 - max(abs(j) - int(j < 0), 0))", "op_shape/pad_reflect"},
    {"pad: the element past the end is copied", "pad", "inside = inside && j >= 0 && j < n;", "inside = inside && j >= 0 && j <= n;", "op_shape/slice"},
    {"gather: the axis has the stride of another", "gather", "from + at * p.axis_stride", "from + at", "op_index/index_select"},
    {"scatter: the last update instead of the sum", "scatter", "REPLACE != 0 ? update : sum + update", "update", "op_index/embedding"},
};

const std::span<const Fault> elementwise_faults = elementwise;
const std::span<const Fault> layout_faults = layout;

}  // namespace fovea::sabotage
