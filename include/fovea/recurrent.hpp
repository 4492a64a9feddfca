#pragma once
// Recurrent cells, and scans of them over sequences. One product gives the inputs' part of all steps' gates of a layer;
// then each step is two launches, the product of the state and the gates (of gru_reset_first four). Gradients go back
// through time as many launches a step, and those of the weights are one product over all steps. With 16-bit storage
// the gates and the states are rounded to it at every step.

#include <fovea/tensor.hpp>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>

namespace fovea {

enum class Cell : std::uint8_t {
  rnn_tanh, rnn_relu,  // h' = tanh(a) or relu(a)                                                   (Elman 1990)
  lstm,                // c' = σ(f)·c + σ(i)·tanh(g), h' = σ(o)·tanh(c')                            (Gers et al. 2000)
  gru,                 // r, z = σ(...), n = tanh(n_x + r·n_h), h' = (1-z)·n + z·h                  (PyTorch, cuDNN)
  gru_reset_first,     // as gru with n = tanh(n_x + U_n·(r·h) + its bias)                          (Cho et al. 2014)
};
const char* to_string(Cell cell);

// What z of gru and gru_reset_first weighs.
enum class GruUpdate : std::uint8_t {
  z_keeps,  // the state: h' = (1-z)·n + z·h       (Cho et al. 2014, PyTorch, cuDNN)
  z_takes,  // the candidate: h' = (1-z)·h + z·n   (Chung et al. 2014, Bahdanau et al. 2015)
};
const char* to_string(GruUpdate update);

// Gates stand one after another along the first axis: i, f, g, o of lstm and r, z, n of gru, G = 4 and 3 of them, in the
// order that `gates` has them; G = 1 otherwise. They are x·inputᵀ + input_bias + h·hiddenᵀ + hidden_bias.
struct CellWeights {
  Tensor input;   // [G·H, I]
  Tensor hidden;  // [G·H, H]
  Tensor input_bias{}, hidden_bias{};  // [G·H], or absent
  GruUpdate update = GruUpdate::z_keeps;  // that they were made for
  // The gates' letters in another order than PyTorch's "ifgo" and "rzn": ONNX has "iofg" and "zrn". A copy of the weights
  // puts them right.
  std::string_view gates{};
  // Of lstm: added to f. Unset: 1 where no bias is given, so that new weights begin by remembering (Jozefowicz et al. 2015),
  // and 0 where one is, which holds its own. Weights that were trained without biases (PyTorch's bias=False) want 0.
  std::optional<float> forget_bias{};
};
struct CellState {
  Tensor h;    // [B,H]
  Tensor c{};  // [B,H], of lstm alone
};
struct CellDesc {
  Tensor mask{};  // boolean [B]: false keeps the state as it is, whatever x holds
};
// One step: x [B,I] and the state before it give the state after it, of h's type.
// Errors: extents that do not fit (the operand is named), a state without c for lstm, z_takes of a cell without z, `gates`
// that are no order of the cell's, a forget bias of a cell without f or one that is not finite.
CellState recurrent_cell(Cell cell, Tensor x, const CellState& state, const CellWeights& weights, const CellDesc& desc = {},
                         CallSite site = CallSite::here());

// One layer: the weights of the scan from the first step on and, where it reads both ways, from the last one back.
struct RecurrentLayer {
  CellWeights forward;
  CellWeights backward{};  // absent: one way
};
struct RecurrentDesc {
  // Of all layers, forward and backward in turn: [layers·directions, B, H]; absent: zeros.
  Tensor h{}, c{};
  // i32 [B]: steps of each sequence. Beyond it the state stays, so that the last state is that of step length-1 and the
  // way back begins there, and the output is 0 (as of PyTorch's packed sequences). Absent: all T.
  Tensor lengths{};
  bool batch_first = false;  // x and out are [B,T,...]
};
struct RecurrentResult {
  Tensor out;   // [T,B,directions·H], of the last layer: forward, then backward
  Tensor h, c;  // the last states, as RecurrentDesc has the first; c of lstm alone
};
// x [T,B,I]; the next layer's input is the layer's output. Every layer has the same H and number of directions.
// Errors: as recurrent_cell; no layer, no step.
RecurrentResult recurrent(Cell cell, Tensor x, std::span<const RecurrentLayer> layers, const RecurrentDesc& desc = {},
                          CallSite site = CallSite::here());
RecurrentResult recurrent(Cell cell, Tensor x, std::initializer_list<RecurrentLayer> layers, const RecurrentDesc& desc = {},
                          CallSite site = CallSite::here());

}  // namespace fovea
