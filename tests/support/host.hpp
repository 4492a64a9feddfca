#pragma once
// A host program's own Vulkan, as a game has it: made without Fovea, through the system's loader. The first physical
// device is taken (tests/drivers.sh shows one driver at a time).

#include <fovea/vulkan.hpp>

#include <string>
#include <vector>

namespace fovea::test {

#define FOVEA_HOST_INSTANCE_FUNCTIONS(X)                                                                               \
  X(DestroyInstance)                                                                                                   \
  X(EnumeratePhysicalDevices) X(GetPhysicalDeviceProperties) X(GetPhysicalDeviceMemoryProperties) X(CreateDevice)      \
      X(DestroyDevice) X(GetDeviceQueue) X(DeviceWaitIdle) X(QueueSubmit) X(QueueWaitIdle) X(AllocateMemory)           \
          X(FreeMemory) X(MapMemory) X(CreateBuffer) X(DestroyBuffer) X(GetBufferMemoryRequirements)                   \
              X(BindBufferMemory) X(CreateImage) X(DestroyImage) X(GetImageMemoryRequirements) X(BindImageMemory)      \
                  X(CreateImageView) X(DestroyImageView) X(CreateRenderPass) X(DestroyRenderPass) X(CreateFramebuffer) \
                      X(DestroyFramebuffer) X(CreateShaderModule) X(DestroyShaderModule) X(CreatePipelineLayout)       \
                          X(DestroyPipelineLayout) X(CreateGraphicsPipelines) X(DestroyPipeline) X(CreateCommandPool)  \
                              X(DestroyCommandPool) X(AllocateCommandBuffers) X(BeginCommandBuffer)                    \
                                  X(EndCommandBuffer) X(CmdBeginRenderPass) X(CmdEndRenderPass) X(CmdBindPipeline)     \
                                      X(CmdDraw) X(CmdCopyImageToBuffer) X(CmdPipelineBarrier) X(CreateSemaphore)      \
                                          X(DestroySemaphore)

struct HostFunctions {
#define FOVEA_MEMBER(name) PFN_vk##name name = nullptr;
  FOVEA_HOST_INSTANCE_FUNCTIONS(FOVEA_MEMBER)
#undef FOVEA_MEMBER
  PFN_vkCreateDebugUtilsMessengerEXT CreateDebugUtilsMessengerEXT = nullptr;
  PFN_vkDestroyDebugUtilsMessengerEXT DestroyDebugUtilsMessengerEXT = nullptr;
  PFN_vkSignalSemaphore SignalSemaphore = nullptr;  // null below Vulkan 1.2
  PFN_vkWaitSemaphores WaitSemaphores = nullptr;
};

// What the host enables of what Fovea could use.
enum class HostFeatures {
  none,    // a plain Vulkan 1.1 device
  fovea,   // all that query_requirements names, as a chain of Fovea's own
  merged,  // the host's own chain (Vulkan12Features where there is Vulkan 1.2), with Fovea's merged in
};

class Host {
 public:
  explicit Host(std::uint32_t api_version, HostFeatures features = HostFeatures::none);
  ~Host();
  Host(const Host&) = delete;
  Host& operator=(const Host&) = delete;

  // For fovea::adopt. Points into this object.
  HostDevice description() const;
  // A buffer with host-visible, coherent memory, mapped.
  struct Mapped {
    VkBuffer buffer = VK_NULL_HANDLE;
    VkDeviceMemory memory = VK_NULL_HANDLE;
    std::byte* data = nullptr;
  };
  Mapped make_buffer(VkDeviceSize size, VkBufferUsageFlags usage);
  void destroy(const Mapped& buffer);
  std::uint32_t memory_type(std::uint32_t allowed, VkMemoryPropertyFlags wanted) const;
  VkCommandBuffer begin_commands();
  void submit_and_wait(VkCommandBuffer commands);

  PFN_vkGetInstanceProcAddr get_instance_proc_addr = nullptr;
  HostFunctions vk;
  VkInstance instance = VK_NULL_HANDLE;
  VkPhysicalDevice physical_device = VK_NULL_HANDLE;
  VkDevice device = VK_NULL_HANDLE;
  VkQueue queue = VK_NULL_HANDLE;
  std::uint32_t queue_family = 0, api_version;
  std::vector<std::string> messages;  // of the validation layer, if there is one

 private:
  void make_instance();
  void make_device(HostFeatures features);

  void* library_ = nullptr;
  VkDebugUtilsMessengerEXT messenger_ = VK_NULL_HANDLE;
  VkCommandPool pool_ = VK_NULL_HANDLE;
  std::vector<const char*> instance_extensions_, device_extensions_;
  FeatureChain chain_;
  VkPhysicalDeviceFeatures2 own_features_{};
  VkPhysicalDeviceVulkan12Features own_features12_{};
  const void* enabled_ = nullptr;
};

// Ends the program with the call's name unless it succeeded.
void must(VkResult result, const char* call);

}  // namespace fovea::test
