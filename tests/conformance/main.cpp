// fovea-conformance: runs the cases of the conformance corpus on a device.
// Exit status: 0 some cases passed and none failed, 1 some failed, 2 wrong usage, no device, no case, or all skipped.

#include "tests/conformance/adapter.hpp"
#include "tests/conformance/runner.hpp"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace fovea::conformance {
namespace {

struct Options {
  std::vector<std::string> corpora;
  std::string device, pattern = "*";
  bool list = false, verbose = false;
};

struct Counts {
  int passed = 0, failed = 0, skipped = 0;
  int gradients = 0;  // tensors compared
};

int fail(const std::string& message) {
  fmt::print(stderr, "fovea-conformance: {}\n", message);
  return 2;
}

// Of the groups asked for.
void print_absent(const std::vector<CaseFile>& files, const std::string& pattern) {
  std::vector<std::string> absent = absent_groups(files);
  std::erase_if(absent, [&](const std::string& group) { return !can_match(pattern, group + "/"); });
  if (!absent.empty()) fmt::print("absent groups: {}\n", fmt::join(absent, " "));
}

int list_cases(const std::vector<CaseFile>& files) {
  int status = 0;
  for (const CaseFile& file : files) {
    const Result<Case> loaded = load_case(file.path);
    if (loaded) {
      fmt::print("{}  {}{}\n", file.id(), loaded->op, find_adapter(loaded->op) == nullptr ? "  (no operator)" : "");
    } else {
      fmt::print("{}  UNREADABLE {}\n", file.id(), loaded.error().message);
      status = 1;
    }
  }
  return status;
}

int count_gradients(const Case& from) {
  int count = 0;
  for (const io::StoredTensor& tensor : from.tensors.tensors()) count += tensor.name.starts_with("grad.");
  return count;
}

void run_file(Context& context, const CaseFile& file, const Options& options, const TakeMessages& take_messages,
              Counts& counts) {
  Outcome outcome;
  const Result<Case> loaded = load_case(file.path);
  if (loaded) {
    outcome = run_case(context, *loaded, take_messages);
  } else {
    outcome = {Status::failed, {loaded.error().message}};
  }
  switch (outcome.status) {
    case Status::passed:
      ++counts.passed;
      if (options.verbose) fmt::print("passed {}\n", file.id());
      break;
    case Status::skipped:
      ++counts.skipped;
      fmt::print("skipped {}: {}\n", file.id(), fmt::join(outcome.lines, "; "));
      return;
    case Status::failed:
      ++counts.failed;
      for (const std::string& line : outcome.lines) fmt::print("FAILED {} {}\n", file.id(), line);
      break;
  }
  if (loaded) counts.gradients += count_gradients(*loaded);
}

// Warnings and errors of Fovea and of the validation layers, kept for the case that caused them.
class Messages {
 public:
  LogFunction sink() {
    return [this](LogLevel level, std::string_view text) {
      const std::lock_guard lock(mutex_);
      if (level != LogLevel::info) texts_.emplace_back(text);
    };
  }
  std::vector<std::string> take() {
    const std::lock_guard lock(mutex_);
    return std::exchange(texts_, {});
  }

 private:
  std::mutex mutex_;
  std::vector<std::string> texts_;
};

using GroupCounts = std::map<std::string, Counts>;

// Runs the files on a device of its own. 0, or 2 when there is no such device.
int run_files(const std::vector<CaseFile>& files, const Options& options, Messages& messages, GroupCounts& groups) {
  ContextOptions context_options;
  context_options.device = options.device;
  context_options.validation = std::getenv("VK_INSTANCE_LAYERS") != nullptr;  // as tests/drivers.sh --validate sets it
  context_options.log = messages.sink();
  Result<Context> context = Context::create(context_options);
  if (!context) return fail(context.error().message);
  fmt::print("device: {} ({})\n", context->device().name, context->device().driver);
  for (const std::string& message : messages.take()) fmt::print("{}\n", message);

  for (const CaseFile& file : files) {
    run_file(
        *context, file, options, [&] { return messages.take(); }, groups[file.group]);
  }
  return 0;
}

int run_cases(const std::vector<CaseFile>& files, const Options& options) {
  Messages messages;
  GroupCounts groups;
  if (const int status = run_files(files, options, messages, groups); status != 0) return status;

  Counts total;
  for (const std::string& message : messages.take()) {  // the device is gone: what it left behind is reported now
    ++total.failed;
    fmt::print("FAILED after the last case: {}\n", message);
  }
  fmt::print("\n{:<28}{:>8}{:>8}{:>8}\n", "group", "passed", "failed", "skipped");
  for (const auto& [group, counts] : groups) {
    fmt::print("{:<28}{:>8}{:>8}{:>8}\n", group, counts.passed, counts.failed, counts.skipped);
    total.passed += counts.passed;
    total.failed += counts.failed;
    total.skipped += counts.skipped;
    total.gradients += counts.gradients;
  }
  fmt::print("{} gradients among what was compared\n", total.gradients);
  fmt::print("{} passed, {} failed, {} skipped\n", total.passed, total.failed, total.skipped);
  if (total.failed > 0) return 1;
  return total.passed > 0 ? 0 : fail("nothing passed: every case was skipped");
}

int run(const Options& options) {
  std::vector<CaseFile> files;
  std::set<std::string> seen;
  for (const std::string& corpus : options.corpora) {
    std::vector<CaseFile> found = find_cases(corpus);
    if (found.empty()) fmt::print("absent: {} {}\n", corpus, why_no_cases(corpus));
    for (CaseFile& file : found) {  // a case that several folders hold runs once
      if (seen.insert(file.id()).second) files.push_back(std::move(file));
    }
  }
  if (files.empty()) return fail("no corpus: none of the folders holds <group>/<case>.safetensors");
  const std::vector<CaseFile> all = files;
  std::erase_if(files, [&](const CaseFile& file) { return !matches(options.pattern, file.id()); });
  if (files.empty()) return fail("no case matches '" + options.pattern + "'");
  print_absent(all, options.pattern);
  if (options.list) return list_cases(files);

  return run_cases(files, options);
}

}  // namespace
}  // namespace fovea::conformance

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // a crash takes no line along, and errors stand behind what led to them
  fovea::conformance::Options options;
  CLI::App app{"Runs the cases of the conformance corpus on a Vulkan device."};
  app.add_option("--corpus", options.corpora, "Folder of <group>/<case>.safetensors; may be given several times")
      ->required();
  app.add_option("--device", options.device,
                 "Part of a device's name, or its index (else FOVEA_DEVICE, else the best)");
  app.add_option("--case", options.pattern, "Only cases whose <group>/<case> matches this glob");
  app.add_flag("--list", options.list, "Lists the cases and their operators instead of running them");
  app.add_flag("--verbose", options.verbose, "Also names the cases that pass");
  app.footer(
      "Exit status: 0 some cases passed and none failed, 1 some failed, 2 wrong usage, no device, no case, or all "
      "skipped.");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return fovea::conformance::run(options);
}
