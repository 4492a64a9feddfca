#pragma once
// What stands behind the public handles, for the engine's own code and its tests.

#include "base/device_caps.hpp"
#include "compile/program.hpp"
#include "compile/tuning.hpp"
#include "run/executor.hpp"
#include "run/submission.hpp"
#include "vk/device.hpp"
#include "vk/pipeline.hpp"
#include <fovea/context.hpp>
#include <fovea/plan.hpp>
#include <fovea/vulkan.hpp>

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <vector>

namespace fovea {

struct Context::Impl {
  std::unique_ptr<vk::Device> device;
  std::unique_ptr<vk::PipelineStore> pipelines;
  DeviceInfo info;
  compile::Tuning tuning;
  mutable std::mutex tuning_mutex;

  compile::Tuning copy_tuning() const {
    const std::lock_guard lock(tuning_mutex);
    return tuning;
  }
};

struct Buffer::Impl {
  std::shared_ptr<Context::Impl> context;
  vk::Buffer buffer;
};

// What a Plan and its Bindings share; gone with the last of them, after its submissions have finished.
struct PlanCore {
  std::shared_ptr<Context::Impl> context;
  std::unique_ptr<run::Executor> executor;
  run::Submissions submissions;
  std::atomic<bool> host_recorded = false;  // into a command buffer of the host's
  ~PlanCore();

  // Where a run is known to have finished, its times are taken before the next run resets them.
  Result<void> wait(std::uint64_t timeout_ns);
  std::vector<run::Interval> times();
};

struct Bindings::Impl {
  std::shared_ptr<PlanCore> core;
  run::BoundSets sets;
  std::optional<vk::CommandPair> replay;  // recorded by the first submit()
  std::vector<vk::CommandPair> steps;     // recorded by the first run_watched()
  ~Impl();
};

struct Plan::Impl {
  std::shared_ptr<PlanCore> core;
  std::vector<Port> ports;

  // What Plan::run works with, made by its first call: one buffer a port.
  struct Staged {
    std::vector<vk::Buffer> buffers;
    Bindings bindings;
  };
  std::optional<Staged> staged;
};

// Without a name: warnings and errors to stderr.
LogFunction log_or_stderr(LogFunction log);

// Context::create, with what no public option says. Without a function: that of the system's loader.
Result<Context> create_context(const ContextOptions& options, const vk::Device::Options& device_options,
                               PFN_vkGetInstanceProcAddr get_instance_proc_addr = nullptr);

// A Context around a device. The blob as in ContextOptions.
Result<Context> make_context(std::unique_ptr<vk::Device> device, std::span<const std::byte> pipeline_cache);

const DeviceCaps& caps_of(const Context& context);

// A Plan from a Program, compiled or made by hand. pipelines: outlive the Plan; null: the Context's.
Result<Plan> plan_from_program(Context& context, compile::Program program, const CompileOptions& options = {},
                               vk::PipelineStore* pipelines = nullptr);

// Error: the plan was moved from.
Result<void> check_not_moved(std::string_view call, const Plan& plan);

// Errors: the same of either, another plan's bindings, a device that is lost.
Result<void> check_use(std::string_view call, const Plan& plan, const Bindings& bindings);

Result<Bindings> bind_ranges(Plan& plan, std::span<const run::NamedRange> ranges);

}  // namespace fovea
