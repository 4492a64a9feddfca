#pragma once
// A Context is one Vulkan device that Fovea works on: one the host made (vulkan.hpp: adopt), or one of its own.

#include <fovea/graph.hpp>
#include <fovea/result.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea {

enum class LogLevel { info, warning, error };
// Called from the thread that calls Fovea (validation messages: from the thread that calls Vulkan).
using LogFunction = std::function<void(LogLevel, std::string_view)>;

enum class DeviceType : std::uint8_t { other, integrated, discrete, virtual_gpu, cpu };
const char* to_string(DeviceType type);

// A device as Context::devices lists it.
struct DeviceInfo {
  std::string name;         // "llvmpipe (LLVM 15.0.6, 256 bits)"
  std::string driver;       // "llvmpipe Mesa 22.3.6": driver name and its version text, empty where Vulkan 1.1 is all
  DeviceType type = DeviceType::other;
  std::uint32_t vulkan_version = 0;  // VK_MAKE_API_VERSION
};

struct ContextOptions {
  // Part of a device's or driver's name (any case), or its index in Context::devices() (one or two digits). Empty: the
  // environment's FOVEA_DEVICE, and without that the best device: discrete, integrated, virtual, other, CPU, and of a
  // kind the one with the most optional features.
  std::string device{};
  // Turn on VK_LAYER_KHRONOS_validation with synchronization validation, if it is installed (a warning if not).
  bool validation = false;
  // Where messages go, validation messages included. Empty: warnings and errors to stderr.
  LogFunction log{};
  // A blob from pipeline_cache() of an earlier run: pipelines, and what tune() measured. Either part is ignored with a message
  // where it is another driver's or damaged; what another build of Fovea measured, likewise.
  std::span<const std::byte> pipeline_cache{};
};

struct CompileOptions {
  // Merge elementwise chains, biases and activations into one launch.
  bool fuse = true;
  // Reuse the arena's bytes once a value is dead.
  bool alias = true;
  // "operator=kernel" pairs: take this kernel for that operator, or fail: {"attention=attention_row"}.
  std::vector<std::string> force_kernel{};
  // Write a timestamp around every dispatch; report() then has times.
  bool timestamps = false;
  // Tests: fill the arena with NaN before every run, and the shared memory of every workgroup before its shader's own code.
  bool poison_arena = false, poison_shared = false;
};

class Plan;
class Buffer;
struct TuneOptions;  // tuning.hpp
struct TuneReport;

// Move-only. Plans, Bindings and Buffers keep what they need of it alive. Thread safety: compile, make_buffer, tune
// and pipeline_cache may be called from several threads at once. Submissions to the queue are serialised inside one Context;
// a host that shares its queue must not use it during Plan::submit, Plan::run, Buffer::upload, Buffer::download and tune, nor
// during compile of a graph with constants where the device's own memory is not mapped (discrete GPUs: they are copied).
class Context {
 public:
  // Makes an instance and device of its own through the system's Vulkan loader.
  // Errors: no loader, no device that offers Vulkan 1.1 compute, no device of that name (the message lists those found).
  static Result<Context> create(const ContextOptions& options = {});
  // What create() chooses from, best first; the same physical device seen through two drivers is listed twice, the same
  // device and driver once.
  static Result<std::vector<DeviceInfo>> devices();

  ~Context();
  Context(Context&&) noexcept;
  Context& operator=(Context&&) noexcept;

  const DeviceInfo& device() const;
  // Every capability Fovea knows of this device, one a line.
  std::string capabilities_text() const;

  // Compiles a graph into a plan: kernels chosen, memory laid out and allocated, pipelines made.
  // Errors: the graph's first mistake; unsupported where this device cannot (f16 or bf16 without 16-bit storage, a tensor past
  // what one binding holds); out_of_memory.
  Result<Plan> compile(const Graph& graph, const CompileOptions& options = {});

  // Measures on this device what compile otherwise takes from rules: where more than one kernel can run a node of the graph, each
  // runs it a few times, with made-up operands. The fastest is taken from then on by compile(), for every node of the same
  // operator, attributes and operand types, where it beats the kernel that the rules prefer by a clear margin. Plans compiled
  // before stay as they are; pipeline_cache() has what was measured.
  // Returns when options.seconds have passed, and what runs or is compiled by the driver then has ended: nodes that are left keep
  // the preferred kernel, and the next call goes on with them. Takes memory for one node at a time, and gives it back.
  // Other work on the device meanwhile makes the choice worse, never wrong.
  // Errors: as compile; seconds negative or NaN; an adopted host that gave no queue; device_lost. Another failure, such as
  // out_of_memory, leaves the node as it is, and the report says so. What was measured before an error is kept.
  Result<TuneReport> tune(const Graph& graph, const TuneOptions& options);

  // A storage buffer of this size in bytes, for inputs, outputs and tests. host_visible: mapped, else in device memory.
  // Each is a memory allocation of its own, of the maxMemoryAllocationCount (4096 at least) that a device has.
  // Errors: 0 bytes; out_of_memory, with name and size.
  Result<Buffer> make_buffer(std::uint64_t bytes, bool host_visible, std::string_view name = "buffer");

  // The pipelines made so far and what tune() measured, as a blob to give to the next run's ContextOptions.
  std::vector<std::byte> pipeline_cache() const;

  struct Impl;
  const std::shared_ptr<Impl>& impl() const { return impl_; }
  explicit Context(std::shared_ptr<Impl> impl);

 private:
  std::shared_ptr<Impl> impl_;
};

// Device memory. Move-only; freed with the object, which must outlive all work that uses it.
class Buffer {
 public:
  ~Buffer();
  Buffer(Buffer&&) noexcept;
  Buffer& operator=(Buffer&&) noexcept;

  std::uint64_t size() const;
  // The mapped bytes of a host-visible buffer (coherent); null otherwise.
  std::byte* data();
  const std::byte* data() const;
  // Copies between host memory and the buffer, through staging where it is not mapped; waits for everything submitted
  // to the queue before, and until done. Errors: offset + bytes.size() past the end; an adopted host that gave no queue
  // to wait on (it waits for its own work and uses data()).
  Result<void> upload(std::span<const std::byte> bytes, std::uint64_t offset = 0);
  Result<void> download(std::span<std::byte> bytes, std::uint64_t offset = 0) const;

  struct Impl;
  Impl& impl() const { return *impl_; }
  explicit Buffer(std::unique_ptr<Impl> impl);

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace fovea
