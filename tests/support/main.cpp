// Both test programs. A filter that matches no test case is a failure: a renamed file must not pass by running nothing.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "tests/support/listener.hpp"
#include "tests/support/run.hpp"

#include <cstdio>

namespace {

unsigned test_cases = 0;

struct Counter : fovea::test::Listener {
  explicit Counter(const doctest::ContextOptions&) {}
  void test_run_end(const doctest::TestRunStats& stats) override { test_cases = stats.numTestCasesPassingFilters; }
};
REGISTER_LISTENER("counter", 1, Counter);

}  // namespace

const fovea::test::CompileOnly* const fovea::test::compile_only = nullptr;

int main(int argc, char** argv) {
  doctest::Context context(argc, argv);
  const int status = context.run();
  if (context.shouldExit()) return status;  // --help, --list-test-cases
  if (test_cases == 0) {
    std::fputs("no test case matches the filters\n", stderr);
    return 1;
  }
  return status;
}
