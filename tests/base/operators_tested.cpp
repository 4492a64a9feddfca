// Every operator of ops.def has a test file of its own with cases and a reference: the recipe of docs/adding-an-operator.md.

#include "ops/op_def.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

TEST_CASE("every operator is checked against a reference: check(\"name\", ...) or check_gradient in some tests/ops/*.cpp") {
  namespace fs = std::filesystem;
  std::string sources;
  for (const auto& entry : fs::directory_iterator(fs::path(FOVEA_SOURCE_DIR) / "tests/ops")) {
    std::ifstream in(entry.path());
    sources.append(std::istreambuf_iterator<char>(in), {});
  }
  // Made by other operators alone, and checked through them.
  const std::map<std::string, std::string> parts{{"deform_unfold", "deform_conv2d"}, {"deform_cells", "deform_conv2d"},
                                                 {"deform_slopes", "deform_conv2d"}, {"deform_texels", "deform_conv2d"},
                                                 {"grid_to_points", "grid_sample"}};
  for (const fovea::ops::OpDef* op : fovea::ops::all_ops()) {
    const std::string name = op->name;
    if (const auto part = parts.find(name); part != parts.end()) {
      CHECK(sources.find(part->second + '(') != std::string::npos);
      continue;
    }
    const std::string quoted = '"' + name + '"';
    CAPTURE(name);
    bool checked = false;
    for (const std::string call : {"check(", "check_operator(", ".kernels_of = ", "check_index(", "constexpr const char* op = "}) {
      for (std::size_t at = sources.find(call); at != std::string::npos && !checked; at = sources.find(call, at + 1)) {
        const std::size_t word = sources.find_first_not_of(" \n", at + call.size());
        checked = sources.compare(word, quoted.size(), quoted) == 0;
      }
    }
    CHECK(checked);
  }
}
