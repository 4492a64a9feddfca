// fovea-bench: Fovea beside its peers and beside its own unfused chains, in one run.
//
// A row's sides are measured in turn, in mixed order, so that a machine whose speed drifts moves all of them; the
// tables give medians and their ratios, and goals.txt what they should be. Exit status: 0 measured, 1 not, 2 wrong
// usage.

#include "bench/case.hpp"
#include "bench/peer.hpp"
#include "bench/report.hpp"
#include <fovea/io.hpp>

#include <CLI/CLI.hpp>
#include <benchmark/benchmark.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <list>
#include <map>
#include <memory>
#include <regex>

namespace bench {

std::vector<Row> all_rows() {
  std::vector<Row> rows;
  for (const auto& family : {attention_rows, operator_rows, recurrent_rows, additive_rows})
    for (Row& row : family()) rows.push_back(std::move(row));
  return rows;
}

namespace {

namespace fs = std::filesystem;
using fovea::Result;

struct Options {
  std::string driver, goals, rows, json, page, limits;
  std::vector<std::string> peers, merge;
  int patience = 600;
};

// Does a side's work once. A shared pointer, for Google Benchmark's callbacks to hold.
struct Runner {
  std::function<Result<Times>()> run;
  std::string failed{};
};

// The times of each benchmark's repetitions.
class Collector : public benchmark::BenchmarkReporter {
 public:
  struct Samples {
    std::vector<double> walls, processors, devices;
  };
  bool ReportContext(const Context&) override { return true; }
  void ReportRuns(const std::vector<Run>& runs) override {
    for (const Run& run : runs) {
      if (run.run_type != Run::RT_Iteration || run.error_occurred) continue;
      Samples& samples = found[run.run_name.function_name];
      samples.walls.push_back(run.GetAdjustedRealTime());
      samples.processors.push_back(run.counters.at("processor_ms").value);
      samples.devices.push_back(run.counters.at("device_ms").value);
    }
  }
  std::map<std::string, Samples> found;
};

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

// The largest difference, of the largest magnitude in `ours`.
double difference(const std::vector<float>& ours, const std::vector<float>& theirs) {
  double most = 0, off = 0;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    most = std::max(most, std::abs(static_cast<double>(ours[i])));
    const double d = std::abs(static_cast<double>(ours[i]) - static_cast<double>(theirs[i]));
    off = d <= off ? off : d;  // NaN stays
  }
  return off / most;
}

std::vector<float> read_all(const fs::path& path) {
  std::error_code none;
  std::vector<float> values(fs::file_size(path, none) / sizeof(float));
  if (none) return {};
  std::ifstream(path, std::ios::binary)
      .read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(float)));
  return values;
}

class Bench {
 public:
  Bench(const Options& options, fs::path folder) : folder_(std::move(folder)) {
    fs::create_directories(folder_);
    for (const std::string& peer : options.peers) {
      const auto equals = peer.find('=');
      peers_.emplace_back(peer.substr(0, equals), peer.substr(equals + 1), folder_, options.patience);
    }
    if (!options.limits.empty()) limits_ = std::make_unique<Peer>("limits", options.limits, folder_, options.patience);
  }

  ~Bench() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }

  std::map<std::string, std::string> peers() const {
    std::map<std::string, std::string> said;
    const auto add = [&](const Peer& peer) {
      said[peer.name()] = peer.absent().empty() ? peer.description() : "absent: " + peer.absent();
    };
    for (const Peer& peer : peers_) add(peer);
    if (limits_) add(*limits_);
    return said;
  }

  RowResult measure(const Row& row) {
    RowResult result{.name = row.name, .flops = row.flops, .bytes = row.bytes};
    std::vector<std::shared_ptr<Runner>> runners;
    const auto add = [&](Side side, std::function<Result<Times>()> run) {
      result.sides.push_back(std::move(side));
      runners.push_back(std::make_shared<Runner>(Runner{std::move(run)}));
    };
    std::shared_ptr<Case> ours;
    for (const Way& way : row.ways) {
      Result<std::unique_ptr<Case>> made = Case::make(way);
      const std::shared_ptr<Case> shared = made ? std::shared_ptr(std::move(*made)) : nullptr;
      add({.name = way.name, .times = way.times, .absent = made ? "" : made.error().message},
          [=] { return shared->run(); });
      if (&way == &row.ways.front()) ours = shared;
    }
    if (ours && !row.work.empty()) {
      hand_over(*ours);
      for (Peer& peer : peers_) add(beside(peer, row.work, *ours), [&] { return ask(peer); });
    }
    constexpr double product = 2048, copied = 1 << 27;
    if (limits_ && row.flops > 0)
      add({.name = "sgemm",
           .times = row.flops / (2 * product * product * product),
           .absent = limits_->prepare(fmt::format("sgemm {:.0f}", product))},
          [&] { return ask(*limits_); });
    if (limits_ && row.bytes > 0)
      add({.name = "copy",
           .times = row.bytes / (2 * copied),
           .absent = limits_->prepare(fmt::format("copy {:.0f}", copied))},
          [&] { return ask(*limits_); });

    run(row, result, runners);
    for (Peer& peer : peers_) peer.drop();
    if (limits_) limits_->drop();
    if (ours) {
      const Times cold = ours->cold();
      result.cold = 1e3 * cold.wall, result.cold_processor = 1e3 * cold.processor;
      const fovea::Report report = ours->report();
      result.arena_bytes = static_cast<double>(report.arena_bytes);
      for (const fovea::DispatchReport& dispatch : report.dispatches) result.kernels.push_back(dispatch.kernel);
    }
    return result;
  }

 private:
  void hand_over(const Case& ours) const {
    for (std::size_t i = 0; i < ours.inputs().size(); ++i) {
      const std::vector<float>& values = ours.inputs()[i];
      std::ofstream(folder_ / std::to_string(i), std::ios::binary)
          .write(reinterpret_cast<const char*>(values.data()),
                 static_cast<std::streamsize>(values.size() * sizeof(float)));
    }
  }

  // The peer made ready for the work, and its result held against ours.
  Side beside(Peer& peer, const std::string& work, const Case& ours) const {
    Side side{.name = peer.name()};
    fs::remove(folder_ / "y");
    if (side.absent = peer.prepare(work); !side.absent.empty()) return side;
    const Result<std::vector<float>> expected = ours.output();
    const std::vector<float> got = read_all(folder_ / "y");
    if (!expected || got.size() != expected->size()) {
      side.absent = expected ? fmt::format("its result has {} numbers in place of {}", got.size(), expected->size())
                             : expected.error().message;
      return side;
    }
    side.difference = difference(*expected, got);
    // Not a measure of quality: peers take halves inside, and drivers err. Other work differs by the whole magnitude.
    if (!(side.difference <= 0.02))
      side.absent = fmt::format("its result is another: off by {:.3g} of the largest magnitude", side.difference);
    return side;
  }

  static Result<Times> ask(Peer& peer) {
    std::string why;
    const Times times = peer.run(why);
    if (!why.empty()) return fovea::Error{fovea::ErrorCode::device, why};
    return times;
  }

  static void run(const Row& row, RowResult& result, const std::vector<std::shared_ptr<Runner>>& runners) {
    for (std::size_t i = 0; i < runners.size(); ++i) {
      const Side& side = result.sides[i];
      if (!side.absent.empty()) continue;
      const auto measured = [runner = runners[i], times = side.times](benchmark::State& state) {
        double processor = 0, device = 0;
        for (auto _ : state) {
          Result<Times> once = runner->run();
          if (!once) {
            runner->failed = once.error().message;
            return state.SkipWithError(runner->failed.c_str());
          }
          state.SetIterationTime(once->wall * times);
          processor += once->processor * times, device += once->device * times;
        }
        state.counters["processor_ms"] = {1e3 * processor, benchmark::Counter::kAvgIterations};
        state.counters["device_ms"] = {1e3 * device, benchmark::Counter::kAvgIterations};
      };
      benchmark::internal::Benchmark* registered =
          benchmark::RegisterBenchmark((row.name + '|' + side.name).c_str(), measured);
      registered->UseManualTime()->Unit(benchmark::kMillisecond);
      if (row.once)
        registered->Iterations(1);
      else
        registered->MinTime(0.1)->Repetitions(5);
    }
    Collector collector;
    benchmark::RunSpecifiedBenchmarks(&collector, ".");
    benchmark::ClearRegisteredBenchmarks();
    for (std::size_t i = 0; i < runners.size(); ++i) {
      Side& side = result.sides[i];
      auto& samples = collector.found[row.name + '|' + side.name];
      if (side.absent.empty()) side.absent = runners[i]->failed;
      side.wall = median(samples.walls), side.processor = median(samples.processors),
      side.device = median(samples.devices);
      side.walls = std::move(samples.walls), side.processors = std::move(samples.processors);
    }
  }

  fs::path folder_;
  std::list<Peer> peers_;
  std::unique_ptr<Peer> limits_;
};

std::vector<Row> rows_asked_for(const Options& options, const std::vector<Goal>& goals) {
  std::vector<Row> rows;
  const std::regex asked_for(options.rows);
  const auto has_goal = [&](const Row* row) {
    return std::any_of(goals.begin(), goals.end(), [&](const Goal& goal) {
      return goal.driver == options.driver && (row == nullptr || goal.row == row->name);
    });
  };
  const bool goals_choose = options.rows.empty() && has_goal(nullptr);
  for (Row& row : all_rows())
    if (goals_choose ? has_goal(&row) : std::regex_search(row.name, asked_for)) rows.push_back(std::move(row));
  return rows;
}

double load() {
  double average = 0;
  return getloadavg(&average, 1) == 1 ? average : 0;
}

int fail(const std::string& message, int status = 1) {
  std::fprintf(stderr, "fovea-bench: %s\n", message.c_str());
  return status;
}

int measure(const Options& options, const std::vector<Goal>& goals) {
  if (!context()) return fail(context().error().message);
  const std::vector<Row> rows = rows_asked_for(options, goals);
  if (rows.empty()) return fail("no row matches '" + options.rows + "'", 2);
  const fs::path folder = fs::temp_directory_path() / fmt::format("fovea-bench-{}", getpid());
  Report report{.driver = options.driver,
                .device = context()->device().name,
                .version = context()->device().driver,
                .date = fmt::format("{:%Y-%m-%d %H:%M}", fmt::localtime(std::time(nullptr))),
                .load_before = load()};
  Bench bench(options, folder);
  for (const Row& row : rows) {
    report.rows.push_back(bench.measure(row));
    std::fputs(row_table(report.rows.back()).c_str(), stdout);
    std::fflush(stdout);
    report.peers = bench.peers();
    report.load_after = load();
    if (options.json.empty()) continue;  // after every row: what was measured is kept
    if (Result<void> done = fovea::io::write_text(options.json, to_json(report)); !done)
      return fail(done.error().message);
  }
  return 0;
}

int conclude(const Options& options, const std::vector<Goal>& goals) {
  std::set<std::string> names;
  for (const Row& row : all_rows()) names.insert(row.name);
  std::vector<std::pair<Report, std::vector<Judgement>>> reports;
  for (const std::string& path : options.merge) {
    const Result<Report> report = read_report(path);
    if (!report) return fail(report.error().message);
    reports.emplace_back(*report, judge(*report, goals, names));
    if (!reports.back().second.empty()) std::fputs(goals_table(*report, reports.back().second).c_str(), stdout);
  }
  if (options.page.empty()) return 0;
  const Result<void> done = fovea::io::write_text(options.page, page(reports));
  return done ? 0 : fail(done.error().message);
}

int run(const Options& options) {
  std::vector<Goal> goals;
  if (!options.goals.empty()) {
    Result<std::vector<Goal>> read = read_goals(options.goals);
    if (!read) return fail(read.error().message);
    goals = std::move(*read);
  }
  return options.merge.empty() ? measure(options, goals) : conclude(options, goals);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  std::vector<char*> arguments(argv, argv + argc);
  std::string interleave = "--benchmark_enable_random_interleaving=true";  // unless the caller says otherwise
  arguments.insert(arguments.begin() + 1, interleave.data());
  argc = static_cast<int>(arguments.size());
  benchmark::Initialize(&argc, arguments.data());

  bench::Options options;
  CLI::App app{
      "Measures Fovea beside its peers and its own unfused chains. --benchmark_... options are Google Benchmark's."};
  app.add_option("--driver", options.driver, "What goals call the driver that this runs on");
  app.add_option("--goals", options.goals,
                 "goals.txt: measures the rows that it names for the driver, or all where none are");
  app.add_option("--rows", options.rows, "Measures the rows whose names match this regular expression");
  app.add_option("--peer", options.peers, "NAME=COMMAND of a peer, or of one of its settings: NAME:SETTING=COMMAND");
  app.add_option("--limits", options.limits, "Command of the peer that measures the machine's limits");
  app.add_option("--patience", options.patience, "Seconds that a peer may take for a work, compiling included (600)");
  app.add_option("--json", options.json, "Writes what was measured");
  app.add_option("--page", options.page, "With --merge: writes the goals and what was reached, as SVG");
  app.add_option("--merge", options.merge,
                 "Reads JSON instead of measuring, and prints the goals and what was reached");
  CLI11_PARSE(app, argc, arguments.data());
  for (const std::string& peer : options.peers)
    if (peer.find('=') == std::string::npos) return bench::fail("--peer: '" + peer + "' is not NAME=COMMAND", 2);
  try {
    return bench::run(options);
  } catch (const std::regex_error& error) {
    return bench::fail("--rows: '" + options.rows + "' is no regular expression: " + error.what(), 2);
  }
}
