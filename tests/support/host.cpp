#include "tests/support/host.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace fovea::test {

namespace {

VKAPI_ATTR VkBool32 VKAPI_CALL on_message(VkDebugUtilsMessageSeverityFlagBitsEXT, VkDebugUtilsMessageTypeFlagsEXT,
                                          const VkDebugUtilsMessengerCallbackDataEXT* data, void* user) {
  static_cast<std::vector<std::string>*>(user)->emplace_back(data->pMessage);
  return VK_FALSE;
}

}  // namespace

void must(VkResult result, const char* call) {
  if (result == VK_SUCCESS) return;
  std::fprintf(stderr, "host: %s failed: VkResult %d\n", call, static_cast<int>(result));
  std::abort();
}

Host::Host(std::uint32_t version, HostFeatures features) : api_version(version) {
  library_ = dlopen("libvulkan.so.1", RTLD_NOW | RTLD_LOCAL);
  if (!library_) must(VK_ERROR_INITIALIZATION_FAILED, "dlopen libvulkan.so.1");
  get_instance_proc_addr = reinterpret_cast<PFN_vkGetInstanceProcAddr>(dlsym(library_, "vkGetInstanceProcAddr"));
  make_instance();
  make_device(features);
}

void Host::make_instance() {
  instance_extensions_ = wanted_instance_extensions(get_instance_proc_addr);
  VkApplicationInfo application{};
  application.sType = VK_STRUCTURE_TYPE_APPLICATION_INFO;
  application.pApplicationName = "a host";
  application.apiVersion = api_version;
  VkInstanceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_INSTANCE_CREATE_INFO;
  info.pApplicationInfo = &application;
  info.enabledExtensionCount = static_cast<std::uint32_t>(instance_extensions_.size());
  info.ppEnabledExtensionNames = instance_extensions_.data();
  const auto create =
      reinterpret_cast<PFN_vkCreateInstance>(get_instance_proc_addr(VK_NULL_HANDLE, "vkCreateInstance"));
  must(create(&info, nullptr, &instance), "vkCreateInstance");

#define FOVEA_LOAD(name) vk.name = reinterpret_cast<PFN_vk##name>(get_instance_proc_addr(instance, "vk" #name));
  FOVEA_HOST_INSTANCE_FUNCTIONS(FOVEA_LOAD)
  FOVEA_LOAD(CreateDebugUtilsMessengerEXT)
  FOVEA_LOAD(DestroyDebugUtilsMessengerEXT)
  FOVEA_LOAD(SignalSemaphore)
  FOVEA_LOAD(WaitSemaphores)
#undef FOVEA_LOAD
  if (!vk.CreateDebugUtilsMessengerEXT) return;
  VkDebugUtilsMessengerCreateInfoEXT messenger{};
  messenger.sType = VK_STRUCTURE_TYPE_DEBUG_UTILS_MESSENGER_CREATE_INFO_EXT;
  messenger.messageSeverity =
      VK_DEBUG_UTILS_MESSAGE_SEVERITY_WARNING_BIT_EXT | VK_DEBUG_UTILS_MESSAGE_SEVERITY_ERROR_BIT_EXT;
  messenger.messageType = VK_DEBUG_UTILS_MESSAGE_TYPE_VALIDATION_BIT_EXT;
  messenger.pfnUserCallback = on_message;
  messenger.pUserData = &messages;
  must(vk.CreateDebugUtilsMessengerEXT(instance, &messenger, nullptr, &messenger_), "vkCreateDebugUtilsMessengerEXT");
}

void Host::make_device(HostFeatures features) {
  std::uint32_t count = 1;
  const VkResult found = vk.EnumeratePhysicalDevices(instance, &count, &physical_device);
  if (found != VK_INCOMPLETE) must(found, "vkEnumeratePhysicalDevices");
  const DeviceRequirements requirements =
      query_requirements(get_instance_proc_addr, instance, api_version, physical_device, chain_);
  if (!requirements.unsupported.empty()) must(VK_ERROR_INCOMPATIBLE_DRIVER, requirements.unsupported.c_str());
  queue_family = requirements.compute_queue_family;
  if (features != HostFeatures::none) device_extensions_ = requirements.extensions;
  if (features == HostFeatures::fovea) enabled_ = chain_.head();
  if (features == HostFeatures::merged) {
    own_features_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
    own_features12_.sType = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_2_FEATURES;
    if (api_version >= VK_API_VERSION_1_2) own_features_.pNext = &own_features12_;
    chain_.merge_into(&own_features_);
    enabled_ = &own_features_;
  }
  const float priority = 1;
  VkDeviceQueueCreateInfo queue_info{};
  queue_info.sType = VK_STRUCTURE_TYPE_DEVICE_QUEUE_CREATE_INFO;
  queue_info.queueFamilyIndex = queue_family;
  queue_info.queueCount = 1;
  queue_info.pQueuePriorities = &priority;
  VkDeviceCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_DEVICE_CREATE_INFO;
  info.pNext = enabled_;
  info.queueCreateInfoCount = 1;
  info.pQueueCreateInfos = &queue_info;
  info.enabledExtensionCount = static_cast<std::uint32_t>(device_extensions_.size());
  info.ppEnabledExtensionNames = device_extensions_.data();
  must(vk.CreateDevice(physical_device, &info, nullptr, &device), "vkCreateDevice");
  vk.GetDeviceQueue(device, queue_family, 0, &queue);
  VkCommandPoolCreateInfo pool{};
  pool.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO;
  pool.queueFamilyIndex = queue_family;
  must(vk.CreateCommandPool(device, &pool, nullptr, &pool_), "vkCreateCommandPool");
}

Host::~Host() {
  vk.DeviceWaitIdle(device);
  vk.DestroyCommandPool(device, pool_, nullptr);
  vk.DestroyDevice(device, nullptr);
  if (messenger_) vk.DestroyDebugUtilsMessengerEXT(instance, messenger_, nullptr);
  vk.DestroyInstance(instance, nullptr);
  dlclose(library_);
}

HostDevice Host::description() const {
  HostDevice host;
  host.get_instance_proc_addr = get_instance_proc_addr;
  host.instance = instance;
  host.physical_device = physical_device;
  host.device = device;
  host.queue = queue;
  host.queue_family = queue_family;
  host.api_version = api_version;
  host.instance_extensions = instance_extensions_;
  host.device_extensions = device_extensions_;
  host.enabled_features = enabled_;
  return host;
}

std::uint32_t Host::memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted) const {
  VkPhysicalDeviceMemoryProperties memory;
  vk.GetPhysicalDeviceMemoryProperties(physical_device, &memory);
  for (std::uint32_t i = 0; i < memory.memoryTypeCount; ++i)
    if ((allowed >> i & 1) != 0 && (memory.memoryTypes[i].propertyFlags & wanted) == wanted) return i;
  must(VK_ERROR_OUT_OF_DEVICE_MEMORY, "finding memory");
  return 0;
}

Host::Mapped Host::make_buffer(VkDeviceSize size, VkBufferUsageFlags usage) {
  Mapped out;
  VkBufferCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_BUFFER_CREATE_INFO;
  info.size = size;
  info.usage = usage;
  must(vk.CreateBuffer(device, &info, nullptr, &out.buffer), "vkCreateBuffer");
  VkMemoryRequirements needs;
  vk.GetBufferMemoryRequirements(device, out.buffer, &needs);
  VkMemoryAllocateInfo allocate{};
  allocate.sType = VK_STRUCTURE_TYPE_MEMORY_ALLOCATE_INFO;
  allocate.allocationSize = needs.size;
  allocate.memoryTypeIndex =
      memory_type(needs.memoryTypeBits, VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT | VK_MEMORY_PROPERTY_HOST_COHERENT_BIT);
  must(vk.AllocateMemory(device, &allocate, nullptr, &out.memory), "vkAllocateMemory");
  must(vk.BindBufferMemory(device, out.buffer, out.memory, 0), "vkBindBufferMemory");
  void* data = nullptr;
  must(vk.MapMemory(device, out.memory, 0, VK_WHOLE_SIZE, 0, &data), "vkMapMemory");
  out.data = static_cast<std::byte*>(data);
  std::memset(out.data, 0, static_cast<std::size_t>(size));
  return out;
}

void Host::destroy(const Mapped& buffer) {
  vk.DestroyBuffer(device, buffer.buffer, nullptr);
  vk.FreeMemory(device, buffer.memory, nullptr);
}

VkCommandBuffer Host::begin_commands() {
  VkCommandBufferAllocateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO;
  info.commandPool = pool_;
  info.level = VK_COMMAND_BUFFER_LEVEL_PRIMARY;
  info.commandBufferCount = 1;
  VkCommandBuffer commands = VK_NULL_HANDLE;
  must(vk.AllocateCommandBuffers(device, &info, &commands), "vkAllocateCommandBuffers");
  VkCommandBufferBeginInfo begin{};
  begin.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO;
  must(vk.BeginCommandBuffer(commands, &begin), "vkBeginCommandBuffer");
  return commands;
}

void Host::submit_and_wait(VkCommandBuffer commands) {
  must(vk.EndCommandBuffer(commands), "vkEndCommandBuffer");
  VkSubmitInfo info{};
  info.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO;
  info.commandBufferCount = 1;
  info.pCommandBuffers = &commands;
  must(vk.QueueSubmit(queue, 1, &info, VK_NULL_HANDLE), "vkQueueSubmit");
  must(vk.QueueWaitIdle(queue), "vkQueueWaitIdle");
}

}  // namespace fovea::test
