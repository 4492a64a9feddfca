#include "tests/conformance/options.hpp"

#include "tests/conformance/limits.hpp"
#include "tests/conformance/runner.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <unistd.h>

#include <algorithm>
#include <system_error>

namespace fovea::conformance {
namespace {

namespace fs = std::filesystem;

Error wrong(const std::string& what) {
  return {ErrorCode::invalid_argument, what};
}

Result<void> check_variants(Options& options) {
  const auto all = std::find(options.variants.begin(), options.variants.end(), "all");
  if (all != options.variants.end()) {
    if (options.variants.size() > 1) return wrong("--variant all: names every kernel; no other stands beside it");
    options.all_variants = true;
    options.variants.clear();
  }
  for (const std::string& variant : options.variants)
    if (Result<void> known = check_variant(variant); !known) return wrong("--variant: " + known.error().message);
  return {};
}

// What `cmake --install` puts beside the program. Empty: it was not installed, or the system has no such link.
fs::path installed_corpus() {
  std::error_code none;
  const fs::path program = fs::read_symlink("/proc/self/exe", none);
  const fs::path corpus = program.parent_path().parent_path() / "share/fovea/corpus";
  return !none && fs::is_directory(corpus, none) ? corpus : fs::path{};
}

// That a file can be written there, before the minutes that its content takes.
Result<void> check_output(const char* option, const fs::path& path) {
  if (path.empty()) return {};
  std::error_code ignored;
  const fs::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const auto refuse = [&](const std::string& why) { return wrong(fmt::format("{} {}: {}", option, path.string(), why)); };
  if (fs::is_directory(path, ignored)) return refuse("is a folder");
  if (!fs::is_directory(folder, ignored)) return refuse("there is no folder " + folder.string());
  if (::access(folder.c_str(), W_OK) != 0) return refuse("the folder " + folder.string() + " cannot be written");
  return {};
}

// However it is spelt.
bool is_one_file(const fs::path& a, const fs::path& b) {
  std::error_code ignored;
  return !a.empty() && !b.empty() && fs::weakly_canonical(a, ignored) == fs::weakly_canonical(b, ignored);
}

Result<void> check_outputs(const Options& options) {
  const std::pair<const char*, const fs::path*> outputs[] = {
      {"--json", &options.json}, {"--junit", &options.junit}, {"--html", &options.html}};
  for (const auto& [option, path] : outputs)
    if (Result<void> checked = check_output(option, *path); !checked) return checked;
  for (const auto& [a, first] : outputs)
    for (const auto& [b, second] : outputs)
      if (a != b && is_one_file(*first, *second)) return wrong(fmt::format("{} and {} are one file: {}", a, b, first->string()));
  for (const auto& [a, path] : outputs)
    for (const fs::path& read : options.merge)
      if (is_one_file(*path, read)) return wrong(fmt::format("{} and --merge are one file: {}", a, read.string()));
  return {};
}

Result<void> check_graphs(const Options& options) {
  const bool graphs = options.fuzz || !options.graphs.empty();
  if (options.fuzz && !(*options.fuzz > 0 && *options.fuzz < 1e9))
    return wrong(fmt::format("--fuzz {}: SECONDS is a positive number", *options.fuzz));
  if (options.shrink && !graphs) return wrong("--shrink: there is nothing to shrink without --fuzz or --graph");
  if (options.save.empty()) return {};
  if (!graphs) return wrong("--save: there is no graph to save without --fuzz or --graph");
  std::error_code ignored;
  fs::create_directory(options.save, ignored);
  if (!fs::is_directory(options.save, ignored)) return wrong(fmt::format("--save {}: is no folder", options.save.string()));
  if (::access(options.save.c_str(), W_OK) != 0) return wrong(fmt::format("--save {}: cannot be written", options.save.string()));
  return {};
}

Result<void> check(Options& options, const std::string& limits) {
  if (options.budget && !(*options.budget >= 1e-3 && *options.budget < 1e9))
    return wrong(fmt::format("--budget {}: SECONDS is a number from 0.001 on", *options.budget));
  if (Result<void> checked = check_outputs(options); !checked) return checked;
  if (Result<void> checked = check_graphs(options); !checked) return checked;
  if (!options.merge.empty()) {
    if (options.json.empty() && options.junit.empty() && options.html.empty())
      return wrong("--merge: say where to write to: --html, --json or --junit");
    return {};
  }
  if (options.corpora.empty() && options.graphs.empty() && !options.fuzz) {
    const fs::path installed = installed_corpus();
    if (installed.empty())
      return wrong("--corpus is required: a folder of <group>/<case>.safetensors or <group>/<test>/model.onnx; or --fuzz, or --graph");
    options.corpora.push_back(installed.string());
  }
  if (Result<void> checked = check_variants(options); !checked) return checked;
  if (limits.empty()) return {};
  Result<io::Json> read = read_limits(limits);
  if (!read) return wrong("--limits " + read.error().message);
  options.limits = std::move(*read);
  return {};
}

}  // namespace

std::optional<int> parse(int argc, char** argv, Options& options) {
  std::string limits;
  CLI::App app{"Runs the cases of the conformance corpus, or random graphs, on a Vulkan device."};
  auto* corpus = app.add_option("--corpus", options.corpora, "Folder of <group>/<case>.safetensors or <group>/<test>/model.onnx (else the one installed with this program); may "
                                                             "be given several times")
                     ->allow_extra_args(false);
  auto* pattern = app.add_option("--case", options.pattern, "Only cases whose <group>/<case> matches this glob");
  auto* list = app.add_flag("--list", options.list, "Lists the corpus' cases and their operators instead of running them; 1 where a file is unreadable");
  auto* fuzz = app.add_option("--fuzz", options.fuzz, "Runs random graphs and their gradients for so many SECONDS, instead of a corpus")
                   ->excludes(corpus, pattern, list);
  app.add_option("--count", options.count, "Of random graphs, at most, however many SECONDS are left")
      ->needs(fuzz)
      ->check(CLI::PositiveNumber)
      ->default_str("no limit");
  app.add_option("--seed", options.seed, "Of the first random graph; the next has the next one")->needs(fuzz)->capture_default_str();
  app.add_option("--graph", options.graphs, "Runs graphs as --shrink and --save give them; may be given several times")
      ->allow_extra_args(false)
      ->excludes(corpus, pattern, list, fuzz);
  app.add_flag("--shrink", options.shrink, "Reduces each graph that fails to the smallest that fails so, and prints it");
  app.add_option("--save", options.save, "Folder for <name>.graph of each graph that fails, as small as it was made; made where it is missing");
  auto* device = app.add_option("--device", options.device,
                                "Part of a device's or driver's name, or its index (else FOVEA_DEVICE, else the best)");
  app.add_flag("--all-devices", options.all_devices, "Every device that the loader lists, in turn")->excludes(device);
  app.add_option("--variant", options.variants,
                 "operator=kernel: forces that kernel, and runs the cases that take it; may be given several times. "
                 "all: besides the chosen kernels, every other that a case's operators take")
      ->allow_extra_args(false);
  app.add_option("--replays", options.replays, "Runs of each case, which must agree bit for bit")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  app.add_flag("--poison-shared", options.poison_shared, "Fills the shared memory of every workgroup with NaN before its shader's code");
  app.add_option("--budget", options.budget, "Fails a case of which a dispatch takes more than so many SECONDS, and names it");
  app.add_option("--limits", limits, "JSON file of lower limits, which emulate a smaller device");
  app.add_option("--json", options.json, "Writes the whole report as JSON")->excludes(list);
  app.add_option("--junit", options.junit, "Writes a JUnit XML for continuous integration")->excludes(list);
  app.add_option("--html", options.html, "Writes a table of operator and device, as one HTML file")->excludes(list);
  app.add_option("--merge", options.merge, "Reads JSON reports of earlier runs instead of running")
      ->excludes("--corpus", "--fuzz", "--graph", pattern, list);
  app.add_flag("--verbose", options.verbose, "Also names the cases that pass, and each case or graph before it runs");
  app.footer(
      "Exit status: 0 some cases passed and none failed, 1 some failed, 2 wrong usage, no device, no case, or all "
      "skipped. docs/conformance.md says what a pass promises.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  if (Result<void> checked = check(options, limits); !checked) {
    fmt::print(stderr, "fovea-conformance: {}\n", checked.error().message);
    return 2;
  }
  return std::nullopt;
}

}  // namespace fovea::conformance
