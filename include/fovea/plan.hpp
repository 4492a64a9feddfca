#pragma once
// A Plan is a compiled graph: recorded into a host's command buffer (vulkan.hpp: record), or run by Fovea itself.

#include <fovea/context.hpp>
#include <fovea/result.hpp>
#include <fovea/tensor.hpp>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

// An input, parameter or output of a plan.
struct Port {
  enum class Role { input, parameter, output } role = Role::input;
  std::string name;
  Shape shape;
  DType dtype = DType::f32;
  // The least that a bound range must have: elements times size_of(dtype), rounded up to 4, and 4 for an empty tensor.
  // The data of Plan::run are elements times size_of(dtype).
  std::uint64_t bytes = 0;
  // A parameter that every run overwrites (Graph::update): bound, it holds the new value after each run, and is an output
  // to barriers of the host's. Plan::run uploads it first and does not give it back.
  bool updated = false;
};

// Device memory that a plan holds, in bytes: an allocation for each that is not 0. Plans share nothing.
struct PlanMemory {
  std::uint64_t arena = 0;      // transient values, in device memory
  std::uint64_t constants = 0;  // in device memory, mapped where that is cached; host memory where the host gave no queue
};

struct DispatchReport {
  std::string label, kernel, shader;
  // Why that kernel, and which others could run the node: "preferred; others: matmul_tile", "tuned: 12.1 us; others: matmul_row
  // 20.3 us", "forced; others: matmul_row". Empty where no other can.
  std::string choice;
  std::string program_line;      // the dispatch's line of program_text()
  double milliseconds = 0;       // 0 without timestamps
  double start_milliseconds = 0; // since the first dispatch of the run
  double flops = 0;
  std::uint64_t bytes = 0;
};

struct Report {
  std::string device, driver;
  std::vector<DispatchReport> dispatches;
  double milliseconds = 0;  // first start to last end on the device; 0 without timestamps
  // The peak of transient values, the most of them alive at once, and what separate buffers would take.
  std::uint64_t arena_bytes = 0, arena_lower_bound = 0, arena_unaliased_bytes = 0;
  // Where the gradient makes values again (GradDesc::recompute): the peak if it held them all. Otherwise 0.
  std::uint64_t arena_held_bytes = 0;

  std::string to_text() const;          // a table for people
  std::string to_json() const;
  std::string to_chrome_trace() const;  // open in chrome://tracing or ui.perfetto.dev
};

// The buffers of one use of a plan: every port bound to a range. Made by Plan::bind, which makes a descriptor pool with a
// set for each dispatch and writes them: once for a set of buffers, not once a frame. Recording then touches the command
// buffer alone. Move-only; keeps its plan's Vulkan objects alive, so the Plan may go first.
// Must live until the command buffers recorded with it have finished or been reset, also those not submitted yet. The
// destructor waits for what Plan::submit submitted (without limit), never for the host's own submissions.
class Bindings {
 public:
  ~Bindings();
  Bindings(Bindings&&) noexcept;
  Bindings& operator=(Bindings&&) noexcept;

  bool valid() const { return impl_ != nullptr; }  // false once moved from

  struct Impl;
  Impl& impl() const { return *impl_; }
  explicit Bindings(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

// A port by name and a Fovea buffer for it. (vulkan.hpp has the same for a host's VkBuffer.)
struct PortBuffer {
  std::string_view name;
  const Buffer* buffer = nullptr;
  std::uint64_t offset = 0;  // bytes, a multiple of the device's storage alignment
};

// Host memory for one port: for samples, tests and tools.
struct PortData {
  std::string_view name;
  std::span<const std::byte> bytes;
};
template <class T>
PortData port_data(std::string_view name, std::span<const T> values) {
  return {name, std::as_bytes(values)};
}

// Move-only; keeps its Context alive. One moved from holds nothing (valid() is false): to bind, run, submit, wait and
// record it is an error, all else is not allowed. The destructor waits for what submit() submitted, without limit.
// Thread safety: bind and record may be called from several threads at once, each with a command buffer of its own; the
// rest, one thread at a time. Other plans of the Context may be used meanwhile, and compile may run.
// A Plan owns one arena: two uses of it may be pending at once only on the same queue, where each waits for the one
// before (the recorded commands begin with that barrier).
class Plan {
 public:
  ~Plan();
  Plan(Plan&&) noexcept;
  Plan& operator=(Plan&&) noexcept;

  bool valid() const { return impl_ != nullptr; }  // false once moved from

  std::span<const Port> ports() const;
  // Null when there is no port of that name.
  const Port* find_port(std::string_view name) const;
  // The printable Program: dispatches, constants, buffer ranges, barriers.
  std::string program_text() const;
  PlanMemory memory() const;

  // Errors: a port missing or bound twice, no such name, a range too small, an offset that is not aligned, an output
  // or updated parameter that shares bytes with another port, a buffer of another Context; out_of_memory.
  Result<Bindings> bind(std::span<const PortBuffer> buffers);
  Result<Bindings> bind(std::initializer_list<PortBuffer> buffers) { return bind(std::span(buffers.begin(), buffers.size())); }

  // Runs on the Context's own queue without waiting; the recorded commands are kept and replayed.
  // Runs submitted one after another execute in order.
  // Errors: another plan's bindings, an adopted host that gave no queue, device_lost.
  Result<void> submit(const Bindings& bindings);
  // Waits for everything submitted by this plan. Errors: device_lost; timeout, when timeout_ns passed.
  Result<void> wait(std::uint64_t timeout_ns = UINT64_MAX);

  // Runs under a watchdog: each dispatch in a submission of its own, waited for before the next. Slower than submit; for
  // drivers and kernels that are not trusted yet. Vulkan cannot end a dispatch, so where one has not finished after
  // budget_ns, those behind it are left out and the Error (timeout) names it. It goes on, and so does what waits for it:
  // wait() and destructors. A GPU's own watchdog ends what never ends, as device_lost.
  // Errors: timeout, also where an earlier run of this plan takes so long; as submit and wait.
  Result<void> run_watched(const Bindings& bindings, std::uint64_t budget_ns);

  // Uploads the inputs, runs, waits, downloads every output in the order of ports().
  // Errors: as bind and submit; data missing, given twice, for no input, or not of the port's elements.
  Result<std::vector<std::vector<std::byte>>> run(std::span<const PortData> inputs);
  Result<std::vector<std::vector<std::byte>>> run(std::initializer_list<PortData> inputs) {
    return run(std::span(inputs.begin(), inputs.size()));
  }

  // Work and memory, and with CompileOptions::timestamps the times of the last run that report(), wait() or run() found
  // finished (0: none yet). Where hostQueryReset is not enabled, call it after a first record() only once those
  // commands have run. A plan has one set of timestamps: of runs in flight together, the last one counts.
  Report report() const;

  struct Impl;
  Impl& impl() const { return *impl_; }
  explicit Plan(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace fovea
