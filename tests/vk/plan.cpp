#include "tests/support/check.hpp"
#include "tests/support/programs.hpp"

#include <algorithm>
#include <optional>
#include <thread>

using namespace fovea;
using namespace fovea::test;

namespace {

std::string bind_error(Plan& plan, std::vector<PortBuffer> ports) {
  const Result<Bindings> bindings = plan.bind(ports);
  return bindings ? "accepted" : bindings.error().message;
}

std::string run_error(Plan& plan, std::vector<PortData> inputs) {
  const auto outputs = plan.run(inputs);
  return outputs ? "accepted" : outputs.error().message;
}

VkSemaphore make_timeline(const VulkanHandles& vk) {
  const auto create =
      reinterpret_cast<PFN_vkCreateSemaphore>(vk.get_instance_proc_addr(vk.instance, "vkCreateSemaphore"));
  VkSemaphoreTypeCreateInfo type{};
  type.sType = VK_STRUCTURE_TYPE_SEMAPHORE_TYPE_CREATE_INFO;
  type.semaphoreType = VK_SEMAPHORE_TYPE_TIMELINE;
  VkSemaphoreCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_CREATE_INFO;
  info.pNext = &type;
  VkSemaphore semaphore = VK_NULL_HANDLE;
  REQUIRE(create(vk.device, &info, nullptr, &semaphore) == VK_SUCCESS);
  return semaphore;
}

struct Sums {
  Plan plan;
  Buffer a, b, y;
  explicit Sums(std::int64_t n)
      : plan(plan_from_program(context(), two_sums(n)).value()),
        a(context().make_buffer(bytes_of(n), true, "a").value()),
        b(context().make_buffer(bytes_of(n), true, "b").value()),
        y(context().make_buffer(bytes_of(n), true, "y").value()) {
    for (Buffer* buffer : {&a, &b, &y}) std::fill_n(buffer->data(), buffer->size(), std::byte{0});
  }
  std::vector<PortBuffer> ports() { return {{"a", &a}, {"b", &b}, {"y", &y}}; }
};

}  // namespace

TEST_CASE("a plan lists its ports") {
  Plan plan = plan_from_program(context(), two_sums(10)).value();
  REQUIRE(plan.ports().size() == 3);
  CHECK(plan.ports()[2].name == "y");
  CHECK(plan.ports()[2].role == Port::Role::output);
  CHECK(plan.find_port("b")->shape == Shape{10});
  CHECK(plan.find_port("b")->bytes == 40);
  CHECK(plan.find_port("nothing") == nullptr);
  CHECK(plan.program_text().find("barrier") != std::string::npos);
}

TEST_CASE("binding tells what is missing, doubled, unaligned, short, shared or another context's") {
  Sums sums(10);
  Buffer large = context().make_buffer(1024, true).value();
  const std::uint64_t alignment = caps_of(context()).storage_alignment;
  CHECK(bind_error(sums.plan, sums.ports()) == "accepted");
  CHECK(bind_error(sums.plan, {{"a", &sums.a}, {"b", &sums.b}}) == "bind: output 'y' is not bound");
  CHECK(bind_error(sums.plan, {{"a", &sums.a}, {"a", &sums.b}}) == "bind: 'a' is bound twice");
  CHECK(bind_error(sums.plan, {{"q", &sums.a}}) == "bind: no port 'q'; the plan has a, b, y");
  CHECK(bind_error(sums.plan, {{"a", nullptr}}) == "bind: 'a' has a null buffer");
  CHECK(bind_error(sums.plan, {{"a", &large, 2}}) ==
        cat("bind: 'a' starts at byte 2, not a multiple of the device's ", alignment));
  CHECK(bind_error(sums.plan, {{"a", &sums.a, 10 * alignment}}).starts_with("bind: 'a' has 0 bytes"));
  CHECK(bind_error(sums.plan, {{"a", &large, 0}, {"b", &sums.b}, {"y", &large, 0}}) ==
        "bind: output 'y' shares bytes with 'a'");
  ContextOptions options;
  options.device = context().device().name;
  Context other = Context::create(options).value();
  Buffer foreign = other.make_buffer(40, true).value();
  CHECK(bind_error(sums.plan, {{"a", &foreign}}) == "bind: 'a' has a buffer of another Context");
}

TEST_CASE("running tells what is missing, doubled, unknown or of another size") {
  Plan plan = plan_from_program(context(), two_sums(3)).value();
  const std::vector<float> three{1, 2, 3}, four{1, 2, 3, 4};
  const PortData a = port_data<float>("a", three), b = port_data<float>("b", three);
  CHECK(run_error(plan, {a, b}) == "accepted");
  CHECK(run_error(plan, {a}) == "run: 'b' is not given");
  CHECK(run_error(plan, {a, a}) == "run: 'a' is given twice");
  CHECK(run_error(plan, {a, b, port_data<float>("y", three)}) == "run: 'y' is an output");
  CHECK(run_error(plan, {a, port_data<float>("query", three)}) == "run: no input 'query'; the plan has a, b");
  CHECK(run_error(plan, {port_data<float>("a", four), b}) == "run: 'a' has 16 bytes, f32[3] needs 12");
}

TEST_CASE("bindings belong to their plan") {
  Sums one(10), two(10);
  const Bindings bindings = one.plan.bind(one.ports()).value();
  const Result<void> submitted = two.plan.submit(bindings);
  REQUIRE_FALSE(submitted);
  CHECK(submitted.error().message == "submit: the bindings are another plan's");
  CHECK_FALSE(record(one.plan, VK_NULL_HANDLE, bindings));
}

TEST_CASE("what was moved from is refused by name") {
  Sums sums(10);
  Bindings bindings = sums.plan.bind(sums.ports()).value();
  const Bindings kept = std::move(bindings);
  CHECK_FALSE(bindings.valid());
  CHECK(sums.plan.submit(bindings).error().message == "submit: the bindings were moved from");
  const auto commands = reinterpret_cast<VkCommandBuffer>(std::uintptr_t{1});  // refused before it is used
  CHECK(record(sums.plan, commands, bindings).error().message == "record: the bindings were moved from");
  Plan plan = std::move(sums.plan);
  CHECK_FALSE(sums.plan.valid());
  CHECK(record(sums.plan, commands, kept).error().message == "record: the plan was moved from");
  CHECK(sums.plan.submit(kept).error().message == "submit: the plan was moved from");
  CHECK(sums.plan.wait().error().message == "wait: the plan was moved from");
  CHECK(bind_error(sums.plan, {}) == "bind: the plan was moved from");
  CHECK(run_error(sums.plan, {}) == "run: the plan was moved from");
  CHECK(bind(sums.plan, std::span<const PortVkBuffer>()).error().message == "bind: the plan was moved from");
  plan.submit(kept).value();
  plan.wait().value();
}

TEST_CASE("several threads bind and record one plan, each into commands of its own") {
  const vk::Device& device = *context().impl()->device;
  Sums sums(10);
  struct Thread {
    vk::CommandPair pair;
    Buffer y;
    std::vector<Bindings> bindings;
  };
  std::vector<Thread> work;
  for (int t = 0; t < 3; ++t)
    work.push_back({vk::make_commands(device, "test").value(), context().make_buffer(40, true, "y").value(), {}});
  std::vector<std::thread> threads;
  for (Thread& own : work)
    threads.emplace_back([&] {
      VkCommandBufferBeginInfo info{};
      info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
      bool good = device.fn.BeginCommandBuffer(own.pair.commands, &info) == VK_SUCCESS;
      for (int round = 0; round < 50; ++round) {
        const PortBuffer ports[] = {{"a", &sums.a}, {"b", &sums.b}, {"y", &own.y}};
        own.bindings.push_back(sums.plan.bind(ports).value());
        good = good && record(sums.plan, own.pair.commands, own.bindings.back());
      }
      if (!good || device.fn.EndCommandBuffer(own.pair.commands) != VK_SUCCESS) own.bindings.clear();
    });
  for (std::thread& thread : threads) thread.join();
  for (Thread& own : work) {
    REQUIRE(own.bindings.size() == 50);
    own.y.upload(std::vector<std::byte>(40, std::byte{0xff})).value();
    VkSubmitInfo info{};
    info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
    info.commandBufferCount = 1;
    info.pCommandBuffers = &own.pair.commands;
    device.submit(info, VK_NULL_HANDLE).value();
    std::vector<std::byte> y(40);
    own.y.download(y).value();
    CHECK(floats(y)[9] == two_sums_of(0, 0));
  }
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("a plan tells what memory it holds") {
  compile::Program program = two_sums(1000);
  program.constants.resize(512);
  const PlanMemory memory = plan_from_program(context(), program).value().memory();
  CHECK(memory.arena == bytes_of(1000));
  CHECK(memory.constants == 512);
}

TEST_CASE("bindings and buffers may outlive their plan and context handle") {
  ContextOptions options;
  options.device = context().device().name;
  std::optional<Context> own(Context::create(options).value());
  Buffer a = own->make_buffer(40, true).value(), b = own->make_buffer(40, true).value();
  Buffer y = own->make_buffer(40, true).value();
  for (Buffer* buffer : {&a, &b, &y}) std::fill_n(buffer->data(), buffer->size(), std::byte{0});
  std::optional<Plan> plan(plan_from_program(*own, two_sums(10)).value());
  const PortBuffer ports[] = {{"a", &a}, {"b", &b}, {"y", &y}};
  std::optional<Bindings> bindings(plan->bind(ports).value());
  own.reset();
  plan->submit(*bindings).value();
  plan.reset();
  bindings.reset();  // waits for the run
  CHECK(floats({y.data(), 40})[0] == two_sums_of(0, 0));
}

TEST_CASE("a submission waits for a timeline point and signals one") {
  if (!caps_of(context()).timeline_semaphore) return;
  const VulkanHandles vk = handles(context());
  const auto destroy =
      reinterpret_cast<PFN_vkDestroySemaphore>(vk.get_instance_proc_addr(vk.instance, "vkDestroySemaphore"));
  const auto signal =
      reinterpret_cast<PFN_vkSignalSemaphore>(vk.get_instance_proc_addr(vk.instance, "vkSignalSemaphore"));
  const auto value_of = reinterpret_cast<PFN_vkGetSemaphoreCounterValue>(
      vk.get_instance_proc_addr(vk.instance, "vkGetSemaphoreCounterValue"));
  const VkSemaphore semaphore = make_timeline(vk);
  {
    Sums sums(10);
    const Bindings bindings = sums.plan.bind(sums.ports()).value();
    const TimelinePoint wait_for[] = {{semaphore, 5}}, signals[] = {{semaphore, 8}};
    const TimelinePoint half[] = {{semaphore, 6}, {VK_NULL_HANDLE, 1}};
    CHECK(submit(sums.plan, bindings, half, {}).error().message == "submit: wait[1] has a null semaphore");
    CHECK(submit(sums.plan, bindings, {}, half).error().message == "submit: signal[1] has a null semaphore");
    submit(sums.plan, bindings, wait_for, signals).value();
    const Result<void> early = sums.plan.wait(20'000'000);
    REQUIRE_FALSE(early);  // nobody has signalled 5
    CHECK(early.error().message == "wait: not finished after 20000000 ns");
    VkSemaphoreSignalInfo info{};
    info.sType = VK_STRUCTURE_TYPE_SEMAPHORE_SIGNAL_INFO;
    info.semaphore = semaphore;
    info.value = 5;
    REQUIRE(signal(vk.device, &info) == VK_SUCCESS);
    sums.plan.wait().value();
    std::uint64_t value = 0;
    REQUIRE(value_of(vk.device, semaphore, &value) == VK_SUCCESS);
    CHECK(value == 8);
    CHECK(floats({sums.y.data(), 40})[0] == two_sums_of(0, 0));
  }
  destroy(vk.device, semaphore, nullptr);
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}

TEST_CASE("several threads make plans and run them on one context") {
  std::vector<std::thread> threads;
  std::vector<int> wrong(4, -1);
  for (std::size_t t = 0; t < wrong.size(); ++t)
    threads.emplace_back([&, t] {
      wrong[t] = 0;
      for (int round = 0; round < 3; ++round) {
        const std::int64_t n = 100 + static_cast<std::int64_t>(t);
        Plan plan = plan_from_program(context(), two_sums(n)).value();
        const std::vector<float> a = numbers(n, 1), b = numbers(n, 2);
        const PortData inputs[] = {port_data<float>("a", a), port_data<float>("b", b)};
        const std::vector<float> y = floats(plan.run(inputs).value().at(0));
        for (std::size_t i = 0; i < y.size(); ++i) wrong[t] += y[i] != two_sums_of(a[i], b[i]);
      }
    });
  for (std::thread& thread : threads) thread.join();
  CHECK(wrong == std::vector<int>(4, 0));
  for (const std::string& message : take_validation_messages()) FAIL_CHECK(message);
}
