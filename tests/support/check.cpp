#include "tests/support/check.hpp"

#include "tests/support/gradient.hpp"
#include "tests/support/listener.hpp"
#include "tests/support/run.hpp"

#include "engine/api/internal.hpp"
#include "ops/op_def.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <optional>

namespace fovea::test {

namespace {

std::mutex messages_mutex;
std::vector<std::string> messages;

void collect(LogLevel level, std::string_view text) {
  if (level == LogLevel::info) return;
  const std::scoped_lock lock(messages_mutex);
  messages.emplace_back(text);
}

std::optional<Context> shared_context;

// Ends the context with the last test: the validation layer aborts in instances that static destructors end, and what
// it says of objects left over is a failure like any other.
struct LastMessages : Listener {
  explicit LastMessages(const doctest::ContextOptions&) {}
  void test_run_end(const doctest::TestRunStats&) override {
    shared_context.reset();
    const std::vector<std::string> left = take_validation_messages();
    for (const std::string& message : left) std::fprintf(stderr, "after the last test: %s\n", message.c_str());
    if (!left.empty()) std::exit(1);
  }
};
REGISTER_LISTENER("last messages", 2, LastMessages);

}  // namespace

Context& context() {
  if (!shared_context) {
    ContextOptions options;
    options.validation = std::getenv("VK_INSTANCE_LAYERS") != nullptr;  // as tests/drivers.sh run --validate sets it
    options.log = collect;
    shared_context.emplace(create_context(options, {.pipeline_statistics = compiles_only()}).value());
  }
  return *shared_context;
}

// FOVEA_TEST_F32: where drivers are many and time is short, values in f32 alone.
bool has_f16() { return !has_device() || (caps_of(context()).storage16 && !std::getenv("FOVEA_TEST_F32")); }

std::vector<std::string> take_validation_messages() {
  const std::scoped_lock lock(messages_mutex);
  return std::exchange(messages, {});
}

// ---- Operands -----------------------------------------------------------------------------------------------------

namespace {

template <class Draw>
Operand drawn(Shape shape, DType dtype, std::uint32_t seed, const Draw& draw) {
  Operand operand{Array<double>(shape), dtype, dtype == DType::f32};
  std::mt19937 generator(seed);
  for (double& value : operand.array.values) value = draw((static_cast<double>(generator()) + 0.5) * 0x1p-32);
  return operand;
}

}  // namespace

Operand random(Shape shape, double low, double high, std::uint32_t seed) {
  return drawn(shape, DType::f32, seed, [=](double u) { return static_cast<double>(static_cast<float>(low + (high - low) * u)); });
}
Operand random_i32(Shape shape, std::int64_t low, std::int64_t high, std::uint32_t seed) {
  return drawn(shape, DType::i32, seed, [=](double u) { return std::floor(static_cast<double>(low) + static_cast<double>(high - low + 1) * u); });
}
Operand random_boolean(Shape shape, double probability, std::uint32_t seed) {
  return drawn(shape, DType::boolean, seed, [=](double u) { return u < probability ? 1.0 : 0.0; });
}
Operand values(Shape shape, std::vector<double> values, DType dtype) {
  return {Array<double>(shape, std::move(values)), dtype, dtype == DType::f32};
}

namespace {

// ---- Comparison ---------------------------------------------------------------------------------------------------

double largest_finite(const Array<double>& array) {
  double most = 0;
  for (double value : array.values)
    if (std::isfinite(value)) most = std::max(most, std::abs(value));
  return most;
}

double float_error(const Array<double>& expected, const Array<float>& in_float) {
  double most = 0;
  for (std::int64_t i = 0; i < expected.size(); ++i) {
    const double error = std::abs(static_cast<double>(in_float[i]) - expected[i]);
    if (std::isfinite(error)) most = std::max(most, error);
  }
  return most;
}

// Bound of |got - expected|, besides the rounding to storage.
double storage_ulp(double value, DType dtype) {
  if (dtype == DType::f16) return std::abs(value) * 0x1p-10 + 0x1p-24;
  if (dtype == DType::bf16) return std::abs(value) * 0x1p-7 + 0x1p-126;
  return dtype == DType::f32 ? std::abs(value) * 0x1p-23 + 0x1p-126 : 0;
}

bool agrees(double got, double expected, double bound) {
  if (std::isnan(expected)) return std::isnan(got);
  if (std::isinf(expected)) return got == expected;
  return std::abs(got - expected) <= bound;
}

std::string index_text(std::int64_t i, const Shape& shape) {
  std::string text = "[";
  for (std::int64_t at : unflatten(i, shape)) text += (text.size() > 1 ? "," : "") + std::to_string(at);
  return text + ']';
}

// `rounding`: the kernel's.
void compare(const std::string& what, const Run& run, const std::vector<Array<double>>& expected,
             const std::vector<Array<float>>& in_float, float rounding, const CheckOptions& options) {
  REQUIRE_MESSAGE(run.outputs.size() == expected.size(), what, ": the reference has another number of outputs");
  for (std::size_t k = 0; k < expected.size(); ++k) {
    const Array<double>& want = expected[k];
    const Array<double>& got = run.outputs[k];
    REQUIRE_MESSAGE(got.shape == want.shape, what, ": output ", k, " is ", to_string(got.shape), ", the reference ", to_string(want.shape));
    const double scale = largest_finite(want), base = 8 * float_error(want, in_float[k]);
    const double rounded = run.dtypes[k] == DType::f16 ? static_cast<double>(rounding) * scale : 0;
    std::int64_t wrong = 0, worst = 0;
    double worst_ratio = 0, worst_bound = 0;
    for (std::int64_t i = 0; i < want.size(); ++i) {
      const double target = rounded_to(want[i], run.dtypes[k]);
      const double unit = options.extra_ulps * 0x1p-24 * (options.elementwise_scale ? std::abs(want[i]) : scale);
      const double bound = options.exact ? 0 : base + unit + rounded + storage_ulp(want[i], run.dtypes[k]);
      if (agrees(got[i], std::isinf(target) ? target : want[i], bound)) continue;
      ++wrong;
      const double ratio = std::isfinite(got[i]) && std::isfinite(want[i]) ? std::abs(got[i] - want[i]) / (bound + 1e-300) : HUGE_VAL;
      if (ratio >= worst_ratio) worst_ratio = ratio, worst = i, worst_bound = bound;
    }
    CHECK_MESSAGE(wrong == 0, what, ": output ", k, " ", to_string(want.shape), ": ", wrong, " of ", want.size(),
                  " are wrong; worst at ", index_text(worst, want.shape), ": got ", got[worst], ", expected ", want[worst],
                  ", bound ", worst_bound);
  }
}

template <class T>
std::vector<Array<T>> as(const std::vector<Array<double>>& arrays) {
  std::vector<Array<T>> result;
  for (const auto& array : arrays) result.emplace_back(array.shape, std::vector<T>(array.values.begin(), array.values.end()));
  return result;
}

}  // namespace

void check_operator(const std::string& op, const std::vector<Operand>& inputs, const Build& build,
                    const Reference<double>& reference, const Reference<float>& reference_float, const CheckOptions& options) {
  const ops::OpDef* definition = ops::find_op(op);
  REQUIRE_MESSAGE(definition, "no operator ", op);
  std::vector<std::string> kernels;
  for (const ops::Kernel& kernel : definition->kernels) kernels.emplace_back(kernel.name);
  if (definition->decompose) kernels.emplace_back("decompose");
  if (definition->is_view) kernels.emplace_back();  // nothing to force
  if (!options.kernel.empty()) kernels = {options.kernel};

  for (DType storage : storages_to_run(options.f16)) {
    std::vector<Array<double>> arrays;
    std::vector<Bytes> bytes;
    Graph graph;
    std::vector<Tensor> tensors;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const DType dtype = inputs[i].follows && inputs[i].dtype == DType::f32 ? storage : inputs[i].dtype;
      if (!compiles_only()) {
        arrays.push_back(inputs[i].array);
        for (double& value : arrays.back().values) value = rounded_to(value, dtype);
        bytes.push_back(encode(arrays.back(), dtype));
      }
      tensors.push_back(graph.input("in" + std::to_string(i), inputs[i].array.shape, dtype));
    }
    std::size_t outputs = 0;
    for (Tensor tensor : build(graph, tensors)) graph.output("out" + std::to_string(outputs++), tensor);
    REQUIRE_MESSAGE(!graph.error(), graph.error()->message);
    std::vector<Array<double>> expected;  // and in float: computed when the first kernel has run
    std::vector<Array<float>> in_float;

    int taken = 0;
    for (const std::string& kernel : kernels) {
      CompileOptions compile = options.compile;
      compile.poison_arena = true;
      if (!kernel.empty()) compile.force_kernel.push_back(op + '=' + kernel);
      if (!has_device()) {
        compile_only->compared(graph, compile);
        ++taken;
        continue;
      }
      if (!has_turn(graph, compile, storage, "result")) {
        ++taken;
        continue;
      }
      auto plan = context().compile(graph, compile);
      if (!plan) {
        CHECK_MESSAGE(plan.error().code == ErrorCode::unsupported, kernel, ": ", plan.error().message);
        if (compiles_only()) compile_only->refused(graph, compile);
        continue;
      }
      ++taken;
      const std::string what = op + '/' + kernel + '/' + to_string(storage);
      float rounding = 0;
      for (const ops::Kernel& one : definition->kernels)
        if (kernel == one.name) rounding = one.rounding;
      if (compiles_only())
        compile_only->made(*plan);
      else {
        const Run run = run_guarded(*plan, bytes);
        if (expected.empty()) {
          expected = reference(arrays);
          in_float = reference_float(as<float>(arrays));
        }
        compare(what, run, expected, in_float, rounding, options);
        if (storage == DType::f16) check_shared_memory(graph, compile, bytes, *plan, run);
      }
      for (const std::string& message : take_validation_messages()) FAIL_CHECK(what, ": ", message);
    }
    CHECK_MESSAGE(taken > 0, op, ": no kernel took ", to_string(storage));
  }
  if (options.gradient) check_gradient(inputs, build, reference, {.f16 = options.f16});
}

void check_error(const std::function<void(Graph&)>& build, const std::vector<std::string>& texts) {
  Graph graph;
  build(graph);
  REQUIRE_MESSAGE(graph.error(), "the graph was accepted; expected an error with \"", texts.empty() ? "" : texts[0], '"');
  for (const std::string& text : texts)
    CHECK_MESSAGE(graph.error()->message.find(text) != std::string::npos, "\"", text, "\" is not in: ", graph.error()->message);
}

}  // namespace fovea::test
