// What follows a case that lost the device runs on another one, of the same limits.

#include "tests/conformance/device_run.hpp"

#include "engine/api/internal.hpp"
#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

using namespace fovea;
using namespace fovea::conformance;

TEST_CASE("a lost device fails its own case, and no other") {
  Options options;
  options.limits = io::Json{{"max_invocations", 128}};
  const auto loses = [](Context& context, const RunOptions&, const TakeMessages&, const std::function<void(const CaseResult&)>& emit) {
    CaseResult lost{.group = "lost", .name = "lost", .op = "lost", .variant = "", .status = Status::failed};
    lost.lines = {context.impl()->device->error(VK_ERROR_DEVICE_LOST, "vkQueueSubmit").message};
    REQUIRE(context.impl()->device->lost());
    emit(lost);
    CHECK_FALSE(context.impl()->device->lost());
    CHECK(context.impl()->device->caps.max_invocations == 128);
    Graph graph;
    graph.output("y", graph.input("x", {4}) + 1.0f);
    const Result<Plan> plan = context.compile(graph);
    CHECK_MESSAGE(plan, plan.error().message);
    lost.status = Status::passed;
    emit(lost);
  };
  const std::vector<DeviceReport> reports = run_devices(loses, options, {[](const DeviceReport&) {}, [](const CaseResult&) {}});
  REQUIRE(reports.size() == 1);
  REQUIRE_MESSAGE(reports[0].absent.empty(), reports[0].absent);
  CHECK(reports[0].count(Status::passed) == 1);
  CHECK(reports[0].failures() == 1);
  CHECK(reports[0].messages.empty());
}
