#include "tests/sabotage/fault.hpp"

namespace fovea::sabotage {

constexpr const char* scores = "mod_seq_attention/pointer_attn";

constexpr Fault sequences[] = {
    {"recurrent: every step reads the first one's gates", "recurrent_step", "row = p.row + b;", "row = b;", "op_rnn/rnn"},
    {"lstm: nothing is forgotten", "recurrent_step", "c_new = forget * c_old +", "c_new = c_old +", "op_rnn/lstmcell"},
    {"gru: the candidate is not reset", "recurrent_step", "CELL == CELL_GRU ? r * n_hidden : n_hidden", "n_hidden", "op_rnn/grucell"},
    {"gru: the gate of the state weighs the candidate", "recurrent_step", "h_new = n + k * (h_old - n);", "h_new = h_old + k * (n - h_old);", "op_rnn/grucell"},
    {"lstm backward: the gradient of the cell state does not arrive", "recurrent_step_backward", "float dc = c_passed + dh", "float dc = dh", "op_rnn/lstm"},
    {"lstm backward: a gate's slope without its value", "recurrent_step_backward", "dc * c * forget * (1.0 - forget)", "dc * c * (1.0 - forget)", "op_rnn/lstmcell"},
    {"additive score: the vector is forgotten", "additive_score", "weight * activations_of", "activations_of", scores},
    {"additive score backward: a part begins with the last row of the one before", "additive_score_backward", "j = in_turn * p.part;", "j = max(in_turn * p.part, 1) - 1;", "ops/additive_score.cpp: additive_score backward: few rows of many on the other side, which is walked in parts"},
    {"additive score backward: the last part is left out", "additive_score_sum", "k < p.parts; ++k", "k + 1 < p.parts; ++k", "ops/additive_score.cpp: additive_score backward: few rows of many on the other side, which is walked in parts"},
    {"additive score backward: the slope of tanh", "additive_score_backward", "return 1.0 - y * y;", "return 1.0 - y;", scores, "", "lib/additive.glsl"},
};

constexpr const char* vectors = "ops/random.cpp: the published vectors of Philox-4x32-10";

constexpr Fault random_numbers[] = {
    {"a multiplier of Philox is another", "random", "0xD2511F53u", "0xD2511F57u", vectors, "", "lib/philox.glsl"},
    {"a constant of Philox's key is another", "random", "0xBB67AE85u", "0xBB67AE87u", vectors, "", "lib/philox.glsl"},
    {"Philox has nine rounds", "random", "k < 10; ++k", "k < 9; ++k", vectors, "", "lib/philox.glsl"},
    {"invocations draw the same numbers", "random", "state[2] + group", "state[2]", "ops/random.cpp: draws of every size and stream"},
    {"streams are the same", "random", "state[3] + p.stream", "state[3]", "ops/random.cpp: streams of one state are different numbers"},
};

const std::span<const Fault> sequences_faults = sequences;
const std::span<const Fault> random_faults = random_numbers;

}  // namespace fovea::sabotage
