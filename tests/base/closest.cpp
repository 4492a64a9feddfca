#include "base/closest.hpp"

#include <doctest/doctest.h>

using namespace fovea;

TEST_CASE("letters between two words") {
  CHECK(edit_distance("", "") == 0);
  CHECK(edit_distance("", "abc") == 3);
  CHECK(edit_distance("abc", "") == 3);
  CHECK(edit_distance("kitten", "sitting") == 3);
  CHECK(edit_distance("flaw", "lawn") == 2);
}

TEST_CASE("the name that may have been meant, and none where all are far") {
  const std::vector<std::string> names{"softmax", "sparsemax", "matmul"};
  CHECK(closest("sofmax", names) == "softmax");
  CHECK(closest("matmull", names) == "matmul");
  CHECK(closest("softmax", names) == "softmax");
  CHECK(closest("attention", names).empty());
  CHECK(closest("", names).empty());
  CHECK(closest("x", std::vector<std::string>{}).empty());
}
