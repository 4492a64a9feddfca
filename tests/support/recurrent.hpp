#pragma once
// One step of a recurrent cell for one sequence, gate by gate from the formulas of recurrent.hpp.

#include <fovea/recurrent.hpp>

#include <algorithm>
#include <cmath>
#include <vector>

namespace fovea::test {

inline std::int64_t gates_of(Cell cell) {
  return cell == Cell::lstm ? 4 : cell == Cell::gru || cell == Cell::gru_reset_first ? 3 : 1;
}

template <class T>
T sigma(T x) {
  return 1 / (1 + std::exp(-x));
}

template <class T>
struct State {
  std::vector<T> h, c;
};

// from_x(gate, j) and from_h(gate, j, h): the two parts of gate element j, biases included.
template <class T, class FromX, class FromH>
State<T> cell_step(Cell cell, GruUpdate update, const State<T>& from, const FromX& from_x, const FromH& from_h) {
  const auto n = static_cast<std::int64_t>(from.h.size());
  const auto both = [&](std::int64_t gate, std::int64_t j) { return from_x(gate, j) + from_h(gate, j, from.h); };
  State<T> next = from;
  std::vector<T> reset = from.h;
  if (cell == Cell::gru_reset_first)
    for (std::int64_t j = 0; j < n; ++j) reset[static_cast<std::size_t>(j)] *= sigma(both(0, j));
  for (std::int64_t j = 0; j < n; ++j) {
    const auto k = static_cast<std::size_t>(j);
    if (cell == Cell::rnn_tanh) next.h[k] = std::tanh(both(0, j));
    if (cell == Cell::rnn_relu) next.h[k] = std::max(both(0, j), T(0));
    if (cell == Cell::lstm) {
      next.c[k] = sigma(both(1, j)) * from.c[k] + sigma(both(0, j)) * std::tanh(both(2, j));
      next.h[k] = sigma(both(3, j)) * std::tanh(next.c[k]);
    }
    if (cell == Cell::gru || cell == Cell::gru_reset_first) {
      const T z = sigma(both(1, j)), state = from.h[k];
      const T hidden = cell == Cell::gru ? sigma(both(0, j)) * from_h(2, j, from.h) : from_h(2, j, reset);
      const T candidate = std::tanh(from_x(2, j) + hidden);
      next.h[k] = update == GruUpdate::z_keeps ? (1 - z) * candidate + z * state : (1 - z) * state + z * candidate;
    }
  }
  return next;
}

}  // namespace fovea::test
