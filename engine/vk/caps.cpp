#include "vk/caps.hpp"

#include "base/text.hpp"
#include "vk/enumerate.hpp"
#include "vk/error.hpp"
#include "vk/quirks.hpp"

#include <algorithm>
#include <cstring>

namespace fovea::vk {
namespace {

std::vector<VkQueueFamilyProperties> queue_families(const Instance& instance, VkPhysicalDevice physical_device) {
  std::uint32_t count = 0;
  instance.fn().GetPhysicalDeviceQueueFamilyProperties(physical_device, &count, nullptr);
  std::vector<VkQueueFamilyProperties> families(count);
  instance.fn().GetPhysicalDeviceQueueFamilyProperties(physical_device, &count, families.data());
  return families;
}

DeviceType to_device_type(VkPhysicalDeviceType type) {
  switch (type) {
    case VK_PHYSICAL_DEVICE_TYPE_INTEGRATED_GPU:
      return DeviceType::integrated;
    case VK_PHYSICAL_DEVICE_TYPE_DISCRETE_GPU:
      return DeviceType::discrete;
    case VK_PHYSICAL_DEVICE_TYPE_VIRTUAL_GPU:
      return DeviceType::virtual_gpu;
    case VK_PHYSICAL_DEVICE_TYPE_CPU:
      return DeviceType::cpu;
    default:
      return DeviceType::other;
  }
}

// The property structs this device accepts, chained behind `core`.
struct Properties {
  VkPhysicalDeviceProperties2 core{};
  VkPhysicalDeviceIDProperties id{};
  VkPhysicalDeviceMaintenance3Properties memory{};
  VkPhysicalDeviceSubgroupProperties subgroup{};
  VkPhysicalDeviceDriverProperties driver{};
  VkPhysicalDeviceSubgroupSizeControlProperties subgroup_size{};
  VkPhysicalDeviceMaintenance4Properties buffer{};

  Properties(const Instance& instance, VkPhysicalDevice physical_device, std::uint32_t version,
             const Extensions& available) {
    core.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_PROPERTIES_2;
    link(id, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_ID_PROPERTIES);
    link(memory, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_3_PROPERTIES);
    link(subgroup, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_PROPERTIES);
    if (version >= VK_API_VERSION_1_2 || available.has(VK_KHR_DRIVER_PROPERTIES_EXTENSION_NAME))
      link(driver, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_DRIVER_PROPERTIES);
    if (version >= VK_API_VERSION_1_3 || available.has(VK_EXT_SUBGROUP_SIZE_CONTROL_EXTENSION_NAME))
      link(subgroup_size, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_SUBGROUP_SIZE_CONTROL_PROPERTIES);
    if (version >= VK_API_VERSION_1_3 || available.has(VK_KHR_MAINTENANCE_4_EXTENSION_NAME))
      link(buffer, VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_MAINTENANCE_4_PROPERTIES);
    instance.fn().GetPhysicalDeviceProperties2(physical_device, &core);
  }

 private:
  template <class T>
  void link(T& properties, VkStructureType type) {
    properties.sType = type;
    properties.pNext = core.pNext;
    core.pNext = &properties;
  }
};

void read_limits(DeviceCaps& caps, const Properties& properties) {
  const VkPhysicalDeviceLimits& limits = properties.core.properties.limits;
  caps.max_invocations = limits.maxComputeWorkGroupInvocations;
  std::copy_n(limits.maxComputeWorkGroupSize, 3, caps.max_group_size.begin());
  std::copy_n(limits.maxComputeWorkGroupCount, 3, caps.max_group_count.begin());
  caps.max_shared_bytes = limits.maxComputeSharedMemorySize;
  caps.max_push_bytes = limits.maxPushConstantsSize;
  caps.max_storage_buffers =
      std::min(limits.maxPerStageDescriptorStorageBuffers, limits.maxDescriptorSetStorageBuffers);
  caps.max_storage_range = limits.maxStorageBufferRange;
  // At least a word: offsets into buffers of 32-bit words stay whole.
  caps.storage_alignment = std::max<std::uint64_t>(limits.minStorageBufferOffsetAlignment, 4);
  caps.max_allocation = properties.memory.maxMemoryAllocationSize;
  if (properties.buffer.maxBufferSize != 0)
    caps.max_allocation = std::min<std::uint64_t>(caps.max_allocation, properties.buffer.maxBufferSize);
}

void read_identity(DeviceCaps& caps, const Properties& properties, std::uint32_t api_version) {
  const VkPhysicalDeviceProperties& core = properties.core.properties;
  caps.device_name = core.deviceName;
  caps.driver_name = properties.driver.driverName;
  caps.driver_info = properties.driver.driverInfo;
  std::copy_n(properties.id.deviceUUID, VK_UUID_SIZE, caps.device_uuid.begin());
  std::copy_n(properties.id.driverUUID, VK_UUID_SIZE, caps.driver_uuid.begin());
  caps.vendor_id = core.vendorID;
  caps.device_id = core.deviceID;
  caps.driver_id = properties.driver.driverID;
  caps.driver_version = core.driverVersion;
  caps.api_version = api_version;
  caps.type = to_device_type(core.deviceType);
}

void read_subgroups(DeviceCaps& caps, const Properties& properties) {
  if ((properties.subgroup.supportedStages & VK_SHADER_STAGE_COMPUTE_BIT) == 0) return;
  const VkPhysicalDeviceSubgroupSizeControlProperties& sizes = properties.subgroup_size;
  const bool varies = sizes.minSubgroupSize != sizes.maxSubgroupSize;
  caps.subgroup_size_control = caps.subgroup_size_control && (sizes.requiredSubgroupSizeStages & VK_SHADER_STAGE_COMPUTE_BIT) != 0;
  if (varies && !caps.subgroup_size_control) return;  // a kernel could not count on its size
  caps.subgroup_size = caps.min_subgroup_size = caps.max_subgroup_size = properties.subgroup.subgroupSize;
  caps.subgroup_operations = properties.subgroup.supportedOperations;
  if (varies) caps.min_subgroup_size = sizes.minSubgroupSize, caps.max_subgroup_size = sizes.maxSubgroupSize;
}

Result<std::vector<MatrixShape>> matrix_shapes(const Instance& instance, VkPhysicalDevice physical_device) {
  std::vector<MatrixShape> shapes;
  if (!instance.fn().GetPhysicalDeviceCooperativeMatrixPropertiesKHR) return shapes;
  std::vector<CooperativeMatrixProperties> list;
  const VkResult result = enumerate(list, [&](std::uint32_t* count, CooperativeMatrixProperties* data) {
    for (std::uint32_t i = 0; data && i < *count; ++i) data[i].sType = cooperative_matrix_properties_type;
    return instance.fn().GetPhysicalDeviceCooperativeMatrixPropertiesKHR(physical_device, count, data);
  });
  if (result != VK_SUCCESS) return error(result, "vkGetPhysicalDeviceCooperativeMatrixPropertiesKHR");
  for (const CooperativeMatrixProperties& one : list)
    if (one.scope == scope_subgroup && one.AType == component_float16 && one.BType == component_float16 &&
        one.CType == component_float32 && one.ResultType == component_float32 && !one.saturatingAccumulation)
      shapes.push_back({one.MSize, one.NSize, one.KSize});
  return shapes;
}

}  // namespace

std::uint32_t usable_version(const Instance& instance, VkPhysicalDevice physical_device) {
  VkPhysicalDeviceProperties properties;
  instance.fn().GetPhysicalDeviceProperties(physical_device, &properties);
  return std::min(instance.api_version(), properties.apiVersion);
}

Result<std::vector<VkExtensionProperties>> device_extensions(const Instance& instance, VkPhysicalDevice physical_device) {
  std::vector<VkExtensionProperties> list;
  const VkResult result = enumerate(list, [&](std::uint32_t* count, VkExtensionProperties* data) {
    return instance.fn().EnumerateDeviceExtensionProperties(physical_device, nullptr, count, data);
  });
  if (result != VK_SUCCESS) return error(result, "vkEnumerateDeviceExtensionProperties");
  return list;
}

Enabled everything_available(const Instance& instance, VkPhysicalDevice physical_device, const Extensions& available) {
  Enabled enabled;
  enabled.api_version = usable_version(instance, physical_device);
  FeatureStructs structs(enabled.api_version, available);
  instance.fn().GetPhysicalDeviceFeatures2(physical_device, structs.head());
  enabled.features = read_features(structs.head());
  enabled.memory_budget = available.has(VK_EXT_MEMORY_BUDGET_EXTENSION_NAME);
  return enabled;
}

Result<DeviceCaps> query_caps(const Instance& instance, VkPhysicalDevice physical_device, std::uint32_t queue_family,
                              const Enabled& enabled, const Extensions& available) {
  const Properties properties(instance, physical_device, enabled.api_version, available);
  DeviceCaps caps;
  read_identity(caps, properties, enabled.api_version);
  read_limits(caps, properties);
  caps.storage16 = enabled.features.storage16;
  caps.storage8 = enabled.features.storage8;
  caps.float16 = enabled.features.float16;
  caps.int64 = enabled.features.int64;
  caps.buffer_address = enabled.features.buffer_address;
  caps.timeline_semaphore = enabled.features.timeline_semaphore;
  caps.subgroup_size_control = enabled.features.subgroup_size_control && enabled.features.full_subgroups;
  caps.cooperative_matrix = enabled.features.cooperative_matrix;
  caps.cooperative_matrix2 =
      enabled.features.matrix_reductions && enabled.features.matrix_conversions && enabled.features.matrix_functions;
  if (caps.cooperative_matrix) {
    Result<std::vector<MatrixShape>> shapes = matrix_shapes(instance, physical_device);
    if (!shapes) return shapes.error();
    caps.matrix_shapes = std::move(*shapes);
  }
  caps.memory_budget = enabled.memory_budget;
  caps.debug_utils = instance.debug_utils();
  read_subgroups(caps, properties);
  if (timestamp_mask(instance, physical_device, queue_family) != 0)
    caps.timestamp_period_ns = static_cast<double>(properties.core.properties.limits.timestampPeriod);
  apply_quirks(caps);
  return caps;
}

std::optional<std::uint32_t> choose_queue_family(const Instance& instance, VkPhysicalDevice physical_device) {
  const std::vector<VkQueueFamilyProperties> families = queue_families(instance, physical_device);
  constexpr VkQueueFlags wishes[] = {VK_QUEUE_COMPUTE_BIT | VK_QUEUE_GRAPHICS_BIT, VK_QUEUE_COMPUTE_BIT};
  for (VkQueueFlags wanted : wishes)
    for (std::uint32_t i = 0; i < families.size(); ++i)
      if (families[i].queueCount > 0 && (families[i].queueFlags & wanted) == wanted) return i;
  return std::nullopt;
}

Result<void> check_queue_family(const Instance& instance, VkPhysicalDevice physical_device,
                                std::uint32_t queue_family) {
  const std::vector<VkQueueFamilyProperties> families = queue_families(instance, physical_device);
  const auto refuse = [&](const auto&... why) {
    return Error{ErrorCode::invalid_argument, cat("adopt: queue family ", queue_family, why...)};
  };
  if (queue_family >= families.size()) return refuse(" does not exist (the device has ", families.size(), ')');
  if ((families[queue_family].queueFlags & VK_QUEUE_COMPUTE_BIT) == 0) return refuse(" has no compute");
  return {};
}

std::uint64_t timestamp_mask(const Instance& instance, VkPhysicalDevice physical_device, std::uint32_t queue_family) {
  const std::uint32_t bits = queue_families(instance, physical_device)[queue_family].timestampValidBits;
  return bits >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << bits) - 1;
}

}  // namespace fovea::vk
