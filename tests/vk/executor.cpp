#include "tests/support/check.hpp"
#include "tests/support/programs.hpp"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>

using namespace fovea;
using namespace fovea::test;

namespace {

bool validating() {
  return std::getenv("VK_INSTANCE_LAYERS") != nullptr;
}

std::vector<float> run_two_sums(Plan& plan, std::span<const float> a, std::span<const float> b) {
  const PortData inputs[] = {port_data("a", a), port_data("b", b)};
  return floats(plan.run(inputs).value().at(0));
}

void check_two_sums(std::span<const float> a, std::span<const float> b, std::span<const float> y) {
  REQUIRE(y.size() == a.size());
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) wrong += y[i] != two_sums_of(a[i], b[i]);
  CHECK(wrong == 0);
}

void check_silence() {
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

}  // namespace

TEST_CASE("a dispatch reads what the one before it wrote") {
  for (const std::int64_t n : {1, 63, 64, 65, 1000, 100'003}) {
    Plan plan = plan_from_program(context(), two_sums(n)).value();
    const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
    check_two_sums(a, b, run_two_sums(plan, a, b));
    check_two_sums(b, a, run_two_sums(plan, b, a));  // the same plan again, with other data
  }
  check_silence();
}

TEST_CASE("nothing outside the bound ranges is touched, and replays agree") {
  constexpr std::int64_t n = 777;
  constexpr std::uint64_t guard = 1024;
  constexpr std::byte sentinel{0xa5};
  Plan plan = plan_from_program(context(), two_sums(n), {.poison_arena = true}).value();
  std::vector<Buffer> buffers;
  std::vector<PortBuffer> ports;
  for (const Port& port : plan.ports()) {
    buffers.push_back(context().make_buffer(port.bytes + 2 * guard, true, port.name).value());
    std::fill_n(buffers.back().data(), buffers.back().size(), sentinel);
  }
  const std::vector<float> a = numbers(n, 3), b = numbers(n, 4);
  std::memcpy(buffers[0].data() + guard, a.data(), a.size() * 4);
  std::memcpy(buffers[1].data() + guard, b.data(), b.size() * 4);
  for (std::size_t i = 0; i < buffers.size(); ++i) ports.push_back({plan.ports()[i].name, &buffers[i], guard});
  const Bindings bindings = plan.bind(ports).value();
  for (int run = 0; run < 3; ++run) {
    std::fill_n(buffers[2].data() + guard, n * 4, std::byte{0xff});
    plan.submit(bindings).value();
    plan.wait().value();
    std::vector<float> y(n);
    std::memcpy(y.data(), buffers[2].data() + guard, n * 4);
    check_two_sums(a, b, y);
    for (const Buffer& buffer : buffers) {
      const std::byte* end = buffer.data() + buffer.size();
      CHECK(std::all_of(buffer.data(), buffer.data() + guard, [&](std::byte byte) { return byte == sentinel; }));
      CHECK(std::all_of(end - guard, end, [&](std::byte byte) { return byte == sentinel; }));
    }
  }
  check_silence();
}

TEST_CASE("runs submitted without waiting follow each other") {
  constexpr std::int64_t n = 5000;
  Plan plan = plan_from_program(context(), two_sums(n)).value();
  std::vector<Buffer> buffers;
  for (int i = 0; i < 4; ++i) buffers.push_back(context().make_buffer(bytes_of(n), true).value());
  const std::vector<float> a = numbers(n, 5), b = numbers(n, 6);
  std::memcpy(buffers[0].data(), a.data(), n * 4);
  std::memcpy(buffers[1].data(), b.data(), n * 4);
  // y of the first is a of the second: a chain through buffers that no wait separates.
  const PortBuffer one[] = {{"a", &buffers[0]}, {"b", &buffers[1]}, {"y", &buffers[2]}};
  const PortBuffer two[] = {{"a", &buffers[2]}, {"b", &buffers[1]}, {"y", &buffers[3]}};
  const Bindings first = plan.bind(one).value(), second = plan.bind(two).value();
  for (int round = 0; round < 4; ++round) {
    plan.submit(first).value();
    plan.submit(second).value();
    plan.submit(second).value();  // the same commands while they are pending
  }
  plan.wait().value();
  std::vector<float> y(n);
  std::memcpy(y.data(), buffers[3].data(), n * 4);
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) wrong += y[i] != two_sums_of(two_sums_of(a[i], b[i]), b[i]);
  CHECK(wrong == 0);
  check_silence();
}

TEST_CASE("poison reaches every byte of the arena that nothing writes") {
  constexpr std::int64_t n = 100;
  compile::Program program = two_sums(n);
  program.dispatches.erase(program.dispatches.begin());  // y = 3 (t + b) of a t that was never written
  Plan poisoned = plan_from_program(context(), program, {.poison_arena = true}).value();
  for (const float value : run_two_sums(poisoned, numbers(n, 1), numbers(n, 2))) CHECK(std::isnan(value));
  check_silence();
}

TEST_CASE("constants are uploaded once, with the plan") {
  constexpr std::int64_t n = 300;
  compile::Program program = two_sums(n);
  const std::vector<float> constant = numbers(n, 9);
  program.constants.resize(static_cast<std::size_t>(n) * 4);
  std::memcpy(program.constants.data(), constant.data(), program.constants.size());
  program.dispatches[0].bindings[0].range = {compile::BufferKind::constant, 0, 0, bytes_of(n)};  // instead of a
  Plan plan = plan_from_program(context(), program).value();
  const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
  check_two_sums(constant, b, run_two_sums(plan, a, b));
  check_silence();
}

TEST_CASE("a dispatch of no groups is left out, and the barrier it asked for is not") {
  constexpr std::int64_t n = 2000;
  compile::Program program = two_sums(n);
  compile::Dispatch nothing = program.dispatches[1];
  nothing.groups = {0, 1, 1};
  program.dispatches[1].barrier_before = false;  // the empty one has it
  program.dispatches.insert(program.dispatches.begin() + 1, nothing);
  Plan plan = plan_from_program(context(), program, {.timestamps = true}).value();
  const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
  check_two_sums(a, b, run_two_sums(plan, a, b));
  CHECK(plan.report().dispatches.size() == 3);
  check_silence();
}

TEST_CASE("a program of nothing, and one of empty tensors, run") {
  Plan nothing = plan_from_program(context(), {}).value();
  CHECK(nothing.run({}).value().empty());
  compile::Program program = two_sums(0);
  for (compile::Dispatch& dispatch : program.dispatches) dispatch.groups = {0, 1, 1};
  Plan empty = plan_from_program(context(), program, {.timestamps = true}).value();
  const std::vector<float> none;
  CHECK(run_two_sums(empty, none, none).empty());
  check_silence();
}

TEST_CASE("a missing barrier is reported by synchronization validation") {
  if (!validating()) return;  // nothing looks
  take_validation_messages();
  constexpr std::int64_t n = 1000;
  compile::Program program = two_sums(n);
  program.dispatches[1].barrier_before = false;
  Plan plan = plan_from_program(context(), program).value();
  const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
  run_two_sums(plan, a, b);
  const std::vector<std::string> messages = take_validation_messages();
  const bool reported = std::any_of(messages.begin(), messages.end(), [](const std::string& message) {
    return message.find("SYNC-HAZARD-READ-AFTER-WRITE") != std::string::npos;
  });
  CHECK_MESSAGE(reported, "the tests above would not notice a missing barrier");
}

TEST_CASE("timestamps follow each other, and the report adds up") {
  constexpr std::int64_t n = 50'000;
  Plan plan = plan_from_program(context(), two_sums(n), {.timestamps = true}).value();
  CHECK(plan.report().milliseconds == 0);  // nothing has run
  const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
  run_two_sums(plan, a, b);
  const Report report = plan.report();
  REQUIRE(report.dispatches.size() == 2);
  CHECK(report.device == context().device().name);
  CHECK(report.arena_bytes == bytes_of(n));
  CHECK(report.dispatches[0].flops == 3 * n);
  CHECK(report.dispatches[0].program_line.find("weighted_sum<64 2>") != std::string::npos);
  if (caps_of(context()).timestamp_period_ns > 0) {
    CHECK(report.milliseconds > 0);
    CHECK(report.dispatches[0].start_milliseconds == 0);
    CHECK(report.dispatches[1].start_milliseconds == doctest::Approx(report.dispatches[0].milliseconds));
    CHECK(report.dispatches[0].milliseconds + report.dispatches[1].milliseconds ==
          doctest::Approx(report.milliseconds));
  }
  Plan untimed = plan_from_program(context(), two_sums(n)).value();
  run_two_sums(untimed, a, b);
  CHECK(untimed.report().milliseconds == 0);
  check_silence();
}

TEST_CASE("a program that contradicts its shader is an internal error that names both") {
  compile::Program program = two_sums(100);
  program.dispatches[1].push.resize(12);
  const Result<Plan> plan = plan_from_program(context(), program);
  REQUIRE_FALSE(plan);
  CHECK(plan.error().code == ErrorCode::internal);
  CHECK(plan.error().message == "weighted_sum: shader weighted_sum: the dispatch pushes 12 bytes, the shader takes 8");
  check_silence();
}
