// Recurrent cells and layers (torch.nn).

#include "tests/conformance/compose.hpp"

namespace fovea::conformance {
namespace {

CellState state_of(CaseGraph& graph) {
  return {graph.in("h"), graph.optional_in("c")};
}

template <Cell cell>
void cell_case(CaseGraph& graph) {
  const CellState next = recurrent_cell(cell, graph.in("x"), state_of(graph), cell_weights(graph, "", ""));
  graph.out("h", next.h);
  if (next.c) graph.out("c", next.c);
}

template <Cell cell>
void layers_case(CaseGraph& graph) {
  const Attrs& attrs = graph.attrs();
  const RecurrentResult result =
      recurrent(cell, graph.in("x"), recurrent_layers(graph, "", attrs.integer("num_layers", 1)),
                {.h = graph.optional_in("h0"), .c = graph.optional_in("c0"), .batch_first = attrs.flag("batch_first")});
  graph.out("y", result.out);
  graph.out("hn", result.h);
  if (result.c) graph.out("cn", result.c);
}

constexpr Adapter adapters[] = {
    {"GRU", layers_case<Cell::gru>},
    {"GRUCell", cell_case<Cell::gru>},
    {"LSTM", layers_case<Cell::lstm>},
    {"LSTMCell", cell_case<Cell::lstm>},
    {"RNN", layers_case<Cell::rnn_tanh>},
};

}  // namespace

std::span<const Adapter> recurrent_adapters() {
  return adapters;
}

}  // namespace fovea::conformance
