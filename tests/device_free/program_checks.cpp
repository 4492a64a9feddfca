#include "base/device_caps.hpp"
#include "run/bind.hpp"
#include "run/executor.hpp"
#include "vk/pipeline.hpp"
#include "by_address.comp.h"
#include "weighted_sum.comp.h"

#include <doctest/doctest.h>

#include <string>

using namespace fovea;
using fovea::compile::BufferKind;
using fovea::compile::ExternalRole;
using fovea::run::NamedRange;
using fovea::vk::BindingUse;

namespace {

const ShaderInfo weighted_sum{"weighted_sum", spirv_weighted_sum_comp};

// Never handed to Vulkan.
VkBuffer fake_buffer(std::uintptr_t number) {
  return reinterpret_cast<VkBuffer>(number);
}

compile::Program two_ports() {
  compile::Program program;
  program.externals.push_back({"x", ExternalRole::input, Shape{2, 3}, DType::f32, 24});
  program.externals.push_back({"y", ExternalRole::output, Shape{0, 3}, DType::f32, 4});
  return program;
}

std::string refusal(std::vector<NamedRange> given) {
  const auto matched = run::match(two_ports(), given, 16);
  return matched ? "accepted" : matched.error().message;
}

struct Request {
  std::vector<std::uint32_t> constants{64, 1};
  std::vector<BindingUse> bindings{BindingUse::read, BindingUse::read, BindingUse::write};
  std::uint32_t push_bytes = 8;
};

std::string verdict(const Request& request, const DeviceCaps& caps = {}) {
  const auto checked = vk::check({&weighted_sum, request.constants, request.bindings, request.push_bytes},
                                 reflect(weighted_sum.code), caps);
  return checked ? "fits" : checked.error().message;
}

}  // namespace

TEST_CASE("bindings are matched by name, in the program's order") {
  const std::vector<NamedRange> given{{"y", fake_buffer(2), 0, 4}, {"x", fake_buffer(1), 16, 24}};
  const auto matched = run::match(two_ports(), given, 16);
  REQUIRE(matched);
  CHECK((*matched)[0].buffer == fake_buffer(1));
  CHECK((*matched)[0].offset == 16);
  CHECK((*matched)[1].buffer == fake_buffer(2));
}

TEST_CASE("a binding that is missing, doubled, unknown, null, short or unaligned is named") {
  const NamedRange x{"x", fake_buffer(1), 0, 24}, y{"y", fake_buffer(2), 0, 4};
  CHECK(refusal({x, y}) == "accepted");
  CHECK(refusal({x}) == "bind: output 'y' is not bound");
  CHECK(refusal({y}) == "bind: input 'x' is not bound");
  CHECK(refusal({x, y, x}) == "bind: 'x' is bound twice");
  CHECK(refusal({x, y, {"z", fake_buffer(3), 0, 4}}) == "bind: no port 'z'; the plan has x, y");
  CHECK(refusal({{"x", VK_NULL_HANDLE, 0, 24}, y}) == "bind: 'x' has a null buffer");
  CHECK(refusal({{"x", fake_buffer(1), 0, 23}, y}) == "bind: 'x' has 23 bytes, input f32[2,3] needs 24");
  CHECK(refusal({x, {"y", fake_buffer(2), 0, 0}}) == "bind: 'y' has 0 bytes, output f32[0,3] needs 4");
  CHECK(refusal({{"x", fake_buffer(1), 8, 24}, y}) == "bind: 'x' starts at byte 8, not a multiple of the device's 16");
}

TEST_CASE("a workgroup that the device cannot run is refused before the driver sees it") {
  const vk::PipelineRequest request{&weighted_sum, {}, {}, 0};
  const auto verdict_of = [&](const Workgroup& workgroup) {
    const auto checked = vk::check_workgroup(request, workgroup, DeviceCaps{});
    return checked ? "fits" : checked.error().message;
  };
  CHECK(verdict_of({{128, 1, 1}, 16384}) == "fits");
  CHECK(verdict_of({{64, 4, 1}, 0}) == "shader weighted_sum: 256 invocations a workgroup, the device takes 128");
  CHECK(verdict_of({{1, 1, 65}, 0}) == "shader weighted_sum: 65 invocations on axis 2 of a workgroup, the device takes 64");
  CHECK(verdict_of({{1, 1, 1}, 16388}) == "shader weighted_sum: 16388 bytes of shared memory, the device has 16384");
}

TEST_CASE("a range that passes the end of its buffer is refused, also where the sum overflows") {
  constexpr std::uint64_t whole = UINT64_MAX;
  const auto x = [](std::uint64_t offset, std::uint64_t size) {
    return refusal({{"x", fake_buffer(1), offset, size, 64}, {"y", fake_buffer(2), 0, 4}});
  };
  CHECK(x(0, whole) == "accepted");
  CHECK(x(32, whole) == "accepted");
  CHECK(x(0, 64) == "accepted");
  CHECK(x(48, whole) == "bind: 'x' at 48 + 24 passes the end of a buffer of at most 64 bytes");
  CHECK(x(16, 64) == "bind: 'x' at 16 + 64 passes the end of a buffer of at most 64 bytes");
  CHECK(x(whole - 15, whole) == "bind: 'x' at 18446744073709551600 + 24 passes the end of a buffer of at most 64 bytes");
}

TEST_CASE("an output shares no bytes with another port; inputs may") {
  CHECK(refusal({{"x", fake_buffer(1), 0, 64}, {"y", fake_buffer(1), 16, 64}}) ==
        "bind: output 'y' shares bytes with 'x'");
  CHECK(refusal({{"x", fake_buffer(1), 0, 64}, {"y", fake_buffer(1), 32, 64}}) == "accepted");
  compile::Program program = two_ports();
  program.externals[1].role = ExternalRole::input;
  const std::vector<NamedRange> same{{"x", fake_buffer(1), 0, 64}, {"y", fake_buffer(1), 0, 64}};
  CHECK(run::match(program, same, 16));
}

TEST_CASE("a dispatch that disagrees with its shader is an internal error that names the shader") {
  CHECK(verdict({}) == "fits");
  CHECK(verdict({.push_bytes = 12}) == "shader weighted_sum: the dispatch pushes 12 bytes, the shader takes 8");
  CHECK(verdict({.constants = {64}}) == "shader weighted_sum: constant_id 1 has no value, the dispatch gives 1");
  CHECK(verdict({.bindings = {BindingUse::read, BindingUse::read}}) ==
        "shader weighted_sum: uses binding 2, the dispatch binds 2");
  CHECK(verdict({.bindings = {BindingUse::read, BindingUse::read, BindingUse::write, BindingUse::read}}) ==
        "shader weighted_sum: uses 3 bindings, the dispatch binds 4");
  CHECK(verdict({.bindings = {BindingUse::write, BindingUse::read, BindingUse::write}}) ==
        "shader weighted_sum: declares binding 0 readonly, the dispatch says it is written");
  CHECK(verdict({.bindings = {BindingUse::read, BindingUse::read, BindingUse::read}}) ==
        "shader weighted_sum: declares binding 2 written, the dispatch says it is only read");
  CHECK(verdict({.bindings = {BindingUse::read, BindingUse::unused, BindingUse::unused}}) == "fits");
  DeviceCaps small;
  small.max_storage_buffers = 2;
  CHECK(verdict({}, small) == "shader weighted_sum: binds 3 buffers, the device takes 2");
}

TEST_CASE("addresses that a dispatch pushes are where the shader takes them, and written where their bindings are") {
  const ShaderInfo by_address{"by_address", spirv_by_address_comp};
  using Uses = std::vector<BindingUse>;
  const auto verdict_of = [&](std::vector<std::uint32_t> addresses, std::uint32_t push_bytes, const Uses& bindings) {
    const auto checked = vk::check({&by_address, {}, bindings, push_bytes, {}, addresses}, reflect(by_address.code), DeviceCaps{});
    return checked ? "fits" : checked.error().message;
  };
  const Uses uses{BindingUse::read, BindingUse::write};
  CHECK(verdict_of({0, 1}, 24, uses) == "fits");
  CHECK(verdict_of({0, 1}, 20, uses) == "shader by_address: the dispatch pushes 20 bytes, the shader takes 24");
  CHECK(verdict_of({0}, 24, uses) == "shader by_address: the dispatch pushes 1 addresses, the shader takes 2");
  CHECK(verdict_of({}, 24, uses) == "shader by_address: the dispatch pushes 0 addresses, the shader takes 2");
  CHECK(verdict_of({0, 2}, 24, uses) == "shader by_address: takes the address of binding 2, the dispatch binds 2");
  CHECK(verdict_of({1, 1}, 24, uses) ==
        "shader by_address: declares address 0 readonly, the dispatch says that binding 1 is written");
  CHECK(verdict_of({0, 0}, 24, uses) == "shader by_address: declares address 1 written, the dispatch does not write binding 0");
  CHECK(verdict_of({0, 1}, 24, {BindingUse::read, BindingUse::unused}) ==
        "shader by_address: declares address 1 written, the dispatch does not write binding 1");
}

TEST_CASE("a program that takes addresses is refused where buffers have none, and where they are not at a multiple of 8") {
  compile::Program program = two_ports();
  compile::Dispatch dispatch;
  dispatch.shader = &weighted_sum;
  dispatch.label = "sum";
  dispatch.bindings.push_back({{BufferKind::external, 0, 0, 24}, true, false});
  dispatch.addresses = {0};
  program.dispatches.push_back(dispatch);
  DeviceCaps caps;
  const auto message = [&] {
    const Result<void> checked = run::check(program, caps);
    return checked ? "fits" : checked.error().message;
  };
  CHECK(message() == "program: sum: takes addresses of buffers, which have none");
  caps.buffer_address = true;
  CHECK(message() == "fits");
  program.dispatches[0].push.resize(4);
  CHECK(message() == "program: sum: pushes addresses behind 4 bytes, not a multiple of 8");
}

TEST_CASE("a program whose ranges leave their buffers, or the device's limits, is refused") {
  compile::Program program = two_ports();
  program.arena_bytes = 1024;
  compile::Dispatch dispatch;
  dispatch.shader = &weighted_sum;
  dispatch.label = "sum";
  dispatch.bindings.push_back({{BufferKind::arena, 0, 256, 768}, true, false});
  program.dispatches.push_back(dispatch);
  const auto refused = [&](const char* text) {
    const Result<void> checked = run::check(program, DeviceCaps{});
    return !checked && checked.error().code == ErrorCode::internal && checked.error().message == text;
  };
  CHECK(run::check(program, DeviceCaps{}));
  compile::BufferRange& range = program.dispatches[0].bindings[0].range;
  range.size = 769;
  CHECK(refused("program: sum: binding 0 is [256, +769) of a buffer of 1024 bytes"));
  range = {BufferKind::arena, 0, 128, 768};
  CHECK(refused("program: sum: binding 0 starts at 128, not a multiple of 256"));
  range = {BufferKind::external, 7, 0, 4};
  CHECK(refused("program: sum: binding 0 is [0, +4) of a buffer of 0 bytes"));
  range = {BufferKind::arena, 0, 0, 0};
  CHECK(refused("program: sum: binding 0 is [0, +0) of a buffer of 1024 bytes"));
  range = {BufferKind::arena, 0, 0, 4};
  program.dispatches[0].groups = {70000, 1, 1};
  CHECK(refused("program: sum: 70000 groups on axis 0, the device takes 65535"));
}
