#include "base/poison_shared.hpp"
#include "base/prune.hpp"
#include "base/shader_table.hpp"
#include "base/specialize.hpp"
#include "base/spirv.hpp"
#include "pruned.comp.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <string>

using namespace fovea;

namespace {

using Code = std::vector<std::uint32_t>;

template <class Visit>
void for_each(const Code& code, Visit visit) {
  REQUIRE(spirv::for_each_instruction(code, [&](std::uint32_t op, spirv::Words words) { return visit(op, words), true; }));
}

// How often an instruction stands in the module.
std::size_t count(const Code& code, std::uint32_t asked) {
  std::size_t found = 0;
  for_each(code, [&](std::uint32_t op, spirv::Words) { found += op == asked; });
  return found;
}

// The numbers of pruned.comp, each of which stands in one place of it, that a function still uses.
std::set<std::uint32_t> marks(const Code& code) {
  std::map<std::uint32_t, std::uint32_t> values;
  std::set<std::uint32_t> marks;
  bool in_function = false;
  for_each(code, [&](std::uint32_t op, spirv::Words words) {
    in_function = in_function || op == spirv::op_function;
    if (op == spirv::op_constant && words[2] > 100 && words[2] < 120) values[words[1]] = words[2];
    for (std::size_t i = 0; in_function && i < words.size(); ++i)
      if (const auto at = values.find(words[i]); at != values.end()) marks.insert(at->second);
  });
  return marks;
}

Code pruned(std::uint32_t code, bool wide) {
  return prune(specialize(spirv_pruned_comp, std::initializer_list<std::uint32_t>{code, wide}));
}

}  // namespace

TEST_CASE("of a switch on a constant the one case stays, through two calls") {
  const auto case_marks = [](std::uint32_t code) {
    std::set<std::uint32_t> found = marks(pruned(code, false));
    return std::set<std::uint32_t>(found.begin(), found.lower_bound(109));
  };
  CHECK(case_marks(0) == std::set<std::uint32_t>{101, 106, 108});  // operation(0) and operation(1)
  CHECK(case_marks(1) == std::set<std::uint32_t>{101, 102});
  CHECK(case_marks(2) == std::set<std::uint32_t>{102, 103, 104});  // 3 falls through to 4
  CHECK(case_marks(4) == std::set<std::uint32_t>{104, 106, 108});
}

TEST_CASE("a branch on a constant keeps one side, what is stored elsewhere too is no constant") {
  const std::set<std::uint32_t> narrow = marks(pruned(0, false)), wide = marks(pruned(10, true));
  CHECK(!narrow.contains(111));
  CHECK(narrow.contains(117));
  CHECK(narrow.contains(119));
  CHECK(wide.contains(111));
  CHECK(!wide.contains(117));
  CHECK(!wide.contains(119));
  for (std::uint32_t kept : {109u, 110u, 112u, 113u, 115u, 116u, 118u}) CHECK(narrow.contains(kept));
}

TEST_CASE("a chain of elementwise operations keeps the functions of its own operations") {
  // Negate, then multiply.
  const Code whole = specialize(find_shader("elementwise.word")->code, std::initializer_list<std::uint32_t>{128, 1, 2, 1, 0, 2, 0, 0, 1, 0});
  const Code left = prune(whole);
  CHECK(left.size() < whole.size() / 2);
  CHECK(count(left, spirv::op_function) < 12);
  CHECK(count(left, spirv::op_switch) <= 2);
}

TEST_CASE("what is no whole module, or holds an instruction that is not known, stays as it is") {
  Code code(std::begin(spirv_pruned_comp), std::end(spirv_pruned_comp));
  const Code whole = specialize(code, {});
  REQUIRE(prune(whole).size() < whole.size());
  Code cut = whole;
  cut.pop_back();
  CHECK(prune(cut) == cut);
  CHECK(prune({}).empty());
  Code unknown = whole;  // 4999 in the place of each return
  for (std::size_t at = spirv::header_words; at < unknown.size(); at += unknown[at] >> 16)
    if ((unknown[at] & 0xffff) == spirv::op_return) unknown[at] = 1u << 16 | 4999;
  CHECK(prune(unknown) == unknown);
}

// The validation layer sees the modules of the device tests; here are those with constants that nothing asks for.
TEST_CASE("whatever its constants, a shader of the engine stays valid") {
  if (std::system("spirv-val --version > /dev/null 2>&1") != 0) {
    MESSAGE("spirv-val is missing");
    return;
  }
  const std::filesystem::path file = std::filesystem::temp_directory_path() / ("fovea-prune-" + std::to_string(std::rand()) + ".spv");
  const auto is_valid = [&](const Code& code) {
    std::ofstream(file, std::ios::binary).write(reinterpret_cast<const char*>(code.data()), static_cast<std::streamsize>(code.size() * 4));
    return std::system(("spirv-val --target-env vulkan1.1 " + file.string() + " > /dev/null 2>&1").c_str()) == 0;
  };
  std::size_t checked = 0, with_shared = 0;
  std::uint32_t seed = 1;
  for (const ShaderInfo& shader : shader_table()) {
    Code constants{64};  // the workgroup
    for (int i = 0; i < 24; ++i) {
      seed = seed * 1664525u + 1013904223u;
      constants.push_back(std::array{0u, 1u, 2u, 3u, 4u, 8u, 64u, 128u}[seed >> 29]);
    }
    const Code whole = specialize(shader.code, constants);
    if (!is_valid(whole)) continue;  // an array of nothing
    CAPTURE(std::string(shader.name));
    const Code left = prune(whole);
    CHECK(is_valid(left));
    const std::optional<Code> poisoned = poison_shared(left);
    REQUIRE(poisoned);
    CHECK(is_valid(*poisoned));
    with_shared += *poisoned != left;
    ++checked;
  }
  CHECK(checked > shader_table().size() / 2);
  CHECK(with_shared >= 8);
  std::filesystem::remove(file);
}
