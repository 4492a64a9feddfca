// Scans of recurrent layers beside the same steps by products, slices and elementwise operators: T,B,H of as many
// inputs.

#include "bench/row.hpp"

namespace bench {
namespace {

struct Shape {
  fovea::Cell cell;
  std::int64_t steps, batch, hidden;
  bool gradient = false;

  std::int64_t gates() const { return (cell == fovea::Cell::lstm ? 4 : 3) * hidden; }
  std::string name() const {
    return std::string(to_string(cell)) + '/' + joined(steps, batch, hidden) + (gradient ? "/gradient" : "");
  }
  // The inputs' product and the state's; with the gradient two more for each.
  double flops() const { return (gradient ? 12.0 : 4.0) * static_cast<double>(steps * batch * gates() * hidden); }
};

Row scan(const Shape& s) {
  const auto build = [=](fovea::Graph& graph) {
    const std::vector<fovea::Tensor> in{graph.input("x", {s.steps, s.batch, s.hidden}),
                                        graph.input("w", {s.gates(), s.hidden}),
                                        graph.input("u", {s.gates(), s.hidden}), graph.input("b", {s.gates()})};
    const fovea::RecurrentLayer layer{{in[1], in[2], in[3]}};
    put_out(graph, fovea::recurrent(s.cell, in[0], {layer}).out, in, s.gradient);
  };
  return {s.name(), fused_and_not(build, {"recurrent_scan=decompose", "recurrent_scan_backward=decompose"}), s.flops()};
}

}  // namespace

std::vector<Row> recurrent_rows() {
  std::vector<Row> rows;
  for (const fovea::Cell cell : {fovea::Cell::lstm, fovea::Cell::gru})
    for (const bool gradient : {false, true}) rows.push_back(scan({cell, 64, 32, 128, gradient}));
  return rows;
}

}  // namespace bench
