// The C++ of docs/training.md, run: the loss falls.
#include "tests/support/check.hpp"
#include "tests/support/run.hpp"

#include <fovea/fovea.hpp>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

namespace fovea::test {
namespace {

// What the document takes for granted: points of the plane, the function to learn, weights by a plain generator.
std::vector<float> first_values(const std::string& port, std::int64_t elements) {
  std::vector<float> values(static_cast<std::size_t>(elements), 0.0f);
  const auto x = [](std::size_t i) { return std::sin(static_cast<float>(7 * i + 1)); };
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (port == "x") values[i] = x(i);
    if (port == "target") values[i] = std::sin(2 * x(2 * i)) * x(2 * i + 1);
    if (port == "rate") values[i] = 0.02f;
    if (port == "step") values[i] = 1;
    if (port == "w1" || port == "w2") values[i] = 0.7f * std::cos(static_cast<float>(5 * i + 2));
  }
  return values;
}

float trained(Context& context, int& failures) {
  const auto fail = [&](const std::string& why) {
    MESSAGE(why);
    ++failures;
    return 0.0f;
  };
#include "training.inc"
  Result<Plan> ruled = context.compile(rules);
  if (!ruled) return fail(ruled.error().message);
  const Array<double> at({4}, {0.6, -1.2, 2.4, 0.2}), gates({4}, {1, 2, -1, 0.5});
  const Run run = run_guarded(*ruled, {encode(at, DType::f32), encode(gates, DType::f32)});
  for (std::int64_t i = 0; i < 4; ++i) {  // of y = round(a)·gate and the loss y²
    CHECK(run.outputs[0][i] == -2 * std::round(at[i]) * gates[i] * gates[i]);
    CHECK(run.outputs[1][i] == 0);
  }
  return reached;
}

}  // namespace

TEST_CASE("the training document's network learns its function" * doctest::skip(compiles_only())) {
  int failures = 0;
  const float reached = trained(context(), failures);
  CHECK(failures == 0);
  // The mean square of the targets, which the loss starts near, is above 0.1.
  CHECK(reached < 0.01f);
}

}  // namespace fovea::test
