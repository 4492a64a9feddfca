// fovea-conformance: runs the cases of the conformance corpus on a device, and reports (docs/conformance.md).
// Exit status: 0 some cases passed and none failed, 1 some failed, 2 wrong usage, no device, no case, or all skipped.

#include "base/closest.hpp"
#include "io/file.hpp"
#include "tests/conformance/adapter.hpp"
#include "tests/conformance/device_run.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fovea::conformance {
namespace {

int fail(const std::string& message) {
  fmt::print(stderr, "fovea-conformance: {}\n", message);
  return 2;
}

int list_cases(const std::vector<CaseFile>& files) {
  int status = 0;
  for (const CaseFile& file : files) {
    const Result<Case> loaded = load_case(file.path);
    if (loaded) {
      fmt::print("{}  {}{}\n", file.id(), loaded->op, missing_adapter(*loaded) ? "  (no operator)" : "");
    } else {
      fmt::print("{}  UNREADABLE {}\n", file.id(), loaded.error().message);
      status = 1;
    }
  }
  return status;
}

void print_result(const CaseResult& result, bool verbose) {
  switch (result.status) {
    case Status::passed:
      if (verbose) fmt::print("passed {} {:.2f}\n", result.title(), result.error.value);
      for (const std::string& line : result.lines) fmt::print("{}: {}\n", result.title(), line);
      break;
    case Status::skipped: fmt::print("skipped {}: {}\n", result.title(), fmt::join(result.lines, "; ")); break;
    case Status::failed:
      for (const std::string& line : result.lines) fmt::print("FAILED {} {}\n", result.title(), line);
      break;
  }
}

// Tells what is begun: with --verbose everything (a driver that takes the program down took it with what was named last), else
// every ten seconds where the run is.
class Progress {
 public:
  // `all`: how many will begin on a device; 0: nobody knows.
  Progress(bool verbose, std::size_t all) : verbose_(verbose), all_(all) {}
  void restart() { begun_ = 0, told_ = start_ = Clock::now(); }
  void begin(const std::string& title) {
    ++begun_;
    if (verbose_) return fmt::print("running {}\n", title);
    const Clock::time_point now = Clock::now();
    if (now - told_ < std::chrono::seconds(10)) return;
    told_ = now;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(now - start_).count();
    fmt::print("... {} s: {}{}, {}\n", seconds, begun_, all_ > 0 ? fmt::format(" of {}", all_) : "", title);
  }

 private:
  using Clock = std::chrono::steady_clock;
  bool verbose_;
  std::size_t all_, begun_ = 0;
  Clock::time_point start_ = Clock::now(), told_ = start_;
};

void print_begin(const DeviceReport& device) {
  if (!device.absent.empty()) {
    fmt::print("absent: {}: {}\n", device.label(), device.absent);
    return;
  }
  fmt::print("device: {} ({})\n", device.device, device.label());
  if (const std::string limits = device.limits_label(); !limits.empty()) fmt::print("emulating: {}\n", limits);
}

// The results with the largest values.
template <class Value>
void print_top(const char* title, const DeviceReport& device, const char* unit, Value value) {
  constexpr std::size_t most = 3;
  std::vector<std::pair<double, std::string>> all;
  for (const CaseResult& result : device.results)
    if (value(result) > 0) all.emplace_back(value(result), result.title());
  std::sort(all.rbegin(), all.rend());
  all.resize(std::min(all.size(), most));
  std::string text;
  for (const auto& [number, name] : all) text += fmt::format("{}{} {:.2f}{}", text.empty() ? "" : ", ", name, number, unit);
  if (!text.empty()) fmt::print("{}: {}\n", title, text);
}

void print_table(const DeviceReport& device) {
  struct Row {
    int passed = 0, failed = 0, skipped = 0;
    double error = 0;
  };
  std::map<std::string, Row> groups;
  std::size_t gradients = 0;
  for (const CaseResult& result : device.results) {
    Row& row = groups[result.group];
    (result.status == Status::passed ? row.passed : result.status == Status::failed ? row.failed : row.skipped) += result.count;
    row.error = std::max(row.error, result.error.value);
    for (const TensorResult& tensor : result.tensors) gradients += tensor.name.starts_with("grad.");
  }
  fmt::print("\n{:<28}{:>8}{:>8}{:>8}{:>14}\n", "group", "passed", "failed", "skipped", "error/bound");
  for (const auto& [group, row] : groups)
    fmt::print("{:<28}{:>8}{:>8}{:>8}{:>14.2f}\n", group, row.passed, row.failed, row.skipped, row.error);
  print_top("slowest", device, " ms", [](const CaseResult& one) { return one.compile_ms + one.run_ms; });
  print_top("nearest to their bounds", device, "", [](const CaseResult& one) { return one.error.value; });
  if (gradients > 0) fmt::print("{} gradients among what was compared\n", gradients);
  for (const std::string& message : device.messages) fmt::print("FAILED outside every case: {}\n", message);
  fmt::print("{} passed, {} failed, {} skipped\n", device.count(Status::passed), device.failures(),
             device.count(Status::skipped));
}

Result<void> write_reports(const Report& report, const Options& options) {
  if (!options.json.empty())
    if (Result<void> done = io::write_text(options.json, to_json(report)); !done) return done;
  if (!options.junit.empty())
    if (Result<void> done = io::write_text(options.junit, to_junit(report)); !done) return done;
  if (!options.html.empty()) return io::write_text(options.html, to_html(report));
  return {};
}

int status_of(const Report& report) {
  int passed = 0, failed = 0;
  for (const DeviceReport& device : report.devices) {
    passed += device.count(Status::passed);
    failed += device.failures();
  }
  if (failed > 0) return 1;
  if (passed > 0) return 0;
  const auto absent = [](const DeviceReport& device) { return !device.absent.empty(); };
  const bool nowhere = std::all_of(report.devices.begin(), report.devices.end(), absent);
  return fail(nowhere ? "no device to run on" : "nothing passed: every case was skipped");
}

int merge_reports(const Options& options) {
  std::vector<Report> reports;
  for (const std::filesystem::path& path : options.merge) {
    Result<Report> report = read_report(path);
    if (!report) return fail("--merge " + report.error().message);
    reports.push_back(std::move(*report));
  }
  const Report whole = merge(std::move(reports));
  if (Result<void> written = write_reports(whole, options); !written) return fail(written.error().message);
  const std::vector<std::string> names = headings(whole);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const DeviceReport& device = whole.devices[i];
    if (!device.absent.empty()) print_begin(device);
    else fmt::print("{}: {} passed, {} failed, {} skipped\n", names[i], device.count(Status::passed), device.failures(),
                    device.count(Status::skipped));
  }
  return status_of(whole);
}

int run_on_devices(const Work& work, const Options& options, Progress& progress, Report report = {}) {
  report.fovea = FOVEA_VERSION;
  report.started = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr)));
  const auto begin = [&](const DeviceReport& device) {
    print_begin(device);
    progress.restart();
  };
  report.devices = run_devices(work, options, {begin, [&](const CaseResult& r) { print_result(r, options.verbose); }});
  for (const DeviceReport& device : report.devices)
    if (device.absent.empty()) print_table(device);
  if (Result<void> written = write_reports(report, options); !written) return fail(written.error().message);
  return status_of(report);
}

Begin begin_by(Progress& progress) {
  return [&](const std::string& title) { progress.begin(title); };
}

int run_graph_files(const Options& options) {
  std::vector<std::pair<std::string, Recipe>> graphs;
  for (const std::filesystem::path& path : options.graphs) {
    const Result<io::MappedFile> file = io::MappedFile::open(path);
    if (!file) return fail("--graph " + file.error().message);
    Result<Recipe> recipe = parse_recipe({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()});
    if (!recipe) return fail(fmt::format("--graph {}: {}", path.string(), recipe.error().message));
    graphs.emplace_back(path.stem().string(), std::move(*recipe));
  }
  Progress progress(options.verbose, graphs.size());
  return run_on_devices(run_graphs(std::move(graphs), options, begin_by(progress)), options, progress);
}

int run(const Options& options) {
  if (!options.merge.empty()) return merge_reports(options);
  if (options.fuzz) {
    Progress progress(options.verbose, 0);
    return run_on_devices(run_random_graphs(options, begin_by(progress)), options, progress);
  }
  if (!options.graphs.empty()) return run_graph_files(options);
  std::vector<CaseFile> files;
  std::set<std::string> seen;
  for (const std::string& corpus : options.corpora) {
    std::vector<CaseFile> found = find_cases(corpus);
    if (found.empty()) fmt::print("absent: {} {}\n", corpus, why_no_cases(corpus));
    for (CaseFile& file : found) {  // a case that several folders hold runs once
      if (seen.insert(file.id()).second) files.push_back(std::move(file));
    }
  }
  if (files.empty()) return fail("no corpus: none of the folders holds <group>/<case>.safetensors or <group>/<test>/model.onnx");
  Report report;
  report.corpora = options.corpora;
  report.absent_groups = absent_groups(files);
  std::erase_if(report.absent_groups, [&](const std::string& group) { return !can_match(options.pattern, group + "/"); });
  std::vector<std::string> ids;
  for (const CaseFile& file : files) ids.push_back(file.id());
  std::erase_if(files, [&](const CaseFile& file) { return !matches(options.pattern, file.id()); });
  if (files.empty()) {
    const std::string meant = closest(options.pattern, ids);
    return fail(fmt::format("no case matches '{}'{}", options.pattern, meant.empty() ? "; --list names them" : "; did you mean " + meant + "?"));
  }
  if (!report.absent_groups.empty()) fmt::print("absent groups: {}\n", fmt::join(report.absent_groups, " "));
  if (options.list) return list_cases(files);
  Progress progress(options.verbose, files.size());
  return run_on_devices(run_files(std::move(files), begin_by(progress)), options, progress, std::move(report));
}

}  // namespace
}  // namespace fovea::conformance

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a crash takes no line along, and errors stand behind what led to them
  fovea::conformance::Options options;
  if (const auto status = fovea::conformance::parse(argc, argv, options)) return *status;
  return fovea::conformance::run(options);
}
