#pragma once
// The Vulkan functions Fovea calls, loaded through one vkGetInstanceProcAddr: one table an instance, one a device.
// device.fn.CreateBuffer is vkCreateBuffer.

#include <fovea/result.hpp>

#include "vk/newer_headers.hpp"

#include <vulkan/vulkan_core.h>

namespace fovea::vk {

#define FOVEA_VK_GLOBAL(X)                \
  X(CreateInstance)                       \
  X(EnumerateInstanceExtensionProperties) \
  X(EnumerateInstanceLayerProperties)

#define FOVEA_VK_INSTANCE(X)                \
  X(DestroyInstance)                        \
  X(EnumeratePhysicalDevices)               \
  X(EnumerateDeviceExtensionProperties)     \
  X(GetPhysicalDeviceProperties)            \
  X(GetPhysicalDeviceQueueFamilyProperties) \
  X(GetPhysicalDeviceMemoryProperties)      \
  X(CreateDevice)                           \
  X(GetDeviceProcAddr)

// Null below Vulkan 1.1, without VK_EXT_debug_utils, or where no device has VK_KHR_cooperative_matrix.
#define FOVEA_VK_INSTANCE_OPTIONAL(X)                \
  X(GetPhysicalDeviceFeatures2)                      \
  X(GetPhysicalDeviceProperties2)                    \
  X(GetPhysicalDeviceCooperativeMatrixPropertiesKHR) \
  X(CreateDebugUtilsMessengerEXT)                    \
  X(DestroyDebugUtilsMessengerEXT)

#define FOVEA_VK_DEVICE(X)       \
  X(DestroyDevice)               \
  X(GetDeviceQueue)              \
  X(QueueSubmit)                 \
  X(QueueWaitIdle)               \
  X(AllocateMemory)              \
  X(FreeMemory)                  \
  X(MapMemory)                   \
  X(CreateBuffer)                \
  X(DestroyBuffer)               \
  X(GetBufferMemoryRequirements) \
  X(BindBufferMemory)            \
  X(CreateFence)                 \
  X(DestroyFence)                \
  X(ResetFences)                 \
  X(WaitForFences)               \
  X(CreateSemaphore)             \
  X(DestroySemaphore)            \
  X(CreateQueryPool)             \
  X(DestroyQueryPool)            \
  X(GetQueryPoolResults)         \
  X(CreateShaderModule)          \
  X(DestroyShaderModule)         \
  X(CreatePipelineCache)         \
  X(DestroyPipelineCache)        \
  X(GetPipelineCacheData)        \
  X(CreateComputePipelines)      \
  X(DestroyPipeline)             \
  X(CreatePipelineLayout)        \
  X(DestroyPipelineLayout)       \
  X(CreateDescriptorSetLayout)   \
  X(DestroyDescriptorSetLayout)  \
  X(CreateDescriptorPool)        \
  X(DestroyDescriptorPool)       \
  X(AllocateDescriptorSets)      \
  X(UpdateDescriptorSets)        \
  X(CreateCommandPool)           \
  X(DestroyCommandPool)          \
  X(AllocateCommandBuffers)      \
  X(BeginCommandBuffer)          \
  X(EndCommandBuffer)            \
  X(CmdBindPipeline)             \
  X(CmdBindDescriptorSets)       \
  X(CmdPushConstants)            \
  X(CmdDispatch)                 \
  X(CmdPipelineBarrier)          \
  X(CmdCopyBuffer)               \
  X(CmdFillBuffer)               \
  X(CmdResetQueryPool)           \
  X(CmdWriteTimestamp)

// Null without timeline semaphores, buffer addresses, host query reset, VK_EXT_debug_utils, or VK_KHR_pipeline_executable_properties.
#define FOVEA_VK_DEVICE_OPTIONAL(X)      \
  X(WaitSemaphores)                      \
  X(GetBufferDeviceAddress)              \
  X(ResetQueryPool)                      \
  X(SetDebugUtilsObjectNameEXT)          \
  X(CmdBeginDebugUtilsLabelEXT)          \
  X(CmdEndDebugUtilsLabelEXT)            \
  X(GetPipelineExecutablePropertiesKHR)  \
  X(GetPipelineExecutableStatisticsKHR)  \
  X(GetPipelineExecutableInternalRepresentationsKHR)

#define FOVEA_VK_MEMBER(name) PFN_vk##name name = nullptr;

struct GlobalTable {
  PFN_vkEnumerateInstanceVersion EnumerateInstanceVersion = nullptr;  // null: Vulkan 1.0
  FOVEA_VK_GLOBAL(FOVEA_VK_MEMBER)
};
struct InstanceTable {
  FOVEA_VK_INSTANCE(FOVEA_VK_MEMBER)
  FOVEA_VK_INSTANCE_OPTIONAL(FOVEA_VK_MEMBER)
};
struct DeviceTable {
  FOVEA_VK_DEVICE(FOVEA_VK_MEMBER)
  FOVEA_VK_DEVICE_OPTIONAL(FOVEA_VK_MEMBER)
};

#undef FOVEA_VK_MEMBER

// Errors name the first function that is missing, of Vulkan 1.1 too where the instance is of that version. A table then holds
// those before it, the one that destroys the instance or device first of all.
Result<GlobalTable> load_global(PFN_vkGetInstanceProcAddr get_instance_proc_addr);
Result<void> load_instance(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance, std::uint32_t api_version,
                           InstanceTable& table);
Result<void> load_device(const InstanceTable& instance, VkDevice device, DeviceTable& table);

}  // namespace fovea::vk
