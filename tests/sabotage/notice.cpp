#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/conformance/runner.hpp"
#include "tests/sabotage/notice.hpp"
#include "tests/support/check.hpp"
#include "tests/support/listener.hpp"
#include "tests/support/run.hpp"

#include <algorithm>

const fovea::test::CompileOnly* const fovea::test::compile_only = nullptr;

namespace fovea::sabotage {
namespace {

// Of a run of doctest: the first thing that failed, and how many test cases there were.
std::string first_failure;
unsigned test_cases = 0;

struct FirstFailure : test::Listener {
  explicit FirstFailure(const doctest::ContextOptions&) {}
  static void keep(const char* text) {
    if (first_failure.empty()) first_failure = text;
  }
  void log_assert(const doctest::AssertData& data) override {
    if (data.m_failed) keep(data.m_decomp.size() ? data.m_decomp.c_str() : data.m_expr);
  }
  void log_message(const doctest::MessageData& data) override { keep(data.m_string.c_str()); }
  void test_case_exception(const doctest::TestCaseException& data) override { keep(data.error_string.c_str()); }
  void test_run_end(const doctest::TestRunStats& stats) override { test_cases = stats.numTestCasesPassingFilters; }
};
REGISTER_LISTENER("sabotage", 1, FirstFailure);

Notice::Kind kind_of(const std::string& text) {
  const auto says = [&](const char* what) { return text.find(what) != std::string::npos; };
  if (says("written outside the range") || says("changed the input")) return Notice::Kind::sentinel;
  if (says("two runs differ")) return Notice::Kind::repetition;
  if (says("no barrier between")) return Notice::Kind::structure;
  if (says("Validation") || says("VUID") || says("SYNC-HAZARD")) return Notice::Kind::validation;
  return Notice::Kind::numbers;
}

// "ops/random.cpp: the published vectors of Philox-4x32-10"
Notice run_test(const std::string& test) {
  const std::size_t colon = test.find(": ");
  std::string name = test.substr(colon + 2);
  std::replace(name.begin(), name.end(), ',', '?');  // which separates filters
  first_failure.clear();
  doctest::Context context;
  context.addFilter("source-file", ("*tests/" + test.substr(0, colon)).c_str());
  context.addFilter("test-case", name.c_str());
  context.setOption("out", "/dev/null");
  const bool failed = context.run() != 0;
  if (test_cases != 1) return {Notice::Kind::absent, test + ": there are " + std::to_string(test_cases) + " tests of that name"};
  if (!failed) return {};
  return {kind_of(first_failure), first_failure};
}

Notice run_case(const Fault& fault, std::function<void(compile::Program&)> alter) {
  const Result<conformance::Case> loaded = conformance::load_case(std::string(FOVEA_CORPUS "/") + fault.caught_by + ".safetensors");
  if (!loaded) return {Notice::Kind::absent, loaded.error().message};
  conformance::RunOptions options{.poison_shared = true, .alter = std::move(alter)};
  if (*fault.variant) options.variants.push_back(fault.variant);
  Notice notice;
  for (const conformance::CaseResult& result : conformance::run_case(test::context(), *loaded, options, test::take_validation_messages)) {
    if (result.status == conformance::Status::skipped) return {Notice::Kind::absent, result.title() + ": " + result.lines[0]};
    if (result.status == conformance::Status::failed && notice.text.empty()) notice = {kind_of(result.lines[0]), result.lines[0]};
  }
  return notice;
}

}  // namespace

const char* to_string(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::nothing: return "nothing";
    case Notice::Kind::absent: return "absent";
    case Notice::Kind::numbers: return "numbers";
    case Notice::Kind::sentinel: return "sentinel";
    case Notice::Kind::repetition: return "repetition";
    case Notice::Kind::validation: return "validation";
    case Notice::Kind::structure: return "structure";
  }
  return "";
}

Notice run_without(const Fault& fault) {
  sabotage_shaders(nullptr);
  const std::string caught_by = fault.caught_by;
  return caught_by.find(": ") != std::string::npos ? run_test(caught_by) : run_case(fault, nullptr);
}

Notice run_with(const Fault& fault, std::size_t n) {
  sabotage_shaders(&fault);
  const std::string caught_by = fault.caught_by;
  std::string made = "a line";
  Notice notice;
  if (fault.alter != nullptr)
    notice = run_case(fault, [&](compile::Program& program) { made = fault.alter(program, n); });
  else
    notice = caught_by.find(": ") != std::string::npos ? run_test(caught_by) : run_case(fault, nullptr);
  if (made.empty()) return {Notice::Kind::absent, ""};
  if (fault.alter != nullptr && notice.kind == Notice::Kind::nothing) notice.text = made;
  const std::string problem = why_not_made();
  sabotage_shaders(nullptr);
  return problem.empty() ? notice : Notice{Notice::Kind::absent, problem};
}

}  // namespace fovea::sabotage
