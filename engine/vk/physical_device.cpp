#include "vk/physical_device.hpp"

#include "vk/enumerate.hpp"
#include "vk/error.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace fovea::vk {
namespace {

Result<std::vector<VkPhysicalDevice>> list_physical_devices(const Instance& instance) {
  std::vector<VkPhysicalDevice> list;
  const VkResult result = enumerate(list, [&](std::uint32_t* count, VkPhysicalDevice* data) {
    return instance.fn().EnumeratePhysicalDevices(instance.handle(), count, data);
  });
  if (result == VK_ERROR_INITIALIZATION_FAILED || result == VK_ERROR_INCOMPATIBLE_DRIVER)  // of a loader without a driver
    return Error{ErrorCode::unsupported, error(result, "no Vulkan driver that works: vkEnumeratePhysicalDevices").message};
  if (result != VK_SUCCESS) return error(result, "vkEnumeratePhysicalDevices");
  return list;
}

int rank_of(DeviceType type) {
  switch (type) {
    case DeviceType::discrete:
      return 0;
    case DeviceType::integrated:
      return 1;
    case DeviceType::virtual_gpu:
      return 2;
    case DeviceType::other:
      return 3;
    case DeviceType::cpu:
      return 4;
  }
  return 5;
}

int optional_features(const DeviceCaps& caps) {
  return caps.storage16 + caps.storage8 + caps.float16 + caps.int64 + caps.buffer_address + caps.timeline_semaphore +
         caps.subgroup_size_control + caps.cooperative_matrix + caps.cooperative_matrix2 + (caps.subgroup_size > 0);
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}

bool contains(std::string_view text, std::string_view lower_part) {
  return lower(text).find(lower_part) != std::string::npos;
}

std::string listed(std::span<const DeviceInfo> devices) {
  std::string out;
  for (std::size_t i = 0; i < devices.size(); ++i)
    out += cat(i ? ", [" : "[", i, "] ", devices[i].name, " (", devices[i].driver, ")");
  return out;
}

}  // namespace

Result<Candidates> find_candidates(const Instance& instance) {
  const Result<std::vector<VkPhysicalDevice>> handles = list_physical_devices(instance);
  if (!handles) return handles.error();
  Candidates found;
  std::vector<std::array<std::array<std::uint8_t, 16>, 2>> seen;
  for (VkPhysicalDevice handle : *handles) {
    VkPhysicalDeviceProperties properties;
    instance.fn().GetPhysicalDeviceProperties(handle, &properties);
    if (usable_version(instance, handle) < VK_API_VERSION_1_1) {
      found.refused.push_back(cat(properties.deviceName, ": Vulkan 1.0 only"));
      continue;
    }
    const std::optional<std::uint32_t> family = choose_queue_family(instance, handle);
    if (!family) {
      found.refused.push_back(cat(properties.deviceName, ": no queue family with compute"));
      continue;
    }
    const Result<std::vector<VkExtensionProperties>> list = device_extensions(instance, handle);
    if (!list) {
      found.refused.push_back(cat(properties.deviceName, ": ", list.error().message));
      continue;
    }
    const Extensions available(*list);
    Result<DeviceCaps> caps = query_caps(instance, handle, *family, everything_available(instance, handle, available), available);
    if (!caps) {
      found.refused.push_back(cat(properties.deviceName, ": ", caps.error().message));
      continue;
    }
    Candidate candidate{handle, *family, std::move(*caps)};
    const std::array identity{candidate.caps.device_uuid, candidate.caps.driver_uuid};
    if (std::find(seen.begin(), seen.end(), identity) != seen.end()) continue;
    seen.push_back(identity);
    found.usable.push_back(std::move(candidate));
  }
  rank(found.usable);
  return found;
}

DeviceInfo device_info(const DeviceCaps& caps) {
  DeviceInfo info;
  info.name = caps.device_name;
  info.driver = cat(caps.driver_name, caps.driver_info.empty() ? "" : " ", caps.driver_info);
  info.type = caps.type;
  info.vulkan_version = caps.api_version;
  return info;
}

void rank(std::vector<Candidate>& candidates) {
  std::stable_sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    if (a.caps.type != b.caps.type) return rank_of(a.caps.type) < rank_of(b.caps.type);
    return optional_features(a.caps) > optional_features(b.caps);
  });
}

Result<std::size_t> choose(std::span<const DeviceInfo> devices, std::string_view wanted) {
  if (devices.empty()) return Error{ErrorCode::unsupported, "no Vulkan device offers 1.1 compute"};
  if (wanted.empty()) return std::size_t{0};
  std::size_t index = 0;
  const auto [end, status] = std::from_chars(wanted.data(), wanted.data() + wanted.size(), index);
  // One or two digits are an index; "4090" is part of a name.
  const bool is_index = status == std::errc() && end == wanted.data() + wanted.size() && wanted.size() <= 2;
  if (is_index && index < devices.size()) return index;
  const std::string part = lower(wanted);
  for (std::size_t i = 0; i < devices.size() && !is_index; ++i)
    if (contains(devices[i].name, part) || contains(devices[i].driver, part)) return i;
  return Error{ErrorCode::invalid_argument, cat("no device '", wanted, "'; there is ", listed(devices))};
}

}  // namespace fovea::vk
