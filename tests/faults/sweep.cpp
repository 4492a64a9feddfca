// Each Vulkan function that Fovea calls fails, one after another, and in every way: on a driver that computes nothing, so
// that thousands of lives of a Context take seconds, with sanitizers too. (On drivers that compute: tests/vk/faults.cpp.)

#include "engine/api/internal.hpp"
#include "tests/faults/fake_vulkan.hpp"
#include "tests/support/programs.hpp"
#include "tests/support/trap.hpp"
#include "vk/error.hpp"

#include <fovea/fovea.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace fovea;
using namespace fovea::test;

namespace {

struct World {
  FakeVulkan driver;
  bool adopted = false;   // the host's device, or one of Fovea's own
  bool compiles = false;  // a graph; otherwise a program made by hand, which is quicker
};
constexpr World worlds[] = {{{.timeline = true, .mapped = true}, false},
                            {{.timeline = false, .mapped = false}, false},
                            {{.timeline = false, .mapped = true}, true},
                            {{.timeline = true, .mapped = false}, true}};
constexpr World compiling{{.timeline = true, .mapped = false}, false, true};

// What a life has to say.
struct Told {
  std::string log;
  LogFunction sink() {
    return [this](LogLevel, std::string_view text) { log += std::string(text) + '\n'; };
  }
};

// Of this world's driver behind the trap.
Result<Context> make_context(const World& world, PFN_vkGetInstanceProcAddr get_instance_proc_addr, Told& told,
                             std::span<const std::byte> blob) {
  if (!world.adopted)
    return create_context({.log = told.sink(), .pipeline_cache = blob}, {}, get_instance_proc_addr);
  VkPhysicalDeviceTimelineSemaphoreFeatures features;
  return adopt(fake_host(get_instance_proc_addr, features), {told.sink(), blob});
}

Graph small_graph() {
  Graph graph;
  const float scale[] = {2};
  const Tensor x = graph.input("x", {3, 4}), w = graph.input("w", {4, 5});
  graph.output("y", softmax(matmul(x, w), {.axis = -1}) * graph.constant({1}, scale));
  return graph;
}

Result<Plan> make_plan(Context& context, const World& world) {
  const CompileOptions options{.timestamps = true, .poison_arena = true};
  if (world.compiles) return context.compile(small_graph(), options);
  return plan_from_program(context, two_sums_of_zeros(20), options);
}

// What is left unmeasured for another reason than a lost device is no Error, but told.
Result<void> tune(Context& context) {
  const Result<TuneReport> tuned = context.tune(small_graph(), {.seconds = 1e9});
  if (!tuned) return tuned.error();
  for (const TunedNode& node : tuned->nodes)
    if (!node.left.empty()) return Error{ErrorCode::device, node.left};
  return {};
}

// All that a program does with a Context, but for its end.
Result<void> work(Context& context, const World& world) {
  Result<Plan> plan = make_plan(context, world);
  if (!plan) return plan.error();
  std::vector<std::vector<std::byte>> bytes;
  std::vector<Buffer> buffers;
  std::vector<PortBuffer> ports;
  buffers.reserve(plan->ports().size());
  for (const Port& port : plan->ports()) {
    Result<Buffer> buffer = context.make_buffer(port.bytes, buffers.size() == 1, port.name);
    if (!buffer) return buffer.error();
    buffers.push_back(std::move(*buffer));
    bytes.emplace_back(port.bytes);
    ports.push_back({port.name, &buffers.back()});
    if (Result<void> done = buffers.back().upload(bytes.back()); !done) return done;
  }
  Result<Bindings> bindings = plan->bind(ports);
  if (!bindings) return bindings.error();
  for (int run = 0; run < 3; ++run)
    if (Result<void> done = plan->submit(*bindings); !done) return done;
  if (Result<void> done = plan->wait(1'000'000'000); !done) return done;
  if (Result<void> done = buffers.back().download(bytes.back()); !done) return done;
  const PortData data[] = {{plan->ports()[0].name, bytes[0]}, {plan->ports()[1].name, bytes[1]}};
  for (int run = 0; run < 2; ++run)
    if (Result<std::vector<std::vector<std::byte>>> outputs = plan->run(data); !outputs) return outputs.error();
  if (plan->report().dispatches.empty()) return Error{ErrorCode::internal, "no report"};
  (void)context.pipeline_cache();
  return {};
}

// One life with one fault.
struct Life {
  Told told;
  Result<void> first;  // making the Context and working with it
  bool made = false, recovered = false;

  Life(const World& world, PFN_vkGetInstanceProcAddr get_instance_proc_addr, std::span<const std::byte> blob) {
    Result<Context> context = make_context(world, get_instance_proc_addr, told, blob);
    made = static_cast<bool>(context);
    if (!context) {
      first = context.error();
      return;
    }
    first = work(*context, world);
    trap().fail_at = trap().missing_at = Trap::never;
    const Result<void> again = work(*context, world);
    recovered = trap().lost ? !again && again.error().code == ErrorCode::device_lost : static_cast<bool>(again);
  }
};

std::vector<std::byte> some_blob(const World& world) {
  Told told;
  Context context = make_context(world, set_trap(set_fake_vulkan(world.driver)), told, {}).value();
  return context.pipeline_cache();
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

void check_end() {
  CHECK_MESSAGE(trap().leaks().empty(), trap().failed, " leaves ", trap().leaks());
  for (const std::string& misuse : trap().misuse) FAIL_CHECK(trap().failed << ": " << misuse);
}

// The faults until a life has none. How many there were.
std::size_t sweep(const World& world, VkResult error) {
  const std::vector<std::byte> blob = some_blob(world);
  for (std::size_t at = 0;; ++at) {
    const PFN_vkGetInstanceProcAddr get_instance_proc_addr = set_trap(set_fake_vulkan(world.driver));
    trap().fail_at = at;
    trap().error = error;
    const Life life(world, get_instance_proc_addr, blob);
    const std::string& failed = trap().failed;
    CAPTURE(at);
    CAPTURE(failed);
    check_end();
    if (life.made) CHECK_MESSAGE(life.recovered, failed);
    if (failed.empty()) {
      CHECK(life.first);
      return at;
    }
    const std::string said = life.first ? life.told.log : life.first.error().message + '\n' + life.told.log;
    CHECK_MESSAGE(contains(said, failed), failed, " is not named by: ", said);
    CHECK_MESSAGE(contains(said, vk::to_string(error)), failed, ": ", said);
  }
}

}  // namespace

TEST_CASE("wherever Vulkan fails, a message names the function and its result, nothing leaks, and the Context works on") {
  for (const World& world : worlds)
    for (const VkResult error : {VK_ERROR_OUT_OF_HOST_MEMORY, VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_ERROR_INITIALIZATION_FAILED, VK_ERROR_UNKNOWN})
      CHECK(sweep(world, error) > 80);
  CHECK(sweep(compiling, VK_ERROR_OUT_OF_DEVICE_MEMORY) > 80);
}

TEST_CASE("a device that is lost anywhere is said to be so by every later call, and is not waited for") {
  for (const World& world : worlds) CHECK(sweep(world, VK_ERROR_DEVICE_LOST) > 80);
}

TEST_CASE("wherever Vulkan fails while kernels are measured, that is told, nothing leaks, and the next call measures them") {
  for (const VkResult error : {VK_ERROR_OUT_OF_DEVICE_MEMORY, VK_ERROR_DEVICE_LOST}) {
    std::size_t faults = 0;
    for (std::size_t at = 0;; at += at < 150 ? 1 : 31) {  // one run is as the next
      const PFN_vkGetInstanceProcAddr get_instance_proc_addr = set_trap(set_fake_vulkan(compiling.driver));
      Told told;
      {
        Context context = make_context(compiling, get_instance_proc_addr, told, {}).value();
        trap().fail_at = trap().failable.size() + at;
        trap().error = error;
        const Result<void> first = tune(context);
        const std::string& failed = trap().failed;
        CAPTURE(at);
        CAPTURE(failed);
        trap().fail_at = Trap::never;
        const Result<void> again = tune(context);
        if (trap().lost) CHECK((!again && again.error().code == ErrorCode::device_lost));
        else CHECK(again);
        const std::string said = first ? told.log : first.error().message;
        if (!failed.empty()) CHECK_MESSAGE(contains(said, failed), failed, " is not named by: ", said);
        else CHECK(first);
      }
      check_end();
      if (trap().failed.empty()) break;
      ++faults;
    }
    CHECK(faults > 150);
  }
}

TEST_CASE("a function that is missing is named, or done without") {
  for (const World& world : worlds)
    for (std::size_t at = 0;; ++at) {
      const PFN_vkGetInstanceProcAddr get_instance_proc_addr = set_trap(set_fake_vulkan(world.driver));
      trap().missing_at = at;
      const Life life(world, get_instance_proc_addr, {});
      const std::string& missing = trap().failed;
      CAPTURE(missing);
      if (missing.empty()) {
        CHECK(at > 60);
        break;
      }
      if (missing == "vkDestroyInstance" || missing == "vkDestroyDevice") continue;  // what they would destroy stays
      check_end();
      if (life.made) CHECK(life.first);
      else if (missing == "vkEnumerateInstanceVersion") CHECK(life.first.error().message == "the Vulkan loader is older than 1.1");
      else CHECK_MESSAGE(contains(life.first.error().message, missing), life.first.error().message);
    }
}
