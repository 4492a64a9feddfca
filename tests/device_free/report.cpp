#include <fovea/plan.hpp>
#include <fovea/tuning.hpp>

#include <doctest/doctest.h>

#include <string>

using namespace fovea;

namespace {

Report some_report() {
  Report report;
  report.device = "A \"quoted\" device";
  report.driver = "driver\\1";
  report.milliseconds = 2;
  report.arena_bytes = 3ull << 20;
  report.arena_lower_bound = 1536;
  report.arena_unaliased_bytes = 12;
  DispatchReport& dispatch = report.dispatches.emplace_back();
  dispatch.label = "matmul y\n(model.cpp:41)";
  dispatch.kernel = "matmul_tile";
  dispatch.shader = "matmul.f32";
  dispatch.milliseconds = 1.5;
  dispatch.start_milliseconds = 0.5;
  dispatch.flops = 3e9;
  dispatch.bytes = 6'000'000;
  return report;
}

}  // namespace

TEST_CASE("the report's table shows time, rates, memory and the label") {
  const std::string text = some_report().to_text();
  CHECK(text.find("A \"quoted\" device / driver\\1") != std::string::npos);
  CHECK(text.find("3.0 MiB (lower bound 1.5 KiB, unaliased 12 B)") != std::string::npos);
  CHECK(text.find("2.000 ms, 3.000 GFLOP, 1 dispatches") != std::string::npos);
  CHECK(text.find("1.500  2000.00  4.00  5.7 MiB  matmul.f32  matmul y") != std::string::npos);
}

TEST_CASE("the report has both peaks where values are made again") {
  Report report = some_report();
  CHECK(report.to_text().find("recomputation") == std::string::npos);
  report.arena_held_bytes = 7ull << 20;
  CHECK(report.to_text().find("unaliased 12 B, without recomputation 7.0 MiB)") != std::string::npos);
  CHECK(report.to_json().find(R"("arena_held_bytes": 7340032)") != std::string::npos);
}

TEST_CASE("a report without times says so") {
  Report report = some_report();
  report.milliseconds = report.dispatches[0].milliseconds = 0;
  CHECK(report.to_text().find("not timed") != std::string::npos);
}

TEST_CASE("JSON escapes quotes, backslashes and control characters") {
  const std::string json = some_report().to_json();
  CHECK(json.find(R"("device": "A \"quoted\" device")") != std::string::npos);
  CHECK(json.find(R"("driver": "driver\\1")") != std::string::npos);
  CHECK(json.find(R"-("label": "matmul y\u000a(model.cpp:41)")-") != std::string::npos);
  CHECK(json.find(R"("ms": 1.5)") != std::string::npos);
  CHECK(json.find(R"("bytes": 6000000)") != std::string::npos);
}

TEST_CASE("the Chrome trace has a complete event in microseconds for each dispatch") {
  const std::string trace = some_report().to_chrome_trace();
  CHECK(trace.find(R"("ph": "X")") != std::string::npos);
  CHECK(trace.find(R"("ts": 500, "dur": 1500)") != std::string::npos);
  Report empty;
  CHECK(empty.to_chrome_trace().find("thread_name") != std::string::npos);
}

TEST_CASE("the report says once for all dispatches alike which kernel was chosen, and why") {
  Report report = some_report();
  CHECK(report.to_text().find("chosen") == std::string::npos);  // nothing to choose from
  report.dispatches[0].choice = "preferred; others: matmul_row";
  report.dispatches.push_back(report.dispatches[0]);
  CHECK(report.to_text().ends_with("chosen\n   2x  matmul_tile  preferred; others: matmul_row\n"));
  CHECK(report.to_json().find(R"("choice": "preferred; others: matmul_row")") != std::string::npos);
}

TEST_CASE("the report of a tuning lists nodes, kernels and times, and what is left") {
  TuneReport report;
  report.device = "Some device";
  report.seconds = 1.25;
  report.nodes = {{"matmul (f32[2,2], f32[2,2])", {{"matmul_tile", 20.26}, {"matmul_row", 12.1}}, "matmul_row", ""},
                  {"softmax (f32[2])", {{"softmax_lane", 0}, {"softmax_group", 0}}, "softmax_lane", "the time had passed"}};
  CHECK(report.to_text() == "device  Some device\n"
                            "tuned   1 of 2 nodes in 1.2 s\n"
                            "matmul (f32[2,2], f32[2,2])\n"
                            "         20.3 us  matmul_tile\n"
                            "*        12.1 us  matmul_row\n"
                            "softmax (f32[2]): left, the time had passed\n"
                            "*              -  softmax_lane\n"
                            "               -  softmax_group\n");
}
