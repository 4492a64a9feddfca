// Every function of the public headers that appends to a graph has its rows (tests/support/rows.hpp).

#include "tests/support/declared.hpp"
#include "tests/support/rows.hpp"

#include <doctest/doctest.h>

#include <set>
#include <string>

namespace fovea::test {
namespace {

// Nothing but operands, and every shape of them is right.
const std::set<std::string> shapeless{"unary", "scalar", "stop_gradient"};

}  // namespace

TEST_CASE("every function of the public headers has a right call, and calls with wrong values") {
  std::set<std::string> called, wrong = shapeless;
  for (const rows::RightCall& call : rows::right_calls()) called.insert(call.function);
  for (const rows::WrongCall& call : rows::wrong_calls()) wrong.insert(call.function);
  const std::set<std::string> names = declared_functions();
  CHECK(names.size() > 90);  // the scan finds them
  for (const std::string& name : names) {
    CHECK_MESSAGE(called.count(name) == 1, name, " has no right call");
    CHECK_MESSAGE(wrong.count(name) == 1, name, " has no call with wrong values");
  }
}

}  // namespace fovea::test
