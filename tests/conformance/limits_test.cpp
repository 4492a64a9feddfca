#include "tests/conformance/limits.hpp"

#include "tests/io/folder.hpp"

#include <doctest/doctest.h>

using namespace fovea;
using namespace fovea::conformance;

namespace {

DeviceCaps large() {
  DeviceCaps caps;
  caps.device_name = "large";
  caps.max_invocations = 1024;
  caps.max_shared_bytes = 65536;
  caps.max_group_size = {1024, 1024, 64};
  caps.storage_alignment = 16;
  caps.subgroup_size = caps.min_subgroup_size = caps.max_subgroup_size = 32;
  caps.subgroup_operations = 0xff;
  caps.float16 = true;
  return caps;
}

Result<DeviceCaps> lowered(const char* json) {
  return lower(large(), *io::parse_json(json));
}

void check_refused(const char* json, std::initializer_list<std::string> texts) {
  CAPTURE(json);
  test::check_error(lowered(json), ErrorCode::invalid_argument, texts);
}

}  // namespace

TEST_CASE("limits take away what they name, and nothing else") {
  const Result<DeviceCaps> caps =
      lowered(R"({"max_invocations": 128, "max_group_size": [128, 128, 64], "float16": false, "storage_alignment": 256})");
  REQUIRE(caps);
  CHECK(caps->max_invocations == 128);
  CHECK(caps->max_group_size == std::array{128u, 128u, 64u});
  CHECK_FALSE(caps->float16);
  CHECK(caps->storage_alignment == 256);
  CHECK(caps->max_shared_bytes == 65536);
  CHECK(caps->subgroup_size == 32);
}

TEST_CASE("a subgroup size of 0 takes the operations with it") {
  const Result<DeviceCaps> caps = lowered(R"({"subgroup_size": 0})");
  REQUIRE(caps);
  CHECK(caps->subgroup_size == 0);
  CHECK(caps->max_subgroup_size == 0);
  CHECK(caps->subgroup_operations == 0);
}

TEST_CASE("a device that runs several subgroup sizes may be held to each") {
  DeviceCaps caps = large();
  caps.subgroup_size_control = true;
  caps.min_subgroup_size = 8;
  for (const std::uint32_t size : {8u, 16u, 32u}) {
    const Result<DeviceCaps> held = lower(caps, io::Json{{"subgroup_size", size}});
    REQUIRE(held);
    CHECK(held->subgroup_size == size);
    CHECK(held->subgroup_operations == 0xff);
  }
  for (const std::uint32_t size : {4u, 12u, 64u})
    test::check_error(lower(caps, io::Json{{"subgroup_size", size}}), ErrorCode::invalid_argument,
                      {"subgroup_size is " + std::to_string(size), "powers of two from 8 to 32"});
}

TEST_CASE("what would give more than the device has is refused with both values") {
  check_refused(R"({"max_invocations": 2048})", {"max_invocations is 2048", "large has 1024"});
  check_refused(R"({"max_group_size": [128, 128, 128]})", {"max_group_size is [128,128,128]", "[1024,1024,64]"});
  check_refused(R"({"storage16": true})", {"storage16 is true", "has false"});
  check_refused(R"({"storage_alignment": 4})", {"storage_alignment is 4", "has 16"});
  check_refused(R"({"storage_alignment": 48})", {"storage_alignment is 48"});
  check_refused(R"({"subgroup_size": 16})", {"subgroup_size is 16", "runs 32"});
  check_refused(R"({"max_loop_iterations": 0, "max_invocations": 4096})", {"max_invocations"});
}

TEST_CASE("a loop limit may come where there was none, but not go") {
  CHECK(lowered(R"({"max_loop_iterations": 65535})")->max_loop_iterations == 65535);
  DeviceCaps caps = large();
  caps.max_loop_iterations = 65535;
  CHECK_FALSE(lower(caps, *io::parse_json(R"({"max_loop_iterations": 0})")));
  CHECK_FALSE(lower(caps, *io::parse_json(R"({"max_loop_iterations": 70000})")));
}

TEST_CASE("a file's keys and values are checked before there is a device") {
  const test::Folder folder;
  const auto read = [&](const char* text) {
    test::write_bytes(folder / "limits.json", text);
    return read_limits(folder / "limits.json");
  };
  CHECK(read(R"({"max_invocations": 128, "max_group_count": [1, 2, 3], "float16": false})"));
  const auto refused = [&](const char* text, std::initializer_list<std::string> texts) {
    CAPTURE(text);
    test::check_error(read(text), ErrorCode::io, texts);
  };
  refused("{", {"limits.json", "not JSON from byte"});
  refused("[]", {"limits.json", "no JSON object"});
  refused("{}", {"limits.json", "no JSON object"});
  refused(R"({"max_invocation": 128})", {"no limit 'max_invocation'", "max_invocations, max_group_size"});
  refused(R"({"max_invocations": -1})", {"'max_invocations' is -1, not a number"});
  refused(R"({"max_invocations": 4294967296})", {"'max_invocations' is 4294967296"});
  refused(R"({"max_invocations": 1.5})", {"'max_invocations' is 1.5"});
  refused(R"({"float16": 0})", {"'float16' is 0, not true or false"});
  refused(R"({"max_group_size": [1, 2]})", {"'max_group_size' is [1,2], not a list of three numbers"});
  refused(R"({"device_name": "x"})", {"no limit 'device_name'"});
  test::check_error(read_limits(folder / "none.json"), ErrorCode::io, {"none.json", "cannot be opened"});
}

TEST_CASE("a device may be described by what it is limited to") {
  const io::Json described = describe(large());
  CHECK(described["max_group_size"] == io::Json{1024, 1024, 64});
  CHECK(described["float16"] == true);
  const Result<DeviceCaps> same = lower(large(), described);
  REQUIRE(same);
  CHECK(describe(*same) == described);
}

TEST_CASE("below the floor is what no portable kernel is written for") {
  CHECK_FALSE(below_floor(DeviceCaps{}));
  CHECK_FALSE(below_floor(large()));
  CHECK_FALSE(below_floor(*lowered(R"({"max_invocations": 128, "max_shared_bytes": 16384, "subgroup_size": 0})")));
  CHECK(below_floor(*lowered(R"({"max_storage_range": 65536})")));
  CHECK(below_floor(*lowered(R"({"max_storage_buffers": 4})")));
  CHECK(below_floor(*lowered(R"({"storage_alignment": 512})")));
  CHECK(below_floor(*lowered(R"({"max_loop_iterations": 100})")));
  CHECK_FALSE(below_floor(*lowered(R"({"max_loop_iterations": 65535})")));
}
