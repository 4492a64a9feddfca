// Devices whose subgroups have several sizes: a kernel that was planned for one size runs in that size, or not at all.

#include "engine/api/internal.hpp"
#include "tests/faults/fake_vulkan.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <algorithm>

using namespace fovea;
using namespace fovea::test;

namespace {

// Of 16 rows of 64.
Result<Plan> softmax_by(Context& context, const char* kernel) {
  Graph graph;
  graph.output("y", softmax(graph.input("x", {16, 64}), {.axis = -1}));
  return context.compile(graph, {.force_kernel = {std::string("softmax=") + kernel}});
}

Context make(const FakeVulkan& what) { return create_context({}, {}, set_fake_vulkan(what)).value(); }

}  // namespace

TEST_CASE("a pipeline whose invocations share in subgroups asks for the size that it was planned for, and for full ones") {
  for (const std::uint32_t size : {16u, 32u, 64u}) {
    CAPTURE(size);
    Context context = make({.min_subgroup = 16, .max_subgroup = 64, .subgroup_size_control = true});
    DeviceCaps& caps = context.impl()->device->caps;
    REQUIRE(caps.subgroup_size_control);
    CHECK(caps.subgroup_size == 32);
    CHECK(caps.min_subgroup_size == 16);
    CHECK(caps.max_subgroup_size == 64);
    caps.subgroup_size = size;
    REQUIRE(softmax_by(context, "softmax_subgroup"));
    CHECK(fake_vulkan().subgroups_asked == std::vector{size});
    CHECK(fake_vulkan().full_subgroups);
    fake_vulkan().subgroups_asked.clear();
    REQUIRE(softmax_by(context, "softmax_lane"));
    CHECK(std::ranges::count(fake_vulkan().subgroups_asked, 0u) == std::ssize(fake_vulkan().subgroups_asked));
  }
}

TEST_CASE("where sizes vary and none can be asked for, kernels do without subgroups") {
  const FakeVulkan without_feature{.min_subgroup = 16, .max_subgroup = 64};
  const FakeVulkan not_in_compute{.min_subgroup = 16, .max_subgroup = 64, .subgroup_size_control = true, .stages_that_ask = VK_SHADER_STAGE_FRAGMENT_BIT};
  for (const FakeVulkan& what : {not_in_compute, without_feature}) {
    Context context = make(what);
    CAPTURE(what.subgroup_size_control);
    CHECK_FALSE(caps_of(context).subgroup_size_control);
    CHECK(caps_of(context).subgroup_size == 0);
    CHECK_FALSE(softmax_by(context, "softmax_subgroup"));
    CHECK(softmax_by(context, "softmax_lane"));
  }
}
