#include "tests/support/run.hpp"

#include "base/half.hpp"
#include "base/shader_workgroup.hpp"
#include "base/specialize.hpp"
#include "compile/compiler.hpp"
#include "engine/api/internal.hpp"
#include "tests/support/check.hpp"
#include "tests/support/kernels.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <tuple>

namespace fovea::test {

double rounded_to(double value, DType dtype) {
  if (dtype == DType::f16) return static_cast<double>(float_from_half(half_from_float(static_cast<float>(value))));
  if (dtype == DType::bf16) return static_cast<double>(float_from_bfloat(bfloat_from_float(static_cast<float>(value))));
  return dtype == DType::f32 ? static_cast<double>(static_cast<float>(value)) : value;
}

Bytes encode(const Array<double>& array, DType dtype) {
  Bytes bytes((array.values.size() * size_of(dtype) + 3) / 4 * 4);
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    const double value = array.values[i];
    if (size_of(dtype) == 2) {
      const auto rounded = static_cast<float>(value);
      const std::uint16_t half = dtype == DType::f16 ? half_from_float(rounded) : bfloat_from_float(rounded);
      std::memcpy(bytes.data() + 2 * i, &half, 2);
    } else {
      const std::uint32_t word = dtype == DType::f32 ? std::bit_cast<std::uint32_t>(static_cast<float>(value))
                                                     : static_cast<std::uint32_t>(static_cast<std::int32_t>(value));
      std::memcpy(bytes.data() + 4 * i, &word, 4);
    }
  }
  return bytes;
}

namespace {

Array<double> decode(const Bytes& bytes, const Shape& shape, DType dtype) {
  Array<double> array(shape);
  for (std::size_t i = 0; i < array.values.size(); ++i) {
    if (size_of(dtype) == 2) {
      std::uint16_t half;
      std::memcpy(&half, bytes.data() + 2 * i, 2);
      array.values[i] = static_cast<double>(dtype == DType::f16 ? float_from_half(half) : float_from_bfloat(half));
    } else {
      std::uint32_t word;
      std::memcpy(&word, bytes.data() + 4 * i, 4);
      array.values[i] = dtype == DType::f32 ? static_cast<double>(std::bit_cast<float>(word))
                                            : static_cast<double>(static_cast<std::int32_t>(word));
    }
  }
  return array;
}

// Writes FOVEA_TEST_EXECUTED when the process ends.
class Executed {
 public:
  void add(const Plan& plan) {
    if (path_ == nullptr) return;
    for (const compile::Dispatch& dispatch : plan.impl().core->executor->program().dispatches) {
      lines_.insert(kernel_of(dispatch));
      if (find_shader(dispatch.shader->name) == dispatch.shader) lines_.insert(std::string("shader ") + dispatch.shader->name);
    }
  }
  ~Executed() {
    if (lines_.empty()) return;
    std::ofstream file(path_);
    for (const std::string& line : lines_) file << line << '\n';
  }

 private:
  const char* path_ = std::getenv("FOVEA_TEST_EXECUTED");
  std::set<std::string> lines_;
};

}  // namespace

Run run_guarded(Plan& plan, const std::vector<Bytes>& inputs) {
  static Executed executed;
  GuardedRun guarded = run_between_sentinels(context(), plan, inputs, 2).value();
  executed.add(plan);
  for (const std::string& fault : guarded.faults) FAIL_CHECK(fault);
  Run run;
  for (const Port& port : plan.ports()) {
    if (port.role != Port::Role::output) continue;
    run.outputs.push_back(decode(guarded.outputs[run.outputs.size()], port.shape, port.dtype));
    run.dtypes.push_back(port.dtype);
  }
  return run;
}

std::vector<DType> storages_to_run(bool halves) {
  std::vector<DType> storages{DType::f32};
  if (halves && has_f16()) storages.insert(storages.end(), {DType::f16, DType::bf16});
  return storages;
}

bool takes_turn(const Share& share, int number, int choice, DType storage) {
  const int first = storage == DType::f32 ? share.first : (share.first + 1) / 2;
  const int of = share.drivers * (storage == DType::f32 && choice == 0 ? 1 : 2);
  return number < first || (number + choice * share.drivers) % of == share.turn;
}

namespace {

// Whether one of its shaders has been launched less than `few` times with this choice of kernels.
bool launches_few_times_run(const Graph& graph, const CompileOptions& options, const char* what, int few) {
  const auto program = compile::compile(graph.ir(), caps_of(context()), options);
  if (!program) return true;
  static std::map<std::tuple<std::vector<std::string>, std::string, std::string_view>, int> counts;
  std::set<std::string> shaders;
  for (const compile::Dispatch& dispatch : program->dispatches) shaders.insert(dispatch.shader->name);
  const auto count_of = [&](const std::string& shader) -> int& { return counts[{options.force_kernel, shader, what}]; };
  if (!shaders.empty() && std::ranges::none_of(shaders, [&](const std::string& shader) { return count_of(shader) < few; })) return false;
  for (const std::string& shader : shaders) ++count_of(shader);
  return true;
}

// FOVEA_TEST_SHARE, where it is set.
const std::optional<Share>& share_of_process() {
  static const std::optional<Share> share = []() -> std::optional<Share> {
    const char* text = std::getenv("FOVEA_TEST_SHARE");
    if (text == nullptr) return std::nullopt;
    Share given;
    REQUIRE(std::sscanf(text, "%d,%d,%d", &given.first, &given.turn, &given.drivers) == 3);
    return given;
  }();
  return share;
}

bool is_of_share(const Graph& graph, const CompileOptions& options, DType storage, const char* what) {
  const std::optional<Share>& share = share_of_process();
  if (storage == DType::bf16) return launches_few_times_run(graph, options, what, share ? share->first : 3);
  if (!share) return true;
  if (!compile::compile(graph.ir(), caps_of(context()), options)) return true;
  static std::map<std::tuple<std::vector<std::string>, DType, std::string_view>, int> counts;
  static std::map<std::vector<std::string>, int> choices{{{}, 0}};
  const int choice = choices.try_emplace(options.force_kernel, static_cast<int>(choices.size())).first->second;
  const int number = counts[{options.force_kernel, storage, what}]++;
  return takes_turn(*share, number, choice, storage);
}

}  // namespace

bool has_turn(const Graph& graph, const CompileOptions& options, DType storage, const char* what) {
  return is_of_share(graph, options, storage, what) && (!compiles_only() || compile_only->wanted(graph, options));
}

void check_shared_memory(const Graph& graph, CompileOptions options, const std::vector<Bytes>& inputs, const Plan& plan, const Run& plain) {
  const auto shares = [](const compile::Dispatch& d) { return reflect_workgroup(specialize(d.shader->code, d.constants)).shared_bytes > 0; };
  // Each is another pipeline, of kernels that take drivers longest.
  const int few = share_of_process() ? share_of_process()->first : 4;
  static std::map<std::vector<std::string>, int> checked;
  if (checked[options.force_kernel] >= few || std::ranges::none_of(plan.impl().core->executor->program().dispatches, shares)) return;
  ++checked[options.force_kernel];
  options.poison_shared = true;
  Plan poisoned_plan = context().compile(graph, options).value();
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  const Run poisoned = run_guarded(poisoned_plan, inputs);
  for (std::size_t i = 0; i < plain.outputs.size(); ++i)
    CHECK_MESSAGE(std::ranges::equal(poisoned.outputs[i].values, plain.outputs[i].values, same), "what stood in shared memory before changes output ",
                  i, " of ", plan.program_text());
}

}  // namespace fovea::test
