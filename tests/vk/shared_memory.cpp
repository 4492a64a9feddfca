#include "shared_memory.comp.h"
#include "tests/support/check.hpp"
#include "tests/support/programs.hpp"

#include <cstring>
#include <vector>

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::size_t words = 37 + 20 + 21 + 36 + 3;
constexpr ShaderInfo shader{"shared_memory", spirv_shared_memory_comp};

std::vector<std::uint32_t> values(std::uint32_t writes, bool poison_shared) {
  compile::Program program;
  program.externals = {{"y", compile::ExternalRole::output, Shape{words}, DType::i32, words * 4}};
  compile::Dispatch dispatch;
  dispatch.shader = &shader;
  dispatch.constants = {writes};
  dispatch.bindings = {{external_range(0, words), false, true}};
  dispatch.groups = {1, 1, 1};
  dispatch.label = dispatch.kernel = "shared_memory";
  program.dispatches = {dispatch};
  Plan plan = plan_from_program(context(), std::move(program), {.poison_shared = poison_shared}).value();
  const std::vector<std::byte> bytes = plan.run({}).value().at(0);
  std::vector<std::uint32_t> got(words);
  std::memcpy(got.data(), bytes.data(), words * 4);
  return got;
}

}  // namespace

TEST_CASE("poison reaches every element of shared memory, and what a shader writes after it stays") {
  CHECK(values(0, true) == std::vector<std::uint32_t>(words, 0x7fffffff));
  std::vector<std::uint32_t> expected(words, 0x7fffffff);
  expected[36] = 0x40000000;  // 2.0
  expected[words - 3] = 5;
  CHECK(values(1, true) == expected);
  const std::vector<std::uint32_t> plain = values(1, false);  // of the same Context: the other pipeline
  CHECK(plain[36] == 0x40000000);
  CHECK(plain[words - 3] == 5);
  CHECK(take_validation_messages().empty());
}
