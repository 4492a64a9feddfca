#include "base/device_caps.hpp"
#include "base/shader_table.hpp"
#include "base/shader_workgroup.hpp"
#include "base/specialize.hpp"
#include "declarations.comp.h"
#include "by_address.comp.h"
#include "int64.comp.h"
#include "weighted_sum.comp.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>

using namespace fovea;

namespace {

std::vector<std::uint32_t> words_of(std::span<const std::uint32_t> code) {
  return {code.begin(), code.end()};
}

bool has_capability(const ShaderReflection& shader, std::uint32_t capability) {
  return std::find(shader.capabilities.begin(), shader.capabilities.end(), capability) != shader.capabilities.end();
}

}  // namespace

TEST_CASE("a module tells its bindings, who is written, its push size and its constants") {
  const ShaderReflection shader = reflect(spirv_weighted_sum_comp);
  REQUIRE(shader.bindings.size() == 3);
  for (std::uint32_t i = 0; i < 3; ++i) {
    CHECK(shader.bindings[i].set == 0);
    CHECK(shader.bindings[i].binding == i);
    CHECK(shader.bindings[i].written == (i == 2));
  }
  CHECK(shader.push_bytes == 8);
  CHECK(shader.constant_ids == std::vector<std::uint32_t>{0, 1});
}

TEST_CASE("a module tells the addresses that it takes among its push constants, and who writes through them") {
  const ShaderReflection shader = reflect(spirv_by_address_comp);
  REQUIRE(shader.addresses.size() == 2);
  CHECK(shader.addresses[0].offset == 8);
  CHECK_FALSE(shader.addresses[0].written);
  CHECK(shader.addresses[1].offset == 16);
  CHECK(shader.addresses[1].written);
  CHECK(shader.push_bytes == 24);
  CHECK(shader.bindings.size() == 2);  // declared, though it does not touch them
  CHECK(reflect(spirv_weighted_sum_comp).addresses.empty());
  DeviceCaps caps;
  const ShaderInfo info{"by_address", spirv_by_address_comp};
  CHECK(std::string(find_missing_feature(caps, info)) == "bufferDeviceAddress");
  caps.buffer_address = true;
  CHECK_FALSE(find_missing_feature(caps, info));
}

TEST_CASE("unused declarations count, nested blocks have a size, and partly readonly blocks are written") {
  const ShaderReflection shader = reflect(spirv_declarations_comp);
  REQUIRE(shader.bindings.size() == 4);  // 0 (twice), 1, 2, 4
  CHECK(shader.bindings[0].binding == 0);
  CHECK_FALSE(shader.bindings[0].written);
  CHECK(shader.bindings[1].binding == 1);
  CHECK(shader.bindings[1].written);
  CHECK(shader.bindings[2].binding == 2);
  CHECK(shader.bindings[2].written);
  CHECK(shader.bindings[3].binding == 4);
  CHECK(shader.bindings[3].written);  // its header is readonly, its body is not
  CHECK(shader.push_bytes == 4 + (8 * 4 + 4) + 4);
  CHECK(shader.constant_ids == std::vector<std::uint32_t>{0, 1, 2, 3});
  CHECK(has_capability(shader, 4433));  // StorageBuffer16BitAccess
  CHECK(has_capability(shader, 63));    // GroupNonUniformArithmetic
}

TEST_CASE("a specialised module tells what its workgroup takes: invocations and shared memory") {
  const auto workgroup = [](std::span<const std::uint32_t> code, std::initializer_list<std::uint32_t> constants) {
    return reflect_workgroup(specialize(code, std::vector(constants)));
  };
  CHECK(workgroup(spirv_weighted_sum_comp, {96, 2}).size == std::array{96u, 1u, 1u});
  CHECK(workgroup(spirv_weighted_sum_comp, {96, 2}).shared_bytes == 0);
  CHECK(workgroup(spirv_declarations_comp, {8, 4, 0, 3}).size == std::array{8u, 3u, 1u});

  const ShaderInfo* softmax = find_shader("softmax.memory.f32");  // four arrays of a word an invocation
  REQUIRE(softmax);
  CHECK(workgroup(softmax->code, {48}).shared_bytes == 4 * 4 * 48);
  const ShaderInfo* tile = find_shader("attention_tile.whole.f32");  // vec4s, their number an expression of constants
  REQUIRE(tile);
  CHECK(workgroup(tile->code, {}).shared_bytes > 4096);
  CHECK(workgroup(tile->code, {}).shared_bytes <= 16384);
}

TEST_CASE("a truncated, empty or foreign module reads as far as it goes") {
  CHECK(reflect({}).bindings.empty());
  std::vector<std::uint32_t> foreign(64, 7);
  CHECK(reflect(foreign).capabilities.empty());
  const std::vector<std::uint32_t> whole = words_of(spirv_declarations_comp);
  for (std::size_t length = 0; length < whole.size(); ++length)
    CHECK(reflect(std::span(whole).first(length)).bindings.size() <= 4);
}

TEST_CASE("a damaged word never reads outside the module") {
  const std::vector<std::uint32_t> whole = words_of(spirv_declarations_comp);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const std::uint32_t value : {0u, 0xffffffffu, whole[at] ^ 0x00010001u}) {
      std::vector<std::uint32_t> damaged = whole;
      damaged[at] = value;
      (void)reflect(damaged);  // under the sanitizers
    }
  }
}

TEST_CASE("a shader runs where every capability it declares is enabled, and nowhere else") {
  const ShaderInfo plain{"weighted_sum", spirv_weighted_sum_comp};
  const ShaderInfo special{"declarations", spirv_declarations_comp};
  const ShaderInfo wide{"int64", spirv_int64_comp};
  DeviceCaps caps;  // the floor
  CHECK(supports(caps, plain));
  CHECK_FALSE(supports(caps, special));
  CHECK_FALSE(supports(caps, wide));
  CHECK(find_missing_feature(caps, wide) == std::string_view("shaderInt64"));
  CHECK(find_missing_feature(caps, special) == std::string_view("a subgroup operation in compute shaders"));
  caps.storage16 = true;
  CHECK_FALSE(supports(caps, special));
  caps.subgroup_size = 32;
  caps.subgroup_operations = 1 | 4;  // basic, arithmetic
  CHECK(supports(caps, special));
  caps.storage16 = false;
  CHECK(find_missing_feature(caps, special) == std::string_view("storageBuffer16BitAccess"));
  caps.storage16 = true;
  caps.subgroup_operations = 1 | 2;
  CHECK_FALSE(supports(caps, special));
  caps.int64 = true;
  CHECK(supports(caps, wide));
}

TEST_CASE("an unknown capability and a newer SPIR-V than the device's Vulkan are refused") {
  std::vector<std::uint32_t> words = words_of(spirv_weighted_sum_comp);
  DeviceCaps caps;
  words[1] = 0x00010600;  // SPIR-V 1.6 needs Vulkan 1.3
  CHECK_FALSE(supports(caps, {"newer", words}));
  caps.api_version = 1u << 22 | 3u << 12;
  CHECK(supports(caps, {"newer", words}));
  words[1] = 0x00010300;
  REQUIRE((words[5] & 0xffff) == 17);  // OpCapability
  words[6] = 12345;
  CHECK_FALSE(supports(caps, {"unknown", words}));
  CHECK_FALSE(supports(caps, {"empty", {}}));
}
