#include "tests/support/check.hpp"
#include "tests/support/host.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/trap.hpp"

#include <algorithm>

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::int64_t n = 200;

compile::Program program_with_everything() {
  compile::Program program = two_sums(n);
  program.constants.resize(static_cast<std::size_t>(n) * 4);
  program.dispatches[0].bindings[0].range = {compile::BufferKind::constant, 0, 0, bytes_of(n)};
  return program;
}

// The whole life of a plan on an adopted device. The first error, or nothing.
Result<void> live(const HostDevice& description) {
  Result<Context> context = adopt(description, {.log = [](LogLevel, std::string_view) {}});
  if (!context) return context.error();
  Result<Plan> plan =
      plan_from_program(*context, program_with_everything(), {.timestamps = true, .poison_arena = true});
  if (!plan) return plan.error();
  std::vector<Buffer> buffers;
  for (int i = 0; i < 3; ++i) {
    Result<Buffer> buffer = context->make_buffer(bytes_of(n), i == 0);
    if (!buffer) return buffer.error();
    buffers.push_back(std::move(*buffer));
  }
  std::vector<std::byte> bytes(n * 4);
  for (Buffer& buffer : buffers)
    if (Result<void> done = buffer.upload(bytes); !done) return done;
  const PortBuffer ports[] = {{"a", &buffers[0]}, {"b", &buffers[1]}, {"y", &buffers[2]}};
  Result<Bindings> bindings = plan->bind(ports);
  if (!bindings) return bindings.error();
  for (int run = 0; run < 2; ++run)
    if (Result<void> done = plan->submit(*bindings); !done) return done;
  if (Result<void> done = plan->wait(); !done) return done;
  return buffers[2].download(bytes);
}

}  // namespace

TEST_CASE("recording touches the command buffer alone") {
  Host host(VK_API_VERSION_1_1);
  HostDevice description = host.description();
  description.get_instance_proc_addr = set_trap(host.get_instance_proc_addr);
  {
    Context context = adopt(description).value();
    Plan plan = plan_from_program(context, two_sums(n), {.timestamps = true, .poison_arena = true}).value();
    const Host::Mapped bytes = host.make_buffer(3 * 1024, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    {
      const PortVkBuffer ports[] = {{"a", bytes.buffer, 0}, {"b", bytes.buffer, 1024}, {"y", bytes.buffer, 2048}};
      trap().calls.clear();
      const Bindings bindings = bind(plan, ports).value();
      CHECK(std::count(trap().calls.begin(), trap().calls.end(), "vkAllocateDescriptorSets") == 1);
      const VkCommandBuffer commands = host.begin_commands();
      trap().calls.clear();
      record(plan, commands, bindings).value();
      CHECK(std::count(trap().calls.begin(), trap().calls.end(), "vkCmdDispatch") == 2);
      for (const std::string_view call : trap().calls) CHECK_MESSAGE(call.starts_with("vkCmd"), call);
      host.submit_and_wait(commands);
    }
    host.destroy(bytes);
  }
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}

TEST_CASE("compiling leaves the host's queue alone where the constants are mapped") {
  Host host(VK_API_VERSION_1_1);
  HostDevice description = host.description();
  description.get_instance_proc_addr = set_trap(host.get_instance_proc_addr);
  {
    Context context = adopt(description).value();
    trap().calls.clear();
    Plan plan = plan_from_program(context, program_with_everything(), {.timestamps = true}).value();
    const bool on_cpu = caps_of(context).type == DeviceType::cpu;
    for (const std::string_view call : trap().calls) {
      CHECK_MESSAGE(call != "vkQueueWaitIdle", call);
      if (on_cpu) CHECK_MESSAGE(!call.starts_with("vkQueue"), call);
    }
  }
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}

TEST_CASE("a report keeps the last times while a later run has begun") {
  Host host(VK_API_VERSION_1_1);
  HostDevice description = host.description();
  description.get_instance_proc_addr = set_trap(host.get_instance_proc_addr);
  {
    Context context = adopt(description).value();
    if (caps_of(context).timestamp_period_ns == 0) return;
    Plan plan = plan_from_program(context, two_sums(n), {.timestamps = true}).value();
    const std::vector<float> values(n);
    const PortData inputs[] = {port_data<float>("a", values), port_data<float>("b", values)};
    plan.run(inputs).value();
    trap().fail_at = trap().failable;
    trap().error = VK_NOT_READY;  // as the driver answers between the reset and the last timestamp
    CHECK(plan.report().milliseconds > 0);
    CHECK(trap().failed == "vkGetQueryPoolResults");
  }
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}

TEST_CASE("a copy whose wait fails waits for the queue before it frees what it used") {
  Host host(VK_API_VERSION_1_1);
  HostDevice description = host.description();
  description.get_instance_proc_addr = set_trap(host.get_instance_proc_addr);
  {
    Context context = adopt(description).value();
    Buffer buffer = context.make_buffer(64, false).value();
    const std::vector<std::byte> bytes(64);
    for (int ahead = 0; trap().failed != "vkWaitForFences"; ++ahead) {
      trap().calls.clear();
      trap().fail_at = trap().failable + ahead;
      REQUIRE_FALSE(buffer.upload(bytes));
    }
    const auto& calls = trap().calls;
    const auto waited = std::find(calls.begin(), calls.end(), "vkQueueWaitIdle");
    CHECK(waited != calls.end());
    CHECK(std::find(waited, calls.end(), "vkDestroyFence") != calls.end());
    CHECK(std::find(calls.begin(), waited, "vkDestroyFence") == waited);
  }
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}

TEST_CASE("wherever Vulkan fails, an error names it and nothing leaks") {
  for (const HostFeatures features : {HostFeatures::none, HostFeatures::fovea}) {
    Host host(VK_API_VERSION_1_1, features);
    HostDevice description = host.description();
    int failed = 0;
    for (int at = 0;; ++at) {
      description.get_instance_proc_addr = set_trap(host.get_instance_proc_addr);
      trap().fail_at = at;
      const Result<void> lived = live(description);
      if (trap().failed.empty()) {
        CHECK(lived);
        break;
      }
      ++failed;
      CHECK_MESSAGE(!lived, trap().failed);
      if (lived) continue;
      CHECK_MESSAGE(lived.error().code == ErrorCode::out_of_memory, lived.error().message);
      CHECK_MESSAGE(lived.error().message.find("VK_ERROR_OUT_OF_DEVICE_MEMORY") != std::string::npos,
                    lived.error().message);
    }
    CHECK(failed > 40);
    for (const std::string& message : host.messages) FAIL_CHECK(message);
  }
}

TEST_CASE("a lost device is told apart") {
  Host host(VK_API_VERSION_1_1, HostFeatures::fovea);
  HostDevice description = host.description();
  int told = 0;
  for (const char* name : {"vkQueueSubmit", "vkWaitForFences", "vkWaitSemaphores"}) {
    // Find the call's number in a run that succeeds, then fail it.
    for (int at = 0;; ++at) {
      description.get_instance_proc_addr = set_trap(host.get_instance_proc_addr);
      trap().fail_at = at;
      trap().error = VK_ERROR_DEVICE_LOST;
      const Result<void> lived = live(description);
      if (trap().failed.empty()) break;
      if (trap().failed != name) continue;
      REQUIRE_FALSE(lived);
      CHECK(lived.error().code == ErrorCode::device_lost);
      ++told;
      break;
    }
  }
  CHECK(told >= 2);  // timeline semaphores may be absent
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}
