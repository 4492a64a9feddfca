#include "tests/support/gradient.hpp"

#include "engine/api/internal.hpp"
#include "ops/op_def.hpp"
#include "tests/support/run.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>

namespace fovea::test {

namespace {

using Arrays = std::vector<Array<double>>;

// The elements of an array of n that are checked.
std::vector<std::int64_t> chosen(std::int64_t n, std::int64_t most, std::uint32_t seed) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(n));
  std::iota(all.begin(), all.end(), 0);
  if (n <= most) return all;
  std::mt19937 generator(seed);
  for (std::size_t i = 0; i < static_cast<std::size_t>(most); ++i)  // std::shuffle differs from library to library
    std::swap(all[i], all[i + generator() % (all.size() - i)]);
  all.resize(static_cast<std::size_t>(most));
  return all;
}

struct Slope {
  double value = 0, magnitude = 0;  // the gradient, and the sum of its terms' magnitudes
  double bend = 0;                  // how far the slopes on both sides of the place are from each other
};

// weights[k] is empty for outputs that do not take part. `here` are the reference's results at the place itself, or none.
Slope finite_difference(const Reference<double>& reference, Arrays arrays, std::size_t input, std::int64_t element,
                        const Arrays& weights, double step, const Arrays& here) {
  double& x = arrays[input][element];
  const double at = x, h = step * std::max(1.0, std::abs(at)), up = at + h, down = at - h;
  x = up;
  const Arrays above = reference(arrays);
  x = down;
  const Arrays below = reference(arrays);
  Slope slope;
  for (std::size_t k = 0; k < weights.size(); ++k)
    for (std::int64_t i = 0; i < weights[k].size(); ++i) {
      const double term = weights[k][i] * (above[k][i] - below[k][i]) / (up - down);
      slope.value += term;
      slope.magnitude += std::abs(term);
      if (!here.empty()) slope.bend += weights[k][i] * ((above[k][i] - here[k][i]) / (up - at) - (here[k][i] - below[k][i]) / (at - down));
    }
  slope.bend = std::abs(slope.bend);
  return slope;
}

// The graph, its inputs' bytes and rounded values, and the gradients as outputs.
struct Problem {
  Graph graph;
  Arrays arrays, weights;
  std::vector<Bytes> bytes;
  std::vector<std::size_t> targets;  // inputs that are differentiated for
};

bool is_target(const Operand& operand, std::size_t i, const GradientOptions& options) {
  return operand.dtype == DType::f32 && !(i < options.skip.size() && options.skip[i]);
}

Problem make_problem(const std::vector<Operand>& inputs, const Build& build, DType storage, const GradientOptions& options) {
  Problem problem;
  std::vector<Tensor> tensors, targets;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const DType dtype = inputs[i].follows && inputs[i].dtype == DType::f32 ? storage : inputs[i].dtype;
    if (!compiles_only()) {
      problem.arrays.push_back(inputs[i].array);
      for (double& value : problem.arrays.back().values) value = rounded_to(value, dtype);
      problem.bytes.push_back(encode(problem.arrays.back(), dtype));
    }
    tensors.push_back(problem.graph.input("in" + std::to_string(i), inputs[i].array.shape, dtype));
    if (is_target(inputs[i], i, options)) problem.targets.push_back(i), targets.push_back(tensors.back());
  }
  Tensor loss;
  std::uint32_t seed = 71;
  for (Tensor y : build(problem.graph, tensors)) {
    if (!ir::is_float(y.dtype())) {
      problem.weights.emplace_back(Shape{0});
      continue;
    }
    const Array<double> weight = random(y.shape(), -1, 1, ++seed).array;
    const std::vector<float> data(weight.values.begin(), weight.values.end());
    const Tensor term = reduce(Reduce::sum, cast(y, DType::f32) * problem.graph.constant(y.shape(), data));
    loss = loss ? loss + term : term;
    problem.weights.push_back(weight);
  }
  REQUIRE_MESSAGE(loss, "no output is a float");
  if (!has_device() && !problem.graph.error()) compile_only->differentiated(problem.graph, loss, targets);
  std::size_t n = 0;
  for (Tensor gradient : grad(loss, targets, options.grad)) problem.graph.output("d" + std::to_string(n++), gradient);
  return problem;
}

// "operator=kernel" for each; nothing forced where no operator is named.
std::vector<std::string> kernels_to_force(const GradientOptions& options) {
  if (options.kernels_of.empty()) return {""};
  const ops::OpDef* op = ops::find_op(options.kernels_of);
  REQUIRE_MESSAGE(op, "no operator ", options.kernels_of);
  std::vector<std::string> kernels;
  for (const ops::Kernel& kernel : op->kernels) kernels.push_back(options.kernels_of + '=' + kernel.name);
  if (op->decompose) kernels.push_back(options.kernels_of + "=decompose");
  return kernels;
}

void compare_with_differences(const Problem& problem, const Run& run, const Reference<double>& reference, DType storage,
                              const GradientOptions& options) {
  // Rounding to 8 bits makes values equal, and moves them onto kinks: elements of bf16 whose slopes differ there are left out.
  const Arrays here = storage == DType::bf16 ? reference(problem.arrays) : Arrays{};
  for (std::size_t t = 0; t < problem.targets.size(); ++t) {
    const std::size_t input = problem.targets[t];
    const Array<double>& got = run.outputs[t];
    REQUIRE_MESSAGE(got.shape == problem.arrays[input].shape, "gradient of input ", input, " is ", to_string(got.shape));
    const auto elements = chosen(got.size(), options.most, static_cast<std::uint32_t>(input + 1));
    std::vector<Slope> slopes;
    double scale = options.least_scale;
    for (std::int64_t element : elements) {
      slopes.push_back(finite_difference(reference, problem.arrays, input, element, problem.weights, options.step, here));
      if (std::isfinite(slopes.back().magnitude)) scale = std::max(scale, slopes.back().magnitude);
    }
    const double relative = storage == DType::f16 ? 0x1p-8 : storage == DType::bf16 ? 0x1p-5 : options.ulps * 0x1p-24;
    const double bound = scale * relative + 1e-8 * std::max(scale, 1e-2);
    std::int64_t wrong = 0, bent = 0;
    std::size_t worst = 0;
    double most = 0;
    for (std::size_t i = 0; i < elements.size(); ++i) {
      const double distance = std::abs(got[elements[i]] - slopes[i].value);
      if (distance <= bound) continue;
      if (slopes[i].bend > bound) {
        ++bent;
        continue;
      }
      ++wrong;
      if (!(distance < most)) most = distance, worst = i;
    }
    CHECK_MESSAGE(wrong == 0, std::string(to_string(storage)), " gradient of input ", input, ' ', to_string(got.shape), ": ", wrong, " of ",
                  elements.size(), " are wrong; worst at element ", elements[worst], ": got ", got[elements[worst]], ", by finite differences ",
                  slopes[worst].value, ", bound ", bound);
    const auto count = static_cast<std::int64_t>(elements.size());
    CHECK_MESSAGE((count < 16 || 2 * bent <= count), "input ", input, ' ', to_string(got.shape), " is at kinks in ", bent, " of ", count);
  }
}

}  // namespace

void check_gradient(const std::vector<Operand>& inputs, const Build& build, const Reference<double>& reference,
                    const GradientOptions& options) {
  for (DType storage : storages_to_run(options.f16)) {
    Problem problem = make_problem(inputs, build, storage, options);
    REQUIRE_MESSAGE(!problem.graph.error(), problem.graph.error()->message);
    int taken = 0;
    for (const std::string& kernel : kernels_to_force(options)) {
      CAPTURE(kernel);
      CompileOptions compile = options.compile;
      compile.poison_arena = true;
      if (!kernel.empty()) compile.force_kernel.push_back(kernel);
      if (!has_device()) {
        compile_only->compared(problem.graph, compile);
        ++taken;
        continue;
      }
      if (!has_turn(problem.graph, compile, storage, "gradient")) {
        ++taken;
        continue;
      }
      auto plan = context().compile(problem.graph, compile);
      if (!plan && !kernel.empty() && plan.error().code == ErrorCode::unsupported) {
        if (compiles_only()) compile_only->refused(problem.graph, compile);
        continue;
      }
      REQUIRE_MESSAGE(plan, plan.error().message);
      ++taken;
      if (compiles_only())
        compile_only->made(*plan);
      else {
        const Run run = run_guarded(*plan, problem.bytes);
        compare_with_differences(problem, run, reference, storage, options);
        if (storage == DType::f16) check_shared_memory(problem.graph, compile, problem.bytes, *plan, run);
      }
      for (const std::string& message : take_validation_messages()) FAIL_CHECK("gradient: ", message);
    }
    CHECK_MESSAGE(taken > 0, "no kernel took ", std::string(to_string(storage)));
  }
}

}  // namespace fovea::test
