#include "vk/dispatch.hpp"

#include "base/text.hpp"

namespace fovea::vk {
namespace {

Error missing(const char* name) {
  return {ErrorCode::device, cat("this Vulkan has no ", name)};
}

}  // namespace

#define FOVEA_VK_LOAD(name) table.name = reinterpret_cast<PFN_vk##name>(load("vk" #name));
#define FOVEA_VK_REQUIRE(name) \
  FOVEA_VK_LOAD(name)          \
  if (!table.name) return missing("vk" #name);

Result<GlobalTable> load_global(PFN_vkGetInstanceProcAddr get_instance_proc_addr) {
  const auto load = [&](const char* name) { return get_instance_proc_addr(nullptr, name); };
  GlobalTable table;
  FOVEA_VK_LOAD(EnumerateInstanceVersion)
  FOVEA_VK_GLOBAL(FOVEA_VK_REQUIRE)
  return table;
}

Result<void> load_instance(PFN_vkGetInstanceProcAddr get_instance_proc_addr, VkInstance instance, std::uint32_t api_version,
                           InstanceTable& table) {
  const auto load = [&](const char* name) { return get_instance_proc_addr(instance, name); };
  FOVEA_VK_INSTANCE(FOVEA_VK_REQUIRE)
  FOVEA_VK_INSTANCE_OPTIONAL(FOVEA_VK_LOAD)
  if (api_version < VK_API_VERSION_1_1) return {};
  if (!table.GetPhysicalDeviceFeatures2) return missing("vkGetPhysicalDeviceFeatures2");
  if (!table.GetPhysicalDeviceProperties2) return missing("vkGetPhysicalDeviceProperties2");
  return {};
}

Result<void> load_device(const InstanceTable& instance, VkDevice device, DeviceTable& table) {
  const auto load = [&](const char* name) { return instance.GetDeviceProcAddr(device, name); };
  FOVEA_VK_DEVICE(FOVEA_VK_REQUIRE)
  FOVEA_VK_DEVICE_OPTIONAL(FOVEA_VK_LOAD)
  // Vulkan 1.1 knows what later became core under the extension's name only.
  if (!table.WaitSemaphores) table.WaitSemaphores = reinterpret_cast<PFN_vkWaitSemaphores>(load("vkWaitSemaphoresKHR"));
  if (!table.GetBufferDeviceAddress)
    table.GetBufferDeviceAddress = reinterpret_cast<PFN_vkGetBufferDeviceAddress>(load("vkGetBufferDeviceAddressKHR"));
  if (!table.ResetQueryPool) table.ResetQueryPool = reinterpret_cast<PFN_vkResetQueryPool>(load("vkResetQueryPoolEXT"));
  return {};
}

}  // namespace fovea::vk
