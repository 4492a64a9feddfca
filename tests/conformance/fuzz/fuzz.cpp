#include "tests/conformance/fuzz/fuzz.hpp"

#include "tests/conformance/fuzz/interpret.hpp"
#include "tests/conformance/fuzz/maker.hpp"
#include "tests/conformance/fuzz/shrink.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace fovea::conformance {
namespace {

using Clock = std::chrono::steady_clock;

constexpr int most_shrunk = 8;  // of one run: where everything fails, the first few tell it

// Makes failures into reports of them.
class Failures {
 public:
  Failures(const FuzzOptions& options, const RunOptions& run_options, const RunCase& run, const Emit& emit)
      : options_(options), run_options_(run_options), run_(run), emit_(emit) {}

  // Emits the failed ones of a graph's results, the first with the smallest graph that fails so.
  void take(const Recipe& recipe, std::vector<CaseResult> results) {
    bool first = true;
    for (CaseResult& result : results) {
      if (result.status != Status::failed) continue;
      ++count_;
      if (first) describe(recipe, result);
      first = false;
      emit_(result);
    }
  }
  int count() const { return count_; }
  Clock::duration spent() const { return spent_; }  // on shrinking

 private:
  void describe(const Recipe& recipe, CaseResult& result) {
    Recipe shown = recipe;
    std::string title = "the graph, for --graph";
    if (options_.shrink && shrunk_ < most_shrunk) {
      const auto start = Clock::now();
      const Shrunk smallest = shrink_one(recipe, result);
      spent_ += Clock::now() - start;
      ++shrunk_;
      shown = smallest.recipe;
      title = fmt::format("the smallest graph that fails so ({} were run), for --graph", smallest.tried);
    }
    const std::string comment = fmt::format("# {} {}\n", result.title(), result.lines.empty() ? "" : result.lines[0]);
    result.lines.push_back(fmt::format("{}:\n{}{}", title, comment, to_text(shown)));
    if (options_.shrink) result.lines.push_back("as a program:\n" + to_cpp(shown));
    if (options_.save.empty()) return;
    const std::filesystem::path file = options_.save / (result.name + ".graph");
    if (Result<void> done = io::write_text(file, comment + to_text(shown)); !done) result.lines.push_back("--save: " + done.error().message);
  }

  Shrunk shrink_one(const Recipe& recipe, const CaseResult& failure) {
    RunOptions options = run_options_;
    options.all_variants = false;
    options.variants.clear();
    if (!failure.variant.empty()) options.variants = {failure.variant};
    const std::string kind = kind_of_failure(failure);
    return shrink(recipe, [&](const Recipe& smaller) {
      const std::vector<CaseResult> results = run_(make_case(smaller, failure.group, failure.name), options);
      return std::ranges::any_of(results, [&](const CaseResult& r) { return r.status == Status::failed && kind_of_failure(r) == kind; });
    });
  }

  const FuzzOptions& options_;
  const RunOptions& run_options_;
  const RunCase& run_;
  const Emit& emit_;
  int count_ = 0, shrunk_ = 0;
  Clock::duration spent_{};
};

// All that passed, as one result.
class Passed {
 public:
  void take(const std::string& name, const CaseResult& result) {
    ++count_;
    whole_.runs = result.runs;
    whole_.compile_ms += result.compile_ms;
    whole_.run_ms += result.run_ms;
    whole_.device_ms += result.device_ms;
    whole_.error.value = std::max(whole_.error.value, result.error.value);
    for (TensorResult tensor : result.tensors) {
      tensor.name = fmt::format("{}{} {}", name, result.variant.empty() ? "" : " " + result.variant, tensor.name);
      whole_.tensors.push_back(std::move(tensor));
    }
    constexpr std::size_t most = 8;
    std::stable_sort(whole_.tensors.begin(), whole_.tensors.end(),
                     [](const TensorResult& a, const TensorResult& b) { return a.error.value > b.error.value; });
    whole_.tensors.resize(std::min(whole_.tensors.size(), most));
    for (const std::string& kernel : result.kernels)
      if (std::ranges::find(whole_.kernels, kernel) == whole_.kernels.end()) whole_.kernels.push_back(kernel);
  }
  int count() const { return count_; }
  CaseResult whole(std::string name) const {
    CaseResult result = whole_;
    result.group = "fuzz", result.name = std::move(name), result.op = "random graph";
    return result;
  }

 private:
  CaseResult whole_{};
  int count_ = 0;
};

}  // namespace

std::string kind_of_failure(const CaseResult& result) {
  if (result.lines.empty()) return "";
  const std::string& line = result.lines[0];
  if (const std::size_t rule = line.find("VUID-"); rule != line.npos) return line.substr(rule, line.find_first_of(" ]):,", rule) - rule);
  for (const char* tensor : {"out.", "grad."}) {
    if (!line.starts_with(tensor) || line.find("expected") == line.npos) continue;
    const bool number = line.find("got nan") == line.npos && line.find("got -nan") == line.npos && line.find("got inf") == line.npos;
    return fmt::format("{} {}", tensor, line.find("got shape") != line.npos ? "shape" : number ? "number" : "no number");
  }
  return line.substr(0, line.find_first_of("0123456789[%'\""));
}

void run_recipe(const Recipe& recipe, const std::string& name, const FuzzOptions& options, const RunOptions& run_options,
                const RunCase& run, const Emit& emit) {
  if (recipe.storage != DType::f32 && !options.storage16)
    return emit({.group = "graph", .name = name, .op = "random graph", .variant = "", .status = Status::skipped,
                 .lines = {fmt::format("the device stores no {}", to_string(recipe.storage))}});
  const std::vector<CaseResult> results = run(make_case(recipe, "graph", name), run_options);
  for (const CaseResult& result : results)
    if (result.status != Status::failed) emit(result);
  Failures(options, run_options, run, emit).take(recipe, results);
}

void fuzz(const FuzzOptions& options, const RunOptions& run_options, const RunCase& run, const Emit& emit) {
  Failures failures(options, run_options, run, emit);
  Passed passed;
  std::vector<std::string> skipped;
  const auto start = Clock::now();
  std::uint32_t seed = options.seed;
  std::uint32_t graphs = 0;
  do {  // of a range of seeds that ends with 2^32, the next is 0
    Recipe recipe = random_recipe(seed);
    if (!options.storage16) recipe.storage = DType::f32;
    const std::string name = fmt::format("seed-{}", seed);
    if (options.begin) options.begin("fuzz/" + name);
    std::vector<CaseResult> results = run(make_case(recipe, "fuzz", name), run_options);
    for (const CaseResult& result : results) {
      if (result.status == Status::passed) passed.take(name, result);
      if (result.status == Status::skipped) skipped.push_back(fmt::format("{}: {}", name, result.lines.empty() ? "" : result.lines[0]));
    }
    failures.take(recipe, std::move(results));
    ++graphs, ++seed;
  } while (graphs < options.count &&
           std::chrono::duration<double>(Clock::now() - start - failures.spent()).count() < options.seconds);

  const std::string seeds = fmt::format("seeds {} to {}", options.seed, seed - 1);
  CaseResult whole = passed.whole(seeds);
  whole.status = passed.count() > 0 ? Status::passed : Status::skipped;
  whole.count = std::max(passed.count(), 1);
  whole.lines.push_back(fmt::format("{} graphs; of their runs {} passed, {} failed, {} were skipped", graphs, passed.count(),
                                    failures.count(), skipped.size()));
  if (!skipped.empty())
    emit({.group = "fuzz", .name = seeds, .op = "random graph", .variant = "", .status = Status::skipped, .count = static_cast<int>(skipped.size()),
          .lines = {"the first that was skipped is " + skipped[0]}});
  emit(whole);
}

}  // namespace fovea::conformance
