#include "vk/pipeline.hpp"

#include "base/poison_shared.hpp"
#include "base/prune.hpp"
#include "base/specialize.hpp"
#include "vk/enumerate.hpp"

#include <string>

namespace fovea::vk {
namespace {

// "attention_row.f32{128,64,1}"
std::string name_of(const PipelineRequest& request) {
  std::string name = request.shader->name;
  for (std::size_t i = 0; i < request.constants.size(); ++i) name += cat(i ? ',' : '{', request.constants[i]);
  return request.constants.empty() ? name : name + '}';
}

}  // namespace

Result<std::unique_ptr<PipelineStore>> PipelineStore::create(const Device& device, std::span<const std::byte> blob) {
  std::unique_ptr<PipelineStore> store(new PipelineStore(device));
  VkPipelineCacheCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_CACHE_CREATE_INFO;
  if (!blob.empty()) {
    const Result<std::span<const std::byte>> payload =
        unwrap_cache(cache_owner(device.caps, device.pipeline_cache_uuid), blob);
    if (payload) {
      info.initialDataSize = payload->size();
      info.pInitialData = payload->data();
    } else {
      log_message(device.log(), LogLevel::warning, payload.error().message, "; ignored");
    }
  }
  Result<PipelineCache> cache = make<PipelineCache>(device, &DeviceTable::CreatePipelineCache, info, "fovea pipelines");
  if (!cache && info.initialDataSize > 0) {
    log_message(device.log(), LogLevel::warning, "pipeline cache: ", cache.error().message, "; ignored");
    info.initialDataSize = 0;
    cache = make<PipelineCache>(device, &DeviceTable::CreatePipelineCache, info, "fovea pipelines");
  }
  if (!cache) return cache.error();
  store->cache_ = std::move(*cache);
  return store;
}

Result<const PipelineStore::Layout*> PipelineStore::layout(LayoutKey key) {
  if (const auto at = layouts_.find(key); at != layouts_.end()) return &at->second;
  const auto [bindings, push_bytes] = key;
  std::vector<VkDescriptorSetLayoutBinding> list(bindings);
  for (std::size_t i = 0; i < bindings; ++i)
    list[i] = {static_cast<std::uint32_t>(i), VK_DESCRIPTOR_TYPE_STORAGE_BUFFER, 1, VK_SHADER_STAGE_COMPUTE_BIT,
               nullptr};
  VkDescriptorSetLayoutCreateInfo set_info{};
  set_info.sType = VK_STRUCTURE_TYPE_DESCRIPTOR_SET_LAYOUT_CREATE_INFO;
  set_info.bindingCount = static_cast<std::uint32_t>(bindings);
  set_info.pBindings = list.data();
  const std::string name = cat("fovea layout of ", bindings, " buffers, ", push_bytes, " bytes");
  Result<DescriptorSetLayout> set =
      make<DescriptorSetLayout>(device_, &DeviceTable::CreateDescriptorSetLayout, set_info, name);
  if (!set) return set.error();
  const VkPushConstantRange push{VK_SHADER_STAGE_COMPUTE_BIT, 0, push_bytes};
  VkPipelineLayoutCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_PIPELINE_LAYOUT_CREATE_INFO;
  info.setLayoutCount = 1;
  info.pSetLayouts = set->address();
  info.pushConstantRangeCount = push_bytes ? 1 : 0;
  info.pPushConstantRanges = &push;
  Result<PipelineLayout> made = make<PipelineLayout>(device_, &DeviceTable::CreatePipelineLayout, info, name);
  if (!made) return made.error();
  return &layouts_.emplace(key, Layout{std::move(*set), std::move(*made)}).first->second;
}

Result<RawPipeline> PipelineStore::build(const PipelineRequest& request, const Layout& layout) const {
  const std::string name = name_of(request);
  VkShaderModuleCreateInfo module_info{};
  module_info.sType = VK_STRUCTURE_TYPE_SHADER_MODULE_CREATE_INFO;
  std::vector<std::uint32_t> code = prune(specialize(request.shader->code, request.constants));
  const Workgroup workgroup = reflect_workgroup(code);
  if (Result<void> checked = check_workgroup(request, workgroup, device_.caps); !checked) return checked.error();
  if (request.poison_shared) {
    std::optional<std::vector<std::uint32_t>> poisoned = poison_shared(code);
    if (!poisoned) return Error{ErrorCode::unsupported, name + ": its shared memory cannot be poisoned: a type that is not known"};
    code = std::move(*poisoned);
  }
  module_info.codeSize = code.size() * sizeof(std::uint32_t);
  module_info.pCode = code.data();
  Result<ShaderModule> module = make<ShaderModule>(device_, &DeviceTable::CreateShaderModule, module_info, name);
  if (!module) return module.error();

  VkComputePipelineCreateInfo info{};
  info.sType = VK_STRUCTURE_TYPE_COMPUTE_PIPELINE_CREATE_INFO;
  const bool has_matrices = multiplies_matrices(*request.shader);
  if (device_.pipeline_statistics) info.flags = VK_PIPELINE_CREATE_CAPTURE_STATISTICS_BIT_KHR;
  if (device_.pipeline_statistics && has_matrices) info.flags |= VK_PIPELINE_CREATE_CAPTURE_INTERNAL_REPRESENTATIONS_BIT_KHR;
  info.layout = layout.layout.get();
  info.stage.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_CREATE_INFO;
  info.stage.stage = VK_SHADER_STAGE_COMPUTE_BIT;
  info.stage.module = module->get();
  info.stage.pName = "main";
  // What shares in subgroups was planned for those of one size, full where that divides the workgroup.
  VkPipelineShaderStageRequiredSubgroupSizeCreateInfo size{};
  size.sType = VK_STRUCTURE_TYPE_PIPELINE_SHADER_STAGE_REQUIRED_SUBGROUP_SIZE_CREATE_INFO;
  size.requiredSubgroupSize = device_.caps.subgroup_size;
  if (device_.caps.subgroup_size_control && shares_in_subgroups(*request.shader)) {
    info.stage.pNext = &size;
    if (workgroup.size[0] % size.requiredSubgroupSize == 0) info.stage.flags = VK_PIPELINE_SHADER_STAGE_CREATE_REQUIRE_FULL_SUBGROUPS_BIT;
  }
  VkPipeline pipeline = VK_NULL_HANDLE;
  const VkResult result =
      device_.fn.CreateComputePipelines(device_.handle, cache_.get(), 1, &info, device_.allocator, &pipeline);
  if (result != VK_SUCCESS)
    return device_.error(result, "vkCreateComputePipelines ", name, " on ", device_.caps.device_name);
  return RawPipeline(device_, pipeline, name);
}

Result<Pipeline> PipelineStore::get(const PipelineRequest& request) {
  Key key{request.shader->code.data(),
          {request.bindings.size(), request.push_bytes},
          {request.constants.begin(), request.constants.end()},
          request.poison_shared};
  const Layout* shared = nullptr;
  const auto found = [&](const RawPipeline& pipeline) {
    return Pipeline{pipeline.get(), shared->layout.get(), shared->set.get()};
  };
  // Before the lookup: another dispatch of the same shader may be the one that is wrong.
  if (Result<void> checked = check(request, reflect(request.shader->code), device_.caps); !checked)
    return checked.error();
  {
    const std::lock_guard lock(mutex_);
    const Result<const Layout*> layout_of_key = layout(key.layout);
    if (!layout_of_key) return layout_of_key.error();
    shared = *layout_of_key;
    if (const auto at = pipelines_.find(key); at != pipelines_.end()) return found(at->second.pipeline);
  }
  // Outside the lock, so that several threads compile at once; two that race for one pipeline keep the first.
  Result<RawPipeline> built = build(request, *shared);
  if (!built) return built.error();
  const std::lock_guard lock(mutex_);
  return found(pipelines_.try_emplace(std::move(key), Made{std::move(*built), request.keeps}).first->second.pipeline);
}

std::vector<std::byte> PipelineStore::save() const {
  std::vector<std::byte> payload;  // it may grow, by a pipeline that another thread makes
  const VkResult result = enumerate<std::size_t>(payload, [&](std::size_t* size, std::byte* data) {
    return device_.fn.GetPipelineCacheData(device_.handle, cache_.get(), size, data);
  });
  if (result != VK_SUCCESS) {
    log_message(device_.log(), LogLevel::warning, device_.error(result, "vkGetPipelineCacheData").message, "; not saved");
    return {};
  }
  return wrap_cache(cache_owner(device_.caps, device_.pipeline_cache_uuid), payload);
}

}  // namespace fovea::vk
