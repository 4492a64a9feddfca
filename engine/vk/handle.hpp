#pragma once
// RAII for Vulkan objects that are children of a device, each with a debug name.

#include "vk/device.hpp"

#include <string_view>
#include <utility>

namespace fovea::vk {

// Owns one T, destroyed by the device function that Destroy points to. The Device must outlive it.
template <class T, auto Destroy, VkObjectType type>
class Handle {
 public:
  static constexpr VkObjectType object_type = type;
  Handle() = default;
  Handle(const Device& device, T value, std::string_view name) : device_(&device), value_(value) {
    device.name(type, value, name);
  }
  ~Handle() {
    if (value_) (device_->fn.*Destroy)(device_->handle, value_, device_->allocator);
  }
  Handle(Handle&& other) noexcept : device_(other.device_), value_(std::exchange(other.value_, T{})) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(device_, other.device_);
    std::swap(value_, other.value_);
    return *this;
  }
  explicit operator bool() const { return value_ != T{}; }
  T get() const { return value_; }
  const T* address() const { return &value_; }

 private:
  const Device* device_ = nullptr;
  T value_{};
};

using DeviceMemory = Handle<VkDeviceMemory, &DeviceTable::FreeMemory, VK_OBJECT_TYPE_DEVICE_MEMORY>;
using RawBuffer = Handle<VkBuffer, &DeviceTable::DestroyBuffer, VK_OBJECT_TYPE_BUFFER>;
using Fence = Handle<VkFence, &DeviceTable::DestroyFence, VK_OBJECT_TYPE_FENCE>;
using Semaphore = Handle<VkSemaphore, &DeviceTable::DestroySemaphore, VK_OBJECT_TYPE_SEMAPHORE>;
using QueryPool = Handle<VkQueryPool, &DeviceTable::DestroyQueryPool, VK_OBJECT_TYPE_QUERY_POOL>;
using ShaderModule = Handle<VkShaderModule, &DeviceTable::DestroyShaderModule, VK_OBJECT_TYPE_SHADER_MODULE>;
using PipelineCache = Handle<VkPipelineCache, &DeviceTable::DestroyPipelineCache, VK_OBJECT_TYPE_PIPELINE_CACHE>;
using RawPipeline = Handle<VkPipeline, &DeviceTable::DestroyPipeline, VK_OBJECT_TYPE_PIPELINE>;
using PipelineLayout = Handle<VkPipelineLayout, &DeviceTable::DestroyPipelineLayout, VK_OBJECT_TYPE_PIPELINE_LAYOUT>;
using DescriptorSetLayout =
    Handle<VkDescriptorSetLayout, &DeviceTable::DestroyDescriptorSetLayout, VK_OBJECT_TYPE_DESCRIPTOR_SET_LAYOUT>;
using DescriptorPool = Handle<VkDescriptorPool, &DeviceTable::DestroyDescriptorPool, VK_OBJECT_TYPE_DESCRIPTOR_POOL>;
using CommandPool = Handle<VkCommandPool, &DeviceTable::DestroyCommandPool, VK_OBJECT_TYPE_COMMAND_POOL>;

// Creates by a device function and names the result: make<Fence>(device, &DeviceTable::CreateFence, info, "name").
template <class H, class Create, class Info>
Result<H> make(const Device& device, Create DeviceTable::*create, const Info& info, std::string_view name) {
  std::remove_const_t<std::remove_pointer_t<decltype(std::declval<H>().address())>> value{};
  const VkResult result = (device.fn.*create)(device.handle, &info, device.allocator, &value);
  if (result != VK_SUCCESS) return device.error(result, creator_of(H::object_type), ' ', name);
  return H(device, value, name);
}

}  // namespace fovea::vk
