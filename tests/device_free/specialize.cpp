#include "base/shader_table.hpp"
#include "base/specialize.hpp"
#include "base/spirv.hpp"
#include "weighted_sum.comp.h"

#include <doctest/doctest.h>

#include <map>
#include <string>

using namespace fovea;

namespace {

using Code = std::vector<std::uint32_t>;

void append(Code& code, std::uint32_t op, std::initializer_list<std::uint32_t> operands) {
  spirv::emit(code, op, {operands.begin(), operands.size()});
}

template <class Visit>
void for_each(const Code& code, Visit visit) {
  REQUIRE(spirv::for_each_instruction(code, [&](std::uint32_t op, spirv::Words words) { return visit(op, words), true; }));
}

// Values of the plain 32-bit constants and booleans, by id.
std::map<std::uint32_t, std::uint32_t> constants_of(const Code& code) {
  std::map<std::uint32_t, std::uint32_t> values;
  for_each(code, [&](std::uint32_t op, spirv::Words words) {
    if (op == spirv::op_constant) values[words[1]] = words[2];
    if (op == spirv::op_constant_true || op == spirv::op_constant_false) values[words[1]] = op == spirv::op_constant_true;
  });
  return values;
}

bool has_specialization(const Code& code) {
  bool found = false;
  for_each(code, [&](std::uint32_t op, spirv::Words words) {
    found = found || (op >= spirv::op_spec_constant_true && op <= spirv::op_spec_constant_op) ||
            (op == spirv::op_decorate && words[1] == spirv::spec_id);
  });
  return found;
}

}  // namespace

TEST_CASE("specialisation constants take the chosen values, and their defaults past the end") {
  const std::uint32_t chosen[] = {7};
  Code code{0x07230203, 0x00010300, 0, 100, 0};
  append(code, 71, {10, 1, 0});  // OpDecorate %10 SpecId 0
  append(code, 71, {11, 1, 1});
  append(code, 71, {12, 1, 2});
  append(code, 21, {1, 32, 0});  // %1 = uint
  append(code, 20, {2});         // %2 = bool
  append(code, 50, {1, 10, 1});  // OpSpecConstant
  append(code, 50, {1, 11, 5});
  append(code, 48, {2, 12});     // OpSpecConstantTrue
  const Code plain = specialize(code, chosen);
  CHECK(!has_specialization(plain));
  CHECK(constants_of(plain) == std::map<std::uint32_t, std::uint32_t>{{10, 7}, {11, 5}, {12, 1}});
}

TEST_CASE("a workgroup's size by constants, as SPIR-V 1.6 says it, becomes one by numbers where all are known") {
  for (const bool known : {true, false}) {
    Code code{0x07230203, 0x00010600, 0, 100, 0};
    append(code, spirv::op_execution_mode_id, {9, 38, 10, 11, 11});  // LocalSizeId
    append(code, 71, {10, 1, 0});
    append(code, 21, {1, 32, 0});
    append(code, 50, {1, 10, 1});
    append(code, known ? 43u : 1u, known ? std::initializer_list<std::uint32_t>{1, 11, 2} : std::initializer_list<std::uint32_t>{1, 11});  // or OpUndef
    const std::uint32_t chosen[] = {64};
    Code modes;
    for_each(specialize(code, chosen), [&](std::uint32_t op, spirv::Words words) {
      if (op == spirv::op_execution_mode || op == spirv::op_execution_mode_id) append(modes, op, {words[0], words[1], words[2], words[3], words[4]});
    });
    Code expected;
    if (known)
      append(expected, spirv::op_execution_mode, {9, 17, 64, 2, 2});  // LocalSize
    else
      append(expected, spirv::op_execution_mode_id, {9, 38, 10, 11, 11});
    CHECK(modes == expected);
  }
}

TEST_CASE("integer and boolean arithmetic on specialisation constants is folded") {
  struct Case { std::uint32_t op, a, b, result; };
  const Case cases[] = {
      {128, 7, 5, 12}, {130, 5, 7, 0xfffffffe}, {132, 6, 7, 42}, {134, 22, 7, 3}, {137, 22, 7, 1},
      {135, 0xffffffea, 7, 0xfffffffd}, {138, 0xffffffea, 7, 0xffffffff}, {170, 3, 3, 1}, {171, 3, 3, 0}, {172, 4, 3, 1},
      {174, 3, 3, 1}, {176, 0xffffffff, 3, 0}, {177, 0xffffffff, 3, 1}, {173, 3, 0xffffffff, 1}, {178, 3, 3, 1},
      {179, 4, 3, 0}, {175, 4, 3, 1}, {194, 0x80000000, 31, 1}, {195, 0x80000000, 31, 0xffffffff}, {196, 3, 4, 48},
      {197, 5, 2, 7}, {198, 7, 2, 5}, {199, 7, 2, 2}};
  for (const Case& c : cases) {
    CAPTURE(c.op);
    const bool compares = c.op >= 170 && c.op <= 179;
    Code code{0x07230203, 0x00010300, 0, 100, 0};
    append(code, 21, {1, 32, 0});
    append(code, 20, {2});
    append(code, 50, {1, 10, c.a});
    append(code, 43, {1, 11, c.b});
    append(code, 52, {compares ? 2u : 1u, 12, c.op, 10, 11});
    const Code plain = specialize(code, {});
    CHECK(!has_specialization(plain));
    CHECK(constants_of(plain)[12] == c.result);
  }
}

TEST_CASE("a vector of constants becomes plain with its parts, and its parts can be read") {
  Code code{0x07230203, 0x00010300, 0, 100, 0};
  append(code, 21, {1, 32, 0});
  append(code, 23, {3, 1, 2});               // uvec2
  append(code, 50, {1, 10, 8});
  append(code, 43, {1, 11, 1});
  append(code, 51, {3, 12, 10, 11});         // OpSpecConstantComposite
  append(code, 52, {1, 13, 81, 12, 0});      // CompositeExtract %12 0
  append(code, 52, {3, 14, 128, 12, 12});    // a sum of vectors: left to the driver
  const Code plain = specialize(code, {});
  CHECK(constants_of(plain)[13] == 8);
  int composites = 0, left = 0;
  for_each(plain, [&](std::uint32_t op, spirv::Words) { composites += op == 44, left += op >= 48 && op <= 52; });
  CHECK(composites == 1);
  CHECK(left == 1);
}

TEST_CASE("division by zero and shifts past the width are left to the driver") {
  for (std::uint32_t op : {134u, 135u, 137u, 138u}) {
    Code code{0x07230203, 0x00010300, 0, 100, 0};
    append(code, 21, {1, 32, 0});
    append(code, 50, {1, 10, 8});
    append(code, 50, {1, 11, 0});
    append(code, 52, {1, 12, op, 10, 11});
    CHECK(has_specialization(specialize(code, {})));
  }
}

TEST_CASE("a truncated module is passed on as it is") {
  Code code(std::begin(spirv_weighted_sum_comp), std::end(spirv_weighted_sum_comp));
  code.push_back(9u << 16);  // an instruction of nine words, of which one is there
  CHECK(specialize(code, {}) == code);
  CHECK(specialize({}, {}).empty());
}

TEST_CASE("every shader of the engine specialises, with the same buffers and push constants") {
  for (const ShaderInfo& shader : shader_table()) {
    CAPTURE(std::string(shader.name));
    const Code plain = specialize(shader.code, {});
    CHECK(!has_specialization(plain));
    const ShaderReflection before = reflect(shader.code), after = reflect(plain);
    CHECK(after.constant_ids.empty());
    CHECK(after.push_bytes == before.push_bytes);
    CHECK(after.bindings.size() == before.bindings.size());
  }
}
