// Dispatches that do not end, and a device that is lost while they run.

#include "engine/api/internal.hpp"
#include "tests/faults/fake_vulkan.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/trap.hpp"

#include <doctest/doctest.h>

#include <optional>

using namespace fovea;
using namespace fovea::test;

namespace {

// t = 2 (a + b) + 1, then y = 3 (t + b), bound to buffers, on a driver of which so many submissions finish.
struct Work {
  Context context;
  std::vector<Buffer> buffers;
  std::optional<Plan> plan;
  std::optional<Bindings> bindings;

  Work(bool timeline, std::size_t runs)
      : context(create_context({.log = [](LogLevel, std::string_view) {}}, {},
                               set_trap(set_fake_vulkan({.timeline = timeline, .runs = runs}))).value()) {
    plan = plan_from_program(context, two_sums(8), {.timestamps = true}).value();
    std::vector<PortBuffer> ports;
    buffers.reserve(3);
    for (const Port& port : plan->ports()) {
      buffers.push_back(context.make_buffer(port.bytes, true, port.name).value());
      ports.push_back({port.name, &buffers.back()});
    }
    bindings = plan->bind(ports).value();
  }
};

}  // namespace

TEST_CASE("a dispatch over its budget is named, nothing behind it is submitted, and the Context works on") {
  for (const bool timeline : {true, false}) {
    {
      Work work(timeline, 0);
      const Result<void> first = work.plan->run_watched(*work.bindings, 1000);
      REQUIRE_FALSE(first);
      CHECK(first.error().code == ErrorCode::timeout);
      CHECK(first.error().message == "run_watched: weighted_sum, dispatch 1 of 2, has not finished after 1000 ns");
      CHECK(fake_vulkan().submitted == 1);
      CHECK(work.plan->run_watched(*work.bindings, 1000).error().message == "run_watched: an earlier run has not finished after 1000 ns");
      CHECK(work.plan->wait(1000).error().code == ErrorCode::timeout);
      CHECK(fake_vulkan().submitted == 1);
      release();
      work.plan->wait().value();
      fake_vulkan().runs = fake_vulkan().submitted + 1;
      CHECK(work.plan->run_watched(*work.bindings, 1000).error().message == "run_watched: weighted_sum, dispatch 2 of 2, has not finished after 1000 ns");
      release();
      work.plan->run_watched(*work.bindings, 1000).value();
      work.plan->submit(*work.bindings).value();
      work.plan->wait().value();
    }
    CHECK(trap().leaks() == "");
  }
}

TEST_CASE("dispatches that are watched are submitted one by one, each behind what the ones before it wrote") {
  using enum FakeVulkan::Command;
  Work work(true, SIZE_MAX);
  fake_vulkan().commands.clear();
  work.plan->run_watched(*work.bindings, 1000).value();
  CHECK(fake_vulkan().commands == std::vector{begin, barrier_for_compute, dispatch, other_barrier,    // and to the host, which reads
                                              begin, barrier_for_compute, dispatch, other_barrier});
  CHECK(fake_vulkan().submitted == 2);
}

TEST_CASE("a device that is lost under a dispatch that never ends is left without waiting") {
  for (const bool timeline : {true, false}) {
    {
      Work work(timeline, 0);
      work.plan->submit(*work.bindings).value();
      trap().lost = true;
      const Result<void> waited = work.plan->wait();
      REQUIRE_FALSE(waited);
      CHECK(waited.error().code == ErrorCode::device_lost);
      const std::string call = timeline ? "vkWaitSemaphores" : "vkWaitForFences";
      CHECK(waited.error().message == call + ": VK_ERROR_DEVICE_LOST");
      const std::string since = ": fake is lost since " + call + ": VK_ERROR_DEVICE_LOST";
      CHECK(work.plan->wait().error().message == "wait" + since);
      CHECK(work.plan->submit(*work.bindings).error().message == "submit" + since);
      CHECK(work.plan->run_watched(*work.bindings, 1).error().message == "run_watched" + since);
      CHECK(work.context.make_buffer(4, true).error().message == "make_buffer" + since);
      CHECK(work.context.compile(Graph()).error().message == "compile" + since);
      CHECK(work.plan->bind(std::span<const PortBuffer>()).error().message == "bind" + since);
      CHECK(record(*work.plan, (VkCommandBuffer)1, *work.bindings).error().message == "record" + since);
      std::vector<std::byte> bytes(4);
      CHECK(work.buffers[0].upload(bytes).error().message == "upload" + since);
      CHECK(work.buffers[0].download(bytes).error().message == "download" + since);
      CHECK(work.plan->report().dispatches.size() == 2);
    }  // the fake driver ends the program where it is waited for without end
    CHECK(trap().leaks() == "");
  }
}
