#include "tests/conformance/fuzz/recipe.hpp"
#include "tests/faults/readers/reader.hpp"

using namespace fovea;
using namespace fovea::conformance;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const Result<Recipe> read = parse_recipe({reinterpret_cast<const char*>(data), size});
  if (!read) return 0;
  const Result<Recipe> again = parse_recipe(to_text(*read));
  test::require(again && *again == *read, "a graph that is printed is read as the same");
  to_cpp(*read);
  return 0;
}
