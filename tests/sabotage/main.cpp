// fovea-sabotage: does the suite fail when it should? Makes one fault after another (faults_*.cpp) and looks whether the
// case or test that it is named with notices. Exit status: 0 every fault is as its row says, 1 some is not, 2 wrong usage.

#include "tests/sabotage/notice.hpp"

#include <fovea/context.hpp>

#include <fmt/format.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::sabotage {
namespace {

constexpr int patience_ms = 600'000;  // for one fault, on the slowest driver of a busy machine

// What became of a fault, as its process tells it in a line: "numbers 1 out.y: ...".
struct Outcome {
  std::string how;  // a Notice::Kind, or "crash", "hang"
  std::size_t changes = 1;
  std::string text;
  // Not by a crash or a hang: those may be of the program itself.
  bool caught() const { return how != "nothing" && how != "absent" && how != "crash" && how != "hang"; }
};

Outcome outcome_of(const Notice& notice, std::size_t changes) {
  Outcome outcome{to_string(notice.kind), changes, notice.text};
  std::replace(outcome.text.begin(), outcome.text.end(), '\n', ' ');
  return outcome;
}

// All changes of a fault. Of several the first that goes unnoticed counts; for one that nothing should notice, the first
// that is noticed.
Outcome try_fault(const Fault& fault) {
  if (fault.alter == nullptr) return outcome_of(run_with(fault, 0), 1);
  Notice seen;
  for (std::size_t n = 0;; ++n) {
    const Notice notice = run_with(fault, n);
    if (notice.kind == Notice::Kind::absent && notice.text.empty())
      return n > 0 ? outcome_of(seen, n) : Outcome{"absent", 0, "the program has nothing of this kind to change"};
    const bool noticed = notice.kind != Notice::Kind::nothing;
    if (notice.kind == Notice::Kind::absent || noticed == (*fault.uncaught != '\0')) {
      Outcome outcome = outcome_of(notice, n + 1);
      outcome.text = fmt::format("change {}: {}", n, outcome.text);
      return outcome;
    }
    if (n == 0) seen = notice;
  }
}

const Family families[] = {
#define FAMILY(name, validated, quick) {#name, name##_faults, validated},
#include "tests/sabotage/families.def"
#undef FAMILY
};

// In a process of its own, for a fault may crash or hang it: the family's faults from `first` on, a line each.
[[noreturn]] void run_child(const Family& family, std::size_t first, int out) {
  if (!family.validated) unsetenv("VK_INSTANCE_LAYERS");  // numbers and sentinels alone must tell, and it takes time
  std::set<std::string> sound;                            // what passes without a fault
  for (std::size_t i = first; i < family.faults.size(); ++i) {
    const Fault& fault = family.faults[i];
    Outcome outcome;
    if (sound.insert(std::string(fault.caught_by) + fault.variant).second)
      if (const Notice notice = run_without(fault); notice.kind != Notice::Kind::nothing)
        outcome = {"absent", 0, "fails without the fault: " + outcome_of(notice, 0).text};
    if (outcome.how.empty()) outcome = try_fault(fault);
    const std::string line = fmt::format("{} {} {}\n", outcome.how, outcome.changes, outcome.text);
    if (write(out, line.data(), line.size()) != static_cast<ssize_t>(line.size())) break;
  }
  _exit(0);  // the driver's destructors are not what is tested
}

// The next line from a child, or why there is none: "crash", "hang".
Outcome read_outcome(int in) {
  std::string line;
  for (pollfd waiting{in, POLLIN, 0}; poll(&waiting, 1, patience_ms) > 0;) {
    char c;
    if (read(in, &c, 1) != 1) return {"crash", 1, "the process ended"};
    if (c != '\n') {
      line += c;
      continue;
    }
    const std::size_t changes = line.find(' '), text = line.find(' ', changes + 1);
    return {line.substr(0, changes), std::strtoul(line.c_str() + changes, nullptr, 10), line.substr(text + 1)};
  }
  return {"hang", 1, "nothing was heard for ten minutes"};
}

// Where the validation layer is there to tell, it must.
bool as_expected(const Family& family, const Fault& fault, const Outcome& outcome) {
  if (*fault.uncaught) return outcome.how == "nothing";
  return family.validated ? outcome.how == "validation" : outcome.caught();
}

void tell(const Family& family, const Fault& fault, const Outcome& outcome, double seconds) {
  const char* verdict = !as_expected(family, fault, outcome) ? "WRONG " : outcome.caught() ? "caught" : "known ";
  std::string how = outcome.how + (outcome.changes > 1 ? fmt::format(", {} changes", outcome.changes) : "");
  fmt::print("{} {} {}: {}\n       {} ({}, {:.1f} s) {}\n", verdict, family.name, *fault.kernel ? fault.kernel : "program", fault.what,
             fault.caught_by, how, seconds, outcome.text.substr(0, 240));
}

std::vector<Outcome> run_family(const Family& family) {
  std::vector<Outcome> outcomes;
  while (outcomes.size() < family.faults.size()) {
    int ends[2];
    if (pipe(ends) != 0) std::abort();
    const pid_t child = fork();
    if (child < 0) std::abort();
    if (child == 0) {
      close(ends[0]);
      run_child(family, outcomes.size(), ends[1]);
    }
    close(ends[1]);
    bool alive = true;
    while (alive && outcomes.size() < family.faults.size()) {
      const auto start = std::chrono::steady_clock::now();
      outcomes.push_back(read_outcome(ends[0]));
      tell(family, family.faults[outcomes.size() - 1], outcomes.back(),
           std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
      alive = outcomes.back().how != "crash" && outcomes.back().how != "hang";
    }
    close(ends[0]);
    if (!alive) kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }
  return outcomes;
}

std::string row(const Fault& fault, const Outcome& outcome) {
  std::string where = *fault.source ? fmt::format("{} in {}", fault.source, fault.kernel) : fmt::format("{}.comp", fault.kernel);
  if (fault.alter != nullptr) where = fmt::format("the Program, in {} place{}, one after another", outcome.changes, outcome.changes == 1 ? "" : "s");
  const std::string how = *fault.uncaught ? fmt::format("**not caught**: {}", fault.uncaught) : outcome.how;
  const std::string variant = *fault.variant ? fmt::format(", `{}`", fault.variant) : "";
  return fmt::format("| {} | {} | `{}`{} | {} |\n", fault.what, where, fault.caught_by, variant, how);
}

constexpr const char* head =
    "# Sabotage\n\n"
    "Does the suite fail when it should? `fovea-sabotage` (`tests/sabotage/`) makes one fault after another, in a kernel's source\n"
    "or in a compiled Program, and looks whether the conformance runner or a test notices. This table is its output:\n\n"
    "```sh\n"
    "tests/drivers.sh run --validate lavapipe-new -- build/release/bin/fovea-sabotage --markdown docs/sabotage.md\n"
    "```\n\n"
    "CTest runs the quick families, as `sabotage.<family>@<driver>`; with `-DFOVEA_SABOTAGE=ON` all (`families.def`). A row whose line is\n"
    "gone from its kernel fails (`--check-lines`, without running any), and so does one that nothing should notice and something does.\n\n"
    "How it was noticed: *numbers* outside their bounds; a *sentinel* around a buffer, or an input, that was changed; a\n"
    "*repetition* that gave other bits; what the *validation* layer said; the *structure* of the Program, in which two dispatches\n"
    "touch the same bytes with no barrier between. Shared memory is NaN before a shader's own code.\n";

int run(const char* only, const char* markdown) {
  std::string table;
  std::size_t wrong = 0, caught = 0, known = 0;
  bool any = false;
  for (const Family& family : families) {
    if (only != nullptr && std::string_view(only) != family.name) continue;
    any = true;
    if (family.validated && std::getenv("VK_INSTANCE_LAYERS") == nullptr) {
      fmt::print("WRONG  {}: needs the validation layer (tests/drivers.sh run --validate)\n", family.name);
      ++wrong;
      continue;
    }
    table += fmt::format("\n## {}\n\n| fault | where | caught by | how |\n|---|---|---|---|\n", family.name);
    const std::vector<Outcome> outcomes = run_family(family);
    for (std::size_t i = 0; i < outcomes.size(); ++i) {
      const Fault& fault = family.faults[i];
      table += row(fault, outcomes[i]);
      ++(!as_expected(family, fault, outcomes[i]) ? wrong : outcomes[i].caught() ? caught : known);
    }
  }
  fmt::print("{} caught, {} not caught and known, {} not as their rows say\n", caught, known, wrong);
  if (markdown != nullptr && wrong == 0) {
    const DeviceInfo device = Context::create().value().device();  // not before the children are forked
    std::ofstream(markdown) << head << fmt::format("\n{} faults: {} caught, {} known not to be; {}, {}.\n", caught + known, caught, known,
                                                   device.driver, device.name) << table;
  }
  return any && wrong == 0 ? 0 : 1;
}

// Rows whose line is gone from their kernel, without running any.
int check_lines() {
  int wrong = 0;
  for (const Family& family : families)
    for (const Fault& fault : family.faults) {
      if (fault.alter != nullptr) continue;
      const std::string problem = line_fault(fault);
      if (problem.empty()) continue;
      fmt::print("WRONG  {} {}: {}\n", family.name, fault.what, problem);
      ++wrong;
    }
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace fovea::sabotage

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  const char *family = nullptr, *markdown = nullptr;
  if (argc == 2 && std::string_view(argv[1]) == "--check-lines") return fovea::sabotage::check_lines();
  for (int i = 1; i < argc; i += 2) {
    const std::string_view option = argv[i];
    if (i + 1 == argc || (option != "--family" && option != "--markdown")) {
      std::fputs("usage: fovea-sabotage [--family NAME] [--markdown FILE] | --check-lines\n", stderr);
      return 2;
    }
    (option == "--family" ? family : markdown) = argv[i + 1];
  }
  return fovea::sabotage::run(family, markdown);
}
