#pragma once
// The way in for a host that has its own Vulkan device. The only public header that includes Vulkan's.

#include <fovea/context.hpp>
#include <fovea/plan.hpp>

#include <vulkan/vulkan_core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

// ---- Before a device is made --------------------------------------------------------------------------------------

// Instance extensions that Fovea can use, of those available, for vkCreateInstance; none is required. They are for debug
// names and labels, and for portability drivers. Empty when the function is null or Vulkan cannot be asked.
std::vector<const char*> wanted_instance_extensions(PFN_vkGetInstanceProcAddr get_instance_proc_addr);

// Features Fovea can use of one physical device, filled by query_requirements: either a chain of its own (`head`), for a
// host that enables nothing else, or merged into the host's. Not movable, and alive until vkCreateDevice has returned:
// chains point inside.
class FeatureChain {
 public:
  FeatureChain();
  FeatureChain(const FeatureChain&) = delete;
  FeatureChain& operator=(const FeatureChain&) = delete;

  // VkPhysicalDeviceFeatures2, followed by the structs this device knows. For VkDeviceCreateInfo::pNext, and as
  // HostDevice::enabled_features. Null before query_requirements. Use this or merge_into, not both.
  const void* head() const;
  // Sets Fovea's features in the structs of a host's chain (VkPhysicalDeviceFeatures2, Vulkan11/12/13Features and the
  // individual ones), and links structs for those it has none for to its end. The host may clear any afterwards, and
  // unlinks the struct of an extension it does not enable. A null chain, or features not queried yet: nothing happens.
  // 64-bit integers are set in a VkPhysicalDeviceFeatures2 alone, as the host may use pEnabledFeatures instead.
  void merge_into(void* chain);

  struct Impl;
  Impl& impl() const { return *impl_; }
  ~FeatureChain();

 private:
  std::unique_ptr<Impl> impl_;
};

struct DeviceRequirements {
  // Empty: the device can run Fovea. Else why not: "Vulkan 1.0 only", "no queue family with compute", "instance is null".
  std::string unsupported;
  std::vector<const char*> extensions;      // optional device extensions, present on this device
  std::uint32_t compute_queue_family = 0;   // the family Fovea would choose: compute and graphics together if there is one
};
// Fills `features` for vkCreateDevice. api_version: VkApplicationInfo::apiVersion of the instance. Never fails: what is
// wrong stands in DeviceRequirements::unsupported.
DeviceRequirements query_requirements(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance,
                                      std::uint32_t api_version, VkPhysicalDevice physical_device,
                                      FeatureChain& features);

// ---- Adopting -----------------------------------------------------------------------------------------------------

// What the host made. All handles, and the allocation callbacks, stay the host's and must outlive the Context and every
// Plan, Bindings and Buffer made from it. Spans and the feature chain are read during adopt alone.
struct HostDevice {
  PFN_vkGetInstanceProcAddr get_instance_proc_addr = nullptr;  // the one door to Vulkan
  VkInstance instance = VK_NULL_HANDLE;
  VkPhysicalDevice physical_device = VK_NULL_HANDLE;
  VkDevice device = VK_NULL_HANDLE;
  // For uploads, downloads and Plan::submit. VK_NULL_HANDLE: the host only records, and constants stay in host-visible
  // memory.
  VkQueue queue = VK_NULL_HANDLE;
  // Of `queue`, and of every command buffer given to record: buffers of Fovea's belong to this family. It needs compute,
  // and timestampValidBits for CompileOptions::timestamps.
  std::uint32_t queue_family = 0;
  std::uint32_t api_version = VK_API_VERSION_1_1;  // VkApplicationInfo::apiVersion of the instance
  // Exactly what was enabled at vkCreateInstance and vkCreateDevice; Fovea never guesses from the physical device.
  std::span<const char* const> instance_extensions{};
  std::span<const char* const> device_extensions{};
  const void* enabled_features = nullptr;  // pNext chain of feature structs as enabled; null: none
  // Every buffer that will be bound has VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT, and its memory
  // VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT. With bufferDeviceAddress enabled, kernels may then reach them by address, which
  // some drivers that run on a CPU do several times faster; without, no such kernel is chosen.
  bool addressable_buffers = false;
  const VkAllocationCallbacks* allocation_callbacks = nullptr;
};
struct AdoptOptions {
  LogFunction log{};
  std::span<const std::byte> pipeline_cache{};
};
// Errors: a null handle (the queue apart), Vulkan below 1.1, a queue family that does not exist or has no compute.
Result<Context> adopt(const HostDevice& host, const AdoptOptions& options = {});

// The handles of a Context, for a program that lets Fovea make the device and adds commands of its own.
struct VulkanHandles {
  PFN_vkGetInstanceProcAddr get_instance_proc_addr;
  VkInstance instance;
  VkPhysicalDevice physical_device;
  VkDevice device;
  VkQueue queue;
  std::uint32_t queue_family;
};
VulkanHandles handles(const Context& context);
// Usage: storage buffer, transfer source and destination, and shader device address where Fovea made the device and it has
// bufferDeviceAddress, or HostDevice::addressable_buffers told so; nothing else.
VkBuffer handle(const Buffer& buffer);

// ---- Running in the host's frame ----------------------------------------------------------------------------------

// A port by name and the host's buffer for it: of the adopted device, with memory, and with
// VK_BUFFER_USAGE_STORAGE_BUFFER_BIT, which nobody but the validation layer checks. Where a Context's capabilities_text() has
// buffer addresses (Fovea made the device, or HostDevice::addressable_buffers), with
// VK_BUFFER_USAGE_SHADER_DEVICE_ADDRESS_BIT, too, and memory of VK_MEMORY_ALLOCATE_DEVICE_ADDRESS_BIT.
struct PortVkBuffer {
  std::string_view name;
  VkBuffer buffer = VK_NULL_HANDLE;
  VkDeviceSize offset = 0;  // a multiple of minStorageBufferOffsetAlignment
  VkDeviceSize size = VK_WHOLE_SIZE;  // of the range; VK_WHOLE_SIZE: the port's size from offset on
};
// Errors: as Plan::bind, and a range that passes the end of the buffer (as far as its memory requirements tell).
Result<Bindings> bind(Plan& plan, std::span<const PortVkBuffer> buffers);
inline Result<Bindings> bind(Plan& plan, std::initializer_list<PortVkBuffer> buffers) {
  return bind(plan, std::span(buffers.begin(), buffers.size()));
}

// Appends the plan to a host's command buffer that is recording, primary or secondary, outside a render pass, of the
// family that was adopted. Touches nothing else. The command buffer may be submitted again, and with SIMULTANEOUS_USE
// while it is pending.
// Before it, the host
//   - makes its writes to the inputs visible to COMPUTE_SHADER / SHADER_READ;
//   - has every earlier reader and writer of the outputs done before COMPUTE_SHADER. COMPUTE_SHADER and TRANSFER need no
//     barrier for that: the recorded commands begin with one. All other stages do (a draw that read the last frame's
//     output as vertices: VERTEX_INPUT -> COMPUTE_SHADER, no access masks).
// After it, the outputs are written by COMPUTE_SHADER / SHADER_WRITE, and the host makes them visible to whoever reads
// them; what overwrites an input waits for COMPUTE_SHADER (no access masks).
// Compute pipeline, descriptor set 0 and push constants of the compute bind point are left changed.
// Errors: a null command buffer, another plan's bindings, a plan or bindings moved from.
Result<void> record(const Plan& plan, VkCommandBuffer commands, const Bindings& bindings);

struct TimelinePoint {
  VkSemaphore semaphore = VK_NULL_HANDLE;
  std::uint64_t value = 0;
};
// Plan::submit, with timeline semaphores to wait for before and to signal after.
// Errors: as Plan::submit; a null semaphore; any point where the timelineSemaphore feature is not enabled.
Result<void> submit(Plan& plan, const Bindings& bindings, std::span<const TimelinePoint> wait,
                    std::span<const TimelinePoint> signal);

}  // namespace fovea
