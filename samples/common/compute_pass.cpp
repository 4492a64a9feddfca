#include "common/compute_pass.hpp"

#include <fovea/vulkan.hpp>

#include <functional>
#include <string>
#include <vector>

namespace samples {

namespace {

// Undoes in reverse order, at the end of the scope.
class Cleanup {
 public:
  ~Cleanup() {
    for (auto undo = undo_.rbegin(); undo != undo_.rend(); ++undo) (*undo)();
  }
  void add(std::function<void()> undo) { undo_.push_back(std::move(undo)); }

 private:
  std::vector<std::function<void()>> undo_;
};

fovea::Error failed(const char* what, VkResult result) {
  return {fovea::ErrorCode::device, std::string(what) + ": VkResult " + std::to_string(result)};
}

}  // namespace

fovea::Result<void> run_compute_pass(const fovea::Context& context, std::span<const std::uint32_t> code,
                                     const fovea::Buffer& output, std::span<const std::byte> push,
                                     std::array<std::uint32_t, 3> groups) {
  const fovea::VulkanHandles vulkan = fovea::handles(context);
  const VkDevice device = vulkan.device;
  const auto get_device_proc_addr =
      reinterpret_cast<PFN_vkGetDeviceProcAddr>(vulkan.get_instance_proc_addr(vulkan.instance, "vkGetDeviceProcAddr"));
#define LOAD(name) const auto name = reinterpret_cast<PFN_##name>(get_device_proc_addr(device, #name))
  LOAD(vkCreateShaderModule); LOAD(vkDestroyShaderModule);
  LOAD(vkCreateDescriptorSetLayout); LOAD(vkDestroyDescriptorSetLayout);
  LOAD(vkCreatePipelineLayout); LOAD(vkDestroyPipelineLayout);
  LOAD(vkCreateComputePipelines); LOAD(vkDestroyPipeline);
  LOAD(vkCreateDescriptorPool); LOAD(vkDestroyDescriptorPool); LOAD(vkAllocateDescriptorSets); LOAD(vkUpdateDescriptorSets);
  LOAD(vkCreateCommandPool); LOAD(vkDestroyCommandPool); LOAD(vkAllocateCommandBuffers);
  LOAD(vkBeginCommandBuffer); LOAD(vkEndCommandBuffer); LOAD(vkCmdBindPipeline); LOAD(vkCmdBindDescriptorSets);
  LOAD(vkCmdPushConstants); LOAD(vkCmdDispatch); LOAD(vkCmdPipelineBarrier);
  LOAD(vkCreateFence); LOAD(vkDestroyFence); LOAD(vkQueueSubmit); LOAD(vkWaitForFences);
#undef LOAD
  Cleanup cleanup;
  // Creates `handle` by `create`, and destroys it at the end; returns from this function when that fails.
#define CREATE(handle, create, destroy, info)                                                     \
  if (const VkResult result = create(device, &info, nullptr, &handle)) return failed(#create, result); \
  cleanup.add([&] { destroy(device, handle, nullptr); })

  VkShaderModule module;
  const VkShaderModuleCreateInfo module_info{VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO, nullptr, 0, code.size_bytes(), code.data()};
  CREATE(module, vkCreateShaderModule, vkDestroyShaderModule, module_info);

  VkDescriptorSetLayout set_layout;
  const VkDescriptorSetLayoutBinding binding{0, VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT, nullptr};
  const VkDescriptorSetLayoutCreateInfo set_info{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO, nullptr, 0, 1, &binding};
  CREATE(set_layout, vkCreateDescriptorSetLayout, vkDestroyDescriptorSetLayout, set_info);

  VkPipelineLayout layout;
  const VkPushConstantRange range{VK_SHADER_STAGE_COMPUTE_BIT, 0, static_cast<std::uint32_t>(push.size())};
  const VkPipelineLayoutCreateInfo layout_info{VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO, nullptr, 0, 1, &set_layout, 1, &range};
  CREATE(layout, vkCreatePipelineLayout, vkDestroyPipelineLayout, layout_info);

  VkPipeline pipeline;
  const VkComputePipelineCreateInfo pipeline_info{
      VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO, nullptr, 0,
      {VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO, nullptr, 0, VK_SHADER_STAGE_COMPUTE_BIT, module, "main", nullptr},
      layout, VK_NULL_HANDLE, -1};
  if (const VkResult result = vkCreateComputePipelines(device, VK_NULL_HANDLE, 1, &pipeline_info, nullptr, &pipeline))
    return failed("vkCreateComputePipelines", result);
  cleanup.add([&] { vkDestroyPipeline(device, pipeline, nullptr); });

  VkDescriptorPool descriptors;
  const VkDescriptorPoolSize size{VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1};
  const VkDescriptorPoolCreateInfo descriptors_info{VK_STRUCTURE_TYPE_DESCRIPTOR_POOL_CREATE_INFO, nullptr, 0, 1, 1, &size};
  CREATE(descriptors, vkCreateDescriptorPool, vkDestroyDescriptorPool, descriptors_info);
  VkDescriptorSet set;
  const VkDescriptorSetAllocateInfo allocate{VK_STRUCTURE_TYPE_DESCRIPTOR_SET_ALLOCATE_INFO, nullptr, descriptors, 1, &set_layout};
  if (const VkResult result = vkAllocateDescriptorSets(device, &allocate, &set)) return failed("vkAllocateDescriptorSets", result);
  const VkDescriptorBufferInfo whole{fovea::handle(output), 0, VK_WHOLE_SIZE};
  const VkWriteDescriptorSet write{VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET, nullptr, set, 0, 0, 1,
                                   VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, nullptr, &whole, nullptr};
  vkUpdateDescriptorSets(device, 1, &write, 0, nullptr);

  VkCommandPool pool;
  const VkCommandPoolCreateInfo pool_info{VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO, nullptr, 0, vulkan.queue_family};
  CREATE(pool, vkCreateCommandPool, vkDestroyCommandPool, pool_info);
  VkCommandBuffer commands;
  const VkCommandBufferAllocateInfo commands_info{VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO, nullptr, pool,
                                                  VK_COMMAND_BUFFER_LEVEL_PRIMARY, 1};
  if (const VkResult result = vkAllocateCommandBuffers(device, &commands_info, &commands))
    return failed("vkAllocateCommandBuffers", result);
  const VkCommandBufferBeginInfo begin{VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO, nullptr,
                                       VK_COMMAND_BUFFER_USAGE_ONE_TIME_SUBMIT_BIT, nullptr};
  vkBeginCommandBuffer(commands, &begin);
  vkCmdBindPipeline(commands, VK_PIPELINE_BIND_POINT_COMPUTE, pipeline);
  vkCmdBindDescriptorSets(commands, VK_PIPELINE_BIND_POINT_COMPUTE, layout, 0, 1, &set, 0, nullptr);
  vkCmdPushConstants(commands, layout, VK_SHADER_STAGE_COMPUTE_BIT, 0, range.size, push.data());
  vkCmdDispatch(commands, groups[0], groups[1], groups[2]);
  // The host reads the mapped buffer, or a transfer copies it, next.
  const VkMemoryBarrier visible{VK_STRUCTURE_TYPE_MEMORY_BARRIER, nullptr, VK_ACCESS_SHADER_WRITE_BIT,
                                VK_ACCESS_HOST_READ_BIT | VK_ACCESS_TRANSFER_READ_BIT};
  vkCmdPipelineBarrier(commands, VK_PIPELINE_STAGE_COMPUTE_SHADER_BIT,
                       VK_PIPELINE_STAGE_HOST_BIT | VK_PIPELINE_STAGE_TRANSFER_BIT, 0, 1, &visible, 0, nullptr, 0, nullptr);
  if (const VkResult result = vkEndCommandBuffer(commands)) return failed("vkEndCommandBuffer", result);

  VkFence fence;
  const VkFenceCreateInfo fence_info{VK_STRUCTURE_TYPE_FENCE_CREATE_INFO, nullptr, 0};
  CREATE(fence, vkCreateFence, vkDestroyFence, fence_info);
#undef CREATE
  const VkSubmitInfo submit{VK_STRUCTURE_TYPE_SUBMIT_INFO, nullptr, 0, nullptr, nullptr, 1, &commands, 0, nullptr};
  if (const VkResult result = vkQueueSubmit(vulkan.queue, 1, &submit, fence)) return failed("vkQueueSubmit", result);
  if (const VkResult result = vkWaitForFences(device, 1, &fence, VK_TRUE, UINT64_MAX)) return failed("vkWaitForFences", result);
  return {};
}

}  // namespace samples
