#pragma once
// Running a plan as the harness does: between sentinels, on poisoned outputs, twice.

#include "tests/support/array.hpp"
#include "tests/support/guarded.hpp"

namespace fovea::test {

// To the nearest value of a storage type; itself for integers and booleans.
double rounded_to(double value, DType dtype);
// As a buffer holds it, padded to whole words.
Bytes encode(const Array<double>& array, DType dtype);

struct Run {
  std::vector<Array<double>> outputs;
  std::vector<DType> dtypes;
};
// The bytes of the inputs and parameters, in the order of the ports. Checks that nothing outside the outputs' ranges
// was written, and that both runs agree bit for bit.
Run run_guarded(Plan& plan, const std::vector<Bytes>& inputs);

}  // namespace fovea::test
