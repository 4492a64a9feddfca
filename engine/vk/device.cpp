#include "vk/device.hpp"

#include "vk/physical_device.hpp"

#include <algorithm>
#include <string>

namespace fovea::vk {

Result<std::unique_ptr<Device>> Device::create(std::unique_ptr<Instance> instance, const Candidate& candidate,
                                               const Options& options) {
  const Result<std::vector<VkExtensionProperties>> list = device_extensions(*instance, candidate.handle);
  if (!list) return list.error();
  const Extensions available(*list);
  const Enabled enabled = everything_available(*instance, candidate.handle, available);
  std::vector<const char*> extensions = wanted_extensions(enabled.api_version, available);
  FeatureStructs features(enabled.api_version, available);
  features.set(enabled.features);
  VkPhysicalDevicePipelineExecutablePropertiesFeaturesKHR statistics{};
  statistics.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PIPELINE_EXECUTABLE_PROPERTIES_FEATURES_KHR;
  statistics.pNext = features.head();
  statistics.pipelineExecutableInfo = VK_TRUE;  // a device with the extension has it
  const bool with_statistics =
      options.pipeline_statistics && available.has(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);
  if (with_statistics) extensions.push_back(VK_KHR_PIPELINE_EXECUTABLE_PROPERTIES_EXTENSION_NAME);

  const float priority = 1;
  VkDeviceQueueCreateInfo queue_info{};
  queue_info.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue_info.queueFamilyIndex = candidate.queue_family;
  queue_info.queueCount = 1;
  queue_info.pQueuePriorities = &priority;
  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = with_statistics ? static_cast<const void*>(&statistics) : features.head();
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue_info;
  info.enabledExtensionCount = static_cast<std::uint32_t>(extensions.size());
  info.ppEnabledExtensionNames = extensions.data();

  std::unique_ptr<Device> device(new Device);
  device->instance_ = std::move(instance);
  device->physical_device = candidate.handle;
  device->queue_family = candidate.queue_family;
  Result<DeviceCaps> caps = query_caps(*device->instance_, candidate.handle, candidate.queue_family, enabled, available);
  if (!caps) return caps.error();
  device->caps = std::move(*caps);
  const InstanceTable& fn = device->instance_->fn();
  if (VkResult result = fn.CreateDevice(candidate.handle, &info, nullptr, &device->handle); result != VK_SUCCESS)
    return vk::error(result, "vkCreateDevice ", candidate.caps.device_name);
  device->owned_ = true;
  if (Result<void> loaded = device->load(enabled.features); !loaded) return loaded.error();
  device->pipeline_statistics = with_statistics && device->fn.GetPipelineExecutablePropertiesKHR &&
                                device->fn.GetPipelineExecutableStatisticsKHR;
  device->fn.GetDeviceQueue(device->handle, candidate.queue_family, 0, &device->queue);
  device->name(VK_OBJECT_TYPE_DEVICE, device->handle, "fovea device");
  device->name(VK_OBJECT_TYPE_QUEUE, device->queue, "fovea queue");
  return device;
}

Result<std::unique_ptr<Device>> Device::adopt(std::unique_ptr<Instance> instance, const Host& host) {
  if (host.enabled.api_version < VK_API_VERSION_1_1)
    return Error{ErrorCode::unsupported, "adopt: the instance or device is Vulkan 1.0; Fovea needs 1.1"};
  if (Result<void> checked = check_queue_family(*instance, host.physical_device, host.queue_family); !checked)
    return checked.error();
  const Result<std::vector<VkExtensionProperties>> list = device_extensions(*instance, host.physical_device);
  if (!list) return list.error();
  std::unique_ptr<Device> device(new Device);
  device->instance_ = std::move(instance);
  device->physical_device = host.physical_device;
  device->handle = host.device;
  device->queue = host.queue;
  device->queue_family = host.queue_family;
  device->allocator = host.allocator;
  Result<DeviceCaps> caps = query_caps(*device->instance_, host.physical_device, host.queue_family, host.enabled, Extensions(*list));
  if (!caps) return caps.error();
  device->caps = std::move(*caps);
  if (Result<void> loaded = device->load(host.enabled.features); !loaded) return loaded.error();
  return device;
}

Result<void> Device::load(const Features& enabled) {
  const InstanceTable& instance_fn = instance_->fn();
  if (Result<void> loaded = load_device(instance_fn, handle, fn); !loaded) return loaded;
  if (!fn.SetDebugUtilsObjectNameEXT || !fn.CmdBeginDebugUtilsLabelEXT || !fn.CmdEndDebugUtilsLabelEXT)
    caps.debug_utils = false;
  if (!fn.WaitSemaphores) caps.timeline_semaphore = false;
  if (!fn.GetBufferDeviceAddress) caps.buffer_address = false;
  host_query_reset = enabled.host_query_reset && fn.ResetQueryPool;
  instance_fn.GetPhysicalDeviceMemoryProperties(physical_device, &memory);
  VkPhysicalDeviceProperties properties;
  instance_fn.GetPhysicalDeviceProperties(physical_device, &properties);
  std::copy_n(properties.pipelineCacheUUID, VK_UUID_SIZE, pipeline_cache_uuid.begin());
  timestamp_mask = vk::timestamp_mask(*instance_, physical_device, queue_family);
  return {};
}

Device::~Device() {
  if (owned_ && fn.DestroyDevice) fn.DestroyDevice(handle, nullptr);
}

void Device::name_raw(VkObjectType type, std::uint64_t object, std::string_view text) const {
  if (!caps.debug_utils) return;
  const std::string terminated(text);
  VkDebugUtilsObjectNameInfoEXT info{};
  info.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_OBJECT_NAME_INFO_EXT;
  info.objectType = type;
  info.objectHandle = object;
  info.pObjectName = terminated.c_str();
  fn.SetDebugUtilsObjectNameEXT(handle, &info);
}

void Device::keep_loss(const Error& error) const {
  const std::lock_guard lock(loss_mutex_);
  if (loss_.empty()) loss_ = error.message;
}

bool Device::lost() const {
  const std::lock_guard lock(loss_mutex_);
  return !loss_.empty();
}

Result<void> Device::check_not_lost(std::string_view call) const {
  const std::lock_guard lock(loss_mutex_);
  if (loss_.empty()) return {};
  return Error{ErrorCode::device_lost, cat(call, ": ", caps.device_name, " is lost since ", loss_)};
}

Result<void> Device::check_queue(std::string_view call) const {
  if (Result<void> checked = check_not_lost(call); !checked) return checked;
  if (queue) return {};
  return Error{ErrorCode::invalid_argument, cat(call, ": the host that was adopted gave no queue")};
}

Result<void> Device::submit(const VkSubmitInfo& info, VkFence fence) const {
  const std::lock_guard lock(queue_mutex_);
  if (VkResult result = fn.QueueSubmit(queue, 1, &info, fence); result != VK_SUCCESS)
    return error(result, "vkQueueSubmit");
  return {};
}

Result<void> Device::wait_idle() const {
  const std::lock_guard lock(queue_mutex_);
  if (VkResult result = fn.QueueWaitIdle(queue); result != VK_SUCCESS) return error(result, "vkQueueWaitIdle");
  return {};
}

}  // namespace fovea::vk
