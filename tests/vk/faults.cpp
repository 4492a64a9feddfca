#include "tests/support/check.hpp"
#include "tests/support/host.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/trap.hpp"
#include "vk/error.hpp"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <functional>

using namespace fovea;
using namespace fovea::test;

namespace {

constexpr std::int64_t n = 200;

// The whole life of a plan. The first error, or nothing when the result is right.
Result<void> work(Context& context) {
  Result<Plan> plan =
      plan_from_program(context, two_sums_of_zeros(n), {.timestamps = true, .poison_arena = true});
  if (!plan) return plan.error();
  std::vector<Buffer> buffers;
  for (int i = 0; i < 3; ++i) {
    Result<Buffer> buffer = context.make_buffer(bytes_of(n), i == 0);
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
  if (Result<void> done = buffers[2].download(bytes); !done) return done;
  if (floats(bytes) != std::vector<float>(n, two_sums_of(0, 0))) return Error{ErrorCode::internal, "wrong numbers"};
  return {};
}

bool is_wait(std::string_view name) { return name.find("Wait") != std::string_view::npos; }

// What `make` gives lives with a fault in one call after another, of those chosen. How many there were.
int sweep(PFN_vkGetInstanceProcAddr real, const std::function<Result<Context>(PFN_vkGetInstanceProcAddr)>& make, VkResult error,
          ErrorCode code, bool (*is_chosen)(std::string_view name)) {
  int faults = 0;
  for (std::size_t at = 0;; ++at) {
    const PFN_vkGetInstanceProcAddr get_instance_proc_addr = set_trap(real);
    trap().fail_at = at;
    trap().error = error;
    trap().may_fail = is_chosen;
    {
      Result<Context> context = make(get_instance_proc_addr);
      const Result<void> done = context ? work(*context) : Result<void>(context.error());
      const std::string& failed = trap().failed;
      CAPTURE(failed);
      trap().fail_at = Trap::never;
      if (!done) {
        CHECK_MESSAGE(done.error().code == code, done.error().message);
        CHECK_MESSAGE(done.error().message.find(failed) != std::string::npos, done.error().message);
        CHECK_MESSAGE(done.error().message.find(vk::to_string(error)) != std::string::npos, done.error().message);
      } else if (!failed.empty()) {
        CHECK(is_wait(failed));  // of a destructor, which has nobody to tell
      }
      if (context && !failed.empty()) {
        const Result<void> again = work(*context);
        CHECK(static_cast<bool>(again) == (code != ErrorCode::device_lost));
        if (!again) CHECK_MESSAGE(again.error().code == ErrorCode::device_lost, again.error().message);
      }
    }
    CHECK_MESSAGE(trap().leaks().empty(), trap().failed, " leaves ", trap().leaks());
    for (const std::string& misuse : trap().misuse) FAIL_CHECK(trap().failed << ": " << misuse);
    if (trap().failed.empty()) return faults;
    ++faults;
  }
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
    Plan plan = plan_from_program(context, two_sums_of_zeros(n), {.timestamps = true}).value();
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
    trap().fail_at = trap().failable.size();
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
    for (std::size_t ahead = 0; trap().failed != "vkWaitForFences"; ++ahead) {
      trap().calls.clear();
      trap().fail_at = trap().failable.size() + ahead;
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

TEST_CASE("wherever Vulkan fails, an error names it, nothing leaks, and the Context then computes rightly") {
  for (const HostFeatures features : {HostFeatures::none, HostFeatures::fovea}) {
    Host host(VK_API_VERSION_1_1, features);
    const auto adopted = [&](PFN_vkGetInstanceProcAddr get_instance_proc_addr) {
      HostDevice description = host.description();
      description.get_instance_proc_addr = get_instance_proc_addr;
      return adopt(description, {.log = [](LogLevel, std::string_view) {}});
    };
    const auto all = [](std::string_view) { return true; };
    CHECK(sweep(host.get_instance_proc_addr, adopted, VK_ERROR_OUT_OF_DEVICE_MEMORY, ErrorCode::out_of_memory, all) > 40);
    const auto tells_of_loss = [](std::string_view name) {
      return name == "vkQueueSubmit" || is_wait(name) || name == "vkGetQueryPoolResults";
    };
    CHECK(sweep(host.get_instance_proc_addr, adopted, VK_ERROR_DEVICE_LOST, ErrorCode::device_lost, tells_of_loss) > 5);
    for (const std::string& message : host.messages) FAIL_CHECK(message);
  }
}

TEST_CASE("a device of Fovea's own is made whole or not at all") {
  Host host(VK_API_VERSION_1_1);
  std::vector<std::string> messages;
  const auto own = [&](PFN_vkGetInstanceProcAddr get_instance_proc_addr) {
    const auto log = [&](LogLevel, std::string_view text) {
      if (text.starts_with("validation: ")) messages.emplace_back(text);
    };
    return create_context({.log = log}, {}, get_instance_proc_addr);
  };
  const auto makes = [](std::string_view name) { return name == "vkCreateInstance" || name == "vkCreateDevice" || name == "vkCreatePipelineCache"; };
  CHECK(sweep(host.get_instance_proc_addr, own, VK_ERROR_OUT_OF_HOST_MEMORY, ErrorCode::out_of_memory, makes) == 3);
  for (const std::string& message : messages) FAIL_CHECK(message);
}

TEST_CASE("a dispatch that is too slow for its budget is named; with time enough the same plan is right") {
  constexpr std::int64_t many = 4'000'000;
  Plan plan = plan_from_program(context(), two_sums(many), {.timestamps = true}).value();
  std::vector<Buffer> buffers;
  for (int i = 0; i < 3; ++i) buffers.push_back(context().make_buffer(bytes_of(many), true).value());
  const std::vector<float> a = numbers(many, 1), b = numbers(many, 2);
  std::memcpy(buffers[0].data(), a.data(), bytes_of(many));
  std::memcpy(buffers[1].data(), b.data(), bytes_of(many));
  const PortBuffer ports[] = {{"a", &buffers[0]}, {"b", &buffers[1]}, {"y", &buffers[2]}};
  const Bindings bindings = plan.bind(ports).value();
  const Result<void> hasty = plan.run_watched(bindings, 1000);
  REQUIRE_FALSE(hasty);
  CHECK(hasty.error().code == ErrorCode::timeout);
  CHECK(hasty.error().message == "run_watched: weighted_sum, dispatch 1 of 2, has not finished after 1000 ns");
  plan.wait().value();
  plan.run_watched(bindings, 60'000'000'000).value();
  const std::vector<float> y = floats({buffers[2].data(), bytes_of(many)});
  std::size_t wrong = 0;
  for (std::size_t i = 0; i < y.size(); ++i) wrong += y[i] != two_sums_of(a[i], b[i]);
  CHECK(wrong == 0);
  if (caps_of(context()).timestamp_period_ns > 0) CHECK(plan.report().milliseconds > 0);
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("a host's allocator that runs dry once is an error, gets all back, and serves the same Context afterwards") {
  struct Heap {
    std::size_t asked = 0, dry_at = Trap::never;
    int live = 0;
    static void* allocate(void* user, std::size_t size, std::size_t alignment, VkSystemAllocationScope) {
      Heap& heap = *static_cast<Heap*>(user);
      if (heap.asked++ == heap.dry_at) return nullptr;
      ++heap.live;
      return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
    }
    static void free(void* user, void* memory) {
      if (memory) --static_cast<Heap*>(user)->live;
      std::free(memory);
    }
  } heap;
  VkAllocationCallbacks callbacks{};
  callbacks.pUserData = &heap;
  callbacks.pfnAllocation = Heap::allocate;
  callbacks.pfnFree = Heap::free;
  callbacks.pfnReallocation = [](void*, void*, std::size_t, std::size_t, VkSystemAllocationScope) -> void* { return nullptr; };
  Host host(VK_API_VERSION_1_1);
  // It crashes in vkCmdPipelineBarrier where a command finds no memory, which is vkEndCommandBuffer's to tell.
  for (const char* version : {"Mesa 22.", "Mesa 25."})
    if (caps_of(context()).driver_info.starts_with(version)) return;
  HostDevice description = host.description();
  description.allocation_callbacks = &callbacks;
  int errors = 0;
  for (std::size_t at = 0;; ++at) {
    heap = {.dry_at = at};
    {
      Result<Context> context = adopt(description, {.log = [](LogLevel, std::string_view) {}});
      const Result<void> done = context ? work(*context) : Result<void>(context.error());
      if (!done) CHECK_MESSAGE(done.error().code == ErrorCode::out_of_memory, done.error().message);
      errors += !done;
      if (heap.asked <= at) break;
      heap.dry_at = Trap::never;
      if (context) CHECK(work(*context));
    }
    CHECK(heap.live == 0);
  }
  CHECK(errors > 10);
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}
