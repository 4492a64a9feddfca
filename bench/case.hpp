#pragma once
// One way of a row, compiled and bound.

#include "bench/measure.hpp"
#include "bench/row.hpp"

#include <memory>
#include <optional>
#include <vector>

namespace bench {

// One context for all rows; the first call chooses the device. Error: there is none.
fovea::Result<fovea::Context>& context();

class Case {
 public:
  // Compiles, fills the inputs (the same numbers every time) and runs it once.
  static fovea::Result<std::unique_ptr<Case>> make(const Way& way);

  fovea::Result<Times> run();

  // What the first run took more than the last one did. By the clock: compiling the graph, pipelines included, and the
  // dispatch that gained most, so that no pipeline took longer. By processor time: compiling, and all dispatches.
  Times cold() const;
  fovea::Report report() const { return plan_.report(); }

  const std::vector<std::vector<float>>& inputs() const { return inputs_; }  // in the graph's order
  fovea::Result<std::vector<float>> output() const;                          // the first

 private:
  explicit Case(fovea::Plan plan) : plan_(std::move(plan)) {}

  fovea::Plan plan_;
  Times compile_, first_, last_;
  std::vector<double> first_ms_;  // of each dispatch
  std::vector<std::vector<float>> inputs_;
  std::vector<fovea::Buffer> buffers_;
  std::optional<fovea::Bindings> bindings_;
};

}  // namespace bench
