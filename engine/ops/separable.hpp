#pragma once
// Sparse linear maps along up to three trailing axes, known when the graph is built: resizing, and the way back of
// windows. The transpose of such a map is another one, so the operator is its own gradient.

#include "ops/op_def.hpp"

namespace fovea::ops {

// A matrix [rows, columns] by rows: row r holds the taps first[r] .. first[r+1].
struct AxisMap {
  std::int64_t columns = 0;
  std::vector<std::int64_t> first{0};
  std::vector<std::int64_t> column{};
  std::vector<double> weight{};

  std::int64_t rows() const { return static_cast<std::int64_t>(first.size()) - 1; }
  // Into the row that end_row() closes. A weight of 0 is no tap.
  void add(std::int64_t at, double w);
  void end_row() { first.push_back(static_cast<std::int64_t>(column.size())); }
};
AxisMap transposed(const AxisMap& map);

// Which taps take part, by an i32 tensor of flat positions within the plane of the mapped axes.
enum class Choice : std::uint8_t {
  all,
  points_here,  // index has x's shape: those whose index is the result's position (a maximum's gradient, unpooling)
  pointed_at,   // index has the result's shape: the one that the result's index names
};
const char* to_string(Choice choice);

// y[..., o] = sum over taps of the product of their weights · x[..., taps]; maps[i] is of the axis that many from the
// last. In f32, rounded once. `index` is absent with Choice::all.
Tensor separable(Tensor x, std::vector<AxisMap> maps, CallSite site, Choice choice = Choice::all, Tensor index = {});

}  // namespace fovea::ops
