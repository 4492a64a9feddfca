#include "tests/support/check.hpp"
#include "tests/support/host.hpp"
#include "tests/support/programs.hpp"

#include <cstring>

using namespace fovea;
using namespace fovea::test;

namespace {

AdoptOptions quiet(std::vector<std::string>& log) {
  AdoptOptions options;
  options.log = [&log](LogLevel level, std::string_view text) {
    if (level != LogLevel::info) log.emplace_back(text);
  };
  return options;
}

template <class T>
std::string error_of(const Result<T>& result) {
  return result ? "" : result.error().message;
}

void check_silence(const Host& host, const std::vector<std::string>& log) {
  for (const std::string& message : host.messages) FAIL_CHECK(message);
  for (const std::string& message : log) FAIL_CHECK(message);
}

}  // namespace

TEST_CASE("a plain Vulkan 1.1 device serves, with nothing assumed enabled") {
  Host host(VK_API_VERSION_1_1, HostFeatures::none);
  std::vector<std::string> log;
  {
    Context context = adopt(host.description(), quiet(log)).value();
    const DeviceCaps& caps = caps_of(context);
    CHECK_FALSE(caps.storage16);
    CHECK_FALSE(caps.float16);
    CHECK_FALSE(caps.timeline_semaphore);
    CHECK_FALSE(caps.int64);
    CHECK_FALSE(caps.subgroup_size_control);
    CHECK(caps.api_version < VK_API_VERSION_1_2);
    Plan plan = plan_from_program(context, two_sums(500), {.timestamps = true}).value();
    const std::vector<float> a = numbers(500, 1), b = numbers(500, 2);
    const PortData inputs[] = {port_data<float>("a", a), port_data<float>("b", b)};
    for (int run = 0; run < 3; ++run) {
      const std::vector<float> y = floats(plan.run(inputs).value().at(0));
      CHECK(y[499] == two_sums_of(a[499], b[499]));
    }
    // Fences stand in for timeline semaphores; points of the host's cannot be taken.
    const Buffer buffer = context.make_buffer(2000, true).value();
    const Buffer other = context.make_buffer(2000, true).value();
    const PortBuffer ports[] = {{"a", &buffer}, {"b", &buffer}, {"y", &other}};
    const Bindings bindings = plan.bind(ports).value();
    for (int run = 0; run < 5; ++run) plan.submit(bindings).value();
    plan.wait().value();
    const TimelinePoint point[] = {{VK_NULL_HANDLE, 1}};
    const Result<void> refused = submit(plan, bindings, {}, point);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == ErrorCode::unsupported);
  }
  check_silence(host, log);
}

TEST_CASE("features that the host enabled are seen, from Fovea's chain and from the host's own") {
  for (const HostFeatures features : {HostFeatures::fovea, HostFeatures::merged}) {
    for (const std::uint32_t version : {VK_API_VERSION_1_1, VK_API_VERSION_1_3}) {
      Host host(version, features);
      std::vector<std::string> log;
      {
        Context context = adopt(host.description(), quiet(log)).value();
        const DeviceCaps& caps = caps_of(context);
        const DeviceCaps& own = caps_of(test::context());  // a device of Fovea's own, with everything
        CHECK(caps.timeline_semaphore == own.timeline_semaphore);
        CHECK(caps.storage16 == own.storage16);
        CHECK(caps.float16 == own.float16);
        CHECK(caps.int64 == own.int64);
        CHECK(caps.subgroup_size_control == own.subgroup_size_control);
        CHECK(caps.cooperative_matrix == own.cooperative_matrix);
        CHECK(caps.driver_info == own.driver_info);
      }
      check_silence(host, log);
    }
  }
}

TEST_CASE("buffers have addresses where the host says so of all that it binds, and enabled the feature") {
  for (const HostFeatures features : {HostFeatures::none, HostFeatures::fovea, HostFeatures::merged}) {
    Host host(VK_API_VERSION_1_3, features);
    std::vector<std::string> log;
    HostDevice description = host.description();
    {
      Context context = adopt(description, quiet(log)).value();
      CHECK(!caps_of(context).buffer_address);
    }
    description.addressable_buffers = true;
    {
      Context context = adopt(description, quiet(log)).value();
      CHECK(caps_of(context).buffer_address == (features != HostFeatures::none && caps_of(test::context()).buffer_address));
      CHECK(context.make_buffer(64, true));
      // By its address where the kernels are made for that.
      Graph graph;
      const Tensor q = graph.input("q", {1, 1, 3, 4});
      graph.output("y", attention(q, q, q));
      Plan plan = context.compile(graph).value();
      const std::vector<float> data(12, 2.0F);
      const PortData inputs[] = {port_data<float>("q", data)};
      CHECK(floats(plan.run(inputs).value().at(0)) == data);
    }
    check_silence(host, log);
  }
}

TEST_CASE("a host without a queue records into its own command buffer") {
  constexpr std::int64_t n = 1000;
  Host host(VK_API_VERSION_1_1);
  std::vector<std::string> log;
  HostDevice description = host.description();
  description.queue = VK_NULL_HANDLE;
  {
    Context context = adopt(description, quiet(log)).value();
    Plan plan = plan_from_program(context, two_sums(n), {.timestamps = true}).value();
    const Host::Mapped bytes = host.make_buffer(3 * 4096, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
    std::memcpy(bytes.data, a.data(), n * 4);
    std::memcpy(bytes.data + 4096, b.data(), n * 4);
    const PortVkBuffer ports[] = {{"a", bytes.buffer, 0}, {"b", bytes.buffer, 4096}, {"y", bytes.buffer, 8192}};
    {
      const Bindings bindings = bind(plan, ports).value();
      CHECK(plan.report().milliseconds == 0);
      const VkCommandBuffer commands = host.begin_commands();
      record(plan, commands, bindings).value();
      VkMemoryBarrier barrier{};
      barrier.sType = VK_STRUCTURE_TYPE_MEMORY_BARRIER;
      barrier.srcAccessMask = VK_ACCESS_SHADER_WRITE_BIT;
      barrier.dstAccessMask = VK_ACCESS_HOST_READ_BIT;
      host.vk.CmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT, VK_PIPELINE_STAGE_HOST_BIT, 0, 1,
                                 &barrier, 0, nullptr, 0, nullptr);
      host.submit_and_wait(commands);
      const std::vector<float> y = floats({bytes.data + 8192, n * 4});
      std::size_t wrong = 0;
      for (std::size_t i = 0; i < y.size(); ++i) wrong += y[i] != two_sums_of(a[i], b[i]);
      CHECK(wrong == 0);
      CHECK((plan.report().milliseconds > 0) == (caps_of(context).timestamp_period_ns > 0));
      const Result<void> submitted = plan.submit(bindings);
      REQUIRE_FALSE(submitted);
      CHECK(submitted.error().message == "submit: the host that was adopted gave no queue");
    }
    // Nothing can be waited for, so nothing that would have to wait is done.
    Buffer buffer = context.make_buffer(n * 4, true).value();
    std::vector<std::byte> copy(n * 4);
    CHECK(error_of(buffer.upload(copy)) == "upload: the host that was adopted gave no queue");
    CHECK(error_of(buffer.download(copy)) == "download: the host that was adopted gave no queue");
    const PortData inputs[] = {port_data<float>("a", a), port_data<float>("b", b)};
    CHECK(error_of(plan.run(inputs)) == "run: the host that was adopted gave no queue");
    compile::Program with_constants = two_sums(n);
    with_constants.constants.resize(4096);
    CHECK(plan_from_program(context, with_constants));  // written through the mapping
    host.destroy(bytes);
  }
  check_silence(host, log);
}

TEST_CASE("adopting refuses null handles, Vulkan 1.0 and a family without compute") {
  Host host(VK_API_VERSION_1_1);
  CHECK(error_of(adopt(HostDevice{})) == "adopt: get_instance_proc_addr is null");
  HostDevice description = host.description();
  description.instance = VK_NULL_HANDLE;
  CHECK(error_of(adopt(description)) == "adopt: instance is null");
  description = host.description();
  description.physical_device = VK_NULL_HANDLE;
  CHECK(error_of(adopt(description)) == "adopt: physical_device is null");
  description = host.description();
  description.device = VK_NULL_HANDLE;
  CHECK(error_of(adopt(description)) == "adopt: device is null");
  description = host.description();
  description.api_version = VK_API_VERSION_1_0;
  const Result<Context> old = adopt(description);
  REQUIRE_FALSE(old);
  CHECK(old.error().code == ErrorCode::unsupported);
  description = host.description();
  description.queue_family = 99;
  const Result<Context> family = adopt(description);
  REQUIRE_FALSE(family);
  CHECK(family.error().message.starts_with("adopt: queue family 99 does not exist (the device has "));
}

TEST_CASE("with the barriers that record() asks for, inputs are overwritten and outputs copied between two uses") {
  constexpr std::int64_t n = 1000;
  constexpr VkDeviceSize part = 4096;  // a multiple of every device's alignment
  Host host(VK_API_VERSION_1_1);
  {
    Context context = adopt(host.description()).value();
    const vk::Device& device = *context.impl()->device;
    Plan plan = plan_from_program(context, two_sums(n)).value();
    const Host::Mapped bytes =
        host.make_buffer(4 * part, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT | VK_BUFFER_USAGE_TRANSFER_SRC_BIT |
                                       VK_BUFFER_USAGE_TRANSFER_DST_BIT);
    const PortVkBuffer ports[] = {{"a", bytes.buffer, 0}, {"b", bytes.buffer, part}, {"y", bytes.buffer, 2 * part}};
    {
      const Bindings bindings = bind(plan, ports).value();
      constexpr VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
      constexpr VkPipelineStageFlags transfer = VK_PIPELINE_STAGE_TRANSFER_BIT;
      const VkBufferCopy first{2 * part, 3 * part, n * 4};
      const float two = 2;
      std::uint32_t two_bits = 0;
      std::memcpy(&two_bits, &two, 4);
      const VkCommandBuffer commands = host.begin_commands();
      record(plan, commands, bindings).value();
      vk::barrier(device, commands, {compute, VK_ACCESS_SHADER_WRITE_BIT}, {transfer, VK_ACCESS_TRANSFER_READ_BIT});
      device.fn.CmdCopyBuffer(commands, bytes.buffer, bytes.buffer, 1, &first);  // y is read by TRANSFER: no barrier
      device.fn.CmdFillBuffer(commands, bytes.buffer, 0, part, two_bits);        // a, after COMPUTE_SHADER
      vk::barrier(device, commands, {transfer, VK_ACCESS_TRANSFER_WRITE_BIT}, {compute, VK_ACCESS_SHADER_READ_BIT});
      record(plan, commands, bindings).value();
      vk::barrier(device, commands, {compute | transfer, VK_ACCESS_SHADER_WRITE_BIT | VK_ACCESS_TRANSFER_WRITE_BIT},
                  {VK_PIPELINE_STAGE_HOST_BIT, VK_ACCESS_HOST_READ_BIT});
      host.submit_and_wait(commands);
    }
    CHECK(floats({bytes.data + 3 * part, n * 4})[n - 1] == two_sums_of(0, 0));
    CHECK(floats({bytes.data + 2 * part, n * 4})[n - 1] == two_sums_of(2, 0));
    host.destroy(bytes);
  }
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}

TEST_CASE("where the host may reset queries, a report may come before the recorded commands have run") {
  for (const std::uint32_t version : {VK_API_VERSION_1_1, VK_API_VERSION_1_3}) {
    Host host(version, HostFeatures::merged);
    HostDevice description = host.description();
    description.queue = VK_NULL_HANDLE;
    {
      Context context = adopt(description).value();
      const DeviceCaps& caps = caps_of(context);
      const bool required = version >= VK_API_VERSION_1_2 && caps.api_version >= VK_API_VERSION_1_2;
      const bool can = context.impl()->device->host_query_reset;
      if (required) CHECK(can);  // Vulkan 1.2 asks it of every device
      Plan plan = plan_from_program(context, two_sums(100), {.timestamps = true}).value();
      const Host::Mapped bytes = host.make_buffer(3 * 1024, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
      {
        const PortVkBuffer ports[] = {{"a", bytes.buffer, 0}, {"b", bytes.buffer, 1024}, {"y", bytes.buffer, 2048}};
        const Bindings bindings = bind(plan, ports).value();
        const VkCommandBuffer commands = host.begin_commands();
        record(plan, commands, bindings).value();
        if (can) CHECK(plan.report().milliseconds == 0);
        host.submit_and_wait(commands);
        CHECK((plan.report().milliseconds > 0) == (caps.timestamp_period_ns > 0));
      }
      host.destroy(bytes);
    }
    for (const std::string& message : host.messages) FAIL_CHECK(message);
  }
}

TEST_CASE("asking before adopting tells which handle is null") {
  Host host(VK_API_VERSION_1_1);
  CHECK(wanted_instance_extensions(nullptr).empty());
  FeatureChain features;
  const auto unsupported = [&](PFN_vkGetInstanceProcAddr door, VkInstance instance, VkPhysicalDevice device) {
    return query_requirements(door, instance, VK_API_VERSION_1_1, device, features).unsupported;
  };
  CHECK(unsupported(nullptr, host.instance, host.physical_device) == "get_instance_proc_addr is null");
  CHECK(unsupported(host.get_instance_proc_addr, VK_NULL_HANDLE, host.physical_device) == "instance is null");
  CHECK(unsupported(host.get_instance_proc_addr, host.instance, VK_NULL_HANDLE) == "physical_device is null");
  CHECK(features.head() == nullptr);
  CHECK(unsupported(host.get_instance_proc_addr, host.instance, host.physical_device).empty());
}

TEST_CASE("a host's buffer that cannot hold the port is refused") {
  constexpr std::int64_t n = 65536;
  Host host(VK_API_VERSION_1_1);
  {
    Context context = adopt(host.description()).value();
    Plan plan = plan_from_program(context, two_sums(n)).value();
    const Host::Mapped large = host.make_buffer(3 * n * 4, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const Host::Mapped small = host.make_buffer(256, VK_BUFFER_USAGE_STORAGE_BUFFER_BIT);
    const auto refusal = [&](PortVkBuffer y) {
      const PortVkBuffer ports[] = {{"a", large.buffer, 0}, {"b", large.buffer, n * 4}, y};
      return error_of(bind(plan, ports));
    };
    CHECK(refusal({"y", large.buffer, 2 * n * 4}).empty());
    CHECK(refusal({"y", small.buffer}).starts_with("bind: 'y' at 0 + 262144 passes the end of a buffer of at most "));
    CHECK(refusal({"y", small.buffer, 0, 1 << 30}).starts_with("bind: 'y' at 0 + 1073741824 passes the end"));
    CHECK(refusal({"y", large.buffer, UINT64_MAX - 255}).starts_with("bind: 'y' at 18446744073709551360 + 262144"));
    host.destroy(large);
    host.destroy(small);
  }
  for (const std::string& message : host.messages) FAIL_CHECK(message);
}

TEST_CASE("the host's allocation callbacks are used for everything Fovea makes") {
  struct Counter {
    int live = 0, made = 0;
  } counter;
  VkAllocationCallbacks callbacks{};
  callbacks.pUserData = &counter;
  callbacks.pfnAllocation = [](void* user, std::size_t size, std::size_t alignment, VkSystemAllocationScope) {
    static_cast<Counter*>(user)->live++, static_cast<Counter*>(user)->made++;
    return std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  };
  callbacks.pfnFree = [](void* user, void* memory) {
    if (memory) static_cast<Counter*>(user)->live--;
    std::free(memory);
  };
  callbacks.pfnReallocation = [](void*, void*, std::size_t, std::size_t, VkSystemAllocationScope) -> void* {
    return nullptr;
  };
  Host host(VK_API_VERSION_1_1);
  std::vector<std::string> log;
  HostDevice description = host.description();
  description.allocation_callbacks = &callbacks;
  {
    Context context = adopt(description, quiet(log)).value();
    Plan plan = plan_from_program(context, two_sums(100)).value();
    const std::vector<float> a = numbers(100, 1);
    const PortData inputs[] = {port_data<float>("a", a), port_data<float>("b", a)};
    CHECK(plan.run(inputs));
  }
  CHECK(counter.made > 0);
  CHECK(counter.live == 0);
  check_silence(host, log);
}
