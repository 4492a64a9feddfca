// fovea-bench: fused kernels, and their gradients, beside the unfused chains of the same engine, in one run.
//
// Times are the device's own timestamps, first dispatch to last. The two sides of a pair are measured in turn, so that a
// machine whose speed drifts moves both; the table at the end gives medians and their ratio.

#include "bench/pair.hpp"

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <utility>

namespace bench {

void put_out(fovea::Graph& graph, fovea::Tensor y, const std::vector<fovea::Tensor>& in, bool gradient) {
  if (!gradient) return graph.output("y", y);
  const auto d = fovea::grad(y, in, {.seed = graph.input("dy", y.shape())});
  for (std::size_t i = 0; i < d.size(); ++i) graph.output("d" + std::to_string(i), d[i]);
}

namespace {

fovea::Context& context() {
  static fovea::Context made = fovea::Context::create().value();
  return made;
}

// A plan with its buffers, filled with the same random numbers every time.
class Case {
 public:
  Case(const Pair& pair, bool fused) {
    fovea::Graph graph;
    pair.build(graph);
    fovea::CompileOptions options{.timestamps = true};
    if (!fused) options.force_kernel = pair.unfused;
    plan_.emplace(context().compile(graph, options).value());
    std::mt19937 draw(1);
    std::vector<fovea::PortBuffer> ports;
    buffers_.reserve(plan_->ports().size());
    for (const fovea::Port& port : plan_->ports()) {
      buffers_.push_back(context().make_buffer(port.bytes, true, port.name).value());
      auto* values = reinterpret_cast<float*>(buffers_.back().data());
      for (std::uint64_t i = 0; i < port.bytes / 4; ++i) values[i] = static_cast<float>(draw()) * 0x1p-31f - 1;
      ports.push_back({port.name, &buffers_.back()});
    }
    bindings_.emplace(plan_->bind(ports).value());
    run();  // drivers compile at the first dispatch
  }

  double run() {
    plan_->submit(*bindings_).value();
    plan_->wait().value();
    return plan_->report().milliseconds * 1e-3;
  }

 private:
  std::optional<fovea::Plan> plan_;
  std::vector<fovea::Buffer> buffers_;
  std::optional<fovea::Bindings> bindings_;
};

// Medians of the two sides of each pair, from Google Benchmark's own aggregates.
class Ratios : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      const std::string name = run.run_name.function_name;
      const auto slash = name.find('/');
      times_[name.substr(slash + 1)][name.substr(0, slash)].push_back(run.GetAdjustedRealTime());
    }
  }
  void Finalize() override {
    const auto median = [](std::vector<double> values) {
      std::sort(values.begin(), values.end());
      return values[values.size() / 2];
    };
    std::printf("\n%s, %s\n%-40s %12s %12s %8s\n", context().device().name.c_str(), context().device().driver.c_str(),
                "", "fused ms", "unfused ms", "ratio");
    for (const auto& [shape, sides] : times_) {
      if (!sides.count("fused") || !sides.count("unfused")) continue;
      const double fused = median(sides.at("fused")), unfused = median(sides.at("unfused"));
      std::printf("%-40s %12.3f %12.3f %7.2fx\n", shape.c_str(), fused, unfused, unfused / fused);
    }
  }

 private:
  std::map<std::string, std::map<std::string, std::vector<double>>> times_;
};

// Compiled by the first repetition and kept for the others.
void measure(benchmark::State& state, const Pair& pair, bool fused, std::optional<Case>& kept) {
  if (!kept) kept.emplace(pair, fused);
  for (auto _ : state) state.SetIterationTime(kept->run());
  state.counters["GFLOP/s"] = benchmark::Counter(pair.flops * 1e-9, benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  using namespace bench;
  if (const auto devices = fovea::Context::devices(); !devices) {
    std::fprintf(stderr, "fovea-bench: %s\n", devices.error().message.c_str());
    return 2;
  }
  std::vector<Pair> pairs = attention_pairs();
  for (Pair& pair : recurrent_pairs()) pairs.push_back(std::move(pair));
  for (Pair& pair : additive_pairs()) pairs.push_back(std::move(pair));
  for (const Pair& pair : pairs)
    for (const bool fused : {true, false}) {
      auto kept = std::make_shared<std::optional<Case>>();
      benchmark::RegisterBenchmark(((fused ? "fused/" : "unfused/") + pair.name).c_str(),
                                   [=](benchmark::State& state) { measure(state, pair, fused, *kept); })
          ->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(0.2)->Repetitions(5);
    }
  // Repetitions of all pairs in mixed order, unless the caller says otherwise.
  std::vector<char*> arguments(argv, argv + argc);
  std::string interleave = "--benchmark_enable_random_interleaving=true";
  arguments.insert(arguments.begin() + 1, interleave.data());
  argc = static_cast<int>(arguments.size());
  benchmark::Initialize(&argc, arguments.data());
  if (benchmark::ReportUnrecognizedArguments(argc, arguments.data())) return 2;
  Ratios ratios;
  benchmark::RunSpecifiedBenchmarks(&ratios);
  return 0;
}
