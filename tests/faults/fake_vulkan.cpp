#include "tests/faults/fake_vulkan.hpp"

#include "vk/dispatch.hpp"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace fovea::test {
namespace {

// Signals of one submission.
struct Signals {
  VkFence fence = VK_NULL_HANDLE;
  std::vector<VkSemaphore> semaphores;
  std::vector<std::uint64_t> values;
};

struct State {
  FakeVulkan what;
  std::uint64_t handles = 0;
  std::map<VkFence, bool> fences;
  std::map<VkSemaphore, std::uint64_t> semaphores;
  std::map<VkBuffer, VkDeviceSize> buffers;
  std::map<VkDeviceMemory, std::vector<std::byte>> memory;
  std::vector<Signals> waiting;
} state;

template <class T>
VkResult make(T* out) {
  *out = (T)++state.handles;
  return VK_SUCCESS;
}

void signal(const Signals& signals) {
  if (signals.fence) state.fences[signals.fence] = true;
  for (std::size_t i = 0; i < signals.semaphores.size(); ++i) state.semaphores[signals.semaphores[i]] = signals.values[i];
}

VkResult wait(bool done, std::uint64_t timeout) {
  if (done) return VK_SUCCESS;
  if (timeout != UINT64_MAX) return VK_TIMEOUT;
  std::fputs("the fake driver is waited for without end\n", stderr);
  std::abort();
}

template <class T>
VkResult list(std::uint32_t* count, T* out, std::initializer_list<T> values) {
  if (out) std::copy_n(values.begin(), std::min<std::size_t>(*count, values.size()), out);
  *count = static_cast<std::uint32_t>(values.size());
  return VK_SUCCESS;
}

constexpr VkPhysicalDeviceType type = VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU;

// ---- The functions, without their vk --------------------------------------------------------------------------------

#define FAKE(R, name) VKAPI_ATTR R VKAPI_CALL name

FAKE(VkResult, EnumerateInstanceVersion)(std::uint32_t* version) {
  *version = VK_API_VERSION_1_2;
  return VK_SUCCESS;
}
FAKE(VkResult, CreateInstance)(const VkInstanceCreateInfo*, const VkAllocationCallbacks*, VkInstance* out) { return make(out); }
FAKE(VkResult, EnumerateInstanceExtensionProperties)(const char*, std::uint32_t* count, VkExtensionProperties* out) {
  VkExtensionProperties debug{};
  std::strcpy(debug.extensionName, VK_EXT_DEBUG_UTILS_EXTENSION_NAME);
  return list(count, out, {debug});
}
FAKE(VkResult, EnumerateInstanceLayerProperties)(std::uint32_t* count, VkLayerProperties* out) { return list(count, out, {}); }
FAKE(void, DestroyInstance)(VkInstance, const VkAllocationCallbacks*) {}
FAKE(VkResult, EnumeratePhysicalDevices)(VkInstance, std::uint32_t* count, VkPhysicalDevice* out) {
  return list(count, out, {(VkPhysicalDevice)7});
}
FAKE(VkResult, EnumerateDeviceExtensionProperties)(VkPhysicalDevice, const char*, std::uint32_t* count, VkExtensionProperties* out) {
  if (state.what.max_subgroup == 0) return list(count, out, {});
  VkExtensionProperties control{};
  std::strcpy(control.extensionName, VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME);
  return list(count, out, {control});
}
FAKE(void, GetPhysicalDeviceProperties)(VkPhysicalDevice, VkPhysicalDeviceProperties* out) {
  *out = {};
  out->apiVersion = VK_API_VERSION_1_2;
  out->deviceType = type;
  std::strcpy(out->deviceName, "fake");
  VkPhysicalDeviceLimits& limits = out->limits;
  limits.maxComputeWorkGroupInvocations = 128;
  limits.maxComputeSharedMemorySize = 16384;
  limits.maxPushConstantsSize = 128;
  limits.maxPerStageDescriptorStorageBuffers = limits.maxDescriptorSetStorageBuffers = 8;
  limits.maxStorageBufferRange = 1u << 27;
  limits.minStorageBufferOffsetAlignment = 64;
  limits.timestampPeriod = 1;
  for (int i = 0; i < 3; ++i) limits.maxComputeWorkGroupSize[i] = 128, limits.maxComputeWorkGroupCount[i] = 65535;
}
FAKE(void, GetPhysicalDeviceProperties2)(VkPhysicalDevice device, VkPhysicalDeviceProperties2* out) {
  GetPhysicalDeviceProperties(device, &out->properties);
  for (auto* at = static_cast<VkBaseOutStructure*>(out->pNext); at; at = at->pNext) {
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES)
      reinterpret_cast<VkPhysicalDeviceMaintenance3Properties*>(at)->maxMemoryAllocationSize = 1u << 30;
    if (state.what.max_subgroup == 0) continue;
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES) {
      auto& subgroup = *reinterpret_cast<VkPhysicalDeviceSubgroupProperties*>(at);
      subgroup.subgroupSize = 32;
      subgroup.supportedStages = VK_SHADER_STAGE_COMPUTE_BIT;
      subgroup.supportedOperations = 0xff;
    }
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES) {
      auto& sizes = *reinterpret_cast<VkPhysicalDeviceSubgroupSizeControlProperties*>(at);
      sizes.minSubgroupSize = state.what.min_subgroup;
      sizes.maxSubgroupSize = state.what.max_subgroup;
      sizes.requiredSubgroupSizeStages = state.what.stages_that_ask;
    }
  }
}
FAKE(void, GetPhysicalDeviceFeatures2)(VkPhysicalDevice, VkPhysicalDeviceFeatures2* out) {
  for (auto* at = static_cast<VkBaseOutStructure*>(out->pNext); at; at = at->pNext) {
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES)
      reinterpret_cast<VkPhysicalDeviceTimelineSemaphoreFeatures*>(at)->timelineSemaphore = state.what.timeline;
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_HOST_QUERY_RESET_FEATURES)
      reinterpret_cast<VkPhysicalDeviceHostQueryResetFeatures*>(at)->hostQueryReset = state.what.timeline;
    if (at->sType == VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_FEATURES) {
      auto& control = *reinterpret_cast<VkPhysicalDeviceSubgroupSizeControlFeatures*>(at);
      control.subgroupSizeControl = control.computeFullSubgroups = state.what.subgroup_size_control;
    }
  }
}
FAKE(void, GetPhysicalDeviceQueueFamilyProperties)(VkPhysicalDevice, std::uint32_t* count, VkQueueFamilyProperties* out) {
  list(count, out, {{VK_QUEUE_COMPUTE_BIT | VK_QUEUE_TRANSFER_BIT, 1, 64, {1, 1, 1}}});
}
FAKE(void, GetPhysicalDeviceMemoryProperties)(VkPhysicalDevice, VkPhysicalDeviceMemoryProperties* out) {
  constexpr VkMemoryPropertyFlags host = VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT | VK_MEMORY_PROPERTY_HOST_CACHED_BIT;
  *out = {};
  out->memoryHeapCount = 1;
  out->memoryHeaps[0] = {1u << 30, VK_MEMORY_HEAP_DEVICE_LOCAL_BIT};
  out->memoryTypeCount = 2;
  out->memoryTypes[0] = {VK_MEMORY_PROPERTY_DEVICE_LOCAL_BIT | (state.what.mapped ? host : 0), 0};
  out->memoryTypes[1] = {host, 0};
}
FAKE(VkResult, CreateDevice)(VkPhysicalDevice, const VkDeviceCreateInfo*, const VkAllocationCallbacks*, VkDevice* out) { return make(out); }
FAKE(VkResult, CreateDebugUtilsMessengerEXT)(VkInstance, const VkDebugUtilsMessengerCreateInfoEXT*, const VkAllocationCallbacks*, VkDebugUtilsMessengerEXT* out) { return make(out); }
FAKE(void, DestroyDebugUtilsMessengerEXT)(VkInstance, VkDebugUtilsMessengerEXT, const VkAllocationCallbacks*) {}

FAKE(void, DestroyDevice)(VkDevice, const VkAllocationCallbacks*) {}
FAKE(void, GetDeviceQueue)(VkDevice, std::uint32_t, std::uint32_t, VkQueue* out) { make(out); }
FAKE(VkResult, QueueSubmit)(VkQueue, std::uint32_t, const VkSubmitInfo* info, VkFence fence) {
  Signals signals{fence, {}, {}};
  if (const auto* values = static_cast<const VkTimelineSemaphoreSubmitInfo*>(info->pNext)) {
    signals.semaphores.assign(info->pSignalSemaphores, info->pSignalSemaphores + info->signalSemaphoreCount);
    signals.values.assign(values->pSignalSemaphoreValues, values->pSignalSemaphoreValues + values->signalSemaphoreValueCount);
  }
  if (state.what.submitted++ < state.what.runs) signal(signals);
  else state.waiting.push_back(std::move(signals));
  return VK_SUCCESS;
}
FAKE(VkResult, QueueWaitIdle)(VkQueue) { return wait(state.waiting.empty(), UINT64_MAX); }

FAKE(VkResult, AllocateMemory)(VkDevice, const VkMemoryAllocateInfo* info, const VkAllocationCallbacks*, VkDeviceMemory* out) {
  make(out);
  state.memory[*out].resize(static_cast<std::size_t>(info->allocationSize));
  return VK_SUCCESS;
}
FAKE(void, FreeMemory)(VkDevice, VkDeviceMemory memory, const VkAllocationCallbacks*) { state.memory.erase(memory); }
FAKE(VkResult, MapMemory)(VkDevice, VkDeviceMemory memory, VkDeviceSize, VkDeviceSize, VkMemoryMapFlags, void** out) {
  *out = state.memory.at(memory).data();
  return VK_SUCCESS;
}
FAKE(VkResult, CreateBuffer)(VkDevice, const VkBufferCreateInfo* info, const VkAllocationCallbacks*, VkBuffer* out) {
  make(out);
  state.buffers[*out] = info->size;
  return VK_SUCCESS;
}
FAKE(void, DestroyBuffer)(VkDevice, VkBuffer buffer, const VkAllocationCallbacks*) { state.buffers.erase(buffer); }
FAKE(void, GetBufferMemoryRequirements)(VkDevice, VkBuffer buffer, VkMemoryRequirements* out) { *out = {state.buffers.at(buffer), 64, 3}; }
FAKE(VkResult, BindBufferMemory)(VkDevice, VkBuffer, VkDeviceMemory, VkDeviceSize) { return VK_SUCCESS; }

FAKE(VkResult, CreateFence)(VkDevice, const VkFenceCreateInfo*, const VkAllocationCallbacks*, VkFence* out) {
  make(out);
  state.fences[*out] = false;
  return VK_SUCCESS;
}
FAKE(VkResult, ResetFences)(VkDevice, std::uint32_t count, const VkFence* fences) {
  for (std::uint32_t i = 0; i < count; ++i) state.fences.at(fences[i]) = false;
  return VK_SUCCESS;
}
FAKE(VkResult, WaitForFences)(VkDevice, std::uint32_t count, const VkFence* fences, VkBool32, std::uint64_t timeout) {
  bool done = true;
  for (std::uint32_t i = 0; i < count; ++i) done = done && state.fences.at(fences[i]);
  return wait(done, timeout);
}
FAKE(VkResult, CreateSemaphore)(VkDevice, const VkSemaphoreCreateInfo*, const VkAllocationCallbacks*, VkSemaphore* out) {
  make(out);
  state.semaphores[*out] = 0;
  return VK_SUCCESS;
}
FAKE(VkResult, WaitSemaphores)(VkDevice, const VkSemaphoreWaitInfo* info, std::uint64_t timeout) {
  return wait(state.semaphores.at(info->pSemaphores[0]) >= info->pValues[0], timeout);
}
FAKE(VkResult, GetQueryPoolResults)(VkDevice, VkQueryPool, std::uint32_t, std::uint32_t, std::size_t size, void* out, VkDeviceSize, VkQueryResultFlags) {
  std::memset(out, 0, size);
  return VK_SUCCESS;
}
FAKE(VkResult, GetPipelineCacheData)(VkDevice, VkPipelineCache, std::size_t* size, void* out) {
  *size = 40;
  if (out) std::memset(out, 1, *size);
  return VK_SUCCESS;
}
FAKE(VkResult, CreateComputePipelines)(VkDevice, VkPipelineCache, std::uint32_t, const VkComputePipelineCreateInfo* info, const VkAllocationCallbacks*, VkPipeline* out) {
  std::uint32_t asked = 0;
  for (auto* at = static_cast<const VkBaseInStructure*>(info->stage.pNext); at; at = at->pNext)
    if (at->sType == VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO)
      asked = reinterpret_cast<const VkPipelineShaderStageRequiredSubgroupSizeCreateInfo*>(at)->requiredSubgroupSize;
  state.what.subgroups_asked.push_back(asked);
  if (asked) state.what.full_subgroups &= (info->stage.flags & VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT) != 0;
  return make(out);
}
FAKE(VkResult, AllocateDescriptorSets)(VkDevice, const VkDescriptorSetAllocateInfo* info, VkDescriptorSet* out) {
  for (std::uint32_t i = 0; i < info->descriptorSetCount; ++i) make(out + i);
  return VK_SUCCESS;
}
FAKE(void, UpdateDescriptorSets)(VkDevice, std::uint32_t, const VkWriteDescriptorSet*, std::uint32_t, const VkCopyDescriptorSet*) {}
FAKE(VkResult, AllocateCommandBuffers)(VkDevice, const VkCommandBufferAllocateInfo*, VkCommandBuffer* out) { return make(out); }
FAKE(VkResult, BeginCommandBuffer)(VkCommandBuffer, const VkCommandBufferBeginInfo*) {
  state.what.commands.push_back(FakeVulkan::Command::begin);
  return VK_SUCCESS;
}
FAKE(void, CmdDispatch)(VkCommandBuffer, std::uint32_t, std::uint32_t, std::uint32_t) {
  state.what.commands.push_back(FakeVulkan::Command::dispatch);
}
FAKE(void, CmdPipelineBarrier)(VkCommandBuffer, VkPipelineStageFlags from, VkPipelineStageFlags to, VkDependencyFlags, std::uint32_t count,
                               const VkMemoryBarrier* memory, std::uint32_t, const VkBufferMemoryBarrier*, std::uint32_t,
                               const VkImageMemoryBarrier*) {
  constexpr VkPipelineStageFlags compute = VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT;
  constexpr VkAccessFlags both = VK_ACCESS_SHADER_READ_BIT | VK_ACCESS_SHADER_WRITE_BIT;
  const bool for_compute = (from & compute) && (to & compute) && count == 1 && (memory->srcAccessMask & VK_ACCESS_SHADER_WRITE_BIT) &&
                           (memory->dstAccessMask & both) == both;
  state.what.commands.push_back(for_compute ? FakeVulkan::Command::barrier_for_compute : FakeVulkan::Command::other_barrier);
}
FAKE(VkResult, EndCommandBuffer)(VkCommandBuffer) { return VK_SUCCESS; }
FAKE(VkResult, SetDebugUtilsObjectNameEXT)(VkDevice, const VkDebugUtilsObjectNameInfoEXT*) { return VK_SUCCESS; }

#undef FAKE

// The rest only makes, destroys or records: nothing that the driver needs to know.
template <class Function>
struct Plain;
template <class R, class... Arguments>
struct Plain<R(VKAPI_PTR*)(Arguments...)> {
  static VKAPI_ATTR R VKAPI_CALL call([[maybe_unused]] Arguments... arguments) {
    if constexpr (std::is_same_v<R, VkResult>) return make(std::get<sizeof...(Arguments) - 1>(std::tie(arguments...)));
  }
};
#define FOVEA_PLAIN(name) constexpr PFN_vk##name name = &Plain<PFN_vk##name>::call;
FOVEA_PLAIN(CreateQueryPool) FOVEA_PLAIN(CreateShaderModule) FOVEA_PLAIN(CreatePipelineCache) FOVEA_PLAIN(CreatePipelineLayout)
FOVEA_PLAIN(CreateDescriptorSetLayout) FOVEA_PLAIN(CreateDescriptorPool) FOVEA_PLAIN(CreateCommandPool)
FOVEA_PLAIN(DestroyFence) FOVEA_PLAIN(DestroySemaphore) FOVEA_PLAIN(DestroyQueryPool) FOVEA_PLAIN(DestroyShaderModule)
FOVEA_PLAIN(DestroyPipelineCache) FOVEA_PLAIN(DestroyPipeline) FOVEA_PLAIN(DestroyPipelineLayout) FOVEA_PLAIN(DestroyDescriptorSetLayout)
FOVEA_PLAIN(DestroyDescriptorPool) FOVEA_PLAIN(DestroyCommandPool) FOVEA_PLAIN(ResetQueryPool)
FOVEA_PLAIN(CmdBindPipeline) FOVEA_PLAIN(CmdBindDescriptorSets) FOVEA_PLAIN(CmdPushConstants)
FOVEA_PLAIN(CmdCopyBuffer) FOVEA_PLAIN(CmdFillBuffer) FOVEA_PLAIN(CmdResetQueryPool)
FOVEA_PLAIN(CmdWriteTimestamp) FOVEA_PLAIN(CmdBeginDebugUtilsLabelEXT) FOVEA_PLAIN(CmdEndDebugUtilsLabelEXT)
#undef FOVEA_PLAIN
constexpr PFN_vkGetPipelineExecutablePropertiesKHR GetPipelineExecutablePropertiesKHR = nullptr;
constexpr PFN_vkGetPipelineExecutableStatisticsKHR GetPipelineExecutableStatisticsKHR = nullptr;
constexpr PFN_vkGetPipelineExecutableInternalRepresentationsKHR GetPipelineExecutableInternalRepresentationsKHR = nullptr;
constexpr PFN_vkGetBufferDeviceAddress GetBufferDeviceAddress = nullptr;
constexpr vk::PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR GetPhysicalDeviceCooperativeMatrixPropertiesKHR = nullptr;
using vk::PFN_vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR;  // which older headers do not have

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL GetDeviceProcAddr(VkDevice, const char* name);

PFN_vkVoidFunction find(std::string_view name) {
#define FOVEA_FIND(function) \
  if (name == "vk" #function) return reinterpret_cast<PFN_vkVoidFunction>(static_cast<PFN_vk##function>(function));
  FOVEA_FIND(EnumerateInstanceVersion)
  FOVEA_VK_GLOBAL(FOVEA_FIND)
  FOVEA_VK_INSTANCE(FOVEA_FIND)
  FOVEA_VK_INSTANCE_OPTIONAL(FOVEA_FIND)
  FOVEA_VK_DEVICE(FOVEA_FIND)
  FOVEA_VK_DEVICE_OPTIONAL(FOVEA_FIND)
#undef FOVEA_FIND
  return nullptr;
}

VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL GetDeviceProcAddr(VkDevice, const char* name) { return find(name); }
VKAPI_ATTR PFN_vkVoidFunction VKAPI_CALL GetInstanceProcAddr(VkInstance, const char* name) { return find(name); }

}  // namespace

PFN_vkGetInstanceProcAddr set_fake_vulkan(const FakeVulkan& what) {
  state = {};
  state.what = what;
  return &GetInstanceProcAddr;
}

FakeVulkan& fake_vulkan() { return state.what; }

void release() {
  state.what.runs = SIZE_MAX;
  for (const Signals& signals : std::exchange(state.waiting, {})) signal(signals);
}

HostDevice fake_host(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkPhysicalDeviceTimelineSemaphoreFeatures& features) {
  features = {VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_TIMELINE_SEMAPHORE_FEATURES, nullptr, state.what.timeline};
  HostDevice host;
  host.get_instance_proc_addr = get_instance_proc_addr;
  host.instance = (VkInstance)1;
  host.physical_device = (VkPhysicalDevice)7;
  host.device = (VkDevice)2;
  host.queue = (VkQueue)3;
  host.api_version = VK_API_VERSION_1_2;
  host.enabled_features = &features;
  return host;
}

}  // namespace fovea::test
